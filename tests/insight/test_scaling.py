from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from builders import NOW, make
from kubepane.cluster import kinds as k
from kubepane.cluster.metrics import Scale
from kubepane.insight import scaling
from kubepane.insight.scaling import Hold, arithmetic, downwards, figure, hold, recommend, upwards


def hpa(current: Any = 182, target: Any = 50, replicas: int = 4, desired: int | None = None, least: int = 1, most: int = 4, **spec: Any) -> Any:
    """An HPA on cpu utilisation; `current` None for a metric that failed."""
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}]
    measured = {"type": ""} if current is None else {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}}
    return make(
        k.AUTOSCALERS, "web", spec={"minReplicas": least, "maxReplicas": most, "metrics": metrics, **spec},
        status={"currentReplicas": replicas, "desiredReplicas": replicas if desired is None else desired, "currentMetrics": [measured]},
    )  # fmt: skip


# ---- the sum ---------------------------------------------------------------------------------------------------------------


def test_the_sum_in_words() -> None:
    sums = arithmetic(hpa(), ready=3)
    assert sums.best is not None
    assert sums.best.sum_text == "3 ready × 182% ÷ 50% = 10.92"
    assert (sums.wanted, sums.highest, sums.lowest, sums.best.rounds) == (11, 4, 1, True)


SUMS = [
    # current, target, ready, replicas → wanted, why
    (75, 50, 2, 2, 3, ""),
    (75, 50, 4, 4, 6, ""),
    (50, 50, 3, 3, 3, "within 10% of the target"),
    (55, 50, 3, 3, 3, "within 10% of the target"),
    (45, 50, 3, 3, 3, "within 10% of the target"),
    (56, 50, 3, 3, 4, ""),
    (44, 50, 3, 3, 3, ""),
    (5, 50, 3, 3, 1, ""),
    (0, 50, 3, 3, 0, ""),
    (100, 50, 1, 2, 2, "1 not ready count as idle"),
    (182, 50, 3, 4, 11, ""),
    (60, 50, 1, 2, 2, "1 not ready count as idle"),
    (30, 50, 2, 4, 2, ""),
]


@pytest.mark.parametrize(("current", "target", "ready", "replicas", "wanted", "why"), SUMS)
def test_replicas_that_a_metric_asks_for(current: int, target: int, ready: int, replicas: int, wanted: int, why: str) -> None:
    best = arithmetic(hpa(current, target, replicas), ready).best
    assert best is not None
    assert (best.wanted, best.why) == (wanted, why)


RATIOS = st.builds(lambda a, b: a / b, st.integers(0, 2_000), st.integers(1, 200))


@given(
    ratio=RATIOS, count=st.integers(0, 300), more=st.integers(0, 20), tolerance=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), idle=st.booleans()
)
def test_recommendations_move_only_the_way_that_the_metric_points(
    ratio: float, count: int, more: int, tolerance: tuple[float, float], idle: bool
) -> None:
    replicas = count + more
    wanted, why = recommend(ratio, count, replicas, tolerance, counts_unready=idle)
    assert wanted >= 0
    if 1 - tolerance[0] <= ratio <= 1 + tolerance[1]:
        assert wanted == replicas
        assert why
    elif not why:
        assert wanted == math.ceil(ratio * count)
    if more == 0:
        assert (wanted <= replicas) or ratio > 1
        assert (wanted >= replicas) or ratio < 1
    if idle and ratio > 1:
        assert wanted >= replicas


@given(st.integers(1, 300), st.integers(0, 5_000), st.integers(1, 200))
def test_a_higher_metric_never_asks_for_fewer(count: int, current: int, target: int) -> None:
    low = recommend(current / target, count, count, counts_unready=True)[0]
    high = recommend((current + 1) / target, count, count, counts_unready=True)[0]
    assert high >= low


@given(st.floats(0, 100_000, allow_nan=False))
def test_a_figure_never_hides_that_it_is_rounded_up(value: float) -> None:
    text = figure(value)
    assert math.ceil(float(text)) == math.ceil(value) or abs(float(text) - value) < 1e-6
    assert len(text.partition(".")[2]) <= 6
    assert not text.endswith(("0.", "."))


