"""What happened to the connection and the watches: the newest lines, for the log on screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from kubepane.cluster.clock import Clock

LINES = 500
LONGEST = 300


class Line(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened.

    Attributes:
        at: when, in UTC.
        subject: the kind, with its namespace if it is watched in one; or `link`, `metrics`.
        text: what; it may quote the server and must be cleaned before it is painted.
    """

    at: datetime
    subject: str
    text: str


class Journal:
    """The newest 500 lines, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=LINES)
        self.version = 0  # raised by every line
        self.sink: Callable[[Line], None] | None = None  # gets every line as well: a log file

    def write(self, subject: str, text: str) -> None:
        """Adds a line."""
        line = Line(self._clock.now(), subject, text if len(text) <= LONGEST else text[:LONGEST] + "…")
        self._lines.append(line)
        self.version += 1
        if self.sink is not None:
            self.sink(line)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
