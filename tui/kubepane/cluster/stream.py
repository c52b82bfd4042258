"""The watch that a reflector is opening or reading: when it counts as dead."""

from __future__ import annotations

from random import Random

from kubepane.cluster.clock import Instant
from kubepane.cluster.resources import Metadata
from kubepane.cluster.wire import Change, Item

OPENING = 150.0  # seconds for a watch to be answered; the door for requests has a shorter limit once it is sent
NO_INITIAL = 30.0  # an initial list that is silent for so long will never end
NO_BOOKMARK = 75.0  # rule R11: the version is dead
NO_PROOF = 2.0  # what lies in the past comes at once
SILENCE = 130.0  # rule R27: two bookmarks are missing
OVERTIME = 30.0  # after the time at which the server had to end it
NEVER = -1.0


class Stream:
    """One watch after another.

    Attributes:
        initial: it is sending the whole set, the end mark has not come.
        timeout: seconds after which the server was asked to end it (rule R5).
        last: when bytes came last, or the watch was accepted.
        events: what came over it, bookmarks too.
        bookmarked: a bookmark came over it.
        dead: watches in a row without any bookmark.
        proof: the change that must come first, None where any may.
        deadline: monotonic time at which it counts as dead, None when there is no stream.
    """

    def __init__(self, random: Random, now: Instant, *, bookmarks: bool) -> None:
        self._random = random
        self._bookmarks = bookmarks  # the kind gets them
        self._started = now.mono
        self._opened: float | None = None
        self.initial = False
        self.timeout = 0
        self.last = now
        self.events = 0
        self.bookmarked = False
        self.dead = 0
        self.proof: Metadata | None = None
        self.deadline: float | None = None

    @property
    def opened(self) -> bool:
        """The server has accepted it."""
        return self._opened is not None

    def begin(self, now: Instant, *, initial: bool, proof: Metadata | None = None) -> None:
        """A watch is being asked for."""
        self.proof = proof
        self.timeout = self._random.randint(300, 600)
        self._started, self._opened, self.last = now.mono, None, now
        self.initial, self.events, self.bookmarked = initial, 0, False
        self._limit()

    def accept(self, now: Instant) -> None:
        """The server has accepted it."""
        self._opened, self.last = now.mono, now
        self._limit()

    def heard(self, now: Instant) -> None:
        """Bytes came."""
        self.last = now
        self._limit()

    def end(self, now: Instant) -> float:
        """It is over; gives the seconds it was open, `NEVER` when it was not."""
        lived = NEVER if self._opened is None else now.mono - self._opened
        self._opened = self.deadline = None
        return lived

    def proves(self, item: Item) -> bool:
        """Whether the first that came is what had to come: the server's history is still the one that we have seen."""
        proof, self.proof = self.proof, None
        m = item.object.metadata if isinstance(item, Change) else None
        return proof is not None and m is not None and (m.uid, m.resource_version) == (proof.uid, proof.resource_version)

    def complete(self) -> None:
        """The end mark of the whole set came, which is a bookmark too."""
        self.initial, self.bookmarked = False, True

    def bookmark(self) -> None:
        """A bookmark came in its time."""
        self.bookmarked, self.dead = True, 0

    def mute(self, now: Instant) -> bool:
        """A kind that gets bookmarks got none over this watch in all the time it was given."""
        late = self._opened is not None and now.mono - self._opened < self.timeout
        return late and self._bookmarks and not self.bookmarked and not self.initial

    def silent(self, now: Instant) -> float:
        """Seconds without a byte."""
        return now.mono - (self._started if self._opened is None else self.last.mono)

    def _limit(self) -> None:
        if self._opened is None:
            self.deadline = self._started + OPENING
        elif self.initial:
            self.deadline = self.last.mono + NO_INITIAL
        elif self.proof is not None:
            self.deadline = self._opened + NO_PROOF
        else:
            end = self._opened + self.timeout + OVERTIME
            if self._bookmarks:
                end = min(end, self.last.mono + SILENCE if self.bookmarked else self._opened + NO_BOOKMARK * 2**self.dead)
            self.deadline = end
