"""The rows of a view with their levels, judged when first asked for after a change, and counted: the title costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubepane.insight.finding import Level


class Tally:
    """key → level, and how many rows there are of each level.

    A change only marks rows as due; whoever asks for one has it judged. So a flood of changes is paid for in the pieces in which
    the table takes it in, and a row that changed three times in between once.

    Args:
        judge: the level of a row as it is now; None for a row that is not there.
    """

    def __init__(self, judge: Callable[[str], Level | None]) -> None:
        self._judge = judge
        self._due: set[str] = set()
        self._levels: dict[str, Level] = {}
        self._keys: dict[Level, dict[str, None]] = {level: {} for level in Level}

    def due(self, keys: Iterable[str]) -> None:
        """These rows may have changed, come or gone."""
        self._due.update(keys)

    def __contains__(self, key: str) -> bool:
        self._settle(key)
        return key in self._levels

    def __len__(self) -> int:
        """How many rows there were when they were last asked for."""
        return len(self._levels)

    def level(self, key: str) -> Level:
        """The level of a row, OFF for one that is not there."""
        self._settle(key)
        return self._levels.get(key, Level.OFF)

    def count(self, *levels: Level) -> int:
        """How many rows are of these levels."""
        return sum(len(self._keys[level]) for level in levels)

    def rows(self, *levels: Level) -> list[str]:
        """The keys of all rows, or of those of some levels, in no order."""
        return [key for level in levels for key in self._keys[level]] if levels else list(self._levels)

    def _settle(self, key: str) -> None:
        if key not in self._due:
            return
        self._due.discard(key)
        old, new = self._levels.get(key), self._judge(key)
        if old is new:
            return
        if old is not None:
            del self._keys[old][key], self._levels[key]
        if new is not None:
            self._levels[key] = new
            self._keys[new][key] = None
