"""Why a pending pod fits on no node, worked out from nodes and pod: since 1.35 the scheduler's message names no taint.

Source: the filter plugins of pkg/scheduler/framework/plugins: NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts,
NodeResourcesFit, VolumeBinding, InterPodAffinity. Every reason given here holds by itself; there may be more that we do not
compute (topology spread, volume limits, the plugins of others): for those the scheduler's own message stands.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import demand, labels, placement, taints
from kubepane.insight.fleet import Fleet, Host, fleet
from kubepane.insight.mounts import Mount, mounts
from kubepane.insight.nodes import taint as taint_text

AFFINITY, TAINT, CORDON, RESOURCE, TOO_BIG, PODS, PORT, VOLUME, APART, NEAR = (
    "affinity", "taint", "cordon", "resource", "too big", "pods", "port", "volume", "apart", "near",
)  # fmt: skip


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One reason that keeps a pod off a node.

    Attributes:
        kind: one of the words above.
        what: the taint, the resource, the missing label: what makes two nodes fail for the same reason.
    """

    kind: str
    what: str = ""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What keeps a pod off each node.

    Attributes:
        reasons: by node name, the deciding one first: a pod that is not meant for a node does not care how full it is.
        fits: the nodes that nothing speaks against.
        control_planes: nodes that keep themselves for the control plane: nobody expects the pod there.
    """

    reasons: dict[str, tuple[Reason, ...]]
    fits: tuple[str, ...]
    control_planes: frozenset[str]

    @property
    def nodes(self) -> int:
        """How many nodes were looked at."""
        return len(self.reasons) + len(self.fits)


class _Ask:
    """What one pod needs of a node, read once for all nodes."""

    __slots__ = ("amounts", "apart", "mounts", "near", "node_affinity", "ports", "selector", "tolerations")

    def __init__(self, pod: r.Pod, fleet: Fleet, stores: Stores, mounted: list[Mount]) -> None:
        self.amounts = demand.asked(pod)
        self.ports = demand.host_ports(pod.spec)
        self.selector = pod.spec.node_selector
        self.node_affinity = placement.required_node(pod)
        self.tolerations = pod.spec.tolerations or ()
        self.mounts = [m for m in mounted if m.volumes]
        self.near = [_near(pod, term, stores) for term in placement.required_near(pod)]
        self.apart = [_apart(pod, term, stores) for term in placement.required_apart(pod)] + _guarded(pod, fleet, stores)


def verdict(pod: r.Pod, stores: Stores, mounted: list[Mount] | None = None) -> Verdict:
    """Why each node does not take this pod. Pods of one template share the answer until something changes."""
    here = fleet(stores)
    held = mounts(pod, stores) if mounted is None else mounted
    spec = pod.spec
    key = (
        pod.metadata.namespace, id(spec.containers), id(spec.init_containers), id(spec.tolerations), id(spec.node_selector), id(spec.affinity),
        id(pod.metadata.labels), id(spec.resources), id(spec.overhead), tuple(id(v) for m in held for v in m.volumes),
    )  # fmt: skip
    found: tuple[Verdict, r.Pod, list[Mount]] | None = here.verdicts.get(key)
    if found is None:
        found = here.verdicts[key] = (_judge(pod, here, stores, held), pod, held)  # holds on to what the ids stand for
    return found[0]


def _judge(pod: r.Pod, here: Fleet, stores: Stores, held: list[Mount]) -> Verdict:
    ask = _Ask(pod, here, stores, held)
    reasons: dict[str, tuple[Reason, ...]] = {}
    fits: list[str] = []
    planes: set[str] = set()
    for name, host in sorted(here.hosts.items()):
        if host.node is None:
            continue
        found = tuple(reason for check in CHECKS for reason in check(ask, host, host.node))
        if not found:
            fits.append(name)
            continue
        reasons[name] = found
        if any(taint.key in taints.CONTROL_PLANE for taint in taints.untolerated(host.taints, ask.tolerations)):
            planes.add(name)
    return Verdict(reasons, tuple(fits), frozenset(planes))


# ---- one check a plugin ------------------------------------------------------------------------------------------------------


def _selected(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    for missing in placement.selector_misses(ask.selector, node.metadata.labels or {}):
        yield Reason(AFFINITY, missing)
    if not placement.matches(ask.node_affinity, node):
        yield Reason(AFFINITY, placement.text(ask.node_affinity))


def _tainted(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    for taint in taints.untolerated(host.taints, ask.tolerations):
        if taint.key != taints.UNSCHEDULABLE:
            yield Reason(TAINT, taint_text(taint))


def _cordoned(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    marked = r.Taint(taints.UNSCHEDULABLE, effect="NoSchedule")
    if (node.spec.unschedulable or any(t.key == taints.UNSCHEDULABLE for t in host.taints)) and taints.untolerated((marked,), ask.tolerations):
        yield Reason(CORDON)


def _room(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    allowed = host.allocatable.get("pods", 0)
    if host.pods + 1 > allowed:
        yield Reason(PODS)
    for name, amount in ask.amounts.items():
        have = host.allocatable.get(name, 0)
        if amount > have:
            yield Reason(TOO_BIG, name)
        elif amount > have - host.used.get(name, 0):
            yield Reason(RESOURCE, name)


def _ports(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    for wanted in ask.ports:
        if any(demand.clash(wanted, taken) for taken in host.ports):
            yield Reason(PORT, f"{wanted[2]}/{wanted[1]}")


def _volumes(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    for mount in ask.mounts:
        if not any(placement.matches(v.spec.node_affinity.required if v.spec.node_affinity else None, node) for v in mount.volumes):
            yield Reason(VOLUME, mount.name)


def _company(ask: _Ask, host: Host, node: r.Node) -> Iterator[Reason]:
    have = node.metadata.labels or {}
    for key, taken, what in ask.apart:
        if have.get(key) in taken:
            yield Reason(APART, what)
    for key, wanted, what in ask.near:
        value = have.get(key)
        if value is None or (wanted is not None and value not in wanted):
            yield Reason(NEAR, what)


CHECKS = (_selected, _tainted, _cordoned, _room, _ports, _volumes, _company)
"""In the order of what decides."""


# ---- pods beside pods --------------------------------------------------------------------------------------------------------

_Taken = tuple[str, set[str], str]  # topology label, its values where the pod may not be, the term in words
_Wanted = tuple[str, "set[str] | None", str]  # the same where it must be; None: all are fine


def _where(pod: r.Pod, term: r.PodAffinityTerm, stores: Stores) -> set[str]:
    """The domains that have a pod which the term means."""
    home = pod.metadata.namespace
    alone = not term.namespaces and term.namespace_selector is None
    others = stores.pods.by("namespace", home) if alone else stores.pods
    names = {p.spec.node_name for p in others if p.spec.node_name and _lives(p) and placement.means(term, home, p, stores.namespaces)}
    return placement.domains((n for name in names if (n := stores.nodes.named("", name)) is not None), term.topology_key)


def _lives(pod: r.Pod) -> bool:
    return pod.status.phase not in ("Succeeded", "Failed")


def _apart(pod: r.Pod, term: r.PodAffinityTerm, stores: Stores) -> _Taken:
    return term.topology_key, _where(pod, term, stores), labels.text(term.label_selector)


def _near(pod: r.Pod, term: r.PodAffinityTerm, stores: Stores) -> _Wanted:
    found = _where(pod, term, stores)
    if not found and placement.means(term, pod.metadata.namespace, pod, stores.namespaces):
        return term.topology_key, None, labels.text(term.label_selector)  # the first of pods that want to be together may go anywhere
    return term.topology_key, found, labels.text(term.label_selector)


def _guarded(pod: r.Pod, here: Fleet, stores: Stores) -> list[_Taken]:
    """The domains whose pods do not want this one beside them."""
    out: list[_Taken] = []
    for guard in here.guards.values():
        owner = guard.owner
        if owner.metadata.namespace == pod.metadata.namespace and owner.spec.affinity == pod.spec.affinity:
            continue  # its own rule says the same
        for term in placement.required_apart(owner):
            if placement.means(term, owner.metadata.namespace, pod, stores.namespaces):
                nodes = (n for name in guard.nodes if (n := stores.nodes.named("", name)) is not None)
                out.append((term.topology_key, placement.domains(nodes, term.topology_key), f"of {owner.metadata.name}"))
    return out
