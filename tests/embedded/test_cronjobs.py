"""CronJobs: schedules read as by the real controller's library, Jobs made on time, concurrency, deadlines, history, status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.conftest import recording
from embedded.fakekubelet import FakeKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.cron_times import missed, rfc1123z, rfc3339, schedule_of, seconds_to_next
from kubepane_embedded.controllers.cronjobs import CronJobController
from kubepane_embedded.controllers.jobs import JobController
from kubepane_embedded.core import Core
from kubepane_embedded.cronschedule import CronError, load_zone, parse
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, annotations_of, key_of, labels_of, owners_of
from kubepane_embedded.seed import Seed

CRON_JOBS = "cronjobs.batch"
JOBS = "jobs.batch"
EIGHT = 29454240
"""Minutes from 1970 to the start of the virtual clock, 2026-01-01 08:00."""


@pytest.fixture
def kubelet(core: Core) -> FakeKubelet:
    CronJobController(core).start()
    JobController(core).start()
    return FakeKubelet(core)


def make(kubelet: FakeKubelet, schedule: str = "*/5 * * * *", job: dict[str, Any] | None = None, **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}
    wanted = {"schedule": schedule, "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": template, **(job or {})}}, **spec}
    created = kubelet.core.client("test").create(CRON_JOBS, {"metadata": {"name": "tick", "namespace": "default"}, "spec": wanted})
    kubelet.settle()
    return created


def change(kubelet: FakeKubelet, **spec: Any) -> None:
    kubelet.core.client("test").patch(CRON_JOBS, "default", "tick", {"spec": spec})
    kubelet.settle()


def status(kubelet: FakeKubelet) -> dict[str, Any]:
    found: dict[str, Any] = kubelet.client.get(CRON_JOBS, "default", "tick")["status"]
    return found


def jobs(kubelet: FakeKubelet) -> list[str]:
    return [key_of(job)[1] for job in kubelet.core.storage.objects(JOBS, "default")]


def end_all(kubelet: FakeKubelet, code: int = 0) -> None:
    for pod in kubelet.pods():
        if pod["status"]["phase"] == "Pending":
            kubelet.exit(key_of(pod)[1], code)
    kubelet.settle(3)


# schedules


@pytest.mark.parametrize("case", recording("cron")["cases"], ids=lambda case: case["spec"] or "empty")
def test_schedules_are_read_as_by_the_real_library(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(CronError) as refused:
            parse(case["spec"])
        assert str(refused.value) == case["error"]
        return
    schedule = parse(case["spec"])
    moment: datetime | None = datetime.fromisoformat(case["from"])
    for expected in case["next"]:
        assert moment is not None
        moment = schedule.next(moment)
        assert (moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "") == expected


FIELDS = st.tuples(
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.sets(st.integers(0, 23), min_size=1, max_size=4),
    st.sets(st.integers(1, 28), max_size=4),
    st.sets(st.integers(1, 12), max_size=4),
    st.sets(st.integers(0, 6), max_size=3),
)


@given(FIELDS, st.integers(0, 400 * 86400))
def test_the_next_time_is_the_first_that_fits(fields: tuple[set[int], ...], offset: int) -> None:
    minutes, hours, days, months, weekdays = fields
    schedule = parse(" ".join(",".join(map(str, sorted(field))) or "*" for field in fields))
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=offset)
    found = schedule.next(after)
    assert found is not None
    assert found > after
    assert (found.second, found.microsecond) == (0, 0)

    def fits(moment: datetime) -> bool:
        by_day = [not days or moment.day in days, not weekdays or moment.isoweekday() % 7 in weekdays]
        day_fits = any(by_day) if days and weekdays else all(by_day)
        return moment.minute in minutes and moment.hour in hours and (not months or moment.month in months) and day_fits

    assert fits(found)
    earlier = (after.replace(second=0) + timedelta(minutes=1 + step) for step in range(3000))
    assert not any(fits(moment) for moment in earlier if moment < found)


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        ({"schedule": "61 * * * *"}, "spec.schedule", "end of range (61) above maximum (59): 61"),
        ({"schedule": "TZ=UTC * * * * *"}, "spec.schedule", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        ({"timeZone": "No/Where"}, "spec.timeZone", "unknown time zone No/Where"),
        ({"timeZone": "Local"}, "spec.timeZone", "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"),
    ],
)
def test_what_cannot_be_read_is_refused_as_a_real_server_does(kubelet: FakeKubelet, spec: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(ApiError, match="is invalid") as refused:
        make(kubelet, **spec)
    assert str(refused.value) == f'CronJob.batch "tick" is invalid: {field}: Invalid value: "{next(iter(spec.values()))}": {text}'


def test_times_are_written_as_go_writes_them() -> None:
    moment = datetime(2026, 7, 1, 8, 0, 5, 999, tzinfo=UTC)
    assert rfc1123z(moment) == "Wed, 01 Jul 2026 08:00:05 +0000"
    assert rfc3339(moment, UTC) == "2026-07-01T08:00:05Z"
    assert rfc3339(moment, load_zone("Europe/Berlin")) == "2026-07-01T10:00:05+02:00"


def cron(last: str | None = None, schedule: str = "*/10 * * * *", **spec: Any) -> Object:
    meta = {"creationTimestamp": "2026-01-01T08:00:00Z"}
    return {"metadata": meta, "spec": {"schedule": schedule, **spec}, "status": {"lastScheduleTime": last}}


@pytest.mark.parametrize(
    ("cron_job", "now", "last", "times", "wait"),
    [
        (cron(), "08:05:00", None, 0, 300.1),
        (cron(), "08:10:00", "08:10:00", 0, 600.1),
        (cron("2026-01-01T08:10:00Z"), "08:15:00", None, 0, 300.1),
        (cron(), "09:05:00", "09:00:00", 6, 300.1),
        (cron(startingDeadlineSeconds=60), "09:05:00", None, 0, 300.1),
        (cron(startingDeadlineSeconds=400), "09:05:00", "09:00:00", 0, 300.1),
        (cron(schedule="* * * * *"), "10:00:30", "10:00:00", 120, 30.1),
        (cron(schedule="@every 1h"), "10:30:00", "10:00:00", 1, 1800.1),
    ],
)
def test_which_time_is_due(cron_job: Object, now: str, last: str | None, times: int, wait: float) -> None:
    moment = datetime.fromisoformat(f"2026-01-01T{now}Z")
    found = missed(cron_job, schedule_of(cron_job), moment, with_deadline=True)
    assert (found.last.strftime("%H:%M:%S") if found.last else None) == last
    assert abs(found.times - times) <= 1
    assert seconds_to_next(cron_job, schedule_of(cron_job), moment) == pytest.approx(wait)


# the controller


def test_a_job_at_every_time(kubelet: FakeKubelet) -> None:
    make(kubelet, timeZone="Europe/Berlin")
    assert jobs(kubelet) == []
    kubelet.settle(300)
    assert jobs(kubelet) == []
    kubelet.settle(0.2)
    assert jobs(kubelet) == [f"tick-{EIGHT + 5}"]
    job = kubelet.client.get(JOBS, "default", f"tick-{EIGHT + 5}")
    assert annotations_of(job) == {"batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T09:05:00+01:00"}
    assert labels_of(job)["a"] == "b"
    assert [(owner["kind"], owner["controller"]) for owner in owners_of(job)] == [("CronJob", True)]
    active = status(kubelet)["active"]
    assert [(one["kind"], one["apiVersion"], one["name"], one["uid"]) for one in active] == [
        ("Job", "batch/v1", key_of(job)[1], job["metadata"]["uid"])
    ]
    assert status(kubelet)["lastScheduleTime"] == "2026-01-01T08:05:00Z"
    end_all(kubelet)
    done = kubelet.client.get(JOBS, "default", key_of(job)[1])["status"]["completionTime"]
    assert status(kubelet) == {"lastScheduleTime": "2026-01-01T08:05:00Z", "lastSuccessfulTime": done}
    assert kubelet.events("tick") == [
        f"SuccessfulCreate: Created job tick-{EIGHT + 5}",
        f"SawCompletedJob: Saw completed job: tick-{EIGHT + 5}, condition: Complete",
    ]


def test_old_jobs_go(kubelet: FakeKubelet) -> None:
    make(kubelet, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1, job={"backoffLimit": 0})
    for code in (0, 1, 0, 1, 0, 0):
        kubelet.settle(300 - 3 if jobs(kubelet) else 300.2)
        end_all(kubelet, code)
    assert jobs(kubelet) == [f"tick-{EIGHT + minutes}" for minutes in (20, 25, 30)]
    assert f"SuccessfulDelete: Deleted job tick-{EIGHT + 5}" in kubelet.events("tick")


def test_the_oldest_go_by_when_they_started_not_by_name(kubelet: FakeKubelet) -> None:
    made = make(kubelet, successfulJobsHistoryLimit=1)
    kubelet.settle(300.2)
    end_all(kubelet)
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": made["metadata"]["uid"], "controller": True}
    meta = {"name": "a-later-one", "namespace": "default", "ownerReferences": [owner]}
    kubelet.core.client("test").create(JOBS, {"metadata": meta, "spec": made["spec"]["jobTemplate"]["spec"]})
    kubelet.settle()
    end_all(kubelet)
    assert jobs(kubelet) == ["a-later-one"]


@pytest.mark.parametrize(
    ("policy", "count", "event"),
    [
        ("Allow", 2, ""),
        ("Forbid", 1, "JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid"),
        ("Replace", 1, f"SuccessfulDelete: Deleted job tick-{EIGHT + 5}"),
    ],
)
def test_what_happens_while_one_still_runs(kubelet: FakeKubelet, policy: str, count: int, event: str) -> None:
    make(kubelet, concurrencyPolicy=policy)
    kubelet.settle(601)
    assert len(jobs(kubelet)) == count
    assert len(status(kubelet)["active"]) == count
    assert not event or event in kubelet.events("tick")
    if policy == "Replace":
        assert jobs(kubelet) == [f"tick-{EIGHT + 10}"]


def test_a_suspended_one_waits_and_then_makes_up_for_one_time(kubelet: FakeKubelet) -> None:
    make(kubelet, suspend=True)
    kubelet.settle(1000)
    assert jobs(kubelet) == []
    change(kubelet, suspend=False)
    assert jobs(kubelet) == [f"tick-{EIGHT + 15}"]


def test_what_is_too_late_is_missed(kubelet: FakeKubelet) -> None:
    make(kubelet, suspend=True, startingDeadlineSeconds=30)
    kubelet.settle(331)
    change(kubelet, suspend=False)
    assert jobs(kubelet) == []
    change(kubelet, suspend=True)
    kubelet.settle(290)
    kubelet.client.patch_status(CRON_JOBS, "default", "tick", {"lastScheduleTime": "2026-01-01T08:00:00Z"})
    change(kubelet, suspend=False)
    assert jobs(kubelet) == [f"tick-{EIGHT + 10}"]


def test_a_new_schedule_takes_effect(kubelet: FakeKubelet) -> None:
    make(kubelet, "0 0 * * *")
    change(kubelet, schedule="* * * * *")
    kubelet.settle(61)
    assert jobs(kubelet) == [f"tick-{EIGHT + 1}"]


def test_a_job_made_by_hand_is_noticed_and_a_lost_one_forgotten(kubelet: FakeKubelet) -> None:
    made = make(kubelet)
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": made["metadata"]["uid"], "controller": True}
    spec = made["spec"]["jobTemplate"]["spec"]
    kubelet.core.client("test").create(JOBS, {"metadata": {"name": "manual", "namespace": "default", "ownerReferences": [owner]}, "spec": spec})
    kubelet.settle(301)
    assert "UnexpectedJob: Saw a job that the controller did not create or forgot: manual" in kubelet.events("tick")
    kubelet.core.client("test").delete(JOBS, "default", f"tick-{EIGHT + 5}", propagation="Background")
    kubelet.settle(1)
    assert f"MissingJob: Active job went missing: tick-{EIGHT + 5}" in kubelet.events("tick")
    assert "active" not in status(kubelet)


def test_a_schedule_without_times_is_told(kubelet: FakeKubelet) -> None:
    make(kubelet, "59 23 31 2 *")
    assert kubelet.events("tick") == ["InvalidSchedule: invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"]
    kubelet.settle(86400)
    assert jobs(kubelet) == []


def test_nothing_is_written_between_the_times(kubelet: FakeKubelet) -> None:
    make(kubelet, "0 0 * * *")
    revision = kubelet.core.storage.revision
    kubelet.settle(50000)
    assert kubelet.core.storage.revision == revision


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/2 * * * *", "@every 90s", "1-59/7 * * * *"]),
    st.sampled_from(["Allow", "Forbid", "Replace"]),
    st.lists(st.sampled_from(["wait", "end", "fail", "suspend", "resume"]), max_size=20),
)
def test_no_time_is_used_twice_and_never_two_at_once_unless_allowed(schedule: str, policy: str, steps: list[str]) -> None:
    core = Core(VirtualClock(), Seed(1))
    CronJobController(core).start()
    JobController(core).start()
    kubelet = FakeKubelet(core)
    make(kubelet, schedule, {"backoffLimit": 0}, concurrencyPolicy=policy)
    made: list[str] = []
    core.storage.watch(JOBS, lambda change: made.append(key_of(change.now.obj)[1]) if change.type == "ADDED" else None)
    for step in steps:
        if step in ("end", "fail"):
            end_all(kubelet, step == "fail")
        elif step in ("suspend", "resume"):
            change(kubelet, suspend=step == "suspend")
        kubelet.settle(37 if step == "wait" else 11)
        assert policy == "Allow" or len(status(kubelet).get("active") or []) <= 1
    assert len(made) == len(set(made))
    assert made == sorted(made)
