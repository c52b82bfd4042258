"""Carries changes from the stores to the panes that are visible: bounded work at a time, ages when they are due, keys first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from kubepane.views import trust
from kubepane.views.table import Table
from kubepane_widgets.pane import Pane

SLICE = 0.008  # seconds that one flush may take rows in: a first sync of thousands is spread over several


class Feed:
    """The one place where tables take in changes and panes are told.

    Args:
        panes: the visible panes with their tables, asked for at each flush.
        now: the wall clock.
    """

    def __init__(self, panes: Callable[[], Iterable[tuple[Pane, Table]]], now: Callable[[], datetime]) -> None:
        self._panes = panes
        self._now = now

    def flush(self) -> bool:
        """Takes in what changed and repaints what differs; whether something is left for the next flush."""
        until = time.perf_counter() + SLICE
        stamp = self._now().timestamp()
        changed: dict[int, set[str]] = {}
        behind = False
        for pane, table in self._panes():
            if id(table) not in changed:
                changed[id(table)] = table.update(until)
                behind = behind or table.behind
            pane.flush(changed[id(table)], stamp)
        return behind

    def tick(self) -> None:
        """Reads anew what time alone has changed."""
        stamp = self._now().timestamp()
        for pane, _ in self._panes():
            pane.tick(stamp)

    def next_tick(self) -> float:
        """Seconds until `tick` is due: whole seconds, so that all ages change together; infinite when none will."""
        now = self._now().timestamp()
        due = math.inf
        for pane, table in self._panes():
            if trust.ticks(table.freshness):
                return 1.0 - now % 1.0
            due = min(due, pane.next_expiry)
        return due if math.isinf(due) else max(0.05, math.ceil(due) - now)


def utc_now() -> datetime:
    """The wall clock in UTC."""
    return datetime.now(UTC)
