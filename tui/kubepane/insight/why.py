"""Why a pod is not well: the registry of rules, and their answers, most important first.

A rule looks at one case and yields what it finds; a new cause is a new rule in its family, or a new family in `POD_RULES`.
"""

from __future__ import annotations

from datetime import datetime

from kubepane.cluster.resources import Pod
from kubepane.cluster.stores import Stores
from kubepane.insight import pods
from kubepane.insight.finding import Finding, Level, worst
from kubepane.insight.rules import containers, lifecycle, probes, unscheduled
from kubepane.insight.rules.case import Case, Rule

POD_RULES: tuple[Rule, ...] = (*lifecycle.RULES, *unscheduled.RULES, *containers.RULES, *probes.RULES)
"""All rules for pods; of findings that are equally bad the earlier rule's goes first."""


def explain_pod(pod: Pod, stores: Stores, now: datetime | None = None) -> list[Finding]:
    """What is known to be wrong with a pod, most important first; nothing for a healthy or finished one.

    Args:
        pod: the pod.
        stores: what is known of the cluster.
        now: the time; without it nothing is said that would change by itself.
    """
    level = pods.level(pod)
    if level is Level.DONE or (level is Level.OK and (now is None or not _restarted(pod))):
        return []
    case = Case(pod, stores, now, level)
    found = [finding for rule in POD_RULES for finding in rule(case)]
    found.sort(key=lambda f: f.level)
    return found


def _restarted(pod: Pod) -> bool:
    return any(s.restart_count for s in pods.all_statuses(pod))


def clause(pod: Pod, stores: Stores, now: datetime | None = None) -> str:
    """The most important cause in one clause, for the WHY cell; "" for none."""
    found = worst(explain_pod(pod, stores, now))
    return found.clause if found is not None else ""
