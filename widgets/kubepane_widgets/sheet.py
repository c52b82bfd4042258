"""A framed block of lines that scrolls, with fixed lines at its foot, and the modal screen around it: what cards are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.strip import Strip

from kubepane_widgets import frame
from kubepane_widgets.diff import PromptModal
from kubepane_widgets.lines import Line, Span, fit
from kubepane_widgets.painted import Painted
from kubepane_widgets.palette import G

Body = Sequence[Line] | Callable[[int], Sequence[Line]]  # lines, or a function from cells to them


class Sheet(Painted, can_focus=True):
    """Paints what it was last given; has no keys of its own.

    Args:
        title: left in the upper border.
        where: right in the upper border: what it acts on.
        note: left in the lower border.
        tone: the border's.
    """

    DEFAULT_CSS = "Sheet { width: 100%; height: 100%; }"

    def __init__(self, title: str, *, where: Sequence[Span], note: Sequence[Span], tone: str) -> None:
        super().__init__()
        self.title, self.where, self.note, self.tone_of_border = title, where, note, tone
        self.lines: Sequence[Line] = []
        self.feet: Sequence[Line] = []
        self.cursor: int | None = None
        self.first = 0

    def put(self, lines: Sequence[Line], feet: Sequence[Line] = (), cursor: int | None = None) -> None:
        """Takes the lines, those at the foot, and which line is the cursor's; scrolls so that the cursor is seen."""
        self.lines, self.feet, self.cursor = lines, feet, cursor
        if cursor is not None and self.room:
            self.first = max(min(self.first, cursor), cursor - self.room + 1)
        self.scroll(0)

    def scroll(self, by: int) -> None:
        """Moves the lines."""
        self.first = max(0, min(self.first + by, len(self.lines) - self.room))
        self.refresh()

    def reveal(self, line: int) -> None:
        """Scrolls until this line is seen, a little below the top if it has to move."""
        if not self.first <= line < self.first + self.room:
            self.first = line - min(3, self.room // 2)
        self.scroll(0)

    @property
    def room(self) -> int:
        """Lines that can be seen at once."""
        return max(0, self.size.height - 2 - len(self.feet))

    @property
    def inner(self) -> int:
        """Cells of a line inside the frame."""
        return max(0, self.size.width - 4)

    def render_line(self, y: int) -> Strip:
        """Textual's hook: what stands on line y."""
        width, height = self.size
        if width < 8 or height < 3:
            return self.blank(width)
        tone = self.tone_of_border
        if y == 0:
            return self.paint(frame.top([[(self.title, "bold")]], self.where, width, tone))
        if y == height - 1:
            last = min(self.first + self.room, len(self.lines))
            place: Line = [(f"{self.first + 1}–{last} of {len(self.lines):,}", "muted")] if len(self.lines) > self.room else []
            return self.paint(frame.bottom(self.note, place, width, tone))
        at, row = self.first + y - 1, y - 1
        foot = row - (height - 2 - len(self.feet))
        line = self.feet[foot] if foot >= 0 else self.lines[at] if at < len(self.lines) else []
        here = self.cursor is not None and foot < 0 and at == self.cursor
        knob = foot < 0 and row in frame.thumb(self.first, self.room, len(self.lines))
        mark = (G["cursor"], "accent") if here else (" ", "fg")
        inner = self.paint([mark, *fit(line, self.inner), (" ", "fg")], cursor=here)
        return Strip.join([self.paint([("│", tone)]), inner, self.paint([("┃" if knob else "│", tone)])])


class SheetScreen(PromptModal[list[str]]):
    """What all cards share: a sheet in the middle of the screen, as large as it needs and the screen allows."""

    DEFAULT_CSS = """
    SheetScreen { align: center middle; background: $background 60% !important; }
    SheetScreen > Sheet { width: 100%; height: 100%; }
    """

    def __init__(self, title: str, *, where: Sequence[Span], note: Sequence[Span], tone: str, cells: int) -> None:
        super().__init__()
        self.sheet = Sheet(title, where=where, note=note, tone=tone)
        self._cells = cells
        self._sized = (0, 0)

    def compose(self) -> ComposeResult:
        """Textual's hook."""
        yield self.sheet

    def on_mount(self) -> None:
        """The sheet takes its size and its lines."""
        self._fill()
        self.sheet.focus()

    def on_resize(self) -> None:
        """The terminal got another size."""
        self._fill()

    @property
    def _width(self) -> int:
        return max(1, min(self._cells, self.app.size.width))

    def _lines(self, body: Body) -> list[Line]:
        return list(body(self._width - 4) if callable(body) else body)

    def _fill(self) -> None:
        """Puts the lines on the sheet."""

    def _take(self, lines: Sequence[Line], feet: Sequence[Line], cursor: int | None = None) -> None:
        size = (self._width, max(1, min(len(lines) + len(feet) + 2, self.app.size.height)))
        if self._sized != size:
            self._sized = size
            self.sheet.styles.width, self.sheet.styles.height = size
        self.sheet.put(lines, feet, cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.sheet.scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.sheet.scroll(-3)

    def _scrolls(self, key: str) -> bool:
        """Whether the key was one that scrolls."""
        page = max(1, self.sheet.room - 1)
        by = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -(1 << 30), "end": 1 << 30}.get(key)
        if by is not None:
            self.sheet.scroll(by)
        return by is not None
