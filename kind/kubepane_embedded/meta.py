"""Small readings of plain object dicts: metadata, labels, owners, copies."""

from __future__ import annotations

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as decoded from JSON. Objects that the store hands out are shared: read them, `clone` before changing."""
Key: TypeAlias = tuple[str, str]
"""(namespace, name); the namespace is "" for cluster-scoped kinds."""


def clone(value: Any) -> Any:
    """A deep copy of JSON data (dicts and lists; scalars are shared). Four times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {key: clone(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) if isinstance(item, (dict, list)) else item for item in value]
    return value


def metadata(obj: Object) -> dict[str, Any]:
    """`metadata`, created when absent."""
    meta: dict[str, Any] = obj.setdefault("metadata", {})
    return meta


def key_of(obj: Object) -> Key:
    """(namespace, name) of an object."""
    meta = obj.get("metadata") or {}
    return (meta.get("namespace") or "", meta.get("name") or "")


def uid_of(obj: Object) -> str:
    """metadata.uid, "" when absent."""
    return (obj.get("metadata") or {}).get("uid") or ""


def labels_of(obj: Object) -> dict[str, str]:
    """metadata.labels, never None."""
    return (obj.get("metadata") or {}).get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    """metadata.annotations, never None."""
    return (obj.get("metadata") or {}).get("annotations") or {}


def owners_of(obj: Object) -> list[dict[str, Any]]:
    """metadata.ownerReferences, never None."""
    return (obj.get("metadata") or {}).get("ownerReferences") or []


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference with `controller: true`, or None."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def finalizers_of(obj: Object) -> list[str]:
    """metadata.finalizers, never None."""
    return (obj.get("metadata") or {}).get("finalizers") or []


def is_deleting(obj: Object) -> bool:
    """Whether a deletion was asked for (metadata.deletionTimestamp)."""
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))


def owner_reference(owner: Object, controller: bool = True) -> dict[str, Any]:
    """The reference that makes `owner` the (controlling) owner of another object (metav1.NewControllerRef)."""
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference
