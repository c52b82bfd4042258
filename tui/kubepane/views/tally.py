"""The rows of a view with their levels, counted while they change: what the title says costs nothing."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane.insight.finding import Level


class Tally:
    """key → level, and how many rows there are of each level."""

    def __init__(self) -> None:
        self._levels: dict[str, Level] = {}
        self._keys: dict[Level, dict[str, None]] = {level: {} for level in Level}

    def __contains__(self, key: str) -> bool:
        return key in self._levels

    def __len__(self) -> int:
        return len(self._levels)

    def put(self, key: str, level: Level | None) -> None:
        """Notes a row's level; None for a row that is not there."""
        old = self._levels.get(key)
        if old is level:
            return
        if old is not None:
            del self._keys[old][key]
        if level is None:
            self._levels.pop(key, None)
        else:
            self._levels[key] = level
            self._keys[level][key] = None

    def level(self, key: str) -> Level:
        """The level of a row, OFF for one that is not there."""
        return self._levels.get(key, Level.OFF)

    def count(self, *levels: Level) -> int:
        """How many rows are of these levels."""
        return sum(len(self._keys[level]) for level in levels)

    def rows(self, *levels: Level) -> Iterable[str]:
        """All rows, or those of some levels, in no order."""
        return [key for level in levels for key in self._keys[level]] if levels else list(self._levels)
