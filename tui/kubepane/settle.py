"""Waits until what is wanted of a session is known, or cannot become so: for the commands that print once and end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kubepane.cluster.errors import ClusterError
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.session import Session

GIVE_UP = 2.0  # seconds that nothing at all may be reached before waiting longer is pointless
_SETTLED = (State.LIVE, State.POLLING, State.FORBIDDEN, State.ABSENT)


class Unaccepted(ClusterError):
    """The server does not accept the credentials."""


async def settle(session: Session, kinds: Sequence[Kind], wait: float) -> None:
    """Waits until these kinds are known, or can be told not to become so.

    Raises:
        ClusterError: nothing at all could be read.
    """
    loop = asyncio.get_running_loop()
    deadline, nothing_since = loop.time() + wait, loop.time()
    changed = asyncio.Event()
    session.changed = session.metrics.wake = changed.set
    while (now := loop.time()) < deadline:
        if session.problem is not None:
            raise session.problem
        states = [session.stores.of(kind).freshness for kind in kinds]
        if all(f.state in _SETTLED for f in states) and session.metrics_settled:
            return
        if not all(_unheard(f) for f in states):
            nothing_since = now
        elif now - nothing_since > GIVE_UP:
            break
        changed.clear()
        try:
            async with asyncio.timeout(min(0.25, deadline - now)):
                await changed.wait()
        except TimeoutError:
            continue
    _check(session, kinds)


def _unheard(fresh: Freshness) -> bool:
    """Tried, and nothing came of it."""
    return fresh.state in (State.RECONNECTING, State.UNAUTHORIZED) or (fresh.state is State.CONNECTING and bool(fresh.why))


def _check(session: Session, kinds: Sequence[Kind]) -> None:
    """Something was read, or the reason why nothing could be."""
    states = [session.stores.of(kind).freshness for kind in kinds]
    if any(f.state in _SETTLED or f.state is State.SYNCING for f in states):
        return
    why = next((f.why for f in states if f.why), "no answer")
    host = session.target.server if session.target else "the cluster"
    if all(f.state is State.UNAUTHORIZED for f in states):
        raise Unaccepted(f"{host} does not accept these credentials: {why}")
    raise ClusterError(f"cannot reach {host}: {why}")
