"""Our glyphs are one cell each, everywhere: the terminal's, the table of ASCII twins', and the cell diff's."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from kubepane_widgets.glyphs import ASCII, GLYPHS, to_ascii
from kubepane_widgets.grid import Grid


@pytest.mark.parametrize("glyph", [chr(code) for code in ASCII])
def test_glyph_takes_one_cell_and_has_a_twin_of_one_cell(glyph: str) -> None:
    assert cell_len(glyph) == 1
    assert len(to_ascii(glyph)) == 1


@pytest.mark.parametrize("glyph", [chr(code) for code in ASCII])
def test_glyph_on_a_line_does_not_make_the_whole_line_be_sent_again(glyph: str) -> None:
    grid = Grid(40, 1)
    grid.update([(0, 0, Strip([Segment(f"{glyph} some words and a number 41")]))])
    assert "some words" not in grid.update([(0, 0, Strip([Segment(f"{glyph} some words and a number 42")]))])


def test_meanings_have_different_ascii_where_they_stand_side_by_side() -> None:
    assert len({to_ascii(GLYPHS[name]) for name in ("ok", "busy", "wait", "warn", "bad", "done", "off")}) == 7
