"""Clocks for tests: one that is set by hand, and an event loop whose time jumps to the next timer instead of passing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def monotonic(self) -> float:
        return self.seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits for time: when nothing is ready, the clock is put forward to the next timer. A `clock.Clock` as well."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.slept - 1000.0)

    def asleep(self, seconds: float) -> None:
        """The machine sleeps: only the wall clock goes on."""
        self.slept += seconds


class _Impatient(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing will ever happen: no timer is set and nothing is ready")
        self._loop.seconds += timeout
        return ready


def virtually(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Runs a coroutine on the loop, then closes it."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
