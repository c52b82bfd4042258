"""How pods that have ended are counted once and only once: noted in the status, let go of, then counted
(pkg/controller/job/job_controller.go, trackJobStatusAndRemoveFinalizers)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.job_backoff import BackoffRecord
from kubepane_embedded.controllers.job_facts import (
    COMPLETE,
    FAILED,
    FAILURE_TARGET,
    JOBS,
    SUCCESS_CRITERIA_MET,
    completions_of,
    ensure_condition,
    has_failed,
    index_of,
    is_indexed,
    is_tracked,
    is_true,
    new_condition,
)
from kubepane_embedded.controllers.job_indexes import format_indexes, valid_index
from kubepane_embedded.controllers.job_pods import release
from kubepane_embedded.controllers.job_policies import judge_failure
from kubepane_embedded.controllers.job_round import JobRound
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, is_deleting, key_of, uid_of
from kubepane_embedded.podfacts import phase
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder

MOST_UNCOUNTED = 500
"""Uids in status.uncountedTerminatedPods."""


class JobTracking:
    """Counts pods and ends Jobs.

    Args:
        client: Who writes.
        recorder: Where events about Jobs go.
    """

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self.backoffs: dict[Key, BackoffRecord] = {}

    def track(self, this: JobRound, changed: bool) -> None:
        """Write the status, let go of counted pods, write it again; `changed` when the status differs already."""
        tracked = {uid_of(pod) for pod in this.pods if is_tracked(pod)}
        changed = _settle(this.status, tracked) or changed
        leaving, noted, full = _note(this)
        changed = any([_indexes(this), _target(this), noted, changed])
        if changed:
            self._write(this)
            self.backoffs[key_of(this.job)] = this.backoff
        refusal = self._let_go(leaving, tracked)
        counted = _settle(this.status, tracked)
        if refusal is not None:
            if counted:
                self._write(this)
            raise refusal
        ended = not full and self._end(this)
        if counted or ended:
            self._write(this)
        if ended:
            self._tell(this)

    def _let_go(self, pods: list[Object], tracked: set[str]) -> ApiError | None:
        first: ApiError | None = None
        for pod in pods:
            try:
                release(self._client, pod)
                tracked.discard(uid_of(pod))
            except ApiError as refusal:
                first = first or refusal
        return first

    def _end(self, this: JobRound) -> bool:
        """Add Complete or Failed once every pod is counted and none is on its way out."""
        uncounted = this.status["uncountedTerminatedPods"]
        if this.finished is None or uncounted["succeeded"] or uncounted["failed"] or this.terminating > 0:
            return False
        now = self._client.clock.stamp()
        end = {**this.finished, "lastProbeTime": now, "lastTransitionTime": now}
        ensure_condition(this.status, end)
        if end["type"] == COMPLETE:
            this.status["completionTime"] = this.finished["lastTransitionTime"]
        return True

    def _tell(self, this: JobRound) -> None:
        end, wanted = this.finished or {}, completions_of(this.job)
        if end.get("type") != COMPLETE:
            self._recorder.event(this.job, WARNING, end.get("reason") or "", end.get("message") or "")
            return
        if wanted is not None and (this.status.get("succeeded") or 0) > wanted:
            self._recorder.event(this.job, WARNING, "TooManySucceededPods", "Too many succeeded pods running after completion count reached")
        self._recorder.event(this.job, NORMAL, "Completed", "Job completed")

    def _write(self, this: JobRound) -> None:
        wanted = {**this.job, "status": stored(this.status)}
        this.job["metadata"] = clone(self._client.update_status(JOBS, wanted)["metadata"])


def stored(status: dict[str, Any]) -> dict[str, Any]:
    """The status as the server keeps it: zeros and what is empty left out, where a Job's status has them so."""
    always = ("ready", "terminating", "failedIndexes", "uncountedTerminatedPods")
    kept = {name: value for name, value in status.items() if value or (name in always and value is not None)}
    kept["uncountedTerminatedPods"] = {name: list(uids) for name, uids in status["uncountedTerminatedPods"].items() if uids}
    return kept


