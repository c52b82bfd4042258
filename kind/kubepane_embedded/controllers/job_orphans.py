"""Pods that wait to be counted by a Job that is gone or has ended: nobody else would let go of them
(pkg/controller/job/job_controller.go, syncOrphanPod)."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.job_facts import JOBS, end_of, is_managed_elsewhere, is_tracked
from kubepane_embedded.controllers.job_pods import release
from kubepane_embedded.meta import Key, Object, controller_of, key_of, uid_of
from kubepane_embedded.workqueue import WorkQueue


class JobOrphans:
    """Takes the tracking finalizer off pods without a Job that would count them.

    Args:
        client: Who writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._storage = client.storage
        self._queue = WorkQueue(client.clock, self._let_go, "job orphans")

    def start(self) -> None:
        """Follow pods, and Jobs that end or go."""
        self._storage.subscribe("pods", self._queue.add, lambda pod: (key_of(pod),) if self._is_left(pod) else ())
        self._storage.subscribe(JOBS, self._queue.add, self._left_by)
        for pod in self._storage.objects("pods"):
            if self._is_left(pod):
                self._queue.add(key_of(pod))

    def _left_by(self, job: Object) -> Iterable[Key]:
        owned = self._storage.owned(uid_of(job)) if self._is_over(job) else ()
        return [key_of(pod) for resource, pod in owned if resource == "pods" and is_tracked(pod)]

    def _is_over(self, job: Object) -> bool:
        present = self._storage.read(JOBS, *key_of(job))
        return present is None or uid_of(present) != uid_of(job) or end_of(present) is not None

    def _is_left(self, pod: Object) -> bool:
        if not is_tracked(pod):
            return False
        owner = controller_of(pod)
        if owner is None:
            return True
        if owner.get("kind") != "Job":
            return False
        job = self._storage.read(JOBS, key_of(pod)[0], owner["name"])
        if job is None or uid_of(job) != owner.get("uid"):
            return True
        return end_of(job) is not None and not is_managed_elsewhere(job)

    def _let_go(self, key: Key) -> None:
        pod = self._storage.read("pods", *key)
        if pod is not None and self._is_left(pod):
            release(self._client, pod)
