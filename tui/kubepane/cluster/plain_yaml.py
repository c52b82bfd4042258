"""Reads YAML or JSON that somebody else wrote: plain values only, refused when it is broken or built to harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_NODES = 200_000  # after aliases are expanded: an alias bomb grows by multiplication
MAX_ALIASES = 100
_WEIGHT = 256  # characters of a text that count as one value more


class Unreadable(ValueError):
    """The text is no such document; the message says where and why in one line, and quotes nothing of it but key names."""


def parse(text: str) -> Any:
    """The document as dicts, lists, texts, numbers, booleans and None.

    Numbers and booleans are those of YAML 1.1 as Kubernetes reads it; every other plain scalar (a date) stays the text it is.

    Raises:
        Unreadable: broken syntax, a key twice in one mapping, a tag, several documents, an alias to itself, more than
            `MAX_DEPTH` levels, `MAX_NODES` values or `MAX_ALIASES` aliases.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _json(text)
        except json.JSONDecodeError:
            pass  # flow style YAML begins like JSON
    built = _yaml(text, 1)
    return built.documents[0] if built.documents else None


@dataclass(frozen=True, slots=True)
class Stream:
    """The documents of a text.

    Attributes:
        documents: in order; an empty one is None.
        notes: what YAML 1.1 reads in another way than most people do.
    """

    documents: tuple[Any, ...]
    notes: tuple[str, ...] = ()


def parse_all(text: str, most: int) -> Stream:
    """All documents of a text.

    Raises:
        Unreadable: as for `parse`, or there are more than `most`.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return Stream((_shallow(_json(text)),))
        except json.JSONDecodeError:
            pass  # flow style YAML begins like JSON
    built = _yaml(text, most)
    return Stream(tuple(built.documents), tuple(built.notes))


def _shallow(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable(f"more than {MAX_DEPTH} levels deep")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shallow(inner, depth + 1)
    return value


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise Unreadable(f"the key {key!r} stands twice in one mapping")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise Unreadable(f"more than {MAX_DEPTH} levels deep") from None


def _yaml(text: str, most: int) -> _Builder:
    import yaml  # late: 20 ms that a JSON kubeconfig or an in-cluster start does not need

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        resolver = loader("")
        builder = _Builder(lambda text: str(resolver.resolve(yaml.ScalarNode, text, (True, False))).rpartition(":")[2], most)
        for event in yaml.parse(text, Loader=loader):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unreadable(f"{where}{error.problem or error.context or 'not YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
    return builder


class _Open:
    """A list or mapping that is being filled."""

    __slots__ = ("anchor", "key", "keys", "merged", "size", "value")

    def __init__(self, value: dict[Any, Any] | list[Any], anchor: str | None) -> None:
        self.value, self.anchor, self.size = value, anchor, 1
        self.key: Any = _NO_KEY
        self.keys: set[Any] = set()  # keys written here, as opposed to merged with <<
        self.merged: list[dict[Any, Any]] = []


_NO_KEY: Any = object()
_MERGE: Any = object()
_TEXT = "tag:yaml.org,2002:str"


class _Builder:
    """Makes values of parser events with a stack of its own, so that no nesting reaches the interpreter's."""

    def __init__(self, type_of: Callable[[str], str], most: int) -> None:
        self.documents: list[Any] = []
        self.notes: list[str] = []
        self._most, self._size = most, 0
        self._type_of = type_of  # the YAML 1.1 type of a plain scalar: "int", "bool", "str" …
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliases = 0
        self._line = 0

    def feed(self, event: Any) -> None:
        kind = type(event).__name__
        self._line = event.start_mark.line + 1 if event.start_mark else self._line
        if getattr(event, "tag", None) not in (None, "!", _TEXT):
            self._refuse(f"the tag {event.tag!r} is not allowed")
        if kind == "ScalarEvent":
            self._put(self._scalar(event), 1 + len(event.value) // _WEIGHT, event.anchor)
        elif kind == "AliasEvent":
            self._alias(event.anchor)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._stack) >= MAX_DEPTH:
                self._refuse(f"more than {MAX_DEPTH} levels deep")
            self._stack.append(_Open({} if kind == "MappingStartEvent" else [], event.anchor))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(self._stack.pop())
        elif kind == "DocumentStartEvent":
            if len(self.documents) == self._most:
                self._refuse("a second document" if self._most == 1 else f"more than {self._most} documents")
            self.documents.append(None)
            self._anchors.clear()

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not event.implicit[0]:  # quoted, in a block, or tagged
            return text
        tag = self._type_of(text)
        if tag == "null":
            return None
        if tag == "bool":
            value = text.lower() in ("true", "yes", "on")
            if text.lower() not in ("true", "false"):
                self.notes.append(f"line {self._line}: {text} is read as {str(value).lower()}; in quotes it would be a text")
            return value
        if tag == "merge":
            return _MERGE if self._stack and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is _NO_KEY else text
        return _number(text, tag)

    def _alias(self, name: str) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(f"more than {MAX_ALIASES} aliases")
        if name not in self._anchors:
            self._refuse(f"the alias {name!r} points to nothing, or to what holds it")
        value, size = self._anchors[name]
        self._put(value, size, None)

    def _close(self, done: _Open) -> None:
        if isinstance(done.value, dict):
            for source in done.merged:
                for key, value in source.items():
                    done.value.setdefault(key, value)
        self._put(done.value, done.size, done.anchor)

    def _put(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self.documents[-1] = value
            self._count(size)
            return
        top = self._stack[-1]
        top.size += size
        self._count(top.size)
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is _NO_KEY:
            self._take_key(top, value)
        elif top.key is _MERGE:
            self._merge(top, value)
        else:
            top.value[top.key] = value
            top.key = _NO_KEY

    def _count(self, size: int) -> None:
        """Refuses what is too much: in one list or mapping, or in all documents that are complete."""
        self._size += 0 if self._stack else size
        if max(size, self._size) > MAX_NODES:
            self._refuse(f"more than {MAX_NODES:,} values once aliases are expanded")

    def _take_key(self, top: _Open, key: Any) -> None:
        if isinstance(key, dict | list):
            self._refuse("a mapping's key is itself a list or mapping")
        if key is not _MERGE:
            if key in top.keys:
                self._refuse(f"the key {key!r} stands twice in one mapping")
            top.keys.add(key)
        top.key = key

    def _merge(self, top: _Open, value: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._refuse("<< needs a mapping")
        top.merged.extend(sources)
        top.key = _NO_KEY

    def _refuse(self, why: str) -> NoReturn:
        raise Unreadable(f"line {self._line}: {why}")


def _number(text: str, tag: str) -> Any:
    plain = text.replace("_", "")
    try:
        if tag == "int":
            return int(plain, 8 if plain.lstrip("+-").startswith("0") and plain.lstrip("+-0").isdigit() else 0)
        if tag == "float":
            return float(plain)
    except ValueError:
        pass  # 12:30 counts as base 60 in YAML 1.1; nobody means that
    return text
