"""The one clock and the one source of randomness, injected so that tests run on a virtual clock."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
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


def instant(clock: Clock) -> Instant:
    """This moment."""
    return Instant(clock.monotonic(), clock.now())


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


Random = random.Random
