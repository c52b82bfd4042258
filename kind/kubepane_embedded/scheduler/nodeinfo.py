"""A node with the sums of what its pods ask for, kept by addition and subtraction (scheduler/framework/types.go, NodeInfo)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from kubepane_embedded.meta import Key, Object, labels_of
from kubepane_embedded.scheduler.demand import Amounts, add, amounts, subtract
from kubepane_embedded.scheduler.podinfo import HostPort, PodInfo


class NodeInfo:
    """One node; `object` is None while pods name a node that is not there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.object: Object | None = None
        self.labels: dict[str, str] = {}
        self.allocatable: Amounts = {}
        self.requested: Amounts = {}
        self.weighed: Amounts = {}
        self.count = 0
        self.pods: dict[str, dict[Key, PodInfo]] = defaultdict(dict)
        """By namespace, so that counting the pods of an application does not pass all others."""
        self.ports: Counter[HostPort] = Counter()
        self.affine: dict[Key, PodInfo] = {}
        """Pods with any pod affinity or anti-affinity."""
        self.averse: dict[Key, PodInfo] = {}
        """Pods with required anti-affinity."""

    def set(self, node: Object | None) -> None:
        """The node's newest version, or None when it is gone."""
        self.object = node
        self.labels = labels_of(node or {})
        self.allocatable = amounts(((node or {}).get("status") or {}).get("allocatable"))

    @property
    def taints(self) -> list[dict[str, Any]]:
        """spec.taints, never None."""
        return ((self.object or {}).get("spec") or {}).get("taints") or []

    @property
    def is_cordoned(self) -> bool:
        """spec.unschedulable."""
        return bool(((self.object or {}).get("spec") or {}).get("unschedulable"))

    @property
    def is_empty(self) -> bool:
        """Whether nothing speaks of this node any more."""
        return self.object is None and self.count == 0

    def add(self, pod: PodInfo) -> None:
        """A pod is on this node now."""
        self.pods[pod.namespace][pod.key] = pod
        self.count += 1
        add(self.requested, pod.requests)
        add(self.weighed, pod.weighed)
        self.ports.update(pod.ports)
        if pod.terms.any:
            self.affine[pod.key] = pod
        if pod.terms.required_anti:
            self.averse[pod.key] = pod

    def remove(self, pod: PodInfo) -> None:
        """A pod is no longer on this node."""
        space = self.pods[pod.namespace]
        del space[pod.key]
        if not space:
            del self.pods[pod.namespace]
        self.count -= 1
        subtract(self.requested, pod.requests)
        subtract(self.weighed, pod.weighed)
        self.ports -= Counter(pod.ports)
        self.affine.pop(pod.key, None)
        self.averse.pop(pod.key, None)

    def in_namespace(self, namespace: str) -> list[PodInfo]:
        """Its pods of one namespace."""
        found = self.pods.get(namespace)
        return list(found.values()) if found else []
