"""No text gets more than to be read: every payload by every way into a widget, judged by the bytes that leave."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rich.segment import Segment
from textual.color import Color
from textual.widget import Widget

import kubepane_widgets
from kubepane_widgets import frame
from kubepane_widgets.card import Button, Card
from kubepane_widgets.columns import Column, Row, Wide
from kubepane_widgets.guard import Guard
from kubepane_widgets.lines import Line, box, spread, width
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.painted import Bar
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt
from kubepane_widgets.textcard import TextCard
from kubepane_widgets.textview import TextView
from kubepane_widgets.tree import Node, draw
from widgets import payloads
from widgets.stage import Shelf
from widgets.terminals import Recorded, offences, wholly

SIZE = (100, 24)


class Hostile(Shelf):
    """Every place of a Source holds the payload."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__({f"k{i}": (text, "Running", i, text) for i, text in enumerate(texts)})
        self.text = texts[0]
        self.shape = [
            Column("name", "NAME", 10, 30, elide="mid", fixed=True),
            Column("b", "B", 10, 20),
            Column("c", self.text, 10, 20),
            Column("d", "D", 8, 999),
        ]

    def row(self, key: str, width: int, height: int) -> Row:
        text = self.rows[key][0]
        return Row([text, (text, "bad"), [(text, "ok"), (text, "fg")], Wide([(text, "warn")])], note=text)

    def title(self, width: int) -> list[Line]:
        return [[("1", "accent"), (self.text, "bold")], [(self.text, "muted")]]

    def fresh(self) -> Line:
        return [(self.text, "live")]

    def note(self) -> Line:
        return [(self.text, "muted")]

    def head(self, width: int, height: int) -> list[Line]:
        return [[(self.text, "fg")], *box(self.text, [[(self.text, "fg")]], 30), *draw([Node([(self.text, "fg")], [Node([(self.text, "fg")])])])]

    def tail(self, width: int, height: int, cursor: str | None) -> list[Line]:
        return [[(self.text, "fg")], spread([(self.text, "fg")], [(self.text, "fg")], width)]


def pane(texts: Sequence[str]) -> Widget:
    return Pane(Hostile(texts))


def empty(texts: Sequence[str]) -> Widget:
    source = Hostile(texts)
    source.nothing = [[(text, "fg")] for text in texts]
    for key in list(source.rows):
        source.drop(key)
    return Pane(source)


def view(texts: Sequence[str]) -> Widget:
    shown = TextView(lambda cells: [[(texts[0], "bold")]], fresh=lambda: [(texts[0], "live")], note=lambda: [(texts[0], "fg")])
    shown.ring.extend([*texts[:8], *[[(text, "ok")] for text in texts[8:]]])
    shown.ring.search(texts[0])
    return shown


def wrapped(texts: Sequence[str]) -> Widget:
    shown = TextView(lambda cells: [])
    shown.wrapping = True
    shown.ring.extend(texts)
    return shown


def bar(texts: Sequence[str]) -> Widget:
    return Bar(lambda cells: ([(text, "fg") for text in texts], [(texts[0], "muted")]))


def prompt(texts: Sequence[str]) -> Widget:
    line = Prompt()
    line.add_class("-open")
    line.text, line.label, line.hint, line._at = texts[0], texts[0][:3], [(texts[0], "muted")], 3
    if len(texts) % 2:
        line.error = texts[-1]
    return line


def card(texts: Sequence[str]) -> Any:
    made = Card(
        texts[0], [[(text, "fg")] for text in texts], where=[(texts[0], "fg")], note=[(texts[0], "fg")], buttons=[Button(texts[0], "y")], ask=texts[0]
    )
    made.typed = texts[0]
    return made


def listcard(texts: Sequence[str]) -> Any:
    return ListCard(texts[0], [Item(str(i), text, text[:9]) for i, text in enumerate(texts)], where=[(texts[0], "fg")])


def textcard(texts: Sequence[str]) -> Any:
    made = TextCard(texts[0], [[(text, "fg")] for text in texts])
    made.needle = texts[0]
    return made


WIDGETS = [pane, empty, view, wrapped, bar, prompt]
CARDS = [card, listcard, textcard]


