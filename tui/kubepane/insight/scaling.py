"""The arithmetic of an HPA: how many replicas each metric asks for, what limits that, and how long a scale-down is held.

Sources: replica_calculator.go (usage ratio, tolerance, pods that are not ready), horizontal.go (several metrics, limits,
stabilisation) and pkg/apis/autoscaling/v2/defaults.go of Kubernetes 1.35. The sums are made in the same floating point order, so
that a rounding is the controller's rounding. What the controller keeps to itself (its recommendations, the size of a window that
no HPA sets) is never guessed: a bound is called a bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.metrics import Scale
from kubepane.insight import quantities
from kubepane.insight.ages import duration

UNKNOWN = "<unknown>"
TOLERANCE = 0.1  # --horizontal-pod-autoscaler-tolerance
WINDOW = 300  # --horizontal-pod-autoscaler-downscale-stabilization
_NIL = "<nil>"  # what Go prints for a quantity that is not there


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """What one metric asks for.

    Attributes:
        name: `cpu`, or the metric's name.
        what: what is measured, in words: `cpu of request, mean of ready pods`.
        current, target: in the unit of the target; None while unknown.
        current_text, target_text: the same as kubectl prints them.
        unit: `%` for a utilisation, else "".
        count: what the ratio is multiplied with.
        counted: what that is: `ready` pods or `replicas`.
        product: count × current ÷ target; None while unknown.
        wanted: replicas that follow from it; None while unknown.
        why: why that is not the product rounded up, "" when it is.
    """

    name: str
    what: str
    current: float | None
    target: float | None
    current_text: str
    target_text: str
    unit: str = ""
    count: int = 0
    counted: str = "ready"
    product: float | None = None
    wanted: int | None = None
    why: str = ""

    @property
    def sum_text(self) -> str:
        """`3 ready × 182% ÷ 50% = 10.92`; "" while unknown."""
        if self.product is None:
            return ""
        return f"{self.count} {self.counted} × {self.current_text} ÷ {self.target_text} = {figure(self.product)}"

    @property
    def rounds(self) -> bool:
        """Whether `wanted` says something that the product does not."""
        return self.product is not None and figure(self.product) != str(self.wanted)


class Arithmetic(msgspec.Struct, frozen=True, gc=False):
    """All metrics together.

    Attributes:
        proposals: one for each metric of the spec.
        best: the one that decides: the highest, the first of equals; None while none is known.
        current: replicas of the target now, as the HPA saw them.
        desired: what the HPA set in the end.
        lowest, highest: its bounds.
    """

    proposals: tuple[Proposal, ...]
    best: Proposal | None
    current: int
    desired: int
    lowest: int
    highest: int

    @property
    def wanted(self) -> int | None:
        """Replicas that the metrics ask for, before any limit."""
        return self.best.wanted if self.best else None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the metrics that have no value."""
        return tuple(p.name for p in self.proposals if p.wanted is None)


def figure(value: float) -> str:
    """A number with at most two decimals, with more where those would hide that it must be rounded up: `10.92`, `3`, `3.001`."""
    for digits in range(2, 7):
        text = f"{value:.{digits}f}"
        if math.ceil(float(text)) == math.ceil(value):
            break
    return text.rstrip("0").rstrip(".")


