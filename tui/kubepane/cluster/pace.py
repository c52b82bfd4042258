"""How often one watcher may try: growing pauses after failures, and a hard bound on its requests (rule R12).

Source: client-go tools/cache/reflector.go (0.8 s, factor 2, cap 30 s, jitter 1.0, reset after 2 healthy minutes).
"""

from __future__ import annotations

from collections import deque
from random import Random

FIRST, FACTOR, CAP = 0.8, 2.0, 30.0
HEALTHY = 120.0  # seconds of health after which a failure counts as a new one
STEADY = 20.0  # so seldom may what takes three tries be lost without going beyond the bounds
WINDOWS: tuple[tuple[float, int], ...] = ((10.0, 5), (60.0, 10))
LONGEST_ASKED = 60.0  # rule R14
MARGIN = 0.001  # added to a pause, so that rounding leaves no rest of it
LONG_FAULT, LONG_WINDOW = 120.0, (30.0, 2)


def asked(seconds: float | None) -> float:
    """The pause that a server asks for, within reason; 0 where it asks for none."""
    return min(LONGEST_ASKED, max(0.0, seconds or 0.0))


class Backoff:
    """The pause before the next try: 0.8 s, doubled by each failure up to 30 s, with up to as much again by chance."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.level = 0

    def next(self) -> float:
        """Counts a failure and gives the pause after it, in seconds."""
        pause = min(CAP, FIRST * FACTOR ** min(self.level, 10))
        self.level += 1
        return pause * (1 + self._random.random())

    def at_least(self, level: int) -> None:
        """Makes the next pause that of the `level`-th failure, for faults that will not go away within seconds."""
        self.level = max(self.level, level)

    def reset(self) -> None:
        """Begins anew."""
        self.level = 0


class Pace:
    """At most 5 tries in any 10 s and 10 in any minute, or what `windows` says; 2 in 30 s once a fault has lasted 2 minutes.

    It holds whatever the rules above it decide, so that no fault, and no bug in those rules, can become a storm.
    """

    def __init__(self, windows: tuple[tuple[float, int], ...] = WINDOWS) -> None:
        self._windows = windows
        self._tries: deque[float] = deque(maxlen=max(n for _, n in windows))
        self._fault_since: float | None = None

    def pause(self, now: float) -> float:
        """Seconds until the next try is allowed, 0 for now. It may be that the fault becomes a long one while one waits: then a little more."""
        first = self._rest(now)
        return first + self._rest(now + first) if first else 0.0

    def _rest(self, now: float) -> float:
        windows = self._windows
        if self._fault_since is not None and now - self._fault_since > LONG_FAULT:
            windows = (*windows, LONG_WINDOW)
        return max((self._until_free(now, span, most) for span, most in windows), default=0.0)

    def _until_free(self, now: float, span: float, most: int) -> float:
        if len(self._tries) < most:
            return 0.0
        rest = self._tries[-most] + span - now
        return rest + MARGIN if rest > MARGIN / 1000 else 0.0

    def spend(self, now: float) -> None:
        """Counts a try."""
        self._tries.append(now)

    def failing(self, now: float) -> None:
        """A try failed."""
        if self._fault_since is None:
            self._fault_since = now

    def changed(self, now: float) -> None:
        """The situation is proved to be a new one: the fault's age starts again. The bounds per 10 s and minute stay."""
        if self._fault_since is not None:
            self._fault_since = now

    def lived(self, seconds: float) -> None:
        """A try brought so many seconds of health: long enough, and those before it count no more."""
        if seconds >= STEADY:
            self._tries.clear()
        if seconds >= HEALTHY:
            self._fault_since = None
