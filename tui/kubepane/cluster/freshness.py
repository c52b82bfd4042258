"""How far what is shown can be trusted: a type, never a string. No pane shows rows without one."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec


class State(Enum):
    """The states of one stream of objects. Their words on screen are the views' business."""

    CONNECTING = "connecting"  # nothing heard yet
    SYNCING = "syncing"  # the first list is arriving: counts and sort are not final
    LIVE = "live"  # a watch is open and proved to be alive
    RECONNECTING = "reconnecting"  # the link is lost: rows are as of `since`
    POLLING = "polling"  # listed every `period` seconds, for watching is not allowed or not served
    FORBIDDEN = "forbidden"  # `verb` on `resource` is refused
    UNAUTHORIZED = "unauthorized"  # the server does not accept who we are
    ABSENT = "absent"  # the API does not serve this resource
    FAILED = "failed"  # our own code failed here; it is tried again


STALE = (State.RECONNECTING, State.UNAUTHORIZED, State.FAILED)


class Freshness(msgspec.Struct, frozen=True):
    """The freshness of one store, or of one namespace's part of it.

    Attributes:
        state: what kind of trust.
        since: when this state began; for RECONNECTING the last time the rows were known to be true.
        why: the reason in a few words, already cleaned of secrets, "" when there is none.
        received: objects received so far while SYNCING.
        expected: how many there will be while SYNCING, 0 when the server did not say.
        retry_at: when the next try is made, for RECONNECTING, UNAUTHORIZED, FORBIDDEN, ABSENT and FAILED.
        period: seconds between polls while POLLING.
        verb, resource, namespace: what is refused while FORBIDDEN; namespace "" means cluster-wide.
        hidden: namespaces that are not shown although they were asked for (rule R31).
        others: all namespaces were asked for, only some may be looked at, and the names of the rest are not known.
        skipped: objects that could not be read since the last full list and are not shown.
        only: the namespaces that the objects come from where not the whole cluster is looked at: no sum over the cluster can be made.
    """

    state: State = State.CONNECTING
    since: datetime | None = None
    why: str = ""
    received: int = 0
    expected: int = 0
    retry_at: datetime | None = None
    period: float = 0.0
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    hidden: tuple[str, ...] = ()
    others: bool = False
    skipped: int = 0
    only: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Rows may differ from the cluster without notice."""
        return self.state in STALE

    @property
    def complete(self) -> bool:
        """All objects there are were received at least once, and the state still says so."""
        return self.state in (State.LIVE, State.POLLING) and not self.partial

    @property
    def partial(self) -> bool:
        """Something that was asked for is left out, whatever the state of the rest."""
        return bool(self.hidden) or self.others or self.skipped > 0

    @property
    def whole(self) -> bool:
        """All objects of the cluster were received at least once, though they may not be current."""
        received = self.state in (State.LIVE, State.POLLING) or (self.state in STALE and self.since is not None)
        return received and not self.partial and not self.only

    @property
    def known(self) -> bool:
        """Whether "none" may be concluded from an empty store: an absent API has none, a refused one may."""
        return self.complete or self.state is State.ABSENT


def worst(parts: list[Freshness]) -> Freshness:
    """The one to show for several: the least trustworthy, of equals one that leaves something out."""
    return max(parts, key=lambda f: (_ORDER[f.state], f.partial), default=Freshness())


_ORDER = {
    State.LIVE: 0, State.ABSENT: 1, State.POLLING: 2, State.FORBIDDEN: 3, State.SYNCING: 4, State.CONNECTING: 5,
    State.UNAUTHORIZED: 6, State.RECONNECTING: 7, State.FAILED: 8,
}  # fmt: skip
