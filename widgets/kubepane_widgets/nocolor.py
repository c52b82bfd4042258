"""No colour at all, not even grey: what stood out by its ground is reversed, so that focus and cursor are still seen."""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter


class NoColor(LineFilter):
    """Takes the colours out of every style (no-color.org); bold stays, another ground than the screen's becomes reverse."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Textual's hook: the segments of a strip on their way to the terminal."""
        ground = background.rich_color
        return [Segment(text, _plain(style, ground) if style else style, control) for text, style, control in segments]


@lru_cache(maxsize=1024)
def _plain(style: Style, ground: object) -> Style:
    stands_out = style.bgcolor is not None and not style.bgcolor.is_default and style.bgcolor != ground
    return Style(bold=style.bold, underline=style.underline, italic=style.italic, reverse=True if stands_out else None)
