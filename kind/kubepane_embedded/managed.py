"""Who owns which fields after a write that is not an apply (fieldmanager's Update path)."""

from __future__ import annotations

from kubepane_embedded.fieldset import Paths, compare, packed, unpack
from kubepane_embedded.meta import Object
from kubepane_embedded.ownership import Owned
from kubepane_embedded.registry import Resource
from kubepane_embedded.schemas import root

EMPTY: Object = {}


def track(
    resource: Resource, old: Object | None, new: Object, managed: tuple[Owned, ...], manager: str, subresource: str, time: str
) -> tuple[Owned, ...]:
    """Give `manager` what it changed, take it from the others.

    Args:
        old: The object before, None on create.
        new: The object as it will be stored.
        managed: The owners before.
        manager: Field manager of the request.
        subresource: `status`, `scale` … or "".
        time: Now, for entries that change.
    """
    if subresource == "binding":
        return managed
    before = EMPTY if old is None else old
    if before is not EMPTY and all(before.get(part) == value for part, value in new.items() if part != "metadata"):
        before, new = {"metadata": before["metadata"]}, {"metadata": new["metadata"]}
    changed, removed = compare(before, new, root(resource.api_version, resource.kind))
    if not changed and not removed:
        return managed
    kept: list[Owned] = []
    mine: Owned | None = None
    for owned in managed:
        own = owned.operation == "Update" and owned.manager == manager and owned.subresource == subresource
        if own and owned.version == resource.api_version:
            mine = owned
        elif (less := without(owned, changed, removed)) is not None:
            kept.append(less)
    mine = _mine(mine, Owned(manager, "Update", resource.api_version, time, b"", subresource), frozenset(changed), frozenset(removed))
    return tuple(sorted([*kept, mine], key=sort_key)) if mine else tuple(kept)


def created(resource: Resource, obj: Object, manager: str, time: str) -> tuple[Owned, ...]:
    """Who owns what of a new object: what was sent and defaulted, but not the status, which a create cannot set."""
    if "status" in obj and resource.subresource("status") is not None:
        obj = {part: value for part, value in obj.items() if part != "status"}
    return track(resource, None, obj, (), manager, "", time)


def without(owned: Owned, changed: set[tuple[str, ...]], removed: set[tuple[str, ...]]) -> Owned | None:
    """An entry less what others changed; None when nothing is left."""
    paths = unpack(owned.fields)
    left = paths - changed - removed
    if len(left) == len(paths):
        return owned
    return owned._replace(fields=packed(left)) if left else None


def _mine(present: Owned | None, fresh: Owned, changed: Paths, removed: Paths) -> Owned | None:
    paths = (unpack(present.fields) if present else frozenset()) - removed | changed
    if not paths:
        return None
    encoded = packed(paths)
    return present if present and present.fields == encoded else fresh._replace(fields=encoded)


def sort_key(owned: Owned) -> tuple[bool, str, str, str]:
    """Order of managedFields in the API: applied ones first, then by time and manager (managedfields.go, sortEncodedManagedFields)."""
    return (owned.operation != "Apply", owned.time, owned.manager, owned.subresource)
