"""How far the rows of one scope can be trusted at this moment."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from kubepane.cluster.clock import Instant
from kubepane.cluster.freshness import Freshness, State

_TRYING_LATER = (State.CONNECTING, State.RECONNECTING, State.FORBIDDEN, State.UNAUTHORIZED, State.ABSENT, State.FAILED)


class Trust:
    """The freshness, and since when the rows may be wrong.

    Attributes:
        freshness: what to show.
        skipped: objects left out since the last complete set began.
        heard: some rows came at some time.
    """

    def __init__(self, now: Instant) -> None:
        self.freshness = Freshness(since=now.wall)
        self.skipped = 0
        self.heard = False
        self._true: datetime | None = None

    @property
    def live(self) -> bool:
        return self.freshness.state is State.LIVE

    def true_at(self, moment: datetime) -> None:
        """The rows were known to be true at this moment."""
        self._true = moment

    def show(self, now: Instant, new: Freshness) -> None:
        """Takes a state; its `since` and what is left out are filled in."""
        old = self.freshness
        if new.state is State.RECONNECTING:
            since = self._true
        elif new.state is State.POLLING:
            since = now.wall
        else:
            since = old.since if old.state is new.state else now.wall
        self.freshness = replace(new, since=since, skipped=self.skipped)

    def lose(self, now: Instant, why: str) -> None:
        """From the last true moment on the rows may be wrong."""
        self.show(now, Freshness(State.RECONNECTING if self.heard else State.CONNECTING, why=why))

    def arriving(self, now: Instant, received: int, expected: int) -> None:
        """The first set is arriving; `expected` 0 when the server has not said how many there are."""
        self.heard = self.heard or received > 0
        self.show(now, Freshness(State.SYNCING, received=received, expected=max(expected, received) if expected else 0))

    def alive(self, now: Instant) -> bool:
        """The watch is proved to be alive; whether that is news."""
        if not self.live:
            self.show(now, Freshness(State.LIVE))
            return True
        if self.freshness.skipped != self.skipped:
            self.freshness = replace(self.freshness, skipped=self.skipped)
        return False

    def trying_in(self, now: Instant, seconds: float) -> None:
        """The next try is that far away."""
        if self.freshness.state in _TRYING_LATER:
            self.freshness = replace(self.freshness, retry_at=now.wall + timedelta(seconds=seconds))

    def trying(self) -> None:
        """The next try is being made."""
        if self.freshness.retry_at is not None:
            self.freshness = replace(self.freshness, retry_at=None)
