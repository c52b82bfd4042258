"""How good or bad something is, as a glyph and a tone."""

from __future__ import annotations

from kubepane.insight.finding import Level
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line

TONE: dict[Level, str] = {
    Level.BAD: "bad", Level.WAIT: "warn", Level.BUSY: "accent", Level.WARN: "warn", Level.OK: "ok", Level.DONE: "muted", Level.OFF: "muted",
}  # fmt: skip
SICK = (Level.BAD, Level.WAIT, Level.WARN)


def dot(level: Level) -> Line:
    """The first cell of a row: one glyph in its tone."""
    return [(G[level.glyph], TONE[level])]
