"""Pods of a Job: as many as may run at once, no more than are still needed (pkg/controller/job/job_controller.go, manageJob)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.job_backoff import time_left
from kubepane_embedded.controllers.job_facts import (
    INDEX,
    TRACKING,
    completions_of,
    ended_at,
    index_limit,
    index_of,
    is_indexed,
    is_suspended,
    is_terminating,
    is_tracked,
    parallelism_of,
    waits_for_the_end,
)
from kubepane_embedded.controllers.job_indexes import all_failures_of, failure_annotations, first_pending, indexes_of, valid_index
from kubepane_embedded.controllers.job_round import JobRound
from kubepane_embedded.controllers.pod_ranking import first_to_go
from kubepane_embedded.controllers.podcontrol import PodControl, is_terminating_namespace, pod_from
from kubepane_embedded.controllers.replicasets import slow_start
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, finalizers_of, key_of, uid_of
from kubepane_embedded.podfacts import is_ready

BURST = 500
"""Most pods created or deleted in one round."""
LONGEST_NAME = 58
"""Of what a generated name begins with."""
NUMBER = "JOB_COMPLETION_INDEX"


def release(client: Client, pod: Object) -> None:
    """Take the tracking finalizer off a pod; one that is gone is well."""
    if not is_tracked(pod):
        return
    kept = [one for one in finalizers_of(pod) if one != TRACKING]
    try:
        client.patch("pods", *key_of(pod), {"metadata": {"uid": uid_of(pod), "finalizers": kept or None}})
    except ApiError as refusal:
        if refusal.code != 404:
            raise


class JobPods:
    """Makes and deletes the pods of Jobs.

    Args:
        client: Who acts.
        control: Creates and deletes with events.
        later: Asks for another look at a Job after so many seconds.
    """

    def __init__(self, client: Client, control: PodControl, later: Callable[[Key, float], None]) -> None:
        self._client = client
        self._control = control
        self._later = later

    def delete_active(self, this: JobRound) -> None:
        """The Job ends: delete what runs. The pods stay until they are counted; the Job ends later when one could not be deleted."""
        deleted = self._delete(this, this.active, released=False)
        if deleted < len(this.active):
            this.finished = None

    def manage(self, this: JobRound) -> None:
        """Delete what is too much, or else create what is missing and may be made by now."""
        wanted = 0 if is_suspended(this.job) else _wanted(this)
        surplus = _surplus(this, max(0, len(this.active) - wanted))[:BURST]
        if surplus:
            self._delete(this, surplus, released=True)
            return
        missing = wanted - len(this.active) - (this.terminating if waits_for_the_end(this.job) else 0)
        if missing > 0:
            self._create(this, min(missing, BURST))

    def _delete(self, this: JobRound, pods: list[Object], released: bool) -> int:
        deleted = 0
        for pod in pods:
            try:
                if released:
                    release(self._client, pod)
                self._control.delete(this.job, pod)
            except ApiError as refusal:
                this.refusal = this.refusal or refusal
                continue
            deleted += 1
            this.ready -= is_ready(pod)
        this.staying -= deleted
        this.terminating += deleted
        return deleted

    def _create(self, this: JobRound, missing: int) -> None:
        indexes: list[int | None] = [None] * missing
        wait = 0.0
        if is_indexed(this.job):
            indexes, wait = self._indexes(this, missing)
        if index_limit(this.job) is None:
            wait = this.backoff.left(this.now)
        if wait > 0:
            self._later(key_of(this.job), max(wait, 1.0))
            this.staying = 0  # so it stands in the status while a Job waits, whatever else runs
            return
        waiting = iter(indexes)

        def create() -> ApiError | None:
            try:
                self._control.create(this.job, _pod(this, next(waiting)))
            except ApiError as refusal:
                return None if is_terminating_namespace(refusal) else refusal
            this.staying += 1
            return None

        this.refusal = slow_start(len(indexes), create) or this.refusal

    def _indexes(self, this: JobRound, missing: int) -> tuple[list[int | None], float]:
        """The lowest free indexes, less those that must wait for a back-off of their own; how long to wait when all must."""
        taken = this.succeeded_indexes | indexes_of(this.active) | (this.failed_indexes or set())
        if waits_for_the_end(this.job):
            taken = taken | indexes_of(pod for pod in this.pods if is_terminating(pod))
        pending = first_pending(taken, missing, completions_of(this.job) or 0)
        if index_limit(this.job) is None:
            return list(pending), 0.0
        waits = {index: _index_wait(this, index) for index in pending}
        now: list[int | None] = [index for index, wait in waits.items() if wait <= 0]
        return now, 0.0 if now else min(waits.values(), default=0.0)


def _wanted(this: JobRound) -> int:
    """How many pods are to run."""
    completions, parallelism = completions_of(this.job), parallelism_of(this.job)
    if completions is None:
        return len(this.active) if this.succeeded > 0 else parallelism
    return max(0, min(completions - this.succeeded, parallelism))


def _index_wait(this: JobRound, index: int) -> float:
    failed = this.waiting.get(index)
    return 0.0 if failed is None else time_left(all_failures_of(failed) + 1, ended_at(failed), this.now)


def _surplus(this: JobRound, least: int) -> list[Object]:
    """Active pods that are to go: those without an index or with one twice, then as many as are too many."""
    going: list[Object] = []
    left = this.active
    if is_indexed(this.job):
        left = []
        for index in sorted({-1 if (found := valid_index(this.job, pod)) is None else found for pod in this.active}):
            same = [pod for pod in this.active if index_of(pod) == index] if index >= 0 else []
            ranked = first_to_go(same, (), this.now)
            going += ranked[:-1]
            left += ranked[-1:]
        going += [pod for pod in this.active if valid_index(this.job, pod) is None]
    if len(going) < least:
        going += first_to_go(left, (), this.now)[: least - len(going)]
    return going


def _pod(this: JobRound, index: int | None) -> Object:
    """A pod of the Job, with its index when it has one."""
    pod = pod_from(this.job["spec"]["template"], this.job)
    meta, spec = pod["metadata"], pod["spec"]
    meta["finalizers"] = list(dict.fromkeys([*(meta.get("finalizers") or []), TRACKING]))
    if index is None:
        return pod
    name = key_of(this.job)[1]
    suffix = f"-{index}-"
    meta["generateName"] = name[: LONGEST_NAME - len(suffix)] + suffix
    meta["labels"] = {**(meta.get("labels") or {}), INDEX: str(index)}
    meta["annotations"] = {**(meta.get("annotations") or {}), INDEX: str(index)}
    if index_limit(this.job) is not None:
        meta["annotations"] |= failure_annotations(this.job, this.waiting.get(index))
    spec["hostname"] = f"{name}-{index}"
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _number(container)
    return pod


def _number(container: dict[str, Any]) -> None:
    """Tell a container its index."""
    env = container.get("env") or []
    if all(one.get("name") != NUMBER for one in env):
        container["env"] = [*env, {"name": NUMBER, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}}]
