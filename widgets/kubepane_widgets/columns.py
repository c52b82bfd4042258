"""Columns and rows of a table as data, and how columns share a width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from kubepane_widgets.lines import Line, Span, elide, fit, pad, width
from kubepane_widgets.text import clean

FLEX = 999


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: the name that sorting and filtering use, unique in its table.
        label: the heading.
        lo: the least width, in cells.
        hi: the widest it wants to be; FLEX takes what is left over.
        right: aligned to the right.
        drop: 0 stays always; else the highest number goes first where the pane is narrow.
        elide: "mid" for names, "end" for prose.
        fixed: stays in place when the table is scrolled sideways.
    """

    key: str
    label: str
    lo: int
    hi: int
    right: bool = False
    drop: int = 0
    elide: str = "end"
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Wide:
    """A cell that runs over the following columns, up to but not into the column with the key `until`; without one to the line's end."""

    spans: Line
    until: str = ""


Cell = str | Span | Line | Wide


@dataclass(slots=True)
class Row:
    """What a table shows for one key.

    Attributes:
        cells: one for each column, in the columns' order.
        note: the whole reason, for the bottom border while the cursor is on this row.
        expires: POSIX seconds when the row may read differently by the mere passing of time; infinite if never.
        selectable: the cursor skips rows that are not (a line below its row, a group's heading).
    """

    cells: Sequence[Cell]
    note: str = ""
    expires: float = field(default=float("inf"))
    selectable: bool = True


def plain(cell: Cell) -> str:
    """A cell's text without its tones; "" for one that runs over others, for it claims no width."""
    if isinstance(cell, Wide):
        return ""
    if isinstance(cell, str):
        return clean(cell)
    return clean(cell[0]) if isinstance(cell, tuple) else "".join(clean(text) for text, _ in cell)


class Layout:
    """Widths of the columns that fit, and the lines they make.

    Columns get their content's width between `lo` and `hi`; those with a `drop` go where there is no room; spare cells go
    first to columns of numbers (aligned to the right), then round one by one to the columns that still want some.
    """

    def __init__(self, columns: Sequence[Column], cells: int, rows: Iterable[Row] = ()) -> None:
        self.columns = columns
        self.cells = cells
        keep = list(range(len(columns)))
        while sum(columns[i].lo + 1 for i in keep) - 1 > cells and any(columns[i].drop for i in keep):
            keep.remove(max(keep, key=lambda i: (columns[i].drop, i)))
        self.keep = keep
        self.wants = {i: max(columns[i].lo, len(columns[i].label)) for i in keep}
        self.grow(rows)
        self.sizes = self._share()

    def grow(self, rows: Iterable[Row]) -> bool:
        """Notes what these rows would like; whether that is more than before (then lay out anew)."""
        more = False
        for row in rows:
            for i in self.keep:
                if self.wants[i] < (hi := self.columns[i].hi) and (n := min(hi, cell_len(plain(row.cells[i])))) > self.wants[i]:
                    self.wants[i] = n
                    more = True
        return more

    def _share(self) -> dict[int, int]:
        wants = {i: min(self.columns[i].hi, n) for i, n in self.wants.items()}
        sizes = {i: self.columns[i].lo for i in self.keep}
        spare = self.cells - sum(n + 1 for n in sizes.values()) + 1
        for i in self.keep:  # numbers first: a number that is cut is another number
            if self.columns[i].right and spare > 0:
                more = min(spare, max(0, wants[i] - sizes[i]))
                sizes[i] += more
                spare -= more
        while spare > 0 and (hungry := [i for i in self.keep if sizes[i] < wants[i]]):
            for i in hungry[:spare]:
                sizes[i] += 1
            spare -= len(hungry[:spare])
        if spare > 0 and (flexible := [i for i in self.keep if self.columns[i].hi >= FLEX]):
            sizes[flexible[-1]] += spare
        return sizes

    def relayout(self) -> None:
        """Shares the width again, after `grow` said that a row wants more."""
        self.sizes = self._share()

    def head(self, tone: str = "muted", sort: str = "", arrow: str = "") -> Line:
        """The line of headings; the column sorted by carries the arrow."""
        out: Line = []
        for i in self.keep:
            column, size = self.columns[i], self.sizes[i]
            label = column.label + arrow if sort and column.key == sort and cell_len(column.label + arrow) <= size else column.label
            out += [*([(" ", tone)] if out else []), (pad(elide(label, size) if size > 3 else label[:size], size, column.right), tone)]
        return out

    def line(self, row: Row) -> Line:
        """One row as a line of as many cells as its columns take, or with a `Wide` at its end as many as there are."""
        cells = list(row.cells)
        for i in [i for i, c in enumerate(cells) if isinstance(c, Wide) and i not in self.keep]:  # its column went: start at the next
            cells[next((j for j in self.keep if j > i), self.keep[-1])] = cells[i]
        out: Line = []
        k = 0
        while k < len(self.keep):
            i = self.keep[k]
            cell, column = cells[i], self.columns[i]
            if out:
                out.append((" ", "fg"))
            if isinstance(cell, Wide):
                until = cell.until
                end = next((j for j in range(k + 1, len(self.keep)) if self.columns[self.keep[j]].key == until), len(self.keep))
                room = sum(self.sizes[j] + 1 for j in self.keep[k:end]) - 1
                if end == len(self.keep):  # nothing stands behind it: it may have what the columns left over
                    room = max(room, self.cells - width(out))
                out += fit(cell.spans, room)
                k = end
                continue
            out += self._cell(cell, column, self.sizes[i])
            k += 1
        return out

    @staticmethod
    def _cell(cell: str | Span | Line, column: Column, size: int) -> Line:
        if isinstance(cell, list):
            return fit(cell, size) if not column.right or width(cell) >= size else [(" " * (size - width(cell)), "fg"), *fit(cell, width(cell))]
        text, tone = (cell, "fg") if isinstance(cell, str) else cell
        return [(pad(elide(clean(text), size, column.elide), size, column.right), tone)]
