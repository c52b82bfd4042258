"""The lane of a rollout: one square a pod, old → new; a meter where there are more pods than cells."""

from __future__ import annotations

from kubepane.insight.rollouts import Phase, Rollout, Side
from kubepane.insight.workloads import Assessment
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line, meter

CELLS = 12
_TO: Line = [(" → ", "muted")]
_READY, _STARTING, _PENDING, _COMING = (G["ready"], "ok"), (G["starting"], "accent"), (G["pending"], "warn"), (G["absent"], "muted")
_BARS = (("█", "ok"), ("▓", "accent"), ("▒", "warn"))
_MOST = 40  # squares made at most: more than any lane has cells


def lane(found: Assessment, cells: int = CELLS) -> Line:
    """A workload's pods: `■■ → ■◧□·`."""
    if found.rollout is not None:
        return _rollout(found.rollout, cells)
    return _one(found.pods, found.pods.wanted, cells) if found.pods is not None else []


def _rollout(ro: Rollout, cells: int) -> Line:
    if ro.old is None or not (ro.old.pods or ro.phase is Phase.ROLLING):
        return _one(ro.new, ro.desired, cells)
    coming = max(0, ro.desired - ro.kept - ro.new.pods)
    total = ro.old.pods + ro.new.pods + coming
    if total + 3 <= cells:
        return [(_READY[0] * ro.old.pods, "muted"), *_TO, *_squares(ro.new, coming)]
    room = cells - 3
    before = max(1, round(room * ro.old.pods / total)) if ro.old.pods else 0
    return [("█" * before, "muted"), *_TO, *bar(ro.new, ro.new.pods + coming, room - before)]


def _one(side: Side, wanted: int, cells: int) -> Line:
    total = max(wanted, side.pods)
    if side.ready == total:  # all is well: colour is for exceptions
        return [(_READY[0] * total if total <= cells else "█" * cells, "soft")] if total else []
    return _squares(side, total - side.pods) if total <= cells else bar(side, total, cells)


def _squares(side: Side, coming: int) -> Line:
    counts = zip((_READY, _STARTING, _PENDING, _COMING), (side.ready, side.starting, side.pending, coming), strict=True)
    return [(glyph * min(n, _MOST), tone) for (glyph, tone), n in counts if n]


def bar(side: Side, total: int, cells: int) -> Line:
    """A meter of a side's pods: ready, starting, pending, to come."""
    if total <= 0:
        return meter([], cells)
    parts = [(n / total, glyph, tone) for (glyph, tone), n in zip(_BARS, (side.ready, side.starting, side.pending), strict=True)]
    return meter(parts, cells)
