"""The only way in for text that comes from elsewhere: what is not plain text is shown, never obeyed."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 4096
_OURS = re.compile("[ -~·–‘-”…←-↓−≤≥×÷─-╿▀-▟■-◼◿⠀-⣿✓✕]*").fullmatch  # what panes are drawn with: surely plain
_MARKS = 2  # combining marks kept per character; more is not writing


def clean(text: str, limit: int = LIMIT) -> str:
    """Text that moves no cursor, turns no line around and hides nothing.

    Line breaks and tabs become a space, other control characters their visible picture (`␛`), invisible and bidirectional
    ones their code (`⟨U+202E⟩`), floods of combining marks are cut.

    Args:
        text: any text, from any source.
        limit: characters kept; a longer text ends in `…`.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii():
        return text if text.isprintable() else "".join(map(_ascii, text))
    return text if _OURS(text) else _unicode(text)


def _ascii(ch: str) -> str:
    return ch if " " <= ch <= "~" else " " if ch in "\n\r\t" else "␡" if ch == "\x7f" else chr(0x2400 + ord(ch))


def _unicode(text: str) -> str:
    out: list[str] = []
    marks = 0
    for ch in text:
        if ch.isascii():
            marks = 0
            out.append(_ascii(ch))
            continue
        category = unicodedata.category(ch)
        if category[0] == "M" and not _selector(ch):
            marks += 1
            if marks <= _MARKS and out:
                out.append(ch)
            continue
        marks = 0
        if category == "Zs":
            out.append(" ")
        elif category[0] in "CZ" or _selector(ch):
            out.append(f"⟨U+{ord(ch):04X}⟩")
        else:
            out.append(ch)
    return "".join(out)


def _selector(ch: str) -> bool:
    return "\ufe00" <= ch <= "\ufe0f" or "\U000e0100" <= ch <= "\U000e01ef"
