"""A program under a real pty, its screen kept by a terminal emulator."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pyte

ROOT = Path(__file__).parent.parent
_PRIVATE = re.compile(r"\x1b\[[<>=?][0-9;]*\$?[a-zA-Z]|\x1b[P_^X].*?\x1b\\|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_MODE = re.compile(r"\x1b\[\?([0-9;]+)([hl])")


class Terminal:
    """Runs `python -m kubepane ARGS` in a pty of its own.

    Attributes:
        modes: private modes that are set now (1049 the alternate screen, 25 the cursor, 1000… the mouse).
        raw: all bytes written so far.
    """

    def __init__(self, *args: str, size: tuple[int, int] = (120, 40), env: dict[str, str] | None = None, module: str = "kubepane") -> None:
        self.columns, self.rows = size
        self.screen = pyte.Screen(self.columns, self.rows)
        self._stream = pyte.Stream(self.screen)
        self._decode = codecs.getincrementaldecoder("utf8")("replace")
        self.modes: set[str] = set()
        self.raw = b""
        paths = os.pathsep.join(str(ROOT / d) for d in ("tui", "widgets", "kind", "tests"))
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}  # test runners set them
        given = {**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": paths, **(env or {})}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", module, *args], given)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        self.attributes = termios.tcgetattr(self.fd)
        self.status: int | None = None

    def read(self, seconds: float) -> bool:
        """Reads what comes within so many seconds; whether anything came."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data
        if b"\x1b[6n" in data:
            os.write(self.fd, b"\x1b[1;1R")
        text = self._decode.decode(data)
        for numbers, turn in _MODE.findall(text):
            for number in numbers.split(";"):
                (self.modes.add if turn == "h" else self.modes.discard)(number)
        self._stream.feed(_PRIVATE.sub("", text))
        return bool(data)

    def text(self) -> str:
        """The screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, needle: str, seconds: float = 15.0) -> None:
        """Reads until the screen shows this.

        Raises:
            AssertionError: it did not within the time; the message holds the screen.
        """
        end = time.monotonic() + seconds
        while needle not in self.text():
            left = end - time.monotonic()
            assert left > 0, f"no {needle!r} on screen:\n{self.text()}"
            self.read(min(0.05, left))

    def keys(self, text: str) -> None:
        """Types."""
        os.write(self.fd, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Another size."""
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGWINCH)

    def signal(self, number: int) -> None:
        """Sends the program a signal."""
        os.kill(self.pid, number)

    def ended(self, seconds: float = 10.0) -> int:
        """The exit code, negative for a signal, once the program has ended.

        Raises:
            AssertionError: it has not within the time.
        """
        end = time.monotonic() + seconds
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                break
            assert time.monotonic() < end, f"still running:\n{self.text()}"
            self.read(0.02)
        while self.read(0.05):
            pass
        return self.status

    def close(self) -> None:
        """Ends the program, whatever it does."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self.fd)
