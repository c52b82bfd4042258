"""The table of known fields, list types and merge keys (`schema.json`, made by `kind/schema.py`), parsed on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Field:
    """What a value may be. `kind` is scalar, object, list, map or any.

    `word` is the scalar's letter (see kind/schema.py); `item` the element of a list or map; `type_name` the object's type.
    `list_keys` name a list-type map; `merge_key` is the strategic merge key, which may differ. What is `left_out` is not written when it is zero.
    """

    kind: str
    word: str = ""
    type_name: str = ""
    item: Field | None = None
    required: bool = False
    list_keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False
    merge_key: str = ""
    merges: bool = False
    retain_keys: bool = False
    by_value: bool = False
    left_out: bool = False

    @property
    def type(self) -> Type | None:
        """The object type, or None."""
        return type_named(self.type_name) if self.type_name else None

    @property
    def granular(self) -> bool:
        """Whether parts of the value have owners of their own."""
        if self.atomic:
            return False
        if self.kind == "list":
            return bool(self.list_keys) or self.is_set
        if self.kind == "object":
            found = self.type
            return found is not None and not found.atomic
        return self.kind == "map"


@dataclass(frozen=True, slots=True)
class Type:
    """An object type: its fields by JSON name."""

    name: str
    fields: dict[str, Field]
    atomic: bool

    @property
    def required(self) -> list[str]:
        """Names of the required fields."""
        return [name for name, field in self.fields.items() if field.required]


ANY = Field("any")


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    table: dict[str, Any] = msgspec.json.decode(resources.files("kubepane_embedded").joinpath("schema.json").read_bytes())
    return table


@lru_cache(maxsize=1)
def _atomic() -> frozenset[str]:
    return frozenset(_table()["atomic"])


@cache
def type_named(name: str) -> Type | None:
    """A type by its short name (`core.v1.Pod`), or None."""
    found = _table()["types"].get(name)
    if found is None:
        return None
    return Type(name, {field: _field(*parts) for field, parts in found.items()}, name in _atomic())


@cache
def root(api_version: str, kind: str) -> Field:
    """The field of a whole object; `ANY` for kinds that the table does not know."""
    word = _table()["kinds"].get(f"{api_version}/{kind}")
    return _field(word) if word else ANY


def kinds() -> dict[str, str]:
    """`apps/v1/Deployment` → type name, of every kind in the table."""
    return {kind: word[1:] for kind, word in _table()["kinds"].items()}


def _field(word: str, *marks: str) -> Field:
    options: dict[str, Any] = {}
    for mark in marks:
        if mark.startswith("k:"):
            options["list_keys"] = tuple(mark[2:].split(","))
        elif mark.startswith("m:"):
            options["merge_key"] = mark[2:]
        else:
            options[{"r": "required", "S": "is_set", "A": "atomic", "P": "merges", "K": "retain_keys", "z": "by_value", "e": "left_out"}[mark]] = True
    if word.startswith("#"):
        return Field("object", type_name=word[1:], **options)
    if word.startswith("[]"):
        return Field("list", item=_field(word[2:]), **options)
    if word.startswith("{}"):
        return Field("map", item=_field(word[2:]), **options)
    return Field("any", **options) if word == "*" else Field("scalar", word=word, **options)
