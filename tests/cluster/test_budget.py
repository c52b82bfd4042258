"""How many requests may leave, on a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings, strategies as st

from cluster.clocks import VirtualLoop, virtually
from kubepane.cluster.budget import Budget
from kubepane.cluster.traffic import Traffic


def run(main: Callable[[VirtualLoop, Budget], Awaitable[None]], **how: int) -> None:
    loop = VirtualLoop()

    async def inside() -> None:
        await main(loop, Budget(loop, **how))

    virtually(inside(), loop)


def test_a_burst_then_five_a_second_in_the_order_of_asking() -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        began, gone = loop.time(), []

        async def one(number: int) -> None:
            await budget.take()
            gone.append((round(loop.time() - began, 3), number))

        await asyncio.gather(*(one(number) for number in range(60)))
        assert [number for _, number in gone] == list(range(60))
        assert [at for at, _ in gone[:40]] == [0.0] * 40
        assert [at for at, _ in gone[40:]] == [round(0.2 * (n + 1), 3) for n in range(20)]
        assert budget.waiting == 0

    run(main)


def test_a_pause_fills_the_burst_and_no_more() -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        for _ in range(40):
            await budget.take()
        await asyncio.sleep(3600)
        began = loop.time()
        for _ in range(45):
            await budget.take()
        assert loop.time() - began == pytest.approx(1.0)

    run(main)


def test_who_leaves_the_queue_costs_nobody_a_turn() -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        await budget.take()
        began = loop.time()
        waiting = [asyncio.ensure_future(budget.take()) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert loop.time() - began == pytest.approx(0.4)
        assert budget.waiting == 0

    run(main, burst=1)


def test_a_turn_that_came_in_the_moment_of_leaving_goes_to_the_next() -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        await budget.take()
        first, second = asyncio.ensure_future(budget.take()), asyncio.ensure_future(budget.take())
        await asyncio.sleep(0)
        loop.call_later(0.2, first.cancel)  # right behind the timer that gives it its turn
        began = loop.time()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert loop.time() - began == pytest.approx(0.2)

    run(main, burst=1)


def test_eight_calls_at_once() -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        inside = most = 0

        async def call() -> None:
            nonlocal inside, most
            async with budget.place():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(1)
                inside -= 1

        await asyncio.gather(*(call() for _ in range(30)))
        assert most == 8

    run(main)


@given(st.lists(st.floats(0, 5), max_size=40), st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_no_more_than_burst_and_rate_in_any_time(gaps: list[float], burst: int) -> None:
    async def main(loop: VirtualLoop, budget: Budget) -> None:
        gone: list[float] = []

        async def one() -> None:
            await budget.take()
            gone.append(loop.time())

        tasks = []
        for gap in gaps:
            await asyncio.sleep(gap)
            tasks.append(asyncio.ensure_future(one()))
        await asyncio.gather(*tasks)
        for start, at in enumerate(gone):
            for end in range(start, len(gone)):
                assert end - start + 1 <= burst + (gone[end] - at) * 5 + 1e-3

    run(main, burst=burst)


def test_traffic_is_the_mean_of_the_last_ten_seconds() -> None:
    loop = VirtualLoop()
    traffic = Traffic(loop)
    loop.seconds += 0.5
    for _ in range(4):
        traffic.sent()
        traffic.got(1000)
    assert traffic.requests_per_second() == 4  # of the first second
    loop.seconds += 9.4
    assert traffic.requests_per_second() == pytest.approx(4 / 9.9)
    assert traffic.bytes_per_second() == pytest.approx(4000 / 9.9)
    loop.seconds += 5
    traffic.sent()
    assert traffic.requests_per_second() == pytest.approx(0.1)
    assert (traffic.requests, traffic.received) == (5, 4000)
    loop.seconds += 20
    assert traffic.bytes_per_second() == 0
    loop.close()
