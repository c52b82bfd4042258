"""The clock: order, virtual and paced time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from kubepane_embedded.clock import VIRTUAL_START, PacedClock, VirtualClock, micro_stamp, parse_stamp, stamp
from kubepane_embedded.seed import Seed
from kubepane_embedded.workqueue import WorkQueue


def test_calls_run_in_order_of_time_then_of_asking_each_at_its_own_moment() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, clock.seconds()))

    for name, delay in (("late", 9.0), ("first", 2.0), ("second", 2.0)):
        clock.call_later(delay, partial(note, name))
    gone = clock.call_later(1.0, lambda: seen.append(("never", 0.0)))
    gone.cancel()
    clock.advance(5.0)
    assert seen == [("first", 2.0), ("second", 2.0)]
    assert clock.seconds() == 5.0
    clock.advance(5.0)
    assert seen[-1] == ("late", 9.0)


def test_settle_runs_chains_without_time_passing() -> None:
    clock = VirtualClock()
    seen: list[int] = []

    def step() -> None:
        seen.append(len(seen))
        if len(seen) < 3:
            clock.call_soon(step)

    clock.call_soon(step)
    clock.settle()
    assert seen == [0, 1, 2]
    assert clock.now() == VIRTUAL_START


def test_a_failing_call_is_raised_by_advance() -> None:
    clock = VirtualClock()
    clock.call_later(1.0, lambda: print(1 // 0))
    with pytest.raises(ZeroDivisionError):
        clock.advance(1.0)


async def test_with_a_loop_attached_what_is_due_runs_by_itself() -> None:
    clock = VirtualClock()
    clock.attach(asyncio.get_running_loop())
    done = asyncio.Event()
    clock.call_soon(done.set)
    clock.call_later(3600.0, lambda: pytest.fail("time moved"))
    await asyncio.wait_for(done.wait(), 5)
    clock.detach()


async def test_a_paced_clock_is_as_many_times_faster() -> None:
    clock = PacedClock(1000.0)
    clock.attach(asyncio.get_running_loop())
    done = asyncio.Event()
    clock.call_later(20.0, done.set)
    await asyncio.wait_for(done.wait(), 5)
    assert clock.seconds() >= 20.0
    clock.detach()


def test_a_past_is_lived_through_at_once_and_ends_at_the_machine_s_time() -> None:
    clock = PacedClock(lead=3600.0)
    seen: list[float] = []

    def tick() -> None:
        seen.append(clock.seconds())
        clock.call_later(600.0, tick)

    clock.call_later(600.0, tick)
    clock.skip(3600.0)
    assert [round(at) for at in seen] == [600, 1200, 1800, 2400, 3000, 3600]
    assert 3600.0 <= clock.seconds() < 3660.0
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 60


async def test_after_a_skip_what_is_due_still_runs() -> None:
    clock = PacedClock(speed=50.0, lead=100.0)
    done = asyncio.Event()
    clock.call_later(101.0, done.set)
    clock.attach(asyncio.get_running_loop())
    clock.skip(100.0)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 5)
    clock.detach()


def test_stamps_are_what_kubernetes_writes() -> None:
    moment = datetime(2026, 11, 23, 14, 23, 16, 123, tzinfo=UTC)
    assert stamp(moment) == "2026-11-23T14:23:16Z"
    assert micro_stamp(moment) == "2026-11-23T14:23:16.000123Z"
    assert parse_stamp(micro_stamp(moment)) == moment


def test_same_seed_same_draws() -> None:
    one, two = Seed(7), Seed(7)
    assert [one.suffix(), one.uid(), one.below(9)] == [two.suffix(), two.uid(), two.below(9)]
    assert one.fork().suffix() == two.fork().suffix()
    assert Seed(8).uid() != Seed(7).uid()


def test_a_work_queue_runs_a_key_once_and_backs_off() -> None:
    clock = VirtualClock()
    runs: list[float] = []

    def reconcile(key: tuple[str, str]) -> None:
        runs.append(clock.seconds())
        if len(runs) < 4:
            raise RuntimeError("not yet")

    queue = WorkQueue(clock, reconcile, "test")
    queue.add(("a", "b"))
    queue.add(("a", "b"))
    clock.settle()
    assert runs == [0.0]
    clock.advance(1.0)
    assert runs == pytest.approx([0.0, 0.005, 0.015, 0.035])
    queue.add(("a", "b"))
    clock.settle()
    assert len(runs) == 5
