"""Text as data: a Line is a list of (text, tone). Pure functions; no widget, no colour, no markup.

A tone is a meaning ("warn"), never a colour; `palette` gives it one. Every text is cleaned before it is measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from kubepane_widgets.text import clean

Span = tuple[str, str]
Line = list[Span]


def width(line: Sequence[Span]) -> int:
    """Cells that a line takes when it is painted: as it is cleaned then."""
    return sum(cell_len(clean(text)) for text, _ in line)


def elide(text: str, cells: int, how: str = "end") -> str:
    """The text in at most so many cells, with `…` where it was cut.

    Args:
        text: a cleaned text.
        cells: the room, in cells.
        how: "mid" keeps the tail (the part of a pod's name that identifies it), "end" keeps the beginning.
    """
    if cell_len(text) <= cells:
        return text
    if cells < 1:
        return ""
    if how == "mid" and cells > 6 and text.isascii():
        tail = max(5, (cells - 1) * 2 // 5)
        return text[: cells - 1 - tail] + "…" + text[-tail:]
    return set_cell_size(text, cells - 1) + "…"


def pad(text: str, cells: int, right: bool = False) -> str:
    """The text filled with blanks to exactly so many cells; it must not be longer."""
    blanks = " " * (cells - cell_len(text))
    return blanks + text if right else text + blanks


def fit(line: Sequence[Span], cells: int) -> Line:
    """A line cropped with `…`, or filled with blanks, to exactly so many cells. Rules of `─` are cut without `…`."""
    out: Line = []
    left = cells
    for i, (raw, tone) in enumerate(line):
        text = clean(raw)
        n = cell_len(text)
        if n > left or (n == left and width(line[i + 1 :])):
            if left:
                rule = text.strip("─━╌") == ""
                out.append((text[:left] if rule else pad(elide(text + "  ", left), left), tone))
            return out
        out.append((text, tone))
        left -= n
    if left > 0:
        out.append((" " * left, "fg"))
    return out


def spread(left: Sequence[Span], right: Sequence[Span], cells: int, fill: str = " ", tone: str = "faint") -> Line:
    """Left and right on one line of so many cells; the left gives way."""
    room = cells - width(right)
    if room < 1:
        return fit(right, cells)
    head = fit(left, room - 1) if width(left) >= room else [(clean(text), t) for text, t in left]
    return [*head, (fill * (room - width(head)), tone), *right]


def gauge(used: float, request: float, limit: float, cells: int) -> Line:
    """`━━╸──╌╌╌`: heavy is used, solid is requested, dashed is up to the limit. Toned from 85 % of the limit on, blank without one."""
    if limit <= 0 or cells < 1:
        return [(" " * max(0, cells), "fg")]
    part, asked = min(1.0, used / limit) * cells, round(min(1.0, request / limit) * cells)
    full, half = int(part), part - int(part) >= 0.5
    tone = "bad" if used >= 0.97 * limit else "warn" if used >= 0.85 * limit else "soft"
    bar = "".join("━" if i < full else "╸" if i == full and half else "─" if i < asked else "╌" for i in range(cells))
    cut = full + half
    return [(bar[:cut], tone), (bar[cut:], "faint")]


def meter(parts: Sequence[tuple[float, str, str]], cells: int) -> Line:
    """A stacked bar of (share of 1, character, tone); the rest is empty."""
    out: Line = []
    at, used = 0.0, 0
    for share, ch, tone in parts:
        at += share
        n = min(cells, round(at * cells)) - used
        out.append((ch * n, tone))
        used += n
    return [*out, ("░" * (cells - used), "faint")]


def box(title: str, lines: Sequence[Sequence[Span]], cells: int, tone: str = "faint") -> list[Line]:
    """A small rounded box, for chains."""
    name = elide(clean(title), cells - 5)
    top: Line = [("╭ ", tone), (name, "muted"), (" " + "─" * (cells - 4 - cell_len(name)) + "╮", tone)]
    return [top, *[[("│ ", tone), *fit(line, cells - 4), (" │", tone)] for line in lines], [("╰" + "─" * (cells - 2) + "╯", tone)]]


def beside(blocks: Sequence[list[Line]], joins: Sequence[Span], at: int = 2) -> list[Line]:
    """Boxes side by side, a connector between neighbours on line `at`."""
    out: list[Line] = []
    for y in range(max(map(len, blocks), default=0)):
        line: Line = []
        for k, block in enumerate(blocks):
            line += block[y] if y < len(block) else [(" " * width(block[0]), "fg")]
            if k < len(joins) and k + 1 < len(blocks):
                line.append(joins[k] if y == at else (" " * cell_len(joins[k][0]), "fg"))
        out.append(line)
    return out
