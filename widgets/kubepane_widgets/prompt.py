"""A line to type in, to be placed above the footer: the filter, a command. With history, and a place for what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from kubepane_widgets.lines import Line, Span, fit, spread, width
from kubepane_widgets.painted import Painted
from kubepane_widgets.text import clean

HISTORY = 50
LONGEST = 500


class Prompt(Painted):
    """Hidden until `open`; then it has the focus, and every key.

    Enter closes it and keeps the text, Escape closes it and clears the text. The app may set `error` at any time, best in
    answer to `Changed`.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-open { display: block; }
    """

    class _About(Message):
        def __init__(self, prompt: Prompt, text: str) -> None:
            super().__init__()
            self.set_sender(prompt)
            self.prompt = prompt
            self.text = text

        @property
        def control(self) -> Prompt:
            """The prompt, for `@on(..., selector)`."""
            return self.prompt

    class Changed(_About):
        """The text is another one: after every key."""

    class Submitted(_About):
        """Enter: the text stands, the line is closed."""

    class Cleared(_About):
        """Escape: the text is gone, the line is closed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.text = ""
        self.label: str = "/"
        self.hint: Sequence[Span] = ()
        self.history: dict[str, list[str]] = {}  # by label, oldest first
        self._error = ""
        self._at = 0  # the cursor's place in the text
        self._recalled = -1
        self._draft = ""

    def open(self, label: str = "/", text: str = "", hint: Sequence[Span] = ()) -> None:
        """Shows the line and takes the focus.

        Args:
            label: what stands before the text; each label has a history of its own.
            text: to begin with, the cursor behind it.
            hint: what stands at the right while nothing is wrong.
        """
        self.label, self.hint, self._error = label, hint, ""
        self.text, self._at, self._recalled = text[:LONGEST], len(text[:LONGEST]), -1
        self.can_focus = True  # a hidden line must not be what a screen focuses first
        self.add_class("-open")
        self.focus()
        self.refresh()

    def close(self) -> None:
        """Hides the line; the app gives the focus to whom it belongs."""
        self.remove_class("-open")
        self.can_focus = False

    @property
    def is_open(self) -> bool:
        """Whether the line is shown."""
        return self.has_class("-open")

    @property
    def error(self) -> str:
        """What is wrong with the text, in the app's words; "" when nothing is."""
        return self._error

    @error.setter
    def error(self, text: str) -> None:
        if text != self._error:
            self._error = text
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Textual's hook: the one line."""
        cells = self.size.width
        if y or cells < 1:
            return self.blank(cells)
        right: Line = [(self._error, "bad")] if self._error else list(self.hint)
        right = fit(right, min(width(right), cells // 2))
        room = max(1, cells - cell_len(self.label) - 4 - width(right))
        return self.paint(fit(spread([(f" {self.label} ", "accent"), *self._window(room)], [*right, (" ", "fg")], cells), cells))

    def _window(self, room: int) -> Line:
        """The text around the cursor, which is the cell that stands out."""
        before, under, after = clean(self.text[: self._at]), clean(self.text[self._at : self._at + 1]) or " ", clean(self.text[self._at + 1 :])
        while before and cell_len(before) + cell_len(under) > room:
            before = before[max(1, (cell_len(before) + cell_len(under) - room) // 2) :]
        return [(before, "fg"), (under, "chip"), *fit([(after, "fg")], max(0, room - cell_len(before) - cell_len(under)))]

    def on_key(self, event: events.Key) -> None:
        """Every key while the line is open; the focus leaves it a moment after it was closed."""
        if not self.is_open:
            return
        event.stop()
        event.prevent_default()
        key = event.key
        if key == "escape":
            self.text, self._at = "", 0
            self.close()
            self.post_message(self.Cleared(self, ""))
        elif key == "enter":
            self._remember()
            self.close()
            self.post_message(self.Submitted(self, self.text))
        elif key in ("up", "down"):
            self._recall(1 if key == "up" else -1)
        elif key in ("left", "right", "home", "end", "ctrl+a", "ctrl+e"):
            self._at = {"left": max(0, self._at - 1), "right": min(len(self.text), self._at + 1), "home": 0, "ctrl+a": 0}.get(key, len(self.text))
            self.refresh()
        elif (cut := self._cut(key)) is not None:
            self._edit(*cut)
        elif event.is_printable and event.character:
            self._insert(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is text: a line break in it sends nothing."""
        event.stop()
        if self.is_open:
            self._insert(" ".join(event.text.split()))

    def _cut(self, key: str) -> tuple[str, int] | None:
        """The text and the cursor after a key that deletes."""
        text, at = self.text, self._at
        if key == "backspace":
            return text[: max(0, at - 1)] + text[at:], max(0, at - 1)
        if key == "delete":
            return text[:at] + text[at + 1 :], at
        if key == "ctrl+u":
            return text[at:], 0
        if key == "ctrl+k":
            return text[:at], at
        if key == "ctrl+w":
            start = len(text[:at].rstrip().rpartition(" ")[0])
            start += 1 if start else 0
            return text[:start] + text[at:], start
        return None

    def _insert(self, new: str) -> None:
        text = (self.text[: self._at] + new + self.text[self._at :])[:LONGEST]
        self._edit(text, min(LONGEST, self._at + len(new)))

    def _edit(self, text: str, at: int) -> None:
        changed = text != self.text
        self.text, self._at, self._recalled = text, at, -1
        if changed:
            self._error = ""
            self.post_message(self.Changed(self, text))
        self.refresh()

    def _remember(self) -> None:
        past = self.history.setdefault(self.label, [])
        if self.text.strip():
            if self.text in past:
                past.remove(self.text)
            past.append(self.text)
            del past[:-HISTORY]

    def _recall(self, step: int) -> None:
        past = self.history.get(self.label, [])
        if self._recalled < 0:
            self._draft = self.text
        to = max(-1, min(self._recalled + step, len(past) - 1))
        text = self._draft if to < 0 else past[-1 - to]
        draft = self._draft
        self._edit(text, len(text))
        self._recalled, self._draft = to, draft
