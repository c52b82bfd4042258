"""Choosing a node: filters in upstream's order, then weighted scores (scheduler/schedule_one.go, apis/config/v1/default_plugins.go).

The score for images that a node already has is left out: all simulated nodes pull alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kubepane_embedded.scheduler import affinity, nodefilters, resources, spread, volumes
from kubepane_embedded.scheduler.framework import Cycle, Filter, Rejection, Score, Test
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.seed import Seed

FILTERS: tuple[tuple[str, Filter], ...] = (
    ("NodeUnschedulable", nodefilters.node_unschedulable),
    ("NodeName", nodefilters.node_name),
    ("TaintToleration", nodefilters.taint_toleration),
    ("NodeAffinity", nodefilters.node_affinity),
    ("NodePorts", nodefilters.node_ports),
    ("NodeResourcesFit", resources.node_resources_fit),
    ("VolumeRestrictions", volumes.volume_restrictions),
    ("VolumeBinding", volumes.volume_binding),
    ("VolumeZone", volumes.volume_zone),
    ("PodTopologySpread", spread.pod_topology_spread),
    ("InterPodAffinity", affinity.inter_pod_affinity),
)
SCORES: tuple[tuple[Score, int], ...] = (
    (nodefilters.score_taints, 3),
    (nodefilters.score_node_affinity, 2),
    (resources.score_least_allocated, 1),
    (resources.score_balance, 1),
    (spread.score_spread, 2),
    (affinity.score_affinity, 2),
)


@dataclass(slots=True)
class Diagnosis:
    """Why no node was found.

    Args:
        total: How many nodes there are.
        by_node: Why each node that was looked at will not do.
        general: Why no node at all will do; nothing was looked at then.
        others: Why the nodes that were not looked at will not do.
        plugins: Filters that rejected something.
    """

    total: int
    by_node: dict[str, Rejection] = field(default_factory=dict)
    general: Rejection | None = None
    others: Rejection | None = None
    plugins: set[str] = field(default_factory=set)


class Outcome(NamedTuple):
    """The nodes that will do, and what was found out about the others."""

    nodes: list[NodeInfo]
    diagnosis: Diagnosis


def find_nodes(cycle: Cycle) -> Outcome:
    """All nodes that pass all filters."""
    diagnosis = Diagnosis(len(cycle.nodes))
    tests: list[tuple[str, Test]] = []
    only: frozenset[str] | None = None
    limiting: list[str] = []
    for name, prepare in FILTERS:
        prepared = prepare(cycle)
        if prepared.rejection is not None:
            diagnosis.general = prepared.rejection._replace(plugin=name)
            diagnosis.plugins.add(name)
            return Outcome([], diagnosis)
        if prepared.test is not None:
            tests.append((name, prepared.test))
        if prepared.only is not None:
            only = prepared.only
            limiting.append(name)
    nodes = cycle.nodes
    if only is not None:
        nodes = [node for node in nodes if node.name in only]
        diagnosis.others = Rejection((f"node(s) didn't satisfy plugin(s) [{' '.join(limiting)}]",))
        diagnosis.plugins.update(limiting)
    return Outcome(_passing(nodes, tests, diagnosis), diagnosis)


def _passing(nodes: list[NodeInfo], tests: list[tuple[str, Test]], diagnosis: Diagnosis) -> list[NodeInfo]:
    """The nodes without a rejection; the first filter that rejects a node gives the reason."""
    passing = []
    for node in nodes:
        rejection = _first_rejection(node, tests)
        if rejection is None:
            passing.append(node)
        else:
            diagnosis.by_node[node.name] = rejection
            diagnosis.plugins.add(rejection.plugin)
    return passing


def _first_rejection(node: NodeInfo, tests: list[tuple[str, Test]]) -> Rejection | None:
    for name, test in tests:
        rejection = test(node)
        if rejection is not None:
            return rejection._replace(plugin=name)
    return None


def choose(cycle: Cycle, nodes: list[NodeInfo], seed: Seed) -> NodeInfo:
    """The node with the best weighted score; chance decides among equals."""
    if len(nodes) == 1:
        return nodes[0]
    totals = [0] * len(nodes)
    for score, weight in SCORES:
        found = score(cycle, nodes)
        if found is not None:
            totals = [total + weight * one for total, one in zip(totals, found, strict=True)]
    best = max(totals)
    return seed.choice([node for node, total in zip(nodes, totals, strict=True) if total == best])
