"""Server-side apply: typed merge, owners, conflicts, and dropping what a manager no longer sends.

Follows sigs.k8s.io/structured-merge-diff (merge/update.go, typed/merge.go) and KEP-555.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kubepane_embedded import errors
from kubepane_embedded.fieldset import (
    STRIPPED,
    Path,
    Paths,
    compare,
    describe,
    is_granular,
    item_step,
    members,
    packed,
    paths_of,
    unpack,
)
from kubepane_embedded.managed import sort_key, without
from kubepane_embedded.meta import Object, annotations_of, clone
from kubepane_embedded.ownership import Owned
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.schemas import ANY, Field, root
from kubepane_embedded.storage import Stored

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOTHING: Paths = frozenset()
RESET = frozenset({"status"})
"""What an apply to the main resource may not own."""


def applied(
    resource: Resource, config: Object, options: WriteOptions, time: str, subresource: str = ""
) -> Callable[[Stored], tuple[Object, tuple[Owned, ...]]]:
    """A change for `Api.change`: apply `config` on the present object. Conflict (409) unless `options.force`."""

    def change(old: Stored) -> tuple[Object, tuple[Owned, ...]]:
        field = root(resource.api_version, resource.kind)
        live = old.obj
        mine = _mine(old.managed, options.manager, resource.api_version, subresource)
        wanted = owned_paths(resource, config, field, subresource)
        merged = merge_typed(live, config, field)
        before = unpack(mine.fields) if mine else frozenset()
        others = [owned for owned in old.managed if owned is not mine]
        kept = frozenset().union(*(unpack(owned.fields) for owned in others)) if others else frozenset()
        pruned = prune(merged, before - wanted, wanted | kept, field)
        if options.manager == KUBECTL and not subresource and LAST_APPLIED in annotations_of(live):
            pruned = _with_last_applied(pruned, config)
        changed, removed = compare(live, pruned, field)
        others = _settle(others, wanted, changed, removed, options.force, last_applied(live, field) if options.manager == KUBECTL else NOTHING)
        stamp = time if changed or removed else (mine.time if mine else "")  # an apply that changes nothing leaves no time
        fresh = Owned(options.manager, "Apply", resource.api_version, stamp, packed(wanted), subresource)
        entry = mine if mine is not None and mine.fields == fresh.fields else fresh
        result = {**pruned, "metadata": {**pruned["metadata"], "resourceVersion": (config.get("metadata") or {}).get("resourceVersion") or ""}}
        managed = [*others, entry] if wanted else others
        return result, tuple(sorted(managed, key=sort_key))

    return change


def created_owner(resource: Resource, config: Object, options: WriteOptions, time: str) -> tuple[Owned, ...]:
    """The owners of an object that an apply has just created."""
    wanted = owned_paths(resource, config, root(resource.api_version, resource.kind), "")
    return (Owned(options.manager, "Apply", resource.api_version, time, packed(wanted)),) if wanted else ()


def owned_paths(resource: Resource, config: Object, field: Field, subresource: str) -> Paths:
    """What an applied configuration owns."""
    parts = config
    if resource.subresource("status") is not None:
        parts = {name: value for name, value in config.items() if (name in ("status", "metadata") if subresource else name not in RESET)}
    return paths_of(parts, field)


def _mine(managed: tuple[Owned, ...], manager: str, version: str, subresource: str) -> Owned | None:
    return next(
        (one for one in managed if (one.operation, one.manager, one.version, one.subresource) == ("Apply", manager, version, subresource)),
        None,
    )


def _settle(others: list[Owned], wanted: Paths, changed: set[Path], removed: set[Path], force: bool, allowed: Paths) -> list[Owned]:
    """Other managers after this apply: conflicts that are not `allowed` are raised, or with force the fields change hands."""
    taken = wanted & frozenset(changed)
    conflicts = [(owned, in_order(unpack(owned.fields) & taken)) for owned in others]
    conflicts = [(owned, paths) for owned, paths in conflicts if paths]
    refused = [(owned, [path for path in paths if path not in allowed]) for owned, paths in conflicts]
    refused = [(owned, paths) for owned, paths in refused if paths]
    if refused and not force:
        raise _conflict(refused)
    kept = []
    for owned in others:
        lost = set(dict(conflicts).get(owned, ()))
        less = without(owned, lost, removed)
        if less is not None:
            kept.append(less)
    return kept


def in_order(paths: Iterable[Path], depth: int = 0) -> list[Path]:
    """As a set of fields is walked (fieldpath/set.go, Iterate): what ends at a level comes before what goes deeper."""
    ending = sorted(path for path in paths if len(path) == depth + 1)
    deeper: dict[str, list[Path]] = {}
    for path in paths:
        if len(path) > depth + 1:
            deeper.setdefault(path[depth], []).append(path)
    return [*ending, *(path for step in sorted(deeper) for path in in_order(deeper[step], depth + 1))]


def _with_last_applied(obj: Object, config: Object) -> Object:
    """Keep the annotation of client-side apply in step, so that going back loses nothing (lastappliedupdater.go)."""
    meta = config["metadata"]
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if key != LAST_APPLIED}
    plain = {**meta, "annotations": notes} if notes else {key: value for key, value in meta.items() if key != "annotations"}
    text = msgspec.json.encode({**config, "metadata": plain}, order="sorted").decode() + "\n"
    annotations = {**annotations_of(obj), LAST_APPLIED: text}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def last_applied(live: Object, field: Field) -> Paths:
    """Fields that client-side apply set and nobody changed since: `kubectl apply --server-side` may take them over without a conflict.

    Follows managedfields/internal/lastappliedmanager.go.
    """
    try:
        config = msgspec.json.decode(annotations_of(live).get(LAST_APPLIED, "null"))
    except msgspec.DecodeError:
        return NOTHING
    if not isinstance(config, dict):
        return NOTHING
    changed, removed = compare(config, live, field)
    return paths_of(config, field) - changed - removed


def _conflict(conflicts: list[tuple[Owned, list[Path]]]) -> errors.ApiError:
    """409 in the server's words: one block per manager, one cause per field."""
    causes: list[dict[str, str]] = []
    blocks: list[str] = []
    for owned, paths in conflicts:
        through = f' with subresource "{owned.subresource}"' if owned.subresource else ""
        through += f" using {owned.version}" if owned.operation == "Update" else ""
        who = f'"{owned.manager}"{through}'
        blocks.append(f"conflicts with {who}:\n" + "\n".join(f"- {describe(path)}" for path in paths))
        causes += [{"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": describe(path)} for path in paths]
    count = len(causes)
    if count == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        text = f"Apply failed with {count} conflicts: " + "\n".join(blocks)
    return errors.ApiError(409, "Conflict", text, {"causes": causes})


