"""pods/eviction: deletes a pod unless a PodDisruptionBudget forbids it (kubernetes/pkg/registry/core/pod/storage/eviction.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.api import Api
from kubepane_embedded.meta import Object, clone, is_deleting
from kubepane_embedded.requests import DeleteOptions, User
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.strategy import set_condition

BUDGETS = "poddisruptionbudgets.policy"
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(api: Api, user: User, namespace: str, name: str, options: DeleteOptions) -> None:
    """Evict a pod; 429 when a budget forbids it, 500 for two budgets, as upstream."""
    pods = api.registry.stored("pods")
    pod = api.get(pods, namespace, name).obj
    if not _is_free(pod):
        budgets = [one for one in api.storage.objects(BUDGETS, namespace) if _selects(one, pod)]
        if len(budgets) > 1:
            raise errors.ApiError(500, "", SEVERAL)
        if budgets and not _is_broken_and_allowed(budgets[0], pod):
            _take(api, budgets[0], name, options)
    if not options.dry_run and not is_deleting(pod):
        _mark(api, user, namespace, name)
    api.delete(user, pods, namespace, name, options)


def _is_free(pod: Object) -> bool:
    """Pods that no budget protects: pending, done, or going already."""
    return (pod.get("status") or {}).get("phase") in ("Pending", "Succeeded", "Failed") or is_deleting(pod)


def _selects(budget: Object, pod: Object) -> bool:
    return LabelSelector.of((budget.get("spec") or {}).get("selector")).matches_object(pod)


def _is_broken_and_allowed(budget: Object, pod: Object) -> bool:
    """Unhealthy pods under unhealthyPodEvictionPolicy: always free, or free while the budget is met."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    if any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status: dict[str, Any] = budget.get("status") or {}
    desired = int(status.get("desiredHealthy") or 0)
    return int(status.get("currentHealthy") or 0) >= desired > 0


def _take(api: Api, budget: Object, pod: str, options: DeleteOptions) -> None:
    """Count this disruption in the budget's status, or refuse."""
    status: dict[str, Any] = budget.get("status") or {}
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < (budget["metadata"].get("generation") or 0):
        text = f"The disruption budget {name} is still being processed by the server."
        raise _refusal(text, retry=10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed <= 0:
        needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _refusal(f"The disruption budget {name} needs {needs} healthy pods and has {has} currently")
    if options.dry_run:
        return
    after = clone(budget)
    after["status"]["disruptionsAllowed"] = allowed - 1
    after["status"].setdefault("disruptedPods", {})[pod] = api.clock.stamp()
    stored = api.storage.stored(BUDGETS, budget["metadata"]["namespace"], name)
    api.storage.put(BUDGETS, after, stored.managed if stored else ())


def _refusal(text: str, retry: int | None = None) -> errors.ApiError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": text}]}
    if retry is not None:
        details["retryAfterSeconds"] = retry
    return errors.ApiError(429, "TooManyRequests", REFUSED, details, {}, retry)


def _mark(api: Api, user: User, namespace: str, name: str) -> None:
    """Condition DisruptionTarget, as the eviction leaves it."""
    stored = api.storage.stored("pods", namespace, name)
    if stored is None or not stored.obj.get("spec", {}).get("nodeName"):
        return
    after = clone(stored.obj)
    condition = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": api.clock.stamp()}
    set_condition(after, {**condition, "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"})
    api.storage.put("pods", after, stored.managed)
