"""Validation: what a body must be like, and what an update may not change, in the real server's words.

Causes are collected, not raised one by one; kinds have their own modules (`validation_pods`, `validation_kinds`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubepane_embedded import errors, validation_autoscalers, validation_objects  # noqa: F401  (the others register their checks)
from kubepane_embedded.checks import (
    Causes,
    check_labels,
    check_name,
    check_qualified,
    check_subdomain_keys,
    immutable,
    invalid_value,
    required,
)
from kubepane_embedded.meta import Object, is_deleting
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.validation_ephemeral import check_more, check_none_yet
from kubepane_embedded.validation_kinds import CHECKS, UPDATES
from kubepane_embedded.validation_pods import check_pod, check_pod_update

Check = Callable[[Object, WriteOptions], Causes]
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
UPDATE_FIRST = frozenset({"configmaps", "secrets"})
"""Kinds whose validation names what may not change before what is wrong by itself."""
ANNOTATIONS_LIMIT = 256 * 1024
LABEL_NAMES = frozenset({"namespaces", "services"})
PATH_NAMES = frozenset(f"{kind}.rbac.authorization.k8s.io" for kind in ("roles", "clusterroles", "rolebindings", "clusterrolebindings"))


def check(resource: Resource, obj: Object, old: Object | None, options: WriteOptions, subresource: str = "") -> None:
    """Raise Invalid with every cause found."""
    causes = check_meta(resource, obj)
    if old is not None:
        causes += _check_meta_update(obj, old)
    if not subresource or subresource == "scale":
        causes += _check_kind(resource, obj, old, options)
    elif subresource == "ephemeralcontainers" and old is not None:
        causes += check_more(obj, old)
    if resource.storage == "nodes" and old is not None:
        causes *= 2  # the strategy of nodes validates an update twice, and says so
    if causes:
        raise errors.invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)


def _check_kind(resource: Resource, obj: Object, old: Object | None, options: WriteOptions) -> Causes:
    if resource.storage == "pods":
        return [*check_pod(obj, options), *check_none_yet(obj)] if old is None else check_pod_update(obj, old)
    base = CHECKS[resource.storage](obj) if resource.storage in CHECKS else []
    update = UPDATES[resource.storage](obj, old) if old is not None and resource.storage in UPDATES else []
    return [*update, *base] if resource.storage in UPDATE_FIRST else [*base, *update]


def check_meta(resource: Resource, obj: Object) -> Causes:
    """Names, labels, annotations, owners, finalizers (apimachinery/pkg/api/validation/objectmeta.go)."""
    meta = obj["metadata"]
    causes: Causes = []
    name = meta.get("name")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        form = "label" if resource.storage in LABEL_NAMES else "path" if resource.storage in PATH_NAMES else "subdomain"
        causes += check_name(name, "metadata.name", form)
    causes += check_labels(meta.get("labels"), "metadata.labels")
    causes += check_subdomain_keys(meta.get("annotations"), "metadata.annotations")
    size = sum(len(key) + len(str(value)) for key, value in (meta.get("annotations") or {}).items())
    if size > ANNOTATIONS_LIMIT:
        causes.append(errors.Cause("FieldValueTooLong", f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes", "metadata.annotations"))
    return causes + _check_owners(meta) + _check_finalizers(meta)


def _check_finalizers(meta: dict[str, Any]) -> Causes:
    causes: Causes = []
    for index, finalizer in enumerate(meta.get("finalizers") or []):
        causes += check_qualified(str(finalizer), "metadata.finalizers")
        if "/" not in str(finalizer) and finalizer not in STANDARD_FINALIZERS:
            rule = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid_value(f"metadata.finalizers[{index}]", finalizer, rule))
    return causes


def _check_owners(meta: dict[str, Any]) -> Causes:
    causes: Causes = []
    controllers = 0
    for index, owner in enumerate(meta.get("ownerReferences") or []):
        path = f"metadata.ownerReferences[{index}]"
        for name, text in (("apiVersion", "version must not be empty"), ("kind", "must not be empty"), ("name", "must not be empty")):
            if not owner.get(name):
                causes.append(invalid_value(f"{path}.{name}", owner.get(name) or "", text))
        if not owner.get("uid"):
            causes.append(invalid_value(f"{path}.uid", "", "must not be empty"))
        controllers += bool(owner.get("controller"))
    if controllers > 1:
        rule = "Only one reference can have Controller set to true"
        causes.append(invalid_value("metadata.ownerReferences", meta["ownerReferences"], rule))
    return causes


def _check_meta_update(obj: Object, old: Object) -> Causes:
    causes: Causes = []
    for name in ("name", "namespace"):
        if obj["metadata"].get(name) != old["metadata"].get(name):
            causes.append(immutable(f"metadata.{name}", obj["metadata"].get(name)))
    if is_deleting(old):
        before = set(old["metadata"].get("finalizers") or [])
        added = sorted(set(obj["metadata"].get("finalizers") or []) - before)
        if added:
            text = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{_go(added)}}}"
            causes.append(errors.Cause("FieldValueForbidden", text, "metadata.finalizers"))
    return causes


def _go(values: list[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)
