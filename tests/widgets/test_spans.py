"""Marking, wrapping, skipping and reading colours: what goes in comes out, in other pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubepane_widgets.lines import Line, width
from kubepane_widgets.spans import fold, from_terminal, highlight, skip, text_of, wrap

TEXT = st.text(st.sampled_from("abAB İß漢é\u0301\u202e🙂"), max_size=8)
LINES = st.lists(st.tuples(TEXT, st.sampled_from(["fg", "bad"])), max_size=5)


@given(LINES, st.text(st.sampled_from("abAB İ漢"), max_size=3))
def test_highlighting_changes_tones_only_where_the_text_is(line: Line, needle: str) -> None:
    found = highlight(line, needle)
    assert text_of(found) == text_of(line)
    marked = "".join(("#" if tone == "chip" else ".") * len(text) for text, tone in found)
    if needle and len(text_of(line).lower()) == len(text_of(line)):
        assert ("#" in marked) == (needle.lower() in text_of(line).lower())


def test_a_needle_is_found_across_spans() -> None:
    assert highlight([("de", "fg"), ("ploy", "bad")], "EPL") == [("d", "fg"), ("e", "chip"), ("pl", "chip"), ("oy", "bad")]


@given(LINES, st.integers(2, 20))
def test_wrapping_loses_nothing_and_keeps_the_width(line: Line, cells: int) -> None:
    parts = wrap(line, cells)
    assert "".join(map(text_of, parts)) == text_of(line)
    assert all(width(part) <= cells for part in parts)
    assert len(parts) >= 1
    assert all(map(text_of, parts)) or len(parts) == 1


@given(st.lists(st.tuples(TEXT | st.just("some words"), st.sampled_from(["fg", "bad"])), max_size=8), st.integers(0, 40))
def test_folding_loses_nothing_but_blanks_and_keeps_the_width(line: Line, cells: int) -> None:
    parts = fold(line, cells)
    assert "".join(map(text_of, parts)).replace(" ", "") == text_of(line).replace(" ", "")
    assert len(parts) == 1 or all(width(part) <= cells for part in parts)
    assert len(parts) > 1 or width(line) <= cells or cells < 8


def test_folding_breaks_between_words_and_indents() -> None:
    line: Line = [("! ", "bad"), ("configmap shop/one is forbidden: exceeded quota", "fg")]
    assert [text_of(part) for part in fold(line, 24)] == ["! configmap shop/one is", "    forbidden: exceeded", "    quota"]
    assert [text_of(part) for part in fold([("a" * 30, "fg")], 12, 2)] == ["a" * 10, "  " + "a" * 10, "  " + "a" * 10]
    assert fold(line, 80) == [line]


def test_folding_keeps_a_combining_mark_that_stands_on_a_blank() -> None:
    assert [text_of(part) for part in fold([("some words", "fg"), ("AA \u0301", "fg")], 8)] == ["some wor", "    dsAA", "     \u0301"]


@given(LINES, st.integers(0, 30))
def test_skipping_takes_cells_off_the_front(line: Line, cells: int) -> None:
    rest = skip(line, cells)
    assert width(rest) == max(0, width(line) - cells)
    assert text_of(line).endswith(text_of(rest).lstrip())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", [("plain", "fg")]),
        ("\x1b[31mred\x1b[0m plain", [("red", "bad"), (" plain", "fg")]),
        ("\x1b[1;33mwarn\x1b[m.", [("warn", "warn"), (".", "fg")]),
        ("\x1b[1mbold\x1b[0m", [("bold", "bold"), ("", "fg")]),
        ("\x1b[38;5;196mfree\x1b[32mok", [("free", "fg"), ("ok", "ok")]),
        ("\x1b[38;2;1;2;3;31mred", [("red", "bad")]),
        ("\x1b[90mdim", [("dim", "muted")]),
        ("\x1b[2Jclear \x1b]0;title\x07", [("␛[2Jclear ␛]0;title␇", "fg")]),
        ("\x1b[31", [("␛[31", "fg")]),
        ("\x1b[;;mx", [("x", "fg")]),
        ("", [("", "fg")]),
    ],
)
def test_a_programs_colours_become_tones_and_nothing_else_is_obeyed(text: str, line: Line) -> None:
    assert from_terminal(text) == line


@given(st.text(st.sampled_from("ab\x1b[0123;mJ\x9b\r\n"), max_size=40))
def test_no_line_of_output_keeps_a_control_character(text: str) -> None:
    assert text_of(from_terminal(text)).isprintable()
