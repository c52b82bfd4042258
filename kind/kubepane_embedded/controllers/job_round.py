"""One look at a Job and its pods: how many did what, and whether that ends the Job (pkg/controller/job/job_controller.go, syncJob)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp, stamp
from kubepane_embedded.controllers.job_backoff import BackoffRecord
from kubepane_embedded.controllers.job_facts import (
    FAILED,
    FAILURE_TARGET,
    SUCCESS_CRITERIA_MET,
    Condition,
    backoff_limit,
    completions_of,
    has_failed,
    index_limit,
    is_indexed,
    is_suspended,
    is_terminating,
    is_tracked,
    is_true,
    new_condition,
)
from kubepane_embedded.controllers.job_indexes import has_index_failed, indexes_of, last_failed, parse_indexes, valid_index
from kubepane_embedded.controllers.job_policies import judge_failure, judge_success
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, uid_of
from kubepane_embedded.podfacts import is_active, is_ready, phase


@dataclass(slots=True)
class JobRound:
    """Pods by what they did, and the Job's status as it is to become.

    Args:
        job: A working copy: its status is changed here, and written by the controller.
        pods: The Job's pods.
        before: Failures counted in earlier rounds.
        now: One moment for the whole round.
    """

    job: Object
    pods: list[Object]
    before: BackoffRecord
    now: datetime
    finished: Condition | None = None
    """What ends the Job: FailureTarget or SuccessCriteriaMet, later Failed or Complete."""
    refusal: ApiError | None = None
    """What the server refused in this round; raised at its end, so that the round is repeated."""
    staying: int = field(init=False)
    """Active pods after what this round did: the status' number."""
    active: list[Object] = field(init=False)
    ready: int = field(init=False)
    terminating: int = field(init=False)
    succeeded: int = field(init=False)
    failed: int = field(init=False)
    backoff: BackoffRecord = field(init=False)
    uncounted_succeeded: frozenset[str] = field(init=False)
    uncounted_failed: frozenset[str] = field(init=False)
    counted_indexes: set[int] = field(init=False, default_factory=set)
    succeeded_indexes: set[int] = field(init=False, default_factory=set)
    failed_indexes: set[int] | None = field(init=False, default=None)
    waiting: dict[int, Object] = field(init=False, default_factory=dict)
    """Per index: the failed pod that is kept until its successor is made."""

    def __post_init__(self) -> None:
        status = self.status
        uncounted = status.setdefault("uncountedTerminatedPods", {})
        self.uncounted_succeeded = frozenset(uncounted.setdefault("succeeded", []))
        self.uncounted_failed = frozenset(uncounted.setdefault("failed", []))
        self.active = [pod for pod in self.pods if is_active(pod)]
        self.staying = len(self.active)
        self.ready = sum(is_ready(pod) for pod in self.active)
        self.terminating = sum(is_terminating(pod) for pod in self.pods)
        succeeded = [pod for pod in self._new(self.uncounted_succeeded) if phase(pod) == "Succeeded"]
        failed = [pod for pod in self._new(self.uncounted_failed) if has_failed(pod, self.job)]
        self.succeeded = (status.get("succeeded") or 0) + len(succeeded) + len(self.uncounted_succeeded)
        counted = sum(judge_failure(self.job, pod).counts for pod in failed)
        self.failed = (status.get("failed") or 0) + counted + len(self.uncounted_failed)
        self.backoff = self.before.after(succeeded, failed)
        if is_indexed(self.job):
            self._look_at_indexes()

    @property
    def status(self) -> dict[str, Any]:
        """The working copy's status."""
        found: dict[str, Any] = self.job["status"]
        return found

    def _new(self, uncounted: frozenset[str]) -> list[Object]:
        """Pods that no count has yet; of an Indexed Job only those with an index."""
        tracked = [pod for pod in self.pods if is_tracked(pod) and uid_of(pod) not in uncounted]
        return [pod for pod in tracked if valid_index(self.job, pod) is not None] if is_indexed(self.job) else tracked

    def _look_at_indexes(self) -> None:
        completions = completions_of(self.job) or 0
        self.counted_indexes = parse_indexes(self.status.get("completedIndexes"), completions)
        tracked = [(valid_index(self.job, pod), pod) for pod in self.pods if is_tracked(pod)]
        new = {index for index, pod in tracked if index is not None and phase(pod) == "Succeeded"}
        self.succeeded_indexes = self.counted_indexes | new
        self.succeeded = len(self.succeeded_indexes)
        if index_limit(self.job) is None:
            return
        new = {index for index, pod in tracked if index is not None and has_index_failed(self.job, pod)}
        self.failed_indexes = parse_indexes(self.status.get("failedIndexes"), completions) | new
        settled = self.succeeded_indexes | self.failed_indexes | indexes_of(self.active)
        self.waiting = last_failed(self.job, self.pods, settled)

    # what ends the Job, in the order of upstream

    def judge(self) -> None:
        """Find out whether the Job has reached its end, one way or the other."""
        for rule in (self._known_success, self._known_failure, self._failure_policy, self._limits, self._index_limits, self._success_policy):
            self.finished = rule()
            if self.finished is not None:
                return

    def _said(self, kind: str, reason: str, message: str) -> Condition:
        return new_condition(kind, reason, message, stamp(self.now))

    def _known_success(self) -> Condition | None:
        return is_true(self.job, SUCCESS_CRITERIA_MET)

    def _known_failure(self) -> Condition | None:
        target = is_true(self.job, FAILURE_TARGET)
        return target and self._said(FAILED, target.get("reason") or "", target.get("message") or "")

    def _failure_policy(self) -> Condition | None:
        if not self.job["spec"].get("podFailurePolicy"):
            return None
        messages = (judge_failure(self.job, pod).message for pod in self.pods if has_failed(pod, self.job))
        message = next(filter(None, messages), "")
        return self._said(FAILURE_TARGET, "PodFailurePolicy", message) if message else None

    def _limits(self) -> Condition | None:
        if self.failed > backoff_limit(self.job) or self._too_many_restarts():
            return self._said(FAILURE_TARGET, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        left = self.deadline_left()
        if left is not None and left <= 0:
            return self._said(FAILURE_TARGET, "DeadlineExceeded", "Job was active longer than specified deadline")
        return None

    def _too_many_restarts(self) -> bool:
        """With restartPolicy OnFailure, restarts of containers are what the limit is for."""
        if self.job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        statuses = [pod.get("status") or {} for pod in self.pods if phase(pod) in ("Running", "Pending")]
        containers = [one for status in statuses for kind in ("initContainerStatuses", "containerStatuses") for one in status.get(kind) or []]
        restarts = sum(one.get("restartCount") or 0 for one in containers)
        return restarts >= max(backoff_limit(self.job), 1)

    def deadline_left(self) -> float | None:
        """Seconds until the Job has been active too long; None without such a limit."""
        seconds, start = self.job["spec"].get("activeDeadlineSeconds"), self.status.get("startTime")
        if seconds is None or not start or is_suspended(self.job):
            return None
        return (parse_stamp(start) + timedelta(seconds=seconds) - self.now).total_seconds()

    def _index_limits(self) -> Condition | None:
        if not self.failed_indexes:
            return None
        most = self.job["spec"].get("maxFailedIndexes")
        if most is not None and len(self.failed_indexes) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return self._said(FAILURE_TARGET, "MaxFailedIndexesExceeded", message)
        if len(self.failed_indexes) + len(self.succeeded_indexes) >= (completions_of(self.job) or 0):
            return self._said(FAILURE_TARGET, "FailedIndexes", "Job has failed indexes")
        return None

    def _success_policy(self) -> Condition | None:
        completions = completions_of(self.job) or 0
        why = judge_success(self.job, self.succeeded_indexes, lambda text: parse_indexes(text, completions)) if is_indexed(self.job) else ""
        return self._said(SUCCESS_CRITERIA_MET, "SuccessPolicy", why) if why else None

    def is_complete(self, active: int) -> bool:
        """Whether enough pods have succeeded and none is left."""
        completions = completions_of(self.job)
        enough = self.succeeded > 0 if completions is None else self.succeeded >= completions
        return enough and active == 0

    def complete(self) -> None:
        """The Job ends because enough pods have succeeded."""
        self.finished = self._said(SUCCESS_CRITERIA_MET, "CompletionsReached", "Reached expected number of succeeded pods")
