"""Freshness in words and glyphs: for a pane's title, its bottom border and its empty middle."""

from __future__ import annotations

from datetime import datetime

from kubepane.cluster.freshness import Freshness, State
from kubepane.insight.ages import duration
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line

_WITH_ROWS = (State.LIVE, State.POLLING, State.SYNCING, State.RECONNECTING, State.UNAUTHORIZED, State.FAILED)


def title(fresh: Freshness, now: datetime) -> Line:
    """For the right end of the title: `● live`, `◌ syncing 500/1,850`, `✕ forbidden: list pods`; and what is left out, in any state."""
    missing = left_out(fresh) if fresh.state in _WITH_ROWS else ""
    return [*_state(fresh, now), *([(f" · {missing}", "warn")] if missing else [])]


def left_out(fresh: Freshness) -> str:
    """What was asked for and is not among the rows, "" for nothing: a pane that is partial never reads as whole."""
    parts = []
    if fresh.hidden:
        parts.append(f"{_several(len(fresh.hidden), 'namespace')} not shown")
    if fresh.others:
        parts.append("other namespaces may not be seen")
    if fresh.skipped:
        parts.append(f"{_several(fresh.skipped, 'object')} unreadable")
    return ", ".join(parts)


def _several(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _state(fresh: Freshness, now: datetime) -> Line:
    match fresh.state:
        case State.LIVE:
            return [(f"{G['live']} ", "live"), (f"live{_because(fresh)}", "muted")]
        case State.CONNECTING:
            return [(f"{G['sync']} ", "accent"), (f"connecting{_because(fresh)}", "fg")]
        case State.SYNCING:
            of = f"/{fresh.expected:,}" if fresh.expected else ""
            return [(f"{G['sync']} ", "accent"), (f"syncing {fresh.received:,}{of}", "fg")]
        case State.RECONNECTING:
            return [(f"{G['again']} ", "stale"), (f"reconnecting{_elapsed(fresh, now)}{_because(fresh)}", "stale")]
        case State.POLLING:
            return [(f"{G['poll']} ", "accent"), (f"polling {fresh.period:.0f}s", "muted")]
        case State.FORBIDDEN:
            return [(f"{G['bad']} ", "bad"), (f"forbidden: {refused(fresh)}", "fg")]
        case State.UNAUTHORIZED:
            return [(f"{G['bad']} ", "bad"), ("unauthorized", "fg")]
        case State.ABSENT:
            return [(f"{G['off']} ", "muted"), ("not served", "muted")]
        case State.FAILED:
            return [(f"{G['bad']} ", "bad"), (f"error{_because(fresh)}", "fg")]


def note(fresh: Freshness, now: datetime) -> Line:
    """For the bottom border, while no row has a reason of its own."""
    parts = []
    if fresh.received and fresh.state in (State.SYNCING, State.CONNECTING):
        parts.append("partial: counts and sort are not final")
    elif ticks(fresh) or fresh.stale:
        parts += [f"as of {fresh.since.astimezone():%H:%M:%S}" if fresh.since else "", _next(fresh, now)]
    if fresh.hidden:
        parts.append("not shown: " + ", ".join(fresh.hidden))
    elif fresh.state in _WITH_ROWS:
        parts.append(left_out(fresh))
    text = " · ".join(part for part in parts if part)
    return [(text, "muted")] if text else []


def refused(fresh: Freshness) -> str:
    """What is refused, as RBAC says it: `list pods`, `watch deployments.apps in shop`."""
    where = f" in {fresh.namespace}" if fresh.namespace else ""
    return f"{fresh.verb or 'list'} {fresh.resource}{where}"


def middle(fresh: Freshness, what: str, user: str, now: datetime) -> list[Line] | None:
    """The lines in the middle of a pane that has no rows because of its freshness; None when it is simply empty.

    Args:
        fresh: of the pane.
        what: what the pane lists, in the plural: `nodes`.
        user: who we are, "" when not known.
        now: the time.
    """
    match fresh.state:
        case State.FORBIDDEN:
            scope = f" in namespace {fresh.namespace}" if fresh.namespace else " (cluster scope)"
            lines: list[Line] = [[(f"{G['bad']} ", "bad"), (f"You may not {fresh.verb or 'list'} {fresh.resource or what} here.", "fg")], []]
            lines.append([("missing  ", "muted"), (f"{fresh.verb or 'list, watch'} {fresh.resource}", "fg"), (scope, "muted")])
            if user:
                lines.append([("you are  ", "muted"), (user, "fg")])
            return lines
        case State.ABSENT:
            return [[(f"{G['off']} ", "muted"), (f"This server does not serve {fresh.resource or what}.", "fg")], [(fresh.why, "muted")]]
        case State.CONNECTING:
            return [[(f"{G['sync']} ", "accent"), (fresh.why or "connecting", "fg")], [(_next(fresh, now), "muted")]]
        case State.SYNCING:
            return [[(f"{G['sync']} ", "accent"), (f"reading {what}", "fg")]]
        case State.UNAUTHORIZED:
            return [
                [(f"{G['bad']} ", "bad"), ("The server does not accept these credentials.", "fg")],
                [(fresh.why, "muted")],
                [(_next(fresh, now), "muted")],
            ]
        case State.RECONNECTING | State.FAILED:
            return [[(f"{G['again']} ", "stale"), (fresh.why or "no connection", "fg")], [(_next(fresh, now), "muted")]]
    if fresh.partial:  # "none" may not be concluded from what was left out
        return [[(f"{G['warn']} ", "warn"), ("Nothing in what may be seen.", "fg")], [(left_out(fresh), "muted")]]
    return None


def rough_age(seconds: float) -> str:
    """An age in steps of 15 s, so that a pane whose figures come every 15 s stays still: `<15s`, `<30s`, then exact."""
    return f"<{(int(seconds) // 15 + 1) * 15}s" if 0 <= seconds < 120 else duration(max(0.0, seconds))


def ticks(fresh: Freshness) -> bool:
    """Whether the words change by the mere passing of time."""
    return fresh.retry_at is not None and fresh.state in (State.CONNECTING, State.RECONNECTING, State.UNAUTHORIZED, State.FAILED)


def _elapsed(fresh: Freshness, now: datetime) -> str:
    return f" {duration(max(0.0, (now - fresh.since).total_seconds()))}" if fresh.since else ""


def _because(fresh: Freshness) -> str:
    return f" ({fresh.why})" if fresh.why else ""


def _next(fresh: Freshness, now: datetime) -> str:
    if fresh.retry_at is None:
        return ""
    wait = (fresh.retry_at - now).total_seconds()
    return f"next try in {duration(wait)}" if wait >= 1 else "trying now"
