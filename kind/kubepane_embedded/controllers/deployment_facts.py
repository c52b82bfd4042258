"""What a Deployment asks of its rollout: replicas, surge, unavailability, deadline (pkg/controller/deployment/util)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubepane_embedded.controllers.replicasets import wanted_replicas
from kubepane_embedded.meta import Object, uid_of

DEPLOYMENTS = "deployments.apps"
ROLLING_UPDATE = "RollingUpdate"
RECREATE = "Recreate"
NEVER = 2**31 - 1
"""As a deadline or history limit: none."""


@dataclass(slots=True)
class Rollout:
    """One look at a Deployment and its ReplicaSets.

    Args:
        deployment: A working copy: its annotations and status are changed here and written once, at the end.
        new: The ReplicaSet with the Deployment's template, None while there is none.
        old: All others, oldest first.
    """

    deployment: Object
    new: Object | None
    old: list[Object]

    @property
    def all(self) -> list[Object]:
        """Old ones, then the new one."""
        return self.old if self.new is None else [*self.old, self.new]

    def replace(self, replica_set: Object) -> None:
        """Put in a newer version of a ReplicaSet."""
        uid = uid_of(replica_set)
        if self.new is not None and uid_of(self.new) == uid:
            self.new = replica_set
        self.old = [replica_set if uid_of(one) == uid else one for one in self.old]


def scaled(value: int | str | None, total: int, round_up: bool) -> int:
    """An int-or-percent of a total (intstr.GetScaledValueFromIntOrPercent); None is 0."""
    if not isinstance(value, str):
        return value or 0
    product = int(value.removesuffix("%")) * total
    return -(-product // 100) if round_up else product // 100


def strategy_of(deployment: Object) -> str:
    """spec.strategy.type."""
    return (deployment["spec"].get("strategy") or {}).get("type") or ROLLING_UPDATE


def fenceposts(deployment: Object) -> tuple[int, int]:
    """Surge, rounded up, and unavailability, rounded down; one may be unavailable when both come to nothing (ResolveFenceposts)."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = wanted_replicas(deployment)
    surge = scaled(rolling.get("maxSurge"), replicas, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable"), replicas, round_up=False)
    return surge, unavailable if surge or unavailable else 1


def max_surge(deployment: Object) -> int:
    """Pods there may be beyond the replicas."""
    return fenceposts(deployment)[0] if strategy_of(deployment) == ROLLING_UPDATE else 0


def max_unavailable(deployment: Object) -> int:
    """Replicas that need not be available."""
    replicas = wanted_replicas(deployment)
    return min(fenceposts(deployment)[1], replicas) if strategy_of(deployment) == ROLLING_UPDATE else 0


def progress_deadline(deployment: Object) -> int | None:
    """Seconds without progress after which a rollout has failed; None when there is no such limit."""
    return _limit(deployment, "progressDeadlineSeconds")


def history_limit(deployment: Object) -> int | None:
    """How many old ReplicaSets are kept; None for all."""
    return _limit(deployment, "revisionHistoryLimit")


def _limit(deployment: Object, name: str) -> int | None:
    value: int | None = deployment["spec"].get(name)
    return None if value == NEVER else value


def active(replica_sets: Iterable[Object]) -> list[Object]:
    """Those that ask for pods."""
    return [one for one in replica_sets if wanted_replicas(one) > 0]


def asked(replica_sets: Iterable[Object]) -> int:
    """Sum of spec.replicas."""
    return sum(wanted_replicas(one) for one in replica_sets)


def reported(replica_sets: Iterable[Object], name: str) -> int:
    """Sum of a number in the status."""
    return sum((one.get("status") or {}).get(name) or 0 for one in replica_sets)


def is_observed(replica_set: Object) -> bool:
    """Whether the numbers in the status belong to the present spec."""
    return reported([replica_set], "observedGeneration") >= (replica_set["metadata"].get("generation") or 0)


def by_age(replica_set: Object) -> tuple[str, str]:
    """Sort key: oldest first, equal ones by name."""
    meta = replica_set["metadata"]
    return meta.get("creationTimestamp") or "", meta["name"]


def is_complete(deployment: Object, status: dict[str, Any]) -> bool:
    """Whether all replicas are updated and available and no old pod is left (DeploymentComplete)."""
    replicas = wanted_replicas(deployment)
    counts = (status.get(name) or 0 for name in ("updatedReplicas", "replicas", "availableReplicas"))
    observed = (status.get("observedGeneration") or 0) >= (deployment["metadata"].get("generation") or 0)
    return observed and all(count == replicas for count in counts)
