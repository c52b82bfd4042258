"""The header and the footer: which cluster, as whom, how the link is, what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from kubepane.cluster.freshness import State
from kubepane.cluster.session import Session
from kubepane.views import trust
from kubepane_widgets.lines import Line, width
from kubepane_widgets.palette import G
from kubepane_widgets.text import clean


def header(session: Session, layouts: Sequence[str], layout: str, namespaces: Sequence[str], now: datetime, cells: int) -> tuple[Line, Line]:
    """Left: program, cluster, namespaces, user, mode and layouts; right: the link and the time."""
    target = session.target
    name = (target.context or target.host) if target else "no cluster"
    left: Line = [("kubepane", "bold"), ("  ", "fg"), (name, "fg")]
    if cells >= 100 and session.server_version:
        left.append((f" {session.server_version}", "muted"))
    left += [("  ns ", "muted"), (_shortened(namespaces), "fg")]
    if target:
        left += _who(session, cells)
    left += _modes(session)
    if layouts and cells >= 110:
        names: Line = [("    ", "fg"), ("L", "accent"), *[(f" {each} ", "bold" if each == layout else "muted") for each in layouts]]
        if width(left) + width(names) + 24 <= cells:
            left += names
    return left, [*_link(session, now, cells), (f"  {now.astimezone():%H:%M}", "muted")]


def _shortened(namespaces: Sequence[str]) -> str:
    if not namespaces:
        return "all"
    return clean(namespaces[0]) if len(namespaces) == 1 else f"{clean(namespaces[0])} +{len(namespaces) - 1}"


def _who(session: Session, cells: int) -> Line:
    target = session.target
    assert target is not None
    line: Line = [("  ", "fg"), (target.user, "soft")] if target.user and target.user != target.context else []
    if target.acting_as:
        line += [(" as ", "muted"), (target.acting_as, "warn")]
    if cells >= 150 and target.host:
        line += [("  ", "fg"), (target.host, "muted")]
    return line


def _modes(session: Session) -> Line:
    target, line = session.target, []
    if session.options.read_only:
        line.append(("  READ-ONLY", "accent"))
    if session.pin is not None and session.pin.other:
        line.append(("  ANOTHER CLUSTER", "bad"))
    if target and target.protected:
        line.append(("  protected", "warn"))
    if target and target.insecure:
        line.append(("  TLS not checked", "bad"))
    if target and target.plain:
        line.append(("  no TLS", "bad"))
    if "embedded" in session.server_version:
        line.append((f"  simulated{f' ×{session.pace:g}' if session.pace != 1 else ''}", "accent"))
    return line


def _link(session: Session, now: datetime, cells: int) -> Line:
    fresh = session.freshness
    if fresh.state is State.LIVE:
        words = f"{session.watches} watches live" if cells >= 150 else "live"
        return [(f"{G['live']} ", "live"), (words, "muted")]
    return trust.title(fresh, now)


def costs(session: Session, written: float, now: datetime, cells: int) -> Line:
    """For the right end of the footer: requests and bytes a second, the lag of the watches, the age of the metrics.

    Args:
        written: bytes a second to the terminal, a mean over a minute.
        cells: of the screen.
    """
    facts: list[str] = []
    if cells >= 150:
        facts.append(f"{_round(session.requests_per_second)} req/s")
    if cells >= 110:
        facts += [f"{_kilo(session.bytes_per_second)} kB/s in", f"{_kilo(written)} kB/s out"]
    if session.lag is not None:
        facts.append(f"lag {_step(session.lag * 1000)}ms")
    if cells >= 150 and session.metrics.sampled_at is not None:
        facts.append(f"metrics {trust.rough_age((now - session.metrics.sampled_at).total_seconds())}")
    return [("  ".join(facts), "soft")]


def _round(number: float) -> str:
    return f"{number:.0f}" if number >= 1 else "<1" if number > 0 else "0"


def _kilo(number: float) -> str:
    """Kilobytes in so few steps that a quiet line stays still: 0, <1, 1, 2, 5, 10, 20, 50, …"""
    kilo = number / 1000
    if kilo < 1:
        return "<1" if kilo > 0 else "0"
    scale = 10.0 ** math.floor(math.log10(kilo))
    step = max(n for n in (1, 2, 5) if n * scale <= kilo)
    return f"{step * scale:,.0f}"


def _step(milliseconds: float) -> str:
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        if milliseconds <= step:
            return f"{step}"
    return f"{milliseconds:,.0f}"
