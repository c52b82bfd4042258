"""Which pods are selected by which NetworkPolicies, counted as pods and policies change, never by a scan of all pods."""

from __future__ import annotations

from typing import NamedTuple

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.reach import allows_dns, directions, selects

_DONE = ("Succeeded", "Failed")
_SAME_MAX = 2_000


class _State(NamedTuple):
    """What is counted of one pod; pods with the same labels share one."""

    namespace: str
    policies: tuple[str, ...]  # uids of those that select it
    open: bool  # nothing limits who may come in
    no_dns: bool  # it is isolated outward, and no policy lets DNS out


class Coverage:
    """Counters per namespace and per policy."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._pods: dict[str, tuple[str, _State]] = {}  # by uid: the version looked at, and what was found
        self._open: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._selected: dict[str, int] = {}
        self._no_dns: dict[str, int] = {}
        self._same: dict[str, dict[int, tuple[object, _State]]] = {}  # by namespace and identity of the labels, which pods of a kind share
        self._touched: tuple[set[str], set[str]] = (set(), set())

    def open(self, namespace: str) -> int:
        """Pods that anybody may reach."""
        return self._open.get(namespace, 0)

    def total(self, namespace: str) -> int:
        """Pods that policies can be about: neither finished nor on the host network."""
        return self._total.get(namespace, 0)

    def selected(self, policy: str) -> int:
        """Pods that a policy selects, by its uid."""
        return self._selected.get(policy, 0)

    def without_dns(self, policy: str) -> int:
        """Pods that a policy selects and that no policy lets ask DNS."""
        return self._no_dns.get(policy, 0)

    def namespaces(self) -> list[str]:
        """Those with open pods."""
        return [name for name, n in self._open.items() if n]

    def drain(self) -> tuple[set[str], set[str]]:
        """Names of namespaces and uids of policies whose counts may have changed since the last call."""
        touched, self._touched = self._touched, (set(), set())
        return touched

    def look(self, namespace: str) -> None:
        """Counts those pods of a namespace anew that were counted before: a policy of it has changed."""
        self._same.pop(namespace, None)
        for pod in self._stores.pods.by("namespace", namespace):
            if pod.metadata.uid in self._pods:  # others are counted when they are told of
                self._put(pod.metadata.uid, pod)

    def pod(self, uid: str) -> None:
        """Takes in what a pod is now, or that it is gone. A pod that has not changed costs nothing."""
        pod, old = self._stores.pods.get(uid), self._pods.get(uid)
        if pod is None or old is None or old[0] != pod.metadata.resource_version:
            self._put(uid, pod)

    def _put(self, uid: str, pod: r.Pod | None) -> None:
        new = self._state(pod) if pod is not None and pod.status.phase not in _DONE and not pod.spec.host_network else None
        _, old = self._pods.pop(uid, ("", None))
        if new is not None and pod is not None:
            self._pods[uid] = pod.metadata.resource_version, new
        if new != old:
            self._count(old, -1)
            self._count(new, 1)

    def _state(self, pod: r.Pod) -> _State:
        same = self._same.setdefault(pod.metadata.namespace, {})
        held = same.get(id(pod.metadata.labels))
        if held is None:
            if len(same) > _SAME_MAX:
                same.clear()
            held = same[id(pod.metadata.labels)] = pod.metadata.labels, self._select(pod)  # held, so that the identity stays theirs
        return held[1]

    def _select(self, pod: r.Pod) -> _State:
        namespace = pod.metadata.namespace
        found = [p for p in self._stores.networkpolicies.by("namespace", namespace) if selects(p, pod)]
        outward = [p for p in found if directions(p)[1]]
        return _State(
            namespace,
            tuple(sorted(p.metadata.uid for p in found)),
            not any(directions(p)[0] for p in found),
            bool(outward) and not any(allows_dns(p) for p in outward),
        )

    def _count(self, state: _State | None, step: int) -> None:
        if state is None:
            return
        _add(self._total, state.namespace, step)
        if state.open:
            _add(self._open, state.namespace, step)
        for uid in state.policies:
            _add(self._selected, uid, step)
            if state.no_dns:
                _add(self._no_dns, uid, step)
        self._touched[0].add(state.namespace)
        self._touched[1].update(state.policies)


def _add(counts: dict[str, int], key: str, step: int) -> None:
    n = counts.get(key, 0) + step
    if n:
        counts[key] = n
    else:
        counts.pop(key, None)
