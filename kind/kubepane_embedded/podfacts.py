"""Small readings of pods that controllers, scheduler and kubelet share (kubernetes/pkg/api/v1/pod/util.go)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.meta import Object, is_deleting

SYNTHETIC = "kubepane.io/synthetic"
"""Label of pods that only fill a cluster for load tests: nobody runs, owns or adopts them."""


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """The condition of that type in any object's status, or None."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), None)


def holds(obj: Object, kind: str) -> bool:
    """Whether the condition of that type is True."""
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def phase(pod: Object) -> str:
    """status.phase, Pending when absent."""
    return (pod.get("status") or {}).get("phase") or "Pending"


def node_of(pod: Object) -> str:
    """spec.nodeName, "" when not bound."""
    return (pod.get("spec") or {}).get("nodeName") or ""


def is_finished(pod: Object) -> bool:
    """Whether all containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether a controller counts the pod: neither finished nor being deleted (controller.IsPodActive)."""
    return not is_finished(pod) and not is_deleting(pod)


def is_ready(pod: Object) -> bool:
    """Whether the condition Ready is True."""
    return holds(pod, "Ready")


def ready_since(pod: Object) -> datetime | None:
    """When Ready became what it is now; None when never said."""
    found = condition(pod, "Ready")
    text = (found or {}).get("lastTransitionTime")
    return parse_stamp(text) if text else None


def is_available(pod: Object, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least `min_ready_seconds`."""
    if not is_ready(pod):
        return False
    since = ready_since(pod)
    return min_ready_seconds == 0 or (since is not None and since + timedelta(seconds=min_ready_seconds) <= now)


def until_available(pods: Iterable[Object], min_ready_seconds: int, now: datetime) -> float:
    """Seconds until the next ready pod has been so for `min_ready_seconds`; that long when none is on its way."""
    moments = (since + timedelta(seconds=min_ready_seconds) for since in (ready_since(pod) for pod in pods if is_ready(pod)) if since is not None)
    waits = [(moment - now).total_seconds() for moment in moments if moment > now]
    return min(waits, default=float(min_ready_seconds))
