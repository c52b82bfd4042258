"""Charts: exact width and height for any numbers, gaps where nothing was measured, and the facts where they belong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from kubepane_widgets.chart import axis, ceiling, columns, curve, sparkline, steps
from kubepane_widgets.lines import Line, width as cells_of

NOW = 1_700_000_000.0
ANY = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 500), st.sampled_from([0.0, -1.0, 1e308, 1.7e308, 5e-324, 1e-310])
)
SAMPLES = st.lists(st.tuples(st.floats(NOW - 900, NOW + 60), ANY), max_size=60).map(lambda s: sorted(s, key=lambda x: x[0]))
WHOLE = st.lists(st.tuples(st.floats(NOW - 900, NOW), st.one_of(st.none(), st.integers(0, 5000).map(float))), max_size=30).map(
    lambda s: sorted(s, key=lambda x: x[0])
)


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def tones(line: Line) -> str:
    """One letter a cell: the first of its tone's name."""
    return "".join(tone[0] * len(part) for part, tone in line)


@given(SAMPLES, st.integers(1, 130), st.integers(1, 20), ANY, ANY, st.sampled_from([0.0, 45.0, 1e9]))
def test_a_curve_has_the_size_it_is_told_whatever_the_numbers(
    samples: list[tuple[float, float | None]], width: int, height: int, target: float | None, top: float | None, gap: float
) -> None:
    lines = curve(samples, end=NOW, span=600, width=width, height=height, target=target, top=top, gap=gap)
    assert [cells_of(line) for line in lines] == [width] * height


@given(WHOLE, WHOLE, st.integers(1, 130), st.integers(1, 20), st.integers(0, 10), st.integers(0, 5000))
def test_steps_have_the_width_they_are_told(
    wanted: list[tuple[float, float | None]], ready: list[tuple[float, float | None]], width: int, height: int, lo: int, hi: int
) -> None:
    lines = steps(wanted, ready, end=NOW, span=600, width=width, height=height, lo=lo, hi=hi)
    assert 1 <= len(lines) <= height
    assert {cells_of(line) for line in lines} == {width}


@given(st.floats(1, 1e7), st.integers(1, 200))
def test_an_axis_has_the_width_it_is_told_and_ends_now(span: float, width: int) -> None:
    line = axis(span, width=width)
    assert cells_of(line) == width
    assert width < 12 or text(line).endswith("now")


@pytest.mark.parametrize("bad", [0.0, -5.0, math.nan, math.inf])
def test_a_span_that_is_none_draws_nothing_and_raises_nothing(bad: float) -> None:
    assert "⣿" not in "".join(map(text, curve([(NOW, 5.0)], end=NOW, span=bad, width=40, height=4)))
    assert cells_of(axis(bad, width=40)) == 40
    assert steps([(NOW, 5.0)], [], end=NOW, span=bad, width=40, height=4, lo=1, hi=4)
    assert curve([], end=math.nan, span=600, width=0, height=0) == []


def test_above_its_target_a_curve_warns_and_below_it_is_calm() -> None:
    samples = [(NOW - 600 + 10 * i, 20.0 if i < 30 else 90.0) for i in range(60)]
    lines = curve(samples, end=NOW, span=600, width=47, height=8, target=50, top=100)
    aim = next(y for y, line in enumerate(lines) if "┼" in text(line))
    assert text(lines[aim]).startswith("  50% ┼╌╌╌")
    assert text(lines[0]).startswith(" 100% │")
    assert {t for line in lines[:aim] for t in tones(line)[7:]} == {"w", "h"}, "warn and heat"
    assert {t for line in lines[aim + 1 :] for t in tones(line)[7:]} == {"a", "g"}, "accent and glow"
    assert text(lines[-1])[7:] == "⣿" * 40


def test_what_was_not_measured_is_a_gap() -> None:
    samples = [(NOW - 600, 50.0), (NOW - 570, 50.0), (NOW - 100, 50.0), (NOW - 70, None), (NOW - 40, 50.0)]
    row = text(curve(samples, end=NOW, span=600, width=67, height=1, top=100, gap=45)[0])[7:]
    assert [len(part) for part in row.replace("⣤", "#").replace("⣀", "#").replace("⣶", "#").split(" ") if part]
    assert row[:7].strip()
    assert not row[8:49].strip(), "five minutes without a sample"
    assert row[51].strip()
    assert not row[54:55].strip(), "the value was unknown"
    assert row[-1].strip(), "a sample holds for 45 s"


def test_a_column_shows_its_highest_value_so_that_no_peak_is_lost() -> None:
    samples = [(NOW - 60 + i, 100.0 if i == 31 else 10.0) for i in range(60)]
    assert max(v for v in columns(samples, NOW, 60, 4) if v is not None) == 100.0


def test_a_chart_moves_by_whole_columns() -> None:
    samples = [(NOW - 500, 10.0), (NOW - 300, 60.0), (NOW - 200, 30.0)]
    at = math.floor(NOW / 15) * 15 + 1.0
    one, same, next_ = (columns(samples, at + wait, 600, 40, 1000) for wait in (0.0, 13.0, 15.0))
    assert one == same
    assert next_[:-1] == one[1:]


@pytest.mark.parametrize(
    ("values", "top"), [([], 1), ([0], 1), ([None, math.nan], 1), ([3], 5), ([101, 7], 200), ([0.02], 0.02), ([1e9], 1e9), ([1.0], 1)]
)
def test_a_ceiling_is_a_round_number_above(values: list[float | None], top: float) -> None:
    assert ceiling(values) == pytest.approx(top)


def test_steps_show_what_was_wanted_and_what_was_there() -> None:
    wanted = [(NOW - 600, 1.0), (NOW - 400, 2.0), (NOW - 200, 4.0)]
    ready = [(NOW - 600, 1.0), (NOW - 300, 2.0)]
    lines = [text(line) for line in steps(wanted, ready, end=NOW, span=600, width=37, height=9, lo=1, hi=4, gap=1e9)]
    assert lines == [
        "max 4 │╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┏━━━━━━━━━",
        "    3 │                    ┃         ",
        "    2 │          ┏━━━━━━━━━┛─────────",
        "min 1 │━━━━━━━━━━┛────╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌",
    ]


def test_many_replicas_share_the_lines_and_none_is_a_number_too() -> None:
    lines = [text(line) for line in steps([(NOW - 600, 0.0), (NOW - 300, 90.0)], [], end=NOW, span=600, width=27, height=3, lo=0, hi=90, gap=1e9)]
    assert [line[:7] for line in lines] == ["   90 │", "      │", "min 0 │"], "the name gives way to the number"
    assert "┏━" in lines[0]
    assert "━┛" in lines[2]


def test_a_sparkline_is_one_text_of_so_many_cells() -> None:
    assert sparkline([0, 4, 8], 5) == "  ▁▅█"
    assert sparkline([1, None, math.nan, math.inf, 2], 5, top=2) == "▅  ██"
    assert sparkline([], 3) == "   "
    assert sparkline([1, 2], 0) == ""
    assert sparkline([0, 0], 2) == "▁▁"


@given(st.lists(ANY, max_size=30), st.integers(0, 40), ANY)
def test_a_sparkline_never_fails(values: list[float | None], cells: int, top: float | None) -> None:
    assert len(sparkline(values, cells, top)) == cells
