"""The HPA's chart and its sentences: the metric against its target, the replicas in steps, and what is done now, up and down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.metrics import Scale
from kubepane.insight import scaling
from kubepane.insight.ages import duration
from kubepane.insight.hpa import Assessment
from kubepane.insight.scaling import Hold, Proposal
from kubepane_widgets import chart
from kubepane_widgets.lines import Line, fit, spread

SPAN = 600.0  # seconds that a chart shows
LARGE = 20  # lines of a pane from which on everything is shown
_BAR = 20
_STEPS = 8  # lines for the replicas at most


class Seen(NamedTuple):
    """One HPA with all that is known of it.

    Attributes:
        a: the HPA.
        found: how it is doing.
        held: what holds its scale-down.
        history: what was seen of it, oldest first.
    """

    a: r.Autoscaler
    found: Assessment
    held: Hold
    history: Sequence[Scale]

    @property
    def charted(self) -> Proposal | None:
        """The metric whose history is kept: the first one with a target."""
        return next((p for p in self.found.sums.proposals if p.target is not None), None)


class Chart:
    """Draws, and keeps what it drew until a sample comes or the chart moves by a dot."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, list[Line]]] = {}

    def curve(self, seen: Seen, now: datetime, width: int, height: int) -> list[Line]:
        """The metric against its target."""
        charted, end = seen.charted, now.timestamp()
        target, unit = (charted.target, charted.unit) if charted else (None, "")

        def draw() -> list[Line]:
            samples = [(s.at.timestamp(), s.current) for s in steady(seen.history)]
            return chart.curve(samples, end=end, span=SPAN, width=width, height=height, target=target, unit=unit)

        dots = max(1, 2 * (width - chart.GUTTER))
        return self._kept("curve", (*self._stamp(seen), width, height, target, int(end * dots / SPAN)), draw)

    def steps(self, seen: Seen, now: datetime, width: int, height: int) -> list[Line]:
        """Replicas wanted and ready between the rails."""
        sums, end = seen.found.sums, now.timestamp()

        def draw() -> list[Line]:
            history = steady(seen.history)
            wanted = [(s.at.timestamp(), float(s.wanted)) for s in history]
            ready = [(s.at.timestamp(), float(s.ready)) for s in history]
            return chart.steps(wanted, ready, end=end, span=SPAN, width=width, height=height, lo=sums.lowest, hi=sums.highest)

        cells = max(1, width - chart.GUTTER)
        return self._kept("steps", (*self._stamp(seen), width, height, sums.lowest, sums.highest, int(end * cells / SPAN)), draw)

    @staticmethod
    def _stamp(seen: Seen) -> tuple[object, ...]:
        return seen.a.metadata.uid, seen.history[-1].at if seen.history else None

    def _kept(self, what: str, stamp: object, draw: Callable[[], list[Line]]) -> list[Line]:
        made = self._made.get(what)
        if made is None or made[0] != stamp:
            made = self._made[what] = (stamp, draw())
        return made[1]


def steady(history: Sequence[Scale]) -> list[Scale]:
    """The history with what was left out of it: of moments that were all alike only the first and the last are kept."""
    out: list[Scale] = []
    for scale in history:
        if out and (last := out[-1]).wanted == scale.wanted and (last.current, last.target, last.ready) == (scale.current, scale.target, scale.ready):
            between = int((scale.at - last.at).total_seconds() / chart.GAP)
            out += [msgspec.structs.replace(last, at=last.at + timedelta(seconds=chart.GAP * n)) for n in range(1, between + 1)]
        out.append(scale)
    return out


# ---- one line ------------------------------------------------------------------------------------------------------------


def caption(seen: Seen, now: datetime) -> Line:
    """`3 ready × 182 ÷ 50 = 10.92 → 11 → max 4   down in ≤ 4m12s`; where nothing is known, why."""
    best = seen.found.sums.best
    if best is None or best.wanted is None:
        cause = seen.found.finding.clause if seen.found.finding else seen.found.text
        return [(cause, "fg")]
    line: Line = [(best.sum_text.replace("%", "") + (f" → {best.wanted}" if best.rounds else ""), "soft")]
    if limit := seen.found.limit:
        line += [(" → ", "soft"), (limit, "warn" if seen.found.at_max else "fg")]
    elif best.why:
        line.append((f"  {best.why}", "muted"))
    if seen.held.state == "window" and seen.held.until:
        line.append((f"   {countdown(seen.held, now)}", "soft"))
    return line


