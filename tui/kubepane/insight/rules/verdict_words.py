"""A scheduling verdict in words: the nodes grouped by what decides on them, with evidence and what to do."""

from __future__ import annotations

from collections import Counter

import msgspec

from kubepane.cluster import resources as r
from kubepane.insight import demand, scheduling, taints
from kubepane.insight.finding import Evidence
from kubepane.insight.fleet import fleet
from kubepane.insight.mounts import mounts
from kubepane.insight.rules.case import Case
from kubepane.insight.scheduling import Verdict
from kubepane.insight.unseen import names
from kubepane.insight.volumes import reach

SHOWN = 4  # reasons in a clause
_WITNESSES = 12  # nodes named as evidence
Group = tuple[str, str, list[str]]
"""Kind of reason, what, names of the nodes."""


class Words(msgspec.Struct, frozen=True, gc=False):
    """A verdict in words, with what stands behind them, and on how many nodes each kind of reason holds."""

    groups: list[Group]
    clauses: tuple[str, ...]
    witnesses: tuple[Evidence, ...]
    counted: dict[str, int]


def words(case: Case, found: Verdict) -> Words:
    """Pods that share a verdict share its words."""
    here = fleet(case.stores)
    key = ("words", id(found))
    held: Words | None = here.verdicts.get(key)
    if held is not None:
        return held
    groups = _groups(found)
    clauses = [_phrase(case, found, group) for group in groups[:SHOWN]]
    if len(groups) > SHOWN:
        clauses.append(f"{len(groups) - SHOWN} more reasons")
    named = [(name, kind) for kind, _, where in groups for name in where][:_WITNESSES]
    witnesses = [_witness(case, name, reason) for name, kind in named for reason in found.reasons[name] if reason.kind == kind]
    counted = Counter(kind for reasons in found.reasons.values() for kind in {alike(reason.kind) for reason in reasons})
    made = here.verdicts[key] = Words(groups, tuple(clauses), tuple(witnesses), dict(counted))
    return made


def alike(kind: str) -> str:
    """The scheduler does not tell a full node from one that is too small."""
    return scheduling.RESOURCE if kind == scheduling.TOO_BIG else kind


_ORDER = {
    scheduling.TAINT: 0, scheduling.CORDON: 1, scheduling.RESOURCE: 2, scheduling.PODS: 3, scheduling.TOO_BIG: 4, scheduling.PORT: 5,
    scheduling.VOLUME: 6, scheduling.APART: 7, scheduling.NEAR: 8, scheduling.AFFINITY: 9,
}  # fmt: skip


def _groups(found: Verdict) -> list[Group]:
    """The nodes by what decides on them, the nearest to fitting first; the control plane only where there is nothing else to say."""
    by: dict[tuple[str, str, bool], list[str]] = {}
    for name, reasons in found.reasons.items():
        kind = reasons[0].kind
        what = " and ".join(dict.fromkeys(reason.what for reason in reasons if reason.kind == kind))
        by.setdefault((kind, what, name in found.control_planes), []).append(name)
    ranked = sorted(by.items(), key=lambda item: (item[0][2], _ORDER[item[0][0]], -len(item[1]), item[0][1]))
    apart = [(kind, what, where) for (kind, what, plane), where in ranked if not plane]
    return apart or [(kind, what, where) for (kind, what, _), where in ranked]


def _phrase(case: Case, found: Verdict, group: Group) -> str:
    kind, what, where = group
    on = f"on {where[0]}" if len(where) == 1 else f"on all {len(where)} nodes" if len(where) == found.nodes else f"on {len(where)} nodes"
    who = where[0] if len(where) == 1 else f"{len(where)} nodes"
    match kind:
        case scheduling.TAINT:
            state = taints.STATES.get(what.partition(":")[0].partition("=")[0])
            return f"{who} {state}" if state and " and " not in what else f"taint{'s' if ' and ' in what else ''} {what} {on}"
        case scheduling.CORDON:
            return f"{who} cordoned"
        case scheduling.RESOURCE:
            return f"{what} full {on}"
        case scheduling.TOO_BIG:
            return _too_big(case, found, what, where, on)
        case scheduling.PODS:
            return f"pod limit reached {on}"
        case scheduling.PORT:
            return f"host port {what} taken {on}"
        case scheduling.VOLUME:
            return _elsewhere(case, what, on)
        case scheduling.APART:
            return f"anti-affinity {what} {on}"
        case scheduling.NEAR:
            return f"no pod {what} near, {on}"
    selects = "label" if all(part in _selected(case.pod) for part in what.split(" and ")) else "affinity"
    return f"no {selects} {what} {on}" if selects == "label" else f"node affinity {what} not met {on}"


