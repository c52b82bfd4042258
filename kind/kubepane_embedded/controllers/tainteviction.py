"""NoExecute taints drive pods away: at once, or when the time that a pod tolerates them is over.

Follows pkg/controller/tainteviction/taint_eviction.go. Synthetic pods of load tests are left alone: nobody would end them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubepane_embedded.clock import Timer
from kubepane_embedded.controllers.disruption import announce
from kubepane_embedded.controllers.nodetaints import no_execute
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, key_of, uid_of
from kubepane_embedded.podfacts import node_of
from kubepane_embedded.podindexes import index_pods_by_node, is_synthetic, pods_on
from kubepane_embedded.recorder import NORMAL, Recorder
from kubepane_embedded.tolerations import Taint, Toleration, tolerating
from kubepane_embedded.workqueue import WorkQueue

REASON, MESSAGE = "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"
Look = tuple[str, str, Any]
"""What of a pod matters here: uid, node, tolerations."""


class TaintEviction:
    """Deletes pods from nodes whose NoExecute taints they do not tolerate, or not any more.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "taint-eviction-controller")
        self._taints: dict[str, list[Taint]] = {}
        self._seen: dict[Key, Look] = {}
        self._timers: dict[Key, Timer] = {}
        self._nodes = WorkQueue(core.clock, self._sync_node, "tainted-nodes")
        self._pods = WorkQueue(core.clock, self._sync_pod, "pods-on-tainted-nodes")

    def start(self) -> None:
        """Follow nodes, and pods on tainted ones."""
        index_pods_by_node(self._storage)
        self._storage.subscribe("nodes", self._nodes.add)
        self._storage.subscribe("pods", self._pods.add, self._concerned)
        for node in self._storage.objects("nodes"):
            self._nodes.add(key_of(node))

    def _concerned(self, pod: Object) -> Iterable[Key]:
        key = key_of(pod)
        return (key,) if node_of(pod) in self._taints or key in self._timers else ()

    def _sync_node(self, key: Key) -> None:
        node = self._storage.read("nodes", *key)
        name = key[1]
        taints = no_execute(node) if node is not None else []
        if taints == self._taints.get(name, []):
            return
        if taints:
            self._taints[name] = taints
            for pod in pods_on(self._storage, name):
                self._process(pod, taints)
            return
        del self._taints[name]
        for pod_key in [pod_key for pod_key, look in self._seen.items() if look[1] == name]:
            del self._seen[pod_key]
            if node is not None:
                self._cancel(pod_key)

    def _sync_pod(self, key: Key) -> None:
        pod = self._storage.read("pods", *key)
        if pod is None:
            self._seen.pop(key, None)
            self._cancel(key)
            return
        taints = self._taints.get(node_of(pod))
        if taints is not None and self._seen.get(key) != _look(pod):
            self._process(pod, taints)

    def _process(self, pod: Object, taints: list[Taint]) -> None:
        if is_synthetic(pod):
            return
        key = key_of(pod)
        self._seen[key] = _look(pod)
        tolerations = (pod.get("spec") or {}).get("tolerations") or []
        used = [tolerating(tolerations, taint) for taint in taints]
        tolerated = [one for one in used if one is not None]
        if len(tolerated) < len(used):
            self._cancel(key)
            self._evict(key)
            return
        seconds = _least(tolerated)
        if seconds is None:
            self._cancel(key)
        elif key not in self._timers:
            self._timers[key] = self._core.clock.call_later(seconds, lambda: self._fire(key))

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self._evict(key)

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
            self._say(key, "Cancelling deletion of Pod")

    def _evict(self, key: Key) -> None:
        """Say why, and delete with the pod's own grace."""
        self._say(key, "Marking for deletion Pod")
        pod = self._storage.read("pods", *key)
        if pod is None:
            return
        try:
            announce(self._client, pod, REASON, MESSAGE)
            self._client.delete("pods", *key)
        except ApiError as refusal:
            if refusal.code != 404:
                raise

    def _say(self, key: Key, what: str) -> None:
        """The event names the pod without its uid, as upstream does."""
        namespace, name = key
        about = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}}
        self._recorder.event(about, NORMAL, "TaintManagerEviction", f"{what} {namespace}/{name}")


def _look(pod: Object) -> Look:
    return uid_of(pod), node_of(pod), (pod.get("spec") or {}).get("tolerations")


def _least(tolerations: list[Toleration]) -> float | None:
    """The shortest time that is tolerated, None for ever."""
    limits = [max(0.0, float(one["tolerationSeconds"])) for one in tolerations if one.get("tolerationSeconds") is not None]
    return min(limits, default=None)
