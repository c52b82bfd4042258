"""DaemonSets: one pod on every node that they are for (pkg/controller/daemon)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.daemonset_facts import Placement, daemon_pod, minimum_ready, strategy_of
from kubepane_embedded.controllers.daemonset_history import DaemonHistory
from kubepane_embedded.controllers.daemonset_rolling import rolling_plan
from kubepane_embedded.controllers.daemonset_round import Daemons, Plan, ended_message, status_of
from kubepane_embedded.controllers.orphans import adopters, index_orphans, orphans
from kubepane_embedded.controllers.podcontrol import PodControl, controlled_by, is_terminating_namespace
from kubepane_embedded.controllers.replicasets import is_controlled_by, slow_start
from kubepane_embedded.controllers.revisions import POD_HASH, REVISIONS
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.kubelet.backoff import Backoff
from kubepane_embedded.meta import Key, Object, clone, controller_of, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import phase
from kubepane_embedded.podindexes import index_pods_by_node, pods_on
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

DAEMON_SETS = "daemonsets.apps"
BURST = 250
"""Most pods created or deleted in one go."""
SELECTS_ALL = "This daemon set is selecting all pods. A non-empty selector is required."


class DaemonSetController:
    """Keeps a pod of every DaemonSet on every node that it is for.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._clock = core.clock
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "daemonset-controller")
        self._control = PodControl(self._client, self._recorder)
        self._history = DaemonHistory(self._client)
        self._failures = Backoff(1.0, 900.0)
        self._queue = WorkQueue(core.clock, self.reconcile, "daemonset")
        self._node_queue = WorkQueue(core.clock, self._look_at_node, "daemonset nodes")
        self._nodes: dict[str, tuple[Any, Any]] = {}

    def start(self) -> None:
        """Follow DaemonSets, their pods, pods that one of them might adopt, and labels and taints of nodes."""
        index_orphans(self._storage, "pods")
        index_orphans(self._storage, REVISIONS)
        index_pods_by_node(self._storage)
        self._storage.subscribe(DAEMON_SETS, self._queue.add)
        self._storage.subscribe("pods", self._queue.add, controlled_by("DaemonSet"))
        self._storage.subscribe("pods", self._queue.add, adopters(self._storage, DAEMON_SETS))
        self._storage.subscribe("nodes", self._node_changed)
        for node in self._storage.objects("nodes"):
            self._node_changed(key_of(node))
        for one in self._storage.objects(DAEMON_SETS):
            self._queue.add(key_of(one))

    def _node_changed(self, key: Key) -> None:
        """Heartbeats are none of our business: only labels and taints are."""
        node = self._storage.read("nodes", *key)
        if node is None:
            self._nodes.pop(key[1], None)
            return
        facts = (labels_of(node), (node.get("spec") or {}).get("taints"))
        if self._nodes.get(key[1]) != facts:
            self._nodes[key[1]] = facts
            self._node_queue.add(key)

    def _look_at_node(self, key: Key) -> None:
        """Look again at the sets that this node concerns (syncNodeUpdate)."""
        node = self._storage.read("nodes", *key)
        daemon_sets = self._storage.objects(DAEMON_SETS)
        if node is None or not daemon_sets:
            return
        present = {(controller_of(pod) or {}).get("uid") for pod in pods_on(self._storage, key[1])}
        for daemon_set in daemon_sets:
            may_start, may_stay = Placement.of(daemon_set).judge(node)
            is_there = uid_of(daemon_set) in present
            misplaced = (daemon_set.get("status") or {}).get("numberMisscheduled") or 0
            if (may_start and not is_there) or (is_there and (not may_stay or misplaced > 0)):
                self._queue.add(key_of(daemon_set))

    def reconcile(self, key: Key) -> None:
        """Start and delete daemons, take an update a step on, then write the status; refusals are raised, to be tried again."""
        daemon_set = self._storage.read(DAEMON_SETS, *key)
        if daemon_set is None or is_deleting(daemon_set):
            return
        if daemon_set["spec"].get("selector") == {}:
            self._recorder.event(daemon_set, WARNING, "SelectingAll", SELECTS_ALL)
            return
        pods = self._pods(daemon_set)
        current, old = self._history.sorted_out(daemon_set, pods)
        digest = labels_of(current).get(POD_HASH) or ""
        refusal: ApiError | None = None
        try:
            self._act(Daemons(daemon_set, self._storage.objects("nodes"), pods, digest, self._clock.now()))
            self._history.forget(daemon_set, old, pods)
        except ApiError as refused:
            refusal = refused
        self._write_status(daemon_set, digest)
        if refusal is not None:
            raise refusal

    def _pods(self, daemon_set: Object) -> list[Object]:
        owned = [pod for resource, pod in self._storage.owned(uid_of(daemon_set)) if resource == "pods" and is_controlled_by(pod, daemon_set)]
        free = orphans(self._storage, "pods", key_of(daemon_set)[0], LabelSelector.of(daemon_set["spec"].get("selector")))
        return claim(self._client, "pods", daemon_set, [*owned, *free])

    def _act(self, daemons: Daemons) -> None:
        """What is missing or too many first; an update goes on when there is nothing of that kind."""
        plan = daemons.plan()
        plan.delete.extend(self._ended(daemons))
        if not plan.start and not plan.delete and strategy_of(daemons.daemon_set)[0] == "RollingUpdate":
            plan = rolling_plan(daemons)
        self._carry_out(daemons, plan)

    def _ended(self, daemons: Daemons) -> list[Object]:
        """Daemons that have ended and are to be made again, failed ones not too often."""
        now, going = self._clock.seconds(), []
        observed = (daemons.daemon_set.get("status") or {}).get("observedGeneration")
        for node, pod in daemons.ended():
            if phase(pod) == "Failed":
                failure = (uid_of(daemons.daemon_set), observed, node)
                if self._failures.left(failure, now) > 0:
                    self._queue.add_after(key_of(daemons.daemon_set), self._failures.wait(failure))
                    continue
                self._failures.step(failure, now, now)
            reason, message = ended_message(pod, node)
            self._recorder.event(daemons.daemon_set, WARNING if phase(pod) == "Failed" else NORMAL, reason, message)
            going.append(pod)
        return going

    def _carry_out(self, daemons: Daemons, plan: Plan) -> None:
        daemon_set, waiting = daemons.daemon_set, iter(plan.start)

        def create() -> ApiError | None:
            try:
                self._control.create(daemon_set, daemon_pod(daemon_set, daemons.digest, next(waiting)))
            except ApiError as refusal:
                return None if is_terminating_namespace(refusal) else refusal
            return None

        refusal = slow_start(min(len(plan.start), BURST), create)
        for pod in plan.delete[:BURST]:
            try:
                self._control.delete(daemon_set, pod)
            except ApiError as refused:
                refusal = refusal or refused
        if refusal is not None:
            raise refusal

    def _write_status(self, daemon_set: Object, digest: str) -> None:
        present = self._storage.read(DAEMON_SETS, *key_of(daemon_set))
        if present is None or uid_of(present) != uid_of(daemon_set):
            return
        pods = [pod for resource, pod in self._storage.owned(uid_of(daemon_set)) if resource == "pods" and is_controlled_by(pod, daemon_set)]
        daemons = Daemons(daemon_set, self._storage.objects("nodes"), pods, digest, self._clock.now())
        counts = daemons.counts()
        kept = present.get("status") or {}
        status = status_of(counts, daemon_set["metadata"].get("generation") or 0, kept.get("collisionCount"))
        if kept.get("conditions"):
            status["conditions"] = kept["conditions"]
        if status != kept:
            changed = clone(present)
            changed["status"] = status
            self._client.update_status(DAEMON_SETS, changed)
        minimum = minimum_ready(daemon_set)
        if minimum and counts["numberReady"] != counts["numberAvailable"]:
            self._queue.add_after(key_of(daemon_set), float(minimum))
