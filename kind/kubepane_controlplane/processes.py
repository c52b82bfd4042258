"""The processes of a control plane: each in a session of its own, and none outlives the one who started it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
STOP_SECONDS = 8.0
_STARTER = ThreadPoolExecutor(1, "starter")
"""Linux tells a child of the end of the thread that made it, not of the process: this thread lives as long as the process."""


def _die_with_parent() -> None:
    """In the child: be killed when the parent goes, however it goes. Elsewhere than on Linux this does nothing."""
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(DEATH_SIGNAL, signal.SIGKILL)


class Process:
    """One part: started, killed and started again with the same arguments.

    Args:
        name: What its log file is called.
        command: With its arguments.
        folder: Where it runs and logs.
        environment: Variables beside those of this process.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._environment = {**os.environ, **(environment or {})}
        self._command = list(command)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output is added to `<name>.log`."""
        self._process = _STARTER.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own binaries
                self._command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and make it when it does not."""
        self._end(signal.SIGTERM)

    def hold(self) -> None:
        """Freeze it: it answers nothing, and no connection is closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on after `hold`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
