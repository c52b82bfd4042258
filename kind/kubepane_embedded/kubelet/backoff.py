"""Waiting longer after each failure (client-go/util/flowcontrol/backoff.go), and times as Go writes them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class Entry:
    """The present wait of one thing, and when it last grew."""

    wait: float
    updated: float


class Backoff:
    """Waits that double from `first` to `limit` seconds; forgotten when nothing failed for twice the limit."""

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self._entries: dict[Hashable, Entry] = {}

    def wait(self, key: Hashable) -> float:
        """The present wait, 0 before the first failure."""
        entry = self._entries.get(key)
        return entry.wait if entry is not None else 0.0

    def step(self, key: Hashable, event: float, now: float) -> None:
        """A failure that happened at `event`: wait twice as long next time."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, event):
            self._entries[key] = Entry(self._first, now)
        else:
            entry.wait, entry.updated = min(entry.wait * 2, self._limit), now

    def left_since(self, key: Hashable, event: float, now: float) -> float:
        """Seconds left of the wait that began at `event` (a container's end); 0 when it is over."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, event):
            return 0.0
        return max(0.0, event + entry.wait - now)

    def left(self, key: Hashable, now: float) -> float:
        """Seconds left of the wait that began with the last failure."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, now):
            return 0.0
        return max(0.0, entry.updated + entry.wait - now)

    def forget(self, key: Hashable) -> None:
        """Begin anew."""
        self._entries.pop(key, None)

    def _expired(self, entry: Entry, event: float) -> bool:
        return event - entry.updated > 2 * self._limit


def go_duration(seconds: float) -> str:
    """A duration as Go prints it, to the millisecond: `350ms`, `1.2s`, `2m40s`, `1h0m5s`."""
    millis = round(seconds * 1000)
    if millis == 0:
        return "0s"
    if millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