def _selected(pod: r.Pod) -> set[str]:
    return {f"{k}={v}" for k, v in (pod.spec.node_selector or {}).items()}


def _too_big(case: Case, found: Verdict, what: str, where: list[str], on: str) -> str:
    """A resource of which the node does not have so much even when it is empty."""
    resource = what.split(" and ")[0]
    hosts = fleet(case.stores).hosts
    most = max((hosts[name].allocatable.get(resource, 0) for name in where if name in hosts), default=0)
    if not most:
        return f"no {what} {on}"
    asks = demand.text(resource, demand.asked(case.pod).get(resource, 0))
    if len(where) == found.nodes - len(found.control_planes):
        return f"asks {resource} {asks}, no node has more than {demand.text(resource, most)}"
    return f"asks {resource} {asks}, more than there is {on}"


def _elsewhere(case: Case, what: str, on: str) -> str:
    held = next((m for m in mounts(case.pod, case.stores) if m.name == what and m.volumes), None)
    if held is None:
        return f"claim {what} elsewhere"
    places = names(sorted({place for v in held.volumes if (place := reach(v))}), 2)
    if len(held.volumes) == 1:
        return f"volume {held.volumes[0].metadata.name} only on {places}"
    return f"volumes for claim {what} only on {places}"


def _witness(case: Case, name: str, reason: scheduling.Reason) -> Evidence:
    """What on the node says so."""
    node = f"node/{name}"
    host = fleet(case.stores).hosts.get(name)
    if host is None or host.node is None:
        return Evidence(node, reason.kind, reason.what)
    match reason.kind:
        case scheduling.TAINT:
            return Evidence(node, "spec.taints", reason.what)
        case scheduling.CORDON:
            return Evidence(node, "spec.unschedulable", "true")
        case scheduling.RESOURCE | scheduling.TOO_BIG:
            amounts = (held.get(reason.what, 0) for held in (host.allocatable, host.used, demand.asked(case.pod)))
            have, used, asks = (demand.text(reason.what, amount) for amount in amounts)
            return Evidence(node, f"status.allocatable[{reason.what}]", f"{have}, of which {used} is requested; the pod asks {asks}")
        case scheduling.PODS:
            return Evidence(node, "status.allocatable[pods]", f"{host.allocatable.get('pods', 0)}, of which {host.pods} are taken")
        case scheduling.AFFINITY:
            return Evidence(node, "metadata.labels", f"not {reason.what}")
        case scheduling.PORT:
            return Evidence(node, "hostPort", f"{reason.what} taken")
        case scheduling.VOLUME:
            return Evidence(f"persistentvolumeclaim/{reason.what}", "spec.nodeAffinity of its volume", f"not {name}")
    return Evidence(node, "pods", f"{'with' if reason.kind == scheduling.APART else 'none with'} {reason.what}")


def cure(case: Case, groups: list[Group]) -> str:
    """What would make it fit, for the first reason."""
    if not groups:
        return ""
    kind, what, where = groups[0]
    some, there = where[0], "there" if len(where) == 1 else "on one of them"
    match kind:
        case scheduling.TAINT if what.partition(":")[0].partition("=")[0] in taints.STATES:
            return f"see why node {some} is so"
        case scheduling.TAINT:
            return f"tolerate {what} in {case.workload}, or remove the taint {there}"
        case scheduling.CORDON:
            return f"uncordon {some}"
        case scheduling.RESOURCE | scheduling.PODS:
            return f"make room {there}, add a node, or ask for less in {case.workload}"
        case scheduling.TOO_BIG:
            return f"ask for less in {case.workload}, or add a larger node"
        case scheduling.PORT:
            return f"use another host port in {case.workload}"
        case scheduling.APART:
            return f"add a node, or relax the anti-affinity in {case.workload}"
        case scheduling.NEAR:
            return "start the pods that it wants to be near"
        case scheduling.VOLUME:
            return "see what keeps the pod off the volume's own node"
    return f"label a node {what}, or change what {case.workload} selects"
