"""What is done to spans on their way to the screen: marking what was searched for, wrapping, reading terminal colours. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

from kubepane_widgets.lines import Line, Span
from kubepane_widgets.text import LIMIT, clean

_WORDS = re.compile(r"\s*\S+|\s+$")
_SGR = re.compile(r"\x1b\[([0-9;]{0,64})m")
_INKS = {
    31: "bad",
    32: "ok",
    33: "warn",
    34: "accent",
    35: "accent",
    36: "accent",
    90: "muted",
    91: "bad",
    92: "ok",
    93: "warn",
    94: "accent",
    95: "accent",
    96: "accent",
}


def text_of(line: Sequence[Span]) -> str:
    """A line's text without tones, cleaned: what is searched in, and copied."""
    return "".join(clean(text) for text, _ in line)


def highlight(line: Sequence[Span], needle: str, tone: str = "chip") -> Line:
    """A line with every occurrence of a text in a tone of its own, upper and lower case alike, across spans.

    Args:
        line: spans; the result's texts are cleaned.
        needle: what is searched; "" marks nothing.
        tone: of what was found.
    """
    whole = text_of(line)
    low, what = whole.lower(), needle.lower()
    if not what or what not in low or len(low) != len(whole):  # some letters change their length in lower case
        return list(line)
    marked = bytearray(len(whole))
    at = low.find(what)
    while at >= 0:
        marked[at : at + len(what)] = b"\1" * len(what)
        at = low.find(what, at + len(what))
    if not whole.isascii():
        for i in range(1, len(whole)):
            if unicodedata.category(whole[i])[0] == "M":  # a mark goes with its letter
                marked[i] = marked[i - 1]
    out: Line = []
    start = 0
    for raw, own in line:
        text = clean(raw)
        here = marked[start : start + len(text)]
        start += len(text)
        a = 0
        while a < len(text):
            b = a + 1
            while b < len(text) and here[b] == here[a]:
                b += 1
            out.append((text[a:b], tone if here[a] else own))
            a = b
    return out


def wrap(line: Sequence[Span], cells: int) -> list[Line]:
    """A line as lines of at most so many cells, cut anywhere; an empty line stays one line."""
    if cells < 1:
        return [list(line)]
    out: list[Line] = [[]]
    left = cells
    for raw, tone in line:
        text = clean(raw)
        while text:
            if cell_len(text) <= left:
                out[-1].append((text, tone))
                left -= cell_len(text)
                break
            head = chop_cells(text, left)[0] if left > 0 else ""
            if cell_len(head) > left or not head:
                head = text[:1] if left == cells else ""  # a wide character in a column of one cell: let it be cropped
            if head:
                out[-1].append((head, tone))
                text = text[len(head) :]
            out.append([])
            left = cells
    if len(out) > 1 and not out[-1]:
        out.pop()
    return out


def fold(line: Sequence[Span], cells: int, indent: int = 4) -> list[Line]:
    """A line as lines of at most so many cells, broken between words where that can be; what follows is indented."""
    rest = cells - indent
    if rest < indent or sum(cell_len(clean(text)) for text, _ in line) <= cells:
        return [list(line)]
    out: list[Line] = [[]]
    room = cells
    for word, tone in ((word, tone) for text, tone in line for word in _WORDS.findall(clean(text))):
        for part in chop_cells(word, rest) if cell_len(word) > rest else [word]:
            if cell_len(part) > room:
                bare = part.lstrip()
                part = part if bare and not cell_len(bare[0]) else bare  # a combining mark keeps the blank that it stands on
                out.append([(" " * indent, "fg")])
                room = rest
            out[-1].append((part, tone))
            room -= cell_len(part)
    return out


def skip(line: Sequence[Span], cells: int) -> Line:
    """A line without its first cells; of a wide character that is cut in two a blank stays."""
    out: Line = []
    left = cells
    for raw, tone in line:
        text = clean(raw)
        while text and left > 0:
            left -= cell_len(text[0])
            text = text[1:]
        if text or left < 0:
            out.append((" " * -left + text, tone))
            left = 0
    return out


def from_terminal(text: str, tone: str = "fg") -> Line:
    """A line of a program's output: its colours become tones, everything else that is not plain text is shown, not obeyed.

    Args:
        text: one line, as the program wrote it.
        tone: of what has no colour of its own.
    """
    text = text[: LIMIT + 1]
    if "\x1b" not in text:
        return [(clean(text), tone)]
    out: Line = []
    own, start = tone, 0
    for found in _SGR.finditer(text):
        if found.start() > start:
            out.append((clean(text[start : found.start()]), own))
        own, start = _tone(found[1], own, tone), found.end()
    return [*out, (clean(text[start:]), own)]


def _tone(codes: str, own: str, base: str) -> str:
    """The tone after an SGR sequence."""
    numbers = [int(code or 0) for code in codes.split(";")]
    i = 0
    while i < len(numbers):
        n = numbers[i]
        if n in (38, 48):  # a palette or free colour: its meaning is not known
            i += 3 if numbers[i + 1 : i + 2] == [5] else 5
            own = base if n == 38 else own
            continue
        own = base if n in (0, 37, 39, 97) else _INKS.get(n, "muted" if n == 2 else "bold" if n == 1 and own == base else own)
        i += 1
    return own
