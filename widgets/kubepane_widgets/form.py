"""A card to fill in: a few labelled lines of text or choices. It changes nothing by itself; what was typed is shown anew before it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events

from kubepane_widgets.lines import Line, Span, fit
from kubepane_widgets.palette import G
from kubepane_widgets.sheet import SheetScreen
from kubepane_widgets.text import clean

LONGEST = 300


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form.

    Attributes:
        label: what stands before it.
        text: what it holds to begin with.
        hint: what is said about it while it has the cursor.
        choices: when given, the field holds one of these and nothing is typed.
        past: what was typed here before, newest first; recalled with up and down.
    """

    label: str
    text: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    past: tuple[str, ...] = ()


class FormCard(SheetScreen):
    """Answers with the texts of its fields, or with an empty list for Escape.

    Args:
        title: left in the border.
        fields: from top to bottom.
        check: what is wrong with the texts, "" when nothing is; asked after every key.
        where: right in the border.
        cells: the width that it wants.
    """

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        check: Callable[[list[str]], str] = lambda texts: "",
        *,
        where: Sequence[Span] = (),
        cells: int = 72,
    ) -> None:
        super().__init__(title, where=where, note=(), tone="accent", cells=cells)
        self.texts = [field.text for field in fields]
        self._fields, self._check = list(fields), check
        self._on = 0
        self._recalled = [-1] * len(fields)
        self._fresh = [True] * len(fields)  # a text that was there to begin with is replaced by the first character typed

    def _fill(self) -> None:
        cells = self._width - 4
        room = max(cell_len(field.label) for field in self._fields) + 2
        lines = [[], *(self._line(i, room, cells) for i in range(len(self._fields))), []]
        wrong = self._check(self.texts)
        foot: Line = [(wrong, "bad")] if wrong else [(self._fields[self._on].hint, "muted")]
        keys: Line = [("⏎", "accent"), (" go on   ", "muted"), ("Tab", "accent"), (" next   ", "muted"), ("Esc", "accent"), (" cancel", "muted")]
        self._take(lines, [fit(foot, cells), [], fit(keys, cells)], cursor=self._on + 1)

    def _line(self, index: int, room: int, cells: int) -> Line:
        field, text, here = self._fields[index], clean(self.texts[index]), index == self._on
        line: Line = [(f"{field.label:<{room}}", "fg" if here else "soft")]
        if field.choices:
            for choice in field.choices:
                chosen = choice == self.texts[index]
                line += [(f"[{choice}]" if chosen else f" {choice} ", "chip" if chosen else "muted"), (" ", "fg")]  # seen without colour as well
        else:
            shown = text if cell_len(text) < cells - room - 2 else "…" + text[-(cells - room - 4) :]
            line += [(shown, "fg"), *([(G["cursor"], "accent")] if here else [])]
        return fit(line, cells)

    def on_key(self, event: events.Key) -> None:
        """Every key of the card; none gets past it."""
        event.stop()
        event.prevent_default()
        key = event.key
        if key == "escape":
            self.dismiss([])
        elif key == "enter":
            self._enter()
        elif key in ("tab", "shift+tab"):
            self._on = (self._on + (1 if key == "tab" else -1)) % len(self._fields)
        elif self._fields[self._on].choices:
            self._choose(key)
        elif key in ("up", "down"):
            self._recall(1 if key == "up" else -1)
        else:
            self._type(key, event.character if event.is_printable else None)
        if self.is_current:
            self._fill()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is text: a line break in it goes nowhere."""
        event.stop()
        if not self._fields[self._on].choices:
            self._put(" ".join(event.text.split()))
            self._fill()

    def _enter(self) -> None:
        if self._on < len(self._fields) - 1:
            self._on += 1
        elif not self._check(self.texts):
            self.dismiss(list(self.texts))

    def _choose(self, key: str) -> None:
        choices = self._fields[self._on].choices
        step = {"right": 1, "space": 1, "down": 1, "left": -1, "up": -1}.get(key, 0)
        at = choices.index(self.texts[self._on]) if self.texts[self._on] in choices else 0
        self.texts[self._on] = choices[(at + step) % len(choices)]

    def _type(self, key: str, character: str | None) -> None:
        if key == "backspace":
            self.texts[self._on], self._fresh[self._on] = self.texts[self._on][:-1], False
        elif key == "ctrl+u":
            self.texts[self._on], self._fresh[self._on] = "", False
        elif character:
            self._put(character)

    def _put(self, text: str) -> None:
        held = "" if self._fresh[self._on] else self.texts[self._on]
        self.texts[self._on], self._fresh[self._on] = (held + text)[:LONGEST], False

    def _recall(self, step: int) -> None:
        past = self._fields[self._on].past
        if past:
            at = self._recalled[self._on] = max(0, min(self._recalled[self._on] + step, len(past) - 1))
            self.texts[self._on], self._fresh[self._on] = past[at], False
