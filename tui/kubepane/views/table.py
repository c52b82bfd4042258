"""One pane's content, kept up to date: view, order, filter, sort and freshness together. Answers what a Pane asks (`Source`)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from kubepane.cluster.freshness import Freshness, State, worst
from kubepane.cluster.kinds import Kind
from kubepane.cluster.store import Changes
from kubepane.views import trust
from kubepane.views.filter import Filter
from kubepane.views.view import View
from kubepane_widgets.columns import Column, Row
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Order, Rank

_FIRST: Rank = (-1,)
_LAST: Rank = (2,)
_AT_ONCE = 100  # rows taken in between two looks at the clock


class Table:
    """The rows of a view in their order.

    Nothing is drawn here: `update` turns the dirty sets into changed keys and a new order, and whoever shows the table asks
    for what it needs. Several panes may show one table.
    """

    def __init__(self, view: View, wake: Callable[[], None], now: Callable[[], datetime]) -> None:
        self.view = view
        self.order = Order()
        self.filter = Filter()
        self.sort = ""  # a column's key, "" for the view's own order
        self.namespaces: frozenset[str] = frozenset()  # only these; empty for all
        self.user = ""  # who we are, for what is said about refused rights
        self.cursor: str | None = None
        self._now = now
        self._late: set[str] = set()
        self._beside: set[str] = set()  # rows that are not counted
        self._feeds: list[tuple[Kind, Changes]] = [(kind, view.stores.of(kind).subscribe(wake)) for kind in view.kinds]
        self._known = [False] * len(self._feeds)  # of each feed, as of the last update: whether "none" could be concluded from it

    def close(self) -> None:
        """Ends the subscriptions."""
        for kind, changes in self._feeds:
            self.view.stores.of(kind).unsubscribe(changes)

    # ---- data

    def update(self, until: float = math.inf) -> set[str]:
        """Takes in what changed since the last call; the keys whose rows may differ.

        Args:
            until: `time.perf_counter()` when to stop; the rest is left for the next call (`behind`).
        """
        for i, (kind, changes) in enumerate(self._feeds):
            known = self.view.stores.of(kind).freshness.known
            if changes.uids or known is not self._known[i]:
                self._known[i] = known
                self._late.update(self.view.affected(kind, changes.drain()))
        done: set[str] = set()
        while self._late and (not done or time.perf_counter() < until):
            some = {self._late.pop() for _ in range(min(_AT_ONCE, len(self._late)))}
            self.refresh(some)
            done |= some
        if not self._late:
            self._late = set()  # one that was large once stays large inside, and every pop would look through it
        return done

    @property
    def behind(self) -> bool:
        """Whether changes are left that the last `update` had no time for."""
        return bool(self._late)

    def refresh(self, keys: Iterable[str]) -> None:
        """Puts these rows where they belong now, or takes them away."""
        put, drop, shows = self.order.put, self.order.drop, self._shows
        for key in keys:
            if shows(key):
                put(key, self._rank(key))
                if self.view.beside(key):
                    self._beside.add(key)
            else:
                drop(key)
                self._beside.discard(key)

    def rebuild(self) -> None:
        """Sorts and filters everything anew: after another sort, filter or namespace, or new usage figures under a sort by them."""
        keys: set[str] = set(self.order)
        for kind in self.view.kinds:
            keys.update(self.view.affected(kind, set(self.view.stores.of(kind).uids())))
        self.order.rebuild((key, self._rank(key)) for key in keys if self._shows(key))
        self._beside = {key for key in self.order if self.view.beside(key)}

    def set_filter(self, wanted: Filter) -> None:
        """Shows only the rows that pass."""
        self.filter = wanted
        self.rebuild()

    def set_sort(self, column: str) -> None:
        """Sorts by a column; the same one again turns the order around; "" is the view's own order."""
        self.order.reverse = not self.order.reverse if column and column == self.sort else column in self.view.largest_first
        self.sort, self.view.descending = column, self.order.reverse
        self.rebuild()

    def set_namespaces(self, namespaces: Iterable[str]) -> None:
        """Shows only rows of these namespaces, and those without one; all for none."""
        self.namespaces = frozenset(namespaces)
        self.rebuild()

    @property
    def count(self) -> int:
        """How many rows there are, those that are only a part of another one left out."""
        return len(self.order) - len(self._beside)

    def total(self) -> int:
        """How many rows there are without the filter; for "12 of 67"."""
        return self.count if not self.filter.tests else sum(len(self.view.stores.of(kind)) for kind in self.view.own_kinds())

    def _shows(self, key: str) -> bool:
        view = self.view
        if not view.exists(key):
            return False
        if self.namespaces and (namespace := view.namespace(key)) and namespace not in self.namespaces:
            return False
        return not self.filter.tests or self.filter.matches(view, key, self._now())

    def _rank(self, key: str) -> Rank:
        rank = self.view.rank(key)
        if not self.sort:
            return rank
        value = self.view.value(key, self.sort, self._now())
        if value is None or value == "":
            return (_FIRST if self.order.reverse else _LAST, *rank)  # what is not known comes last either way
        return ((0, value) if isinstance(value, (int, float)) else (1, str(value)), *rank)

    # ---- freshness

    @property
    def freshness(self) -> Freshness:
        """How far this pane can be trusted: the worst of the kinds that make its rows, for all of which rights may differ."""
        parts = [self.view.stores.of(kind).freshness for kind in self.view.own_kinds()]
        usable = [f for f in parts if f.state not in (State.FORBIDDEN, State.ABSENT)]
        return worst(usable or parts)

    @property
    def missing(self) -> list[Freshness]:
        """The kinds that could not be looked at while others could: the pane is partial."""
        parts = [self.view.stores.of(kind).freshness for kind in self.view.own_kinds()]
        refused = [f for f in parts if f.state is State.FORBIDDEN]
        return refused if len(refused) < len(parts) else []

    # ---- what a Pane asks

    @property
    def stale(self) -> bool:
        return self.freshness.stale

    def columns(self, width: int, height: int) -> Sequence[Column]:
        self.refresh(self.view.reshape(width, height))
        return self.view.columns(width, height)

    def row(self, key: str, width: int, height: int) -> Row:
        return self.view.row(key, self._now(), width, height)

    def sorted_by(self) -> tuple[str, bool]:
        return self.sort, self.order.reverse

    def title(self, width: int) -> list[Line]:
        facts = [f"{self.count:,}{'+' if self.freshness.state is State.SYNCING else ''}"] if self.view.counted else []
        if self.filter.text:
            facts = [f"{self.count:,} of {self.total():,}", f"/{self.filter.text}"]
        facts += self.view.facts(self._now())
        if self.sort:
            facts.append(f"by {self.sort} {'↓' if self.order.reverse else '↑'}")
        elif self.view.default_sort:
            facts.append(f"{self.view.default_sort} ↓")
        name: Line = [(str(self.view.number), "accent"), (f" {self.view.title}", "bold")]
        return [name, *[[(" " if i == 0 else " · ", "faint"), (fact, "muted")] for i, fact in enumerate(facts)]]

    def fresh(self) -> Line:
        line = trust.title(self.freshness, self._now())
        if self.missing:
            line = [*line, (f" · {trust.refused(self.missing[0])} refused", "warn")]
        return [*line, *self.view.aside(self._now())]

    def note(self) -> Line:
        return trust.note(self.freshness, self._now())

    def head(self, width: int, height: int) -> list[Line]:
        return self.view.head(self._now(), width, height, self.cursor)

    def tail(self, width: int, height: int, cursor: str | None) -> list[Line]:
        self.cursor = cursor
        return self.view.tail(self._now(), width, height, cursor)

    def empty(self, width: int, height: int) -> list[Line]:
        fresh = self.freshness
        lines = trust.middle(fresh, self.view.title.lower() if self.view.title != "HPA" else "HPAs", self.user, self._now())
        if lines is not None:
            return lines
        if self.filter.text:
            return [[(f"Nothing passes the filter {self.filter.text}", "fg")], [("Esc", "accent"), (" clears it", "soft")]]
        if (absent := self._absent_namespaces()) is not None:
            return [[(f"{G['warn']} ", "warn"), (f"No namespace {absent}.", "fg")], [("n", "accent"), (" chooses another", "soft")]]
        where = f" in namespace {', '.join(sorted(self.namespaces))}." if self.namespaces else "."
        first, *rest = self.view.none()
        return [[*first, (where, "fg")], *rest]

    def _absent_namespaces(self) -> str | None:
        """The namespaces asked for, where none of them exists: a list in a missing namespace is empty, not an error (rule R32)."""
        known = self.view.stores.namespaces
        if not self.namespaces or not known.freshness.complete or any(known.named("", name) for name in self.namespaces):
            return None
        return ", ".join(sorted(self.namespaces))
