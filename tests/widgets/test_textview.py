"""Long and growing texts."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from kubepane_widgets.ring import Ring
from kubepane_widgets.textview import TextView
from widgets.stage import Stage, lines_of, picture


def view(follow: bool = False, limit: int = 1000) -> TextView:
    return TextView(lambda cells: [[("Logs", "bold")]], follow=follow, limit=limit)


def body(shown: TextView) -> list[str]:
    return [line[2:-2].rstrip() for line in lines_of(shown)[1:-1]]


async def test_following_shows_the_newest_and_moving_up_stops_it() -> None:
    shown = view(follow=True)
    app = Stage(shown)
    async with app.run_test(size=(60, 12)) as pilot:
        shown.append(f"line {i}" for i in range(50))
        assert body(shown)[-1] == "line 49"
        await pilot.press("k")
        shown.append(["line 50"])
        assert body(shown)[-1] == "line 48", "who reads is left in peace"
        assert not shown.following
        await pilot.press("G")
        assert body(shown)[-1] == "line 50"
        shown.append(["line 51"])
        assert body(shown)[-1] == "line 51"
        assert ("turned", False, False) in app.told


async def test_what_fell_out_of_memory_is_said_and_the_place_moves_on() -> None:
    shown = view(limit=20)
    app = Stage(shown)
    async with app.run_test(size=(70, 8)) as pilot:
        shown.append(f"line {i}" for i in range(20))
        await pilot.press("g")
        assert body(shown)[0] == "line 0"
        shown.append(f"line {i}" for i in range(20, 35))
        assert body(shown)[0] == "line 15"
        assert "1–6 of 20 (15 older gone)" in lines_of(shown)[-1]


async def test_only_lines_that_differ_are_painted_again() -> None:
    shown = view()
    app = Stage(shown)
    async with app.run_test(size=(60, 12)) as pilot:
        shown.append(["one", "two"])
        await pilot.pause()
        painted: list[int] = []
        shown.refresh = lambda *regions, **_: painted.extend(r.y for r in regions)  # type: ignore[assignment]
        shown.append(["three"])
        assert painted == [3]


async def test_long_lines_go_aside_or_wrap() -> None:
    shown = view()
    app = Stage(shown)
    async with app.run_test(size=(24, 8)) as pilot:
        shown.append(["0123456789" * 5 + "END", "漢字" * 12, "short"])
        assert body(shown)[0] == "0123456789012345678…"
        await pilot.press("right", "right", "right")
        assert body(shown)[0].endswith("END")
        assert {strip.cell_length for strip in map(shown.render_line, range(8))} == {24}
        await pilot.press("left", "left", "left", "w")
        assert body(shown) == ["01234567890123456789", "01234567890123456789", "0123456789END", "漢字" * 5, "漢字" * 5, "漢字" * 2]
        await pilot.press("j")
        assert body(shown)[-1] == "short"
        await pilot.press("k", "k", "w")
        assert body(shown)[2] == "short"


async def test_search_goes_round() -> None:
    shown = view()
    app = Stage(shown)
    async with app.run_test(size=(60, 12)) as pilot:
        shown.append(f"line {i}" + (" Needle" if i in (3, 40, 77) else "") for i in range(100))
        assert shown.search("needle") == 3
        seen = []
        for key in ("n", "n", "n", "N", "N"):
            seen.append(shown._hit)
            assert any("Needle" in line for line in body(shown))
            await pilot.press(key)
        assert seen == [3, 40, 77, 3, 77]
        assert "2 of 3 found" in lines_of(shown)[-1]
        shown.append(["another needle"])
        assert "2 of 4 found" in lines_of(shown)[-1]
        assert shown.search("") == 0
        assert shown.search("[red]") == 0


async def test_a_text_that_is_replaced_keeps_its_place() -> None:
    shown = view()
    app = Stage(shown)
    async with app.run_test(size=(60, 12)) as pilot:
        shown.put([[(f"a{i}", "fg")] for i in range(100)])
        await pilot.press("pagedown", "pagedown")
        top = body(shown)[0]
        shown.put([[(f"a{i}", "fg")] for i in range(90)])
        assert body(shown)[0] == top
        shown.put([[("only", "fg")]])
        assert body(shown)[0] == "only"


async def test_programs_colours_become_tones() -> None:
    shown = view()
    app = Stage(shown)
    async with app.run_test(size=(60, 6)):
        shown.append(["\x1b[31mERROR\x1b[0m it \x1b[2Jbroke"])
        styles = shown.styles_of_tones
        assert body(shown)[0] == "ERROR it ␛[2Jbroke"
        inks = {segment.text.strip(): segment.style.color for segment in shown.render_line(1) if segment.style}
        assert inks["ERROR"] == styles["bad", False].color


KEYS = st.sampled_from(
    ["scroll_by(1)", "scroll_by(-1)", "page(1)", "page(-1)", "top()", "bottom()", "wrap()", "next(1)", "next(-1)", "sideways(1)", "sideways(-1)"]
)
STEPS = st.one_of(st.lists(st.text(st.sampled_from("ab 漢\x1b[31m\t"), max_size=50), max_size=6), KEYS)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(STEPS, max_size=30), st.sampled_from([(30, 8), (60, 20), (9, 4)]))
def test_whatever_is_done_no_line_is_skipped_and_the_screen_is_what_it_should_be(steps: list[list[str] | str], size: tuple[int, int]) -> None:
    asyncio.run(_read(steps, size))


async def _read(steps: list[list[str] | str], size: tuple[int, int]) -> None:
    shown = view(limit=40)
    app = Stage(shown)
    async with app.run_test(size=size) as pilot:
        shown.search("a")
        for step in steps:
            if isinstance(step, list):
                shown.append(step)
            else:
                name, _, argument = step.partition("(")
                getattr(shown, f"action_{name}")(*([int(argument[:-1])] if argument != ")" else []))
            room = size[1] - 2
            wanted = [part for number in range(shown._top, shown.ring.end) for part in shown._parts(number)][shown._part :][:room]
            total = sum(len(shown._parts(number)) for number in range(shown.ring.first, shown.ring.end))
            assert len(wanted) == min(room, total), "no room is left empty while there is text"
            assert {strip.cell_length for strip in shown._lines} <= {size[0]}
            assert [list(strip) for strip in shown._lines] == [list(strip) for strip in shown._make()]
        await pilot.pause()
        assert picture(app) == lines_of(shown)


@given(st.lists(st.lists(st.text("ab\x1b[m1", max_size=6), max_size=5), max_size=8), st.integers(1, 9), st.sampled_from(["a", "B", "ab", ""]))
def test_a_ring_holds_the_newest_and_knows_where_the_needle_is(batches: list[list[str]], limit: int, needle: str) -> None:
    ring = Ring(limit)
    ring.search(needle)
    every: list[str] = []
    for batch in batches:
        ring.extend(batch)
        every += batch
        assert (len(ring), ring.end) == (min(limit, len(every)), len(every))
        texts = ring.texts(range(ring.first, ring.end))
        assert len(texts) == len(ring)
        assert ring.hits == [ring.first + i for i, text in enumerate(texts) if needle and needle.lower() in text.lower()]
        for number in range(ring.first - 1, ring.end + 1):
            after, before = ring.near(number, 1), ring.near(number, -1)
            assert after == next((h for h in ring.hits if h > number), ring.hits[0] if ring.hits else None)
            assert before == next((h for h in reversed(ring.hits) if h < number), ring.hits[-1] if ring.hits else None)
    again = Ring(limit)
    again.replace(every)
    assert again.texts(range(again.first, again.end)) == ring.texts(range(ring.first, ring.end))
