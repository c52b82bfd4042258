"""Widgets that paint Lines: the one way from tones to what the terminal gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from kubepane_widgets import palette
from kubepane_widgets.lines import Line, Span, fit, spread
from kubepane_widgets.text import clean

_GROUNDED = ("chip", "button")  # tones with a ground of their own: a blank of theirs is seen


def segments(
    line: Sequence[Span], styles: dict[tuple[str, bool], Style], *, cursor: bool = False, stale: bool = False, ascii: bool = False
) -> list[Segment]:
    """One segment for each run of a tone: every segment costs some 40 bytes on the wire. Blanks belong to the run before them."""
    out: list[Segment] = []
    run, tone = "", ""
    for text, own in line:
        if not text:
            continue
        own = "stale" if stale and own not in ("faint", *_GROUNDED) else own
        text = clean(text)
        if ascii:
            text = palette.to_ascii(text)
        if own == tone or (tone and text.isspace() and own not in _GROUNDED and tone not in _GROUNDED):
            run += text
            continue
        if run:
            out.append(Segment(run, styles.get((tone, cursor)) or styles["fg", cursor]))
        run, tone = text, own
    if run:
        out.append(Segment(run, styles.get((tone, cursor)) or styles["fg", cursor]))
    return out


class Painted(Widget):
    """A widget that makes its strips from Lines.

    Colours come from the app's theme (`palette.styles`), not from CSS, so a style is looked up once for all widgets. An app
    attribute `ascii` that is true turns every glyph into ASCII. `NO_COLOR` is Textual's own matter.
    """

    DEFAULT_CSS = "Painted { background: $background; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(Widget.auto_links, False)

    @property
    def ascii(self) -> bool:
        """Whether only ASCII may be painted."""
        return bool(getattr(self.app, "ascii", False))

    @property
    def styles_of_tones(self) -> dict[tuple[str, bool], Style]:
        """(tone, whether on the cursor line) → style, for the app's theme; the same object while the theme is the same."""
        return palette.styles(self.app.theme_variables)

    def paint(self, line: Sequence[Span], *, cursor: bool = False, stale: bool = False) -> Strip:
        """A line as a strip.

        Args:
            line: spans; their texts are cleaned here once more.
            cursor: on the ground of the cursor line.
            stale: everything but lines in the tone of what is not current.
        """
        return Strip(segments(line, self.styles_of_tones, cursor=cursor, stale=stale, ascii=self.ascii))

    def blank(self, cells: int) -> Strip:
        """An empty line on the ground of the theme."""
        return Strip.blank(cells, self.styles_of_tones["fg", False])


class Bar(Painted):
    """One line that fills its width: a header, a footer.

    Args:
        content: cells → what stands left and what stands right; called when the bar is painted.
    """

    DEFAULT_CSS = "Bar { height: 1; }"

    def __init__(self, content: Callable[[int], tuple[Line, Line]], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.content = content
        self._shown: Strip | None = None

    def flush(self) -> None:
        """Repaints the line if it reads differently now."""
        if self.size.width and self._line() != self._shown:
            self.refresh()

    def _line(self) -> Strip:
        cells = self.size.width
        left, right = self.content(cells)
        middle = spread(left, right, max(0, cells - 2))
        return self.paint(fit([(" ", "fg"), *middle, (" ", "fg")], cells))

    def render_line(self, y: int) -> Strip:
        """Textual's hook: what stands on line y."""
        self._shown = self._line()
        return self._shown if y == 0 else self.blank(self.size.width)


class Paragraph(Painted):
    """As many lines as there is something to say; no room is taken while there is nothing.

    Args:
        content: cells → the lines; called when they are painted.
    """

    DEFAULT_CSS = "Paragraph { height: 1; display: none; }"

    def __init__(self, content: Callable[[int], list[Line]], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.content = content
        self._shown: list[Line] = []

    def flush(self) -> None:
        """Shows what there is to say now, if it reads differently."""
        lines = self.content(max(1, self.app.size.width - 2))
        if lines == self._shown:
            return
        if len(lines) != len(self._shown):
            self.styles.height, self.display = max(1, len(lines)), bool(lines)
        self._shown = lines
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Textual's hook: what stands on line y."""
        cells = self.size.width
        if y >= len(self._shown):
            return self.blank(cells)
        return self.paint(fit([(" ", "fg"), *self._shown[y], (" ", "fg")], cells))
