"""The scale subresource: autoscaling/v1 Scale of Deployments, ReplicaSets and StatefulSets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.api import Api
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import User, WriteOptions
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.storage import Stored


def scale_of(obj: Object) -> Object:
    """The Scale of a workload object."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    shown: dict[str, Any] = {"replicas": status.get("replicas") or 0}
    selector = str(LabelSelector.of(spec.get("selector"))) if spec.get("selector") else ""
    if selector:
        shown["selector"] = selector
    replicas = spec.get("replicas")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if meta.get(name)},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def read_scale(api: Api, resource: Resource, namespace: str, name: str) -> Object:
    """GET of the scale."""
    return scale_of(api.get(resource, namespace, name).obj)


def write_scale(
    api: Api,
    user: User,
    resource: Resource,
    namespace: str,
    name: str,
    wanted: Callable[[Object], Object],
    options: WriteOptions,
) -> Object:
    """PUT or PATCH of the scale; `wanted` maps the present Scale to the wanted one. Its resourceVersion is a precondition."""

    def change(old: Stored) -> tuple[Object, None]:
        present = scale_of(old.obj)
        scale = wanted(present)
        replicas = (scale.get("spec") or {}).get("replicas") or 0
        if not isinstance(replicas, int) or replicas < 0:
            cause = errors.Cause("FieldValueInvalid", f"Invalid value: {replicas}: must be greater than or equal to 0", "spec.replicas")
            raise errors.invalid("autoscaling", "Scale", name, [cause])
        meta = scale.get("metadata") or {}
        if meta.get("uid") and meta["uid"] != old.obj["metadata"]["uid"]:
            raise errors.wrong_uid(resource.group, resource.plural, namespace, name, meta["uid"], old.obj["metadata"]["uid"])
        result = clone(old.obj)
        result["metadata"]["resourceVersion"] = meta.get("resourceVersion") or ""
        result["spec"]["replicas"] = replicas
        return result, None

    stored = api.change(user, resource, namespace, name, change, options, "scale")
    return scale_of(stored.obj)
