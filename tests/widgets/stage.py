"""A Source that holds plain rows, and an App with one widget on it: what the tests of widgets play on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.widget import Widget

from kubepane_widgets.columns import Cell, Column, Row
from kubepane_widgets.diff import DiffApp
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Order
from kubepane_widgets.palette import THEMES, tones

COLUMNS = [
    Column("g", "", 1, 1, fixed=True),
    Column("name", "NAME", 8, 30, elide="mid", fixed=True),
    Column("state", "STATE", 6, 17),
    Column("n", "N", 2, 6, right=True),
    Column("ip", "IP", 9, 15, drop=2),
    Column("note", "NOTE", 8, 999, drop=1),
]


class Shelf:
    """Rows by key: name, state, number, and what is in the NOTE column."""

    def __init__(self, rows: dict[str, tuple[str, str, int, str]] | None = None) -> None:
        self.order = Order()
        self.stale = False
        self.rows: dict[str, tuple[str, str, int, str]] = {}
        self.unselectable: set[str] = set()
        self.expires: dict[str, float] = {}
        self.above: list[Line] = []
        self.below: list[Line] = []
        self.notes: Line = []
        self.live: Line = [("● ", "live"), ("live", "muted")]
        self.nothing: list[Line] = [[("nothing here", "fg")], [("a", "accent"), (" adds", "soft")]]
        self.facts: list[str] = []
        self.sort = ("", False)
        self.shape: Sequence[Column] = COLUMNS
        self.asked: list[str] = []
        for key, row in (rows or {}).items():
            self.put(key, row)

    def put(self, key: str, row: tuple[str, str, int, str], rank: object = None) -> None:
        self.rows[key] = row
        self.order.put(key, (row[0] if rank is None else rank,))

    def drop(self, key: str) -> None:
        self.rows.pop(key, None)
        self.order.drop(key)

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return self.shape

    def row(self, key: str, width: int, height: int) -> Row:
        self.asked.append(key)
        name, state, n, note = self.rows[key]
        good = state == "Running"
        cells: list[Cell] = [
            ("●", "ok") if good else ("✕", "bad"),
            name,
            (state, "soft" if good else "bad"),
            str(n),
            ("10.0.0.1", "muted"),
            (note, "soft"),
        ]
        return Row(
            cells, note="" if good else f"{state}: {note}", expires=self.expires.get(key, float("inf")), selectable=key not in self.unselectable
        )

    def sorted_by(self) -> tuple[str, bool]:
        return self.sort

    def title(self, width: int) -> list[Line]:
        return [
            [("1", "accent"), (" Things", "bold")],
            [(f" {len(self.order)}", "muted")],
            *[[(" · ", "faint"), (fact, "muted")] for fact in self.facts],
        ]

    def fresh(self) -> Line:
        return self.live

    def note(self) -> Line:
        return self.notes

    def head(self, width: int, height: int) -> list[Line]:
        return self.above

    def tail(self, width: int, height: int, cursor: str | None) -> list[Line]:
        return [[(line[0][0].replace("@", cursor or "-"), line[0][1])] if line else [] for line in self.below]

    def empty(self, width: int, height: int) -> list[Line]:
        return self.nothing


def shelf(n: int, state: Callable[[int], str] = lambda i: "Running") -> Shelf:
    """So many rows, `row-000` first."""
    return Shelf({f"k{i}": (f"row-{i:03}", state(i), i, f"note {i}") for i in range(n)})


class Stage(DiffApp[None]):
    """One App for all: the widgets it is given, in our own theme; keeps the messages that it is told to."""

    CSS = "Screen { overflow: hidden; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *widgets: Widget, theme: str = "kubepane-dark", ascii: bool = False) -> None:
        super().__init__()
        self.ascii = ascii
        self.widgets = widgets
        self.told: list[Any] = []
        for known in THEMES:
            self.register_theme(known)
        self.theme = theme

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return variables | tones(variables)

    def compose(self) -> ComposeResult:
        yield from self.widgets

    def on_pane_opened(self, message: Any) -> None:
        self.told.append(("opened", message.key))

    def on_pane_moved(self, message: Any) -> None:
        self.told.append(("moved", message.key))

    def on_pane_sorted(self, message: Any) -> None:
        self.told.append(("sorted", message.key))

    def on_pane_marked(self, message: Any) -> None:
        self.told.append(("marked", message.key))

    def on_prompt_changed(self, message: Any) -> None:
        self.told.append(("changed", message.text))

    def on_prompt_submitted(self, message: Any) -> None:
        self.told.append(("submitted", message.text))

    def on_prompt_cleared(self, message: Any) -> None:
        self.told.append(("cleared", message.text))

    def on_text_view_turned(self, message: Any) -> None:
        self.told.append(("turned", message.view.following, message.view.wrapping))

    def heard(self, kind: str) -> list[str]:
        """What messages of one kind said."""
        return [told[1] for told in self.told if told[0] == kind]


def picture(app: DiffApp[Any]) -> list[str]:
    """The screen as the compositor would paint it now, line by line."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def lines_of(widget: Any) -> list[str]:
    """What a widget says stands on its lines."""
    return [widget.render_line(y).text for y in range(widget.size.height)]


KEPT = Path(__file__).parent / "pictures"


def same_as_kept(name: str, lines: Sequence[str]) -> None:
    """Compares a picture with the one that was looked at and kept; KEEP_PICTURES=1 keeps the new one."""
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    kept = KEPT / f"{name}.txt"
    if os.environ.get("KEEP_PICTURES"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
