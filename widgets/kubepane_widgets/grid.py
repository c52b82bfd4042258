"""What the terminal shows, cell by cell, and the bytes that bring it up to date. Pure: strips in, one string out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

_GAP = 3  # unchanged cells that are as cheap to send again as to step over
_CODES = 4096  # styles remembered
# characters that are one cell wide without a doubt: all that panes are made of
_NARROW = re.compile("[ -~¡-¬®-˿Α-ΡΣ-ωА-я‐-‧‰-⁞←-↙↻−≤≥⏎␀-␡─-◼◿✓✕✗✘⟨⟩⠀-⣿①-⓿]*").fullmatch
_ENDS = {1: 22, 2: 22, 3: 23, 4: 24, 5: 25, 6: 25, 7: 27, 8: 28, 9: 29}

Piece = tuple[int, int, Strip]  # line, first cell, what is there


@dataclass(slots=True)
class _Row:
    """One line of the terminal: a character and a style code for each cell; the second cell of a wide character is ""."""

    chars: list[str | None]
    codes: list[str | None]
    strips: dict[int, tuple[int, Strip]] = field(default_factory=dict)  # first cell → the cell behind it, what was written last


class Grid:
    """The cells of a terminal of one size, all unknown at first.

    Args:
        width: cells of a line.
        height: lines.
        system: the colours that the terminal can show.
    """

    def __init__(self, width: int, height: int, system: ColorSystem = ColorSystem.TRUECOLOR) -> None:
        self.width = width
        self.height = height
        self.system = system
        self._rows = [_Row([None] * width, [None] * width) for _ in range(height)]
        self._codes: dict[Style, str] = {}
        self._deltas: dict[tuple[str, str], str] = {}

    def update(self, pieces: Iterable[Piece]) -> str:
        """The bytes after which the terminal shows these pieces; "" where it does already."""
        pen = _Pen(self._deltas)
        for y, x, strip in pieces:
            if not 0 <= y < self.height or not 0 <= x < self.width:
                continue
            row = self._rows[y]
            known = row.strips.get(x)
            if known is not None and (known[1] is strip or known[1] == strip):
                continue
            self._write(pen, y, x, strip, row)
        return pen.finish()

    def _write(self, pen: _Pen, y: int, x: int, strip: Strip, row: _Row) -> None:
        chars, codes, wide = self._cells(strip, self.width - x)
        end = x + len(chars)
        had_chars, had_codes = row.chars[x:end], row.codes[x:end]
        if chars != had_chars or codes != had_codes:
            whole = wide or "" in had_chars  # terminals do not agree on widths: write the whole piece, as one
            runs = [(0, len(chars))] if whole else _runs(chars, codes, had_chars, had_codes)
            for a, b in runs:
                pen.write(y, x + a, chars[a:b], codes[a:b], sure=not wide)
            row.chars[x:end] = chars
            row.codes[x:end] = codes
            if x and cell_len(row.chars[x - 1] or "") > 1:  # its second half was overwritten, the terminal has blanked it
                row.chars[x - 1] = None
        for start, (stop, _) in list(row.strips.items()):
            if start < end and stop > x:
                del row.strips[start]
        row.strips[x] = (end, strip)

    def _cells(self, strip: Strip, room: int) -> tuple[list[str | None], list[str | None], bool]:
        """Characters and codes of a piece, at most `room` cells, and whether any character is not surely one cell wide."""
        chars: list[str | None] = []
        codes: list[str | None] = []
        wide = False
        for text, style, control in strip:
            if control or not text:
                continue
            code = self._code(style)
            if _NARROW(text):
                chars += text
                codes += [code] * len(text)
                continue
            wide = True
            split = _split(text)
            chars += split
            codes += [code] * len(split)
        if len(chars) > room:
            del chars[room:], codes[room:]
            if chars and cell_len(chars[-1] or "") > 1:
                chars[-1] = " "
        return chars, codes, wide

    def _code(self, style: Style | None) -> str:
        if style is None:
            return ""
        code = self._codes.get(style)
        if code is None:
            if len(self._codes) > _CODES:
                self._codes.clear()
                self._deltas.clear()
            code = self._codes[style] = Strip.render_ansi(style, self.system)
        return code


def _split(text: str) -> list[str]:
    """A text by cells: a wide character and a blank entry for its second cell; marks with the character before them."""
    out: list[str] = []
    cells = 0
    for ch in text:
        n = cell_len(ch)
        cells += n
        if n:
            out += [ch] + [""] * (n - 1)
        elif out:
            lead = len(out) - 1 if out[-1] else len(out) - 2
            out[lead] += ch
    if (whole := cell_len(text)) != cells:  # a sequence that is narrower than its parts: keep it whole
        return [text] + [""] * (whole - 1) if whole else []
    return out


def _runs(chars: list[str | None], codes: list[str | None], had_chars: list[str | None], had_codes: list[str | None]) -> list[tuple[int, int]]:
    """Stretches of cells that differ; neighbours are joined where what lies between is short and of one style."""
    differ = [i for i, (a, b, c, d) in enumerate(zip(chars, had_chars, codes, had_codes, strict=True)) if a != b or c != d]
    runs: list[tuple[int, int]] = []
    start = end = differ[0]
    for i in differ:
        gap = i - end
        if gap > _GAP or (gap > 0 and codes[end - 1 : i + 1].count(codes[i]) != gap + 2):
            runs.append((start, end))
            start = i
        end = i + 1
    return [*runs, (start, end)]


class _Pen:
    """Collects bytes; knows where the cursor is and in which style it writes, so that only changes are sent."""

    def __init__(self, deltas: dict[tuple[str, str], str]) -> None:
        self._out: list[str] = []
        self._deltas = deltas
        self._style = ""
        self._at: tuple[int, int] | None = None  # line and cell of the cursor, None where it cannot be known for sure

    def write(self, y: int, x: int, chars: list[str | None], codes: list[str | None], *, sure: bool) -> None:
        """Writes a stretch of cells; `sure`: the cursor is behind it afterwards."""
        self._move(y, x)
        a, n = 0, len(chars)
        while a < n:
            code, b = codes[a] or "", a + 1
            while b < n and codes[b] == code:
                b += 1
            if code != self._style:
                self._out.append(self._delta(self._style, code))
                self._style = code
            self._out.append("".join(ch or "" for ch in chars[a:b]))
            a = b
        self._at = (y, x + n) if sure else None

    def finish(self) -> str:
        """All bytes; the terminal is back to its own style."""
        if self._style:
            self._out.append("\x1b[0m")
        return "".join(self._out)

    def _move(self, y: int, x: int) -> None:
        if self._at == (y, x):
            return
        if self._at is not None and self._at[0] == y and self._at[1] < x:
            step = x - self._at[1]
            self._out.append(f"\x1b[{step}C" if step > 1 else "\x1b[C")
        else:
            self._out.append(f"\x1b[{y + 1};{x + 1}H")

    def _delta(self, was: str, now: str) -> str:
        delta = self._deltas.get((was, now))
        if delta is None:
            delta = self._deltas[was, now] = _delta(was, now)
        return delta


def _delta(was: str, now: str) -> str:
    """The shortest sequence from one style to another."""
    whole = f"\x1b[0;{now}m" if was and now else f"\x1b[{now or 0}m"
    ink, ground, marks = _parts(was)
    new_ink, new_ground, new_marks = _parts(now)
    gone = marks - new_marks
    codes = [str(_ENDS[mark]) for mark in sorted(gone)]
    again = {mark for mark in new_marks & marks if _ENDS[mark] in {_ENDS[m] for m in gone}}  # bold and dim end together
    codes += [str(mark) for mark in sorted((new_marks - marks) | again)]
    if ink != new_ink:
        codes.append(new_ink or "39")
    if ground != new_ground:
        codes.append(new_ground or "49")
    part = f"\x1b[{';'.join(codes)}m"
    return part if codes and len(part) < len(whole) else whole


def _parts(code: str) -> tuple[str, str, frozenset[int]]:
    """Ink, ground and attributes of an SGR code."""
    numbers = code.split(";") if code else []
    ink, ground, marks = "", "", set()
    i = 0
    while i < len(numbers):
        n = int(numbers[i])
        size = 1
        if n in (38, 48):
            size = 5 if numbers[i + 1] == "2" else 3
        value = ";".join(numbers[i : i + size])
        if n == 38 or 30 <= n <= 37 or 90 <= n <= 97:
            ink = value
        elif n == 48 or 40 <= n <= 47 or 100 <= n <= 107:
            ground = value
        elif n in _ENDS:
            marks.add(n)
        i += size
    return ink, ground, frozenset(marks)
