"""Why a pod ended or does not end: evicted, past its deadline, held by finalizers, its node lost, its readiness gates shut.

Source: the kubelet's eviction manager, pkg/controller/podgc and nodelifecycle; the condition DisruptionTarget (KEP-3329).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from kubepane.cluster import resources as r
from kubepane.insight.ages import duration
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.pods import all_statuses, condition
from kubepane.insight.rules.case import Case, Rule, in_trouble, sentence, short
from kubepane.insight.unseen import unseen

_LOW = re.compile(r"low on resource: ([\w-]+)")
_LATE = timedelta(seconds=5)  # a kubelet takes this long to tell that it has stopped a pod
_ENDED = ("Succeeded", "Failed")
_DISRUPTION = {
    "PreemptionByScheduler": "made room for a pod of higher priority",
    "DeletionByTaintManager": "evicted by a NoExecute taint of its node",
    "EvictionByEvictionAPI": "evicted (drain or eviction request)",
    "DeletionByPodGC": "its node is gone",
    "TerminationByKubelet": "stopped by the kubelet",
}


def failed(case: Case) -> Iterator[Finding]:
    """A failed pod with a reason of its own."""
    status = case.pod.status
    if status.phase != "Failed" or not status.reason:
        return
    facts = (case.says("status.reason", status.reason), case.says("status.message", short(status.message, 400)))
    match status.reason:
        case "Evicted":
            low = _LOW.search(status.message)
            clause = f"node {_at(case)}low on {low[1]}" if low else sentence(status.message) or "evicted"
            yield Finding(Level.BAD, clause, facts, f"give {case.workload} requests that match its use; this pod can be deleted")
        case "DeadlineExceeded":
            yield Finding(Level.BAD, "ran longer than its deadline", facts, f"raise activeDeadlineSeconds in {case.workload}, or make it quicker")
        case "NodeShutdown" | "Terminated" | "Shutdown":
            yield Finding(Level.BAD, f"node {_at(case)}was shut down", facts, "delete the pod")
        case reason:
            yield Finding(Level.BAD, sentence(status.message) or reason, facts, f"see {case.workload}; this pod can be deleted")


def _at(case: Case) -> str:
    return f"{case.pod.spec.node_name} " if case.pod.spec.node_name else ""


def silent(case: Case) -> Iterator[Finding]:
    """A failed pod of which no container says why, and one of which nobody knows."""
    status = case.pod.status
    if status.phase == "Unknown":
        yield Finding(Level.BAD, "its kubelet does not report", (case.says("status.phase", "Unknown"),), "see to its node")
    if status.phase != "Failed" or status.reason or in_trouble(case.pod):
        return
    target = condition(status, "DisruptionTarget")
    if target is not None and target.status == "True":
        yield Finding(Level.BAD, _DISRUPTION.get(target.reason, sentence(target.message) or target.reason), (_target(case, target),))
    else:
        yield Finding(Level.BAD, sentence(status.message) or "failed without a word", (case.says("status.phase", "Failed"),))


def _target(case: Case, target: r.Condition) -> Evidence:
    return case.says("status.conditions[DisruptionTarget]", short(f"{target.reason}: {target.message}", 400))


# ---- ending --------------------------------------------------------------------------------------------------------------------


def terminating(case: Case) -> Iterator[Finding]:
    """A pod that is being deleted: what holds it, and why it has to go."""
    pod = case.pod
    due = pod.metadata.deletion_timestamp
    if due is None:
        return
    grace = pod.metadata.deletion_grace_period_seconds
    facts = [case.says("metadata.deletionTimestamp", due.isoformat())]
    if grace is not None:
        facts.append(case.says("metadata.deletionGracePeriodSeconds", str(grace)))
    running = [s.name for s in all_statuses(pod) if s.state.running is not None]
    if pod.metadata.finalizers and (not running or pod.status.phase in _ENDED):
        held = ", ".join(pod.metadata.finalizers)
        word = "finalizers" if len(pod.metadata.finalizers) > 1 else "finalizer"
        yield Finding(Level.WAIT, f"held by {word} {held}", (case.says("metadata.finalizers", held), *facts), f"see what should remove {held}")
    if case.now is not None and running and case.now - due > _LATE:
        over = duration((case.now - due).total_seconds())
        still = (*facts, case.says("status.containerStatuses[].state.running", ", ".join(running)))
        yield Finding(Level.WARN, f"grace period over {over} ago, {', '.join(running)} still runs", still, "see the kubelet of its node")
    target = condition(pod.status, "DisruptionTarget")
    if target is not None and target.status == "True":
        yield Finding(Level.BUSY, _DISRUPTION.get(target.reason, sentence(target.message) or target.reason), (_target(case, target), *facts))


# ---- the node --------------------------------------------------------------------------------------------------------------------


def lost(case: Case) -> Iterator[Finding]:
    """The pod's node does not report: what is said of its containers may be long past."""
    pod = case.pod
    node = case.stores.nodes.named("", pod.spec.node_name) if pod.spec.node_name else None
    if pod.status.phase in _ENDED or (node is None and pod.status.reason != "NodeLost"):
        return
    if node is None:
        doubt = unseen(case.stores.nodes)
        why = f" (could not look: {doubt})" if doubt else ""
        yield Finding(
            Level.BAD, f"{f'node {name}' if (name := pod.spec.node_name) else 'its node'} is lost{why}", (case.says("status.reason", "NodeLost"),)
        )
        return
    ready = next((c for c in node.status.conditions or () if c.type == "Ready"), None)
    if ready is not None and ready.status == "True":
        return
    name = node.metadata.name
    facts = (case.says("spec.nodeName", name), Evidence(f"node/{name}", "status.conditions[Ready]", _words(ready)))
    what = "does not report" if ready is None or ready.status == "Unknown" else "is not ready"
    why = f": {sentence(ready.message)}" if ready is not None and ready.message else ""
    yield Finding(Level.BAD, f"node {name} {what}{why}", facts, f"see to node {name}, its kubelet and its network")


def _words(ready: r.Condition | None) -> str:
    return "none" if ready is None else short(f"{ready.status} {ready.reason}: {ready.message}", 400)


# ---- readiness gates ---------------------------------------------------------------------------------------------------------------


def gates(case: Case) -> Iterator[Finding]:
    """All containers are ready, and a readiness gate keeps the pod from being so."""
    pod = case.pod
    contained = condition(pod.status, "ContainersReady")
    if pod.metadata.deletion_timestamp is not None or pod.status.phase != "Running" or (contained is not None and contained.status != "True"):
        return
    for gate in pod.spec.readiness_gates or ():
        found = condition(pod.status, gate.condition_type)
        if found is not None and found.status == "True":
            continue
        why = "nobody has set it" if found is None else sentence(found.message) or found.reason or found.status
        fact = case.says(f"status.conditions[{gate.condition_type}]", "none" if found is None else f"{found.status} {found.reason}".strip())
        yield Finding(Level.BUSY, f"readiness gate {gate.condition_type}: {why}", (fact,), "see the controller that sets it")


RULES: tuple[Rule, ...] = (lost, failed, silent, terminating, gates)
