"""Pictures that somebody has looked at: every widget at the sizes of real terminals. KEEP_PICTURES=1 keeps new ones."""

from __future__ import annotations

import math

import pytest
from textual.app import ComposeResult
from textual.containers import Grid

from kubepane_widgets.card import Button, Card
from kubepane_widgets.chart import axis, curve, sparkline, steps
from kubepane_widgets.lines import Line
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.painted import Bar
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt
from kubepane_widgets.textcard import TextCard
from kubepane_widgets.textview import TextView
from kubepane_widgets.tree import Node, draw
from widgets.stage import Shelf, Stage, picture, same_as_kept, shelf

SIZES = [(60, 20), (80, 24), (120, 40)]
named = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def node(name: str, *children: Node) -> Node:
    return Node([(name, "fg")], list(children))


def state(i: int) -> str:
    return ("CrashLoopBackOff", "Pending", "Running", "Running", "Running")[i % 5]


class Board(Stage):
    """Two panes, a header, a footer and the prompt, as a dashboard has them."""

    CSS = "Screen { overflow: hidden; } Grid { height: 1fr; grid-size: 2; }"

    def __init__(self, left: Shelf, right: Shelf) -> None:
        super().__init__()
        self.left, self.right, self.prompt = Pane(left), Pane(right), Prompt()

    def compose(self) -> ComposeResult:
        yield Bar(lambda cells: ([("kubepane", "bold"), ("  here", "fg")], [("● ", "live"), ("live", "muted")]))
        with Grid():
            yield self.left
            yield self.right
        yield self.prompt
        yield Bar(lambda cells: ([("⏎", "accent"), (" open  ", "muted"), ("/", "accent"), (" filter", "muted")], [("18 kB/s in", "soft")]))


@named
async def test_a_board_of_panes(size: tuple[int, int]) -> None:
    left, right = shelf(67, state), shelf(0)
    left.facts, left.unselectable = ["all of them", "worst first ↓"], {"k3"}
    right.live, right.notes = [("↻ ", "stale"), ("reconnecting 12s (connection refused)", "stale")], [("as of 14:03:09 · next try in 3s", "muted")]
    app = Board(left, right)
    async with app.run_test(size=size) as pilot:
        await pilot.press("j", "space", "j", "j")
        same_as_kept(f"board-{size[0]}x{size[1]}", picture(app))


@named
async def test_a_card_that_asks_for_a_name(size: tuple[int, int]) -> None:
    body: list[Line] = [[("✕ ", "bad"), ("This context is protected.", "fg")], []]
    body += [[("deletes  ", "muted"), (f"object {i} of many", "fg")] for i in range(24)]
    card = Card(
        "Delete StatefulSet mysql",
        body,
        where=[("▲ ", "bad"), ("prod-eu-1", "fg")],
        buttons=[Button("Delete 24 objects", "yes")],
        tone="bad",
        ask="mysql",
        note=[("nothing was sent yet", "muted")],
        cells=64,
    )
    app = Stage(Pane(shelf(30)))
    async with app.run_test(size=size) as pilot:
        await app.push_screen(card)
        await pilot.press("m", "y", "s")
        same_as_kept(f"card-{size[0]}x{size[1]}", picture(app))


async def test_a_list_to_choose_from_narrowed() -> None:
    items = [Item(f"ns-{i}", f"namespace-{i}", f"{i * 7} pods", here=i == 3) for i in range(40)]
    app = Stage(Pane(shelf(30)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(ListCard("Namespaces", items, several=True))
        await pilot.press("down", "space", "3")
        same_as_kept("list-80x24", picture(app))


async def test_a_text_searched() -> None:
    body: list[Line] = [[(f"{i:<7}", "accent"), ("opens the door" if i % 9 == 4 else "does something else", "fg")] for i in range(60)]
    app = Stage(Pane(shelf(30)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(TextCard("Help", body))
        await pilot.press(*"door", "enter")
        same_as_kept("text-80x24", picture(app))


async def test_a_log_wrapped_and_searched() -> None:
    view = TextView(lambda cells: [[("1", "accent"), (" Logs", "bold")]], follow=True)
    app = Stage(view)
    async with app.run_test(size=(60, 20)) as pilot:
        view.append(f"2026-01-01T00:00:{i:02} \x1b[33mWARN\x1b[0m line {i} " + "long " * (i % 7 * 3) for i in range(50))
        view.search("line 4")
        await pilot.press("w", "n")
        same_as_kept("log-60x20", picture(app))


async def test_the_prompt_with_something_wrong() -> None:
    app = Board(shelf(5), shelf(5))
    async with app.run_test(size=(80, 24)) as pilot:
        app.prompt.open("/", "cpu>", [("Enter keeps · Esc clears", "muted")])
        await pilot.press(*"5oom", "left", "left")
        app.prompt.error = "not a quantity: 5oom"
        await pilot.pause()
        same_as_kept("prompt-80x24", picture(app))


def test_charts_and_trees() -> None:
    now = 1_700_000_000.0
    samples = [(now - 600 + 15 * i, None if 12 <= i < 18 else 60 + 50 * math.sin(i / 5)) for i in range(40)]
    wanted = [(now - 600, 1.0), (now - 400, 2.0), (now - 90, 4.0)]
    ready = [(now - 600, 1.0), (now - 380, 2.0), (now - 60, 3.0)]
    lines: list[str] = []
    for width, height in ((76, 9), (40, 4), (10, 1)):
        lines += [text(line) for line in curve(samples, end=now, span=600, width=width, height=height, target=80)]
        lines += [text(line) for line in steps(wanted, ready, end=now, span=600, width=width, height=height, lo=1, hi=4, gap=400)]
        lines += [text(axis(600, width=width)), ""]
    lines.append(sparkline([v for _, v in samples], 30) + "|")
    tree = Node(
        [("deploy/chatapp", "fg")],
        [Node([("rs/a", "fg")], [Node([("pod/1", "fg")]), Node([("pod/2", "fg")])]), Node([("rs/b", "fg")], [Node([("pod/3", "fg")])])],
    )
    lines += [text(line) for line in draw([tree, Node([("sts/mysql", "fg")])])]
    same_as_kept("charts", lines)
