"""StatefulSets: numbered pods that keep their names and claims, made, replaced and taken away in order (pkg/controller/statefulset)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.orphans import adopters, index_orphans, orphans
from kubepane_embedded.controllers.podcontrol import controlled_by
from kubepane_embedded.controllers.replicasets import is_controlled_by, wanted_replicas
from kubepane_embedded.controllers.revisions import HASH, REVISIONS, History, name_of, number_of, revision_hash, template_patch
from kubepane_embedded.controllers.statefulset_pods import is_created, is_member, minimum_ready, revision_of
from kubepane_embedded.controllers.statefulset_round import Round
from kubepane_embedded.controllers.statefulset_writes import StatefulWrites
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, is_deleting, key_of, uid_of
from kubepane_embedded.podfacts import is_available, is_ready, phase, until_available
from kubepane_embedded.recorder import Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

STATEFUL_SETS = "statefulsets.apps"


class StatefulSetController:
    """Keeps the pods and claims of every StatefulSet.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._writes = StatefulWrites(self._client, Recorder(self._client, "statefulset-controller"))
        self._history = History(self._client)
        self._queue = WorkQueue(core.clock, self.reconcile, "statefulset")

    def start(self) -> None:
        """Follow StatefulSets, their pods, and pods that one of them might adopt."""
        index_orphans(self._storage, "pods")
        index_orphans(self._storage, REVISIONS)
        self._storage.subscribe(STATEFUL_SETS, self._queue.add)
        self._storage.subscribe("pods", self._queue.add, controlled_by("StatefulSet"))
        self._storage.subscribe("pods", self._queue.add, adopters(self._storage, STATEFUL_SETS))
        for one in self._storage.objects(STATEFUL_SETS):
            self._queue.add(key_of(one))

    def reconcile(self, key: Key) -> None:
        """One round, then status and history; a refusal of the round is raised when both are written, to be tried again."""
        stateful_set = self._storage.read(STATEFUL_SETS, *key)
        if stateful_set is None:
            return
        revisions = self._history.of(stateful_set)
        pods = self._pods(stateful_set)
        current, update, collisions = self._revisions(stateful_set, revisions)
        now = self._clock.now()
        this = Round(stateful_set, pods, current, update, self._writes, now)
        refusal: ApiError | None = None
        if not is_deleting(stateful_set):
            try:
                this.run()
            except ApiError as refused:
                refusal = refused
        status = counted(this, collisions)
        self._write_status(stateful_set, status)
        self._forget_old(stateful_set, revisions, {name_of(current), name_of(update)} | {revision_of(pod) for pod in pods})
        if refusal is not None:
            raise refusal
        self._look_again(stateful_set, status, pods, now)

    def _pods(self, stateful_set: Object) -> list[Object]:
        owned = [pod for resource, pod in self._storage.owned(uid_of(stateful_set)) if resource == "pods" and is_controlled_by(pod, stateful_set)]
        selector = LabelSelector.of(stateful_set["spec"].get("selector"))
        free = orphans(self._storage, "pods", key_of(stateful_set)[0], selector)
        candidates = [pod for pod in (*owned, *free) if is_member(stateful_set, pod)]
        return claim(self._client, "pods", stateful_set, candidates)

    def _revisions(self, stateful_set: Object, revisions: list[Object]) -> tuple[Object, Object, int]:
        """Current and update revision and how often names have collided; the update one is made when there is none like it."""
        status = stateful_set.get("status") or {}
        collisions = int(status.get("collisionCount") or 0)
        data = template_patch(stateful_set)
        number = number_of(revisions[-1]) + 1 if revisions else 1
        equal = [one for one in revisions if one.get("data") == data]
        if equal and equal[-1] is revisions[-1]:
            update = equal[-1]
        elif equal:
            update = self._history.renumber(equal[-1], number)
        else:
            update, collisions = self._new_revision(stateful_set, number, collisions)
        current = next((one for one in revisions if name_of(one) == status.get("currentRevision")), update)
        return current, update, collisions

    def _new_revision(self, stateful_set: Object, number: int, collisions: int) -> tuple[Object, int]:
        data = template_patch(stateful_set)
        while True:
            made = self._history.create(self._history.wanted(stateful_set, number, revision_hash(data, collisions), HASH))
            if made is not None:
                return made, collisions
            collisions += 1

    def _write_status(self, stateful_set: Object, status: dict[str, Any]) -> None:
        complete_update(stateful_set, status)
        if status == stateful_set.get("status"):
            return
        present = self._storage.read(STATEFUL_SETS, *key_of(stateful_set))
        if present is None or uid_of(present) != uid_of(stateful_set):
            return
        changed = clone(present)
        changed["status"] = status
        self._client.update_status(STATEFUL_SETS, changed)

    def _forget_old(self, stateful_set: Object, revisions: list[Object], live: set[str]) -> None:
        """Delete the oldest revisions beyond the limit that nothing uses (truncateHistory)."""
        limit = stateful_set["spec"].get("revisionHistoryLimit")
        limit = 10 if limit is None else int(limit)
        old = [one for one in revisions if name_of(one) not in live]
        for one in old[: max(0, len(old) - limit)]:
            self._history.delete(one)

    def _look_again(self, stateful_set: Object, status: dict[str, Any], pods: list[Object], now: datetime) -> None:
        minimum = minimum_ready(stateful_set)
        if minimum and status.get("readyReplicas", 0) != status["availableReplicas"]:
            self._queue.add_after(key_of(stateful_set), until_available(pods, minimum, now))


def counted(this: Round, collisions: int) -> dict[str, Any]:
    """The status as stored: zeros left out but of replicas and availableReplicas."""
    pods, minimum = this.pods, minimum_ready(this.stateful_set)
    created = [pod for pod in pods if is_created(pod)]
    ready = [pod for pod in pods if phase(pod) == "Running" and is_ready(pod)]
    staying = [revision_of(pod) for pod in created if not is_deleting(pod)]
    current = staying.count(name_of(this.current)) - this.replaced
    updated = staying.count(name_of(this.update))
    counts = {"readyReplicas": len(ready), "currentReplicas": max(current, 0), "updatedReplicas": updated}
    return {
        "observedGeneration": this.stateful_set["metadata"].get("generation") or 0,
        "replicas": len(created),
        **{name: count for name, count in counts.items() if count},
        "currentRevision": name_of(this.current),
        "updateRevision": name_of(this.update),
        "collisionCount": collisions,
        "availableReplicas": sum(is_available(pod, minimum, this.now) for pod in ready),
    }


def complete_update(stateful_set: Object, status: dict[str, Any]) -> None:
    """A rolling update that has reached every pod makes the update revision the current one."""
    wanted = wanted_replicas(stateful_set)
    counts = (status.get("updatedReplicas", 0), status.get("readyReplicas", 0), status["replicas"])
    if (stateful_set["spec"].get("updateStrategy") or {}).get("type") != "RollingUpdate" or counts != (wanted,) * 3:
        return
    status["currentRevision"] = status["updateRevision"]
    status.pop("currentReplicas", None)
    if wanted:
        status["currentReplicas"] = wanted
