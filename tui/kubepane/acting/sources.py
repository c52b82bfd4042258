"""What SET or PATH means: a bundled set, a file, a folder of files, a folder with a kustomization.yaml, or what is piped in."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepane.acting import hostile
from kubepane.acting.plan import Malformed
from kubepane.cluster.writing import Raw
from kubepane_manifests import catalogue, kustomization
from kubepane_manifests.documents import Unbuildable

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")
_OTHER_NAMES = ("kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Source:
    """Objects to apply, or to delete.

    Attributes:
        name: the set, or the path as it was given.
        objects: in the order that kubectl applies them in.
        notes: what to know about them.
        kubectl: the words that name the same to kubectl, empty where there are none.
    """

    name: str
    objects: tuple[Raw, ...]
    notes: tuple[str, ...] = ()
    kubectl: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of a set, or the last part of a path."""
        return Path(self.name).name or self.name if self.kubectl[:1] == ("-f",) or Path(self.name).is_absolute() else self.name


def read(what: str) -> Source:
    """The objects of a bundled set or of a path.

    Raises:
        Malformed: there is no such thing, or what is in it is refused.
    """
    if what == STDIN:
        where = "standard input"
        return _made(where, *_parsed(hostile.decoded(sys.stdin.buffer.read(hostile.MOST_BYTES + 1), where), where), ())
    if "://" in what:
        raise Malformed(f"{what}: addresses are not fetched")
    if any(one.name == what for one in catalogue.sets()):
        return bundled(what)
    path = Path(what)
    if path.is_dir():
        if (path / kustomization.FILE).exists():
            return _made(what, *_kustomized(path), ("-k", what))
        return _made(what, *_folder(path), ("-f", what))
    if not path.exists():
        raise Malformed(f"there is no bundled set and no file {what!r}; the sets are {', '.join(one.name for one in catalogue.sets())}")
    return _made(what, *_parsed(hostile.text_of(path), what), ("-f", what))


def bundled(name: str) -> Source:
    """The objects of a bundled set.

    Raises:
        Malformed: there is no such set.
    """
    try:
        found = catalogue.find(name)
    except KeyError as error:
        raise Malformed(str(error.args[0])) from None
    return _made(name, *_kustomized(found.folder), ("-k", str(found.folder)))


def _parsed(text: str, where: str) -> tuple[list[Raw], list[str]]:
    found, notes = hostile.documents(text, where)
    return hostile.objects(found, where), notes


def _folder(folder: Path) -> tuple[list[Raw], list[str]]:
    """All manifests that lie directly in a folder, as `kubectl apply -f` takes them."""
    if other := next((name for name in _OTHER_NAMES if (folder / name).exists()), None):
        raise Malformed(f"{folder / other}: only kubectl kustomize knows this name; {kustomization.FILE} is read")
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if not files:
        raise Malformed(f"{folder}: no {', '.join(_SUFFIXES)} file in it")
    objects: list[Raw] = []
    notes: list[str] = []
    for path in files:
        found, said = _parsed(hostile.text_of(path, folder), str(path))
        objects, notes = objects + found, notes + said
        _limit(objects, str(folder))
    return objects, notes


def _kustomized(folder: Path) -> tuple[list[Raw], list[str]]:
    """What a kustomization makes; every file was looked at before it is built."""
    notes = [note for path, root in _files(folder, set()) for note in hostile.documents(hostile.text_of(path, root), str(path))[1]]
    try:
        built = kustomization.build(folder)
    except Unbuildable as error:
        raise Malformed(str(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Malformed(f"{folder / kustomization.FILE}: it is not of the form that is needed ({type(error).__name__}: {error})") from None
    return hostile.objects(hostile.as_json(built), str(folder)), notes


def _files(folder: Path, seen: set[Path]) -> Iterator[tuple[Path, Path]]:
    """The files that a kustomization names, each with the folder that it must be in; what is in `seen` is left out."""
    about = folder / kustomization.FILE
    seen.add(folder.resolve())
    if len(seen) > hostile.MOST_DOCUMENTS:
        raise Malformed(f"{folder}: more than {hostile.MOST_DOCUMENTS} files and folders")
    yield about, folder
    named = hostile.documents(hostile.text_of(about, folder), str(about))[0]
    whole: dict[str, Any] = named[0] if named and isinstance(named[0], dict) else {}
    patches = [one.get("path") for one in _list(whole, "patches") if isinstance(one, dict)]
    for name in (*_list(whole, "resources"), *patches):
        if isinstance(name, str) and "://" not in name:
            path = folder / name
            if path.is_dir():
                if path.resolve() in seen:
                    raise Malformed(f"{about}: {name} is there twice")  # each time twice as much: 30 such folders are 2^30
                yield from _files(path, seen)
            elif path.exists() and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path, folder


def _list(whole: dict[str, Any], name: str) -> list[Any]:
    value = whole.get(name)
    return value if isinstance(value, list) else []


def _made(name: str, objects: list[Raw], notes: list[str], kubectl: tuple[str, ...]) -> Source:
    """The source of objects, in order.

    Raises:
        Malformed: there are none, too many, or one of them twice.
    """
    if not objects:
        raise Malformed(f"{name}: nothing is in it")
    _limit(objects, name)
    twice = [key for key, count in Counter(key_of(one) for one in objects).items() if count > 1]
    if twice:
        raise Malformed(f"{name}: {twice[0][1]} {twice[0][3]} is there twice")
    return Source(name, tuple(kustomization.in_order(objects)), tuple(notes), kubectl)


def _limit(objects: list[Raw], name: str) -> None:
    if len(objects) > hostile.MOST_DOCUMENTS:
        raise Malformed(f"{name}: more than {hostile.MOST_DOCUMENTS} objects")


def key_of(one: Raw) -> tuple[str, str, str, str]:
    """What tells an object of a manifest from the others: group, kind, namespace as written, name."""
    return (str(one["apiVersion"]).rpartition("/")[0], str(one["kind"]), str(one["metadata"].get("namespace") or ""), str(one["metadata"]["name"]))
