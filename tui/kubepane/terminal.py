"""Lends the terminal to the app and takes it back, whatever ends the app: a signal, a crash, a terminal that went away.

Textual restores the terminal only on its own orderly exit; SIGTERM and SIGHUP would leave the alternate screen, a hidden cursor
and mouse reports behind, and a program whose terminal is gone would run on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

GRACE = 2.0  # seconds an orderly exit may take before it is forced
RESET = (
    "\x1b[?2026l"  # end of synchronized output
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse reports
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus, paste and resize reports
    "\x1b[<u"  # kitty keyboard protocol
    "\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"  # line wrap, colours, normal screen, cursor
)


class Terminal:
    """The terminal while the app has it.

    Use it as a context manager around the app. On SIGTERM and SIGHUP, and when the terminal goes away, `leave(code)` is asked
    to end the app in order; if that takes longer than `GRACE` the terminal is restored here and the process ended.

    Args:
        leave: ends the app with an exit code; called in the main thread.
    """

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        self._attributes: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._forced: threading.Timer | None = None

    def __enter__(self) -> Terminal:
        try:
            self._attributes = termios.tcgetattr(self._fd)
        except termios.error:
            self._attributes = None
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._signalled)
        if os.isatty(self._fd):
            threading.Thread(target=self._until_gone, name="terminal-gone", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._forced is not None:
            self._forced.cancel()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if kind is not None:
            self.restore()

    def restore(self) -> None:
        """Puts the terminal back as it was. Harmless when it already is."""
        try:
            os.write(2, RESET.encode())
            if self._attributes is not None:
                termios.tcsetattr(self._fd, termios.TCSANOW, self._attributes)
        except (OSError, termios.error):
            pass  # there is no terminal any more

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._end(128 + number)

    def _end(self, code: int) -> None:
        if self._forced is None:
            self._forced = threading.Timer(GRACE, self._force, (code,))
            self._forced.daemon = True
            self._forced.start()
            self._leave(code)

    def _force(self, code: int) -> None:
        self.restore()
        os._exit(code)

    def _until_gone(self) -> None:
        """Sleeps until the terminal hangs up; SIGHUP may be ignored (nohup), and then nothing else would tell."""
        poll = select.poll()
        poll.register(self._fd, 0)
        while True:
            events = poll.poll()
            if any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in events):
                break
        threading.Timer(GRACE, os._exit, (128 + signal.SIGHUP,)).start()
        os.kill(os.getpid(), signal.SIGTERM)
