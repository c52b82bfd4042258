"""Events as kubectl prints them: when, how often, from whom, about what; and which repeat one another.

Source: printEvent in pkg/printers/internalversion/printers.go of Kubernetes 1.35, checked cell by cell against a real server.
The scheduler writes a new object for each wording of one cause, and `series` up to 12 minutes late: its count is no truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from kubepane.cluster.resources import Event

_BEGINNING = datetime.min.replace(tzinfo=UTC)
GROUPED = frozenset(("FailedScheduling",))
"""Reasons of which one object has many events that say the same: only the newest is worth a line."""

SHORT = {
    "Pod": "pod", "Deployment": "deploy", "ReplicaSet": "rs", "StatefulSet": "sts", "DaemonSet": "ds", "Job": "job", "CronJob": "cronjob",
    "HorizontalPodAutoscaler": "hpa", "PersistentVolumeClaim": "pvc", "PersistentVolume": "pv", "Service": "svc", "Ingress": "ing",
    "Node": "node", "Namespace": "ns", "ConfigMap": "cm", "Endpoints": "ep", "PodDisruptionBudget": "pdb", "ServiceAccount": "sa",
}  # fmt: skip
"""The kinds' short names, as kubectl takes them."""


def first_seen(event: Event) -> datetime | None:
    """FIRST SEEN."""
    return event.first_timestamp or event.event_time


def last_seen(event: Event) -> datetime | None:
    """LAST SEEN: of the series, else of the last time, else the first."""
    if event.series is not None:
        return event.series.last_observed_time
    return event.last_timestamp or event.first_timestamp or event.event_time


def when(event: Event) -> datetime:
    """LAST SEEN for comparing; an event without any time is the oldest of all."""
    return last_seen(event) or event.metadata.creation_timestamp or _BEGINNING


def count(event: Event) -> int:
    """COUNT: of the series, else of the event; an event of the new kind without one happened once."""
    return event.series.count if event.series is not None else event.count or 1


def source(event: Event) -> str:
    """SOURCE: `kubelet, worker-1`."""
    component = event.source.component or event.reporting_component
    instance = event.source.host or event.reporting_instance
    return f"{component}, {instance}" if instance else component


def object_text(event: Event) -> str:
    """OBJECT: `pod/web-0`."""
    about = event.involved_object
    return f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower()


def object_short(event: Event) -> str:
    """OBJECT with the kind's short name, where there is little room: `deploy/web`."""
    about = event.involved_object
    kind = SHORT.get(about.kind, about.kind.lower())
    return f"{kind}/{about.name}" if about.name else kind


def message(event: Event) -> str:
    """MESSAGE, without blanks around it."""
    return event.message.strip()


def warning(event: Event) -> bool:
    """Whether it is more than a note."""
    return event.type not in ("Normal", "")


def container(event: Event) -> str:
    """The container it is about, "" for the whole pod: from the field path `spec.containers{app}`."""
    path = event.involved_object.field_path
    return path[path.index("{") + 1 : -1] if path.endswith("}") and "{" in path else ""


def group(event: Event) -> tuple[str, str] | None:
    """What this event shares with those that say the same thing again; None where every event stands for itself."""
    uid = event.involved_object.uid
    return (uid, event.reason) if uid and event.reason in GROUPED else None


def newest(events: Iterable[Event]) -> Event | None:
    """The one last seen."""
    return max(events, key=when, default=None)
