"""A frame around a pane, as lines: the border carries the title, the freshness, the note and the scroll thumb."""

from __future__ import annotations

from collections.abc import Sequence

from kubepane_widgets.lines import Line, Span, fit, spread, width
from kubepane_widgets.text import clean


def top(parts: Sequence[Sequence[Span]], right: Sequence[Span], cells: int, tone: str, chip: bool = False) -> Line:
    """`╭─ title · fact ──── right ─╮`.

    Args:
        parts: the title; parts that do not fit are left out whole, the last first. The first one always stays.
        right: what stands at the right end: freshness, or where a card acts.
        cells: the frame's outer width, at least 5.
        tone: the border's tone.
        chip: the first part stands out as a chip: the pane has the focus.
    """
    first: Line = list(parts[0]) if parts else []
    if chip and first:
        first = [(" " + "".join(clean(text) for text, _ in first).strip() + " ", "chip")]
    end: Line = [(" ", tone), *right, (" ", tone)] if right else []
    left = first
    for part in parts[1:]:
        if width(left) + width(part) + width(end) + 4 > cells:
            break
        left = [*left, *part]
    if left:
        left = [*([] if chip else [(" ", tone)]), *left, *([] if chip and len(left) == 1 else [(" ", tone)])]
    if right and width(left) + width(end) > cells - 5:
        end = [(" ", tone), *fit(right, max(3, cells - 7 - width(left))), (" ", tone)]
    return [("╭─", tone), *spread(left, end, cells - 4, "─", tone), ("─╮", tone)]


def bottom(note: Sequence[Span], right: Sequence[Span], cells: int, tone: str) -> Line:
    """`╰─ note ──── right ─╯`: the note gives way, with `…`."""
    end: Line = [(" ", tone), *right, (" ", tone)] if right else []
    left: Line = []
    if width(note):
        room = max(1, cells - 7 - width(end))
        left = [(" ", tone), *(fit(note, room) if width(note) > room else note), (" ", tone)]
    return [("╰─", tone), *spread(left, end, cells - 4, "─", tone), ("─╯", tone)]


def thumb(first: int, room: int, count: int) -> range:
    """The lines of the right border that the scroll thumb takes, counted from the first row; none while all rows fit."""
    if room < 1 or count <= room:
        return range(0)
    size = max(1, round(room * room / count))
    start = round(first * (room - size) / (count - room))
    return range(start, start + size)