# ---- metrics -------------------------------------------------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One metric and its target as texts.

    Attributes:
        name: `cpu`, or the metric's name.
        what: what is measured, in words.
        current, target: as kubectl prints them.
        kind: `utilization`, `average` (the mean of the pods), `value` (one value), `share` (a total divided by the replicas), or
            `unknown`.
        resource: it is a resource of pods or containers, which kubectl prints with its name.
    """

    name: str
    what: str
    current: str
    target: str
    kind: str
    resource: bool = False


def readings(a: r.Autoscaler) -> list[Reading]:
    """The metrics of the spec with their values, which are matched by index, as formatHPAMetrics does."""
    statuses = a.status.current_metrics or ()
    return [_reading(spec, statuses[i] if i < len(statuses) else None) for i, spec in enumerate(a.spec.metrics or ())]


def _reading(spec: r.Metric, status: r.Metric | None) -> Reading:
    match spec.type:
        case "Resource" if spec.resource:
            return _resource(spec.resource, status.resource if status else None, "")
        case "ContainerResource" if spec.container_resource:
            return _resource(spec.container_resource, status.container_resource if status else None, spec.container_resource.container)
        case "Pods" if spec.pods:
            current = UNKNOWN if status is None or status.pods is None else status.pods.current.average_value or _NIL
            name = spec.pods.metric.name
            return Reading(name, f"{name}, mean of ready pods", current, spec.pods.target.average_value or _NIL, "average")
        case "Object" if spec.object:
            ref = spec.object.described_object or r.Ref()
            return _single(spec.object, status.object if status else None, f" of {ref.kind.lower()}/{ref.name}")
        case "External" if spec.external:
            return _single(spec.external, status.external if status else None, ", external")
    return Reading(spec.type or "metric", "a metric of an unknown type", UNKNOWN, "", "unknown")


def _resource(spec: r.MetricSource, status: r.MetricSource | None, container: str) -> Reading:
    where = f" in container {container}" if container else ""
    if spec.target.average_value is not None:
        current = UNKNOWN if status is None else status.current.average_value or _NIL
        return Reading(spec.name, f"{spec.name}{where}, mean of ready pods", current, spec.target.average_value, "average", True)
    used = status.current.average_utilization if status else None
    target = spec.target.average_utilization
    return Reading(
        spec.name, f"{spec.name} of request{where}, mean of ready pods", UNKNOWN if used is None else f"{used}%",
        "<auto>" if target is None else f"{target}%", "utilization", True,
    )  # fmt: skip


def _single(spec: r.MetricSource, status: r.MetricSource | None, of: str) -> Reading:
    name = spec.metric.name
    if spec.target.average_value is not None:
        current = UNKNOWN if status is None or status.current.average_value is None else status.current.average_value
        return Reading(name, f"{name}{of}, for each replica", current, spec.target.average_value, "share")
    current = UNKNOWN if status is None else status.current.value or _NIL
    return Reading(name, f"{name}{of}", current, spec.target.value or _NIL, "value")


def number(text: str) -> float | None:
    """The number in `182%`, `250m`, `1Gi`; None for `<unknown>` and the like."""
    if text.endswith("%"):
        return float(text[:-1]) if text[:-1].lstrip("-").isdecimal() else None
    value = quantities.parse(text)
    return None if value is None else float(value)


# ---- sums ----------------------------------------------------------------------------------------------------------------


def arithmetic(a: r.Autoscaler, ready: int | None = None) -> Arithmetic:
    """What the metrics of an HPA ask for.

    Args:
        a: the HPA.
        ready: ready pods of its target; None where that is not known: its replicas are taken instead.
    """
    status, spec = a.status, a.spec
    count = status.current_replicas if ready is None else ready
    proposals = tuple(_proposal(reading, count, status.current_replicas, tolerances(a)) for reading in readings(a))
    best: Proposal | None = None
    for p in proposals:
        if p.wanted is not None and (best is None or best.wanted is None or p.wanted > best.wanted):
            best = p
    if best is not None and best.wanted != status.current_replicas and _stays(a):
        why = f"a pod without metrics counts as {'idle' if (best.wanted or 0) > status.current_replicas else 'busy'}"
        best = msgspec.structs.replace(best, wanted=status.current_replicas, why=why)
    lowest = 1 if spec.min_replicas is None else spec.min_replicas
    return Arithmetic(proposals, best, status.current_replicas, status.desired_replicas, lowest, spec.max_replicas)


def _stays(a: r.Autoscaler) -> bool:
    """Whether the controller says that what it computed is what there is, with no limit in the way.

    It knows which ready pods have no sample yet, or are too young for theirs to count; from here only its verdict shows that.
    """
    states = {c.type: (c.status, c.reason) for c in a.status.conditions or ()}
    return (
        a.status.desired_replicas == a.status.current_replicas
        and states.get("AbleToScale") == ("True", "ReadyForNewScale")
        and states.get("ScalingActive", ("", ""))[0] == "True"
        and states.get("ScalingLimited", ("", ""))[0] == "False"
    )


def tolerances(a: r.Autoscaler) -> tuple[float, float]:
    """Shares below and above the target within which nothing is done."""
    behavior = a.spec.behavior
    out = []
    for rules in (behavior.scale_down, behavior.scale_up) if behavior else (None, None):
        value = quantities.parse(rules.tolerance) if rules and rules.tolerance is not None else None
        out.append(TOLERANCE if value is None else float(value))
    return out[0], out[1]


def _proposal(reading: Reading, ready: int, replicas: int, tolerance: tuple[float, float]) -> Proposal:
    current, target = number(reading.current), number(reading.target)
    unit = "%" if reading.kind == "utilization" else ""
    shared = reading.kind == "share"
    count, counted = (replicas, "replicas") if shared else (ready, "ready")
    if current is None or not target or target < 0:
        return Proposal(reading.name, reading.what, current, target, reading.current, reading.target, unit, count, counted)
    ratio = current / target
    wanted, why = recommend(ratio, count, replicas, tolerance, counts_unready=not shared and reading.kind != "value")
    return Proposal(
        reading.name, reading.what, current, target, reading.current, reading.target, unit, count, counted, ratio * count, wanted, why
    )  # fmt: skip


def recommend(
    ratio: float, count: int, replicas: int, tolerance: tuple[float, float] = (TOLERANCE, TOLERANCE), *, counts_unready: bool
) -> tuple[int, str]:
    """Replicas that a usage ratio asks for, and why that is not `count × ratio` rounded up ("" when it is).

    Args:
        ratio: current ÷ target.
        count: ready pods.
        replicas: replicas now.
        tolerance: shares below and above 1 that change nothing.
        counts_unready: on the way up, pods that are not ready count as using nothing.
    """
    if _within(ratio, tolerance):
        return replicas, f"within {tolerance[ratio > 1]:.0%} of the target"
    wanted = math.ceil(ratio * count)
    if ratio > 1 and counts_unready and count < replicas:
        damped = ratio * count / replicas
        if _within(damped, tolerance) or damped < 1 or wanted < replicas:
            return replicas, f"{replicas - count} not ready count as idle"
    return wanted, ""


def _within(ratio: float, tolerance: tuple[float, float]) -> bool:
    return 1.0 - tolerance[0] <= ratio <= 1.0 + tolerance[1]


# ---- behaviour -----------------------------------------------------------------------------------------------------------


class Direction(msgspec.Struct, frozen=True, gc=False):
    """How an HPA may scale one way.

    Attributes:
        disabled: not at all.
        window: seconds over which recommendations are compared; 0 for none.
        assumed: the window is the controller's default, which a flag of it may change.
        policies: how fast, in words.
    """

    disabled: bool
    window: int
    assumed: bool
    policies: str


_UP = (r.ScalingPolicy("Pods", 4, 15), r.ScalingPolicy("Percent", 100, 15))
_DOWN = (r.ScalingPolicy("Percent", 100, 15),)


def upwards(a: r.Autoscaler) -> Direction:
    """How it may scale up."""
    if a.spec.behavior is None:
        return Direction(False, 0, False, "at most twice as many, or 4, at once")
    rules = a.spec.behavior.scale_up or r.ScalingRules()
    return Direction(rules.select_policy == "Disabled", rules.stabilization_window_seconds or 0, False, _policies(rules, _UP, "more"))


def downwards(a: r.Autoscaler) -> Direction:
    """How it may scale down."""
    if a.spec.behavior is None:
        return Direction(False, WINDOW, True, "")
    rules = a.spec.behavior.scale_down or r.ScalingRules()
    window = rules.stabilization_window_seconds
    return Direction(rules.select_policy == "Disabled", WINDOW if window is None else window, window is None, _policies(rules, _DOWN, "fewer"))


def _policies(rules: r.ScalingRules, default: tuple[r.ScalingPolicy, ...], word: str) -> str:
    """`at most 4 pods or 100% more every 15s`: with select policy Min the smaller of them."""
    chosen = rules.policies or default
    least = rules.select_policy == "Min"
    if word == "fewer" and all(p.type == "Percent" and p.value >= 100 for p in chosen):
        return ""
    every = {p.period_seconds for p in chosen}
    parts = [
        f"{p.value}{'%' if p.type == 'Percent' else ' pod' if p.value == 1 else ' pods'}"
        + (f" every {duration(p.period_seconds)}" if len(every) > 1 else "")
        for p in chosen
    ]
    tail = f" every {duration(next(iter(every)))}" if len(every) == 1 else ""
    joined = f"the smaller of {' and '.join(parts)}" if least and len(parts) > 1 else " or ".join(parts)
    return f"at most {joined} {word}{tail}"


class Hold(msgspec.Struct, frozen=True, gc=False):
    """What stands in the way of fewer replicas.

    Attributes:
        state: `off` (scaling down is disabled), `least` (at the minimum already), `load` (the metrics ask for what there is, or
            more), `window` (they ask for fewer, the stabilisation window still holds a higher number), `unknown`.
        window: its length in seconds.
        assumed: that length is the controller's default.
        until: latest moment at which the window lets go, for `window`; None where nothing was seen that bounds it.
        wanted: what the metrics ask for.
    """

    state: str
    window: int = 0
    assumed: bool = False
    until: datetime | None = None
    wanted: int | None = None


def hold(a: r.Autoscaler, sums: Arithmetic, history: Sequence[Scale]) -> Hold:
    """How long a scale-down is held.

    The controller applies the highest recommendation of its window. The last one as high as now was made before the first sample
    that asked for fewer, so the window lets go of it at the latest a window after that sample: an upper bound, from what was seen.
    Of several metrics only one is recorded, so nothing is bounded then.

    Args:
        a: the HPA.
        sums: its arithmetic.
        history: what was seen of it, oldest first.
    """
    down = downwards(a)
    if down.disabled:
        return Hold("off")
    if sums.current <= sums.lowest:
        return Hold("least")
    if sums.wanted is None:
        return Hold("unknown")
    if sums.wanted >= sums.current:
        return Hold("load", down.window, down.assumed, None, sums.wanted)
    first: datetime | None = None
    tolerance, replicas = tolerances(a), sums.current
    for scale in reversed(history if len(sums.proposals) == 1 else ()):
        if scale.current is None or not scale.target:
            continue
        if recommend(scale.current / scale.target, scale.ready, replicas, tolerance, counts_unready=True)[0] >= replicas:
            break
        first = scale.at
    return Hold("window", down.window, down.assumed, None if first is None else first + timedelta(seconds=down.window), sums.wanted)
