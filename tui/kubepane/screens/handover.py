"""The terminal in the hands of a shell in a container: raw keys go there, bytes come back, and afterwards it is as it was before.

This is the one place where bytes of a cluster reach the terminal as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from textual.app import App

from kubepane.cluster.errors import Unreachable

CHUNK = 4096
_TITLE, _TITLE_BACK = "\x1b[22;0t", "\x1b[23;0t"  # put on a stack, and taken off
MODES_BACK = (
    "\x18\x1b\\"  # the end of a sequence or string that was cut in the middle
    "\x1b[?1047l"  # the normal screen
    "\x1b[!p\x1b[?1;5;6l\x1b[?7h\x1b[4l\x1b>\x1b[r"  # keys, origin, reverse video, wrap, insert, keypad, margins
    "\x1b[?9l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2026l\x1b[?2048l"  # focus, paste, synchronized output, size reports
    "\x1b[=0u\x1b[>4;0m"  # keyboard protocols of kitty and xterm
    "\x1b(B\x0f\x1b[0m\x1b[?25h\x1b[0 q"  # character set, colours, cursor
    "\x1b[999;1H"  # below everything that was written
)


class Talk(Protocol):
    """What has the terminal."""

    async def output(self) -> bytes:
        """What it says next, b"" once it has ended."""

    async def type(self, keys: bytes) -> None:
        """Takes keys."""

    async def resize(self, columns: int, rows: int) -> None:
        """Hears of another size."""


class Escape:
    """Finds `⏎ ~ .` among the keys, with which ssh drops a session as well: the way out when nobody answers any more."""

    def __init__(self) -> None:
        self._fresh, self._tilde = True, False  # at the beginning of a line; after a tilde there

    def pass_on(self, keys: bytes) -> bytes | None:
        """The keys to pass on, None when the session is to be dropped."""
        out = bytearray()
        for key in keys:
            if self._tilde:
                self._tilde = False
                if key == ord("."):
                    return None
                if key != ord("~"):  # two of them are one
                    out += b"~"
            elif self._fresh and key == ord("~"):
                self._tilde, self._fresh = True, False
                continue
            out.append(key)
            self._fresh = key in b"\r\n"
        return bytes(out)


class _Output:
    """Writes to the terminal in a thread: a slow one holds up the session, not the program."""

    def __init__(self, fd: int) -> None:
        self._fd, self._loop = fd, asyncio.get_running_loop()
        self._parts: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="shell-output", daemon=True).start()

    async def write(self, data: bytes) -> None:
        """Returns once the terminal has taken it.

        Raises:
            OSError: there is no terminal any more.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._parts.put((data, written))
        await written

    def stop(self) -> None:
        """Writes no more."""
        self._parts.put(None)

    def _run(self) -> None:
        while (part := self._parts.get()) is not None:
            data, written = part
            trouble: OSError | None = None
            try:
                _write(self._fd, data)
            except OSError as error:
                trouble = error
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(_tell, written, trouble)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _tell(written: asyncio.Future[None], trouble: OSError | None) -> None:
    if written.done():
        return
    if trouble is None:
        written.set_result(None)
    else:
        written.set_exception(trouble)


class Handover:
    """The terminal while a session has it.

    Args:
        banner: lines that say whose terminal this is now, and how to leave.
    """

    def __init__(self, talk: Talk, banner: Sequence[str]) -> None:
        self._talk, self._banner = talk, banner
        self._keyboard = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        self._display = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2  # where Textual draws
        self._plain = os.environ.get("TERM", "dumb") == "dumb"
        self._resized = asyncio.Event()

    async def run(self) -> None:
        """Carries keys and bytes until the session, the link or the terminal ends; the terminal is then as it was."""
        before = termios.tcgetattr(self._keyboard)
        output = _Output(self._display)
        try:
            with self._signals():
                tty.setraw(self._keyboard, termios.TCSANOW)
                await output.write(self._greeting())
                await self._carry(output)
        finally:
            output.stop()
            self._take_back(before)

    def _greeting(self) -> bytes:
        lines = [f" {line} \r\n" if self._plain else f"\x1b[7m {line} \x1b[0m\r\n" for line in self._banner]
        return ("".join(["" if self._plain else _TITLE, "\r\n", *lines])).encode(errors="replace")

    def _take_back(self, before: list[Any]) -> None:
        """Every mode that a session may have set, whatever it printed; and what was typed into a dead one goes nowhere."""
        with contextlib.suppress(OSError, termios.error):  # the terminal went away
            _write(self._display, (b"" if self._plain else (MODES_BACK + _TITLE_BACK).encode()) + b"\r\n")
            termios.tcflush(self._keyboard, termios.TCIFLUSH)
            termios.tcsetattr(self._keyboard, termios.TCSANOW, before)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Sizes are heard of, and after a stop the terminal is made raw again."""
        loop = asyncio.get_running_loop()

        def again() -> None:
            with contextlib.suppress(termios.error):
                tty.setraw(self._keyboard, termios.TCSANOW)
            self._resized.set()

        tasks: dict[signal.Signals, Callable[[], None]] = {signal.SIGWINCH: self._resized.set, signal.SIGCONT: again}
        before = {number: signal.getsignal(number) for number in tasks}
        for number, task in tasks.items():
            signal.signal(number, lambda *_, task=task: loop.call_soon_threadsafe(task))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def _carry(self, output: _Output) -> None:
        jobs = [asyncio.ensure_future(job) for job in (self._show(output), self._type(), self._size())]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            ended = await asyncio.gather(*jobs, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, OSError):  # a terminal that went away is an end like any other
                raise error

    async def _show(self, output: _Output) -> None:
        while data := await self._talk.output():
            await output.write(data)

    async def _type(self) -> None:
        escape = Escape()
        while keys := await self._keys():
            passed = escape.pass_on(keys)
            if passed is None:
                return
            if passed:
                with contextlib.suppress(Unreachable):  # who listens to the output hears of the end, and why
                    await self._talk.type(passed)

    async def _keys(self) -> bytes:
        """The next keys, b"" when the terminal hung up."""
        loop = asyncio.get_running_loop()
        typed = asyncio.Event()
        loop.add_reader(self._keyboard, typed.set)
        try:
            await typed.wait()
        finally:
            loop.remove_reader(self._keyboard)
        return os.read(self._keyboard, CHUNK)

    async def _size(self) -> None:
        while True:
            await self._resized.wait()
            self._resized.clear()
            size = os.get_terminal_size(self._display)
            with contextlib.suppress(Unreachable):
                await self._talk.resize(size.columns, size.lines)


def can_lend(app: App[Any]) -> bool:
    """Whether the program has a terminal that it could lend."""
    driver = getattr(app, "_driver", None)
    return driver is not None and bool(driver.can_suspend)


async def lend(app: App[Any], talk: Talk, banner: Sequence[str]) -> None:
    """Gives the terminal to a session and takes it back when that ends; watches go on, nothing is drawn meanwhile.

    Raises:
        SuspendNotSupported: the program has no terminal to lend.
    """
    failure: BaseException | None = None
    with app.batch_update(), app.suspend():
        try:
            await Handover(talk, banner).run()
        except BaseException as error:  # noqa: BLE001  (suspend takes the terminal back only from an orderly end; raised below)
            failure = error
    if failure is not None:
        raise failure
