"""What a failed pod means for its Job, and when enough indexes have succeeded (pkg/controller/job/pod_failure_policy.go, success_policy.go)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from kubepane_embedded.meta import Object, key_of

FAIL_JOB = "FailJob"
FAIL_INDEX = "FailIndex"
IGNORE = "Ignore"


class Verdict(NamedTuple):
    """What a failure policy says: whether the failure counts, what is done, and why the Job fails when it does."""

    counts: bool = True
    action: str = ""
    message: str = ""


def judge_failure(job: Object, pod: Object) -> Verdict:
    """The first rule that fits a failed pod; without one its failure just counts."""
    policy = job["spec"].get("podFailurePolicy") or {}
    for place, rule in enumerate(policy.get("rules") or []):
        why = _exit_code(rule, pod) if rule.get("onExitCodes") else _condition(rule, pod)
        if why is None:
            continue
        action = rule.get("action") or ""
        return Verdict(action != IGNORE, action, f"{why} matching {action} rule at index {place}" if action == FAIL_JOB else "")
    return Verdict()


def _exit_code(rule: dict[str, Any], pod: Object) -> str | None:
    asked = rule["onExitCodes"]
    status = pod.get("status") or {}
    namespace, name = key_of(pod)
    for container in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]:
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode") or 0
        if not code or asked.get("containerName") not in (None, container.get("name")):
            continue
        if (code in (asked.get("values") or [])) == (asked.get("operator") == "In"):
            return f"Container {container.get('name')} for pod {namespace}/{name} failed with exit code {code}"
    return None


def _condition(rule: dict[str, Any], pod: Object) -> str | None:
    patterns = {(pattern.get("type"), pattern.get("status") or "True") for pattern in rule.get("onPodConditions") or []}
    namespace, name = key_of(pod)
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if (condition.get("type"), condition.get("status")) in patterns:
            return f"Pod {namespace}/{name} has condition {condition['type']}"
    return None


def judge_success(job: Object, succeeded: Collection[int], parse: Callable[[str], set[int]]) -> str:
    """Why the success policy is satisfied, "" when it is not (or there is none)."""
    policy = job["spec"].get("successPolicy") or {}
    for place, rule in enumerate(policy.get("rules") or [] if succeeded else []):
        asked = parse(rule.get("succeededIndexes") or "")
        if rule.get("succeededIndexes") is not None and not asked:
            continue
        reached = len(asked & set(succeeded)) if asked else len(succeeded)
        least = rule.get("succeededCount")
        if (asked and reached == len(asked)) or (least is not None and reached >= least):
            return f"Matched rules at index {place}"
    return ""
