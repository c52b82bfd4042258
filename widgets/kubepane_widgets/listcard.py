"""A card over the screen with a list to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events

from kubepane_widgets.lines import Line, Span, fit, pad
from kubepane_widgets.palette import G
from kubepane_widgets.sheet import SheetScreen
from kubepane_widgets.spans import highlight
from kubepane_widgets.text import clean


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to choose.

    Attributes:
        value: what the card answers.
        text: what is shown, and searched in.
        aside: what stands at the right of it.
        here: it is what is chosen now.
    """

    value: str
    text: str
    aside: str = ""
    here: bool = False


class ListCard(SheetScreen):
    """Choose from a list; typing narrows it. The answer is the values chosen, an empty list when nothing was.

    Args:
        title: left in the border.
        items: in order.
        where: right in the border.
        several: Space marks more than one.
        note: in the lower border.
        other: another key that chooses, the word that then follows the values in the answer, and what the border says of it.
        cells: the width that it wants.
    """

    def __init__(
        self,
        title: str,
        items: Sequence[Item],
        *,
        where: Sequence[Span] = (),
        several: bool = False,
        note: Sequence[Span] = (),
        other: tuple[str, str, str] | None = None,
        cells: int = 60,
    ) -> None:
        hint: Line = [("Space marks · ", "muted")] if several else []
        more: Line = [(f" · {other[2]}", "muted")] if other else []
        super().__init__(title, where=where, note=note or [*hint, ("type to narrow", "muted"), *more], tone="accent", cells=cells)
        self._other = other
        self.needle = ""
        self.marked: set[str] = set()
        self._items, self._several = list(items), several
        self._at = next((item.value for item in items if item.here), "")

    def update(self, items: Sequence[Item]) -> None:
        """Takes other items; the cursor stays on its value."""
        self._items = list(items)
        self.marked &= {item.value for item in items}
        if self.is_mounted:
            self._fill()

    @property
    def shown(self) -> list[Item]:
        """The items that hold what was typed; those that begin with it first."""
        what = self.needle.lower()
        found = [item for item in self._items if what in item.text.lower()]
        return sorted(found, key=lambda item: not item.text.lower().startswith(what)) if what else found

    def _place(self, shown: Sequence[Item]) -> int:
        return next((i for i, item in enumerate(shown) if item.value == self._at), 0)

    def _fill(self) -> None:
        cells, shown = self._width - 4, self.shown
        at = self._place(shown)
        lines: list[Line] = [self._line(item, cells) for item in shown] or [[("nothing holds that text", "muted")]]
        longest = max(len(self._items), 1)
        lines += [[] for _ in range(min(longest, 12) - len(lines))]  # the card keeps its size while it is narrowed
        self._take(lines, [[("/ ", "accent"), (self.needle, "fg"), (G["cursor"], "accent")]], at if shown else None)

    def _line(self, item: Item, cells: int) -> Line:
        mark = G["mark"] if item.value in self.marked else G["dot"] if item.here else " "
        aside = clean(item.aside)
        text: Line = highlight([(clean(item.text), "fg")], self.needle, "accent")
        return [(mark + " ", "accent"), *fit(text, max(1, cells - 2 - len(aside))), (pad(aside, len(aside)), "muted")]

    def on_key(self, event: events.Key) -> None:
        """Every key of the card."""
        event.stop()
        event.prevent_default()
        key, shown = event.key, self.shown
        if key == "escape":
            if not self.needle:
                self.dismiss([])
                return
            self._narrow("")
        elif key == "enter" or (self._other and key == self._other[0]):
            if shown:
                chosen = [item.value for item in self._items if item.value in self.marked] or [shown[self._place(shown)].value]
                self.dismiss(chosen if key == "enter" or not self._other else [*chosen, self._other[1]])
            return
        elif key == "space" and self._several and shown:
            self.marked ^= {shown[self._place(shown)].value}
        elif key in ("backspace", "ctrl+u"):
            self._narrow(self.needle[:-1] if key == "backspace" else "")
        elif event.is_printable and event.character:
            self._narrow(self.needle + event.character)
        elif shown:
            self._move(key, shown)
        self._fill()

    def _narrow(self, needle: str) -> None:
        """Another text: the best of what holds it gets the cursor; without one it stays where it is."""
        self.needle = needle
        if needle and (shown := self.shown):
            self._at = shown[0].value

    def _move(self, key: str, shown: Sequence[Item]) -> None:
        page, last = max(1, self.sheet.room - 1), len(shown) - 1
        by = {"up": -1, "shift+tab": -1, "down": 1, "tab": 1, "pageup": -page, "pagedown": page, "home": -last, "end": last}.get(key, 0)
        self._at = shown[max(0, min(last, self._place(shown) + by))].value

    def on_click(self, event: events.Click) -> None:
        """A click chooses."""
        event.stop()
        at, shown = self.sheet.first + event.y - 1, self.shown
        if event.widget is self.sheet and 0 <= event.y - 1 < self.sheet.room and at < len(shown):
            self.dismiss([shown[at].value])
