"""kubectl's columns of workloads of all kinds, by our keys.

Source: printDeployment, printStatefulSet, printDaemonSet, printJob and printCronJob of pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubepane.cluster import resources as r
from kubepane.insight import jobs, labels
from kubepane.insight.ages import age
from kubepane.insight.events import SHORT

Workload = r.Deployment | r.StatefulSet | r.DaemonSet | r.Job | r.CronJob


def short_name(obj: r.Object) -> str:
    """`deploy/chatapp`, `sts/mysql`."""
    return f"{SHORT[type(obj).__name__]}/{obj.metadata.name}"


def cells(obj: Workload, now: datetime) -> dict[str, Any]:
    """kubectl's columns of -o wide by our keys, for the object's own kind; numbers where the server sends numbers."""
    if isinstance(obj, r.Deployment):
        d = obj.status
        out: dict[str, Any] = {"ready": f"{d.ready_replicas}/{_wanted(obj)}", "up_to_date": d.updated_replicas, "available": d.available_replicas}
    elif isinstance(obj, r.StatefulSet):
        out = {"ready": f"{obj.status.ready_replicas}/{_wanted(obj)}"}
    elif isinstance(obj, r.DaemonSet):
        s = obj.status
        out = {"desired": s.desired_number_scheduled, "current": s.current_number_scheduled, "ready": s.number_ready,
               "up_to_date": s.updated_number_scheduled, "available": s.number_available,
               "node_selector": _map_text(obj.spec.template.spec.node_selector)}  # fmt: skip
    elif isinstance(obj, r.Job):
        out = {"status": jobs.job_status(obj), "completions": jobs.completions(obj), "duration": jobs.duration_text(obj, now)}
    else:
        suspend = {None: "<unset>", True: "True", False: "False"}[obj.spec.suspend]
        zone = obj.spec.time_zone
        out = {"schedule": obj.spec.schedule, "timezone": "<none>" if zone is None else zone, "suspend": suspend,
               "active": len(obj.status.active or ()), "last_schedule": jobs.last_schedule(obj, now)}  # fmt: skip
    template = obj.spec.job_template.spec.template if isinstance(obj, r.CronJob) else obj.spec.template
    containers = template.spec.containers or ()
    out["age"] = age(obj.metadata.creation_timestamp, now)
    out["containers"] = ",".join(c.name for c in containers)
    out["images"] = ",".join(c.image for c in containers)
    if not isinstance(obj, r.StatefulSet):
        out["selector"] = labels.text(obj.spec.job_template.spec.selector if isinstance(obj, r.CronJob) else obj.spec.selector)
    return out


def _wanted(obj: r.Deployment | r.StatefulSet) -> int:
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def _map_text(values: dict[str, str] | None) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((values or {}).items())) or "<none>"


def ready_text(obj: Workload) -> str:
    """`3/4`: pods ready of those wanted, a Job's completions; "" for a CronJob, which has none of its own."""
    if isinstance(obj, r.DaemonSet):
        return f"{obj.status.number_ready}/{obj.status.desired_number_scheduled}"
    if isinstance(obj, r.Job):
        return jobs.completions(obj)
    return "" if isinstance(obj, r.CronJob) else f"{obj.status.ready_replicas}/{_wanted(obj)}"


def ready_share(obj: Workload) -> float | None:
    """Pods ready, or completions, as a share of those wanted: what sorting by READY compares. None where there is none."""
    head, _, tail = ready_text(obj).partition("/")
    total = tail.partition(" ")[0]
    return int(head) / int(total) if head and total and int(total) else None
