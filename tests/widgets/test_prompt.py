"""The line to type in."""

from __future__ import annotations

import pytest
from textual import events

from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import HISTORY, LONGEST, Prompt
from widgets.stage import Stage, shelf


async def test_it_is_hidden_and_without_focus_until_it_is_opened() -> None:
    prompt = Prompt()
    app = Stage(Pane(shelf(3)), prompt)
    async with app.run_test(size=(60, 10)) as pilot:
        assert not prompt.display
        assert isinstance(app.focused, Pane)
        prompt.open("/", "app")
        await pilot.pause()
        assert prompt.display
        assert app.focused is prompt
        assert (prompt.region.y, prompt.region.height) == (9, 1)
        await pilot.press("enter")
        assert not prompt.is_open
        assert app.heard("submitted") == ["app"]


async def test_every_change_is_told_and_escape_clears() -> None:
    prompt = Prompt()
    app = Stage(Pane(shelf(3)), prompt)
    async with app.run_test(size=(60, 10)) as pilot:
        prompt.open()
        await pilot.press("a", "b", "left", "backspace", "c", "escape")
        assert app.heard("changed") == ["a", "ab", "b", "cb"]
        assert app.heard("cleared") == [""]
        assert not prompt.is_open


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["home", "x"], "xone two three"),
        (["ctrl+w", "x"], "one two x"),
        (["ctrl+w", "ctrl+w", "ctrl+w", "ctrl+w"], ""),
        (["home", "delete", "delete"], "e two three"),
        (["ctrl+a", "ctrl+k"], ""),
        (["left", "left", "ctrl+u"], "ee"),
        (["ctrl+a", "right", "ctrl+e", "!"], "one two three!"),
        (["backspace"] * 20, ""),
        (["left"] * 20 + ["漢"], "漢one two three"),
    ],
)
async def test_it_is_edited_as_lines_are(keys: list[str], text: str) -> None:
    prompt = Prompt()
    app = Stage(prompt)
    async with app.run_test(size=(60, 10)):
        prompt.open("/", "one two three")
        for key in keys:
            prompt.on_key(events.Key(key, key if len(key) == 1 else None))
        assert prompt.text == text


async def test_history_goes_back_and_comes_home_to_the_draft() -> None:
    prompt = Prompt()
    app = Stage(prompt)
    async with app.run_test(size=(60, 10)) as pilot:
        for text in ("first", "second", "first", "  "):
            prompt.open("/", text)
            await pilot.press("enter")
        assert prompt.history["/"] == ["second", "first"], "what was used again is the newest; blanks are nothing"
        prompt.open("/", "dra")
        await pilot.press("f", "up")
        assert prompt.text == "first"
        await pilot.press("up", "up", "up")
        assert prompt.text == "second"
        await pilot.press("down", "down", "down")
        assert prompt.text == "draf"
        prompt.open(":", "")
        await pilot.press("up")
        assert prompt.text == "", "a command is no filter"
        for n in range(HISTORY + 9):
            prompt.open(":", f"c{n}")
            await pilot.press("enter") if n > HISTORY + 6 else prompt._remember()
        assert len(prompt.history[":"]) == HISTORY


async def test_a_pasted_line_break_sends_nothing_and_floods_are_cut() -> None:
    prompt = Prompt()
    app = Stage(prompt)
    async with app.run_test(size=(60, 10)) as pilot:
        prompt.open()
        await pilot.pause()
        prompt.on_paste(events.Paste("one\ntwo\r\n\x1b[2Jthree\n"))
        assert prompt.is_open
        assert prompt.text == "one two \x1b[2Jthree"
        assert "␛[2Jthree" in prompt.render_line(0).text
        prompt.on_paste(events.Paste("x" * 5000))
        assert len(prompt.text) == LONGEST


async def test_what_is_wrong_stands_at_the_right_until_the_next_key() -> None:
    prompt = Prompt()
    app = Stage(prompt)
    async with app.run_test(size=(60, 10)) as pilot:
        prompt.open("/", "cpu>x", [("Enter keeps", "muted")])
        await pilot.pause()
        assert prompt.render_line(0).text.rstrip().endswith("Enter keeps")
        prompt.error = "not a quantity: x"
        assert prompt.render_line(0).text.rstrip().endswith("not a quantity: x")
        prompt.on_key(events.Key("backspace", None))
        assert prompt.error == ""


@pytest.mark.parametrize("width", [1, 2, 5, 11, 40])
async def test_the_cursor_is_seen_however_long_the_text_is(width: int) -> None:
    prompt = Prompt()
    app = Stage(prompt)
    async with app.run_test(size=(width, 5)) as pilot:
        prompt.open("/", "漢字 and more " * 9)
        await pilot.pause()
        prompt.error = "something is wrong with it"
        for key in ("left", "home", "end", "x"):
            prompt.on_key(events.Key(key, key if len(key) == 1 else None))
            line = prompt.render_line(0)
            assert line.cell_length == width
            chips = [segment for segment in line if segment.style and segment.style.bgcolor == prompt.styles_of_tones["chip", False].bgcolor]
            assert chips or width < 6
