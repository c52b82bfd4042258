"""Cells of pods (kubernetes/pkg/printers/internalversion/printers.go, printPod of 1.35)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubepane_embedded.ages import human, moment_of, since
from kubepane_embedded.meta import Object

Part = dict[str, Any]
NONE = "<none>"


class Containers:
    """What the container statuses of a pod add up to."""

    __slots__ = ("initializing", "last", "ready", "reason", "restarts", "total")

    def __init__(self, reason: str, total: int) -> None:
        self.reason = reason
        self.total = total
        self.ready = 0
        self.restarts = 0
        self.last: datetime | None = None
        self.initializing = False

    def restarted(self, status: Part) -> None:
        """Count the restarts of one container."""
        self.restarts += status.get("restartCount") or 0
        ended = moment_of(((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
        if ended and (self.last is None or self.last < ended):
            self.last = ended


def ended_reason(ended: Part) -> str:
    """Reason of a terminated state, or its signal or exit code."""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"


def pod_cells(pod: Object, now: datetime) -> list[Any]:
    """All cells of one pod, wide ones included."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    found = _summed(pod, spec, status)
    reason = _deleted(meta, status, found.reason)
    restarts = str(found.restarts)
    if found.restarts and found.last is not None:
        restarts = f"{found.restarts} ({human((now - found.last).total_seconds())} ago)"
    addresses = status.get("podIPs") or []
    return [
        meta.get("name") or "",
        f"{found.ready}/{found.total}",
        reason,
        restarts,
        since(meta.get("creationTimestamp"), now),
        addresses[0].get("ip") or NONE if addresses else NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _deleted(meta: Part, status: Part, reason: str) -> str:
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def _summed(pod: Object, spec: Part, status: Part) -> Containers:
    conditions = status.get("conditions") or []
    reason = status.get("reason") or status.get("phase") or ""
    if any(one.get("type") == "PodScheduled" and one.get("reason") == "SchedulingGated" for one in conditions):
        reason = "SchedulingGated"
    inits = spec.get("initContainers") or []
    sidecars = {one.get("name") for one in inits if one.get("restartPolicy") == "Always"}
    found = Containers(reason, len(spec.get("containers") or []) + len(sidecars))
    beside = Containers("", 0)
    for index, one in enumerate(status.get("initContainerStatuses") or []):
        found.restarted(one)
        if one.get("name") in sidecars:
            beside.restarted(one)
        if not _init_done(one, one.get("name") in sidecars, found):
            found.reason = _init_reason(one, index, len(inits))
            found.initializing = True
            break
    if not found.initializing or any(one.get("type") == "Initialized" and one.get("status") == "True" for one in conditions):
        found.restarts, found.last = beside.restarts, beside.last
        _main(status, conditions, found)
    return found


def _init_done(one: Part, sidecar: bool, found: Containers) -> bool:
    state = one.get("state") or {}
    if state.get("terminated") is not None and not state["terminated"].get("exitCode"):
        return True
    if sidecar and one.get("started"):
        found.ready += bool(one.get("ready"))
        return True
    return False


def _init_reason(one: Part, index: int, total: int) -> str:
    state = one.get("state") or {}
    if state.get("terminated") is not None:
        return f"Init:{ended_reason(state['terminated'])}"
    waiting = (state.get("waiting") or {}).get("reason")
    return f"Init:{waiting}" if waiting and waiting != "PodInitializing" else f"Init:{index}/{total}"


def _main(status: Part, conditions: list[Part], found: Containers) -> None:
    running, failed = False, ""
    for one in reversed(status.get("containerStatuses") or []):
        found.restarted(one)
        state = one.get("state") or {}
        ended = state.get("terminated")
        if (state.get("waiting") or {}).get("reason"):
            found.reason = state["waiting"]["reason"]
        elif ended is not None:
            found.reason = ended_reason(ended)
            if ended.get("exitCode"):
                failed = found.reason
        elif one.get("ready") and state.get("running") is not None:
            running = True
            found.ready += 1
    if found.reason != "Completed":
        return
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    if running and ready:
        found.reason = "Running"
    elif failed:
        found.reason = failed
    elif running:
        found.reason = "NotReady"


def _gates(spec: Part, status: Part) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return NONE
    true = {one.get("type") for one in status.get("conditions") or [] if one.get("status") == "True"}
    return f"{sum(1 for gate in gates if gate.get('conditionType') in true)}/{len(gates)}"
