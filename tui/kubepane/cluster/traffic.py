"""What goes over the wire, counted for the status line."""

from __future__ import annotations

from collections import deque

from kubepane.cluster.clock import Clock

WINDOW = 10  # seconds that a rate is the mean of


class Traffic:
    """Counters of one connection.

    Attributes:
        requests: sent so far.
        received: bytes of bodies so far, as they were on the wire.
        open_streams: watches and followed logs that are open now.
        latency: seconds from the last request to the head of its answer, None before the first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self.requests = self.received = self.open_streams = 0
        self.latency: float | None = None
        self._seconds: deque[list[int]] = deque()  # [second, requests, bytes], newest last, at most WINDOW of them

    def sent(self) -> None:
        """One more request has left."""
        self.requests += 1
        self._second()[1] += 1

    def got(self, size: int) -> None:
        """More bytes have come."""
        self.received += size
        self._second()[2] += size

    def requests_per_second(self) -> float:
        """The mean of the last ten seconds."""
        return self._rate(1)

    def bytes_per_second(self) -> float:
        """The mean of the last ten seconds."""
        return self._rate(2)

    def _second(self) -> list[int]:
        now = int(self._clock.monotonic())
        if not self._seconds or self._seconds[-1][0] != now:
            self._seconds.append([now, 0, 0])
            self._drop(now)
        return self._seconds[-1]

    def _drop(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW:
            self._seconds.popleft()

    def _rate(self, column: int) -> float:
        now = self._clock.monotonic()
        self._drop(int(now))
        return sum(second[column] for second in self._seconds) / min(WINDOW, max(1.0, now - self._started))
