"""Readings of Jobs and their pods: spec, conditions, which pods failed and when (pkg/controller/job/job_controller.go, backoff_utils.go)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.meta import Object, annotations_of, finalizers_of, is_deleting
from kubepane_embedded.podfacts import condition, is_finished, phase

JOBS = "jobs.batch"
TRACKING = "batch.kubernetes.io/job-tracking"
"""Finalizer of pods whose end the Job has not counted yet."""
INDEX = "batch.kubernetes.io/job-completion-index"
CONTROLLER = "kubernetes.io/job-controller"
COMPLETE = "Complete"
FAILED = "Failed"
FAILURE_TARGET = "FailureTarget"
SUCCESS_CRITERIA_MET = "SuccessCriteriaMet"
Condition = dict[str, Any]


def is_indexed(job: Object) -> bool:
    """Whether each completion has a number of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def completions_of(job: Object) -> int | None:
    """spec.completions; None for a work queue, where one success is enough."""
    found = job["spec"].get("completions")
    return None if found is None else int(found)


def parallelism_of(job: Object) -> int:
    """spec.parallelism, which the server has set."""
    found = job["spec"].get("parallelism")
    return 1 if found is None else int(found)


def backoff_limit(job: Object) -> int:
    """spec.backoffLimit; the server sets it to the highest number for a Job with a limit per index."""
    found = job["spec"].get("backoffLimit")
    if found is not None:
        return int(found)
    return 6 if index_limit(job) is None else 2**31 - 1


def index_limit(job: Object) -> int | None:
    """spec.backoffLimitPerIndex."""
    found = job["spec"].get("backoffLimitPerIndex")
    return None if found is None else int(found)


def is_suspended(job: Object) -> bool:
    """spec.suspend."""
    return bool(job["spec"].get("suspend"))


def waits_for_the_end(job: Object) -> bool:
    """Whether a pod is replaced only when it has ended, not already when it is deleted (onlyReplaceFailedPods)."""
    return job["spec"].get("podReplacementPolicy") == "Failed" or bool(job["spec"].get("podFailurePolicy"))


def is_managed_elsewhere(job: Object) -> bool:
    """Whether spec.managedBy names another controller."""
    return job["spec"].get("managedBy") not in (None, CONTROLLER)


# conditions


def new_condition(kind: str, reason: str, message: str, now: str, status: str = "True") -> Condition:
    """A condition as Jobs have it: with the time of the last probe."""
    return {"type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now, "reason": reason, "message": message}


def is_true(job: Object, kind: str) -> Condition | None:
    """The condition of a kind when it is True."""
    found = condition(job, kind)
    return found if found is not None and found.get("status") == "True" else None


def end_of(job: Object) -> Condition | None:
    """The condition Complete or Failed of a Job that has ended."""
    return is_true(job, COMPLETE) or is_true(job, FAILED)


def ensure_condition(status: dict[str, Any], wanted: Condition) -> bool:
    """Set a condition; False when it says so already. From nothing to False is no change."""
    conditions: list[Condition] = status.setdefault("conditions", [])
    for place, present in enumerate(conditions):
        if present.get("type") == wanted["type"]:
            if all(present.get(part) == wanted[part] for part in ("status", "reason", "message")):
                return False
            conditions[place] = wanted
            return True
    if wanted["status"] == "False":
        return False
    conditions.append(wanted)
    return True


# pods


def is_tracked(pod: Object) -> bool:
    """Whether the pod still has to be counted."""
    return TRACKING in finalizers_of(pod)


def has_failed(pod: Object, job: Object) -> bool:
    """Whether a pod counts as failed; one that is being deleted does, unless the Job waits for its end."""
    if phase(pod) == "Failed":
        return True
    return not waits_for_the_end(job) and is_deleting(pod) and phase(pod) != "Succeeded"


def is_terminating(pod: Object) -> bool:
    """Whether a pod is being deleted and has not ended."""
    return is_deleting(pod) and not is_finished(pod)


def index_of(pod: Object) -> int | None:
    """The completion index of a pod, None when it has none."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else None


def ended_at(pod: Object) -> datetime:
    """When a pod ended: its last container, else since when it is not ready, else its deletion, else its creation."""
    return _containers_ended(pod) or _not_ready_since(pod) or _deleted_at(pod) or parse_stamp(pod["metadata"]["creationTimestamp"])


def _containers_ended(pod: Object) -> datetime | None:
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    sidecars = {one.get("name") for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    states = [*(status.get("containerStatuses") or [])]
    states += [one for one in status.get("initContainerStatuses") or [] if one.get("name") in sidecars]
    ends: list[str] = [((one.get("state") or {}).get("terminated") or {}).get("finishedAt") or "" for one in states]
    return max(map(parse_stamp, ends)) if ends and all(ends) else None


def _not_ready_since(pod: Object) -> datetime | None:
    found = condition(pod, "Ready") or {}
    text = found.get("lastTransitionTime") if found.get("status") == "False" else None
    return parse_stamp(text) if text else None


def _deleted_at(pod: Object) -> datetime | None:
    meta = pod["metadata"]
    if not is_deleting(pod):
        return None
    return parse_stamp(meta["deletionTimestamp"]) - timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