def merge_typed(live: Any, config: Any, field: Field) -> Any:
    """The live value with the configuration laid over it, lists merged by their keys; neither is changed."""
    if not (is_granular(config, field) and is_granular(live, field)):
        return clone(config)
    if field.kind == "list":
        return _merge_list(live, config, field)
    result = dict(live)
    known = field.type.fields if field.kind == "object" and field.type else {}
    for name, value in config.items():
        below = known.get(name, ANY) if field.kind == "object" else (field.item or ANY)
        if value is None:
            result[name] = None
        else:
            result[name] = merge_typed(live[name], value, below) if name in live and live[name] is not None else clone(value)
    return result


def _merge_list(live: list[Any], config: list[Any], field: Field) -> list[Any]:
    """Items of the live list in their order, merged; new ones where the configuration has them (typed/merge.go, doList)."""
    wanted = {item_step(item, field, index): item for index, item in enumerate(config)}
    if len(wanted) < len(config):
        raise errors.ApiError(500, "", "failed to create typed patch object: duplicate entries for key in list")
    present = {item_step(item, field, index): item for index, item in enumerate(live)}
    merged = {step: merge_typed(item, wanted[step], field.item or ANY) if step in wanted else item for step, item in present.items()}
    order = list(present)
    at = 0
    for step, item in wanted.items():
        if step in merged:
            at = max(at, order.index(step) + 1)
        else:
            merged[step] = clone(item)
            order.insert(at, step)
            at += 1
    return [merged[step] for step in order]


def prune(value: Any, gone: Paths, keep: Paths, field: Field) -> Any:
    """Take out the paths in `gone` unless they, or something below them, are in `keep`."""
    gone = gone - STRIPPED
    if not gone:
        return value
    guarded = {path[:size] for path in keep for size in range(1, len(path) + 1)}
    return _prune(value, frozenset(path for path in gone if path not in guarded), (), field)


def _prune(value: Any, gone: Paths, path: Path, field: Field) -> Any:
    if not is_granular(value, field):
        return value
    parts = members(value, field)
    touched = {goner[len(path)] for goner in gone if len(goner) > len(path) and goner[: len(path)] == path}
    if not touched:
        return value
    left = {}
    for step, (part, below) in parts.items():
        here = (*path, step)
        if here in gone:
            continue
        pruned = _prune(part, gone, here, below) if step in touched else part
        if pruned in ({}, []) and part not in ({}, []):
            continue
        left[step] = pruned
    if field.kind == "list":
        return list(left.values())
    return {step[2:]: part for step, part in left.items()}
