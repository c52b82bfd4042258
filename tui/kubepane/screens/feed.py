"""Carries changes from the stores to the panes that are visible: bounded work at a time, ages when they are due, keys first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from kubepane.views import trust
from kubepane.views.table import Table
from kubepane_widgets.pane import Pane

BY_USAGE = ("cpu", "memory")
SLICE = 0.008  # seconds that rows are taken in at a time: a first sync of thousands is spread over several such slices


class Feed:
    """The one place where tables take in changes and panes are told.

    Args:
        panes: the visible panes with their tables, asked for anew each time.
        now: the wall clock.
    """

    def __init__(self, panes: Callable[[], Iterable[tuple[Pane, Table]]], now: Callable[[], datetime]) -> None:
        self._panes = panes
        self._now = now
        self._changed: dict[int, set[str]] = {}  # by table, what was taken in and not painted yet
        self._usage: dict[int, int] = {}  # by pane, the version of the usage figures that it shows

    def take_in(self) -> bool:
        """Takes changes into the tables for the length of a slice; whether something is left."""
        until = time.perf_counter() + SLICE
        behind = False
        for table in {id(table): table for _, table in self._panes()}.values():
            self._changed.setdefault(id(table), set()).update(table.update(until))
            behind = behind or table.behind
        return behind

    def paint(self) -> None:
        """Repaints what differs since the last time."""
        stamp = self._now().timestamp()
        changed, self._changed = self._changed, {}
        for pane, table in self._panes():
            keys = changed.get(id(table), set())
            if self._new_usage(pane, table):
                keys = keys | set(pane.keys_shown)
            pane.flush(keys, stamp)

    def _new_usage(self, pane: Pane, table: Table) -> bool:
        """Whether there are other usage figures than those that this pane shows; a sort by them is made anew."""
        version = table.view.world.metrics.version
        if not table.view.shows_usage or self._usage.get(id(pane)) == version:
            return False
        self._usage[id(pane)] = version
        if table.sort in BY_USAGE:
            table.rebuild()
        return True

    def flush(self) -> bool:
        """One slice, painted; whether something is left."""
        behind = self.take_in()
        self.paint()
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
