"""Pod garbage collection: pods of nodes that are gone, on nodes declared out of service, and deleted ones that never got a node.

Follows pkg/controller/podgc/gc_controller.go. Left out: the limit of 12,500 finished pods. Synthetic pods of load tests are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.controllers.disruption import with_disruption
from kubepane_embedded.controllers.nodetaints import OUT_OF_SERVICE, taints_of
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, is_deleting, key_of
from kubepane_embedded.podfacts import holds, is_finished, node_of
from kubepane_embedded.podindexes import index_pods_by_node, is_synthetic, pods_on

PERIOD_SECONDS = 20.0
QUARANTINE_SECONDS = 40.0
"""How long a node must have been missing before its pods are taken for orphans."""


class PodGarbageCollector:
    """Looks every 20 seconds at what was noted since.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._missing: dict[str, float | None] = {}
        """Nodes without object, and when their quarantine ends (None: not begun)."""
        self._unplaced: set[Key] = set()

    def start(self) -> None:
        """Note pods without node, look regularly."""
        index_pods_by_node(self._storage)
        self._storage.subscribe("nodes", lambda key: self._note_node(key[1]))
        self._storage.subscribe("pods", self._unplaced.add, self._note_pod)
        for pod in self._storage.objects("pods"):
            self._unplaced.update(self._note_pod(pod))
        self._core.clock.call_later(PERIOD_SECONDS, self._collect)

    def _note_node(self, name: str) -> None:
        if self._storage.read("nodes", "", name) is None:
            self._missing.setdefault(name, None)

    def _note_pod(self, pod: Object) -> Iterable[Key]:
        """Keys of deleted pods that were never placed; the node of any other is noted when it does not exist."""
        node = node_of(pod)
        if node:
            self._note_node(node)
        elif is_deleting(pod):
            return (key_of(pod),)
        return ()

    def _collect(self) -> None:
        self._core.clock.call_later(PERIOD_SECONDS, self._collect)
        for node in self._storage.objects("nodes"):
            if not holds(node, "Ready") and any(taint.get("key") == OUT_OF_SERVICE for taint in taints_of(node)):
                self._end([pod for pod in pods_on(self._storage, node["metadata"]["name"]) if is_deleting(pod)])
        for name in list(self._missing):
            self._check_missing(name)
        unplaced = [self._storage.read("pods", *key) for key in sorted(self._unplaced)]
        self._unplaced.clear()
        self._end([pod for pod in unplaced if pod is not None and is_deleting(pod) and not node_of(pod)])

    def _check_missing(self, name: str) -> None:
        now = self._core.clock.seconds()
        pods = [pod for pod in pods_on(self._storage, name) if not is_synthetic(pod)]
        until = self._missing[name]
        if not pods or self._storage.read("nodes", "", name) is not None:
            del self._missing[name]
        elif until is None:
            self._missing[name] = now + QUARANTINE_SECONDS
        elif until <= now:
            del self._missing[name]
            self._end(pods, "DeletionByPodGC", "PodGC: node no longer exists")

    def _end(self, pods: list[Object], reason: str = "", message: str = "") -> None:
        """Each pod becomes Failed, as no kubelet will say so, and goes without grace."""
        for pod in pods:
            status: Object = {"phase": "Failed"}
            if reason:
                status["conditions"] = with_disruption(self._client, pod, reason, message)
            try:
                if not is_finished(pod):
                    self._client.patch_status("pods", *key_of(pod), status)
                self._client.delete("pods", *key_of(pod), grace=0)
            except ApiError as refusal:
                if refusal.code != 404:
                    raise
