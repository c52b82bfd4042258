"""Manifests that somebody else wrote, read so that no file does harm: size, depth, aliases, names, and where it really is.

Rules: research T7 and T8. Whatever is refused is refused before anything is sent, with the place in the file.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubepane.acting.plan import Malformed
from kubepane.cluster.plain_yaml import Unreadable, parse_all
from kubepane.cluster.writing import Raw

MOST_BYTES = 1 << 20
MOST_DOCUMENTS = 100
_API_VERSION = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SERVERS_OWN = ("managedFields", "uid", "resourceVersion", "generateName", "ownerReferences", "deletionTimestamp")
_INT64 = 1 << 63


def text_of(path: Path, within: Path | None = None) -> str:
    """The text of a regular file of at most 1 MB.

    Args:
        path: the file.
        within: the folder that it must really be in, links followed.

    Raises:
        Malformed: it is something else, too large, elsewhere, no UTF-8, or cannot be read.
    """
    real = path.resolve()
    if within is not None and not real.is_relative_to(within.resolve()):
        raise Malformed(f"{path} leads out of its folder")
    try:
        # not blocked by a FIFO, and what was looked at is what is read
        handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Malformed(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Malformed(f"{path} is no file")
        return decoded(file.read(MOST_BYTES + 1), str(path))


def decoded(raw: bytes, where: str) -> str:
    """The text of some bytes.

    Raises:
        Malformed: too many, or no UTF-8.
    """
    if len(raw) > MOST_BYTES:
        raise Malformed(f"{where} is larger than {MOST_BYTES >> 20} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(f"{where} is not UTF-8") from None


def documents(text: str, where: str) -> tuple[list[Any], list[str]]:
    """The documents of a text that are not empty, as JSON could write them, and what to know about the way they were read.

    Raises:
        Malformed: broken, or built to harm.
    """
    try:
        stream = parse_all(text, MOST_DOCUMENTS)
        found = [as_json(one) for one in stream.documents if one is not None]
    except Unreadable as error:
        raise Malformed(f"{where}: {error}") from None
    return found, [f"{where}: {note}" for note in dict.fromkeys(stream.notes)]


def as_json(value: Any) -> Any:
    """A copy in which keys are texts and numbers are such as JSON knows."""
    if isinstance(value, dict):
        pairs = [(_key(key), as_json(inner)) for key, inner in value.items()]
        if len({key for key, _ in pairs}) < len(pairs):
            raise Unreadable("two keys of a mapping are the same text")
        return dict(pairs)
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Unreadable("a number without end")
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        raise Unreadable("a number of more than 64 bits")
    return value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower() if isinstance(key, bool) else "null" if key is None else str(key)


def objects(found: list[Any], where: str) -> list[Raw]:
    """The Kubernetes objects of documents; a List is its items.

    Raises:
        Malformed: a document is none, or asks for what an apply cannot do.
    """
    made = [one for document in found for one in _items(document, where)]
    for one in made:
        _check(one, where)
    return made


def _items(document: Any, where: str) -> Iterator[Raw]:
    if isinstance(document, dict) and document.get("kind") == "List" and document.get("apiVersion") == "v1":
        items = document.get("items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Malformed(f"{where}: the items of a List are no objects")
        yield from items
    elif isinstance(document, dict):
        yield document
    else:
        raise Malformed(f"{where}: a document is no object with fields")


def _check(one: Raw, where: str) -> None:
    version, kind, meta = one.get("apiVersion"), one.get("kind"), one.get("metadata")
    if not isinstance(version, str) or not _API_VERSION.fullmatch(version):
        raise Malformed(f"{where}: apiVersion is missing or none")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise Malformed(f"{where}: kind is missing or none")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str) or not name:
        raise Malformed(f"{where}: a {kind} has no metadata.name")
    if not _is_segment(name):
        raise Malformed(f"{where}: {name!r} can be no name of a {kind}")
    namespace = meta.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and len(namespace) < 64 and _NAMESPACE.fullmatch(namespace)):
        raise Malformed(f"{where}: {kind} {name}: {namespace!r} is no namespace")
    own = [field for field in _SERVERS_OWN if meta.get(field)]
    if own:
        raise Malformed(f"{where}: {kind} {name}: take metadata.{own[0]} out: it is not yours to set")


def _is_segment(name: str) -> bool:
    """Whether it can stand in a path (IsValidPathSegmentName of apimachinery pkg/api/validation/path)."""
    return name not in (".", "..") and not set(name) & set("/%") and len(name) < 254 and name.isprintable()
