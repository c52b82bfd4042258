"""The rows on screen: asked for once, measured once, sideways in full."""

from __future__ import annotations

from kubepane_widgets.lines import width
from kubepane_widgets.table import UNROLLED, Table
from widgets.stage import COLUMNS, shelf


def table(n: int = 9, cells: int = 60, *, unrolled: bool = False) -> Table:
    made = Table(shelf(n), COLUMNS, cells, 20, unrolled=unrolled)
    made.show([f"k{i}" for i in range(n)])
    return made


def test_a_row_is_asked_for_once_and_again_when_it_was_forgotten() -> None:
    made = table(3)
    source = made.source
    assert not made.show(["k0", "k1", "k2"])
    assert source.asked == ["k0", "k1", "k2"]  # type: ignore[attr-defined]
    made.forget(["k1", "k700"])
    made.show(["k0", "k1"])
    assert source.asked == ["k0", "k1", "k2", "k1"]  # type: ignore[attr-defined]
    assert set(made.rows) == {"k0", "k1"}, "what is not seen is not kept"


def test_columns_move_only_when_a_row_wants_more() -> None:
    made = table(3)
    made.source.rows["k3"] = ("row-003", "Running", 3, "")  # type: ignore[attr-defined]
    assert not made.show(["k1", "k2", "k3"])
    made.source.rows["k4"] = ("a-name-that-is-longer", "Running", 3, "")  # type: ignore[attr-defined]
    assert made.show(["k2", "k3", "k4"])
    assert not made.show(["k2", "k3"]), "and they stay"


def test_a_row_that_was_looked_at_before_it_came_to_be_seen_is_measured_all_the_same() -> None:
    made = table(3)
    made.source.rows["k4"] = ("a-name-that-is-longer", "Running", 3, "")  # type: ignore[attr-defined]
    made.row("k4")
    assert made.show(["k0", "k4"])


def test_sideways_every_column_has_what_it_wants_and_a_cell_knows_its_column() -> None:
    fitted, unrolled = table(3, 30), table(3, 30, unrolled=True)
    assert unrolled.width == UNROLLED
    assert "10.0.0.1" not in "".join(text for text, _ in fitted.line("k0"))
    line = unrolled.line("k0")
    assert "10.0.0.1" in "".join(text for text, _ in line)
    assert width(line) == unrolled.length
    assert unrolled.fixed == 1 + 1 + 8 + 1
    heading = "".join(text for text, _ in unrolled.heading("", ""))
    assert unrolled.column_at(heading.index("IP")) == "ip"
    assert unrolled.column_at(0) == "g"
    assert unrolled.column_at(-1) is None
    assert unrolled.column_at(999) is None
