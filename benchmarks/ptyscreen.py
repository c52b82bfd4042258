"""A program under a pseudo terminal: what it writes, when, and what its screen shows, as a fast terminal or behind a slow link."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import queue
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable

import pyte

# What a terminal is asked, and what ours answers: cursor position, synchronized output, device attributes, background colour.
ANSWERS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[c": b"\x1b[?62c",
    b"\x1b[0c": b"\x1b[?62c",
    b"\x1b]11;?": b"\x1b]11;rgb:1010/1414/1b1b\x1b\\",
    b"\x1b]10;?": b"\x1b]10;rgb:d3d3/d9d9/e2e2\x1b\\",
}
_QUESTION = re.compile(b"|".join(map(re.escape, ANSWERS)))
# pyte prints what it does not know: private sequences other than modes, sub-parameters, strings.
_UNKNOWN = re.compile(
    r"\x1b\[[<>=?][0-9;:]*[ -/]*[@-~]|\x1b\[[0-9;]*:[0-9;:]*m|\x1b\[[0-9;]*[ -/]+[@-~]|\x1b[P_^X].*?\x1b\\|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[P_^X][^\x1b]*\x1b?|[ -/]*)$")
_MODE = re.compile(r"\x1b\[\?[0-9;]+[hl]")
GROUND_COLUMNS = 60  # the cursor line is recognised by the backgrounds, and marks, of the left part of the screen
MARKS = "▌▶❯►"


class Picture:
    """The screen that the bytes make, with the text and the backgrounds of each line kept up to date."""

    def __init__(self, columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf8")("replace")
        self._rest = ""
        self.lines = [""] * rows
        self.grounds: list[tuple[object, ...]] = [()] * rows
        self.cells: list[tuple[object, ...]] = [()] * rows

    def feed(self, data: bytes) -> None:
        """Draws what arrived; half a sequence waits for its other half."""
        text = self._rest + self._decoder.decode(data)
        cut = _UNFINISHED.search(text[-200:])
        self._rest = cut.group() if cut else ""
        text = text[: len(text) - len(self._rest)]
        self._stream.feed(_UNKNOWN.sub(lambda m: m.group() if _MODE.fullmatch(m.group()) else "", text))
        for y in self._screen.dirty:
            if y < len(self.lines):
                row = [self._screen.buffer[y][x] for x in range(self._screen.columns)]
                self.lines[y] = "".join(c.data for c in row)
                self.grounds[y] = tuple((c.bg, c.reverse, c.data in MARKS) for c in row[:GROUND_COLUMNS])
                self.cells[y] = tuple(row[:GROUND_COLUMNS])
        self._screen.dirty.clear()


Test = Callable[[Picture], bool]


class Link:
    """A slow line with deep buffers, as sshd and TCP have: everything is taken at once and arrives later."""

    def __init__(self, rate: float, round_trip: float) -> None:
        self.rate, self.round_trip = rate, round_trip
        self._free_at = 0.0

    def arrival(self, sent: float, size: int) -> float:
        """When the last byte of a chunk arrives."""
        self._free_at = max(self._free_at, sent) + size / self.rate
        return self._free_at + self.round_trip / 2


class Terminal:
    """The running program. One thread reads and stamps the bytes, another draws them, so drawing delays no stamp.

    Attributes:
        start: time.perf_counter() at exec.
        written: bytes it has written.
        first: when its first byte came, None before.
        alive: it has not ended.
    """

    def __init__(self, argv: list[str], columns: int, rows: int, env: dict[str, str] | None = None, link: Link | None = None) -> None:
        sys.setswitchinterval(0.0005)  # the reading thread must not wait long for the drawing one
        self.picture = Picture(columns, rows)
        self.link, self.written, self.first, self.alive = link, 0, 0.0, True
        self._chunks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waits: tuple[Test, threading.Event] | None = None
        self._met = 0.0
        self.start = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            _become(argv, columns, rows, env or {})
        for work in (self._read, self._draw):
            threading.Thread(target=work, daemon=True).start()

    def text(self) -> str:
        """The screen as text."""
        with self._lock:
            return "\n".join(self.picture.lines)

    def look(self, test: Callable[[Picture], object]) -> object:
        """What a function sees on the screen now."""
        with self._lock:
            return test(self.picture)

    def send(self, keys: str) -> float:
        """Types keys; gives the time they were pressed."""
        pressed = time.perf_counter()
        self._write(keys.encode())
        return pressed

    def wait(self, test: Test, limit: float) -> float | None:
        """When the bytes arrived that make the test true; None when they did not come in time."""
        met = threading.Event()
        with self._lock:
            if test(self.picture):
                return time.perf_counter()
            self._waits = (test, met)
        came = met.wait(limit)
        with self._lock:
            self._waits = None
        return self._met if came else None

    def close(self) -> None:
        """Ends the program: asks, then insists."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            if self._ended(3.0):
                break
        os.close(self._fd)

    def _ended(self, limit: float) -> bool:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.05)
        return False

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # the program ended
                data = b""
            now = time.perf_counter()
            if not data:
                self.alive = False
                self._chunks.put((now, b""))
                return
            self.first = self.first or now
            self.written += len(data)
            for question in _QUESTION.findall(data):  # in their order: programs read until the last answer
                self._write(ANSWERS[question])
            self._chunks.put((now if self.link is None else self.link.arrival(now, len(data)), data))

    def _write(self, data: bytes) -> None:
        if self.link is None:
            os.write(self._fd, data)
            return
        timer = threading.Timer(self.link.round_trip / 2, os.write, (self._fd, data))
        timer.daemon = True
        timer.start()

    def _draw(self) -> None:
        while True:
            at, data = self._chunks.get()
            if not data:
                return
            if self.link:
                time.sleep(max(0.0, at - time.perf_counter()))
            with self._lock:
                self.picture.feed(data)
                if self._waits and self._waits[0](self.picture):
                    self._met = at
                    self._waits[1].set()
                    self._waits = None


def _become(argv: list[str], columns: int, rows: int, env: dict[str, str]) -> None:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env})
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)
