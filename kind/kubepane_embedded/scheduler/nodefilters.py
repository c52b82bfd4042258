"""Filters and scores about the node itself: cordon, name, taints, affinity, host ports.

Follows plugins nodeunschedulable, nodename, tainttoleration, nodeaffinity and nodeports.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded.scheduler.framework import NOTHING, Cycle, Prepared, Rejection, normalized
from kubepane_embedded.scheduler.node_selection import names_in, preferred_of
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.tolerations import tolerates, tolerating

UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
CORDONED = Rejection(("node(s) were unschedulable",))
OTHER_NAME = Rejection(("node(s) didn't match the requested node name",))
TAINTED = Rejection(("node(s) had untolerated taint(s)",))
NOT_SELECTED = Rejection(("node(s) didn't match Pod's node affinity/selector",))
NO_TERM_FITS = Rejection(("pod affinity terms conflict",))
PORT_TAKEN = Rejection(("node(s) didn't have free ports for the requested pod ports",), resolvable=True)


def node_unschedulable(cycle: Cycle) -> Prepared:
    """Cordoned nodes take only pods that tolerate the taint of a cordon."""
    if tolerating(cycle.pod.tolerations, UNSCHEDULABLE_TAINT):
        return NOTHING
    return Prepared(lambda node: CORDONED if node.is_cordoned else None)


def node_name(cycle: Cycle) -> Prepared:
    """A pod that names its node goes nowhere else."""
    wanted = cycle.pod.spec.get("nodeName")
    return Prepared(lambda node: OTHER_NAME if node.name != wanted else None) if wanted else NOTHING


def is_kept_out(pod: PodInfo, taints: list[dict[str, Any]]) -> bool:
    """Whether a taint that keeps pods out is not tolerated."""
    return any(taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerating(pod.tolerations, taint) for taint in taints)


def taint_toleration(cycle: Cycle) -> Prepared:
    """Taints NoSchedule and NoExecute keep pods out that do not tolerate them."""
    return Prepared(lambda node: TAINTED if node.taints and is_kept_out(cycle.pod, node.taints) else None)


def node_affinity(cycle: Cycle) -> Prepared:
    """nodeSelector and required node affinity; terms that name nodes leave only those to be looked at."""
    required = cycle.pod.required
    if required.asks_nothing:
        return NOTHING
    affinity = (cycle.pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    only = names_in(terms)
    if only is not None and not only:
        return Prepared(rejection=NO_TERM_FITS)

    def test(node: NodeInfo) -> Rejection | None:
        return None if node.object is not None and required.matches(node.object) else NOT_SELECTED

    return Prepared(test, only=None if only is None else frozenset(only))


def node_ports(cycle: Cycle) -> Prepared:
    """Two pods cannot have the same port of a node."""
    wanted = cycle.pod.ports
    if not wanted:
        return NOTHING
    return Prepared(lambda node: PORT_TAKEN if any(port.collides(taken) for taken in node.ports for port in wanted) else None)


def score_taints(cycle: Cycle, nodes: list[NodeInfo]) -> list[int]:
    """Fewer taints PreferNoSchedule that the pod does not tolerate are better."""
    tolerations = [one for one in cycle.pod.tolerations if (one.get("effect") or "PreferNoSchedule") == "PreferNoSchedule"]
    counts = [
        sum(taint.get("effect") == "PreferNoSchedule" and not any(tolerates(one, taint) for one in tolerations) for taint in node.taints)
        for node in nodes
    ]
    return normalized(counts, reverse=True)


def score_node_affinity(cycle: Cycle, nodes: list[NodeInfo]) -> list[int] | None:
    """The weights of preferred terms that the node fits."""
    preferred = preferred_of(cycle.pod.object)
    if not preferred:
        return None
    return normalized([sum(weight for weight, term in preferred if term.matches(node.name, node.labels)) for node in nodes])
