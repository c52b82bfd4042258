"""Sizes of a Deployment's ReplicaSets when it is scaled, not rolled: all by their share (pkg/controller/deployment/sync.go, scale)."""

from __future__ import annotations

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.deployment_facts import ROLLING_UPDATE, Rollout, active, asked, by_age, max_surge, strategy_of
from kubepane_embedded.controllers.deployment_revisions import DESIRED, MAXIMUM, remembered, size_annotations
from kubepane_embedded.controllers.replicasets import REPLICA_SETS, wanted_replicas
from kubepane_embedded.meta import Object, annotations_of, clone, metadata, uid_of
from kubepane_embedded.recorder import NORMAL, Recorder


class Scaler:
    """Sets sizes of ReplicaSets and tells of it.

    Args:
        client: Who acts.
        recorder: Where events about the Deployments go.
    """

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def resize(self, rollout: Rollout, replica_set: Object, size: int) -> bool:
        """Give a ReplicaSet another size; False when it has it."""
        if wanted_replicas(replica_set) == size:
            return False
        self._write(rollout, replica_set, size)
        return True

    def scale(self, rollout: Rollout) -> None:
        """Bring the sizes to what the Deployment asks for, without rolling on."""
        deployment = rollout.deployment
        single = _active_or_newest(rollout)
        if single is not None:
            self.resize(rollout, single, wanted_replicas(deployment))
        elif _is_saturated(rollout):
            for old in active(rollout.old):
                self.resize(rollout, old, 0)
        elif strategy_of(deployment) == ROLLING_UPDATE:
            for replica_set, size in proportional_sizes(rollout):
                self._write(rollout, replica_set, size)

    def _write(self, rollout: Rollout, replica_set: Object, size: int) -> None:
        deployment, before = rollout.deployment, wanted_replicas(replica_set)
        annotations = {**annotations_of(replica_set), **size_annotations(deployment)}
        if before == size and annotations == annotations_of(replica_set):
            return
        changed = clone(replica_set)
        changed["spec"]["replicas"] = size
        metadata(changed)["annotations"] = annotations
        rollout.replace(self._client.update(REPLICA_SETS, changed))
        if size != before:
            way, name = "up" if before < size else "down", replica_set["metadata"]["name"]
            self._recorder.event(deployment, NORMAL, "ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {size}")


def _active_or_newest(rollout: Rollout) -> Object | None:
    """The only one with pods; the newest when none has; None when several have (FindActiveOrLatest)."""
    running = active(rollout.all)
    if len(running) > 1:
        return None
    if running:
        return running[0]
    return rollout.new or (rollout.old[-1] if rollout.old else None)


def _is_saturated(rollout: Rollout) -> bool:
    """Whether the new ReplicaSet has all replicas, available, and was meant to (IsSaturated)."""
    new, replicas = rollout.new, wanted_replicas(rollout.deployment)
    if new is None:
        return False
    available = (new.get("status") or {}).get("availableReplicas") or 0
    return wanted_replicas(new) == replicas and remembered(new, DESIRED) == replicas and available == replicas


def proportional_sizes(rollout: Rollout) -> list[tuple[Object, int]]:
    """What is to be added or taken away, shared by size; what rounding leaves over goes to the largest."""
    deployment = rollout.deployment
    running = active(rollout.all)
    replicas = wanted_replicas(deployment)
    to_add = (replicas + max_surge(deployment) if replicas > 0 else 0) - asked(running)
    running.sort(key=by_age, reverse=to_add > 0)
    if to_add:
        running.sort(key=wanted_replicas, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for one in running:
        share = _share(one, deployment, to_add, added)
        sizes[uid_of(one)] = wanted_replicas(one) + share
        added += share
    if to_add and running:
        largest = uid_of(running[0])
        sizes[largest] = max(sizes[largest] + to_add - added, 0)
    return [(one, sizes[uid_of(one)]) for one in running]


def _share(replica_set: Object, deployment: Object, to_add: int, added: int) -> int:
    """Part of `to_add` for one ReplicaSet, never more than is left (GetReplicaSetProportion)."""
    left = to_add - added
    if not left or not to_add:
        return 0
    fraction = _fraction(replica_set, deployment)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(replica_set: Object, deployment: Object) -> int:
    """How much one ReplicaSet grows when the whole grows from what it remembers to what is allowed now (getReplicaSetFraction)."""
    size, replicas = wanted_replicas(replica_set), wanted_replicas(deployment)
    if replicas == 0:
        return -size
    before = remembered(replica_set, MAXIMUM) or (deployment.get("status") or {}).get("replicas") or 0
    if not before:
        return 0
    return int(size * (replicas + max_surge(deployment)) / before + 0.5) - size