def countdown(held: Hold, now: datetime) -> str:
    """`down in ≤ 4m12s`: only the latest moment is known."""
    if held.until is None:
        return "held"
    left = (held.until - now).total_seconds()
    return f"down in ≤ {duration(left)}" if left >= 1 else "down due"


# ---- everything ------------------------------------------------------------------------------------------------------------


def large(seen: Seen, drawn: Chart, now: datetime, width: int, height: int) -> list[Line]:
    """Curve, steps, axis, and the lines now, up and down, in so many lines."""
    sums = seen.found.sums
    steps = min(_STEPS, max(sums.highest, sums.current) - min(sums.lowest, sums.current) + 1)
    sentences = [_now(seen), _up(seen), _down(seen, now)]
    room = height - steps - len(sentences) - 5  # two captions, the axis, two blank lines
    replicas: Line = [("replicas", "muted"), ("   ━ wanted   ─ ready   ╌ rails", "muted")]
    return [
        _title(seen, width),
        *drawn.curve(seen, now, width, max(3, room)),
        [],
        replicas,
        *drawn.steps(seen, now, width, steps),
        chart.axis(SPAN, width=width),
        [],
        *(fit(line, width) for line in sentences),
    ]


def _title(seen: Seen, width: int) -> Line:
    best = seen.charted
    if best is None:
        return [("no metrics", "muted")]
    hot = best.current is not None and best.target is not None and best.current > best.target
    right: Line = [("now ", "muted"), (best.current_text, "warn" if hot else "fg"), ("   ╌ target ", "muted"), (best.target_text, "fg")]
    return spread([(best.what, "muted")], right, width)


def _now(seen: Seen) -> Line:
    best, found = seen.found.sums.best, seen.found
    line: Line = [("now   ", "muted")]
    if best is None or best.wanted is None:
        return [*line, (found.finding.clause if found.finding else found.text, "fg")]
    line.append((best.sum_text, "soft"))
    if best.rounds or best.why:
        line += [(f", {best.why} → " if best.why else " → ", "soft"), (str(best.wanted), "bold")]
    if found.limit:
        words = " → capped by " if found.at_max else " → "
        line += [(words, "soft"), (found.limit, "warn" if found.at_max else "fg"), (f" ({found.reason})", "soft")]
    if len(found.sums.proposals) > 1:
        line.append((f"  {best.name}, the highest of {len(found.sums.proposals)} metrics", "muted"))
    return line


def _up(seen: Seen) -> Line:
    way, sums, found = scaling.upwards(seen.a), seen.found.sums, seen.found
    line: Line = [("up    ", "muted")]
    if way.disabled:
        return [*line, ("off", "fg"), ("  scaling up is disabled", "soft")]
    if sums.current >= sums.highest:
        return [*line, ("stop", "fg"), (f"  maxReplicas {sums.highest} reached", "soft")]
    held = found.reason == "ScaleUpStabilized"
    window = f"the lowest of the last {duration(way.window)} counts" if way.window else "no stabilisation"
    return [*line, ("held" if held else "free", "fg"), (f"  {window}; {way.policies}", "soft")]


def _down(seen: Seen, now: datetime) -> Line:
    held, sums = seen.held, seen.found.sums
    way = scaling.downwards(seen.a)
    line: Line = [("down  ", "muted")]
    window = f"{duration(held.window)} window{' (the default)' if held.assumed else ''}"
    policies = f"; {way.policies}" if way.policies else ""
    match held.state:
        case "off":
            return [*line, ("off", "fg"), ("  scaling down is disabled", "soft")]
        case "least":
            return [*line, ("stop", "fg"), (f"  minReplicas {sums.lowest} reached", "soft")]
        case "unknown":
            return [*line, ("stop", "fg"), ("  nothing is taken away while no metric is known", "soft")]
        case "load":
            after = f"{window} begins when fewer are asked for" if held.window else "no stabilisation"
            return [*line, ("free" if not held.window else "held", "fg"), (f"  {after}{policies}", "soft")]
    if not held.window:
        return [*line, ("free", "fg"), (f"  no stabilisation{policies}", "soft")]
    if held.until is None:
        return [*line, ("held", "fg"), (f"  {window}, since when was not seen{policies}", "soft")]
    left = max(0.0, (held.until - now).total_seconds())
    part = min(_BAR, round(left / held.window * _BAR))
    return [
        *line, ("held", "fg"), (f"  ≤ {duration(left)} " if left >= 1 else "  due ", "bold"), ("━" * part, "accent"), ("─" * (_BAR - part), "faint"),
        (f"  {window} still holds {sums.desired}{policies}", "soft"),
    ]  # fmt: skip
