from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, make, put
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import jobs


def job(*conditions: str, spec: Any = None, deleted: bool = False, **status: Any) -> Any:
    """A Job; a condition is `Type` (True) or `!Type` (False)."""
    told = [{"type": c.lstrip("!"), "status": "False" if c[0] == "!" else "True"} for c in conditions]
    more = {"deletionTimestamp": "2026-06-01T11:59:00Z"} if deleted else {}
    return make(k.JOBS, "load", spec=spec or {}, status={"conditions": told, **status}, **more)


STATUSES = [
    (job(), "Running"),
    (job("!Complete"), "Running"),
    (job("Complete"), "Complete"),
    (job("SuccessCriteriaMet", "Complete"), "Complete"),
    (job("SuccessCriteriaMet"), "SuccessCriteriaMet"),
    (job("FailureTarget"), "FailureTarget"),
    (job("FailureTarget", "Failed"), "Failed"),
    (job("FailureTarget", "SuccessCriteriaMet"), "FailureTarget"),
    (job("Suspended"), "Suspended"),
    (job("!Suspended"), "Running"),
    (job("Suspended", deleted=True), "Terminating"),
    (job("Complete", deleted=True), "Complete"),
]


@pytest.mark.parametrize(("obj", "status"), STATUSES, ids=range(len(STATUSES)))
def test_status_as_kubectl_prints_it(obj: Any, status: str) -> None:
    assert jobs.job_status(obj) == status


COMPLETIONS = [
    ({"completions": 3}, 1, "1/3"),
    ({"completions": 0}, 0, "0/0"),
    ({}, 0, "0/1"),
    ({"parallelism": 1}, 1, "1/1"),
    ({"parallelism": 5}, 3, "3/1 of 5"),
]


@pytest.mark.parametrize(("spec", "succeeded", "text"), COMPLETIONS, ids=range(len(COMPLETIONS)))
def test_completions(spec: Any, succeeded: int, text: str) -> None:
    assert jobs.completions(job(spec=spec, succeeded=succeeded)) == text


def test_duration_runs_until_the_completion() -> None:
    assert jobs.duration_text(job(), NOW) == ""
    assert jobs.duration_text(job(startTime="2026-06-01T11:58:30Z"), NOW) == "90s"
    assert jobs.duration_text(job(startTime="2026-06-01T11:00:00Z", completionTime="2026-06-01T11:00:34Z"), NOW) == "34s"


def failed(reason: str, message: str = "", kind: str = "Failed", **spec: Any) -> Any:
    conditions = [{"type": kind, "status": "True", "reason": reason, "message": message}]
    return make(k.JOBS, "load", spec=spec, status={"conditions": conditions})


FAILURES = [
    (failed("BackoffLimitExceeded", backoffLimit=3), "backoff limit 3 reached"),
    (failed("BackoffLimitExceeded"), "backoff limit 6 reached"),
    (failed("BackoffLimitExceeded", kind="FailureTarget", backoffLimit=0), "backoff limit 0 reached"),
    (failed("DeadlineExceeded", activeDeadlineSeconds=60), "past its deadline of 60s"),
    (failed("DeadlineExceeded"), "past its deadline"),
    (failed("PodFailurePolicy", "Container app failed with exit code 42."), "Container app failed with exit code 42"),
    (failed("New"), "New"),
    (failed(""), "failed"),
    (job("Complete"), ""),
    (job("!Failed"), ""),
]


@pytest.mark.parametrize(("obj", "why"), FAILURES, ids=range(len(FAILURES)))
def test_why_it_failed(obj: Any, why: str) -> None:
    assert jobs.failure(obj) == why


def test_the_latest_job_of_a_cronjob() -> None:
    stores = Stores()
    cron = put(stores, k.CRONJOBS, "nightly", status={"lastScheduleTime": "2026-06-01T11:55:00Z"})
    assert jobs.latest(cron, stores) is None
    assert (jobs.last_schedule(cron, NOW), jobs.last_schedule(make(k.CRONJOBS, "new"), NOW)) == ("5m", "<none>")
    put(stores, k.JOBS, "nightly-2", owner=cron, creationTimestamp="2026-06-01T11:50:00Z")
    put(stores, k.JOBS, "nightly-3", owner=cron, creationTimestamp="2026-06-01T11:55:00Z")
    put(stores, k.JOBS, "nightly-1", owner=cron, creationTimestamp="2026-06-01T11:45:00Z")
    put(stores, k.JOBS, "other", creationTimestamp="2026-06-01T11:59:00Z")
    latest = jobs.latest(cron, stores)
    assert latest is not None
    assert latest.metadata.name == "nightly-3"