@pytest.mark.parametrize(("value", "text"), [(10.92, "10.92"), (3.0, "3"), (3.001, "3.001"), (0.5, "0.5"), (10.0, "10"), (0.0, "0"), (2.999, "3")])
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text


def test_of_several_metrics_the_highest_decides_and_unknown_ones_are_named() -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
        {"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}}},
        {"type": "External", "external": {"metric": {"name": "lag"}, "target": {"value": "100"}}},
    ]
    current = [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 60}}},
        {"type": "Pods", "pods": {"metric": {"name": "queue"}, "current": {"averageValue": "25"}}},
        {"type": ""},
    ]
    a = make(k.AUTOSCALERS, "web", spec={"metrics": metrics, "maxReplicas": 9}, status={"currentReplicas": 2, "currentMetrics": current})
    sums = arithmetic(a, ready=2)
    assert [p.wanted for p in sums.proposals] == [3, 5, None]
    assert sums.best is sums.proposals[1]
    assert sums.best.sum_text == "2 ready × 25 ÷ 10 = 5"
    assert (sums.unknown, sums.best.rounds) == (("lag",), False)


def test_of_equals_the_first_decides() -> None:
    a = hpa(75, 50, 2)
    spec, measured = a.spec.metrics, a.status.current_metrics
    sums = arithmetic(replace(a, spec=replace(a.spec, metrics=spec * 2), status=replace(a.status, current_metrics=measured * 2)), 2)
    assert sums.best is sums.proposals[0]


VALUES = [
    ({"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "2Gi"}}},
     {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "3Gi"}}}, "4 ready × 3Gi ÷ 2Gi = 6", 6),
    ({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "target": {"averageUtilization": 50}}},
     {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "current": {"averageUtilization": 20}}},
     "4 ready × 20% ÷ 50% = 1.6", 2),
    ({"type": "Object", "object": {"metric": {"name": "q"}, "describedObject": {"kind": "Service", "name": "s"}, "target": {"value": "10k"}}},
     {"type": "Object", "object": {"metric": {"name": "q"}, "current": {"value": "25k"}}}, "4 ready × 25k ÷ 10k = 10", 10),
    ({"type": "External", "external": {"metric": {"name": "q"}, "target": {"averageValue": "10"}}},
     {"type": "External", "external": {"metric": {"name": "q"}, "current": {"averageValue": "4"}}}, "5 replicas × 4 ÷ 10 = 2", 2),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "status", "text", "wanted"), VALUES, ids=range(len(VALUES)))
def test_every_type_of_metric_has_its_sum(spec: Any, status: Any, text: str, wanted: int) -> None:
    a = make(k.AUTOSCALERS, "web", spec={"metrics": [spec], "maxReplicas": 9}, status={"currentReplicas": 5, "currentMetrics": [status]})
    best = arithmetic(a, ready=4).best
    assert best is not None
    assert (best.sum_text, best.wanted) == (text, wanted)


def test_without_a_target_or_ready_pods_nothing_is_made_up() -> None:
    assert arithmetic(hpa(None), ready=3).wanted is None
    assert arithmetic(hpa(50, 0), ready=3).wanted is None
    assert arithmetic(make(k.AUTOSCALERS, "web"), ready=None).proposals == ()
    assert arithmetic(hpa(100), ready=None).best == arithmetic(hpa(100), ready=4).best


def test_tolerances_of_its_own() -> None:
    behavior = {"scaleUp": {"tolerance": "50m"}, "scaleDown": {"tolerance": "0.3"}}
    assert scaling.tolerances(hpa(behavior=behavior)) == (0.3, 0.05)
    assert arithmetic(hpa(53, 50, 4, behavior=behavior), 4).wanted == 5
    assert arithmetic(hpa(36, 50, 4, behavior=behavior), 4).wanted == 4


# ---- behaviour ---------------------------------------------------------------------------------------------------------------

