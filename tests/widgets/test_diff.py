"""Frames as differences: the terminal shows what the compositor has, whatever was on screen and whatever breaks."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from textual import events

from kubepane_widgets import diff
from kubepane_widgets.card import Button, Card
from kubepane_widgets.diff import PromptScreen
from kubepane_widgets.listcard import ListCard
from kubepane_widgets.pacer import Pacer
from kubepane_widgets.pane import Pane
from kubepane_widgets.textview import TextView
from widgets.stage import Shelf, shelf
from widgets.terminals import Recorded, Terminal

SIZE = (80, 24)


class Two(Recorded):
    """Two panes side by side and a log below: lines that several widgets share."""

    CSS = "Screen { overflow: hidden; layout: grid; grid-size: 2; } TextView { column-span: 2; }"

    def __init__(self, plain: bool = False) -> None:
        self.left, self.right = shelf(40), shelf(5)
        self.left.rows["k2"] = ("漢字-漢字", "Pending", 2, "🙂 wide")
        self.panes = (Pane(self.left), Pane(self.right))
        self.log_view = TextView(lambda cells: [[("log", "bold")]], follow=True)
        super().__init__(*self.panes, self.log_view)
        self.plain = plain


async def scenario(app: Two, pilot: Any, check: Any) -> None:
    await pilot.press("j", "j", "j")
    await check()
    app.left.rows["k1"] = ("row-001", "CrashLoopBackOff", 99, "changed")
    app.panes[0].flush({"k1"}, 0)
    await check()
    await pilot.press("pagedown")
    await check()
    app.log_view.append(["one", "\x1b[31mtwo\x1b[0m", "漢字漢字 three"])
    await check()
    await app.push_screen(Card("Sure?", [[("漢字 " * 8, "warn")]] * 9, buttons=[Button("Yes", "y")], cells=41))
    await check()
    await pilot.press("tab", "escape")
    await check()
    await pilot.press("tab")
    await check()
    await pilot.resize_terminal(60, 20)
    await check()
    await pilot.resize_terminal(100, 30)
    await check()
    app.theme = "kubepane-light"
    await pilot.pause()
    await check()


@pytest.mark.parametrize("plain", [False, True], ids=["difference", "as Textual makes them"])
async def test_the_terminal_shows_what_the_compositor_has(plain: bool) -> None:
    app = Two(plain)
    async with app.run_test(size=SIZE) as pilot:
        seen, fed = Terminal(*SIZE), 0

        async def check() -> None:
            nonlocal seen, fed
            await pilot.pause()
            if (seen.screen.columns, seen.screen.lines) != app.size:  # a terminal keeps what fits; ours starts blank, as ours was told to
                seen = Terminal(*app.size)
                app.redraw()
                await pilot.pause()
            data = app.written
            seen.feed(data[fed:])
            fed = len(data)
            assert seen.cells() == app.wanted().cells()

        await scenario(app, pilot, check)
        assert app.plain is plain


async def test_differences_are_a_fraction_of_the_bytes_and_are_counted() -> None:
    sent = []
    for plain in (False, True):
        app = Two(plain)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            app.forget()
            bytes_before, frames_before = app.bytes_written, app.frames_written
            for n in range(5):
                app.left.rows["k1"] = ("row-001", "Running", n, "n")
                app.panes[0].flush({"k1"}, 0)
                await pilot.pause()
            sent.append(len(app.written.encode()))
            assert app.frames_written - frames_before == 5
            assert abs(app.bytes_written - bytes_before - sent[-1]) < 10
    assert sent[0] < sent[1] / 4


async def test_a_frame_that_changes_nothing_writes_nothing() -> None:
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.forget()
        app.screen.refresh()
        app.panes[0].refresh()
        await pilot.pause()
        assert app.written == ""


async def test_what_another_program_wrote_is_overwritten_after_a_suspension() -> None:
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.forget()
        app._resume_signal()
        await pilot.pause()
        blank = Terminal(*SIZE)
        blank.feed(app.written)
        assert blank.cells() == app.wanted().cells()


@pytest.mark.parametrize("broken", ["names", "spans", "strips"])
async def test_without_textuals_private_names_frames_go_out_as_textual_makes_them(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "names":
        monkeypatch.setattr(diff, "_compositor", types.SimpleNamespace())
    else:

        def gone(update: Any) -> Any:
            return getattr(update, f"no_{broken}")

        monkeypatch.setattr(diff, "_part_of" if broken == "spans" else "_all_of", gone)
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("j", "j")
        await pilot.pause()
        seen = Terminal(*SIZE)
        seen.feed(app.written)
        assert seen.cells() == app.wanted().cells()


async def test_a_key_is_painted_without_waiting_for_the_timer() -> None:
    """The screen's timer is stopped: what comes all the same came at once."""
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, PromptScreen)
        app.forget()
        app.screen._update_timer.resume = lambda: None  # type: ignore[method-assign]
        await pilot.press("j")
        assert "▌" in app.written


