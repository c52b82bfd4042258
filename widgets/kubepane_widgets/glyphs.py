"""The one place for glyphs: a view names one by its meaning. Without Textual, so that pure views load in no time."""

from __future__ import annotations

from rich.cells import cell_len

_PAIRS = {  # meaning: glyph and ASCII, each one cell wide; nothing that terminals draw as emoji
    "ok": "●*",
    "busy": "◐~",
    "wait": "○.",
    "warn": "▲!",
    "bad": "✕x",
    "done": "✓v",
    "off": "–-",
    "add": "++",
    "change": "~~",
    "same": "==",
    "live": "●*",
    "sync": "◌o",
    "again": "↻@",
    "poll": "◔%",
    "cursor": "▌>",
    "mark": "◆#",
    "to": "→>",
    "from": "←<",
    "elide": "…~",
    "dot": "·.",
    "ready": "■#",
    "starting": "◧/",
    "pending": "□_",
    "absent": "·.",
    "up": "↑^",
    "down": "↓v",
}
GLYPHS: dict[str, str] = {meaning: pair[0] for meaning, pair in _PAIRS.items()}
G = GLYPHS  # the short name, for views that are full of it
_TWINS = dict(zip("╭╮╰╯└├┤─│┼━╸╺┃┏┓┗┛╌█▓▒░►×÷≥≤−⏎⟨⟩␡▁▂▃▄▅▆▇", "++++++|-|+==-|++++.#%=.>x/><-<<>?__..-=#", strict=True))
ASCII: dict[int, str] = (
    {ord(pair[0]): pair[1] for pair in _PAIRS.values()}
    | {ord(glyph): twin for glyph, twin in _TWINS.items()}
    | {0x2400 + code: "?" for code in range(0x21)}
    | {0x2800 + dots: ".:*#"[min(3, dots.bit_count() // 2)] if dots else " " for dots in range(256)}
)


def to_ascii(text: str) -> str:
    """The text in ASCII, cell for cell: our glyphs by their twins, everything else as `?`."""
    if text.isascii():
        return text
    text = text.translate(ASCII)
    return text if text.isascii() else "".join(ch if ch.isascii() else "?" * cell_len(ch) for ch in text)