FAST = {
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}],
}
SLOW = {"selectPolicy": "Min", "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}, {"type": "Percent", "value": 10, "periodSeconds": 30}]}
WAYS = [
    # behaviour → up (off, window, words), down (off, window, assumed, words)
    (None, (False, 0, "at most twice as many, or 4, at once"), (False, 300, True, "")),
    ({}, (False, 0, "at most 4 pods or 100% more every 15s"), (False, 300, True, "")),
    (
        {"scaleUp": {"stabilizationWindowSeconds": 60, **FAST}, "scaleDown": {"stabilizationWindowSeconds": 0}},
        (False, 60, "at most 4 pods or 100% more every 15s"),
        (False, 0, False, ""),
    ),
    (
        {"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": SLOW},
        (True, 0, "at most 4 pods or 100% more every 15s"),
        (False, 300, True, "at most the smaller of 1 pod every 60s and 10% every 30s fewer"),
    ),
    (
        {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}]}, "scaleDown": {"selectPolicy": "Disabled"}},
        (False, 0, "at most 1 pod more every 2m"),
        (True, 300, True, ""),
    ),
]


@pytest.mark.parametrize(("behavior", "up", "down"), WAYS, ids=range(len(WAYS)))
def test_behaviour_in_words(behavior: Any, up: Any, down: Any) -> None:
    a = hpa(behavior=behavior)
    assert (upwards(a).disabled, upwards(a).window, upwards(a).policies) == up
    assert (downwards(a).disabled, downwards(a).window, downwards(a).assumed, downwards(a).policies) == down


# ---- holding -----------------------------------------------------------------------------------------------------------------


def history(*values: Any, every: int = 15, target: float = 50.0, ready: int = 3) -> list[Scale]:
    """Samples up to now, the newest last."""
    times = [NOW - timedelta(seconds=every * (len(values) - 1 - i)) for i in range(len(values))]
    return [Scale(at, value, target, ready, ready) for at, value in zip(times, values, strict=True)]


def held(a: Any, *values: Any, ready: int = 3) -> Hold:
    return hold(a, arithmetic(a, ready), history(*values, ready=ready))


def test_the_window_is_counted_from_the_first_sample_that_asked_for_fewer() -> None:
    found = held(hpa(5, 50, 3), 75.0, 75.0, 5.0, 5.0, 5.0)
    assert (found.state, found.window, found.assumed, found.wanted) == ("window", 300, True, 1)
    assert found.until == NOW - timedelta(seconds=30) + timedelta(seconds=300)


def test_a_load_that_came_back_begins_the_window_anew() -> None:
    assert held(hpa(5, 50, 3), 5.0, 75.0, 5.0).until == NOW + timedelta(seconds=300)


def test_unknown_samples_say_nothing_and_no_history_bounds_nothing() -> None:
    assert held(hpa(5, 50, 3), 5.0, None, 5.0).until == NOW + timedelta(seconds=300 - 30)
    assert held(hpa(5, 50, 3)).until is None
    assert held(hpa(5, 50, 3)).state == "window"


def test_what_else_holds_a_scale_down() -> None:
    assert held(hpa(75, 50, 3), 75.0).state == "load"
    assert held(hpa(52, 50, 3), 52.0).state == "load"
    assert held(hpa(5, 50, 1), 5.0, ready=1).state == "least"
    assert held(hpa(None, 50, 3), None).state == "unknown"
    assert held(hpa(5, 50, 3, behavior={"scaleDown": {"selectPolicy": "Disabled"}}), 5.0).state == "off"


def test_of_several_metrics_only_one_is_recorded_so_nothing_is_bounded() -> None:
    a = hpa(5, 50, 3)
    two = replace(a, spec=replace(a.spec, metrics=a.spec.metrics * 2), status=replace(a.status, current_metrics=a.status.current_metrics * 2))
    found = held(two, 75.0, 5.0)
    assert (found.state, found.until) == ("window", None)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.integers(0, 200).map(float)), max_size=20), st.integers(0, 49))
def test_the_bound_is_never_before_the_window_of_the_last_high_sample(values: list[float | None], current: int) -> None:
    found = held(hpa(current, 50, 3), *values)
    if found.state != "window" or found.until is None:
        return
    seen = history(*values)
    high = [s.at for s in seen if s.current is not None and recommend(s.current / 50, 3, 3, counts_unready=True)[0] >= 3]
    low = [s.at for s in seen if s.current is not None and (not high or s.at > high[-1])]
    assert found.until == low[0] + timedelta(seconds=300)
    assert not high or found.until > high[-1] + timedelta(seconds=300)
