"""Claims, volumes, classes and pods as tests of the storage controllers need them."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core

Object = dict[str, Any]


def advance(core: Core, seconds: float = 0.0) -> None:
    """Let the core's virtual time pass."""
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def volume(name: str, size: str = "1Gi", storage_class: str = "", **spec: Any) -> Object:
    """A hostPath volume that is kept, unless `spec` says otherwise."""
    wanted = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": f"/srv/{name}"}, **spec}
    meta = {"name": name, "labels": wanted.pop("labels", {})}
    return {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": meta, "spec": {**wanted, "storageClassName": storage_class}}


def claim(name: str, size: str = "1Gi", storage_class: str | None = "", **spec: Any) -> Object:
    """A claim in namespace default; class None leaves it to the default class."""
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    wanted |= {} if storage_class is None else {"storageClassName": storage_class}
    return {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "spec": wanted}


def a_class(name: str, provisioner: str, waits: bool = False, **more: Any) -> Object:
    """A storage class; `waits` for the first consumer or binds at once."""
    mode = "WaitForFirstConsumer" if waits else "Immediate"
    return {"metadata": {"name": name, **more.pop("metadata", {})}, "provisioner": provisioner, "volumeBindingMode": mode, **more}


def pod_with(name: str, claim_name: str, node: str = "") -> Object:
    """A pod that mounts a claim, bound to a node or not."""
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": claim_name}}]
    spec: Object = {"containers": [{"name": "c", "image": "nginx"}], "volumes": volumes}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec | ({"nodeName": node} if node else {})}


def make(core: Core, *objects: Object) -> None:
    """Create claims, volumes, classes (by their `provisioner`) and pods."""
    kinds = {"PersistentVolume": "persistentvolumes", "PersistentVolumeClaim": "persistentvolumeclaims"}
    for obj in objects:
        resource = "storageclasses.storage.k8s.io" if "provisioner" in obj else kinds.get(obj.get("kind", "Pod"), "pods")
        core.client("test").create(resource, obj)


def the_claim(core: Core, name: str) -> Object:
    """A claim of namespace default."""
    return core.client("test").get("persistentvolumeclaims", "default", name)


def the_volume(core: Core, name: str) -> Object:
    """A volume."""
    return core.client("test").get("persistentvolumes", "", name)


def said(core: Core, name: str) -> list[tuple[str, str, str]]:
    """Type, reason and message of the events about whatever has that name, in the order of their first time."""
    events = [event for event in core.storage.objects("events") if event["involvedObject"]["name"] == name]
    return [(event["type"], event["reason"], event["message"]) for event in sorted(events, key=lambda event: str(event["firstTimestamp"]))]
