"""Why a pod has no node: gates, claims, the nodes' reasons, or a node that is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from kubepane.cluster import resources as r
from kubepane.insight import demand, scheduler_message, scheduling, taints
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.fleet import fleet
from kubepane.insight.mounts import mounts
from kubepane.insight.pods import condition
from kubepane.insight.rules.case import Case, Rule, short
from kubepane.insight.scheduler_message import Message
from kubepane.insight.scheduling import Verdict
from kubepane.insight.unseen import names, unseen
from kubepane.insight.volumes import reach

_SHOWN = 4  # reasons in a clause
_WITNESSES = 12  # nodes named as evidence
_DEFAULT = ("", "default-scheduler")
Group = tuple[str, str, list[str]]  # kind, what, names of the nodes


def gated(case: Case) -> Iterator[Finding]:
    """Scheduling gates: the scheduler does not even look, and there is no event."""
    gates = [g.name for g in case.pod.spec.scheduling_gates or ()]
    if gates and not case.pod.spec.node_name:
        word = "gate" if len(gates) == 1 else "gates"
        fact = case.says("spec.schedulingGates", ", ".join(gates))
        yield Finding(Level.WAIT, f"scheduling {word} {', '.join(gates)}", (fact,), f"see what should remove the {word}")


def nowhere(case: Case) -> Iterator[Finding]:
    """No node takes the pod."""
    pod = case.pod
    if pod.spec.node_name or pod.status.phase not in ("Pending", "") or pod.spec.scheduling_gates or pod.metadata.deletion_timestamp:
        return
    said = condition(pod.status, "PodScheduled")
    if said is not None and said.status == "True":
        return
    held = mounts(pod, case.stores)
    blocked = [m for m in held if m.blocked is not None]
    for mount in blocked:
        assert mount.blocked is not None
        yield _claim(case, mount.name, mount.blocked)
    message = scheduler_message.parse(said.message if said else "")
    if said is None:
        yield _unread(case)
    elif not blocked or message.parts:
        yield _nodes(case, scheduling.verdict(pod, case.stores, held), message, bool(blocked))
    if pod.status.nominated_node_name:
        fact = case.says("status.nominatedNodeName", pod.status.nominated_node_name)
        yield Finding(Level.BUSY, f"takes the place of pods on {pod.status.nominated_node_name}, once they have ended", (fact,))


def _claim(case: Case, name: str, cause: Finding) -> Finding:
    clause = cause.clause if name in cause.clause else f"claim {name} unbound: {cause.clause}"
    fact = case.says("spec.volumes[].persistentVolumeClaim", name)
    return Finding(Level.WAIT, clause, (*cause.evidence, fact), cause.next)


def _unread(case: Case) -> Finding:
    """No condition at all: nobody tried to schedule it."""
    name = case.pod.spec.scheduler_name
    fact = case.says("status.conditions[PodScheduled]", "none")
    if name in _DEFAULT:
        return Finding(Level.WAIT, "the scheduler has not looked at it yet", (fact,), "see whether the scheduler runs, if this lasts")
    return Finding(Level.WAIT, f"scheduler {name} has not looked at it", (case.says("spec.schedulerName", name), fact), f"see whether {name} runs")


# ---- the nodes ---------------------------------------------------------------------------------------------------------------


def _nodes(case: Case, found: Verdict, message: Message, blocked: bool) -> Finding:
    words = _words(case, found)
    clauses = list(words.clauses)
    doubt = unseen(case.stores.nodes) if not found.nodes else ""
    if found.fits or not found.nodes:
        clauses += _scheduler_says(words.counted, message, bool(doubt))
    if doubt and not blocked:
        clauses.append(f"which nodes: {doubt}")
    said = condition(case.pod.status, "PodScheduled")
    told = (case.says("status.conditions[PodScheduled].message", short(said.message, 400)),) if said and said.message else ()
    if not clauses:
        where = f"fits on {names(list(found.fits), 2)} now" if found.fits else "there is no node"
        return Finding(Level.WAIT, f"{where}: waits for the scheduler", told, "wait: the scheduler tries again by itself")
    return Finding(Level.WAIT, " · ".join(clauses), (*words.witnesses, *told), _cure(case, words.groups))


class _Words(msgspec.Struct, frozen=True, gc=False):
    """A verdict in words, with what stands behind them, and on how many nodes each kind of reason holds."""

    groups: list[Group]
    clauses: tuple[str, ...]
    witnesses: tuple[Evidence, ...]
    counted: dict[str, int]


def _words(case: Case, found: Verdict) -> _Words:
    """Pods that share a verdict share its words."""
    here = fleet(case.stores)
    key = ("words", id(found))
    held: _Words | None = here.verdicts.get(key)
    if held is not None:
        return held
    groups = _groups(found)
    clauses = [_phrase(case, found, group) for group in groups[:_SHOWN]]
    if len(groups) > _SHOWN:
        clauses.append(f"{len(groups) - _SHOWN} more reasons")
    named = [(name, kind) for kind, _, where in groups for name in where][:_WITNESSES]
    witnesses = [_witness(case, name, reason) for name, kind in named for reason in found.reasons[name] if reason.kind == kind]
    counted = Counter(kind for reasons in found.reasons.values() for kind in {_alike(reason.kind) for reason in reasons})
    made = here.verdicts[key] = _Words(groups, tuple(clauses), tuple(witnesses), dict(counted))
    return made


def _scheduler_says(ours: dict[str, int], message: Message, blind: bool) -> list[str]:
    """What only the scheduler knows: reasons that we do not compute, or that concern more nodes than we see a reason for."""
    lead = "" if blind else "scheduler: "
    if message.rest:
        return [f"{lead}{short(message.rest)}"]
    parts = [p for p in message.parts if p.count > ours.get(_alike(p.kind), 0)]
    return [f"{lead}{scheduler_message.phrase(p)}" for p in parts[:_SHOWN]]


def _alike(kind: str) -> str:
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


def _cure(case: Case, groups: list[Group]) -> str:
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


def missing_node(case: Case) -> Iterator[Finding]:
    """The pod is bound to a node that is not there: nothing will ever run it, and nothing is written about it."""
    name = case.pod.spec.node_name
    if name and case.stores.nodes.named("", name) is None and not unseen(case.stores.nodes):
        facts = (case.says("spec.nodeName", name), Evidence("nodes", "metadata.name", names(sorted(n.metadata.name for n in case.stores.nodes))))
        yield Finding(Level.BAD, f"node {name} does not exist", facts, "delete the pod; name no node in its template")


RULES: tuple[Rule, ...] = (missing_node, gated, nowhere)
