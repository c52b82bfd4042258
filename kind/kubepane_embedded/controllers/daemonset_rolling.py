"""Rolling updates of DaemonSets: which old daemons may go now, and where a second one may start (pkg/controller/daemon/update.go)."""

from __future__ import annotations

from typing import NamedTuple

from kubepane_embedded.controllers.daemonset_facts import max_surge, max_unavailable
from kubepane_embedded.controllers.daemonset_round import Daemons, Plan
from kubepane_embedded.meta import Object, is_deleting


class Pair(NamedTuple):
    """The daemons of one node that are not being deleted; `clear` is False when there are more than one old or one new."""

    node: str
    new: Object | None
    old: Object | None
    clear: bool = True


def rolling_plan(daemons: Daemons) -> Plan:
    """The next step of a rolling update."""
    wanted = daemons.wanted_on()
    names = list(dict.fromkeys([*daemons.by_node, *wanted]))
    pairs = [_pair(daemons, name) for name in names]
    surge = max_surge(daemons.daemon_set, len(wanted))
    if surge:
        return _surging(daemons, pairs, surge, set(wanted))
    return Plan([], _replacing(daemons, pairs, max_unavailable(daemons.daemon_set, len(wanted))))


def _pair(daemons: Daemons, node: str) -> Pair:
    staying = [pod for pod in daemons.by_node.get(node, ()) if not is_deleting(pod)]
    new = [pod for pod in staying if daemons.is_updated(pod)]
    old = [pod for pod in staying if not daemons.is_updated(pod)]
    if len(new) > 1 or len(old) > 1:
        return Pair(node, None, None, clear=False)
    return Pair(node, new[0] if new else None, old[0] if old else None)


def _replacing(daemons: Daemons, pairs: list[Pair], allowed: int) -> list[Object]:
    """Old daemons that may go: those that serve nobody, and of the others as many as may be missing."""
    unavailable = 0
    useless: list[Object] = []
    serving: list[Object] = []
    for pair in pairs:
        if not pair.clear or (pair.new is None) == (pair.old is None):
            unavailable += 1
        elif pair.new is not None:
            unavailable += not daemons.is_available(pair.new)
        elif pair.old is not None and not daemons.is_available(pair.old):
            useless.append(pair.old)
            unavailable += 1
        elif pair.old is not None and unavailable < allowed:
            serving.append(pair.old)
    return [*useless, *serving[: max(0, allowed - unavailable)]]


def _surging(daemons: Daemons, pairs: list[Pair], allowed: int, wanted: set[str]) -> Plan:
    """Start second daemons, and let old ones go where the new one is available or the node is not for the set any more."""
    plan = Plan([], [])
    leaving: list[Object] = []
    candidates: list[str] = []
    surging = sum(not pair.clear for pair in pairs)
    for pair in pairs:
        if pair.old is None:
            continue
        if pair.new is not None:
            if daemons.is_available(pair.new):
                plan.delete.append(pair.old)
            else:
                surging += 1
        elif not daemons.is_available(pair.old):
            if pair.node in wanted:
                plan.start.append(pair.node)
            else:
                plan.delete.append(pair.old)
        elif pair.node not in wanted:
            leaving.append(pair.old)
        else:
            candidates.append(pair.node)
    serving = sum(daemons.is_available(pod) for pod in (pair.old or pair.new for pair in pairs) if pod is not None)
    plan.delete.extend(leaving[: max(0, serving - len(wanted))])
    plan.start.extend(candidates[: max(0, allowed - surging)])
    return plan
