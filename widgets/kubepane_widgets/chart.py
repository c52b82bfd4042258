"""Charts as lines: a filled braille curve with a target, steps between rails, a time axis, a sparkline. Pure functions.

Time runs to the right; a sample holds until the next one, but at most `gap` seconds: what was not measured is left empty.
Columns stand on whole multiples of their own duration, so a chart moves by whole dots. A chart of 150 x 30 cells costs about
2 ms: a caller that is asked ten times a second keeps it until a sample comes or `period` has passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kubepane_widgets.lines import Line, Span, pad

Sample = tuple[float, float | None]  # POSIX seconds; the value, None while it is not known
GAP = 45.0
GUTTER = 7

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)  # braille dots of a left column filled from below, by height
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)


def curve(
    samples: Sequence[Sample],
    *,
    end: float,
    span: float,
    width: int,
    height: int,
    target: float | None = None,
    top: float | None = None,
    unit: str = "%",
    gutter: int = GUTTER,
    gap: float = GAP,
) -> list[Line]:
    """A filled curve: calm below its target, a warning above it; the edge is bright, the area under it dim.

    Args:
        samples: oldest first.
        end: POSIX seconds at the right edge, now.
        span: seconds from the left edge to the right.
        width: cells of a line, the gutter with its labels included.
        height: lines.
        target: drawn as `╌` across, wherever the curve does not run.
        top: the value at the upper edge; without it one that fits is chosen.
        unit: stands behind the labels.
        gutter: cells left of the curve.
        gap: seconds that a sample holds.
    """
    gutter = gutter if width > gutter + 2 else 0
    cells = width - gutter
    if cells < 1 or height < 1:
        return []
    values = columns(samples, end, span, 2 * cells, gap)
    aim = target if target is not None and math.isfinite(target) and target >= 0 else None
    peak = top if top is not None and math.isfinite(top) and top > 0 else ceiling([*values, aim])
    peak = max(peak, aim or 0.0)
    aim_row = None if aim is None else min(height - 1, int((1 - aim / peak) * (4 * height - 1)) >> 2)
    grid = _filled(values, peak, cells, height)
    labels = {0: _number(peak, unit, gutter - 2), height - 1: "0"} | (
        {} if aim_row is None or aim is None else {aim_row: _number(aim, unit, gutter - 2)}
    )
    out: list[Line] = []
    for y in range(height):
        line: Line = []
        if gutter:
            line = [(pad(labels.get(y, ""), gutter - 2, right=True), "fg" if y == aim_row else "muted"), (" ┼" if y == aim_row else " │", "faint")]
        out.append([*line, *_row(grid[y], y, aim_row)])
    return out


def columns(samples: Iterable[Sample], end: float, span: float, count: int, gap: float = GAP) -> list[float | None]:
    """One value for each of `count` columns of equal duration: the highest that held in it, None where none did."""
    if count < 1 or not (span > 0 and math.isfinite(span) and math.isfinite(end)):
        return [None] * max(0, count)
    step = span / count
    first = math.ceil(end / step) - count
    out: list[float | None] = [None] * count
    known = [(at, value) for at, value in samples if math.isfinite(at)]
    for i, (at, value) in enumerate(known):
        if value is None or math.isnan(value):
            continue
        until = min(at + gap, known[i + 1][0] if i + 1 < len(known) else end, end)
        a = math.floor(at / step) - first
        b = max(a, math.ceil(until / step) - 1 - first)
        for x in range(max(0, a), min(count - 1, b) + 1):
            was = out[x]
            out[x] = value if was is None or x != a or value > was else was
    return out


def ceiling(values: Iterable[float | None]) -> float:
    """A round number that all values lie below: 1, 2 or 5 times a power of ten."""
    most = max((v for v in values if v is not None and math.isfinite(v)), default=0.0)
    if not 1e-300 < most < 1e300:
        return most if most > 1 else 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next((m * power for m in (1.0, 2.0, 5.0) if m * power >= most), 10.0 * power)


def _filled(values: Sequence[float | None], peak: float, cells: int, height: int) -> list[list[tuple[int, bool]]]:
    """The dots of each cell, and whether the curve's edge runs through it."""
    grid = [[(0, False)] * cells for _ in range(height)]
    dots = 4 * height
    last: int | None = None
    for x, value in enumerate(values):
        if value is None:
            last = None
            continue
        tall = round(max(0.0, min(1.0, value / peak)) * (dots - 1)) + 1  # dots filled from below
        low, high = (tall, tall) if last is None else (min(last + 1, tall), max(last - 1, tall))
        last = tall
        bits, cell = (_LEFT, _RIGHT)[x & 1], x >> 1
        for y in range(height - 1 - ((max(tall, high) - 1) >> 2), height):
            below = 4 * (height - 1 - y)  # dots below this cell
            had, edge = grid[y][cell]
            grid[y][cell] = (had | bits[max(0, min(4, tall - below))], edge or (low <= below + 4 and high > below))
    return grid


