"""How many requests may leave: a token bucket for all of them, and places for the calls that wait for their answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubepane.cluster.clock import Clock


class Budget:
    """At most `rate` requests a second in the long run, `burst` at once after a pause; first come, first served.

    The burst is for the start, when every kind is asked for at the same moment. No fault may turn us into a storm.
    """

    def __init__(self, clock: Clock, *, rate: float = 5.0, burst: int = 40, calls: int = 8) -> None:
        """`calls` is how many requests may wait for their answer at once; open streams are not counted."""
        self._clock, self._rate, self._burst = clock, rate, float(burst)
        self._tokens, self._filled = float(burst), clock.monotonic()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._places = asyncio.Semaphore(calls)

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._queue)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds one of the places for calls."""
        async with self._places:
            yield

    async def take(self) -> None:
        """Waits for the turn of one request."""
        self._refill()
        if not self._queue and self._tokens >= 1:
            self._tokens -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._set_timer()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._tokens += 1  # it was our turn just now: the next one takes it
                self._serve()
            elif turn in self._queue:
                self._queue.remove(turn)
            raise

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now

    def _serve(self) -> None:
        self._refill()
        while self._queue and self._tokens >= 1 - 1e-9:
            turn = self._queue.popleft()
            if not turn.done():
                self._tokens -= 1
                turn.set_result(None)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._queue and self._timer is None:
            delay = max(0.0, (1 - self._tokens) / self._rate)
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serve()
