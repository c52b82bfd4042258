"""Why a pod has no node: gates, claims, the nodes' reasons, or a node that is not there."""

from __future__ import annotations

from collections.abc import Iterator

from kubepane.insight import scheduler_message, scheduling
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.mounts import mounts
from kubepane.insight.pods import condition
from kubepane.insight.rules import verdict_words
from kubepane.insight.rules.case import Case, Rule, short
from kubepane.insight.scheduler_message import Message
from kubepane.insight.scheduling import Verdict
from kubepane.insight.unseen import names, unseen

_DEFAULT = ("", "default-scheduler")


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
        if not blocked:  # while a volume is provisioned for it, the scheduler waits without a word
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
    words = verdict_words.words(case, found)
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
    return Finding(Level.WAIT, " · ".join(clauses), (*words.witnesses, *told), verdict_words.cure(case, words.groups))


def _scheduler_says(ours: dict[str, int], message: Message, blind: bool) -> list[str]:
    """What only the scheduler knows: reasons that we do not compute, or that concern more nodes than we see a reason for."""
    lead = "" if blind else "scheduler: "
    if message.rest:
        return [f"{lead}{short(message.rest)}"]
    parts = [p for p in message.parts if p.count > ours.get(verdict_words.alike(p.kind), 0)]
    return [f"{lead}{scheduler_message.phrase(p)}" for p in parts[: verdict_words.SHOWN]]


def missing_node(case: Case) -> Iterator[Finding]:
    """The pod is bound to a node that is not there: nothing will ever run it, and nothing is written about it."""
    name = case.pod.spec.node_name
    if name and case.stores.nodes.named("", name) is None and not unseen(case.stores.nodes):
        facts = (case.says("spec.nodeName", name), Evidence("nodes", "metadata.name", names(sorted(n.metadata.name for n in case.stores.nodes))))
        yield Finding(Level.BAD, f"node {name} does not exist", facts, "delete the pod; name no node in its template")


RULES: tuple[Rule, ...] = (missing_node, gated, nowhere)
