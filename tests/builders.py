"""Objects for tests: short to write, valid to read."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
_uids = itertools.count(1)


def meta(name: str, namespace: str = "shop", *, uid: str = "", owner: Any = None, **more: Any) -> dict[str, Any]:
    """Metadata as JSON; `owner` is an object made by `make`."""
    out: dict[str, Any] = {
        "name": name,
        "uid": uid or f"uid-{next(_uids)}",
        "creationTimestamp": "2026-06-01T11:00:00Z",
        "resourceVersion": "1",
        **more,
    }
    if namespace:
        out["namespace"] = namespace
    if owner is not None:
        kind = type(owner).__name__
        out["ownerReferences"] = [{"kind": kind, "name": owner.metadata.name, "uid": owner.metadata.uid, "controller": True}]
    return out


def make(kind: Kind, name: str, namespace: str = "shop", *, uid: str = "", owner: Any = None, **body: Any) -> Any:
    """An object of this kind from JSON-like fields; `labels=`, `annotations=` and so on go into its metadata."""
    into_meta = {
        key: body.pop(key) for key in ("labels", "annotations", "finalizers", "deletionTimestamp", "generation", "creationTimestamp") if key in body
    }
    head = meta(name, namespace if kind.namespaced else "", uid=uid, owner=owner, **into_meta)
    return k.decode(kind, msgspec.json.encode({"metadata": head, **body}))


def put(stores: Stores, kind: Kind, name: str, namespace: str = "shop", **more: Any) -> Any:
    """Makes an object and stores it."""
    obj = make(kind, name, namespace, **more)
    stores.of(kind).put(obj)
    return obj


def pod(stores: Stores, name: str, namespace: str = "shop", **more: Any) -> Any:
    """A healthy pod, ready in its one container, unless told otherwise."""
    body: dict[str, Any] = {
        "spec": {"nodeName": "worker-1", "containers": [{"name": "app", "image": "shop/app:1"}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": "2026-06-01T11:00:01Z"}}}],
        },
    }
    return put(stores, k.PODS, name, namespace, **(body | more))
