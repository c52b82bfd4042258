"""A table whose faults stay in its own pane: a bug in one view is shown there, logged, and tried again; the others live on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from kubepane.cluster.freshness import Freshness, State
from kubepane.views import trust
from kubepane.views.table import Table
from kubepane.views.view import View
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.lines import Line

T = TypeVar("T")
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds until a view that failed is tried again
_NOTHING = [Column("fault", "", 1, FLEX)]


class GuardedTable(Table):
    """Answers what a Pane asks, whatever the view does.

    Args:
        failed: told of the view's name and the exception, once for each time it fails.
    """

    def __init__(self, view: View, wake: Callable[[], None], now: Callable[[], datetime], failed: Callable[[str, Exception], None]) -> None:
        super().__init__(view, wake, now)
        self._failed = failed
        self._fault = ""
        self._times = 0
        self._since: datetime | None = None
        self._again = 0.0

    def _try(self, what: Callable[[], T], instead: T) -> T:
        if self._fault:
            return instead
        try:
            return what()
        except Exception as error:  # noqa: BLE001  (whatever it is, it is this pane's fault and not the program's)
            self._fault = f"{type(error).__name__} in this pane; see the log: !"
            self._since = self._now()
            self._again = time.monotonic() + PAUSES[min(self._times, len(PAUSES) - 1)]
            self._times += 1
            self._failed(self.view.name, error)
            return instead

    @property
    def freshness(self) -> Freshness:
        if self._fault:
            wait = timedelta(seconds=max(0.0, self._again - time.monotonic()))
            return Freshness(State.FAILED, since=self._since, why=self._fault, retry_at=self._now() + wait)
        return super().freshness

    def update(self, until: float = math.inf) -> set[str]:
        if self._fault:
            if len(self.order):  # not where it failed: a pane may be in the middle of reading the order
                self.order.rebuild({})
            if time.monotonic() < self._again:
                return set()
            self._fault = ""
            self._try(self.rebuild, None)
        found = self._try(lambda: super(GuardedTable, self).update(until), set[str]())
        if self._times and not self._fault and time.monotonic() > self._again + PAUSES[-1]:
            self._times = 0
        return found

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return self._try(lambda: super(GuardedTable, self).columns(width, height), _NOTHING)

    def row(self, key: str, width: int, height: int) -> Row:
        return self._try(lambda: super(GuardedTable, self).row(key, width, height), Row([""] * len(_columns(self.view, width, height))))

    def title(self, width: int) -> list[Line]:
        plain: list[Line] = [[(str(self.view.number), "accent"), (f" {self.view.title}", "bold")]]
        return self._try(lambda: super(GuardedTable, self).title(width), plain)

    def fresh(self) -> Line:
        return trust.title(self.freshness, self._now()) if self._fault else self._try(super().fresh, [])

    def head(self, width: int, height: int) -> list[Line]:
        return self._try(lambda: super(GuardedTable, self).head(width, height), [])

    def tail(self, width: int, height: int, cursor: str | None) -> list[Line]:
        return self._try(lambda: super(GuardedTable, self).tail(width, height, cursor), [])


def _columns(view: View, width: int, height: int) -> Sequence[Column]:
    """The view's columns, were it well."""
    try:
        return view.columns(width, height)
    except Exception:  # noqa: BLE001  (reported where the pane asks for them)
        return _NOTHING
