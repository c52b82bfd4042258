"""Jobs: pods that run until enough of them have succeeded, or too many have failed (pkg/controller/job)."""

from __future__ import annotations

from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.job_backoff import BackoffRecord
from kubepane_embedded.controllers.job_facts import JOBS, TRACKING, end_of, ensure_condition, is_managed_elsewhere, is_suspended, new_condition
from kubepane_embedded.controllers.job_orphans import JobOrphans
from kubepane_embedded.controllers.job_pods import JobPods
from kubepane_embedded.controllers.job_round import JobRound
from kubepane_embedded.controllers.job_tracking import JobTracking
from kubepane_embedded.controllers.orphans import adopters, index_orphans, orphans
from kubepane_embedded.controllers.podcontrol import PodControl, controlled_by
from kubepane_embedded.controllers.replicasets import is_controlled_by
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, clone, is_deleting, key_of, uid_of
from kubepane_embedded.recorder import NORMAL, Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

BATCH = 1.0
"""Seconds in which changes of pods, and of a Job's own status, are gathered."""


class JobController:
    """Runs the pods of every Job and counts them.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "job-controller")
        self._queue = WorkQueue(core.clock, self.reconcile, "job")
        self._pods_of = JobPods(self._client, PodControl(self._client, self._recorder), self._queue.add_after)
        self._tracking = JobTracking(self._client, self._recorder)
        self._left = JobOrphans(self._client)
        self._generations: dict[Key, tuple[str, int]] = {}

    def start(self) -> None:
        """Follow Jobs, their pods, and pods that one of them might adopt."""
        index_orphans(self._storage, "pods")
        self._storage.subscribe(JOBS, self._job_changed)
        self._storage.subscribe("pods", self._gather, controlled_by("Job"))
        self._storage.subscribe("pods", self._gather, adopters(self._storage, JOBS))
        self._left.start()
        for job in self._storage.objects(JOBS):
            self._job_changed(key_of(job))

    def _gather(self, key: Key) -> None:
        self._queue.add_after(key, BATCH)

    def _job_changed(self, key: Key) -> None:
        """A new spec is looked at at once, a new status soon."""
        job = self._storage.read(JOBS, *key)
        if job is None:
            self._generations.pop(key, None)
            self._queue.add(key)
            return
        generation = (uid_of(job), job["metadata"].get("generation") or 0)
        if self._generations.get(key) == generation:
            self._gather(key)
        else:
            self._generations[key] = generation
            self._queue.add(key)

    def reconcile(self, key: Key) -> None:
        """One round: judge, create or delete pods, count the ended ones; refusals are raised at the end, to be tried again."""
        present = self._storage.read(JOBS, *key)
        if present is None or end_of(present) is not None:
            self._tracking.backoffs.pop(key, None)
            return
        if is_managed_elsewhere(present):
            return
        this = self._look(present)
        this.judge()
        changed = False
        if this.finished is not None:
            self._pods_of.delete_active(this)
        else:
            changed = self._go_on(this)
            self._watch_deadline(this)
        counts = {"active": this.staying, "ready": this.ready, "terminating": this.terminating}
        before = {"active": this.status.get("active") or 0, "ready": this.status.get("ready"), "terminating": this.status.get("terminating")}
        this.status.update(counts)
        self._tracking.track(this, changed or counts != before)
        if this.refusal is not None:
            raise this.refusal

    def _look(self, present: Object) -> JobRound:
        job = clone(present)
        status = job["status"] = job.get("status") or {}
        if not status.get("startTime") and not is_suspended(job):
            status["startTime"] = self._clock.stamp()
        before = self._tracking.backoffs.get(key_of(job)) or BackoffRecord()
        return JobRound(job, self._pods(present), before, self._clock.now())

    def _pods(self, job: Object) -> list[Object]:
        owned = [pod for resource, pod in self._storage.owned(uid_of(job)) if resource == "pods" and is_controlled_by(pod, job)]
        free = orphans(self._storage, "pods", key_of(job)[0], LabelSelector.of(job["spec"].get("selector")))
        return claim(self._client, "pods", job, [*owned, *free], TRACKING)

    def _go_on(self, this: JobRound) -> bool:
        """Create or delete pods; whether a condition changed."""
        managed = not is_deleting(this.job)
        if managed:
            self._pods_of.manage(this)
        if this.is_complete(this.staying):
            this.complete()
            return False
        return managed and self._suspend_or_resume(this)

    def _suspend_or_resume(self, this: JobRound) -> bool:
        now = self._clock.stamp()
        if is_suspended(this.job):
            changed = ensure_condition(this.status, new_condition("Suspended", "JobSuspended", "Job suspended", now))
            if changed:
                self._recorder.event(this.job, NORMAL, "Suspended", "Job suspended")
            return changed
        changed = ensure_condition(this.status, new_condition("Suspended", "JobResumed", "Job resumed", now, "False"))
        if changed:
            self._recorder.event(this.job, NORMAL, "Resumed", "Job resumed")
            this.status["startTime"] = now
        return changed

    def _watch_deadline(self, this: JobRound) -> None:
        left = this.deadline_left()
        if left is not None and left > 0:
            self._queue.add_after(key_of(this.job), left)