async def test_a_card_under_another_neither_ends_that_nor_itself_twice() -> None:
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        lower, upper = ListCard("Lower", []), ListCard("Upper", [])
        app.push_screen(lower)
        await pilot.pause()
        for _ in range(2):
            lower.post_message(events.Key("escape", None))
        app.push_screen(upper)
        await pilot.pause()
        assert app.screen is upper
        await pilot.press("escape")
        assert app.screen is lower
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_a_card_that_is_told_late_of_the_programs_end_ends_nothing() -> None:
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        card = ListCard("Card", [])
        app.push_screen(card)
        await pilot.pause()
        stack = app._screen_stack
        screens = [*stack]
        stack.clear()  # as Textual does before the last messages are read
        card.dismiss([])
        stack.extend(screens)
        assert app.screen is card


def test_a_screen_without_textuals_private_names_leaves_painting_to_textual() -> None:
    assert diff._is_dirty(types.SimpleNamespace()) is False


async def test_the_pacer_hears_of_keys_frames_and_answers() -> None:
    app = Two()
    async with app.run_test(size=SIZE) as pilot:
        drawn: list[int] = []

        def draw() -> None:
            drawn.append(1)
            app.left.rows["k1"] = ("row-001", "Running", len(drawn), "n")
            app.panes[0].flush({"k1"}, 0)

        app.pacer = Pacer(draw, asks=True)
        app.forget()
        app.pacer.changed()
        await pilot.pause()
        assert drawn
        assert app.written.endswith("\x1b[6n")
        assert app.pacer.pace._asked is not None
        from textual.events import CursorPosition

        app.post_message(CursorPosition(0, 0))
        await pilot.pause()
        assert app.pacer.pace._asked is None
        await pilot.press("j")
        assert app.pacer.pace._key is None, "its answer was painted"
        app.pacer.stop()


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 20), st.text(st.sampled_from("ab漢é🙂 "), max_size=8)),
    st.tuples(st.just("drop"), st.integers(0, 20)),
    st.tuples(st.just("key"), st.sampled_from(["j", "k", "G", "g", "pagedown", "tab", "right", "left", "space"])),
    st.tuples(st.just("log"), st.text(st.sampled_from("xy漢 "), max_size=30)),
    st.tuples(st.just("card")),
)


def _do(app: Two, source: Shelf, step: tuple[Any, ...]) -> str:
    if step[0] == "put":
        source.put(f"k{step[1]}", (f"{step[2]}{step[1]}", "Running", step[1], step[2]))
    elif step[0] == "drop":
        source.drop(f"k{step[1]}")
    elif step[0] == "log":
        app.log_view.append([step[1]])
    return f"k{step[1]}" if step[0] in ("put", "drop") else ""


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(STEPS, max_size=25))
def test_random_days_end_with_the_right_cells(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(_day(steps))


async def _day(steps: list[tuple[Any, ...]]) -> None:
    app = Two()
    async with app.run_test(size=(60, 18)) as pilot:
        for n, step in enumerate(steps):
            if step[0] == "key":
                await pilot.press(step[1])
            elif step[0] == "card":
                await app.push_screen(Card("Look", [[("漢字" * 7, "fg")]] * 5, cells=30 + n % 3)) if len(app.screen_stack) == 1 else app.pop_screen()
            elif key := _do(app, app.left, step):
                app.panes[0].flush({key}, 0)
        await pilot.pause()
        seen = Terminal(60, 18)
        seen.feed(app.written)
        assert seen.cells() == app.wanted().cells()
