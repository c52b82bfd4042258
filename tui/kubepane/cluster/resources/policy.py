"""PodDisruptionBudgets of policy/v1."""

from __future__ import annotations

from kubepane.cluster.resources.meta import IntOrString, Object, Selector, Struct


class BudgetSpec(Struct, frozen=True):
    selector: Selector | None = None
    min_available: IntOrString = None
    max_unavailable: IntOrString = None
    unhealthy_pod_eviction_policy: str = ""


class BudgetStatus(Struct, frozen=True):
    disruptions_allowed: int = 0
    desired_healthy: int = 0
    current_healthy: int = 0
    observed_generation: int = 0


class Budget(Object, frozen=True):
    """PodDisruptionBudget."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()
