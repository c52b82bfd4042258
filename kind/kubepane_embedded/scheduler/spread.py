"""Topology spread constraints: the pod's own, and the default ones that spread the pods of one owner over nodes (podtopologyspread)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from kubepane_embedded.meta import Object, controller_of
from kubepane_embedded.scheduler.framework import MAX_SCORE, NOTHING, Cycle, Prepared, Rejection
from kubepane_embedded.scheduler.nodefilters import is_kept_out
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.selectors import LabelSelector, Requirement
from kubepane_embedded.storage import Storage

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
UNEVEN = Rejection(("node(s) didn't match pod topology spread constraints",), resolvable=True)
NO_LABEL = Rejection(("node(s) didn't match pod topology spread constraints (missing required label)",))
DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))
OWNERS = {
    ("apps/v1", "ReplicaSet"): "replicasets.apps",
    ("apps/v1", "StatefulSet"): "statefulsets.apps",
    ("v1", "ReplicationController"): "replicationcontrollers",
}


class Constraint(NamedTuple):
    """One constraint, defaults filled in."""

    topology: str
    max_skew: int
    selector: LabelSelector
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False

    def includes(self, pod: PodInfo, node: NodeInfo) -> bool:
        """Whether a node's pods count (nodeAffinityPolicy, nodeTaintsPolicy)."""
        if self.honors_affinity and not (node.object is not None and pod.required.matches(node.object)):
            return False
        return not (self.honors_taints and is_kept_out(pod, node.taints))


def constraints_of(pod: PodInfo, action: str) -> list[Constraint]:
    """The pod's constraints with a certain whenUnsatisfiable."""
    asked: Iterable[dict[str, Any]] = pod.spec.get("topologySpreadConstraints") or []
    return [_constraint(pod, one) for one in asked if one.get("whenUnsatisfiable") == action]


def _constraint(pod: PodInfo, asked: dict[str, Any]) -> Constraint:
    selector = LabelSelector.of(asked.get("labelSelector"))
    more = tuple(Requirement(key, "In", (pod.labels[key],)) for key in asked.get("matchLabelKeys") or [] if key in pod.labels)
    selector = LabelSelector((*selector.requirements, *more), selector.nothing) if more else selector
    return Constraint(
        asked.get("topologyKey") or "",
        asked.get("maxSkew") or 1,
        selector,
        asked.get("minDomains") or 1,
        (asked.get("nodeAffinityPolicy") or "Honor") == "Honor",
        (asked.get("nodeTaintsPolicy") or "Ignore") == "Honor",
    )


def _default_constraints(pod: PodInfo, storage: Storage) -> list[Constraint]:
    """What holds for pods without constraints of their own: spread, softly, the pods of the same owner and Services."""
    selector = _default_selector(pod, storage)
    return [Constraint(topology, skew, selector) for topology, skew in DEFAULTS] if selector.requirements else []


def _default_selector(pod: PodInfo, storage: Storage) -> LabelSelector:
    found: list[Requirement] = []
    for service in storage.objects("services", pod.namespace):
        selector = LabelSelector.of_map((service.get("spec") or {}).get("selector"))
        if selector.matches(pod.labels):
            found += selector.requirements
    owner = controller_of(pod.object)
    resource = OWNERS.get((owner.get("apiVersion") or "", owner.get("kind") or "")) if owner else None
    parent = storage.read(resource, pod.namespace, (owner or {}).get("name") or "") if resource else None
    if parent is not None:
        found += _selector_of(parent).requirements
    return LabelSelector(tuple(dict.fromkeys(found)))


def _selector_of(parent: Object) -> LabelSelector:
    selector = (parent.get("spec") or {}).get("selector")
    return LabelSelector.of_map(selector) if parent["kind"] == "ReplicationController" else LabelSelector.of(selector)


