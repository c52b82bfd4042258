"""A card over the screen with a text to read: help, a log."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from kubepane_widgets.lines import Span
from kubepane_widgets.sheet import Body, SheetScreen
from kubepane_widgets.spans import highlight, text_of


class TextCard(SheetScreen):
    """A text to read; typing searches in it, Enter goes to the next place.

    Args:
        title: left in the border.
        body: the lines, or a function from cells to them.
        where: right in the border.
        note: in the lower border.
        cells: the width that it wants.
    """

    def __init__(self, title: str, body: Body, *, where: Sequence[Span] = (), note: Sequence[Span] = (), cells: int = 80) -> None:
        super().__init__(title, where=where, note=note or [("Esc closes · type to search", "muted")], tone="accent", cells=cells)
        self.needle = ""
        self._body, self._note = body, self.sheet.note
        self._found: list[int] = []
        self._hit = 0

    def update(self, body: Body) -> None:
        """Takes another text; the place stays."""
        self._body = body
        if self.is_mounted:
            self._fill()

    def _fill(self) -> None:
        lines = self._lines(self._body)
        self._found = [i for i, line in enumerate(lines) if self.needle.lower() in text_of(line).lower()] if self.needle else []
        self._take([highlight(line, self.needle) for line in lines] if self.needle else lines, [])
        if self.needle:
            count = f"{min(self._hit, len(self._found) - 1) + 1} of {len(self._found)}" if self._found else "not found"
            self.sheet.note = [("/ ", "accent"), (self.needle, "fg"), (f"  {count}", "muted")]
        else:
            self.sheet.note = self._note

    def on_key(self, event: events.Key) -> None:
        """Every key of the card."""
        event.stop()
        event.prevent_default()
        key = event.key
        if key == "escape" and not self.needle:
            self.dismiss([])
        elif key == "enter" and self._found:
            self._hit = (self._hit + 1) % len(self._found)
            self._search()
        elif key in ("escape", "ctrl+u", "backspace"):
            self.needle, self._hit = (self.needle[:-1] if key == "backspace" else ""), 0
            self._search()
        elif event.is_printable and event.character:
            self.needle, self._hit = self.needle + event.character, 0
            self._search()
        else:
            self._scrolls(key)

    def _search(self) -> None:
        self._fill()
        if self._found:
            self.sheet.reveal(self._found[self._hit])
