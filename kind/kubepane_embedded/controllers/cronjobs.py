"""CronJobs: a Job at every time of a schedule, and no more old ones than asked for (pkg/controller/cronjob/cronjob_controllerv2.go)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp, stamp
from kubepane_embedded.controllers.cron_times import MANY, missed, rfc1123z, rfc3339, schedule_of, seconds_to_next, zone_of
from kubepane_embedded.controllers.job_facts import COMPLETE, JOBS, end_of
from kubepane_embedded.controllers.podcontrol import controlled_by, is_terminating_namespace
from kubepane_embedded.controllers.replicasets import is_controlled_by
from kubepane_embedded.core import Core
from kubepane_embedded.cronschedule import CronError, Every, Schedule
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, is_deleting, key_of, owner_reference, uid_of
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder, reference
from kubepane_embedded.workqueue import WorkQueue

CRON_JOBS = "cronjobs.batch"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
OLD_ZONE = (
    'CRON_TZ or TZ used in schedule "{}" is not officially supported, see '
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


class CronJobController:
    """Makes the Jobs of every CronJob, and deletes old ones.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "cronjob-controller")
        self._queue = WorkQueue(core.clock, self.reconcile, "cronjob")
        self._schedules: dict[Key, tuple[Any, ...]] = {}

    def start(self) -> None:
        """Follow CronJobs and their Jobs."""
        self._storage.subscribe(CRON_JOBS, self._changed)
        self._storage.subscribe(JOBS, self._queue.add, controlled_by("CronJob"))
        for cron_job in self._storage.objects(CRON_JOBS):
            self._changed(key_of(cron_job))

    def _changed(self, key: Key) -> None:
        """A new schedule is looked at when its first time has come, everything else at once."""
        cron_job = self._storage.read(CRON_JOBS, *key)
        if cron_job is None:
            self._schedules.pop(key, None)
            return
        schedule = (cron_job["spec"].get("schedule"), cron_job["spec"].get("timeZone"))
        before, self._schedules[key] = self._schedules.get(key), schedule
        if before in (None, schedule):
            self._queue.add(key)
            return
        try:
            self._wait(cron_job, schedule_of(cron_job))
        except CronError:
            text = f"unparseable schedule for cronjob: {schedule[0]}"
            self._clock.call_soon(lambda: self._recorder.event(cron_job, WARNING, "UnParseableCronJobSchedule", text))

    def _wait(self, cron_job: Object, schedule: Schedule | Every) -> None:
        seconds = seconds_to_next(cron_job, schedule, self._clock.now())
        if seconds is not None:
            self._queue.add_after(key_of(cron_job), seconds)

    def reconcile(self, key: Key) -> None:
        """Delete old Jobs, note ended ones, make the one that is due, and write the status."""
        present = self._storage.read(CRON_JOBS, *key)
        if present is None:
            return
        cron_job = clone(present)
        status = cron_job["status"] = cron_job.get("status") or {}
        status["active"] = list(status.get("active") or [])
        jobs = [job for resource, job in self._storage.owned(uid_of(cron_job)) if resource == JOBS and is_controlled_by(job, cron_job)]
        refusal: ApiError | None = None
        try:
            self._forget_old(cron_job, jobs)
            self._note_ended(cron_job, jobs)
            self._forget_missing(cron_job, jobs)
            if not is_deleting(cron_job):
                self._run(cron_job)
        except ApiError as refused:
            refusal = refused
        self._write_status(present, cron_job)
        if refusal is not None:
            raise refusal

    # Jobs that there are

    def _forget_old(self, cron_job: Object, jobs: list[Object]) -> None:
        """Delete the oldest ended Jobs beyond the limits."""
        for name, succeeded in (("successfulJobsHistoryLimit", True), ("failedJobsHistoryLimit", False)):
            limit = cron_job["spec"].get(name)
            ends = ((end_of(job), job) for job in jobs)
            ended = sorted((job for end, job in ends if end is not None and (end["type"] == COMPLETE) == succeeded), key=_by_start)
            for job in ended[: max(0, len(ended) - limit)] if limit is not None else ():
                self._delete(cron_job, job)

    def _delete(self, cron_job: Object, job: Object) -> bool:
        try:
            self._client.delete(JOBS, *key_of(job), propagation="Background")
        except ApiError as refusal:
            self._recorder.event(cron_job, WARNING, "FailedDelete", f"Deleted job: {refusal}")
            return False
        _deactivate(cron_job, uid_of(job))
        self._recorder.event(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {key_of(job)[1]}")
        return True

    def _note_ended(self, cron_job: Object, jobs: list[Object]) -> None:
        """Take ended Jobs off the list of active ones, and keep the time of the last success."""
        status = cron_job["status"]
        for job in jobs:
            active, end, name = uid_of(job) in _active_uids(cron_job), end_of(job), key_of(job)[1]
            if end is None:
                if not active:
                    message = f"Saw a job that the controller did not create or forgot: {name}"
                    self._recorder.event(cron_job, WARNING, "UnexpectedJob", message)
                continue
            if active:
                _deactivate(cron_job, uid_of(job))
                self._recorder.event(cron_job, NORMAL, "SawCompletedJob", f"Saw completed job: {name}, condition: {end['type']}")
            done = (job.get("status") or {}).get("completionTime")
            if end["type"] == COMPLETE and done and done > (status.get("lastSuccessfulTime") or ""):
                status["lastSuccessfulTime"] = done

    def _forget_missing(self, cron_job: Object, jobs: list[Object]) -> None:
        present = {uid_of(job) for job in jobs}
        for active in list(cron_job["status"]["active"]):
            gone = self._storage.read(JOBS, active.get("namespace") or "", active.get("name") or "") is None
            if active.get("uid") not in present and gone:
                self._recorder.event(cron_job, NORMAL, "MissingJob", f"Active job went missing: {active.get('name')}")
                _deactivate(cron_job, active.get("uid") or "")

    # the Job that is due

    def _run(self, cron_job: Object) -> None:
        """Make the Job that is due, and ask to be called at the next time (syncCronJob)."""
        now = self._clock.now()
        schedule = self._readable(cron_job)
        if schedule is None:
            return
        try:
            found = missed(cron_job, schedule, now, with_deadline=True)
        except CronError as wrong:
            text = f"invalid schedule: {cron_job['spec'].get('schedule')} : {wrong}"
            self._recorder.event(cron_job, WARNING, "InvalidSchedule", text)
            return
        if found.last is not None and found.times > MANY:
            text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._recorder.event(cron_job, WARNING, "TooManyMissedTimes", text)
        if found.last is not None and self._may_start(cron_job, found.last, now):
            self._start(cron_job, found.last)
        self._wait(cron_job, schedule)

    def _readable(self, cron_job: Object) -> Schedule | Every | None:
        """The schedule, unless the CronJob is suspended or something in it cannot be read, which an event says."""
        spec = cron_job["spec"]
        try:
            zone_of(cron_job)
        except CronError as wrong:
            self._recorder.event(cron_job, WARNING, "UnknownTimeZone", f'invalid timeZone: "{spec.get("timeZone")}": {wrong}')
            return None
        if spec.get("suspend"):
            return None
        text = spec.get("schedule") or ""
        if "TZ" in text:
            self._recorder.event(cron_job, WARNING, "UnsupportedSchedule", OLD_ZONE.format(text))
        try:
            return schedule_of(cron_job)
        except CronError as wrong:
            self._recorder.event(cron_job, WARNING, "UnparseableSchedule", f'unparseable schedule: "{text}" : {wrong}')
            return None

    def _may_start(self, cron_job: Object, due: datetime, now: datetime) -> bool:
        spec, status = cron_job["spec"], cron_job["status"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and due + timedelta(seconds=deadline) < now:
            self._recorder.event(cron_job, WARNING, "MissSchedule", f"Missed scheduled time to start a job: {rfc1123z(due)}")
            return False
        last = status.get("lastScheduleTime")
        if _job_name(cron_job, due) in {active.get("name") for active in status["active"]} or (last and parse_stamp(last) == due):
            return False
        if spec.get("concurrencyPolicy") == "Forbid" and status["active"]:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.event(cron_job, NORMAL, "JobAlreadyActive", text)
            return False
        if spec.get("concurrencyPolicy") == "Replace":
            self._replace(cron_job)
        return True

    def _replace(self, cron_job: Object) -> None:
        for active in list(cron_job["status"]["active"]):
            namespace, name = active.get("namespace") or "", active.get("name") or ""
            try:
                job = self._client.get(JOBS, namespace, name)
            except ApiError as refusal:
                self._recorder.event(cron_job, WARNING, "FailedGet", f"Get job: {refusal}")
                raise
            if not self._delete(cron_job, job):
                raise ApiError(500, "", f"could not replace job {namespace}/{name}")

    def _start(self, cron_job: Object, due: datetime) -> None:
        wanted = job_from(cron_job, due)
        try:
            job = self._client.create(JOBS, wanted)
            self._recorder.event(cron_job, NORMAL, "SuccessfulCreate", f"Created job {key_of(job)[1]}")
        except ApiError as refusal:
            if refusal.reason != "AlreadyExists":
                if not is_terminating_namespace(refusal):
                    self._recorder.event(cron_job, WARNING, "FailedCreate", f"Error creating job: {refusal}")
                raise
            job = self._client.get(JOBS, *key_of(wanted))
            if not is_controlled_by(job, cron_job) or uid_of(job) in _active_uids(cron_job):
                return
        cron_job["status"]["active"].append(reference(job))
        cron_job["status"]["lastScheduleTime"] = stamp(due)

    def _write_status(self, present: Object, cron_job: Object) -> None:
        status = {name: value for name, value in cron_job["status"].items() if value}
        if status != (present.get("status") or {}) and self._storage.read(CRON_JOBS, *key_of(present)) is not None:
            self._client.update_status(CRON_JOBS, {**cron_job, "status": status})


def job_from(cron_job: Object, due: datetime) -> Object:
    """The Job of one time: its name says the minute, so that it is made once."""
    template = clone(cron_job["spec"].get("jobTemplate") or {})
    given = template.get("metadata") or {}
    meta: dict[str, Any] = {"name": _job_name(cron_job, due), "namespace": key_of(cron_job)[0], "labels": given.get("labels") or {}}
    meta["annotations"] = {**(given.get("annotations") or {}), SCHEDULED: rfc3339(due, zone_of(cron_job))}
    meta["ownerReferences"] = [owner_reference(cron_job)]
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": meta, "spec": template.get("spec") or {}}


def _job_name(cron_job: Object, due: datetime) -> str:
    return f"{key_of(cron_job)[1]}-{int(due.timestamp()) // 60}"


def _by_start(job: Object) -> tuple[bool, str, str]:
    started = (job.get("status") or {}).get("startTime") or ""
    return (not started, started, key_of(job)[1])


def _active_uids(cron_job: Object) -> set[str]:
    return {active.get("uid") or "" for active in cron_job["status"]["active"]}


def _deactivate(cron_job: Object, uid: str) -> None:
    cron_job["status"]["active"] = [active for active in cron_job["status"]["active"] if active.get("uid") != uid]
