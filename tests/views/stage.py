"""A view on a small stage: a table over stores, with what it says as plain text."""

from __future__ import annotations

from datetime import datetime

from builders import NOW
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.stores import Stores
from kubepane.views.table import Table
from kubepane.views.view import View, World
from kubepane_widgets.columns import Layout, Row


class Stage:
    """One view with its table.

    Attributes:
        now: the time, as long as nobody changes it.
    """

    def __init__(self, view: type[View], stores: Stores | None = None) -> None:
        self.stores = stores or Stores()
        self.world = World(self.stores, Metrics())
        self.now: datetime = NOW
        self.woken = 0
        self.table = Table(view(self.world), self._wake, lambda: self.now)

    def _wake(self) -> None:
        self.woken += 1

    def order(self) -> list[str]:
        """The rows in their order, after taking in what changed."""
        self.table.update()
        return list(self.table.order)

    def rows(self, width: int, height: int = 40) -> list[Row]:
        """What the rows show at this size."""
        return [self.table.row(key, width, height) for key in self.order()]

    def text(self, width: int, height: int = 40) -> list[str]:
        """The table as it would stand on a screen, its headings first."""
        rows = self.rows(width, height)
        layout = Layout(self.table.columns(width, height), width, rows)
        return ["".join(text for text, _ in line).rstrip() for line in (layout.head(), *map(layout.line, rows))]
