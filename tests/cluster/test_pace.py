"""Pauses that grow, bounds that hold, versions and their order."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, strategies as st

from kubepane.cluster.pace import LONG_FAULT, Backoff, Pace
from kubepane.cluster.versions import older, ordered


@pytest.mark.parametrize("seed", range(20))
def test_pauses_double_up_to_thirty_seconds_with_up_to_as_much_again(seed: int) -> None:
    backoff = Backoff(random.Random(seed))
    for least in (0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30, 30, 30, 30):
        assert least <= backoff.next() <= 2 * least
    backoff.reset()
    assert 0.8 <= backoff.next() <= 1.6


def test_a_lasting_fault_begins_with_a_long_pause() -> None:
    backoff = Backoff(random.Random(1))
    backoff.at_least(4)
    assert backoff.next() >= 12.8
    backoff.at_least(1)
    assert backoff.next() >= 25.6


@given(st.lists(st.floats(0, 20), min_size=1, max_size=80), st.booleans())
@example([11.0, 20.0, 9.0, 20.0, *[0.0] * 10], True)  # the fault becomes a long one in the middle of a pause
def test_no_way_of_trying_gets_past_the_bounds(gaps: list[float], failing: bool) -> None:
    pace, now, tries = Pace(), 0.0, []
    if failing:
        pace.failing(now)
    for gap in gaps:
        now += gap
        now += pace.pause(now)
        assert pace.pause(now) == 0
        pace.spend(now)
        tries.append(now)
    for start in tries:
        assert sum(1 for t in tries if start <= t < start + 10) <= 5
        assert sum(1 for t in tries if start <= t < start + 60) <= 10
        if failing and start > LONG_FAULT:
            assert sum(1 for t in tries if start <= t < start + 30) <= 2


def test_a_new_situation_is_tried_without_the_slowness_of_the_old_one() -> None:
    pace = Pace()
    pace.failing(0)
    for t in (200.0, 201.0):
        pace.spend(t)
    assert pace.pause(202) > 27
    pace.changed(202)
    assert pace.pause(202) == 0
    pace.lived(120)
    pace.failing(300)
    assert pace.pause(300) == 0


def test_what_was_well_for_a_while_begins_anew() -> None:
    pace = Pace()
    for t in range(5):
        pace.spend(t)
    pace.lived(19)
    assert pace.pause(5) > 4
    pace.lived(20)
    assert pace.pause(5) == 0


@pytest.mark.parametrize(("a", "b"), [("9", "10"), ("99", "100"), ("10", "11"), ("1" * 40, "1" * 39 + "2")])
def test_versions_are_ordered_by_length_and_then_as_text(a: str, b: str) -> None:
    assert older(a, b)
    assert not older(b, a)
    assert not older(a, a)


@pytest.mark.parametrize(("a", "b"), [("", "1"), ("1", ""), ("a", "b"), ("1a", "2a"), ("١", "٢"), ("-1", "2"), ("1", "2x")])
def test_what_is_not_decimal_has_no_order(a: str, b: str) -> None:
    assert not older(a, b)
    assert not older(b, a)


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_the_order_is_that_of_the_numbers(a: int, b: int) -> None:
    assert older(str(a), str(b)) == (a < b)
    assert ordered(str(a))
