"""Sets of field paths: from values, from the difference of two values, to and from FieldsV1.

A path is a tuple of FieldsV1 steps: `("f:spec", "f:containers", 'k:{"name":"app"}', "f:image")`.
Rules: sigs.k8s.io/structured-merge-diff typed/{tofieldset,compare}.go.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from kubepane_embedded.ownership import FieldSet, pack
from kubepane_embedded.schemas import ANY, Field

Path: TypeAlias = tuple[str, ...]
Paths: TypeAlias = frozenset[Path]
ABSENT: Any = object()
KEY_DEFAULTS = {"protocol": "TCP"}
STRIPPED = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ]
    ]
)


def item_step(item: Any, field: Field, index: int) -> str:
    """The step that names an item of a keyed list or set."""
    if field.is_set:
        return "v:" + msgspec.json.encode(item).decode()
    keys = {}
    for key in sorted(field.list_keys):
        value = item.get(key, KEY_DEFAULTS.get(key)) if isinstance(item, dict) else None
        if value is not None:
            keys[key] = value
    return "k:" + msgspec.json.encode(keys).decode() if keys else f"i:{index}"


def members(value: Any, field: Field) -> dict[str, tuple[Any, Field]]:
    """step → (value, field) of the parts of a granular value."""
    if field.kind == "list":
        item = field.item or ANY
        return {item_step(part, field, index): (part, item) for index, part in enumerate(value)}
    if field.kind == "map":
        item = field.item or ANY
        return {f"f:{key}": (part, item) for key, part in value.items()}
    found = field.type
    known = found.fields if found else {}
    return {f"f:{key}": (part, known.get(key, ANY)) for key, part in value.items()}


def is_granular(value: Any, field: Field) -> bool:
    """Whether the value is walked into: its type is granular and it has the right shape."""
    return field.granular and isinstance(value, list if field.kind == "list" else dict)


def paths_of(value: Any, field: Field) -> Paths:
    """What an applied configuration owns: its leaves, list items and map keys."""
    out: set[Path] = set()
    _collect(value, field, (), out)
    return frozenset(out - STRIPPED)


def _collect(value: Any, field: Field, path: Path, out: set[Path]) -> None:
    if not is_granular(value, field):
        out.add(path)
        return
    for step, (part, below) in members(value, field).items():
        here = (*path, step)
        _collect(part, below, here, out)
        if field.kind != "object" or part is None or part == {}:
            out.add(here)


def compare(old: Any, new: Any, field: Field) -> tuple[set[Path], set[Path]]:
    """(changed or added, removed) paths between two values."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare(old, new, field, (), changed, removed, False)
    return changed - STRIPPED, removed - STRIPPED


def _compare(old: Any, new: Any, field: Field, path: Path, changed: set[Path], removed: set[Path], fresh: bool) -> None:
    """`fresh`: what holds this part is on one side only, so that nothing in it can be on the other side empty."""
    if old is not ABSENT and new is not ABSENT and old == new:
        return
    walk_old, walk_new = is_granular(old, field), is_granular(new, field)
    if not walk_old and not walk_new:
        (removed if new is ABSENT else changed).add(path)
        return
    if new is ABSENT:
        if fresh or not _empty_has(field):
            removed.add(path)
            fresh = True
    elif path and (not walk_new or (not (walk_old and new) and (fresh or not _empty_has(field)))):
        changed.add(path)
        fresh = fresh or not walk_old
    before = members(old, field) if walk_old else {}
    after = members(new, field) if walk_new else {}
    for step in {**before, **after}:
        part_old, below = before.get(step, (ABSENT, ANY))
        part_new, below = after.get(step, (ABSENT, below))
        _compare(part_old, part_new, below, (*path, step), changed, removed, fresh)


def _empty_has(field: Field) -> bool:
    """Whether an empty object of the Go type already has this part (a struct by value, a required list)."""
    return field.by_value or (field.kind == "list" and field.required)


@lru_cache(maxsize=4096)
def unpack(encoded: bytes) -> Paths:
    """FieldsV1 JSON as a set of paths."""
    out: set[Path] = set()
    _walk(msgspec.json.decode(encoded), (), out)
    return frozenset(out)


def _walk(tree: FieldSet, path: Path, out: set[Path]) -> None:
    for step, below in tree.items():
        if step == ".":
            out.add(path)
        elif not below:
            out.add((*path, step))
        else:
            _walk(below, (*path, step), out)


@lru_cache(maxsize=4096)
def packed(paths: Paths) -> bytes:
    """A set of paths as FieldsV1 JSON, equal sets sharing memory."""
    tree: FieldSet = {}
    for path in sorted(paths, key=len):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    parents = {path[:size] for path in paths for size in range(1, len(path))}
    for path in paths & parents:
        node = tree
        for step in path:
            node = node[step]
        node["."] = {}
    return pack(tree)


def describe(path: Path) -> str:
    """A path as conflicts print it: `.spec.containers[name="app"].image`."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys: dict[str, Any] = msgspec.json.decode(rest)
            text += "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items()) + "]"
        else:
            text += f"[={rest}]" if kind == "v" else f"[{rest}]"
    return text
