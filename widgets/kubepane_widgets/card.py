"""A card over the screen that asks, with Cancel in front.

How a change is confirmed: Cancel has the focus when a card opens, whenever what it says or its buttons change, and when another card
over it has gone. Enter presses the button that has the focus; the confirming one gets it only by the user's own key. A key that comes
less than 30 ms after another (a paste), or within 300 ms of any of those moments (typed for what was there before), neither moves
the focus nor confirms. What counts is when a key came in, not when its turn came: a slow screen does not make a paste a hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from textual import events
from textual.geometry import Size

from kubepane_widgets.lines import Line, Span, fit, width
from kubepane_widgets.palette import G
from kubepane_widgets.sheet import Body, SheetScreen
from kubepane_widgets.text import clean

BURST = 0.03  # seconds between keys that no hand types
SETTLE = 0.3  # seconds that a card must have been seen as it is
HASTY = "too fast to have been read: press it again"


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
        clock: seconds, the machine's by default; a test brings its own.
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
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(title, where=where, note=note, tone=tone, cells=cells)
        self.typed = ""
        self._body, self._buttons, self._note, self._ask, self._clock = body, list(buttons), note, ask, clock or monotonic
        self._on = 0  # the button that has the focus; 0 is Cancel
        self._since = self._clock()
        self._key_at = float("-inf")
        self._covered = False
        self._room = Size(0, 0)

    def update(
        self, body: Body | None = None, *, buttons: Sequence[Button] | None = None, note: Sequence[Span] | None = None, tone: str = ""
    ) -> None:
        """Says something new while the card is open; new words or buttons give the focus back to Cancel."""
        new = buttons is not None and list(buttons) != self._buttons
        if new or (body is not None and self._buttons):
            self._settle()
        self._body = self._body if body is None else body
        self._note = self._note if note is None else note
        self.sheet.tone_of_border = tone or self.sheet.tone_of_border
        if buttons is not None:
            self._buttons = list(buttons)
        if self.is_mounted:
            self._fill()

    def _settle(self) -> None:
        """It is another card from now on: what was typed before was not meant for it."""
        self._on, self._since = 0, self._clock()

    def on_screen_suspend(self) -> None:
        """Another card came over it."""
        self._covered = True

    def on_screen_resume(self) -> None:
        """That one has gone: keys that were meant for it may still come."""
        if self._covered:
            self._covered = False
            self._settle()
            self._fill()

    def on_mount(self) -> None:
        """It stands in a terminal of this size."""
        self._room = self.app.size

    def on_resize(self) -> None:
        """The terminal got another size, and the buttons another place; a key may come before the word of that."""
        if self._room != self.app.size:
            self._room = self.app.size
            self._settle()
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
        self.on_resize()
        came = self._came(event)
        early = came - self._since < SETTLE
        hasty = early or came - self._key_at < BURST
        self._key_at = came
        key = event.key
        if key == "escape":
            self.dismiss([])
        elif key == "enter" and early:
            self._say(HASTY)
        elif key == "enter":
            self._press(self._on, hasty)
        elif key in ("tab", "right", "shift+tab", "left"):
            self._go(1 if key in ("tab", "right") else -1, hasty)
        elif self._ask and (key in ("backspace", "ctrl+u") or event.is_printable):
            self.typed = self.typed[:-1] if key == "backspace" else "" if key == "ctrl+u" else self.typed + (event.character or "")
            self.typed = self.typed[-len(self._ask) - 40 :]
            self._fill()
        else:
            self._scrolls({"j": "down", "k": "up"}.get(key, key))

    def _came(self, event: events.Event) -> float:
        """When it came in; it may have waited since."""
        return self._clock() - max(0.0, monotonic() - event.time)

    def _go(self, by: int, hasty: bool) -> None:
        """Moves the focus; in haste only back to Cancel."""
        to = (self._on + by) % len(self._all)
        if hasty and to:
            self._say(HASTY)
            return
        self._on = to
        self._fill()

    def on_paste(self, event: events.Paste) -> None:
        """A name may be pasted; what follows it in the paste never confirms."""
        event.stop()
        if self._ask:
            self.typed = clean(event.text.split("\n")[0].strip())[:300]
            self._fill()
        self._key_at = self._came(event)

    def on_click(self, event: events.Click) -> None:
        """A click on a button presses it, once the card has been there long enough to be read."""
        event.stop()
        self.on_resize()
        if event.widget is not self.sheet or not self._buttons or event.y != self.sheet.size.height - 2:
            return
        x = self.sheet.size.width - 2
        for i in reversed(range(len(self._all))):
            start = x - len(clean(self._all[i].label)) - 4
            if start <= event.x < x:
                if self._came(event) - self._since < SETTLE:  # nor does the focus go there: Enter may come after it
                    self._say(HASTY)
                else:
                    self._on = i
                    self._press(i, False)
                return
            x = start - 2

    def _press(self, index: int, hasty: bool) -> None:
        button = self._all[index]
        if index == 0:
            self.dismiss([])
        elif self._is_off(button):
            self._say("not yet: see above")
        elif hasty:
            self._say(HASTY)
        else:
            self.dismiss([button.value])

    def _say(self, text: str) -> None:
        self.sheet.note = [(text, "warn")]
        self.sheet.refresh()
