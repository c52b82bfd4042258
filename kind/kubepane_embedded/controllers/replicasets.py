"""ReplicaSets: as many pods as asked for, and a status that counts them (pkg/controller/replicaset)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.orphans import adopters, index_orphans, orphans
from kubepane_embedded.controllers.pod_ranking import first_to_go
from kubepane_embedded.controllers.podcontrol import PodControl, controlled_by, is_terminating_namespace, pod_from
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, controller_of, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import condition, is_active, is_available, is_finished, is_ready, until_available
from kubepane_embedded.recorder import Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

REPLICA_SETS = "replicasets.apps"
BURST = 500
"""Most pods created or deleted in one go."""
FIRST_BATCH = 1
FAILURE = "ReplicaFailure"


class ReplicaSetController:
    """Keeps the number of pods of every ReplicaSet.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._control = PodControl(self._client, Recorder(self._client, "replicaset-controller"))
        self._queue = WorkQueue(core.clock, self.reconcile, "replicaset")

    def start(self) -> None:
        """Follow ReplicaSets, their pods, and pods that one of them might adopt."""
        index_orphans(self._storage, "pods")
        self._storage.subscribe(REPLICA_SETS, self._queue.add)
        self._storage.subscribe("pods", self._queue.add, controlled_by("ReplicaSet"))
        self._storage.subscribe("pods", self._queue.add, adopters(self._storage, REPLICA_SETS))
        for one in self._storage.objects(REPLICA_SETS):
            self._queue.add(key_of(one))

    def reconcile(self, key: Key) -> None:
        """Adopt, create or delete pods, then write the status. Refusals are told in the status and raised, to be tried again."""
        replica_set = self._storage.read(REPLICA_SETS, *key)
        if replica_set is None:
            return
        revision, owned = self._storage.revision, self._owned(replica_set)
        pods = self._active(replica_set, owned)
        refusal = None if is_deleting(replica_set) else self._manage(replica_set, pods)
        present = self._storage.read(REPLICA_SETS, *key)
        if present is None or uid_of(present) != uid_of(replica_set):
            return
        if self._storage.revision != revision:
            owned = self._owned(present)
        self._write_status(present, owned, wanted_replicas(replica_set) - len(pods), refusal)
        if refusal is not None:
            raise refusal

    def _owned(self, replica_set: Object) -> list[Object]:
        owned = self._storage.owned(uid_of(replica_set))
        return [pod for resource, pod in owned if resource == "pods" and is_controlled_by(pod, replica_set)]

    def _active(self, replica_set: Object, owned: list[Object]) -> list[Object]:
        """Pods that count, after adopting and releasing."""
        selector = LabelSelector.of(replica_set["spec"].get("selector"))
        free = orphans(self._storage, "pods", key_of(replica_set)[0], selector)
        candidates = [pod for pod in (*owned, *free) if is_active(pod)]
        return claim(self._client, "pods", replica_set, candidates)

    def _manage(self, replica_set: Object, pods: list[Object]) -> ApiError | None:
        missing = wanted_replicas(replica_set) - len(pods)
        if missing > 0:
            return self._create(replica_set, min(missing, BURST))
        if missing < 0:
            return self._delete(replica_set, pods, min(-missing, BURST))
        return None

    def _create(self, replica_set: Object, count: int) -> ApiError | None:
        def create() -> ApiError | None:
            try:
                self._control.create(replica_set, pod_from(replica_set["spec"]["template"], replica_set))
            except ApiError as refusal:
                return None if is_terminating_namespace(refusal) else refusal
            return None

        return slow_start(count, create)

    def _delete(self, replica_set: Object, pods: list[Object], count: int) -> ApiError | None:
        if count < len(pods):
            pods = first_to_go(pods, self._related(replica_set), self._core.clock.now())
        first: ApiError | None = None
        for pod in pods[:count]:
            try:
                self._control.delete(replica_set, pod)
            except ApiError as refusal:
                first = first or refusal
        return first

    def _related(self, replica_set: Object) -> list[Object]:
        """Pods of all ReplicaSets with the same controller; none when there is no controller."""
        owner = controller_of(replica_set)
        if owner is None:
            return []
        siblings = [one for resource, one in self._storage.owned(owner["uid"]) if resource == REPLICA_SETS]
        return [pod for sibling in siblings for pod in self._owned(sibling)]

    def _write_status(self, replica_set: Object, pods: list[Object], missing: int, refusal: ApiError | None) -> None:
        now = self._core.clock.now()
        status = counted(replica_set, pods, now)
        conditions = _conditions(replica_set, missing, refusal, self._core.clock.stamp())
        if conditions:
            status["conditions"] = conditions
        if status != replica_set.get("status"):
            _put_status(self._client, replica_set, status)
        minimum = replica_set["spec"].get("minReadySeconds") or 0
        if minimum and status.get("readyReplicas", 0) != status.get("availableReplicas", 0):
            self._queue.add_after(key_of(replica_set), until_available(pods, minimum, now))


def _put_status(client: Client, replica_set: Object, status: dict[str, Any]) -> None:
    changed = clone(replica_set)
    changed["status"] = status
    client.update_status(REPLICA_SETS, changed)


def wanted_replicas(workload: Object) -> int:
    """spec.replicas; the server has set it when it was left out."""
    replicas = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def is_controlled_by(obj: Object, owner: Object) -> bool:
    """Whether the controller reference of an object is to this owner."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def slow_start(count: int, act: Callable[[], ApiError | None]) -> ApiError | None:
    """Act `count` times in batches that double; the first batch with a refusal is the last (slowStartBatch)."""
    size = min(count, FIRST_BATCH)
    while size > 0:
        refusals = [refusal for refusal in (act() for _ in range(size)) if refusal is not None]
        if refusals:
            return refusals[0]
        count -= size
        size = min(2 * size, count)
    return None


def counted(replica_set: Object, pods: list[Object], now: datetime) -> dict[str, Any]:
    """The numbers of the status, zeros left out where the server leaves them out (replica_set_utils.go, calculateStatus)."""
    spec = replica_set["spec"]
    selector = LabelSelector.of(spec.get("selector"))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    active = [pod for pod in pods if is_active(pod) and selector.matches_object(pod)]
    ready = [pod for pod in active if is_ready(pod)]
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": len(ready),
        "availableReplicas": sum(is_available(pod, spec.get("minReadySeconds") or 0, now) for pod in ready),
        "observedGeneration": replica_set["metadata"].get("generation") or 0,
    }
    terminating = sum(is_deleting(pod) and not is_finished(pod) and selector.matches_object(pod) for pod in pods)
    return {"replicas": len(active), **{name: count for name, count in counts.items() if count}, "terminatingReplicas": terminating}


def _conditions(replica_set: Object, missing: int, refusal: ApiError | None, now: str) -> list[dict[str, Any]]:
    """The conditions with ReplicaFailure as long as pods are refused; what it said first stays."""
    present: list[dict[str, Any]] = (replica_set.get("status") or {}).get("conditions") or []
    if refusal is None:
        return [one for one in present if one.get("type") != FAILURE]
    if condition(replica_set, FAILURE) is not None:
        return present
    reason = "FailedCreate" if missing > 0 else "FailedDelete"
    failure = {"type": FAILURE, "status": "True", "lastTransitionTime": now, "reason": reason, "message": str(refusal)}
    return [*present, failure]
