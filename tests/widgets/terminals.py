"""An emulated terminal, and a stage that writes to one: what really left the program, and what it leaves on screen."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pyte
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS
from rich.style import Style
from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver
from textual.strip import Strip

from widgets.stage import Stage

# move, step right, style; the question to a slow link; frames at once; Textual's shape of the mouse pointer
ALLOWED = re.compile(r"\x1b\[(?:[0-9;]*[HCm]|6n|\?2026[hl])|\x1b\]22;[a-z-]+\x07")


class Terminal:
    """What a terminal of this size shows after the bytes that it was fed."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self.screen.reset_mode(pyte.modes.DECAWM)
        self._stream = pyte.Stream(self.screen)

    def feed(self, data: str) -> None:
        self._stream.feed(data.replace("\n", "\r\n"))

    def cells(self) -> list[list[Any]]:
        return [[self.screen.buffer[y][x] for x in range(self.screen.columns)] for y in range(self.screen.lines)]


def wholly(strips: dict[tuple[int, int], Strip], system: ColorSystem = ColorSystem.TRUECOLOR) -> str:
    """All pieces, each as Textual writes a strip."""
    out = []
    for (y, x), piece in sorted(strips.items()):
        out.append(f"\x1b[{y + 1};{x + 1}H")
        for text, style, _ in piece:
            code = Strip.render_ansi(style or Style(), system)
            out.append(f"\x1b[0;{code}m{text}\x1b[0m" if code else text)
    return "".join(out)


class Recorder(HeadlessDriver):
    """Keeps what is written; says that it is a terminal."""

    @property
    def is_headless(self) -> bool:
        return False

    @property
    def written(self) -> list[str]:
        kept: list[str] = self.__dict__.setdefault("_written", [])
        return kept

    def write(self, data: str) -> None:
        self.written.append(data)

    def flush(self) -> None:
        """Nothing is held back."""


class Recorded(Stage):
    """A stage whose bytes are kept."""

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> Driver:
        return Recorder(self, size=size)

    @property
    def written(self) -> str:
        driver = self._driver
        return "".join(driver.written) if isinstance(driver, Recorder) else ""

    def forget(self) -> None:
        """From here on."""
        if isinstance(self._driver, Recorder):
            self._driver.written.clear()

    def wanted(self) -> Terminal:
        """A terminal that shows all that the compositor has now."""
        terminal = Terminal(*self.size)
        system = COLOR_SYSTEMS.get(self.console.color_system or "", ColorSystem.TRUECOLOR)
        terminal.feed(wholly({(y, 0): strip for y, strip in enumerate(self.screen._compositor.render_strips())}, system))
        return terminal


def offences(data: str) -> set[str]:
    """What a program's output holds that no text may hold: control, format and bidirectional characters, sequences of others' making."""
    rest = ALLOWED.sub("", data)
    return {repr(ch) for ch in rest if unicodedata.category(ch) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") and ch != "\n"}