def _settle(status: dict[str, Any], tracked: set[str]) -> bool:
    """Count the noted pods that were let go of (cleanUncountedPodsWithoutFinalizers)."""
    uncounted, changed = status["uncountedTerminatedPods"], False
    for name in ("succeeded", "failed"):
        left = [uid for uid in uncounted[name] if uid in tracked]
        if len(left) != len(uncounted[name]):
            status[name] = (status.get(name) or 0) + len(uncounted[name]) - len(left)
            uncounted[name] = left
            changed = True
    return changed


def _note(this: JobRound) -> tuple[list[Object], bool, bool]:
    """Note ended pods in the status; which pods may go, whether the status changed, and whether it is full."""
    leaving: list[Object] = []
    noted = False
    new_indexes = 0
    uncounted = this.status["uncountedTerminatedPods"]
    pods = sorted(this.pods, key=lambda pod: -1 if (index := index_of(pod)) is None else index) if is_indexed(this.job) else this.pods
    for pod in pods:
        if not is_tracked(pod) or not _may_go(this, pod):
            continue
        leaving.append(pod)
        kind = _kind(this, pod)
        if kind == "index":
            new_indexes += 1
        elif kind:
            uncounted[kind].append(uid_of(pod))
        noted = noted or bool(kind)
        if new_indexes + len(uncounted["succeeded"]) + len(uncounted["failed"]) >= MOST_UNCOUNTED:
            return leaving, noted, True
    return leaving, noted, False


def _may_go(this: JobRound, pod: Object) -> bool:
    """Whether a pod is done with: it has ended or all has; one that failed its index stays until its successor is made."""
    if is_deleting(this.job) or this.finished is not None or phase(pod) == "Succeeded":
        return True
    return has_failed(pod, this.job) and all(uid_of(one) != uid_of(pod) for one in this.waiting.values())


def _kind(this: JobRound, pod: Object) -> str:
    """How a pod is noted: among the succeeded, the failed, by its index, or "" for not at all."""
    uid, index = uid_of(pod), valid_index(this.job, pod)
    if phase(pod) == "Succeeded" and uid not in this.uncounted_failed:
        if is_indexed(this.job):
            return "index" if index is not None and index not in this.counted_indexes else ""
        return "" if uid in this.uncounted_succeeded else "succeeded"
    ends_badly = this.finished is not None and this.finished["type"] != SUCCESS_CRITERIA_MET
    if not (has_failed(pod, this.job) or ends_badly) or uid in this.uncounted_failed:
        return ""
    counts = (index is not None or not is_indexed(this.job)) and judge_failure(this.job, pod).counts
    return "failed" if counts else ""


def _indexes(this: JobRound) -> bool:
    """Write the indexes into the status."""
    if not is_indexed(this.job):
        return False
    status = this.status
    done = format_indexes(this.succeeded_indexes)
    failed = None if this.failed_indexes is None else format_indexes(this.failed_indexes)
    changed = done != (status.get("completedIndexes") or "") or failed != status.get("failedIndexes")
    status["succeeded"], status["completedIndexes"], status["failedIndexes"] = len(this.succeeded_indexes), done, failed
    return changed


def _target(this: JobRound) -> bool:
    """Say how the Job is going to end before the pods are let go of; from here on the round means the end itself."""
    found = this.finished
    if found is None or found["type"] not in (FAILURE_TARGET, SUCCESS_CRITERIA_MET):
        return False
    is_new = is_true(this.job, found["type"]) is None
    if is_new:
        this.status["conditions"] = [*(this.status.get("conditions") or []), found]
    end = FAILED if found["type"] == FAILURE_TARGET else COMPLETE
    now = this.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    this.finished = new_condition(end, found.get("reason") or "", found.get("message") or "", now)
    return is_new
