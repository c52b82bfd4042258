"""The one clock of the embedded cluster: real, sped up, or virtual; it also runs what is due.

Nothing in this package reads the time elsewhere: probes, back-offs, leases, ages and timestamps of objects all come from here.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)
VIRTUAL_START = datetime(2026, 1, 1, 8, 0, 0, tzinfo=UTC)
"""Where a virtual clock begins, so that the same seed and the same calls give the same objects."""


def stamp(moment: datetime) -> str:
    """A time as `metav1.Time` writes it: whole seconds, `2026-11-23T14:23:16Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: datetime) -> str:
    """A time as `metav1.MicroTime` writes it: `2026-11-23T14:23:16.000123Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """A `Time` or `MicroTime` back as an aware datetime; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Timer:
    """A call that is due at a cluster time; `cancel()` is free and may be repeated."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the call."""
        self.callback = None

    @property
    def pending(self) -> bool:
        """Whether it is still to run."""
        return self.callback is not None


class Clock:
    """Cluster time and the calls that are due; one thread only, the one that owns the cluster.

    Times are seconds of cluster time since the clock was made (`seconds()`), or UTC datetimes (`now()`).
    """

    def __init__(self, start: datetime) -> None:
        self.start = start
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0

    def seconds(self) -> float:
        """Cluster seconds since the clock was made."""
        raise NotImplementedError

    def now(self) -> datetime:
        """Cluster time as an aware UTC datetime."""
        return self.start + timedelta(seconds=self.seconds())

    def stamp(self) -> str:
        """Now, as objects carry it (whole seconds)."""
        return stamp(self.now())

    def micro_stamp(self) -> str:
        """Now, with microseconds (Lease, Event of events.k8s.io)."""
        return micro_stamp(self.now())

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` once cluster time reaches `when` seconds; equal times run in the order of asking."""
        timer = Timer(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        self._arm()
        return timer

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` after `delay` cluster seconds."""
        return self.call_at(self.seconds() + max(0.0, delay), callback)

    def call_soon(self, callback: Callable[[], None]) -> Timer:
        """Run `callback` as soon as the present call has returned, without time passing."""
        return self.call_at(self.seconds(), callback)

    def skip(self, seconds: float) -> None:
        """Let so much cluster time pass at once, everything that falls due on the way included."""
        raise NotImplementedError

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run due calls on this loop from now on."""
        self._loop = loop
        self._arm()

    def detach(self) -> None:
        """Let the loop go: nothing runs by itself any more."""
        self._disarm()
        self._loop = None

    def _delay(self, when: float) -> float | None:
        """Real seconds until cluster time `when`, or None when it does not come by itself."""
        raise NotImplementedError

    def _disarm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _arm(self) -> None:
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
        if self._loop is None or not self._heap:
            return
        when = self._heap[0][0]
        if self._wake is not None and self._wake_at <= when:
            return
        delay = self._delay(when)
        if delay is None:
            return
        self._disarm()
        self._wake_at = when
        self._wake = self._loop.call_later(max(0.0, delay), self._on_wake)

    def _on_wake(self) -> None:
        self._wake = None
        self._run_until(self.seconds(), budget=200)
        self._arm()

    def _run_until(self, limit: float, budget: int = 0) -> None:
        """Run what is due up to `limit`; with a budget at most that many calls, so that requests get their turn."""
        done = 0
        while self._heap and self._heap[0][0] <= limit:
            when, _, timer = heapq.heappop(self._heap)
            callback, timer.callback = timer.callback, None
            if callback is None:
                continue
            self._reach(when)
            self._run(callback)
            done += 1
            if budget and done >= budget:
                return

    def _reach(self, when: float) -> None:
        """Hook: a virtual clock moves its hand here."""

    def _run(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            log.exception("a scheduled call failed")


class PacedClock(Clock):
    """Real time, `speed` times as fast.

    Args:
        speed: Cluster seconds per real second.
        lead: Cluster seconds that `skip` will run ahead before the cluster is handed over: with speed 1 and this lead used up, times of
            the cluster are the machine's.
    """

    def __init__(self, speed: float = 1.0, lead: float = 0.0) -> None:
        super().__init__(datetime.now(UTC) - timedelta(seconds=lead))
        self.speed = speed
        self._zero = time.monotonic()
        self._skipped = 0.0
        self._hand: float | None = None

    def seconds(self) -> float:
        """Cluster seconds since the clock was made."""
        return self._hand if self._hand is not None else self._skipped + (time.monotonic() - self._zero) * self.speed

    def skip(self, seconds: float) -> None:
        """Let so much cluster time pass at once, everything that falls due on the way included: a past for a cluster to begin with."""
        limit = self.seconds() + seconds
        self._hand = self.seconds()
        self._run_until(limit)
        self._skipped, self._zero, self._hand = limit, time.monotonic(), None
        self._arm()

    def _reach(self, when: float) -> None:
        if self._hand is not None:
            self._hand = max(self._hand, when)

    def _delay(self, when: float) -> float | None:
        return (when - self.seconds()) / self.speed


class VirtualClock(Clock):
    """Time that moves only by `advance`: tests run hours in milliseconds, always the same way.

    With a loop attached, calls that are due without time passing still run by themselves, so a served cluster reacts to requests.
    """

    def __init__(self, start: datetime = VIRTUAL_START) -> None:
        super().__init__(start)
        self._seconds = 0.0

    def seconds(self) -> float:
        """Cluster seconds since the clock was made."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass, running everything that falls due on the way, each at its own moment; errors of calls are raised."""
        limit = self._seconds + seconds
        self._run_until(limit)
        self._seconds = max(self._seconds, limit)
        self._arm()

    def skip(self, seconds: float) -> None:
        """The same as `advance`."""
        self.advance(seconds)

    def settle(self) -> None:
        """Run what is due now, and what that asks for at once, without time passing."""
        self.advance(0.0)

    def _delay(self, when: float) -> float | None:
        return 0.0 if when <= self._seconds else None

    def _reach(self, when: float) -> None:
        self._seconds = max(self._seconds, when)

    def _run(self, callback: Callable[[], None]) -> None:
        callback()
