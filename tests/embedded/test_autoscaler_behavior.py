"""How fast an HPA may go, against the cases of upstream's own tests (facts of horizontal_test.go, 1.35.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kubepane_embedded.controllers import autoscaler_behavior as behavior
from kubepane_embedded.controllers.autoscaler_behavior import History, Noted, Wanted, decide, rated, stabilized

NOW = 100_000.0
Rules = dict[str, Any]


def rules(pods: int = 0, pods_period: int = 0, percent: int = 0, percent_period: int = 0, window: int | None = None, select: str = "Max") -> Rules:
    policies = [{"type": "Pods", "value": pods, "periodSeconds": pods_period}] if pods else []
    policies += [{"type": "Percent", "value": percent, "periodSeconds": percent_period}] if percent else []
    return {"policies": policies, "selectPolicy": select, "stabilizationWindowSeconds": window}


UP = rules(4, 15, 100, 15, 0)
DOWN = rules(0, 0, 100, 15)


def spread(changes: tuple[int, ...], period: float) -> list[Noted]:
    """Changes in the middles of equal parts of the last `period` seconds."""
    part = period / len(changes)
    return [Noted(change, NOW - int(period - part * (index + 1) + part / 2)) for index, change in enumerate(changes)]


# least, most, current, desired, expected, reason, rules up, rules down, changes up, changes down
RATES: list[tuple[int, int, int, int, int, str, Rules, Rules, tuple[int, ...], tuple[int, ...]]] = [
    (3, 8, 5, 7, 7, "DesiredWithinRange", UP, DOWN, (), ()),
    (2, 8, 3, 1, 2, "TooFewReplicas", UP, DOWN, (), ()),
    (0, 10, 1, 0, 0, "DesiredWithinRange", UP, DOWN, (), ()),
    (1, 10, 20, 1000, 10, "TooManyReplicas", UP, DOWN, (), ()),
    (100, 150, 100, 1000, 150, "TooManyReplicas", UP, DOWN, (), ()),
    (1, 2000, 3, 1000, 4, "ScaleUpLimit", rules(0, 0, 1, 60), DOWN, (), ()),
    (3, 2000, 1000, 3, 980, "ScaleDownLimit", UP, rules(20, 60), (), ()),
    (1, 1000, 10, 50, 20, "ScaleUpLimit", UP, DOWN, (), ()),
    (1, 1000, 10, 500, 110, "ScaleUpLimit", rules(100, 60, 100, 60), DOWN, (), ()),
    (1, 1000, 10, 500, 20, "ScaleUpLimit", rules(2, 60, 100, 60), DOWN, (), ()),
    (1, 1000, 10, 50, 50, "DesiredWithinRange", rules(100, 60), DOWN, (), ()),
    (1, 1000, 10, 50, 50, "DesiredWithinRange", rules(10000, 60), DOWN, (), ()),
    (1, 1000, 10, 50, 40, "ScaleUpLimit", rules(30, 60), DOWN, (), ()),
    (1, 1000, 10, 50, 30, "ScaleUpLimit", rules(0, 0, 200, 60), DOWN, (), ()),
    (1, 1000, 100, 2, 80, "ScaleDownLimit", UP, rules(20, 60, 1, 60), (), ()),
    (1, 1000, 100, 2, 98, "ScaleDownLimit", UP, rules(2, 60, 1, 60), (), ()),
    (1, 1000, 10, 0, 1, "TooFewReplicas", UP, rules(100, 60), (), ()),
    (5, 1000, 10, 2, 5, "TooFewReplicas", UP, rules(0, 0, 100, 60), (), ()),
    (1, 1000, 10, 2, 5, "ScaleDownLimit", UP, rules(5, 60), (), ()),
    (1, 1000, 10, 5, 5, "DesiredWithinRange", UP, rules(0, 0, 50, 60), (), ()),
    (1, 1000, 5, 1, 2, "ScaleDownLimit", UP, rules(0, 0, 50, 60), (), ()),
    (1, 200, 100, 500, 200, "TooManyReplicas", rules(300, 60), DOWN, (1, 5, 9), ()),
    (1, 200, 100, 500, 200, "TooManyReplicas", rules(0, 0, 10000, 60), DOWN, (1, 5, 9), ()),
    (1, 1000, 100, 500, 100, "ScaleUpLimit", rules(5, 120), DOWN, (1, 5, 9), ()),
    (1, 1000, 100, 500, 235, "ScaleUpLimit", rules(150, 120), DOWN, (1, 5, 9), ()),
    (1, 1000, 100, 500, 255, "ScaleUpLimit", rules(0, 0, 200, 120), DOWN, (1, 5, 9), ()),
    (1, 1000, 6, 24, 16, "ScaleUpLimit", rules(0, 0, 300, 300), DOWN, (4,), (2,)),
    (1, 1000, 10, 5, 5, "DesiredWithinRange", UP, DOWN, (), (1, 5, 9)),
    (1, 1000, 100, 0, 1, "TooFewReplicas", UP, rules(115, 120), (), (1, 5, 9)),
    (5, 1000, 100, 0, 5, "TooFewReplicas", UP, rules(130, 120), (), (1, 5, 9)),
    (5, 1000, 100, 2, 5, "TooFewReplicas", UP, DOWN, (), (1, 5, 9)),
    (1, 1000, 100, 2, 100, "ScaleDownLimit", UP, rules(5, 120), (), (1, 5, 9)),
    (1, 1000, 100, 0, 56, "ScaleDownLimit", UP, rules(0, 0, 50, 120), (), (2, 4, 6)),
    (1, 1000, 10, 1, 6, "ScaleDownLimit", UP, rules(0, 0, 50, 180), (2,), (4,)),
    (1, 1000, 100, 0, 100, "ScaleDownLimit", UP, rules(0, 0, 10, 120), (), (10, 10, 10)),
    (1, 1000, 10, 5, 5, "DesiredWithinRange", UP, rules(0, 0, 1000, 120), (), (10, 10, 10)),
    (1, 1000, 5, 50, 5, "ScaleUpLimit", rules(4, 15, select="Disabled"), DOWN, (), ()),
    (1, 1000, 5, 2, 5, "ScaleDownLimit", UP, rules(4, 15, select="Disabled"), (), ()),
    (1, 1000, 1, 9, 2, "ScaleUpLimit", rules(2, 60, 50, 60, select="Min"), DOWN, (), ()),
    (1, 1000, 5, 1, 3, "ScaleDownLimit", UP, rules(2, 60, 50, 60, select="Min"), (), ()),
]


@pytest.mark.parametrize("case", RATES)
def test_policies(case: tuple[int, int, int, int, int, str, Rules, Rules, tuple[int, ...], tuple[int, ...]]) -> None:
    least, most, current, desired, expected, reason, up, down, ups, downs = case
    history = History(ups=spread(ups, 120) if ups else [], downs=spread(downs, 120) if downs else [])
    replicas, said = rated(Wanted(current, desired, least, most), {"scaleUp": up, "scaleDown": down}, history, NOW)
    assert (replicas, said.reason) == (expected, reason)


def minutes(*entries: tuple[int, float]) -> list[Noted]:
    return [Noted(replicas, NOW - ago * 60) for replicas, ago in entries]


@pytest.mark.parametrize(
    ("before", "desired", "expected", "length"),
    [
        ((), 5, 5, 1),
        (((4, 2), (5, 1)), 3, 5, 3),
        (((1, 2), (2, 1)), 3, 3, 3),
        (((10, 10), (9, 9)), 3, 3, 2),
        (((10, 10), (4, 1), (5, 2), (9, 9)), 3, 5, 4),
    ],
)
def test_stabilisation_without_behavior(before: tuple[tuple[int, float], ...], desired: int, expected: int, length: int) -> None:
    history = History(minutes(*before))
    decision = decide(Wanted(100, desired, 1, 1000), None, history, NOW, 300.0)
    assert (decision.replicas, len(history.recommendations)) == (expected, length)
    assert decision.able.reason == ("ScaleDownStabilized" if expected != desired else "ReadyForNewScale")


@pytest.mark.parametrize(
    ("before", "current", "desired", "expected", "after", "up", "down"),
    [
        ((), 100, 5, 5, [5], 0, 0),
        (((4, 2), (5, 1)), 100, 3, 5, [4, 5, 3], 0, 180),
        (((4, 2), (5, 1)), 1, 7, 4, [4, 5, 7], 300, 0),
        (((1, 2), (2, 1)), 100, 3, 3, [1, 2, 3], 300, 0),
        (((4, 2), (5, 1)), 1, 3, 3, [4, 5, 3], 0, 300),
        (((10, 10), (9, 9)), 100, 3, 3, [10, 3], 0, 0),
        (((10, 10), (9, 9)), 1, 100, 100, [10, 100], 0, 0),
        (((10, 10), (4, 1), (5, 2), (9, 9)), 100, 3, 5, [10, 4, 5, 3], 0, 180),
        (((10, 100), (6, 1), (5, 2), (9, 3)), 1, 100, 5, [100, 6, 5, 9], 300, 0),
        (((2, 100), (3, 3)), 2, 1, 2, [1, 3], 300, 300),
        (((2, 100), (1, 3)), 2, 3, 2, [3, 1], 300, 300),
    ],
)
def test_stabilisation_with_behavior(
    before: tuple[tuple[int, float], ...],
    current: int,
    desired: int,
    expected: int,
    after: list[int],
    up: int,
    down: int,
) -> None:
    history = History(minutes(*before))
    asked = {"scaleUp": rules(window=up), "scaleDown": rules(window=down)}
    replicas, said = stabilized(Wanted(current, desired, 1, 1000), asked, history, NOW, 300.0)
    assert replicas == expected
    assert [one.replicas for one in history.recommendations] == after
    assert said.reason == ("ScaleUpStabilized" if desired >= current else "ScaleDownStabilized")


@pytest.mark.parametrize(
    ("current", "desired", "least", "most", "expected", "reason"),
    [
        (5, 7, 3, 8, 7, "DesiredWithinRange"),
        (3, 1, 2, 8, 2, "TooFewReplicas"),
        (1, 0, 0, 10, 0, "DesiredWithinRange"),
        (20, 1000, 1, 10, 10, "TooManyReplicas"),
        (3, 1000, 1, 2000, 6, "ScaleUpLimit"),
        (1, 1000, 1, 2000, 4, "ScaleUpLimit"),
    ],
)
def test_growth_without_behavior(current: int, desired: int, least: int, most: int, expected: int, reason: str) -> None:
    replicas, said = behavior.clamped(Wanted(current, desired, least, most))
    assert (replicas, said.reason) == (expected, reason)


def test_changes_are_remembered_as_long_as_a_policy_looks_back() -> None:
    asked = {"scaleUp": rules(4, 60, 100, 30), "scaleDown": DOWN}
    history = History()
    history.scaled(None, 1, 4, NOW)
    assert history.ups == []
    history.scaled(asked, 1, 4, NOW)
    history.scaled(asked, 4, 5, NOW + 50)
    history.scaled(asked, 5, 3, NOW + 51)
    assert (history.ups, history.downs) == ([Noted(3, NOW), Noted(1, NOW + 50)], [Noted(2, NOW + 51)])
    history.scaled(asked, 3, 9, NOW + 70)
    assert history.ups == [Noted(6, NOW + 70), Noted(1, NOW + 50)]


policy = st.fixed_dictionaries({"type": st.sampled_from(("Pods", "Percent")), "value": st.integers(1, 200), "periodSeconds": st.integers(1, 120)})
rule = st.fixed_dictionaries(
    {
        "policies": st.lists(policy, min_size=1, max_size=3),
        "selectPolicy": st.sampled_from(("Max", "Min", "Disabled")),
        "stabilizationWindowSeconds": st.one_of(st.none(), st.integers(0, 600)),
    },
)
behaviors = st.one_of(st.none(), st.fixed_dictionaries({"scaleUp": rule, "scaleDown": rule}))
walks = st.lists(st.tuples(st.integers(0, 60), st.floats(1, 90)), min_size=1, max_size=25)


@given(behaviors, walks, st.integers(1, 5), st.integers(0, 40))
def test_never_beyond_least_and_most(asked: Rules | None, walk: list[tuple[int, float]], least: int, more: int) -> None:
    history, now, current = History(), NOW, least
    for desired, wait in walk:
        now += wait
        decision = decide(Wanted(current, desired, least, least + more), asked, history, now, 300.0)
        assert least <= decision.replicas <= least + more
        assert decision.limited == (decision.limit.reason != "DesiredWithinRange")
        if decision.replicas != current:
            history.scaled(asked, current, decision.replicas, now)
        current = decision.replicas


@given(st.integers(1, 6), st.integers(5, 90), walks, st.sampled_from((1, -1)))
def test_rate_limits_hold_over_every_period(pods: int, period: int, walk: list[tuple[int, float]], way: int) -> None:
    """With one policy of so many pods a period, no stretch of one period sees more in one direction, whatever is recommended."""
    one = rules(pods, period, window=0)
    asked = {"scaleUp": one, "scaleDown": one}
    history, now, current = History(), NOW, 2000
    sizes = [(NOW - period, current)]
    for more, wait in walk:
        now += wait
        decision = decide(Wanted(current, current + way * more, 1, 5000), asked, history, now, 300.0)
        if decision.replicas != current:
            history.scaled(asked, current, decision.replicas, now)
        current = decision.replicas
        then = next(size for time, size in reversed(sizes) if time <= now - period)
        assert 0 <= way * (current - then) <= pods
        sizes.append((now, current))


@given(st.lists(st.integers(1, 20), min_size=2, max_size=40))
def test_nothing_is_scaled_below_what_was_wanted_within_the_window(wanted: list[int]) -> None:
    history, now, current = History(), NOW, 10
    history.begin(current, now)
    seen = [(now, current)]
    for desired in wanted:
        now += 15
        seen.append((now, desired))
        current = decide(Wanted(current, desired, 1, 20), None, history, now, 300.0).replicas
        highest = max(size for time, size in seen if time >= now - 300)
        assert current == highest
