"""The visible part of a table: rows asked for once, laid out once, kept until they change. Pure: lines, no strips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubepane_widgets.columns import Column, Layout, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.source import Source

UNROLLED = 240  # cells that a table is laid out for while it is scrolled sideways, at least


class Table:
    """Rows and columns of a source for one size.

    Columns grow when a visible row wants more and never shrink while the table lives: a table that breathes cannot be read.
    A new size, sort or filter makes a new Table.

    Args:
        width: cells for a line; a table that is scrolled sideways takes more than the pane has, and crops.
        height: lines inside the frame.
    """

    def __init__(self, source: Source, columns: Sequence[Column], width: int, height: int, *, unrolled: bool = False) -> None:
        self.source = source
        self.columns = columns
        self.width = max(width, UNROLLED) if unrolled else width
        self.height = height
        self.unrolled = unrolled
        self.rows: dict[str, Row] = {}
        self._measured: set[str] = set()
        self._layout: Layout | None = None

    @staticmethod
    def columns_of(source: Source, width: int, height: int, *, unrolled: bool = False) -> Sequence[Column]:
        """The columns that a table of this size would have now."""
        return source.columns(max(width, UNROLLED) if unrolled else width, height)

    def row(self, key: str) -> Row:
        """The row of a key, as it was when it was first asked for since its last change."""
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = self.source.row(key, self.width, self.height)
        return row

    def forget(self, keys: Iterable[str]) -> None:
        """Drops rows that are to be asked for again."""
        self._measured.difference_update([key for key in keys if self.rows.pop(key, None) is not None])

    def expired(self, now: float) -> list[str]:
        """The keys of rows that may read differently by now."""
        return [key for key, row in self.rows.items() if row.expires <= now]

    @property
    def next_expiry(self) -> float:
        """POSIX seconds when the first of the visible rows may read differently; infinite if none."""
        return min((row.expires for row in self.rows.values()), default=float("inf"))

    def show(self, keys: Sequence[str]) -> bool:
        """Takes these as the visible rows, and only these; whether the columns moved, so that all lines are to be made anew."""
        fresh = [self.row(key) for key in keys if key not in self._measured]
        if len(self.rows) > len(keys):
            self.rows = {key: self.rows[key] for key in keys}
        self._measured = set(keys)
        if self._layout is None:
            self._layout = Layout(self.columns, self.width, self.rows.values())
        elif not fresh or not self._layout.grow(fresh):
            return False
        if self.unrolled:  # every column is as wide as it wants to be
            layout = self._layout
            layout.cells = sum(min(self.columns[i].hi, layout.wants[i]) + 1 for i in layout.keep) - 1
        self._layout.relayout()
        return True

    @property
    def has_heading(self) -> bool:
        """Whether any column has a label."""
        return any(column.label for column in self.columns)

    def heading(self, sort: str, arrow: str) -> Line:
        """The line of labels."""
        return self._layout.head("muted", sort, arrow) if self._layout else []

    def line(self, key: str) -> Line:
        """The cells of a visible row."""
        return self._layout.line(self.row(key)) if self._layout else []

    @property
    def fixed(self) -> int:
        """Cells of the leading columns that stay when scrolled sideways, with the blank behind them."""
        cells = 0
        if self._layout:
            for i in self._layout.keep:
                if not self.columns[i].fixed:
                    break
                cells += self._layout.sizes[i] + 1
        return cells

    @property
    def length(self) -> int:
        """Cells that the columns take in all."""
        return sum(n + 1 for n in self._layout.sizes.values()) - 1 if self._layout else 0

    def column_at(self, x: int) -> str | None:
        """The key of the column that holds this cell of a line."""
        if self._layout and x >= 0:
            end = 0
            for i in self._layout.keep:
                end += self._layout.sizes[i] + 1
                if x < end:
                    return self.columns[i].key
        return None
