"""How many replicas a metric asks for: pure arithmetic on samples, requests and pods.

Follows pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go. Amounts are whole milli-units, as there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.meta import Object, is_deleting, key_of
from kubepane_embedded.podfacts import condition, phase
from kubepane_embedded.quantity import parse

MOST = 2**31 - 1


class NotComputable(Exception):
    """Why there is no answer, in the words that end up in the HPA's condition."""


class Sample(NamedTuple):
    """Usage of one pod (or of one container of it): milli-units, when it was taken, seconds it covers."""

    value: int
    time: datetime
    window: float


class Tolerances(NamedTuple):
    """How far the ratio of usage to target may be from 1 without scaling."""

    down: float = 0.1
    up: float = 0.1

    def allow(self, ratio: float) -> bool:
        """Whether nothing is to be done at this ratio."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Patience(NamedTuple):
    """Seconds in which the CPU of a young pod is not believed: after its start, and until it was ready once."""

    cpu_initialization: float = 300.0
    initial_readiness: float = 30.0


class Measure(NamedTuple):
    """Usage against target: their ratio, the average in milli-units, and the percentage of the requests where that is the target."""

    ratio: float
    average: int
    percent: int | None = None


class Proposal(NamedTuple):
    """Replicas that a metric asks for, and what was measured."""

    replicas: int
    average: int
    percent: int | None = None


@dataclass(slots=True)
class Groups:
    """Pods of a target by how their samples count."""

    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def milli(text: str) -> int:
    """A quantity in milli-units, rounded up (Quantity.MilliValue)."""
    if text.endswith("n") and text[:-1].isdigit():
        return -(-int(text[:-1]) // 1_000_000)
    return math.ceil(parse(text) * 1000)


def group(pods: Iterable[Object], samples: dict[str, Sample], resource: str, now: datetime, patience: Patience) -> Groups:
    """Sort pods into ready, unready, missing and ignored ones (groupPods)."""
    groups = Groups()
    for pod in pods:
        name = key_of(pod)[1]
        if is_deleting(pod) or phase(pod) == "Failed":
            groups.ignored.add(name)
        elif phase(pod) == "Pending":
            groups.unready.add(name)
        elif name not in samples:
            groups.missing.add(name)
        elif resource == "cpu" and _is_unready(pod, samples[name], now, patience):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_unready(pod: Object, sample: Sample, now: datetime, patience: Patience) -> bool:
    ready = condition(pod, "Ready")
    started = (pod.get("status") or {}).get("startTime")
    if ready is None or not started:
        return True
    start = parse_stamp(started)
    changed = parse_stamp(ready["lastTransitionTime"]) if ready.get("lastTransitionTime") else datetime.min.replace(tzinfo=now.tzinfo)
    is_false = ready.get("status") == "False"
    if start + timedelta(seconds=patience.cpu_initialization) > now:
        return is_false or sample.time < changed + timedelta(seconds=sample.window)
    return is_false and start + timedelta(seconds=patience.initial_readiness) > changed


def requests_of(pods: Iterable[Object], container: str, resource: str) -> dict[str, int]:
    """Pod → what it requests of a resource, altogether or in one container (calculateRequests)."""
    return {key_of(pod)[1]: _request(pod, container, resource) for pod in pods}


def _request(pod: Object, container: str, resource: str) -> int:
    spec = pod.get("spec") or {}
    whole = (spec.get("resources") or {}).get("requests") or {}
    return _pod_request(pod, whole, resource) if whole and not container else _container_request(pod, container, resource)


def _pod_request(pod: Object, whole: dict[str, str], resource: str) -> int:
    """Requests of the pod as a whole; a resource that is not among them is the sum of its containers'."""
    if resource in whole:
        return milli(whole[resource])
    asked = [_asked(one).get(resource) for one in _lasting(pod)]
    if not any(text is not None for text in asked):
        raise NotComputable(f"missing pod-level request for {resource} in Pod {key_of(pod)[1]}")
    return sum(milli(text) for text in asked if text is not None)


