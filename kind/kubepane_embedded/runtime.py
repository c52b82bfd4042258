"""What the API server asks of the simulated kubelet and of the metrics source; they are filled in by those parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from kubepane_embedded.meta import Object


class LogLine(NamedTuple):
    """One line of a container's log, without its newline."""

    time: datetime
    text: str


class LogSource(Protocol):
    """The log of one run of one container."""

    def lines(self) -> list[LogLine]:
        """What was written so far, oldest first."""

    def follow(self, callback: Callable[[LogLine | None], None]) -> Callable[[], None]:
        """Call back with every further line, with None when the container has ended; returns what ends the following."""


class Streams(Protocol):
    """A connection of a client into a pod."""

    async def read(self) -> bytes:
        """Input of the client; b"" when it has closed its side."""

    async def write(self, data: bytes) -> None:
        """Output for the client."""


class ExecSession(Protocol):
    """The streams of one `exec` or `attach`."""

    async def read(self) -> bytes:
        """Input of the client; b"" when it has closed its side."""

    async def write(self, data: bytes) -> None:
        """Standard output."""

    async def write_error(self, data: bytes) -> None:
        """Standard error."""

    def resized(self) -> tuple[int, int]:
        """Columns and rows of the client's terminal, (80, 24) until it said."""


class PodRuntime(Protocol):
    """The simulated kubelets, as the API server's proxy sees them."""

    def log(self, pod: Object, container: str, previous: bool) -> LogSource | None:
        """The log of a container's present or previous run; None when there is none (waiting, never restarted)."""

    def exec(self, pod: Object, container: str, command: list[str], tty: bool, session: ExecSession) -> Awaitable[int]:
        """Run a command in a container; returns its exit code."""

    def attach(self, pod: Object, container: str, tty: bool, session: ExecSession) -> Awaitable[int]:
        """The streams of a container's main process until it has ended; returns 0 unless it could not be attached to."""

    def forward(self, pod: Object, port: int, streams: Streams) -> Awaitable[str]:
        """Connect a client to a port of a pod until one of them goes; returns what went wrong, "" for nothing."""


class MetricsUnavailable(Exception):
    """metrics.k8s.io is registered but nobody answers behind it: 503 to whoever asks."""


class MetricsSource(Protocol):
    """What metrics.k8s.io serves: NodeMetrics and PodMetrics objects (metadata.name, timestamp, window, usage or containers).

    Both raise `MetricsUnavailable` while metrics-server does not work.
    """

    def nodes(self) -> list[Object]:
        """One object per node that has been sampled."""

    def pods(self, namespace: str | None) -> list[Object]:
        """One object per sampled pod, of one namespace or of all with None; labels are the pod's."""
