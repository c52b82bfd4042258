"""The pane: a frame around a virtual table. Only visible lines are ever made, and only lines that differ are repainted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from kubepane_widgets import frame
from kubepane_widgets.columns import Row
from kubepane_widgets.lines import Line, Span, fit
from kubepane_widgets.painted import Painted
from kubepane_widgets.palette import G
from kubepane_widgets.source import Source
from kubepane_widgets.table import Table
from kubepane_widgets.viewport import Viewport

_SIDEWAYS = 12  # cells that one key moves a table to the side
_WHEEL = 3
_KEPT = 300  # strips of lines kept

Mark = tuple[str, str]  # the first cell of a line and its tone


class Pane(Painted, can_focus=True):
    """Shows a Source; changes nothing in it.

    The caller says when: `flush` after the source's data changed, `tick` when time has passed. In between the pane shows what
    it last read. The cursor is on a key, not on a line; `Viewport` has its rule. Marks go when their row leaves the order, so
    what is acted on is what can be seen.

    Args:
        source: what is shown.
        tone: the border's tone, in place of focus and chip: for cards.
    """

    BINDINGS = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("home,g", "home", show=False),
        Binding("end,G", "end", show=False),
        Binding("right", "sideways(1)", show=False),
        Binding("left", "sideways(-1)", show=False),
        Binding("space", "mark", show=False),
        Binding("enter", "open", show=False),
    ]
    DEFAULT_CSS = "Pane { height: 1fr; }"

    class _About(Message):
        def __init__(self, pane: Pane, key: str) -> None:
            super().__init__()
            self.set_sender(pane)  # whoever called us: a message must not end at its own caller
            self.pane = pane
            self.key = key

        @property
        def control(self) -> Pane:
            """The pane, for `@on(..., selector)`."""
            return self.pane

    class Opened(_About):
        """Enter or a double click on the row of this key."""

    class Moved(_About):
        """The cursor came to another key: by the user's move, or because its row came or went; "" when there is no row left."""

    class Sorted(_About):
        """A click on the heading of this column."""

    class Marked(_About):
        """The set of marked keys changed; `key` is the one toggled, "" when several were."""

    def __init__(self, source: Source, *, tone: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.source = source
        self.marked: set[str] = set()
        self._tone = tone
        self._view = Viewport(source.order, self._selectable)
        self._table: Table | None = None
        self._aside = 0  # cells scrolled to the side
        self._inner: dict[str, tuple[Row, Strip]] = {}  # a row as it was painted, what stands between the borders; without cursor
        self._others: dict[tuple[Span, ...], Strip] = {}  # the same for lines that are not rows
        self._edges: dict[tuple[object, ...], Strip] = {}  # the upper and the lower border, as last painted
        self._at_cursor: tuple[Row, bool, Strip] | None = None  # the cursor's row as last painted
        self._joined: list[tuple[Strip, bool, str, Strip]] = []  # by line: what was between which borders, and both together
        self._lines: list[Strip] = []  # the whole pane as it was last read
        self._rows_from = 0  # the line of the first row
        self._heading_at = -1
        self._made_for: object = None
        self._painted_for: object = None
        self._announced: str | None = None

    # ---- what the caller reads -------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> str | None:
        """The key that the cursor is on."""
        return self._view.cursor

    @property
    def chosen(self) -> list[str]:
        """What an action acts on: the marked keys in their order, else the cursor's."""
        if self.marked:
            return sorted(self.marked, key=lambda key: self.source.order.index(key) or 0)
        return [self._view.cursor] if self._view.cursor is not None else []

    @property
    def keys_shown(self) -> list[str]:
        """The keys on screen."""
        return list(self._view.shown)

    @property
    def next_expiry(self) -> float:
        """POSIX seconds when a visible row may read differently by itself: sleep until then, and call `tick`. Infinite if never."""
        return self._table.next_expiry if self._table else float("inf")

    @property
    def tone(self) -> str:
        """The border's tone where it is not to say whether the pane has the focus."""
        return self._tone

    @tone.setter
    def tone(self, tone: str) -> None:
        self._tone = tone
        self._show()

    # ---- what the caller tells -------------------------------------------------------------------------------------------

    def flush(self, changed: Iterable[str], now: float) -> None:
        """The source's data changed: repaints the lines that read differently.

        Args:
            changed: the keys whose rows may differ; whether the order moved is seen from the order itself.
            now: POSIX seconds.
        """
        if self._table:
            self._table.forget([*changed, *self._table.expired(now)])
        self._show()

    def tick(self, now: float) -> None:
        """Time passed: reads the visible rows anew whose `expires` has come, and the title, notes, head and tail."""
        self.flush((), now)

    def rearrange(self) -> None:
        """Another sort, filter, set of columns or wide mode: all visible rows are read anew and the columns find new widths."""
        self._table = None
        self._show()

    def show(self, source: Source) -> None:
        """Shows another source, from its top."""
        self.source, self.marked, self._aside, self._table = source, set(), 0, None
        self._view = Viewport(source.order, self._selectable)
        self._show()

    def select(self, key: str) -> bool:
        """Puts the cursor on a key; whether that is possible."""
        found = self._view.select(key)
        self._show()
        return found

    def clear_marks(self) -> None:
        """Unmarks all."""
        if self.marked:
            self._unmark(set(self.marked))
            self._show()

    # ---- from the source to strips -----------------------------------------------------------------------------------------

    def _selectable(self, key: str) -> bool:
        return self._row(key).selectable

    def _row(self, key: str) -> Row:
        return self._table.row(key) if self._table else self.source.row(key, max(0, self.size.width - 4), max(0, self.size.height - 2))

    def _show(self) -> None:
        """Makes the pane's lines anew and repaints those that differ."""
        if not self.is_mounted or not self.size:
            return
        before, self._lines = self._lines, self._make()
        self._announce()
        if len(before) != len(self._lines):
            self.refresh()
            return
        differ = [y for y, strip in enumerate(self._lines) if strip is not before[y] and strip != before[y]]
        if differ:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in differ))

    def _announce(self) -> None:
        if self._view.cursor != self._announced:
            self._announced = self._view.cursor
            self.post_message(self.Moved(self, self._view.cursor or ""))

    def _make(self) -> list[Strip]:
        width, height = self.size
        if width < 8 or height < 2:
            self._view.settle()
            self._view.frame(0)
            return [self.blank(width)] * height
        self._take_shape(width - 4, height - 2)
        if self.marked:
            self._unmark({key for key in self.marked if key not in self.source.order})
        body = self._body(width - 4, height - 2)
        tone = self._tone or ("accent" if self.has_focus else "faint")
        chip = self.has_focus and not self._tone
        top = self._edge(frame.top(self.source.title(width - 4), self.source.fresh(), width, tone, chip))
        bottom = self._edge(frame.bottom(self._note(), self._place(), width, tone))
        return [top, *self._sides(body, tone), bottom]

    def _take_shape(self, width: int, height: int) -> None:
        """A new table where the size, the columns, the sort or a tone of all lines is another."""
        source, unrolled = self.source, self._aside > 0
        columns = Table.columns_of(source, width, height, unrolled=unrolled)
        made_for = (tuple(columns), width, height, unrolled, source.sorted_by())
        if self._table is None or self._made_for != made_for:
            self._table, self._made_for = Table(source, columns, width, height, unrolled=unrolled), made_for
            self._repaint()

    def _body(self, width: int, height: int) -> list[Strip]:
        """The lines between the borders, each `width + 2` cells."""
        source, view, table = self.source, self._view, self._table
        assert table is not None
        view.settle()
        tail = source.tail(width, height, view.cursor)
        head = source.head(width, height)[: max(0, height - 1)]
        tail = tail[: max(0, height - len(head) - 2)]
        heading = table.has_heading and len(source.order) > 0 and height - len(head) - len(tail) > 1
        view.frame(max(0, height - len(head) - len(tail) - heading))
        relaid = table.show(view.shown)
        if self._aside:
            self._aside = max(0, min(self._aside, table.length - width))
        painted_for = (source.stale, self.ascii, self.styles_of_tones, self._aside)
        if relaid or self._painted_for != painted_for:
            self._painted_for = painted_for
            self._repaint()
        lines = [self._plain(line) for line in head]
        self._heading_at = len(lines) + 1 if heading else -1
        if heading:
            key, descending = source.sorted_by()
            lines.append(self._strip(table.heading(key, G["down"] if descending else G["up"])))
        self._rows_from = len(lines) + 1
        lines += [self._row_strip(key) for key in view.shown]
        if not len(source.order):
            lines += self._nothing(width, height - len(head) - len(tail))
        lines += [self._plain(line) for line in tail]
        return lines[:height] + [self._plain([])] * (height - len(lines))

    def _nothing(self, width: int, room: int) -> list[Strip]:
        lines = self.source.empty(width, room)[: max(0, room)]
        return [self._plain([])] * ((room - len(lines)) // 2) + [self._plain([("  ", "fg"), *line]) for line in lines]

    def _plain(self, line: Line) -> Strip:
        """A line that is no row, between the borders."""
        key = tuple(line)
        strip = self._others.get(key)
        if strip is None:
            if len(self._others) > _KEPT:
                self._others.clear()
            strip = self._others[key] = self.paint([(" ", "fg"), *fit(line, self.size.width - 4), (" ", "fg")], stale=self.source.stale)
        return strip

    def _edge(self, line: Line) -> Strip:
        """A border line; the same strip as long as it reads the same."""
        key = tuple(line)
        strip = self._edges.get(key)
        if strip is None:
            if len(self._edges) > _KEPT:
                self._edges.clear()
            strip = self._edges[key] = self.paint(line)
        return strip

    def _repaint(self) -> None:
        """Forgets all strips: another size, theme, or tone of all lines."""
        self._inner.clear()
        self._others.clear()
        self._edges.clear()
        self._joined.clear()
        self._at_cursor = None

    def _row_strip(self, key: str) -> Strip:
        """A visible row, between the borders."""
        assert self._table is not None
        marked = key in self.marked
        if self.has_focus and key == self._view.cursor:
            row, kept = self._table.row(key), self._at_cursor
            if kept is None or kept[0] is not row or kept[1] is not marked:
                mark = (G["mark"], "chip") if marked else (G["cursor"], "accent")
                kept = self._at_cursor = (row, marked, self._strip(self._table.line(key), mark, cursor=True))
            return kept[2]
        row, painted = self._table.row(key), self._inner.get(key)
        if painted is None or painted[0] is not row:
            if len(self._inner) > _KEPT:
                self._inner.clear()
            painted = self._inner[key] = (row, self._strip(self._table.line(key), (G["mark"] if marked else " ", "accent")))
        return painted[1]

    def _strip(self, line: Line, mark: Mark = (" ", "fg"), cursor: bool = False) -> Strip:
        """A line of the table, cropped as it is scrolled sideways."""
        assert self._table is not None
        room, stale = self.size.width - 4, self.source.stale
        if not self._aside:
            return self.paint([mark, *fit(line, room), (" ", "fg")], cursor=cursor, stale=stale)
        fixed = self._fixed(room)
        whole = self.paint(fit(line, max(self._table.length, room)), cursor=cursor, stale=stale)
        ends = [self.paint([span], cursor=cursor, stale=stale) for span in (mark, (" ", "fg"))]
        moved = whole.crop(fixed + self._aside, self._aside + room)
        filled = moved.adjust_cell_length(room - fixed, self.styles_of_tones["fg", cursor])
        return Strip.join([ends[0], whole.crop(0, fixed), filled, ends[1]])

    def _fixed(self, room: int) -> int:
        fixed = self._table.fixed if self._table else 0
        return fixed if fixed < room * 2 // 3 else 0

    def _sides(self, body: Sequence[Strip], tone: str) -> list[Strip]:
        """The borders left and right, the thumb on the right one."""
        view, before = self._view, self._joined
        thumb = frame.thumb(view.top, view.room, len(self.source.order))
        first = self._rows_from - 1
        self._joined = []
        for y, strip in enumerate(body):
            knob = y - first in thumb
            if y < len(before) and before[y][0] is strip and before[y][1] is knob and before[y][2] == tone:
                self._joined.append(before[y])
                continue
            whole = Strip.join([self._edge([("│", tone)]), strip, self._edge([("┃" if knob else "│", tone)])])
            self._joined.append((strip, knob, tone, whole))
        return [entry[3] for entry in self._joined]

    def _note(self) -> Line:
        view = self._view
        if self.has_focus and view.cursor is not None and view.cursor in view.shown and (note := self._row(view.cursor).note):
            return [(note, "soft")]
        return self.source.note()

    def _place(self) -> Line:
        view, count = self._view, len(self.source.order)
        marks = f"{len(self.marked)} marked" if self.marked else ""
        place = f"{view.top + 1}–{view.top + len(view.shown)} of {count:,}" if count > view.room > 0 else ""
        text = " · ".join(filter(None, (marks, place)))
        return [(text, "muted")] if text else []

    # ---- Textual's hooks ---------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """What stands on line y of the pane."""
        if len(self._lines) != self.size.height or (self._lines and self._lines[0].cell_length != self.size.width):
            self._lines = self._make()
            self._announce()
        return self._lines[y] if y < len(self._lines) else self.blank(self.size.width)

    def on_resize(self) -> None:
        """The pane got another size."""
        self._show()

    def notify_style_update(self) -> None:
        """Another theme, perhaps."""
        super().notify_style_update()
        self._show()

    def on_focus(self) -> None:
        """The border, the chip, the cursor line and the note say so."""
        self._show()

    def on_blur(self) -> None:
        """The border, the chip, the cursor line and the note say so."""
        self._show()

    def action_move(self, step: int) -> None:
        """Moves the cursor by one row."""
        self._view.move(step)
        self._show()

    def action_page(self, step: int) -> None:
        """Moves the cursor by one screen."""
        self._view.page(step)
        self._show()

    def action_home(self) -> None:
        """To the top, where the cursor stays on whatever row is first."""
        self._view.home()
        self._show()

    def action_end(self) -> None:
        """To the last row."""
        self._view.end()
        self._show()

    def action_sideways(self, step: int) -> None:
        """Scrolls the columns that are not fixed; the first step lays all columns out at the width they want."""
        self._aside = max(0, self._aside + step * _SIDEWAYS)
        self._show()
        self._show()  # what could not be scrolled is back to the fitted columns

    def action_mark(self) -> None:
        """Marks the cursor's row, or unmarks it."""
        key = self._view.cursor
        if key is not None:
            self.marked ^= {key}
            self._inner.pop(key, None)
            self.post_message(self.Marked(self, key))
            self._show()

    def action_open(self) -> None:
        """Says that the cursor's row is to be opened."""
        if self._view.cursor is not None:
            self.post_message(self.Opened(self, self._view.cursor))

    def _unmark(self, keys: set[str]) -> None:
        if keys:
            self.marked -= keys
            for key in keys:
                self._inner.pop(key, None)
            self.post_message(self.Marked(self, ""))

    def on_click(self, event: events.Click) -> None:
        """A row is selected, twice opened; a heading asks for its sort; the right border scrolls."""
        view = self._view
        line = event.y - self._rows_from
        if event.y == self._heading_at and self._table:
            if key := self._table.column_at(self._cell(event.x - 2)):
                self.post_message(self.Sorted(self, key))
        elif event.x == self.size.width - 1 and 0 <= line < view.room:
            view.scroll(line * len(self.source.order) // view.room - view.top)
            self._show()
        elif 0 <= line < len(view.shown) and self.select(view.shown[line]) and event.chain == 2:
            self.action_open()

    def _cell(self, x: int) -> int:
        """The cell of a whole line that is seen at x."""
        return x if x < self._fixed(self.size.width - 4) or not self._aside else x + self._aside

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the window."""
        self._scrolled(event, _WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the window."""
        self._scrolled(event, -_WHEEL)

    def _scrolled(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        self._view.scroll(lines)
        self._show()
