"""The order of a table's keys, kept sorted by bisect: a change costs microseconds, not a sort."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Rank = tuple[Any, ...]


class Order:
    """Keys sorted by their rank; equal ranks by key. `reverse` only turns the view around.

    Ranks of one order must be comparable with each other.
    """

    def __init__(self) -> None:
        self._sorted: list[tuple[Rank, str]] = []
        self._ranks: dict[str, Rank] = {}
        self.reverse = False
        self.version = 0  # raised by every change of place: what is shown must be looked up again

    def __len__(self) -> int:
        return len(self._sorted)

    def __contains__(self, key: str) -> bool:
        return key in self._ranks

    def __iter__(self) -> Iterator[str]:
        return (self.at(i) for i in range(len(self)))

    def put(self, key: str, rank: Rank) -> None:
        """Adds a key, or moves it to its new place."""
        old = self._ranks.get(key)
        if old == rank and old is not None:
            return
        if old is not None:
            del self._sorted[bisect_left(self._sorted, (old, key))]
        insort(self._sorted, (rank, key))
        self._ranks[key] = rank
        self.version += 1

    def drop(self, key: str) -> None:
        """Forgets a key; one that is not there is no matter."""
        old = self._ranks.pop(key, None)
        if old is not None:
            del self._sorted[bisect_left(self._sorted, (old, key))]
            self.version += 1

    def rebuild(self, ranks: Mapping[str, Rank] | Iterable[tuple[str, Rank]]) -> None:
        """Takes all keys and ranks anew: for another sort or filter."""
        self._ranks = dict(ranks)
        self._sorted = sorted((rank, key) for key, rank in self._ranks.items())
        self.version += 1

    def at(self, index: int) -> str:
        """The key in this place of the view, 0 is the top."""
        return self._sorted[-1 - index if self.reverse else index][1]

    def index(self, key: str) -> int | None:
        """The place of a key in the view, None when it is not there."""
        rank = self._ranks.get(key)
        if rank is None:
            return None
        i = bisect_left(self._sorted, (rank, key))
        return len(self._sorted) - 1 - i if self.reverse else i

    def slice(self, start: int, stop: int) -> list[str]:
        """The keys of a stretch of the view."""
        return [self.at(i) for i in range(max(0, start), min(stop, len(self)))]
