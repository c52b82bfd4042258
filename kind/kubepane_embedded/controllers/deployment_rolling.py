"""How the new ReplicaSet takes over: step by step, or after all old pods are gone (pkg/controller/deployment/{rolling,recreate}.go)."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.controllers.deployment_facts import (
    RECREATE,
    Rollout,
    active,
    asked,
    max_surge,
    max_unavailable,
    reported,
    strategy_of,
)
from kubepane_embedded.controllers.deployment_scaling import Scaler
from kubepane_embedded.controllers.replicasets import wanted_replicas
from kubepane_embedded.meta import Object
from kubepane_embedded.podfacts import is_finished


def new_size(rollout: Rollout) -> int:
    """How many replicas the new ReplicaSet may have now (NewRSNewReplicas)."""
    deployment = rollout.deployment
    replicas, present = wanted_replicas(deployment), asked([rollout.new] if rollout.new else [])
    if strategy_of(deployment) == RECREATE:
        return replicas
    room = replicas + max_surge(deployment) - asked(rollout.all)
    return present + min(room, replicas - present) if room > 0 else present


def roll_up(scaler: Scaler, rollout: Rollout, new: Object) -> bool:
    """Grow the new ReplicaSet as far as the surge allows, or shrink it to the replicas; whether it was resized."""
    replicas = wanted_replicas(rollout.deployment)
    return scaler.resize(rollout, new, new_size(rollout) if wanted_replicas(new) < replicas else replicas)


def roll_down(scaler: Scaler, rollout: Rollout, new: Object) -> bool:
    """Shrink old ReplicaSets as far as availability allows, those with unhealthy pods first; whether any was resized."""
    if not active(rollout.old):
        return False
    needed = wanted_replicas(rollout.deployment) - max_unavailable(rollout.deployment)
    not_there_yet = wanted_replicas(new) - reported([new], "availableReplicas")
    spare = asked(rollout.all) - needed - not_there_yet
    if spare <= 0:
        return False
    cleaned = _drop_unhealthy(scaler, rollout, spare)
    dropped = _drop(scaler, rollout, reported(rollout.all, "availableReplicas") - needed)
    return cleaned + dropped > 0


def _drop_unhealthy(scaler: Scaler, rollout: Rollout, most: int) -> int:
    """Take away old replicas that are not available: ReplicaSets delete such pods first."""
    dropped = 0
    for one in active(rollout.old):
        count = min(most - dropped, wanted_replicas(one) - reported([one], "availableReplicas"))
        if count > 0:
            scaler.resize(rollout, one, wanted_replicas(one) - count)
            dropped += count
    return dropped


def _drop(scaler: Scaler, rollout: Rollout, most: int) -> int:
    dropped = 0
    for one in active(rollout.old):
        count = min(wanted_replicas(one), most - dropped)
        if count > 0:
            scaler.resize(rollout, one, wanted_replicas(one) - count)
            dropped += count
    return dropped


def stop_old(scaler: Scaler, rollout: Rollout) -> bool:
    """Take all pods away from old ReplicaSets (Recreate); whether any had some."""
    return any([scaler.resize(rollout, one, 0) for one in active(rollout.old)])  # noqa: C419 - all of them, not up to the first


def old_pods_run(rollout: Rollout, old_pods: Iterable[Object]) -> bool:
    """Whether pods of old ReplicaSets are still there (oldPodsRunning)."""
    return reported(rollout.old, "replicas") > 0 or any(not is_finished(pod) for pod in old_pods)
