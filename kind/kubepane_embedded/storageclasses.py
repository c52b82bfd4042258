"""Storage classes: which one is the default, how it binds, what a claim or volume says of its class."""

from __future__ import annotations

from kubepane_embedded.meta import Object, annotations_of
from kubepane_embedded.storage import Storage

CLASSES = "storageclasses.storage.k8s.io"
DEFAULT_MARKS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
"""The annotation that named the class before there was a field for it; it still wins."""


def default_class(storage: Storage) -> Object | None:
    """The newest class marked as default, of equally old ones the first by name (pkg/volume/util/storageclass.go)."""
    marked = [one for one in storage.objects(CLASSES) if any(annotations_of(one).get(mark) == "true" for mark in DEFAULT_MARKS)]
    newest = max((one["metadata"]["creationTimestamp"] for one in marked), default="")
    return next((one for one in marked if one["metadata"]["creationTimestamp"] == newest), None)


def class_name(obj: Object) -> str:
    """The class of a claim or volume, "" for none."""
    old = annotations_of(obj).get(OLD_CLASS)
    return old if old is not None else (obj.get("spec") or {}).get("storageClassName") or ""


def says_class(claim: Object) -> bool:
    """Whether a claim names a class, be it the empty one; if not, the default class may be given to it."""
    return OLD_CLASS in annotations_of(claim) or (claim.get("spec") or {}).get("storageClassName") is not None


def waits_for_consumer(storage: Storage, claim: Object) -> bool:
    """Whether the claim's class binds only once a pod was placed; a class that is not there does not."""
    found = storage.read(CLASSES, "", class_name(claim))
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"
