"""What several namespaces add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.merging import merged

T = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIVE = Freshness(State.LIVE, since=T)
REFUSED = Freshness(State.FORBIDDEN, since=T, why="no", verb="list", resource="pods", namespace="x")


def lost(seconds: int) -> Freshness:
    return Freshness(State.RECONNECTING, since=T + timedelta(seconds=seconds), why="cut", retry_at=T + timedelta(seconds=seconds + 60))


def syncing(received: int, expected: int) -> Freshness:
    return Freshness(State.SYNCING, received=received, expected=expected)


@pytest.mark.parametrize(
    ("parts", "state", "hidden"),
    [
        ([], State.CONNECTING, ()),
        ([LIVE], State.LIVE, ()),
        ([LIVE, LIVE], State.LIVE, ()),
        ([LIVE, REFUSED], State.LIVE, ("b",)),
        ([REFUSED, REFUSED], State.FORBIDDEN, ()),
        ([LIVE, syncing(3, 9)], State.SYNCING, ()),
        ([LIVE, lost(0)], State.RECONNECTING, ()),
        ([syncing(3, 9), lost(0), REFUSED], State.RECONNECTING, ("c",)),
        ([LIVE, Freshness(State.POLLING, period=20)], State.POLLING, ()),
        ([LIVE, Freshness(State.FAILED)], State.FAILED, ()),
        ([LIVE, Freshness()], State.CONNECTING, ()),
    ],
)
def test_the_worst_that_may_be_seen_is_shown_and_what_may_not_is_named(parts: list[Freshness], state: State, hidden: tuple[str, ...]) -> None:
    found = merged(dict(zip("abc", parts, strict=False)))
    assert (found.state, found.hidden) == (state, hidden)
    assert found.complete == (state in (State.LIVE, State.POLLING) and not hidden)


def test_rows_are_as_old_as_the_oldest_part() -> None:
    found = merged({"a": lost(5), "b": lost(2), "c": LIVE})
    assert (found.since, found.retry_at) == (T + timedelta(seconds=2), T + timedelta(seconds=62))


def test_counts_add_up() -> None:
    found = merged({"a": syncing(3, 9), "b": syncing(1, 4)})
    assert (found.received, found.expected) == (4, 13)
    assert merged({"a": syncing(3, 9), "b": syncing(1, 0)}).expected == 0


def test_what_is_left_out_adds_up_too() -> None:
    found = merged({"a": Freshness(State.LIVE, skipped=2), "b": Freshness(State.LIVE, skipped=1)}, hidden=("z",), others=True)
    assert (found.skipped, found.hidden, found.others, found.partial) == (3, ("z",), True, True)


def test_a_refusal_everywhere_names_the_first_and_counts_the_rest() -> None:
    found = merged({"b": REFUSED, "a": REFUSED, "c": REFUSED})
    assert (found.verb, found.resource, found.why) == ("list", "pods", "no (and in 2 more namespaces)")
