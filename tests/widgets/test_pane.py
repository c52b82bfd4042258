"""The pane on a stage: what it shows, what it repaints, what it asks for, what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from textual.geometry import Region

from kubepane_widgets.columns import Column
from kubepane_widgets.pane import Pane
from widgets.stage import Shelf, Stage, lines_of, picture, shelf

FOREVER = float("inf")


class Watched(Pane):
    """A pane that notes which of its lines are asked to be painted again."""

    def __init__(self, source: Any, **options: Any) -> None:
        super().__init__(source, **options)
        self.painted: list[int] = []
        self.wholly = 0

    def refresh(self, *regions: Region, **options: Any) -> Any:
        self.painted += [region.y for region in regions]
        self.wholly += not regions
        return super().refresh(*regions, **options)

    def fresh_start(self) -> None:
        self.painted, self.wholly = [], 0


def sick(i: int) -> str:
    return "CrashLoopBackOff" if i == 2 else "Running"


async def test_one_key_repaints_the_two_lines_of_the_cursor_and_asks_for_nothing() -> None:
    source, pane = shelf(100), None
    pane = Watched(source)
    app = Stage(pane)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        pane.fresh_start()
        source.asked.clear()
        await pilot.press("j")
        assert (sorted(pane.painted), pane.wholly) == ([2, 3], 0)
        assert source.asked == []


async def test_rows_out_of_sight_are_never_asked_for() -> None:
    source = shelf(1000)
    app = Stage(Pane(source))
    async with app.run_test(size=(80, 24)):
        assert len(set(source.asked)) == 21
        source.asked.clear()
        pane = app.query_one(Pane)
        pane.flush({f"k{i}" for i in range(500, 1000)}, 0)
        assert source.asked == []
        pane.flush({"k3", "k700"}, 0)
        assert source.asked == ["k3"]


async def test_a_flush_repaints_only_lines_that_read_differently() -> None:
    source = shelf(100)
    pane = Watched(source)
    app = Stage(pane)
    async with app.run_test(size=(80, 24)):
        pane.fresh_start()
        pane.flush({"k1", "k2"}, 0)  # asked anew, and the same
        assert (pane.painted, pane.wholly) == ([], 0)
        source.rows["k2"] = ("row-002", "Pending", 2, "note 2")
        pane.flush({"k1", "k2"}, 0)
        assert pane.painted == [4]
        pane.fresh_start()
        source.live = [("↻ ", "stale"), ("reconnecting 3s", "stale")]
        pane.tick(0)
        assert pane.painted == [0], "only the title has changed"


async def test_time_makes_only_expired_rows_be_read_again() -> None:
    source = shelf(10)
    source.expires = {"k1": 100.0, "k2": 130.0}
    app = Stage(Pane(source))
    async with app.run_test(size=(80, 24)):
        pane = app.query_one(Pane)
        assert pane.next_expiry == 100.0
        source.asked.clear()
        source.expires["k1"] = 110.0
        pane.tick(99.9)
        assert source.asked == []
        pane.tick(100.0)
        assert source.asked == ["k1"]
        assert pane.next_expiry == 110.0
        source.drop("k1")
        source.drop("k2")
        pane.flush((), 100.0)
        assert pane.next_expiry == FOREVER


async def test_the_cursor_stays_on_its_object_and_says_when_it_has_to_leave() -> None:
    source = shelf(6)
    app = Stage(Pane(source))
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(Pane)
        await pilot.press("j", "j")
        assert pane.cursor == "k2"
        source.put("early", ("aaa", "Running", 0, ""))
        source.order.put("k2", ("zzz",))
        pane.flush({"early", "k2"}, 0)
        assert pane.cursor == "k2"
        assert lines_of(pane)[8].startswith("│▌● row-002")
        source.drop("k2")
        pane.flush({"k2"}, 0)
        await pilot.pause()
        assert pane.cursor == "k5"
        assert app.heard("moved") == ["k0", "k1", "k2", "k5"]


async def test_enter_marks_and_clicks_are_told() -> None:
    source = shelf(6)
    app = Stage(Pane(source))
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(Pane)
        await pilot.press("enter", "j", "space", "j", "space", "k")
        assert app.heard("opened") == ["k0"]
        assert pane.marked == {"k1", "k2"}
        assert pane.chosen == ["k1", "k2"]
        assert lines_of(pane)[3][1] == "◆"
        assert lines_of(pane)[-1].endswith(" 2 marked ─╯")
        source.drop("k1")
        pane.flush({"k1"}, 0)
        assert pane.marked == {"k2"}, "what is acted on is what can be seen"
        pane.clear_marks()
        assert pane.chosen == ["k2"], "the cursor's, which has moved on to the next row"
        await pilot.click(Pane, offset=(20, 6))
        assert pane.cursor == "k5"
        await pilot.click(Pane, offset=(6, 1))
        await pilot.click(Pane, offset=(lines_of(pane)[1].index("STATE") + 1, 1))
        assert app.heard("sorted") == ["name", "state"]
        await pilot.click(Pane, offset=(20, 2), times=2)
        assert app.heard("opened") == ["k0", "k0"]


async def test_the_wheel_and_the_right_border_scroll() -> None:
    app = Stage(Pane(shelf(100)))
    async with app.run_test(size=(80, 13)) as pilot:
        pane = app.query_one(Pane)
        pane.post_message(_wheel(pane, down=True))
        await pilot.pause()
        assert pane.keys_shown[0] == "k3"
        pane.post_message(_wheel(pane, down=False))
        await pilot.pause()
        assert pane.keys_shown[0] == "k0"
        await pilot.click(Pane, offset=(79, 11))
        assert pane.keys_shown[-1] == "k99"


def _wheel(pane: Pane, *, down: bool) -> Any:
    from textual import events

    kind = events.MouseScrollDown if down else events.MouseScrollUp
    return kind(pane, x=5, y=5, delta_x=0, delta_y=0, button=0, shift=False, meta=False, ctrl=False)


async def test_columns_grow_with_what_is_seen_and_do_not_shrink_until_rearranged() -> None:
    source = shelf(5)
    pane = Watched(source)
    app = Stage(pane)
    async with app.run_test(size=(80, 12)):
        narrow = lines_of(pane)[1]
        source.rows["k0"] = ("a-much-longer-name-than-before", "Running", 0, "")
        pane.flush({"k0"}, 0)
        wide = lines_of(pane)[1]
        assert wide.index("STATE") > narrow.index("STATE")
        assert lines_of(pane)[3].index("Running") == wide.index("STATE"), "all rows moved along"
        source.rows["k0"] = ("row-000", "Running", 0, "")
        pane.flush({"k0"}, 0)
        assert lines_of(pane)[1] == wide
        pane.rearrange()
        assert lines_of(pane)[1] == narrow
        source.sort = ("n", True)
        pane.flush((), 0)
        assert " N↓" in lines_of(pane)[1]


async def test_sideways_the_fixed_columns_stay() -> None:
    source = shelf(3)
    source.rows["k0"] = ("row-000", "Running", 0, "x" * 90 + "END")
    app = Stage(Pane(source))
    async with app.run_test(size=(60, 8)) as pilot:
        pane = app.query_one(Pane)
        fitted = lines_of(pane)
        await pilot.press("right")
        assert lines_of(pane)[2].startswith("│▌● row-000")
        for _ in range(12):
            await pilot.press("right")
        lines = lines_of(pane)
        assert "END" in lines[2]
        assert lines[3].startswith("│ ● row-001")
        assert all(len(line) == 60 for line in lines)
        for _ in range(13):
            await pilot.press("left")
        assert lines_of(pane) == fitted


async def test_head_tail_and_nothing() -> None:
    source = shelf(3)
    source.above, source.below = [[("above", "fg")]], [[], [("about @", "fg")]]
    app = Stage(Pane(source))
    async with app.run_test(size=(60, 12)) as pilot:
        pane = app.query_one(Pane)
        assert [line[2:10].strip() for line in lines_of(pane)[1:9]] == ["above", "NAME", "● row-00", "● row-00", "● row-00", "", "about k0", ""]
        await pilot.press("j")
        assert lines_of(pane)[7][2:10] == "about k1", "the tail follows the cursor"
        source.above = source.below = []
        for key in list(source.rows):
            source.drop(key)
        pane.flush((), 0)
        lines = lines_of(pane)
        assert "NAME" not in "".join(lines)
        assert "nothing here" in lines[5]
        assert "a adds" in lines[6]
        await pilot.press("j", "k", "enter", "space", "end", "home", "pagedown", "right")
        assert app.heard("opened") == []


async def test_stale_rows_say_so_in_their_tone_not_in_their_words() -> None:
    source = shelf(3)
    app = Stage(Pane(source), Pane(shelf(3)))
    async with app.run_test(size=(60, 16)):
        pane = app.query(Pane).first()
        words = lines_of(pane)
        source.stale = True
        pane.flush((), 0)
        assert lines_of(pane) == words
        styles = pane.styles_of_tones
        inks = {segment.style for segment in pane.render_line(3) if segment.text.strip(" │")}
        assert {s.color for s in inks if s} == {styles["stale", False].color}


async def test_the_top_row_is_kept_in_view_until_the_user_moves() -> None:
    source = shelf(50)
    app = Stage(Pane(source))
    async with app.run_test(size=(60, 10)) as pilot:
        pane = app.query_one(Pane)
        source.put("new", ("000", "Running", 1, ""))
        pane.flush({"new"}, 0)
        assert (pane.cursor, pane.keys_shown[0]) == ("new", "new")
        await pilot.press("j")
        source.put("newer", ("00", "Running", 1, ""))
        pane.flush({"newer"}, 0)
        assert pane.cursor == "k0"
        await pilot.press("g")
        source.put("newest", ("0", "Running", 1, ""))
        pane.flush({"newest"}, 0)
        assert pane.cursor == "newest"


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 3), (7, 40), (8, 2), (8, 3), (9, 4), (20, 5), (60, 20), (220, 60)])
async def test_any_size_is_painted_to_the_cell(size: tuple[int, int]) -> None:
    source = shelf(40, sick)
    source.above, source.below = [[("head", "fg")]] * 3, [[("tail", "fg")]] * 30
    app = Stage(Pane(source))
    async with app.run_test(size=size) as pilot:
        pane = app.query_one(Pane)
        for keys in (("j",), ("space",), ("end",), ("right",)):
            await pilot.press(*keys)
            assert {pane.render_line(y).cell_length for y in range(size[1])} == {size[0]}


async def test_another_source_another_tone_another_theme() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(60, 8)) as pilot:
        pane = app.query_one(Pane)
        await pilot.press("j", "space")
        pane.show(shelf(2))
        assert (pane.cursor, pane.marked) == ("k0", set())
        before = pane.render_line(0)
        pane.tone = "bad"
        border = next(iter(pane.render_line(0)))
        assert border.style is not None
        assert border.style.color == pane.styles_of_tones["bad", False].color
        assert pane.render_line(0) != before
        app.theme = "kubepane-light"
        await pilot.pause()
        border = next(iter(pane.render_line(0)))
        assert border.style is not None
        assert border.style.color == pane.styles_of_tones["bad", False].color
        assert pane.select("k1")
        assert not pane.select("gone")
        assert pane.cursor == "k1"


async def test_ascii_is_ascii() -> None:
    source = shelf(30, sick)
    source.rows["k1"] = ("漢字-é", "Running", 1, "naïve → ⠿")
    app = Stage(Pane(source), ascii=True)
    async with app.run_test(size=(60, 10)):
        text = "\n".join(picture(app))
        assert text.isascii()
        assert "????-?" in text, "one ? a cell"
        assert {len(line) for line in text.split("\n")} == {60}


WORDS = st.sampled_from(["Running", "Pending", "CrashLoopBackOff"])
TEXTS = st.text(st.sampled_from("abz-漢é\u202e\x1b[]\u0301🙂 "), max_size=12)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 30), WORDS, TEXTS),
    st.tuples(st.just("drop"), st.integers(0, 30)),
    st.tuples(st.just("rank"), st.integers(0, 30), st.integers(0, 5)),
    st.tuples(st.just("act"), st.sampled_from(["move(1)", "move(-1)", "page(1)", "page(-1)", "home", "end", "sideways(1)", "sideways(-1)", "mark"])),
    st.tuples(st.just("stale"), st.booleans()),
    st.tuples(st.just("tail"), st.integers(0, 6)),
    st.tuples(st.just("columns"), st.integers(2, 6)),
)


def _do(source: Shelf, pane: Pane, step: tuple[Any, ...]) -> Iterable[str]:
    """One step; the keys that it changed."""
    what, *rest = step
    if what == "put":
        source.put(f"k{rest[0]}", (f"row-{rest[0]:03}", rest[1], rest[0], rest[2]))
        return {f"k{rest[0]}"}
    if what == "drop":
        source.drop(f"k{rest[0]}")
        return {f"k{rest[0]}"}
    if what == "rank" and f"k{rest[0]}" in source.rows:
        source.order.put(f"k{rest[0]}", (str(rest[1]),))
    elif what == "act":
        name, _, argument = rest[0].partition("(")
        getattr(pane, f"action_{name}")(*([int(argument[:-1])] if argument else []))
    elif what == "stale":
        source.stale = rest[0]
    elif what == "tail":
        source.below = [[("tail @", "fg")]] * rest[0]
    elif what == "columns":
        source.shape = [
            Column(c.key, c.label, c.lo, c.hi, c.right, c.drop, c.elide, c.fixed) if i < rest[0] else c for i, c in enumerate(source.shape)
        ]
    return ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.lists(STEPS, min_size=1, max_size=4), max_size=12), st.sampled_from([(60, 12), (80, 24), (30, 8)]))
def test_what_is_on_screen_is_what_a_fresh_pane_would_show(rounds: list[list[tuple[Any, ...]]], size: tuple[int, int]) -> None:
    asyncio.run(_compare(rounds, size))


async def _compare(rounds: list[list[tuple[Any, ...]]], size: tuple[int, int]) -> None:
    source = shelf(12)
    pane = Pane(source)
    app = Stage(pane)
    async with app.run_test(size=size) as pilot:
        for steps in rounds:
            changed = {key for step in steps for key in _do(source, pane, step)}
            pane.flush(changed, 0)
        await pilot.pause()
        shown = [pane.render_line(y) for y in range(size[1])]
        painted = picture(app)  # the compositor's own cache: only what was asked to be repainted was painted
        assert painted == [strip.text for strip in shown]
        pane._repaint()
        if pane._table is not None:
            pane._table.forget(list(pane._table.rows))
        fresh = pane._make()
        assert [list(a) for a in shown] == [list(b) for b in fresh]
        assert {strip.cell_length for strip in fresh} == {size[0]}