def rounds(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Each text is the first of a round once in a while, and every one is in a round."""
    for i in range(0, len(texts), 23):
        yield texts[i : i + 23]


async def _frames(make: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> str:
    """All that would leave the program for these texts, by this way."""
    out = []
    app = Recorded()
    async with app.run_test(size=SIZE) as pilot:
        for some in rounds(texts):
            if make in CARDS:
                await app.push_screen(make(some))
            else:
                await app.screen.remove_children()
                await app.screen.mount(make(some))
            await pilot.pause()
            out.append(wholly({(y, 0): strip for y, strip in enumerate(app.screen._compositor.render_strips())}))
            if make in CARDS:
                app.pop_screen()
        out.append(app.written)
    return "".join(out)


@pytest.mark.parametrize("make", [*WIDGETS, *CARDS], ids=lambda make: make.__name__)
async def test_only_our_own_sequences_leave(make: Callable[[Sequence[str]], Any]) -> None:
    assert offences(await _frames(make, payloads.ALL)) == set()


SOME = payloads.ESCAPES[::7] + payloads.SPOOFS[::3]


@pytest.mark.parametrize("make", [pane, view, card], ids=lambda make: make.__name__)
async def test_clean_holds_without_the_guard(make: Callable[[Sequence[str]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "apply", lambda self, segments, background: segments)
    assert offences(await _frames(make, SOME)) == set()


@pytest.mark.parametrize("make", [pane, view, card], ids=lambda make: make.__name__)
async def test_the_guard_holds_without_clean(make: Callable[[Sequence[str]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for found in pkgutil.iter_modules(kubepane_widgets.__path__):
        module = importlib.import_module(f"kubepane_widgets.{found.name}")
        if hasattr(module, "clean") and found.name not in ("text", "guard"):
            monkeypatch.setattr(module, "clean", lambda text, limit=0: text)
    assert offences(await _frames(make, SOME)) == set()


async def test_without_both_the_oracle_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "apply", lambda self, segments, background: segments)
    for name in ("lines", "columns", "painted", "frame"):
        monkeypatch.setattr(f"kubepane_widgets.{name}.clean", lambda text, limit=0: text)
    assert offences(await _frames(bar, ["a\x1b]52;c;ZXZpbA==\x07b"])) == {"'\\x07'", "'\\x1b'"}


async def test_markup_is_shown_as_it_is_and_no_click_does_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    boom: list[int] = []
    monkeypatch.setattr(Recorded, "action_boom", lambda self, *a: boom.append(1), raising=False)
    source = Shelf({f"k{i:02}": (text, "Running", i, text) for i, text in enumerate(payloads.MARKUP)})
    app = Recorded(Pane(source))
    async with app.run_test(size=(100, 24)) as pilot:
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        for text in payloads.MARKUP:
            assert text[:20].rstrip() in shown, text
        for y in range(2, 22, 2):
            await pilot.click(Pane, offset=(6, y))
            await pilot.click(Pane, offset=(60, y))
        assert boom == []
        assert not any(segment.style and segment.style.meta.get("@click") for strip in app.screen._compositor.render_strips() for segment in strip)


@settings(max_examples=80)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_the_guard_keeps_a_lines_width(texts: list[str]) -> None:
    line = [Segment(text) for text in texts]
    shown = Guard().apply(line, Color(0, 0, 0))
    assert sum(segment.cell_length for segment in shown) == sum(segment.cell_length for segment in line)
    assert all(segment.text.isprintable() for segment in shown)


@settings(max_examples=80)
@given(st.lists(st.text(max_size=30), max_size=4), st.integers(5, 90))
def test_frames_are_as_wide_as_they_are_told(texts: list[str], cells: int) -> None:
    parts: list[Line] = [[(text, "fg")] for text in texts]
    for line in (frame.top(parts, parts[-1] if parts else [], cells, "faint"), frame.top(parts, [], cells, "faint", chip=True)):
        assert width(line) == cells
    assert width(frame.bottom(parts[0] if parts else [], parts[-1] if parts else [], cells, "faint")) == cells
