"""Numbers and conditions of a Deployment, and how its progress is judged (pkg/controller/deployment/{sync,progress}.go)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp, stamp
from kubepane_embedded.controllers.deployment_facts import Rollout, asked, is_complete, max_unavailable, progress_deadline, reported
from kubepane_embedded.controllers.replicasets import FAILURE, wanted_replicas
from kubepane_embedded.meta import Object

Status = dict[str, Any]
PROGRESSING = "Progressing"
AVAILABLE = "Available"
TIMED_OUT = "ProgressDeadlineExceeded"
ALL_AVAILABLE = "NewReplicaSetAvailable"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
FOUND = "FoundNewReplicaSet"
CREATED = "NewReplicaSetCreated"
CREATE_ERROR = "ReplicaSetCreateError"
UPDATED = "ReplicaSetUpdated"


def condition_of(status: Status, kind: str) -> Status | None:
    """The condition of a type, or None."""
    return next((one for one in status.get("conditions") or [] if one.get("type") == kind), None)


def reason_of(status: Status, kind: str) -> str:
    """The reason of the condition of a type, "" without one."""
    return (condition_of(status, kind) or {}).get("reason") or ""


def new_condition(kind: str, value: str, reason: str, message: str, now: datetime) -> Status:
    """A condition that begins now."""
    times = {"lastUpdateTime": stamp(now), "lastTransitionTime": stamp(now)}
    return {"type": kind, "status": value, **times, "reason": reason, "message": message}


def set_condition(status: Status, condition: Status) -> None:
    """Put a condition last, unless one with its status and reason is there; its transition is dated by changes of status alone."""
    present = condition_of(status, condition["type"])
    if present is not None and present.get("status") == condition["status"]:
        if present.get("reason") == condition["reason"]:
            return
        condition = {**condition, "lastTransitionTime": present.get("lastTransitionTime")}
    remove_condition(status, condition["type"])
    status["conditions"] = [*(status.get("conditions") or []), condition]


def remove_condition(status: Status, kind: str) -> None:
    """Take the condition of a type away."""
    kept = [one for one in status.get("conditions") or [] if one.get("type") != kind]
    status["conditions"] = kept
    if not kept:
        del status["conditions"]


def note_pause(deployment: Object, now: datetime) -> None:
    """Say that a rollout is paused or resumed, so that time in between does not count (checkPausedConditions)."""
    status, paused = deployment["status"], bool(deployment["spec"].get("paused"))
    reason = reason_of(status, PROGRESSING)
    if progress_deadline(deployment) is None or reason == TIMED_OUT or paused == (reason == PAUSED):
        return
    if paused:
        set_condition(status, new_condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now))
    else:
        set_condition(status, new_condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now))


def counted(rollout: Rollout, now: datetime) -> Status:
    """The status by the ReplicaSets' numbers, zeros left out, with the condition Available; other conditions as they were."""
    deployment = rollout.deployment
    available = reported(rollout.all, "availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation") or 0,
        "replicas": reported(rollout.all, "replicas"),
        "updatedReplicas": reported([rollout.new] if rollout.new else [], "replicas"),
        "readyReplicas": reported(rollout.all, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(asked(rollout.all) - available, 0),
    }
    status: Status = {name: count for name, count in counts.items() if count}
    terminating = _terminating(rollout)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    before = deployment["status"]
    for kept in ("collisionCount", "conditions"):
        if before.get(kept) is not None:
            status[kept] = before[kept]
    if available >= wanted_replicas(deployment) - max_unavailable(deployment):
        text = "Deployment has minimum availability."
        set_condition(status, new_condition(AVAILABLE, "True", "MinimumReplicasAvailable", text, now))
    else:
        text = "Deployment does not have minimum availability."
        set_condition(status, new_condition(AVAILABLE, "False", "MinimumReplicasUnavailable", text, now))
    return status


def _terminating(rollout: Rollout) -> int | None:
    """Pods on their way out; None when a ReplicaSet that was looked at does not say."""
    total = 0
    for status in (one.get("status") or {} for one in rollout.all):
        count = status.get("terminatingReplicas")
        if count is None and status.get("observedGeneration"):
            return None
        total += count or 0
    return total


def judged(rollout: Rollout, now: datetime) -> Status:
    """The status during a rollout: `counted`, with Progressing and ReplicaFailure (syncRolloutStatus)."""
    deployment = rollout.deployment
    before = deployment["status"]
    status = counted(rollout, now)
    if progress_deadline(deployment) is None:
        remove_condition(status, PROGRESSING)
    elif not _was_complete(before, status):
        _judge_progress(rollout, before, status, now)
    failure = _failure(rollout)
    if failure is None:
        remove_condition(status, FAILURE)
    else:
        set_condition(status, failure)
    return status


def _was_complete(before: Status, status: Status) -> bool:
    """Whether the rollout had ended and this is but another look."""
    return status.get("replicas", 0) == status.get("updatedReplicas", 0) and reason_of(before, PROGRESSING) == ALL_AVAILABLE


def _judge_progress(rollout: Rollout, before: Status, status: Status, now: datetime) -> None:
    deployment = rollout.deployment
    subject = f'ReplicaSet "{rollout.new["metadata"]["name"]}"' if rollout.new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, status):
        set_condition(status, new_condition(PROGRESSING, "True", ALL_AVAILABLE, f"{subject} has successfully progressed.", now))
    elif _has_progressed(before, status):
        condition = new_condition(PROGRESSING, "True", UPDATED, f"{subject} is progressing.", now)
        present = condition_of(before, PROGRESSING)
        if present is not None and present.get("status") == "True":
            condition["lastTransitionTime"] = present.get("lastTransitionTime")
        remove_condition(status, PROGRESSING)  # the same reason again still renews lastUpdateTime
        set_condition(status, condition)
    elif _has_timed_out(deployment, status, now):
        set_condition(status, new_condition(PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing.", now))


def _has_progressed(before: Status, status: Status) -> bool:
    """More new pods, fewer old ones, more ready or available (DeploymentProgressing)."""

    def grown(name: str) -> bool:
        return (status.get(name) or 0) > (before.get(name) or 0)

    def outdated(one: Status) -> int:
        return (one.get("replicas") or 0) - (one.get("updatedReplicas") or 0)

    return grown("updatedReplicas") or outdated(status) < outdated(before) or grown("readyReplicas") or grown("availableReplicas")


def _has_timed_out(deployment: Object, status: Status, now: datetime) -> bool:
    condition = condition_of(status, PROGRESSING)
    if condition is None or condition.get("reason") == ALL_AVAILABLE:
        return False
    due = deadline_of(deployment, condition)
    return due is not None and due < now


def deadline_of(deployment: Object, condition: Status) -> datetime | None:
    """When a rollout whose last progress is told by this condition has failed; None for never."""
    seconds, since = progress_deadline(deployment), condition.get("lastUpdateTime")
    return parse_stamp(since) + timedelta(seconds=seconds) if since and seconds is not None else None


def _failure(rollout: Rollout) -> Status | None:
    """ReplicaFailure of the new ReplicaSet, or else of any other, as a Deployment says it."""
    preferred = [*([rollout.new] if rollout.new else []), *rollout.old]
    found = (condition_of(one.get("status") or {}, FAILURE) for one in preferred)
    failure = next((one for one in found if one is not None), None)
    return None if failure is None else {**failure, "lastUpdateTime": failure.get("lastTransitionTime")}
