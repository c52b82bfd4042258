"""Which objects belong to a controller: adopt matching orphans, let go of what no longer matches (controller_ref_manager.go)."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.client import Client
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, controller_of, finalizers_of, is_deleting, key_of, owner_reference, owners_of, uid_of
from kubepane_embedded.selectors import LabelSelector


def claim(client: Client, resource: str, owner: Object, candidates: Iterable[Object], finalizer: str = "") -> list[Object]:
    """The candidates that `owner` controls, after adopting and releasing.

    Args:
        client: Who writes.
        resource: What the candidates are (`pods`, `replicasets.apps`).
        owner: Object with `spec.selector`.
        candidates: Objects of the owner's namespace.
        finalizer: What an adopted one gets as well, "" for none.
    """
    selector = LabelSelector.of((owner.get("spec") or {}).get("selector"))
    mine = (_claimed(client, resource, owner, selector, obj, finalizer) for obj in candidates)
    return [obj for obj in mine if obj is not None]


def _claimed(client: Client, resource: str, owner: Object, selector: LabelSelector, obj: Object, finalizer: str) -> Object | None:
    present = controller_of(obj)
    matches = selector.matches_object(obj)
    if present is not None and present.get("uid") != uid_of(owner):
        return None
    if present is not None:
        if matches or is_deleting(owner):
            return obj
        _write_owners(client, resource, obj, [one for one in owners_of(obj) if one.get("uid") != uid_of(owner)])
        return None
    if not matches or is_deleting(owner) or is_deleting(obj):
        return None
    finalizers = [] if finalizer in ("", *finalizers_of(obj)) else [*finalizers_of(obj), finalizer]
    return _write_owners(client, resource, obj, [*owners_of(obj), owner_reference(owner)], finalizers)


def _write_owners(client: Client, resource: str, obj: Object, owners: list[Object], finalizers: Iterable[str] = ()) -> Object | None:
    """Set ownerReferences, and finalizers when given, under the uid as a precondition; None when the object is gone or another by now."""
    try:
        patch: Object = {"metadata": {"uid": uid_of(obj), "ownerReferences": owners or None}}
        if finalizers:
            patch["metadata"]["finalizers"] = list(finalizers)
        return client.patch(resource, *key_of(obj), patch)
    except ApiError as refusal:
        if refusal.code in (404, 409, 422):
            return None
        raise
