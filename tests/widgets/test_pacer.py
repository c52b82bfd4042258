"""When data is drawn: the rules on a clock of our own, then the shell on a loop whose time we turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, strategies as st

from kubepane_widgets.pacer import Pace, Pacer


def test_a_lone_change_is_drawn_at_once_and_the_next_one_a_period_later() -> None:
    pace = Pace(period=0.1)
    assert pace.due(5.0) is None
    pace.changed()
    assert pace.due(5.0) == 5.0
    pace.flushed(5.0)
    assert pace.due(5.0) is None
    pace.changed()
    assert pace.due(5.02) == 5.1
    assert pace.due(7.0) == 7.0


def test_a_key_goes_first_until_its_answer_is_painted_or_it_had_its_time() -> None:
    pace = Pace(hold=0.05)
    pace.changed()
    pace.key(1.0)
    assert pace.due(1.0) == 1.05
    pace.painted(1.01)
    assert pace.due(1.01) == 1.01


def test_one_frame_of_data_is_on_its_way_at_a_time() -> None:
    pace = Pace(period=0.1, asks=True, patience=5.0)
    pace.changed()
    pace.flushed(1.0)
    assert pace.painted(1.01), "the frame is written: ask"
    assert not pace.painted(1.02), "a key's frame is not asked for"
    pace.changed()
    assert pace.due(1.5) == 6.01
    pace.answered()
    assert pace.due(1.5) == 1.5


def test_a_terminal_that_does_not_answer_is_not_asked_again() -> None:
    pace = Pace(asks=True, patience=5.0)
    pace.changed()
    pace.flushed(1.0)
    assert pace.painted(1.0)
    pace.changed()
    assert pace.due(6.0) == 6.0
    pace.flushed(6.0)
    assert not pace.painted(6.0)
    assert not pace.asks


@given(st.lists(st.tuples(st.sampled_from(["changed", "key", "painted", "answered"]), st.floats(0, 0.2)), max_size=60), st.booleans())
def test_bursts_stay_below_the_rate_and_nothing_waits_for_ever(events: list[tuple[str, float]], asks: bool) -> None:
    pace, now, drawn, dirty_since = Pace(period=0.1, asks=asks), 0.0, [], None
    for what, wait in events:
        now += wait
        if (at := pace.due(now)) is not None and at <= now:
            pace.flushed(now)
            drawn.append(now)
            dirty_since = None
        if what == "changed":
            pace.changed()
            dirty_since = now if dirty_since is None else dirty_since
        elif what == "key":
            pace.key(now)
        elif what == "painted":
            pace.painted(now)
        else:
            pace.answered()
        due = pace.due(now)
        assert (due is None) == (dirty_since is None)
        assert due is None or now <= due <= now + 5.0 + 1e-9
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(drawn))


class TurnedLoop(asyncio.SelectorEventLoop):
    """A loop whose time moves on when nothing is ready: hours pass in a moment."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 100.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def on_a_turned_loop(main: Callable[[TurnedLoop], object]) -> None:
    loop = TurnedLoop()
    try:
        loop.run_until_complete(main(loop))  # type: ignore[arg-type]
    finally:
        loop.close()


def test_the_shell_draws_when_the_rules_say_so() -> None:
    async def main(loop: TurnedLoop) -> None:
        drawn: list[float] = []
        pacer = Pacer(lambda: drawn.append(loop.time()), period=0.1)
        pacer.changed()
        pacer.changed()
        await asyncio.sleep(0.01)
        assert drawn == [100.0]
        for _ in range(50):
            pacer.changed()
            await asyncio.sleep(0.01)
        assert [round(at - 100, 2) for at in drawn] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
        await asyncio.sleep(1)
        count = len(drawn)
        pacer.key_pressed()
        pacer.changed()
        await asyncio.sleep(0.02)
        assert len(drawn) == count, "the key's answer comes first"
        pacer.painted()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(drawn) == count + 1
        pacer.changed()
        pacer.stop()
        await asyncio.sleep(1)
        assert len(drawn) == count + 1

    on_a_turned_loop(main)


def test_the_shell_costs_nothing_while_nothing_changes() -> None:
    async def main(loop: TurnedLoop) -> None:
        pacer = Pacer(lambda: None)
        pacer.key_pressed()
        pacer.painted()
        assert pacer._timer is None
        assert loop._scheduled == []  # type: ignore[attr-defined]

    on_a_turned_loop(main)


def test_a_change_that_comes_while_drawing_is_drawn_next_time() -> None:
    async def main(loop: TurnedLoop) -> None:
        drawn: list[float] = []

        def draw() -> None:
            drawn.append(loop.time())
            if len(drawn) < 3:
                pacer.changed()

        pacer = Pacer(draw, period=0.1)
        pacer.changed()
        await asyncio.sleep(5)
        assert [round(at - 100, 2) for at in drawn] == [0, 0.1, 0.2]

    on_a_turned_loop(main)
