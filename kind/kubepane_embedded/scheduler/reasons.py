"""Which change is a reason to try a rejected pod again (EventsToRegister and QueueingHint of upstream's plugins).

Each filter knows the changes that may turn its own rejection round; a pod is tried again when one of the filters that rejected it says so.
Nothing else wakes pods up, so heartbeats and status changes cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kubepane_embedded.meta import Key, Object, key_of, labels_of
from kubepane_embedded.scheduler.affinity import meets
from kubepane_embedded.scheduler.cache import NodeChange, PodChange
from kubepane_embedded.scheduler.demand import Amounts
from kubepane_embedded.scheduler.framework import Cycle
from kubepane_embedded.scheduler.nodefilters import is_kept_out
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.scheduler.resources import fits_when_empty
from kubepane_embedded.scheduler.spread import Constraint, constraints_of


class VolumeChange(NamedTuple):
    """A claim, volume or storage class changed."""

    resource: str
    key: Key


class OwnChange(NamedTuple):
    """The rejected pod itself changed."""

    before: PodInfo
    after: PodInfo


Change = NodeChange | PodChange | VolumeChange | OwnChange


def is_relevant(change: NodeChange) -> bool:
    """Whether anything of a node changed that scheduling looks at: not its conditions, not its heartbeat."""
    if change.before is None or change.after is None:
        return True
    return _outline(change.before) != _outline(change.after)


def _outline(node: Object) -> tuple[object, ...]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return (labels_of(node), spec.get("taints") or [], bool(spec.get("unschedulable")), status.get("allocatable"))


def is_reason(change: Change, cycle: Cycle, plugins: frozenset[str]) -> bool:
    """Whether a pod (of `cycle`) that these filters rejected should be tried again."""
    return any(REASONS[plugin](change, cycle) for plugin in plugins)


def _info(node: Object | None) -> NodeInfo | None:
    if node is None:
        return None
    info = NodeInfo(key_of(node)[1])
    info.set(node)
    return info


def _turned(change: NodeChange, will_do: Callable[[NodeInfo], bool]) -> bool:
    """Whether a node will do now that would not before, or was not there."""
    before, after = _info(change.before), _info(change.after)
    return after is not None and will_do(after) and (before is None or not will_do(before))


def _tolerates_more(change: Change) -> bool:
    return isinstance(change, OwnChange) and change.before.tolerations != change.after.tolerations


def _unschedulable(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, NodeChange):
        return _turned(change, lambda node: not node.is_cordoned)
    return _tolerates_more(change)


def _tainted(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, NodeChange):
        return _turned(change, lambda node: not is_kept_out(cycle.pod, node.taints))
    return _tolerates_more(change)


def _not_selected(change: Change, cycle: Cycle) -> bool:
    required = cycle.pod.required
    return isinstance(change, NodeChange) and _turned(change, lambda node: node.object is not None and required.matches(node.object))


def _ports(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, NodeChange):
        return change.before is None
    left = _left(change)
    return left is not None and any(port.collides(taken) for port in cycle.pod.ports for taken in left.ports)


def _left(change: Change) -> PodInfo | None:
    """The pod that gave up its place."""
    return change.before if isinstance(change, PodChange) and change.after is None else None


def _resources(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, NodeChange):
        after, before = _info(change.after), _info(change.before)
        return after is not None and fits_when_empty(cycle.pod, after) and (before is None or _grew(before, after))
    if isinstance(change, OwnChange):
        return _shrank(change.before.requests, change.after.requests)
    if isinstance(change, PodChange) and change.before is not None:
        return change.after is None or _shrank(change.before.requests, change.after.requests)
    return False


def _grew(before: NodeInfo, after: NodeInfo) -> bool:
    return any(number > before.allocatable.get(name, 0) for name, number in after.allocatable.items())


def _shrank(before: Amounts, after: Amounts) -> bool:
    return any(after.get(name, 0) < number for name, number in before.items())


def _shared_claim(change: Change, cycle: Cycle) -> bool:
    left = _left(change)
    if left is not None:
        return left.namespace == cycle.pod.namespace and not {claim.name for claim in left.claims}.isdisjoint(_claims(cycle))
    return _own_claim(change, cycle)


def _claims(cycle: Cycle) -> set[str]:
    return {claim.name for claim in cycle.pod.claims}


def _own_claim(change: Change, cycle: Cycle) -> bool:
    if not isinstance(change, VolumeChange) or change.resource != "persistentvolumeclaims":
        return False
    return change.key[0] == cycle.pod.namespace and change.key[1] in _claims(cycle)


def _volumes(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, VolumeChange):
        return change.resource != "persistentvolumeclaims" or _own_claim(change, cycle)
    if not isinstance(change, NodeChange) or change.after is None:
        return False
    return change.before is None or labels_of(change.before) != labels_of(change.after)


def _spread(change: Change, cycle: Cycle) -> bool:
    rules = constraints_of(cycle.pod, "DoNotSchedule")
    if isinstance(change, OwnChange):
        return change.before.labels != change.after.labels
    if isinstance(change, NodeChange):
        return _moves_domains(change, rules)
    if not isinstance(change, PodChange):
        return False
    pods = [pod for pod in change if pod is not None and pod.namespace == cycle.pod.namespace]
    return any(rule.selector.matches(pod.labels) for pod in pods for rule in rules)


def _moves_domains(change: NodeChange, rules: list[Constraint]) -> bool:
    """Whether a node with all topology labels came or went, or their values changed."""
    values = [[labels_of(node or {}).get(rule.topology) for rule in rules] for node in change]
    taints = [(node or {}).get("spec", {}).get("taints") for node in change]
    moved = values[0] != values[1] or taints[0] != taints[1]
    return moved and any(None not in one for one in values)


def _company(change: Change, cycle: Cycle) -> bool:
    if isinstance(change, NodeChange):
        return change.after is not None and (change.before is None or labels_of(change.before) != labels_of(change.after))
    if not isinstance(change, PodChange):
        return False
    before, after, terms = change.before, change.after, cycle.pod.terms
    if after is not None and meets(cycle, terms.required, after) and not (before is not None and meets(cycle, terms.required, before)):
        return True
    if before is None:
        return False
    gone = after is None
    hindered = any(meets(cycle, (term,), before) and (gone or not meets(cycle, (term,), _some(after))) for term in terms.required_anti)
    return hindered or (gone and any(meets(cycle, (term,), cycle.pod) for term in before.terms.required_anti))


def _some(pod: PodInfo | None) -> PodInfo:
    assert pod is not None
    return pod


REASONS: dict[str, Callable[[Change, Cycle], bool]] = {
    "NodeUnschedulable": _unschedulable,
    "NodeName": lambda change, cycle: isinstance(change, NodeChange) and change.before is None,
    "TaintToleration": _tainted,
    "NodeAffinity": _not_selected,
    "NodePorts": _ports,
    "NodeResourcesFit": _resources,
    "VolumeRestrictions": _shared_claim,
    "VolumeBinding": _volumes,
    "VolumeZone": _volumes,
    "PodTopologySpread": _spread,
    "InterPodAffinity": _company,
}
