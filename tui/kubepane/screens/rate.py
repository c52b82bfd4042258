"""How fast a counter grows, over the last minute, from looking at it now and then."""

from __future__ import annotations

from collections import deque

SPAN = 60.0  # seconds


class Rate:
    """The mean growth of a counter; costs nothing between two looks."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def mean(self, total: int, now: float) -> float:
        """Growth per second.

        Args:
            total: the counter.
            now: monotonic seconds.
        """
        seen = self._seen
        if not seen or now - seen[-1][0] >= 1.0:
            seen.append((now, total))
        while len(seen) > 1 and now - seen[1][0] >= SPAN:
            seen.popleft()
        since, before = seen[0]
        return (total - before) / max(1.0, now - since)
