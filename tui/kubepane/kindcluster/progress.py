"""Steps and how long they took, a line each: on a terminal the line is rewritten while the step runs, in a pipe it comes at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TextIO

from kubepane_widgets.text import clean

OFTEN = 30.0  # seconds after which a pipe hears that a step still runs
MARKS = {"runs": "○", "done": "●", "look": "▲", "failed": "✕"}
ASCII_MARKS = {"runs": ".", "done": "*", "look": "!", "failed": "x"}
_NAME = 16  # columns of a step's name


class Progress:
    """What is written for the user.

    Args:
        out: where to.
        monotonic: the clock.
        ascii_only: no character beyond ASCII.
    """

    def __init__(self, out: TextIO, monotonic: Callable[[], float], ascii_only: bool) -> None:
        self._out, self._monotonic = out, monotonic
        self._marks = ASCII_MARKS if ascii_only else MARKS
        self._live = out.isatty()
        self._name, self._started, self._said = "", 0.0, 0.0

    def begin(self, name: str) -> None:
        """A step begins."""
        self._name, self._started = name, self._monotonic()
        self._said = self._started
        self.now("")

    def now(self, text: str) -> None:
        """How far the step is."""
        if self._live:
            self._out.write(f"\r\x1b[2K{self._line('runs', text, shutil.get_terminal_size().columns - 1)}")
            self._out.flush()
        elif self._monotonic() - self._said >= OFTEN:
            self._said = self._monotonic()
            self._write(self._line("runs", text))

    def done(self, text: str) -> None:
        """The step is done."""
        self._end("done", text)

    def failed(self) -> None:
        """The step that runs, if any, has failed: the reason is said elsewhere."""
        if self._name:
            self._end("failed", "")

    def note(self, text: str) -> None:
        """Something to know, between steps."""
        self._write(f"{self._marks['look']} {clean(text)}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._write(clean(text))

    def raw(self, text: str) -> None:
        """Text for a program, which is not cleaned."""
        self._write(text)

    def _end(self, state: str, text: str) -> None:
        line = self._line(state, text)
        if self._live:
            self._out.write("\r\x1b[2K")
        self._name = ""
        self._write(line)

    def _line(self, state: str, text: str, width: int = 0) -> str:
        took = f"{self._monotonic() - self._started:.0f} s"
        line = f"{self._marks[state]} {self._name:<{_NAME}} {took:>6}  {clean(text)}".rstrip()
        return line[:width] if width > 0 else line

    def _write(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()
