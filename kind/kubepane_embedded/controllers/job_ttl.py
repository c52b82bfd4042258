"""Jobs that are deleted some time after they have ended (pkg/controller/ttlafterfinished)."""

from __future__ import annotations

from datetime import timedelta

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.controllers.job_facts import JOBS, end_of
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, is_deleting, key_of, uid_of
from kubepane_embedded.workqueue import WorkQueue


class TtlAfterFinishedController:
    """Deletes ended Jobs with `ttlSecondsAfterFinished`, with their pods.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self.reconcile, "ttl after finished")

    def start(self) -> None:
        """Follow Jobs."""
        self._storage.subscribe(JOBS, self._queue.add)
        for job in self._storage.objects(JOBS):
            self._queue.add(key_of(job))

    def reconcile(self, key: Key) -> None:
        """Delete the Job, or look again when its time has come."""
        job = self._storage.read(JOBS, *key)
        end = None if job is None or is_deleting(job) else end_of(job)
        seconds = ((job or {}).get("spec") or {}).get("ttlSecondsAfterFinished")
        if job is None or end is None or seconds is None or not end.get("lastTransitionTime"):
            return
        left = (parse_stamp(end["lastTransitionTime"]) + timedelta(seconds=seconds) - self._clock.now()).total_seconds()
        if left > 0:
            self._queue.add_after(key, left)
            return
        self._client.delete(JOBS, *key, propagation="Foreground", uid=uid_of(job))
