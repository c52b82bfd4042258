"""The last line of defence: no control character leaves in a strip, whatever a widget was given.

The first line is `text.clean`, where text comes in; this one holds where somebody forgot it.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from kubepane_widgets.text import clean


class Guard(LineFilter):
    """Shows what is not plain text instead of sending it; a line keeps its width, its end gives way."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Textual's hook: the segments of a strip on their way to the terminal."""
        if all(text.isprintable() for text, _, _ in segments):
            return segments
        cells = sum(segment.cell_length for segment in segments)
        shown = [Segment(text if text.isprintable() else clean(text, limit=1 << 20), style) for text, style, _ in segments]
        return Segment.adjust_line_length(shown, cells, pad=True)
