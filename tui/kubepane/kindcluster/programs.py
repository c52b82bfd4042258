"""Other programs: found, started without a shell, given so much time and no more, and ended together with what they started."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

TICK = 0.5  # seconds between two looks at a program that runs
GRACE = 10.0  # seconds that a program has to end by itself
TAIL = 64 * 1024  # bytes kept of what it said on stderr
MOST = 64 * 1024 * 1024  # bytes kept of its answer


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that came to its end.

    Attributes:
        argv: its name and what it was asked.
        code: its exit code; negative when a signal ended it.
        out: its answer.
        err: the end of what it said on stderr.
    """

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def good(self) -> bool:
        """It did what it was asked."""
        return self.code == 0


class TookTooLong(Exception):
    """A program was ended because its time was up.

    Attributes:
        ran: as far as it came.
        seconds: what it had.
    """

    def __init__(self, ran: Ran, seconds: float) -> None:
        super().__init__(f"{ran.argv[0]} {ran.argv[1]} gave no answer within {seconds:.0f} s")
        self.ran, self.seconds = ran, seconds


class Programs:
    """Starts programs in one environment."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = dict(os.environ if environ is None else environ)

    def find(self, name: str) -> str | None:
        """Where the program is, None when it is not installed."""
        return shutil.which(name, path=self.environ.get("PATH"))

    def run(self, name: str, *args: str, timeout: float = 30.0, stdin: str = "", watch: Callable[[str], None] | None = None) -> Ran:
        """Runs a program to its end. Ctrl-C ends it as well: it is told so, then waited for.

        Args:
            name: the program.
            args: what it is asked.
            timeout: seconds that it may take.
            stdin: what it reads.
            watch: is told twice a second what the program said last on stderr.

        Raises:
            TookTooLong: its time was up.
            FileNotFoundError: it is not installed.
        """
        path = self.find(name)
        if path is None:
            raise FileNotFoundError(name)
        # Files, not pipes: nothing blocks however much is said, and the end of it can be read at any time.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            # A session of its own: a Ctrl-C of the terminal reaches this program alone, which then ends the other one in order.
            process = subprocess.Popen([path, *args], stdin=given, stdout=out, stderr=err, env=self.environ, start_new_session=True)
            try:
                in_time = _wait(process, timeout, lambda: watch(_end_of(err, TAIL)) if watch else None)
            except BaseException:
                _end(process, signal.SIGINT)
                raise
            if not in_time:
                _end(process, signal.SIGTERM)
            ran = Ran((name, *args), process.returncode, _start_of(out), _end_of(err, TAIL))
        if not in_time:
            raise TookTooLong(ran, timeout)
        return ran


def _wait(process: subprocess.Popen[bytes], timeout: float, tick: Callable[[], None]) -> bool:
    left = timeout
    while not _ended(process, min(TICK, left)):
        left -= TICK
        if left <= 0:
            return False
        tick()
    return True


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """The program ends within so many seconds. The kernel tells at once; asking again and again, as `wait` does, adds up."""
    with contextlib.suppress(OSError):  # a kernel without pidfd
        handle = os.pidfd_open(process.pid)
        try:
            select.select([handle], [], [], seconds)
        finally:
            os.close(handle)
        return process.poll() is not None
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _end(process: subprocess.Popen[bytes], kindly: signal.Signals) -> None:
    """Ends the program and its children: with `kindly` first, and by force when that does not help or the user is in a hurry."""
    try:
        _signal(process, kindly)
        process.wait(GRACE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    finally:
        _signal(process, signal.SIGKILL)  # children that outlived it, too
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end_of(file: IO[bytes], most: int) -> str:
    """What stands at the end, read without moving the place where the program writes on."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), most, max(0, size - most)).decode(errors="replace")


def _start_of(file: IO[bytes]) -> str:
    parts: list[bytes] = []
    at = 0
    while at < MOST and (part := os.pread(file.fileno(), 1 << 20, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts).decode(errors="replace")
