"""The sentence that says why a pod fits no node (FitError in scheduler/framework/types.go).

What comes after the reasons is the answer of the step that could make room: the plugin of dynamic resources, then preemption. Preemption
is not simulated: a pod of higher priority waits until there is room, and no victim is ever found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.scheduler.selection import Diagnosis

NO_NODES = "no nodes available to schedule pods"
NO_CLAIMS = "no new claims to deallocate"
UNPREPARED = "not found"
"""What the plugin of dynamic resources answers when an earlier one had stopped the cycle before it could prepare."""
NEVER = "preemption: not eligible due to preemptionPolicy=Never."
NO_HELP = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
LIMIT = 1024
"""Longest note of an event."""


def fit_message(pod: PodInfo, diagnosis: Diagnosis) -> str:
    """The whole sentence, as the condition PodScheduled carries it."""
    head = f"0/{diagnosis.total} nodes are available:"
    if diagnosis.general is not None:
        return f"{head} {', '.join(diagnosis.general.reasons)}. {UNPREPARED}"
    reasons: Counter[str] = Counter(reason for rejection in diagnosis.by_node.values() for reason in rejection.reasons)
    absent = diagnosis.total - len(diagnosis.by_node)
    if diagnosis.others is not None and absent:
        reasons.update(dict.fromkeys(diagnosis.others.reasons, absent))
    return f"{head} {_listed(reasons.items())}. {NO_CLAIMS}, {_preemption(pod, diagnosis)}"


def _preemption(pod: PodInfo, diagnosis: Diagnosis) -> str:
    if pod.spec.get("preemptionPolicy") == "Never":
        return NEVER
    hopeful = sum(rejection.resolvable for rejection in diagnosis.by_node.values())
    counts = [(NO_HELP, diagnosis.total - hopeful), (NO_VICTIMS, hopeful)]
    return f"preemption: 0/{diagnosis.total} nodes are available: {_listed(counts)}."


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    """`1 a, 3 b`, sorted as text."""
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts if count))


def note(message: str) -> str:
    """The sentence as an event can carry it."""
    return message if len(message) <= LIMIT else message[: LIMIT - 4] + " ..."
