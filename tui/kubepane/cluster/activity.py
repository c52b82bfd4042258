"""How much comes over the watches, and how far the stores are behind it."""

from __future__ import annotations

from collections import deque
from statistics import median

SAMPLES = 64


class Activity:
    """Counters that the status line shows.

    Attributes:
        items: changes and bookmarks received so far.
    """

    def __init__(self) -> None:
        self.items = 0
        self._lags: deque[float] = deque(maxlen=SAMPLES)

    def took(self, items: int, seconds: float) -> None:
        """`items` were in the store that many seconds after their bytes had come."""
        self.items += items
        self._lags.append(seconds)

    @property
    def lag(self) -> float | None:
        """Seconds from the arrival of bytes to the updated store, the median of the last ones; None before the first."""
        return median(self._lags) if self._lags else None