def _container_request(pod: Object, container: str, resource: str) -> int:
    total, found = 0, not container
    for one in _lasting(pod):
        if container and one.get("name") != container:
            continue
        found = True
        text = _asked(one).get(resource)
        if text is None:
            raise NotComputable(f"missing request for {resource} in container {one.get('name')} of Pod {key_of(pod)[1]}")
        total += milli(text)
    if not found:
        raise NotComputable(f"container {container} not found in Pod {key_of(pod)[1]}")
    return total


def _lasting(pod: Object) -> list[dict[str, Any]]:
    """Containers that run as long as the pod: the ordinary ones, then restartable init containers."""
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or []), *sidecars]


def _asked(container: dict[str, Any]) -> dict[str, str]:
    return (container.get("resources") or {}).get("requests") or {}


def utilization(values: dict[str, int], requests: dict[str, int], target: int) -> Measure:
    """Usage in percent of the requests, against a target percentage (GetResourceUtilizationRatio)."""
    known = [name for name in values if name in requests]
    asked = sum(requests[name] for name in known)
    if asked == 0:
        raise NotComputable("no metrics returned matched known pods")
    used = sum(values[name] for name in known)
    percent = used * 100 // asked
    return Measure(percent / target, used // len(known), percent)


def average(values: dict[str, int], target: int) -> Measure:
    """Average usage against a target amount (GetMetricUsageRatio)."""
    used = sum(values.values()) // len(values)
    return Measure(used / target, used)


def by_utilization(
    current: int,
    samples: dict[str, Sample],
    groups: Groups,
    requests: Callable[[], dict[str, int]],
    target: int,
    tolerances: Tolerances,
) -> Proposal:
    """Replicas for a target percentage; pods without samples count as using all of their request when scaling down."""
    values = _believed(samples, groups)
    asked = requests()

    def absent(name: str) -> int:
        return asked[name] * max(100, target) // 100

    return _balanced(current, values, groups, lambda found: utilization(found, asked, target), absent, tolerances)


def by_average(current: int, samples: dict[str, Sample], groups: Groups, target: int, tolerances: Tolerances) -> Proposal:
    """Replicas for a target amount per pod; pods without samples count as using exactly that when scaling down."""
    values = _believed(samples, groups)
    return _balanced(current, values, groups, lambda found: average(found, target), lambda _: target, tolerances)


def _believed(samples: dict[str, Sample], groups: Groups) -> dict[str, int]:
    values = {name: sample.value for name, sample in samples.items() if name not in groups.ignored and name not in groups.unready}
    if not values:
        raise NotComputable("did not receive metrics for targeted pods (pods might be unready)")
    return values


def _balanced(
    current: int,
    values: dict[str, int],
    groups: Groups,
    measure: Callable[[dict[str, int]], Measure],
    absent: Callable[[str], int],
    tolerances: Tolerances,
) -> Proposal:
    """The replica count, with what is not known about pods counted against the direction of the change."""
    first = measure(values)
    rising = bool(groups.unready) and first.ratio > 1.0
    if not rising and not groups.missing:
        replicas = current if tolerances.allow(first.ratio) else _ceil(first.ratio * groups.ready)
        return Proposal(replicas, first.average, first.percent)
    filled = dict(values)
    if first.ratio != 1.0:
        filled |= {name: absent(name) if first.ratio < 1.0 else 0 for name in groups.missing}
    if rising:
        filled |= dict.fromkeys(groups.unready, 0)
    ratio = measure(filled).ratio
    turned = (first.ratio < 1.0 < ratio) or (ratio < 1.0 < first.ratio)
    replicas = _ceil(ratio * len(filled))
    against = (ratio < 1.0 and replicas > current) or (ratio > 1.0 and replicas < current)
    kept = tolerances.allow(ratio) or turned or against
    return Proposal(current if kept else replicas, first.average, first.percent)


def _ceil(number: float) -> int:
    return min(MOST, math.ceil(number))
