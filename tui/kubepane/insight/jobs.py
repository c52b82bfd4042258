"""Jobs and CronJobs in kubectl's words.

Source: printJob and printCronJob of pkg/printers/internalversion/printers.go of Kubernetes 1.35.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.ages import age, duration

_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")
BACKOFF = 6  # the API's default of backoffLimit


def holds(job: r.Job, kind: str) -> bool:
    """Whether a condition of this type is True; the first of its type counts, as in hasJobCondition."""
    return next((c.status == "True" for c in job.status.conditions or () if c.type == kind), False)


def job_status(job: r.Job) -> str:
    """STATUS: `Complete`, `Failed`, `Terminating`, `Suspended`, `FailureTarget`, `SuccessCriteriaMet` or `Running`."""
    if holds(job, "Complete"):
        return "Complete"
    if holds(job, "Failed"):
        return "Failed"
    if job.metadata.deletion_timestamp is not None:
        return "Terminating"
    return next((kind for kind in _STATES if holds(job, kind)), "Running")


def completions(job: r.Job) -> str:
    """COMPLETIONS: `1/3`; without a number of completions `0/1`, or `0/1 of 5` with several workers."""
    done = job.status.succeeded
    if job.spec.completions is not None:
        return f"{done}/{job.spec.completions}"
    workers = job.spec.parallelism or 0
    return f"{done}/1 of {workers}" if workers > 1 else f"{done}/1"


def took(job: r.Job, now: datetime) -> float | None:
    """Seconds from a Job's start to its completion, or to now; None before its start."""
    start = job.status.start_time
    return None if start is None else ((job.status.completion_time or now) - start).total_seconds()


def duration_text(job: r.Job, now: datetime) -> str:
    """DURATION, "" before the start."""
    seconds = took(job, now)
    return "" if seconds is None else duration(seconds)


def ends_at(job: r.Job) -> datetime | None:
    """When activeDeadlineSeconds is over, None without one or before the start."""
    start, seconds = job.status.start_time, job.spec.active_deadline_seconds
    return None if start is None or seconds is None else start + timedelta(seconds=seconds)


def failure(job: r.Job) -> str:
    """Why a Job failed or is about to, in one clause; "" when it has not."""
    for kind in ("Failed", "FailureTarget"):
        for c in job.status.conditions or ():
            if c.type == kind and c.status == "True":
                return _reason(job, c)
    return ""


def _reason(job: r.Job, c: r.Condition) -> str:
    if c.reason == "BackoffLimitExceeded":
        limit = BACKOFF if job.spec.backoff_limit is None else job.spec.backoff_limit
        return f"backoff limit {limit} reached"
    if c.reason == "DeadlineExceeded":
        seconds = job.spec.active_deadline_seconds
        return "past its deadline" if seconds is None else f"past its deadline of {duration(seconds)}"
    return (c.message or c.reason or "failed").rstrip(".")


def last_schedule(cron: r.CronJob, now: datetime) -> str:
    """LAST SCHEDULE: an age, `<none>` before the first run."""
    return "<none>" if cron.status.last_schedule_time is None else age(cron.status.last_schedule_time, now)


def latest(cron: r.CronJob, stores: Stores) -> r.Job | None:
    """The newest Job of a CronJob that is still there."""
    jobs = [j for j in stores.jobs.by("owner", cron.metadata.uid) if j.metadata.creation_timestamp is not None]
    return max(jobs, key=lambda j: (j.metadata.creation_timestamp, j.metadata.name), default=None)
