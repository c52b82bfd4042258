"""Whole clusters for tests: stores that are live, refused, or filled from a recording; and what a pane would show of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from builders import NOW
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.stores import Stores
from kubepane.views.table import Table
from kubepane.views.view import View, World
from kubepane_widgets.columns import Layout
from kubepane_widgets.lines import width as cells
from recordings import objects, recorded

LIVE = Freshness(State.LIVE)


def live() -> Stores:
    """Empty stores that are complete: what they lack is not there."""
    stores = Stores()
    for store in stores:
        store.set_freshness(LIVE)
    return stores


def refuse(stores: Stores, *kinds: Kind) -> None:
    """Nobody may list these kinds."""
    for kind in kinds:
        stores.of(kind).set_freshness(Freshness(State.FORBIDDEN, verb="list", resource=kind.resource))


def replay(name: str) -> Stores:
    """Live stores filled from a recording of lists by plural name."""
    stores, lists = live(), recorded(name)
    for kind in k.KINDS:
        if kind.plural in lists:
            for obj in objects(kind, lists[kind.plural]["items"]):
                stores.of(kind).put(obj)
    return stores


def shown(view: type[View], stores: Stores, now: datetime = NOW) -> Table:
    """The table of a view over these stores, up to date."""
    table = Table(view(World(stores, Metrics())), lambda: None, lambda: now)
    table.update()
    return table


def records(table: Table, now: datetime = NOW) -> dict[str, dict[str, Any]]:
    """The records of all rows by name, in the table's order."""
    found = [table.view.record(key, now) for key in table.order]
    return {f"{r['name']}": r for r in found}


def paint(table: Table, width: int, height: int, cursor: int = 0) -> list[str]:
    """The lines inside the frame: headings, rows, tail; every line is checked to be exactly as wide as the pane or narrower."""
    columns, keys = table.columns(width, height), list(table.order)
    tail = table.tail(width, height, keys[cursor] if keys else None)
    heading = any(column.label for column in columns)
    assert len(tail) + heading + 1 <= height
    rows = [table.row(key, width, height) for key in keys[: height - len(tail) - heading]]
    layout = Layout(columns, width, rows)
    lines = [*([layout.head()] if heading else []), *(layout.line(row) for row in rows), *tail]
    assert all(cells(line) <= width for line in lines), [("".join(t for t, _ in line), cells(line)) for line in lines if cells(line) > width]
    return ["".join(text for text, _ in line).rstrip() for line in lines]
