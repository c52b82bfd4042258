"""What the scheduler knows of nodes and pods, kept up to date change by change (scheduler/backend/cache).

Pods that were given a node but are not bound yet are *assumed*: they hold their place here until they are bound or given up.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from kubepane_embedded.meta import Key, Object, is_deleting, uid_of
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.storage import Storage


class PodChange(NamedTuple):
    """How a pod changed; None where it did not hold a place on a node."""

    before: PodInfo | None
    after: PodInfo | None


class NodeChange(NamedTuple):
    """How a node changed."""

    before: Object | None
    after: Object | None


class Cache:
    """Nodes with their pods.

    Args:
        storage: Where the truth is.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._nodes: dict[str, NodeInfo] = {}
        self._pods: dict[Key, PodInfo] = {}
        self._assumed: dict[Key, PodInfo] = {}
        self._claims: Counter[Key] = Counter()

    def nodes(self) -> list[NodeInfo]:
        """All nodes that exist, by name."""
        return [self._nodes[name] for name in sorted(self._nodes) if self._nodes[name].object is not None]

    def node(self, name: str) -> NodeInfo | None:
        """A node that exists."""
        found = self._nodes.get(name)
        return found if found is not None and found.object is not None else None

    def is_assumed(self, key: Key) -> bool:
        """Whether a pod has been given a node and is on its way there."""
        return key in self._assumed

    def users(self, claim: Key) -> int:
        """How many pods with a place use a claim."""
        return self._claims[claim]

    def namespace_labels(self, namespace: str) -> dict[str, str]:
        """Labels of a namespace."""
        found = self._storage.read("namespaces", "", namespace)
        return ((found or {}).get("metadata") or {}).get("labels") or {}

    def update_node(self, name: str) -> NodeChange | None:
        """Look at a node again; None when nothing is new."""
        node = self._storage.read("nodes", "", name)
        info = self._nodes.get(name)
        before = info.object if info else None
        if before is node:
            return None
        if info is None:
            info = self._nodes[name] = NodeInfo(name)
        info.set(node)
        self._tidy(info)
        return NodeChange(before, node)

    def update_pod(self, key: Key) -> PodChange | None:
        """Look at a pod again; None when it weighs the same as before."""
        pod = self._storage.read("pods", *key)
        before = self._pods.get(key)
        after = PodInfo(pod) if pod is not None else None
        if after is not None and not after.counts:
            after = None
        if before is None and after is None:
            return self._follow_assumed(key, pod)
        if before is not None and after is not None and before.is_same_for_scheduling(after):
            before.object = after.object
            return None
        self.forget(key)
        if before is not None:
            self._take_out(self._pods, before)
        if after is not None:
            self._put_in(self._pods, after)
        return PodChange(before, after)

    def _follow_assumed(self, key: Key, pod: Object | None) -> PodChange | None:
        """An assumed pod that is gone or going holds no place."""
        assumed = self._assumed.get(key)
        if assumed is None or (pod is not None and uid_of(pod) == assumed.uid and not is_deleting(pod)):
            return None
        self.forget(key)
        return PodChange(assumed, None)

    def assume(self, pod: PodInfo, node: str) -> None:
        """Let a pod hold its place before it is bound."""
        self._put_in(self._assumed, PodInfo(pod.object, node))

    def forget(self, key: Key) -> PodInfo | None:
        """An assumed pod is bound, or will not be; it, when there was one."""
        assumed = self._assumed.get(key)
        if assumed is not None:
            self._take_out(self._assumed, assumed)
        return assumed

    def _put_in(self, place: dict[Key, PodInfo], pod: PodInfo) -> None:
        place[pod.key] = pod
        info = self._nodes.get(pod.node)
        if info is None:
            info = self._nodes[pod.node] = NodeInfo(pod.node)
        info.add(pod)
        self._claims.update((pod.namespace, claim.name) for claim in pod.claims)

    def _take_out(self, place: dict[Key, PodInfo], pod: PodInfo) -> None:
        del place[pod.key]
        info = self._nodes[pod.node]
        info.remove(pod)
        self._tidy(info)
        for claim in pod.claims:
            self._claims[pod.namespace, claim.name] -= 1
            if not self._claims[pod.namespace, claim.name]:
                del self._claims[pod.namespace, claim.name]

    def _tidy(self, info: NodeInfo) -> None:
        if info.is_empty:
            del self._nodes[info.name]