def _row(row: Sequence[tuple[int, bool]], y: int, aim_row: int | None) -> Line:
    hot = aim_row is not None and y < aim_row
    out: Line = []
    text, tone = "", ""
    for bits, edge in row:
        if edge and bits:
            span: Span = (chr(0x2800 + bits), "warn" if hot else "accent")
        elif y == aim_row:
            span = ("╌", "fg")
        else:
            span = (chr(0x2800 + bits) if bits else " ", "heat" if hot else "glow")
        if span[1] != tone and text:
            out.append((text, tone))
            text = ""
        text, tone = text + span[0], span[1]
    return [*out, (text, tone)]


def _number(value: float, unit: str, room: int) -> str:
    """A label in so many cells; large values are shortened by thousands."""
    for size, letter in ((1, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")):
        for digits in (".1f", ".0f") if value / size < 10 and value != int(value) else (".0f",):
            text = f"{value / size:{digits}}{letter}{unit}"
            if len(text) <= room:
                return text
    return "…"[: max(0, room)]


def steps(
    wanted: Sequence[Sample],
    ready: Sequence[Sample],
    *,
    end: float,
    span: float,
    width: int,
    height: int,
    lo: int,
    hi: int,
    gutter: int = GUTTER,
    gap: float = GAP,
) -> list[Line]:
    """Whole numbers over time: `━┛┏` what is wanted, `─` what is there where that differs, `╌` the rails lo and hi.

    One line for each number where the height allows it; else lines stand for several.

    Args:
        wanted: what was asked for, oldest first.
        ready: what was there.
        end: POSIX seconds at the right edge, now.
        span: seconds from the left edge to the right.
        width: cells of a line, with the gutter.
        height: lines at most.
        lo: the lower rail.
        hi: the upper rail.
        gutter: cells left of the curve.
        gap: seconds that a sample holds.
    """
    gutter = gutter if width > gutter + 2 else 0
    cells = width - gutter
    if cells < 1 or height < 1:
        return []
    a = [None if v is None or math.isinf(v) else int(v) for v in columns(wanted, end, span, cells, gap)]
    r = [None if v is None or math.isinf(v) else int(v) for v in columns(ready, end, span, cells, gap)]
    seen = [v for v in (*a, lo, hi) if v is not None]
    ladder = _Ladder(min(seen), max(seen), height)
    grid = [[("╌", "faint") if y in (ladder.at(lo), ladder.at(hi)) else (" ", "fg")] * cells for y in range(ladder.rows)]
    _thin(grid, r, a, ladder)
    _thick(grid, a, ladder)
    now = next((v for v in reversed(a) if v is not None), None)
    return [[*_gutter(ladder, y, lo, hi, now, gutter), *_joined(grid[y])] for y in range(ladder.rows)]


class _Ladder:
    """Which line stands for which number; the top line for the highest."""

    def __init__(self, low: int, high: int, height: int) -> None:
        self.low, self.high = low, high
        self.rows = max(1, min(high - low + 1, height))

    def at(self, value: int) -> int:
        value = max(self.low, min(value, self.high))
        return 0 if self.high == self.low else round((self.high - value) * (self.rows - 1) / (self.high - self.low))


def _thin(grid: list[list[Span]], ready: Sequence[int | None], wanted: Sequence[int | None], ladder: _Ladder) -> None:
    for x, value in enumerate(ready):
        if value is not None and value != wanted[x]:
            grid[ladder.at(value)][x] = ("─", "soft")


def _thick(grid: list[list[Span]], wanted: Sequence[int | None], ladder: _Ladder) -> None:
    was: int | None = None
    for x, value in enumerate(wanted):
        now = None if value is None else ladder.at(value)
        if now is not None:
            grid[now][x] = ("━", "accent")
            if was is not None and was != now:
                for y in range(min(was, now) + 1, max(was, now)):
                    grid[y][x] = ("┃", "accent")
                grid[was][x], grid[now][x] = (("┛", "accent"), ("┏", "accent")) if now < was else (("┓", "accent"), ("┗", "accent"))
        was = now


def _gutter(ladder: _Ladder, y: int, lo: int, hi: int, now: int | None, gutter: int) -> Line:
    if not gutter:
        return []
    names = {ladder.at(lo): f"min {lo}"} | {ladder.at(hi): f"max {hi}"}
    if ladder.rows == ladder.high - ladder.low + 1:
        names = {row: str(ladder.high - row) for row in range(ladder.rows)} | names
    elif now is not None:
        names.setdefault(ladder.at(now), str(now))
    current = now is not None and ladder.at(now) == y
    name = names.get(y, "")
    name = name if len(name) <= gutter - 2 else name.rpartition(" ")[2][-(gutter - 2) :]
    return [(pad(name, gutter - 2, right=True), "fg" if current else "muted"), (" │", "faint")]


def _joined(spans: Iterable[Span]) -> Line:
    out: Line = []
    for text, tone in spans:
        if out and out[-1][1] == tone:
            out[-1] = (out[-1][0] + text, tone)
        else:
            out.append((text, tone))
    return out


def axis(span: float, *, width: int, gutter: int = GUTTER) -> Line:
    """The line of times below a chart: `−10m … −2m now`.

    Args:
        span: seconds from the left edge to the right.
        width: cells, with the gutter.
        gutter: cells left of the curve.
    """
    gutter = gutter if width > gutter + 2 else 0
    cells = width - gutter
    if cells < 3 or not (span > 0 and math.isfinite(span)):
        return [(" " * max(0, width), "muted")]
    step = next((s for s in _STEPS if cells * s / span >= 9), 10 * _STEPS[-1])
    line = list(" " * cells)
    line[-3:] = "now"
    free = cells - 4
    for n in range(1, int(span // step) + 1):
        text, x = _ago(n * step), round((1 - n * step / span) * (cells - 1))
        if x >= 0 and x + len(text) <= free:
            line[x : x + len(text)] = text
            free = x - 1
    return [(" " * gutter + "".join(line), "muted")]


def _ago(seconds: int) -> str:
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"−{seconds // size}{letter}"
    return f"−{seconds}s" if seconds < 60 else f"−{seconds / 60:g}m"


def sparkline(values: Sequence[float | None], cells: int, top: float | None = None) -> str:
    """The newest values as blocks, one a cell, in one text; blank where a value is not known.

    Args:
        values: oldest first.
        cells: cells; fewer values leave blanks at the left.
        top: the value of a full block, the highest of them without it.
    """
    shown = list(values)[-cells:] if cells > 0 else []
    numbers = [v for v in shown if v is not None and math.isfinite(v)]
    peak = top if top and math.isfinite(top) and top > 0 else max(numbers, default=0.0)
    text = "".join(
        " " if v is None or math.isnan(v) else _BLOCKS[round(max(0.0, min(1.0, v / peak if peak > 0 else 0.0)) * (len(_BLOCKS) - 1))] for v in shown
    )
    return text.rjust(max(0, cells))
