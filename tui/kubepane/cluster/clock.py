"""The one clock and the one source of randomness, injected so that tests run on a virtual clock."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """What the cluster room needs of time."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; stands still while the machine sleeps on Linux."""


class Instant(NamedTuple):
    """One moment on both clocks: spans are measured on the first, the second is what people read."""

    mono: float
    wall: datetime

    def until(self, later: Instant) -> float:
        """Seconds to a later moment, on the clock that says more: the first may have stood still."""
        return max(later.mono - self.mono, (later.wall - self.wall).total_seconds())


def instant(clock: Clock) -> Instant:
    """This moment."""
    return Instant(clock.monotonic(), clock.now())


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SpedClock:
    """A wall clock that runs at another pace from now on: that of a simulated cluster, so that ages and waits are its own.

    Args:
        speed: seconds of this clock per real second.
        start: what it shows now, in UTC.
    """

    def __init__(self, speed: float, start: datetime) -> None:
        self.speed, self._start, self._zero = speed, start, time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)

    def monotonic(self) -> float:
        return time.monotonic()


Random = random.Random
