"""When data is drawn: a lone change at once, bursts a few times a second, a key before any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """The rules, without a clock: every method takes the time, in seconds of any one clock.

    Attributes:
        period: seconds between two drawings of data, at least.
        hold: seconds that a key whose answer is not painted yet puts data off, at most.
        patience: seconds that a terminal has to say that it drew a frame; one that does not is never asked again.
        asks: whether the terminal is asked: then only one frame of data is on its way at a time.
    """

    period: float = 0.1
    hold: float = 0.05
    patience: float = 5.0
    asks: bool = False
    _dirty: bool = False
    _next: float = float("-inf")
    _key: float | None = None
    _drawn: bool = False  # data was drawn and its frame not yet written
    _asked: float | None = None

    def changed(self) -> None:
        """Data changed."""
        self._dirty = True

    def key(self, now: float) -> None:
        """A key came; what it changes is not painted yet."""
        self._key = now

    def flushed(self, now: float) -> None:
        """The changed data was drawn."""
        self._dirty, self._drawn, self._next = False, True, now + self.period

    def painted(self, now: float) -> bool:
        """A frame was written; whether the terminal is to be asked now to say when it has drawn it."""
        self._key = None
        ask = self._drawn and self.asks and self._asked is None
        self._drawn = False
        if ask:
            self._asked = now
        return ask

    def answered(self) -> None:
        """The terminal drew what it was sent."""
        self._asked = None

    def due(self, now: float) -> float | None:
        """When the data is to be drawn, not before now; None while nothing changed."""
        if self._asked is not None and now >= self._asked + self.patience:
            self._asked, self.asks = None, False
        if not self._dirty:
            return None
        at = max(now, self._next)
        if self._key is not None:
            at = max(at, self._key + self.hold)
        if self._asked is not None:
            at = max(at, self._asked + self.patience)
        return at


class Pacer:
    """Calls `flush` when the rules say so; costs nothing while nothing changes.

    Args:
        flush: draws what changed; must not block. An exception of it is the loop's to report.
        period: seconds between two calls, at least.
        asks: ask the terminal for each frame whether it has drawn it: for slow links.
    """

    def __init__(self, flush: Callable[[], None], *, period: float = 0.1, asks: bool = False) -> None:
        self.pace = Pace(period=period, asks=asks)
        self._flush = flush
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def changed(self) -> None:
        """Data changed: to be called from the loop's thread, as often as one likes."""
        if not self.pace._dirty:
            self.pace.changed()
            self._plan()

    def key_pressed(self) -> None:
        """A key came: data waits until its answer is painted."""
        self.pace.key(asyncio.get_running_loop().time())
        self._plan()

    def painted(self) -> bool:
        """A frame was written; whether the terminal is to be asked (`ESC[6n`) when it has drawn it."""
        ask = self.pace.painted(asyncio.get_running_loop().time())
        self._plan()
        return ask

    def answered(self) -> None:
        """The terminal reported its cursor: it drew what it was sent."""
        self.pace.answered()
        self._plan()

    def stop(self) -> None:
        """Draws nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        """Has the timer stand where the rules want it."""
        loop = asyncio.get_running_loop()
        at = self.pace.due(loop.time())
        if self._timer is not None:
            if at is not None and abs(at - self._at) < 1e-4:
                return
            self.stop()
        if at is not None:
            self._at = at
            self._timer = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        at = self.pace.due(now)
        if at is None:
            return
        if at > now:
            self._plan()
            return
        self.pace.flushed(now)
        self._flush()
