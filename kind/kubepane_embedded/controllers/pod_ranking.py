"""Which pods of a ReplicaSet go first when it shrinks (pkg/controller/controller_utils.go, ActivePodsWithRanks)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cmp_to_key
from math import log2

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.meta import Object, annotations_of, uid_of
from kubepane_embedded.podfacts import is_active, is_ready, node_of, phase, ready_since

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
NANOSECONDS = 1e9
INT32 = 2**31


def first_to_go(pods: list[Object], related: Iterable[Object], now: datetime) -> list[Object]:
    """The pods, those first that are to be deleted first.

    Args:
        pods: Active pods of one ReplicaSet.
        related: Pods of all ReplicaSets of the same owner: pods on a node that has many of them go before others.
        now: Ages are compared on a logarithmic scale seen from here, so that pods of about the same age have no order but their uid's.
    """
    crowd = Counter(node_of(pod) for pod in related if is_active(pod))

    def compare(one: Object, other: Object) -> int:
        return _compare(one, other, crowd, now)

    return sorted(pods, key=cmp_to_key(compare))


def _compare(one: Object, other: Object, crowd: Counter[str], now: datetime) -> int:
    """Below zero when `one` goes first."""
    for rule in (_assigned, _phase, _ready, deletion_cost):
        difference = rule(one) - rule(other)
        if difference:
            return difference
    difference = crowd[node_of(other)] - crowd[node_of(one)]
    if difference:
        return difference
    if is_ready(one) and is_ready(other):
        difference = _age(one, other, ready_since, now)
        if difference:
            return difference
    for restarts in (_restarts, _sidecar_restarts):
        difference = restarts(other) - restarts(one)
        if difference:
            return difference
    return _age(one, other, _created, now)


def _assigned(pod: Object) -> int:
    return 1 if node_of(pod) else 0


def _phase(pod: Object) -> int:
    return PHASES.get(phase(pod), 0)


def _ready(pod: Object) -> int:
    return 1 if is_ready(pod) else 0


def deletion_cost(pod: Object) -> int:
    """What the pod's annotation says that its deletion costs; 0 when it says nothing, or nothing that is a 32-bit number."""
    text = annotations_of(pod).get(DELETION_COST, "")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (text.startswith("0") and text != "0"):
        return 0
    return int(text) if -INT32 <= int(text) < INT32 else 0


def _restarts(pod: Object) -> int:
    return max((one.get("restartCount") or 0 for one in (pod.get("status") or {}).get("containerStatuses") or []), default=0)


def _sidecar_restarts(pod: Object) -> int:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {one.get("name") for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}
    counts = (one.get("restartCount") or 0 for one in status.get("initContainerStatuses") or [] if one.get("name") in sidecars)
    return max(counts, default=0)


def _created(pod: Object) -> datetime | None:
    text = (pod.get("metadata") or {}).get("creationTimestamp")
    return parse_stamp(text) if text else None


def _age(one: Object, other: Object, moment: Callable[[Object], datetime | None], now: datetime) -> int:
    """The younger goes first, one without the moment before all others."""
    first, second = moment(one), moment(other)
    if first == second:
        return 0
    if first is None or second is None:
        return -1 if first is None else 1
    magnitudes = _magnitude(first, now) - _magnitude(second, now)
    if magnitudes:
        return magnitudes
    return -1 if uid_of(one) < uid_of(other) else 1


def _magnitude(moment: datetime, now: datetime) -> int:
    elapsed = (now - moment).total_seconds() * NANOSECONDS
    return int(log2(elapsed)) if elapsed > 0 else -1
