"""Unhealthy pods as a kubelet leaves them, for tests of their explanations."""

from __future__ import annotations

from typing import Any

from builders import make, put
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores

STARTED, ENDED, LATER = "2026-06-01T11:50:00Z", "2026-06-01T11:58:00Z", "2026-06-01T11:59:30Z"
NODE = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]}


def cluster(*nodes: str) -> Stores:
    """Stores that hold everything there is: these nodes, and nothing else."""
    stores = Stores()
    for store in stores:
        store.set_freshness(Freshness(State.LIVE))
    for name in nodes or ("worker-1",):
        put(stores, k.NODES, name, labels={"kubernetes.io/hostname": name}, status=NODE)
    return stores


def refuse(stores: Stores, *kinds: Kind) -> None:
    """These kinds may not be listed."""
    for kind in kinds:
        stores.of(kind).replace([])
        stores.of(kind).set_freshness(Freshness(State.FORBIDDEN, verb="list", resource=kind.resource))


def container(state: dict[str, Any], name: str = "app", **more: Any) -> dict[str, Any]:
    """A container's status."""
    return {"name": name, "ready": False, "restartCount": 0, "state": state, **more}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def ended(code: int, reason: str = "Error", message: str = "", **more: Any) -> dict[str, Any]:
    """A terminated state."""
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, "startedAt": STARTED, "finishedAt": ENDED, **more}}


def crashing(code: int, reason: str = "Error", message: str = "", **more: Any) -> dict[str, Any]:
    back_off = "back-off 5m0s restarting failed container=app pod=web-0_shop(b6c1)"
    return waiting("CrashLoopBackOff", back_off, restartCount=7, lastState=ended(code, reason, message), **more)


def running(ready: bool = False, **more: Any) -> dict[str, Any]:
    return container({"running": {"startedAt": STARTED}}, **{"ready": ready, "started": True, **more})


def sick(
    *statuses: dict[str, Any], spec: dict[str, Any] | None = None, phase: str = "Running", status: dict[str, Any] | None = None,
    app: dict[str, Any] | None = None, **more: Any,
) -> Any:  # fmt: skip
    """A pod on worker-1 with these container statuses; `app` goes into its first container."""
    names = [s["name"] for s in statuses] or ["app"]
    containers = [{"name": name, "image": f"shop/{name}:1"} for name in names]
    containers[0] |= app or {}
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"}]
    body = {"phase": phase, "conditions": conditions, "containerStatuses": list(statuses), **(status or {})}
    return make(k.PODS, "web-0", uid="p1", spec={"nodeName": "worker-1", "containers": containers, **(spec or {})}, status=body, **more)


def event(stores: Stores, reason: str, message: str, *, count: int = 1, path: str = "", at: str = LATER, kind: str = "Warning") -> Any:
    """An event about that pod."""
    about = {"kind": "Pod", "name": "web-0", "namespace": "shop", "uid": "p1", "fieldPath": path}
    return put(stores, k.EVENTS, f"web-0.{reason}", involvedObject=about, type=kind, reason=reason, message=message, count=count, lastTimestamp=at)
