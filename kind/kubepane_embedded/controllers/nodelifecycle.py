"""The node lifecycle controller: taints by state, silent kubelets, what that means for the pods there.

Follows pkg/controller/nodelifecycle/node_lifecycle_controller.go. Left out: marking pods that are bound to a node while it is not ready
(they have no Ready condition yet, so nothing would be written), and the metrics.
"""

from __future__ import annotations

from kubepane_embedded.controllers.nodehealth import NodeHealth
from kubepane_embedded.controllers.nodetaints import NOT_READY, UNREACHABLE, has_taint, keep_no_schedule, swap
from kubepane_embedded.controllers.nodezones import Zones, zone_of
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import condition, holds, is_ready
from kubepane_embedded.podindexes import index_pods_by_node, is_synthetic, pods_on
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.workqueue import WorkQueue

MONITOR_SECONDS = 5.0
COPIED_LABELS = {"kubernetes.io/os": "beta.kubernetes.io/os", "kubernetes.io/arch": "beta.kubernetes.io/arch"}
EXCLUDED = "node.kubernetes.io/exclude-disruption"
OPPOSITE = {NOT_READY: UNREACHABLE, UNREACHABLE: NOT_READY}


class NodeLifecycle:
    """Keeps the taints and the truth of nodes.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "node-controller")
        self._health = NodeHealth(self._client, core.storage)
        self._zones = Zones(core.clock.seconds)
        self._known: dict[str, str] = {}
        self._queue = WorkQueue(core.clock, self._sync, "node-lifecycle")

    def start(self) -> None:
        """Follow nodes, and look at all of them every few seconds."""
        index_pods_by_node(self._storage)
        self._storage.subscribe("nodes", self._queue.add)
        for node in self._storage.objects("nodes"):
            self._queue.add(key_of(node))
        self._core.clock.call_soon(self._monitor)

    def _sync(self, key: Key) -> None:
        """NoSchedule taints at once, and the labels of old."""
        node = self._storage.read("nodes", *key)
        if node is None:
            return
        node = keep_no_schedule(self._client, node)
        labels = labels_of(node)
        wanted = {old: labels[new] for new, old in COPIED_LABELS.items() if new in labels and labels.get(old) != labels[new]}
        if wanted:
            self._client.patch("nodes", *key, {"metadata": {"labels": wanted}})

    def _monitor(self) -> None:
        self._core.clock.call_later(MONITOR_SECONDS, self._monitor)
        self._greet(self._storage.objects("nodes"))
        ready: dict[str, list[bool]] = {}
        for node in self._storage.objects("nodes"):
            now = self._look(node)
            if EXCLUDED not in labels_of(node):
                ready.setdefault(zone_of(node), []).append(holds(now, "Ready"))
        self._judge(ready)
        self._taint_due()

    def _greet(self, nodes: list[Object]) -> None:
        """Tell of nodes that came and went."""
        names = {node["metadata"]["name"]: uid_of(node) for node in nodes}
        for node in nodes:
            name = node["metadata"]["name"]
            if name not in self._known:
                self._say(name, names[name], "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
                self._reach(node)
        for name in [name for name in self._known if name not in names]:
            self._say(name, self._known[name], "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            self._health.forget(name)
            self._zones.drop(name)
        self._known = names

    def _say(self, name: str, uid: str, reason: str, message: str) -> None:
        about = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": uid}}
        self._recorder.event(about, NORMAL, reason, message)

    def _look(self, node: Object) -> Object:
        """Listen to one node; returns it as it is now."""
        before = holds(node, "Ready")
        now = self._health.check(node)
        ready = condition(now, "Ready")
        if ready is None:
            return now
        self._keep_no_execute(now, ready.get("status") or "")
        if before and ready.get("status") != "True":
            name = now["metadata"]["name"]
            self._say(name, uid_of(now), "NodeNotReady", f"Node {name} status is now: NodeNotReady")
            self._mark_pods(name)
        return now

    def _keep_no_execute(self, node: Object, status: str) -> None:
        """The taint that drives pods away: swapped at once, put on when the zone's turn comes, taken off when the node is back."""
        if status == "True":
            self._reach(node)
            return
        key = NOT_READY if status == "False" else UNREACHABLE
        if has_taint(node, OPPOSITE[key], "NoExecute"):
            swap(self._client, node, "NoExecute", [key], [OPPOSITE[key]])
        elif not has_taint(node, key, "NoExecute"):
            self._zones.put(node)

    def _reach(self, node: Object) -> None:
        self._zones.drop(node["metadata"]["name"])
        swap(self._client, node, "NoExecute", [], [UNREACHABLE, NOT_READY])

    def _judge(self, ready: dict[str, list[bool]]) -> None:
        lost, back = self._zones.judge(ready)
        if lost:
            for node in self._storage.objects("nodes"):
                self._reach(node)
        elif back:
            self._health.excuse_all()

    def _taint_due(self) -> None:
        for name in self._zones.due():
            node = self._storage.read("nodes", "", name)
            ready = condition(node, "Ready") if node is not None else None
            if node is not None and ready is not None and ready.get("status") != "True":
                key = NOT_READY if ready.get("status") == "False" else UNREACHABLE
                swap(self._client, node, "NoExecute", [key], [OPPOSITE[key]])

    def _mark_pods(self, node: str) -> None:
        """Nobody reports for these pods any more: they are not ready."""
        for pod in pods_on(self._storage, node):
            if not is_ready(pod) or is_synthetic(pod):
                continue
            now = self._core.clock.stamp()
            conditions = [
                {**one, "status": "False", "lastTransitionTime": now} if one.get("type") == "Ready" else one for one in pod["status"]["conditions"]
            ]
            marked = self._client.patch_status("pods", *key_of(pod), {"conditions": conditions})
            self._recorder.event(marked, WARNING, "NodeNotReady", "Node is not ready")