def _matching(node: NodeInfo, namespace: str, selector: LabelSelector) -> int:
    """How many pods of a node are selected; a selector without terms counts none."""
    if not selector.requirements:
        return 0
    return sum(not pod.deleting and selector.matches(pod.labels) for pod in node.in_namespace(namespace))


def pod_topology_spread(cycle: Cycle) -> Prepared:
    """Constraints DoNotSchedule: no domain may be ahead of the least one by more than maxSkew."""
    pod = cycle.pod
    constraints = constraints_of(pod, "DoNotSchedule")
    if not constraints:
        return NOTHING
    counts = _count(cycle, constraints)
    least = [min(one.values(), default=math.inf) if len(one) >= rule.min_domains else 0 for one, rule in zip(counts, constraints, strict=True)]

    def test(node: NodeInfo) -> Rejection | None:
        for rule, found, fewest in zip(constraints, counts, least, strict=True):
            if rule.topology not in node.labels:
                return NO_LABEL
            own = rule.selector.matches(pod.labels)
            if found.get(node.labels[rule.topology], 0) + own - fewest > rule.max_skew:
                return UNEVEN
        return None

    return Prepared(test)


def _count(cycle: Cycle, constraints: list[Constraint]) -> list[dict[str, int]]:
    """Matching pods by value of the topology label, over the nodes that have all labels."""
    counts: list[dict[str, int]] = [defaultdict(int) for _ in constraints]
    for node in cycle.nodes:
        if all(rule.topology in node.labels for rule in constraints):
            for found, rule in zip(counts, constraints, strict=True):
                if rule.includes(cycle.pod, node):
                    found[node.labels[rule.topology]] += _matching(node, cycle.pod.namespace, rule.selector)
    return counts


def score_spread(cycle: Cycle, nodes: list[NodeInfo]) -> list[int] | None:
    """Constraints ScheduleAnyway, or the default ones: domains with fewer matching pods are better."""
    own = bool(cycle.pod.spec.get("topologySpreadConstraints"))
    constraints = constraints_of(cycle.pod, "ScheduleAnyway") if own else _default_constraints(cycle.pod, cycle.storage)
    if not constraints:
        return None
    ignored = {node.name for node in nodes if own and any(rule.topology not in node.labels for rule in constraints)}
    scored = [node for node in nodes if node.name not in ignored]
    sums = dict.fromkeys((node.name for node in scored), 0.0)
    for rule in constraints:
        _add_counts(cycle, rule, scored, sums, [one.topology for one in constraints] if own else [])
    rounded = {name: _half_up(total) for name, total in sums.items()}
    return [0 if node.name in ignored else _turned(rounded[node.name], list(rounded.values())) for node in nodes]


def _add_counts(cycle: Cycle, rule: Constraint, scored: list[NodeInfo], sums: dict[str, float], needed: list[str]) -> None:
    """Add one constraint's share to the sums of the nodes; without a label (default constraints) a node gets none."""
    pod = cycle.pod
    if rule.topology == HOSTNAME:
        weight = math.log(len(scored) + 2)
        per_node = {node.name: _matching(node, pod.namespace, rule.selector) for node in scored if HOSTNAME in node.labels}
    else:
        counts = dict.fromkeys((node.labels.get(rule.topology, "") for node in scored), 0)
        weight = math.log(len(counts) + 2)
        for node in cycle.nodes:
            value = node.labels.get(rule.topology, "")
            if value in counts and all(label in node.labels for label in needed) and rule.includes(pod, node):
                counts[value] += _matching(node, pod.namespace, rule.selector)
        per_node = {node.name: counts[node.labels[rule.topology]] for node in scored if rule.topology in node.labels}
    for name, count in per_node.items():
        sums[name] += count * weight + rule.max_skew - 1


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)


def _turned(score: int, scores: list[int]) -> int:
    most, least = max(scores), min(scores)
    return MAX_SCORE if most == 0 else MAX_SCORE * (most + least - score) // most
