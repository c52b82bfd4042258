"""A framed text that may be long and may grow: YAML, a description, logs. Only the lines on screen are ever made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from kubepane_widgets import frame
from kubepane_widgets.lines import Line, fit, width
from kubepane_widgets.painted import Painted
from kubepane_widgets.ring import Entry, Ring
from kubepane_widgets.spans import highlight, skip, wrap

LIMIT = 20_000
_SIDEWAYS = 12
_WHEEL = 3


class TextView(Painted, can_focus=True):
    """Shows lines; the caller adds them in bulk, at most some ten times a second.

    While it follows, the newest line stays at the bottom; moving up stops that, the end key starts it again.

    Args:
        title: cells → parts of the title, as of a Source.
        fresh: for the right end of the title.
        note: for the lower border.
        limit: lines kept; older ones go.
        follow: begin at the end.
    """

    BINDINGS = [
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("pagedown,ctrl+f,space", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("home,g", "top", show=False),
        Binding("end,G", "bottom", show=False),
        Binding("right", "sideways(1)", show=False),
        Binding("left", "sideways(-1)", show=False),
        Binding("n", "next(1)", show=False),
        Binding("N", "next(-1)", show=False),
        Binding("w", "wrap", show=False),
    ]
    DEFAULT_CSS = "TextView { height: 1fr; }"

    class Turned(Message):
        """Follow, wrap or the place in the search changed: for who shows them elsewhere."""

        def __init__(self, view: TextView) -> None:
            super().__init__()
            self.set_sender(view)
            self.view = view

        @property
        def control(self) -> TextView:
            """The view, for `@on(..., selector)`."""
            return self.view

    def __init__(
        self,
        title: Callable[[int], Sequence[Line]],
        *,
        fresh: Callable[[], Line] = list,
        note: Callable[[], Line] = list,
        limit: int = LIMIT,
        follow: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.ring = Ring(limit)
        self.following = follow
        self.wrapping = False
        self.stale = False
        self._title, self._fresh, self._note = title, fresh, note
        self._top = 0  # the number of the first line on screen
        self._part = 0  # of a wrapped line, the part that is on top
        self._aside = 0
        self._hit: int | None = None
        self._lines: list[Strip] = []
        self._last_shown = 0

    # ---- what the caller tells ---------------------------------------------------------------------------------------------

    def put(self, lines: Sequence[Entry]) -> None:
        """Shows other lines in place of all; the place stays where the text is still that long."""
        self.ring.replace(lines)
        self._hit = None
        self.flush()

    def append(self, lines: Iterable[Entry]) -> None:
        """Adds lines at the end: texts as a program wrote them, or spans."""
        self.ring.extend(lines)
        self.flush()

    def search(self, needle: str) -> int:
        """Marks what holds the text and goes to the first from here on; how many lines hold it. "" ends the search."""
        self.ring.search(needle)
        self._hit = None
        if needle and (hit := self.ring.near(self._top - 1, 1)) is not None:
            self._go_to(hit)
        self.flush()
        self.post_message(self.Turned(self))
        return len(self.ring.hits)

    def flush(self) -> None:
        """Repaints the lines that read differently now."""
        if not self.is_mounted or not self.size:
            return
        before, self._lines = self._lines, self._make()
        if len(before) != len(self._lines):
            self.refresh()
        elif differ := [y for y, strip in enumerate(self._lines) if strip != before[y]]:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in differ))

    @property
    def place(self) -> Line:
        """Where the view stands: `2 of 17 · wrap · follow · 1–40 of 900`."""
        ring, parts = self.ring, []
        if ring.needle:
            parts.append(f"{ring.nth(self._hit)} of {len(ring.hits):,} found" if ring.hits else "not found")
        parts += [name for name, on in (("wrap", self.wrapping), ("follow", self.following)) if on]
        if len(ring) > self._room:
            dropped = f" ({ring.first:,} older gone)" if ring.first else ""
            parts.append(f"{self._top - ring.first + 1:,}–{self._last_shown - ring.first:,} of {len(ring):,}{dropped}")
        return [(" · ".join(parts), "muted")] if parts else []

    # ---- lines to strips -----------------------------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return max(0, self.size.height - 2)

    @property
    def _cells(self) -> int:
        return max(0, self.size.width - 4)

    def _make(self) -> list[Strip]:
        cells, height = self.size
        if cells < 8 or height < 3:
            return [self.blank(cells)] * height
        body = self._body()
        tone = "accent" if self.has_focus else "faint"
        top = self.paint(frame.top(list(self._title(cells - 4)), self._fresh(), cells, tone, self.has_focus))
        bottom = self.paint(frame.bottom(self._note(), self.place, cells, tone))
        thumb = frame.thumb(self._top - self.ring.first, self._room, len(self.ring))
        edge, knob = self.paint([("│", tone)]), self.paint([("┃", tone)])
        rows = [self.paint([(" ", "fg"), *fit(line, self._cells), (" ", "fg")], stale=self.stale) for line in body]
        return [top, *(Strip.join([edge, row, knob if y in thumb else edge]) for y, row in enumerate(rows)), bottom]

    def _body(self) -> list[Line]:
        """The lines on screen, cropped, and the place corrected so that the end is not passed."""
        ring, room = self.ring, self._room
        if self.following:
            self._top, self._part = self._back_from_end(room)
        elif self._top < ring.first:
            self._top, self._part = ring.first, 0
        elif (self._top, self._part) > (last := self._back_from_end(room)):
            self._top, self._part = last
        out: list[Line] = []
        number = self._top
        while len(out) < room and number < ring.end:
            parts = self._parts(number)
            out += parts[self._part if number == self._top else 0 :]
            number += 1
        self._last_shown = number
        return out[:room] + [[]] * (room - len(out))

    def _parts(self, number: int) -> list[Line]:
        """The lines of the screen that one line of the text takes."""
        line = self.ring.line(number)
        if self.ring.needle:
            line = highlight(line, self.ring.needle, "chip" if number == self._hit else "accent")
        if self.wrapping:
            return wrap(line, self._cells)
        return [skip(line, self._aside)] if self._aside else [line]

    def _back_from_end(self, room: int) -> tuple[int, int]:
        """The first line, and the part of it, with which the last line stands at the bottom."""
        ring = self.ring
        if not self.wrapping:
            return max(ring.first, ring.end - room), 0
        number = ring.end
        while number > ring.first and room > 0:
            number -= 1
            parts = len(self._parts(number))
            if parts >= room:
                return number, parts - room
            room -= parts
        return number, 0

    def _step(self, by: int) -> None:
        """Moves the top by so many lines of the screen."""
        if not self.wrapping:
            self._top, self._part = max(self.ring.first, self._top + by), 0
            return
        while by > 0 and self._top < self.ring.end:
            if self._part + 1 < len(self._parts(self._top)):
                self._part += 1
            else:
                self._top, self._part = self._top + 1, 0
            by -= 1
        while by < 0 and (self._top > self.ring.first or self._part):
            if self._part:
                self._part -= 1
            else:
                self._top -= 1
                self._part = len(self._parts(self._top)) - 1
            by += 1

    def _go_to(self, number: int) -> None:
        self._hit = number
        if not self._top <= number < self._last_shown - (1 if self.wrapping else 0):
            self._top, self._part = max(self.ring.first, number - self._room // 3), 0
        self.following = False

    # ---- Textual's hooks -------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """What stands on line y."""
        if len(self._lines) != self.size.height or (self._lines and self._lines[0].cell_length != self.size.width):
            self._lines = self._make()
        return self._lines[y] if y < len(self._lines) else self.blank(self.size.width)

    def on_resize(self) -> None:
        """Another size."""
        self.flush()

    def on_focus(self) -> None:
        """The border says so."""
        self.flush()

    def on_blur(self) -> None:
        """The border says so."""
        self.flush()

    def notify_style_update(self) -> None:
        """Another theme, perhaps."""
        super().notify_style_update()
        self.flush()

    def action_scroll_by(self, by: int) -> None:
        """Some lines down or up; up stops following."""
        was = self.following
        if by < 0:
            self.following = False
        self._step(by)
        self.flush()
        if was != self.following:
            self.post_message(self.Turned(self))

    def action_page(self, step: int) -> None:
        """One screen down or up."""
        self.action_scroll_by(step * max(1, self._room - 1))

    def action_top(self) -> None:
        """To the oldest line."""
        self.following, self._top, self._part = False, self.ring.first, 0
        self.flush()
        self.post_message(self.Turned(self))

    def action_bottom(self) -> None:
        """To the newest line, and along with what comes."""
        self.following = True
        self.flush()
        self.post_message(self.Turned(self))

    def action_sideways(self, step: int) -> None:
        """Moves unwrapped lines to the side."""
        longest = max((width(line) for line in self.ring.slice(self._top, self._last_shown)), default=0)
        self._aside = max(0, min(self._aside + step * _SIDEWAYS, max(longest - self._cells, 0)))
        self.flush()

    def action_next(self, step: int) -> None:
        """To the next or the previous line that holds what was searched for."""
        start = self._hit if self._hit is not None else self._top - 1 if step > 0 else self._top
        if (hit := self.ring.near(start, step)) is not None:
            self._go_to(hit)
            self.flush()
            self.post_message(self.Turned(self))

    def action_wrap(self) -> None:
        """Long lines go on below, or off to the side."""
        self.wrapping, self._part, self._aside = not self.wrapping, 0, 0
        self.flush()
        self.post_message(self.Turned(self))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.action_scroll_by(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.action_scroll_by(-_WHEEL)
