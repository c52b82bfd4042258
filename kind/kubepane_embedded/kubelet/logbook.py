"""What containers have written: the present and the previous run of each, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime

from kubepane_embedded.clock import Clock
from kubepane_embedded.runtime import LogLine

LINES = 4000
"""Lines kept of one run; older ones are gone, as after a rotation of the file."""
LONGEST = 16 * 1024
"""Characters kept of one line."""
Follower = Callable[[LogLine | None], None]


class Journal:
    """The log of one run of one container (`runtime.LogSource`)."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque(maxlen=LINES)
        self._followers: list[Follower] = []
        self.ended = False

    def lines(self) -> list[LogLine]:
        """What was written so far, oldest first."""
        return list(self._lines)

    def follow(self, callback: Follower) -> Callable[[], None]:
        """Call back with every further line, with None when the run has ended; returns what ends the following."""
        if self.ended:
            callback(None)
            return lambda: None
        self._followers.append(callback)
        return lambda: self._followers.remove(callback) if callback in self._followers else None

    def write(self, moment: datetime, text: str) -> None:
        """Add lines."""
        for part in text.split("\n"):
            line = LogLine(moment, part[:LONGEST])
            self._lines.append(line)
            for follower in tuple(self._followers):
                follower(line)

    def end(self) -> None:
        """The run is over: tell the followers."""
        self.ended = True
        followers, self._followers = self._followers, []
        for follower in followers:
            follower(None)


class Logbook:
    """The journals of all containers, by pod uid and container name.

    Args:
        clock: Cluster time, for the lines' timestamps.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._present: dict[tuple[str, str], Journal] = {}
        self._previous: dict[tuple[str, str], Journal] = {}

    def write(self, uid: str, container: str, text: str) -> None:
        """Add lines to the present run of a container; lost when it has none or has ended, as output of a dead process is."""
        journal = self._present.get((uid, container))
        if journal is not None and not journal.ended:
            journal.write(self._clock.now(), text)

    def begin(self, uid: str, container: str) -> None:
        """A new run: what was the present one is the previous one now."""
        present = self._present.get((uid, container))
        if present is not None:
            present.end()
            self._previous[uid, container] = present
        self._present[uid, container] = Journal()

    def end(self, uid: str, container: str) -> None:
        """The present run is over; it stays readable."""
        journal = self._present.get((uid, container))
        if journal is not None:
            journal.end()

    def read(self, uid: str, container: str, previous: bool = False) -> Journal | None:
        """The journal of the present (or last) run, or of the one before; None when there is none."""
        return (self._previous if previous else self._present).get((uid, container))

    def tail(self, uid: str, container: str, lines: int, size: int) -> str:
        """The last lines of the present run, at most `size` characters (FallbackToLogsOnError)."""
        journal = self._present.get((uid, container))
        text = "\n".join(line.text for line in (journal.lines() if journal else [])[-lines:])
        return text[-size:]

    def forget(self, uid: str, containers: list[str]) -> None:
        """A pod is gone: so are its logs."""
        for container in containers:
            for journals in (self._present, self._previous):
                journal = journals.pop((uid, container), None)
                if journal is not None:
                    journal.end()
