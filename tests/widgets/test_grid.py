"""The cell difference, judged by a terminal emulator: what is sent must leave it showing what the compositor has."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from kubepane_widgets import grid as g, text as t
from kubepane_widgets.grid import Grid
from widgets.terminals import Terminal, wholly

W, H = 40, 5
TEXTS = ["a", "b ", "漢", "字x", "é", "🙂", "zz", "  ", "ok", "─", "━━", "⣿", "e\u0301", "●"]
STYLES = [
    Style.parse(s)
    for s in ("none", "red", "#102030 on #405060", "bold", "bold red on blue", "dim", "bold dim", "underline", "reverse green", "italic")
]


def spans(texts: list[str]) -> st.SearchStrategy[list[tuple[str, Style]]]:
    return st.lists(st.tuples(st.lists(st.sampled_from(texts), min_size=1, max_size=6).map("".join), st.sampled_from(STYLES)), min_size=1, max_size=6)


segments = spans(TEXTS)
unmarked = spans([text for text in TEXTS if len(text) == 1 or text.isascii()])  # Textual's crop parts a mark from its letter


def strip(parts: list[tuple[str, Style]], cells: int) -> Strip:
    whole = Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(cells, Style())
    return whole.crop(0, cells)


frames = st.lists(st.dictionaries(st.tuples(st.integers(0, H - 1), st.sampled_from([0, 1])), segments, min_size=1), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(frames, st.integers(5, W - 5))
def test_the_terminal_shows_what_was_wanted_after_every_frame(todo: list[dict[tuple[int, int], list[tuple[str, Style]]]], cut: int) -> None:
    grid, seen = Grid(W, H), Terminal(W, H)
    now: dict[tuple[int, int], Strip] = {(y, x): strip([(" ", Style())], cut if not x else W - cut) for y in range(H) for x in (0, cut)}
    seen.feed(grid.update((y, x, piece) for (y, x), piece in sorted(now.items())))
    for frame in todo:
        changed = {(y, cut * side): strip(parts, W - cut if side else cut) for (y, side), parts in frame.items()}
        now |= changed
        seen.feed(grid.update((y, x, piece) for (y, x), piece in sorted(changed.items())))
        whole = Terminal(W, H)
        whole.feed(wholly(now))
        assert seen.cells() == whole.cells()
    assert grid.update((y, x, piece) for (y, x), piece in sorted(now.items())) == ""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, H - 1), st.integers(0, W - 1), segments), max_size=10))
def test_pieces_that_cut_wide_characters_in_two_leave_nothing_wrong_once_all_is_written(
    pieces: list[tuple[int, int, list[tuple[str, Style]]]],
) -> None:
    """A card opens over the screen: its edges fall anywhere. The lines are repainted in the same or the next frame."""
    grid, seen = Grid(W, H), Terminal(W, H)
    for y, x, parts in pieces:
        seen.feed(grid.update([(y, x, strip(parts, min(11, W - x)))]))
    now = {(y, 0): strip([(f"line {y} 漢字 ", Style()), ("x", STYLES[1])], W) for y in range(H)}
    seen.feed(grid.update((y, x, piece) for (y, x), piece in now.items()))
    whole = Terminal(W, H)
    whole.feed(wholly(now))
    assert seen.cells() == whole.cells()


def test_what_is_shown_costs_nothing_and_what_changed_costs_little() -> None:
    grid = Grid(80, 2)
    style, other = Style.parse("#d3d9e2 on #10141b"), Style.parse("#ec7c80 on #10141b")
    line = Strip([Segment("chatapp-7c9f8d6b54-2xkqp  Running   371m".ljust(80), style)])
    assert len(grid.update([(0, 0, line)])) > 80
    assert grid.update([(0, 0, line)]) == ""
    assert grid.update([(0, 0, Strip(list(line)))]) == "", "another strip that reads the same"
    changed = Strip([Segment("chatapp-7c9f8d6b54-2xkqp  ", style), Segment("Pending", other), Segment("   372m".ljust(47), style)])
    data = grid.update([(0, 0, changed)])
    assert data == "\x1b[1;27H\x1b[38;2;236;124;128;48;2;16;20;27mPending\x1b[5C\x1b[38;2;211;217;226m2\x1b[0m"


def test_a_style_is_left_by_the_shortest_way() -> None:
    assert g._delta("", "1") == "\x1b[1m"
    assert g._delta("1", "") == "\x1b[0m"
    assert g._delta("1;38;2;1;2;3", "38;2;1;2;3") == "\x1b[22m"
    assert g._delta("38;2;100;100;100;48;2;16;20;27", "38;2;200;200;200;48;2;16;20;27") == "\x1b[38;2;200;200;200m"
    assert g._delta("1;2", "1") == "\x1b[22;1m" or g._delta("1;2", "1") == "\x1b[0;1m"
    assert g._delta("31;44", "31") == "\x1b[49m"
    assert g._delta("38;5;9;48;5;4", "38;5;10;48;5;4") == "\x1b[38;5;10m"
    assert g._delta("97;100", "97;40") == "\x1b[40m"


def test_nothing_is_written_outside_the_terminal() -> None:
    grid, seen = Grid(10, 2), Terminal(10, 2)
    seen.feed(grid.update([(0, 5, Strip([Segment("漢字漢字漢字")])), (7, 0, Strip([Segment("below")])), (1, 10, Strip([Segment("beside")]))]))
    assert seen.screen.display == ["     漢字 ", " " * 10]


@pytest.mark.parametrize("pattern", [g._NARROW, t._OURS])
def test_the_characters_taken_for_narrow_are(pattern: object) -> None:
    match = pattern  # a bound fullmatch of a character class
    taken = [chr(n) for n in range(0x20, 0x30000) if match(chr(n))]  # type: ignore[operator]
    assert len(taken) > 500
    assert [ch for ch in taken if cell_len(ch) != 1] == []
    assert [ch for ch in taken if unicodedata.category(ch)[0] in "CM" or (unicodedata.category(ch)[0] == "Z" and ch != " ")] == []


def test_every_text_of_ours_passes_through_clean_unchanged() -> None:
    ours = "".join(ch for ch in map(chr, range(0x20, 0x3000)) if t._OURS(ch))
    assert t._unicode(ours) == ours
    assert re.fullmatch("[ -~]*", "".join(ch for ch in ours if ch.isascii()))


@settings(max_examples=40, deadline=None)
@given(st.lists(unmarked, min_size=H, max_size=H), st.integers(1, W - 12), unmarked)
def test_a_card_that_comes_and_goes_leaves_the_lines_below_it_whole(
    lines: list[list[tuple[str, Style]]], x: int, parts: list[tuple[str, Style]]
) -> None:
    """The card's lines cut those below in three; when it closes, the very strips of before are drawn again."""
    below = {(y, 0): strip(line, W) for y, line in enumerate(lines)}
    over: dict[tuple[int, int], Strip] = {}
    for y, line in enumerate(lines):
        whole = strip(line, W)
        over |= {(y, 0): whole.crop(0, x), (y, x): strip(parts, 11), (y, x + 11): whole.crop(x + 11, W)}
    grid, seen = Grid(W, H), Terminal(W, H)
    for frame in (below, over, below):
        seen.feed(grid.update((y, at, piece) for (y, at), piece in sorted(frame.items())))
        wanted = Terminal(W, H)
        wanted.feed(wholly(frame))
        assert seen.cells() == wanted.cells()


def test_what_was_written_over_is_not_taken_for_shown() -> None:
    grid, seen = Grid(10, 1), Terminal(10, 1)
    wide, plain = Strip([Segment("漢字漢字漢")]), Strip([Segment("0123456789")])
    for line in (wide, plain):
        for x in range(9):
            for data in ([(0, 0, line)], [(0, x, Strip([Segment("ab")]))], [(0, 0, line)]):
                seen.feed(grid.update(data))
            assert seen.screen.display[0] == line.text


def test_a_piece_with_wide_characters_is_written_as_a_whole() -> None:
    """Terminals do not agree on widths: what follows such a character may stand elsewhere than we think."""
    grid = Grid(10, 1)
    grid.update([(0, 0, Strip([Segment("漢字a     ")]))])
    assert grid.update([(0, 0, Strip([Segment("漢字b     ")]))]) == "\x1b[1;1H漢字b     "
    assert grid.update([(0, 0, Strip([Segment("plain     ")]))]) == "\x1b[1;1Hplain     "
    assert grid.update([(0, 0, Strip([Segment("plaim     ")]))]) == "\x1b[1;5Hm"
