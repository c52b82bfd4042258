"""A card over the screen that asks, with Cancel in front.

How a change is confirmed: Cancel has the focus when a card opens and whenever its buttons change. Enter presses the button
that has the focus; the confirming one gets it only by the user's own key. A key that comes less than 30 ms after another
(a paste) or within 300 ms of the card's opening (typed for what was there before) never confirms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events

from kubepane_widgets.lines import Line, Span, fit, width
from kubepane_widgets.palette import G
from kubepane_widgets.sheet import Body, SheetScreen
from kubepane_widgets.text import clean

BURST = 0.03  # seconds between keys that no hand types
SETTLE = 0.3  # seconds that a new card must have been seen


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a card.

    Attributes:
        label: says what happens, with the count: "Apply 4 objects".
        value: what the card answers.
        off: cannot be pressed.
    """

    label: str
    value: str
    off: bool = False


CANCEL = Button("Cancel", "")


class Card(SheetScreen):
    """A question. Its answer is a list with the value of the button pressed, or an empty one for Cancel and Escape.

    Args:
        title: left in the border: what is to be done.
        body: the lines, or a function from cells to them.
        where: right in the border: context and namespace.
        buttons: the confirming ones; Cancel stands before them. None: the card only tells.
        tone: "accent" creates or changes, "warn" evicts, "bad" is protected or deletes.
        note: in the lower border.
        ask: a name that must be typed before a button confirms.
        cells: the width that it wants.
        clock: seconds; a test brings its own.
    """

    def __init__(
        self,
        title: str,
        body: Body,
        *,
        where: Sequence[Span] = (),
        buttons: Sequence[Button] = (),
        tone: str = "accent",
        note: Sequence[Span] = (),
        ask: str = "",
        cells: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(title, where=where, note=note, tone=tone, cells=cells)
        self.typed = ""
        self._body, self._buttons, self._note, self._ask, self._clock = body, list(buttons), note, ask, clock
        self._on = 0  # the button that has the focus; 0 is Cancel
        self._since = clock()
        self._key_at = float("-inf")

    def update(
        self, body: Body | None = None, *, buttons: Sequence[Button] | None = None, note: Sequence[Span] | None = None, tone: str = ""
    ) -> None:
        """Says something new while the card is open; new buttons give the focus back to Cancel."""
        self._body = self._body if body is None else body
        self._note = self._note if note is None else note
        self.sheet.tone_of_border = tone or self.sheet.tone_of_border
        if buttons is not None and list(buttons) != self._buttons:
            self._buttons, self._on, self._since = list(buttons), 0, self._clock()
        if self.is_mounted:
            self._fill()

    @property
    def focused_button(self) -> str:
        """The value of the button that Enter would press; "" for Cancel."""
        return self._all[self._on].value

    @property
    def _all(self) -> list[Button]:
        return [CANCEL, *self._buttons]

    def _fill(self) -> None:
        cells = self._width - 4
        lines = self._lines(self._body)
        feet = [[], self._answer(cells)] if self._ask else []
        if self._buttons:
            feet += [[], self._row(cells)]
        self.sheet.note = self._note
        self._take(lines, feet)

    def _answer(self, cells: int) -> Line:
        good = self.typed == self._ask
        return fit(
            [("type ", "soft"), (self._ask, "bold"), (" to go on: ", "soft"), (self.typed, "ok" if good else "fg"), (G["cursor"], "accent")], cells
        )

    def _row(self, cells: int) -> Line:
        """The buttons, at the right."""
        line: Line = []
        for i, button in enumerate(self._all):
            tone = "chip" if i == self._on else "muted" if self._is_off(button) else "button"
            left, right = "[]" if i == self._on else "  "  # seen without colour as well
            line += [("  ", "fg"), (f"{left} {clean(button.label)} {right}", tone)]
        return [(" " * max(0, cells - width(line)), "fg"), *line]

    def _is_off(self, button: Button) -> bool:
        return button.off or (button is not CANCEL and bool(self._ask) and self.typed != self._ask)

    def on_key(self, event: events.Key) -> None:
        """Every key of the card; none gets past it."""
        event.stop()
        event.prevent_default()
        now = self._clock()
        hasty = now - self._key_at < BURST or now - self._since < SETTLE
        self._key_at = now
        key = event.key
        if key == "escape":
            self.dismiss([])
        elif key == "enter":
            self._press(self._on, hasty)
        elif key in ("tab", "right", "shift+tab", "left"):
            self._on = (self._on + (1 if key in ("tab", "right") else -1)) % len(self._all)
            self._fill()
        elif self._ask and (key in ("backspace", "ctrl+u") or event.is_printable):
            self.typed = self.typed[:-1] if key == "backspace" else "" if key == "ctrl+u" else self.typed + (event.character or "")
            self.typed = self.typed[-len(self._ask) - 40 :]
            self._fill()
        else:
            self._scrolls({"j": "down", "k": "up"}.get(key, key))

    def on_paste(self, event: events.Paste) -> None:
        """A name may be pasted; what follows it in the paste never confirms."""
        event.stop()
        if self._ask:
            self.typed = clean(event.text.split("\n")[0].strip())[:300]
            self._fill()
        self._key_at = self._clock()

    def on_click(self, event: events.Click) -> None:
        """A click on a button presses it, once the card has been there long enough to be read."""
        event.stop()
        if event.widget is not self.sheet or not self._buttons or event.y != self.sheet.size.height - 2:
            return
        x = self.sheet.size.width - 2
        for i in reversed(range(len(self._all))):
            start = x - len(clean(self._all[i].label)) - 4
            if start <= event.x < x:
                self._on = i
                self._press(i, self._clock() - self._since < SETTLE)
                return
            x = start - 2

    def _press(self, index: int, hasty: bool) -> None:
        button = self._all[index]
        if index == 0:
            self.dismiss([])
        elif self._is_off(button):
            self._say("not yet: see above")
        elif hasty:
            self._say("that was too fast to have been read: press Enter again")
        else:
            self.dismiss([button.value])

    def _say(self, text: str) -> None:
        self.sheet.note = [(text, "warn")]
        self.sheet.refresh()
