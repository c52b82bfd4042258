"""Deployments: a ReplicaSet for each pod template, and the way from one to the next (pkg/controller/deployment)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kubepane_embedded.controllers import deployment_status as conditions
from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.deployment_facts import (
    DEPLOYMENTS,
    RECREATE,
    Rollout,
    active,
    history_limit,
    is_complete,
    is_observed,
    progress_deadline,
    reported,
    strategy_of,
)
from kubepane_embedded.controllers.deployment_revisions import (
    DESIRED,
    REVISION,
    described,
    new_replica_set,
    remembered,
    revision,
    rollout_of,
)
from kubepane_embedded.controllers.deployment_rolling import new_size, old_pods_run, roll_down, roll_up, stop_old
from kubepane_embedded.controllers.deployment_scaling import Scaler
from kubepane_embedded.controllers.orphans import adopters, index_orphans, orphans
from kubepane_embedded.controllers.podcontrol import controlled_by, is_terminating_namespace
from kubepane_embedded.controllers.replicasets import REPLICA_SETS, is_controlled_by, wanted_replicas
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, annotations_of, clone, is_deleting, key_of, metadata, uid_of
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

SELECTING_ALL = "This deployment is selecting all pods. A non-empty selector is required."


class DeploymentController:
    """Rolls out every Deployment.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "deployment-controller")
        self._scaler = Scaler(self._client, self._recorder)
        self._queue = WorkQueue(core.clock, self.reconcile, "deployment")

    def start(self) -> None:
        """Follow Deployments and ReplicaSets; pods that a Recreate waits for are in their ReplicaSets' terminatingReplicas."""
        index_orphans(self._storage, REPLICA_SETS)
        self._storage.subscribe(DEPLOYMENTS, self._queue.add)
        self._storage.subscribe(REPLICA_SETS, self._queue.add, controlled_by("Deployment"))
        self._storage.subscribe(REPLICA_SETS, self._queue.add, adopters(self._storage, DEPLOYMENTS))
        for one in self._storage.objects(DEPLOYMENTS):
            self._queue.add(key_of(one))

    def reconcile(self, key: Key) -> None:
        """Look at a Deployment and take the next step of its rollout, if there is one."""
        present = self._storage.read(DEPLOYMENTS, *key)
        if present is None:
            return
        deployment = clone(present)
        deployment["status"] = deployment.get("status") or {}
        try:
            if deployment["spec"].get("selector") == {}:
                self._refuse(deployment)
            else:
                self._sync(deployment)
        except ApiError as refusal:
            self._save(deployment)
            if not is_terminating_namespace(refusal):
                raise
            return
        if not self._save(deployment):
            self._look_again(deployment)

    def _save(self, deployment: Object) -> bool:
        """Write status and annotations if they are not so already."""
        present = self._storage.read(DEPLOYMENTS, *key_of(deployment))
        if present is None or uid_of(present) != uid_of(deployment):
            return True
        same = (present.get("status") or {}) == deployment["status"] and annotations_of(present) == annotations_of(deployment)
        if not same:
            self._client.update_status(DEPLOYMENTS, deployment)
        return not same

    def _refuse(self, deployment: Object) -> None:
        self._recorder.event(deployment, WARNING, "SelectingAll", SELECTING_ALL)
        deployment["status"]["observedGeneration"] = deployment["metadata"].get("generation") or 0

    def _sync(self, deployment: Object) -> None:
        now = self._clock.now()
        rollout = rollout_of(deployment, self._replica_sets(deployment))
        if not is_deleting(deployment):
            conditions.note_pause(deployment, now)
        self._number(rollout)
        if is_deleting(deployment):
            deployment["status"] = conditions.counted(rollout, now)
        elif deployment["spec"].get("paused") or _is_scaled(rollout):
            self._scaler.scale(rollout)
            if deployment["spec"].get("paused"):
                self._clean_up(rollout)
            deployment["status"] = conditions.counted(rollout, now)
        else:
            self._roll(rollout)
            deployment["status"] = conditions.judged(rollout, now)

    def _replica_sets(self, deployment: Object) -> list[Object]:
        selector = LabelSelector.of(deployment["spec"].get("selector"))
        owned = [one for resource, one in self._storage.owned(uid_of(deployment)) if resource == REPLICA_SETS]
        mine = [one for one in owned if is_controlled_by(one, deployment)]
        free = orphans(self._storage, REPLICA_SETS, key_of(deployment)[0], selector)
        return claim(self._client, REPLICA_SETS, deployment, [*mine, *free])

    def _number(self, rollout: Rollout) -> None:
        """Revision and annotations of the new ReplicaSet, and its revision on the Deployment."""
        deployment, new = rollout.deployment, rollout.new
        if new is None:
            return
        changed = described(rollout, new)
        if changed is not None:
            new = self._client.update(REPLICA_SETS, changed)
            rollout.replace(new)
        _set_revision(deployment, annotations_of(new).get(REVISION, ""))
        status = deployment["status"]
        if progress_deadline(deployment) is not None and conditions.condition_of(status, conditions.PROGRESSING) is None:
            self._progressing(deployment, "True", conditions.FOUND, f'Found new replica set "{new["metadata"]["name"]}"')

    def _progressing(self, deployment: Object, value: str, reason: str, message: str) -> None:
        if progress_deadline(deployment) is not None:
            condition = conditions.new_condition(conditions.PROGRESSING, value, reason, message, self._clock.now())
            conditions.set_condition(deployment["status"], condition)

    def _roll(self, rollout: Rollout) -> None:
        if strategy_of(rollout.deployment) == RECREATE:
            if stop_old(self._scaler, rollout) or old_pods_run(rollout, self._old_pods(rollout)):
                return
            new = rollout.new or self._create(rollout)
            self._scaler.resize(rollout, new, wanted_replicas(rollout.deployment))
        else:
            if not all(is_observed(one) for one in rollout.all):
                return  # numbers from before the last step could promise too much; upstream takes that chance
            new = rollout.new or self._create(rollout)
            if roll_up(self._scaler, rollout, new) or roll_down(self._scaler, rollout, new):
                return
        if is_complete(rollout.deployment, rollout.deployment["status"]):
            self._clean_up(rollout)

    def _old_pods(self, rollout: Rollout) -> list[Object]:
        owned = [pair for one in rollout.old for pair in self._storage.owned(uid_of(one))]
        return [pod for resource, pod in owned if resource == "pods"]

    def _create(self, rollout: Rollout) -> Object:
        """The new ReplicaSet, made; a refusal is told and raised, a name that is taken changes the next hash."""
        deployment = rollout.deployment
        wanted = new_replica_set(rollout, new_size(rollout))
        name = wanted["metadata"]["name"]
        try:
            created = self._client.create(REPLICA_SETS, wanted)
        except ApiError as refusal:
            self._note_refusal(deployment, name, refusal)
            raise
        rollout.new = created
        if wanted_replicas(wanted) > 0:
            text = f"Scaled up replica set {name} from 0 to {wanted_replicas(wanted)}"
            self._recorder.event(deployment, NORMAL, "ScalingReplicaSet", text)
        _set_revision(deployment, annotations_of(created)[REVISION])
        self._progressing(deployment, "True", conditions.CREATED, f'Created new replica set "{name}"')
        return created

    def _note_refusal(self, deployment: Object, name: str, refusal: ApiError) -> None:
        if refusal.reason == "AlreadyExists":
            deployment["status"]["collisionCount"] = (deployment["status"].get("collisionCount") or 0) + 1
        elif not is_terminating_namespace(refusal):
            text = f'Failed to create new replica set "{name}": {refusal}'
            self._progressing(deployment, "False", conditions.CREATE_ERROR, text)
            self._recorder.event(deployment, WARNING, conditions.CREATE_ERROR, text)

    def _clean_up(self, rollout: Rollout) -> None:
        """Delete the oldest revisions beyond the history limit, as far as they have no pods (cleanupDeployment)."""
        limit = history_limit(rollout.deployment)
        there = [one for one in rollout.old if not is_deleting(one)]
        if limit is None or len(there) <= limit:
            return
        there.sort(key=lambda one: revision(one) or 0)
        for one in there[: len(there) - limit]:
            if _is_empty(one):
                self._client.delete(REPLICA_SETS, *key_of(one))
                rollout.old = [kept for kept in rollout.old if kept is not one]

    def _look_again(self, deployment: Object) -> None:
        """Come back when the deadline of a rollout that stands still is over (requeueStuckDeployment)."""
        status: dict[str, Any] = deployment["status"]
        condition = conditions.condition_of(status, conditions.PROGRESSING)
        if condition is None or condition.get("reason") == conditions.TIMED_OUT or is_complete(deployment, status):
            return
        due = conditions.deadline_of(deployment, condition)
        if due is not None and not deployment["spec"].get("paused"):
            after = due - self._clock.now()
            self._queue.add_after(key_of(deployment), max(after, timedelta()).total_seconds() + 1.0)


def _set_revision(deployment: Object, number: str) -> None:
    if annotations_of(deployment).get(REVISION) != number:
        metadata(deployment)["annotations"] = {**annotations_of(deployment), REVISION: number}


def _is_scaled(rollout: Rollout) -> bool:
    """Whether the Deployment has another size than its ReplicaSets remember (isScalingEvent)."""
    sizes = (remembered(one, DESIRED) for one in active(rollout.all))
    return any(size is not None and size != wanted_replicas(rollout.deployment) for size in sizes)


def _is_empty(replica_set: Object) -> bool:
    return is_observed(replica_set) and not reported([replica_set], "replicas") and not wanted_replicas(replica_set)
