"""What a Pane shows, as a Protocol: the pane asks, the source answers from what it holds; nothing is pushed into widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kubepane_widgets.columns import Column, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Order


class Source(Protocol):
    """The content of one pane. All widths and heights are cells inside the frame."""

    order: Order

    @property
    def stale(self) -> bool:
        """All rows are to be shown as not current."""

    def columns(self, width: int, height: int) -> Sequence[Column]:
        """The columns for this size, in order."""

    def row(self, key: str, width: int, height: int) -> Row:
        """The row of one key of `order`, its cells in the order of `columns(width, height)`. Called for visible keys only."""

    def sorted_by(self) -> tuple[str, bool]:
        """The key of the column sorted by ("" for the pane's own order) and whether it is descending."""

    def title(self, width: int) -> list[Line]:
        """Parts of the title: the number and name first, then facts; parts that do not fit are left out whole, the last first."""

    def fresh(self) -> Line:
        """The freshness, for the right end of the title."""

    def note(self) -> Line:
        """For the bottom border while no row has a note of its own."""

    def head(self, width: int, height: int) -> list[Line]:
        """Lines above the table's headings."""

    def tail(self, width: int, height: int, cursor: str | None) -> list[Line]:
        """Lines below the rows (a chart, a chain), at most `height - 2` of them; called once a flush."""

    def empty(self, width: int, height: int) -> list[Line]:
        """What stands in place of rows while there are none: forbidden, not served, or simply none and what to do."""
