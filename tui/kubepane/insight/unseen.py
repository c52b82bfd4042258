"""What to say where the cluster could not be looked at: an empty store proves nothing unless it is complete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubepane.cluster.freshness import State
from kubepane.cluster.store import Store
from kubepane.insight.finding import Finding, Level


def unseen(store: Store[Any]) -> str:
    """Why nothing may be concluded from what this store lacks, in one clause; "" when it may.

    Args:
        store: of the kind that was looked for.
    """
    fresh = store.freshness
    if fresh.known:
        return ""
    what = store.kind.plural
    match fresh.state:
        case State.FORBIDDEN:
            where = f" in {fresh.namespace}" if fresh.namespace else ""
            return f"may not {fresh.verb or 'list'} {fresh.resource or what}{where}"
        case State.CONNECTING | State.SYNCING:
            return f"{what} not read yet"
        case State.RECONNECTING | State.UNAUTHORIZED | State.FAILED:
            return f"{what} not current"
        case _:
            return f"not all {what} are shown"


def names(found: list[str], most: int = 4) -> str:
    """A few names for a sentence: `a, b and 3 more`; `none` for none."""
    if not found:
        return "none"
    head = ", ".join(found[:most])
    return head if len(found) <= most else f"{head} and {len(found) - most} more"


def ailing(findings: Iterable[Finding]) -> list[Finding]:
    """Those that say that something is wrong, or that we could not look; the most important first."""
    return sorted((f for f in findings if f.level is not Level.OK), key=lambda f: f.level)
