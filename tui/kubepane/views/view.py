"""What a pane is, apart from the screen: which objects feed it, which rows they make, in what order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster.kinds import Kind
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Rank

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """All that views and rules may read."""

    stores: Stores
    metrics: Metrics


class View(ABC):
    """One pane's rows.

    A row has a key: the uid of its object, with a suffix where one object makes several rows. Nothing is computed before it
    is asked for; `rank` is asked for every object that changes, so it must cost microseconds; `row` only for visible ones.
    """

    name: ClassVar[str]  # as on the command line and in JSON: "pods"
    title: ClassVar[str]  # as in the frame: "Pods"
    number: ClassVar[int]  # the key that jumps to it
    kinds: ClassVar[tuple[Kind, ...]]  # the stores that feed it; the first one's freshness is the pane's
    default_sort: ClassVar[str] = ""  # the words for `rank`'s order in the title; "" where they would say little

    counted: ClassVar[bool] = True  # whether the title tells how many rows there are

    shows_usage: ClassVar[bool] = False  # rows hold figures of metrics.k8s.io, or a history of them
    largest_first: ClassVar[frozenset[str]] = frozenset(("cpu", "memory", "restarts", "count"))  # columns that one sorts for their peaks

    def __init__(self, world: World) -> None:
        self.world = world
        self.stores = world.stores
        self.wide = False  # kubectl's -o wide columns
        self.descending = False  # the order is turned around: a row that belongs below another one must rank before it

    @abstractmethod
    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        """Keys of the rows that may differ because these objects of one kind changed or went. May name keys that do not exist.

        Also asked with no uids when the store of a kind becomes complete or stops being so: what is missing from a complete one is
        missing from the cluster.
        """

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether this row is there now."""

    @abstractmethod
    def rank(self, key: str) -> Rank:
        """The row's place in the pane's own order; must not depend on the time."""

    @abstractmethod
    def record(self, key: str, now: datetime) -> Record:
        """The row's facts by column key, in kubectl's words: for JSON, for filters and for sorting by a column.

        Always holds `uid`, `namespace` (where there is one) and `name`. Texts as kubectl prints them; where a number is
        behind a text (`cpu` "371m") the number stands under the same key with `_value` appended.
        """

    @abstractmethod
    def columns(self, width: int, height: int) -> Sequence[Column]:
        """The columns for a pane of this inner size."""

    def fields(self) -> tuple[str, ...]:
        """The columns that can be sorted and filtered by."""
        return tuple(column.key for column in self.columns(FLEX, FLEX) if column.key and column.label)

    @abstractmethod
    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        """What the table shows, its cells in the order of `columns(width, height)`."""

    def reshape(self, width: int, height: int) -> Iterable[str]:
        """The pane has this inner size from now on: keys of the rows that come or go with it, as a line below its row."""
        return ()

    def beside(self, key: str) -> bool:
        """Whether a row is only a part of another one, or a heading: it is not counted."""
        return False

    def namespace(self, key: str) -> str:
        """The row's namespace, "" for none: for the namespace selection."""
        return ""

    def object(self, key: str) -> tuple[Kind, Object] | None:
        """The object that a row stands for, and its kind; None when it has gone."""
        uid = key.partition("/")[0]
        for kind in self.own_kinds():
            if (found := self.stores.of(kind).get(uid)) is not None:
                return kind, found
        return None

    def labels(self, key: str) -> dict[str, str]:
        """The row's labels, for the filter `-l app=x`."""
        return {}

    def text(self, key: str, now: datetime) -> str:
        """All that a text filter looks through, in lower case. Asked for every row at every keystroke: views with thousands of rows
        have a cheaper one of their own."""
        return "\n".join(str(v) for v in self.record(key, now).values()).lower()

    def value(self, key: str, column: str, now: datetime) -> Any:
        """What sorting by a column compares: a number where there is one, else a text; None sorts last."""
        record = self.record(key, now)
        return record.get(f"{column}_value", record.get(column))

    def own_kinds(self) -> tuple[Kind, ...]:
        """The kinds whose objects make the rows; the other feeds only add to them."""
        return self.kinds[:1]

    def aside(self, now: datetime) -> Line:
        """What follows the freshness in the title, as the age of the metrics."""
        return []

    def facts(self, now: datetime) -> list[str]:
        """What the title says after the name and the count: `3 rolling`, `2 tainted`. Must cost little at 10,000 objects."""
        return []

    def head(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        """Lines above the headings."""
        return []

    def tail(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        """Lines below the rows: a chart, a chain."""
        return []

    def none(self) -> list[Line]:
        """What to say when there is nothing, in one or two lines, without a namespace: `No Ingress`."""
        return [[(f"No {self.title}", "fg")]]
