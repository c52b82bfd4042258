"""The nodes of a cluster and what is bound to them, kept current by what changed: the scheduler's own picture, as far as we see it.

Counted are pods that are bound and have not ended, terminating ones too (pkg/scheduler/framework, NodeInfo). Many pending pods
ask this picture; none of them makes it look at all pods again.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from weakref import WeakKeyDictionary

from kubepane.cluster import resources as r
from kubepane.cluster.store import Changes
from kubepane.cluster.stores import Stores
from kubepane.insight import demand, placement, taints
from kubepane.insight.demand import Port

_ENDED = ("Succeeded", "Failed")


class Host:
    """One node.

    Attributes:
        node: the newest state; None while pods name a node that is not held.
        allocatable: what it has to give, by resource.
        taints: those that keep pods away.
        used: what its pods asked for, by resource.
        pods: how many are bound to it.
        ports: the host's ports that its pods take.
    """

    __slots__ = ("allocatable", "node", "pods", "ports", "taints", "used")

    def __init__(self) -> None:
        self.node: r.Node | None = None
        self.allocatable: dict[str, int] = {}
        self.taints: tuple[r.Taint, ...] = ()
        self.used: dict[str, int] = {}
        self.pods = 0
        self.ports: Counter[Port] = Counter()

    def see(self, node: r.Node | None) -> bool:
        """Takes the node's newest state; False when it keeps pods away as it did before: a mere heartbeat."""
        old, self.node = self.node, node
        if old is not None and node is not None and _keeps_away_the_same(old, node):
            return False
        self.allocatable = demand.amounts(node.status.allocatable) if node else {}
        self.taints = tuple(t for t in node.spec.taints or () if taints.keeps_away(t)) if node else ()
        return True

    def add(self, pod: r.Pod, sign: int) -> None:
        """Counts a pod in, or out."""
        self.pods += sign
        for name, amount in demand.asked(pod).items():
            self.used[name] = self.used.get(name, 0) + sign * amount
        for port in demand.host_ports(pod.spec):
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]

    @property
    def idle(self) -> bool:
        """Nothing is known of it any more."""
        return self.node is None and not self.pods


class Guard:
    """An anti-affinity that bound pods have, and on which nodes they are.

    Attributes:
        owner: one of those pods.
        nodes: how many of them are on each node, by name.
    """

    __slots__ = ("nodes", "owner")

    def __init__(self, owner: r.Pod) -> None:
        self.owner = owner
        self.nodes: Counter[str] = Counter()


class Fleet:
    """All nodes. `sync` before reading.

    Attributes:
        hosts: by node name.
        guards: by the identity of the affinity and the namespace of its pods.
        epoch: raised whenever a pod may fit now that did not before, or the reverse.
        verdicts: what was worked out in this epoch, for whoever works it out.
    """

    def __init__(self, stores: Stores) -> None:
        self.hosts: dict[str, Host] = {}
        self.guards: dict[tuple[int, str], Guard] = {}
        self.epoch = 0
        self.verdicts: dict[Any, Any] = {}
        self._pods, self._nodes = stores.pods, stores.nodes
        self._changed_pods = stores.pods.subscribe(_nobody)
        self._changed_nodes = stores.nodes.subscribe(_nobody)
        self._changed_namespaces: Changes = stores.namespaces.subscribe(_nobody)
        self._bound: dict[str, r.Pod] = {}
        self._names: dict[str, str] = {}  # of nodes, by uid

    def sync(self) -> None:
        """Takes in what changed since the last call."""
        changed = bool(self._changed_namespaces.drain())
        if self._changed_nodes.uids:
            changed = self._sync_nodes(self._changed_nodes.drain()) or changed
        if self._changed_pods.uids:
            changed = self._sync_pods(self._changed_pods.drain()) or changed
        if changed:
            self.epoch += 1
            self.verdicts.clear()

    def _sync_nodes(self, uids: set[str]) -> bool:
        changed = False
        for uid in uids:
            node = self._nodes.get(uid)
            if node is not None:
                self._names[uid] = node.metadata.name
                changed = self._host(node.metadata.name).see(node) or changed
            elif (name := self._names.pop(uid, None)) is not None:
                changed = self._host(name).see(self._nodes.named("", name)) or changed  # another node may have its name by now
                self._forget(name)
        return changed

    def _sync_pods(self, uids: set[str]) -> bool:
        changed = False
        for uid in uids:
            pod, old = self._pods.get(uid), self._bound.get(uid)
            new = pod if pod is not None and pod.spec.node_name and pod.status.phase not in _ENDED else None
            if old is None and new is None:
                continue
            if old is None or new is None or not _weighs_the_same(old, new):
                changed = True
                if old is not None:
                    self._count(old, -1)
                if new is not None:
                    self._count(new, 1)
            if new is not None:
                self._bound[uid] = new
            else:
                del self._bound[uid]
        return changed

    def _count(self, pod: r.Pod, sign: int) -> None:
        name = pod.spec.node_name
        self._host(name).add(pod, sign)
        if sign < 0:
            self._forget(name)
        if pod.spec.affinity is None or not placement.required_apart(pod):
            return
        key = (id(pod.spec.affinity), pod.metadata.namespace)
        guard = self.guards.get(key)
        if guard is None:
            guard = self.guards[key] = Guard(pod)
        guard.nodes[name] += sign
        if not guard.nodes[name]:
            del guard.nodes[name]
            if not guard.nodes:
                del self.guards[key]

    def _host(self, name: str) -> Host:
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host()
        return host

    def _forget(self, name: str) -> None:
        if self.hosts[name].idle:
            del self.hosts[name]


def _weighs_the_same(old: r.Pod, new: r.Pod) -> bool:
    a, b = old.spec, new.spec
    return (
        a.node_name == b.node_name
        and a.containers is b.containers
        and a.init_containers is b.init_containers
        and a.affinity is b.affinity
        and old.metadata.labels == new.metadata.labels
        and a.resources == b.resources
        and a.overhead == b.overhead
    )


def _keeps_away_the_same(old: r.Node, new: r.Node) -> bool:
    return (
        old.metadata.labels == new.metadata.labels
        and old.spec.taints == new.spec.taints
        and old.spec.unschedulable == new.spec.unschedulable
        and old.status.allocatable == new.status.allocatable
    )


def _nobody() -> None:
    """Nobody is woken: the picture is brought up to date when it is asked for."""


_fleets: WeakKeyDictionary[Stores, Fleet] = WeakKeyDictionary()


def fleet(stores: Stores) -> Fleet:
    """The one picture of these stores, up to date."""
    found = _fleets.get(stores)
    if found is None:
        found = _fleets[stores] = Fleet(stores)
    found.sync()
    return found
