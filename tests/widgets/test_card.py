"""Cards: nothing is confirmed but by somebody who saw what it was and meant it."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from textual import events

from kubepane_widgets.card import Button, Card
from kubepane_widgets.lines import Line
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.pane import Pane
from kubepane_widgets.textcard import TextCard
from widgets.stage import Stage, lines_of, shelf

BODY: list[Line] = [[("deletes  ", "muted"), ("one thing", "fg")]]
YES = [Button("Delete 1 object", "yes")]


class Hand:
    """Somebody at the keyboard: types at a pace, on a clock of ours."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def type(self, *keys: str, pause: float = 0.2) -> None:
        for key in keys:
            self.now += pause
            self.card.on_key(events.Key(key, key if len(key) == 1 else None))


class Asked:
    """A card on a stage, and what it answered."""

    def __init__(self, app: Stage, card: Card, hand: Hand) -> None:
        self.app, self.card, self.hand = app, card, hand
        self.answers: list[Any] = []


async def ask(app: Stage, **options: Any) -> Asked:
    hand = Hand(None)
    card = Card("Delete", options.pop("body", BODY), buttons=options.pop("buttons", YES), clock=hand.clock, **options)
    hand.card = card
    asked = Asked(app, card, hand)
    await app.push_screen(card, asked.answers.append)
    return asked


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], []),
        (["escape"], []),
        (["right", "enter"], ["yes"]),
        (["tab", "enter"], ["yes"]),
        (["tab", "tab", "enter"], []),
        (["left", "enter"], ["yes"]),
        (["right", "left", "enter"], []),
        (["y", "enter"], []),
        (["down", "pagedown", "enter"], []),
    ],
    ids=lambda keys: " ".join(keys) if isinstance(keys, list) else "",
)
async def test_enter_presses_the_button_that_the_user_went_to(keys: list[str], answer: list[str]) -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.now += 1
        asked.hand.type(*keys)
        await pilot.pause()
        assert asked.answers == [answer]


async def test_a_paste_confirms_nothing() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.now += 1
        asked.hand.type("tab", "enter", pause=0.01)
        await pilot.pause()
        assert asked.answers == []
        assert "press it again" in lines_of(asked.card.sheet)[-1]
        asked.hand.type("enter", pause=0.5)
        await pilot.pause()
        assert asked.answers == [["yes"]]


async def test_keys_that_were_typed_for_what_was_there_before_do_nothing() -> None:
    """Tab is the next pane's key as well, and Enter opens: the card came in between."""
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.type("tab", "enter", pause=0.05)
        assert asked.card.focused_button == ""
        assert "press it again" in lines_of(asked.card.sheet)[-1]
        asked.hand.type("tab", "enter", pause=0.4)
        await pilot.pause()
        assert asked.answers == [["yes"]]


async def test_a_paste_is_a_paste_however_slow_the_screen_is() -> None:
    """Both keys came in at once; painting what the first did took a while."""
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.now += 1
        at = time.monotonic()
        for key, waited in (("tab", 0.0), ("enter", 5.0)):
            event = events.Key(key, None)
            asked.hand.now += waited
            event.time = at - waited
            asked.card.on_key(event)
        await pilot.pause()
        assert asked.answers == []


async def test_a_paste_does_not_move_the_focus() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.now += 1
        asked.hand.type("x", "tab", pause=0.01)
        assert asked.card.focused_button == ""
        asked.hand.type("enter")
        await pilot.pause()
        assert asked.answers == [[]]


async def test_what_was_typed_for_a_card_above_is_not_taken_for_this_one() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app)
        asked.hand.now += 1
        asked.hand.type("tab")
        await app.push_screen(Card("Another", BODY))
        await pilot.pause()
        app.pop_screen()
        await pilot.pause()
        assert asked.card.focused_button == ""
        asked.hand.type("tab", "enter", pause=0.1)
        assert asked.answers == []


async def test_a_resize_moves_the_buttons_and_is_no_click() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app, cells=50)
        asked.hand.now += 1
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        row = lines_of(asked.card.sheet)[-2]
        await pilot.click(asked.card.sheet, offset=(row.index("Delete") + 2, asked.card.sheet.size.height - 2))
        assert asked.answers == []
        assert "too fast" in lines_of(asked.card.sheet)[-1]


async def test_a_protected_thing_wants_its_name() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app, ask="mysql")
        asked.hand.now += 1
        asked.hand.type("tab", "enter")
        assert "not yet" in lines_of(asked.card.sheet)[-1]
        asked.hand.type(*"mysqk", "backspace", "l", "enter")
        await pilot.pause()
        assert asked.answers == [["yes"]]


async def test_a_pasted_name_is_taken_and_what_follows_it_is_not_obeyed() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app, ask="mysql")
        asked.hand.now += 1
        asked.hand.type("tab")
        asked.hand.now += 1
        asked.card.on_paste(events.Paste("mysql\n\ny\n"))
        asked.hand.type("enter", pause=0.001)
        await pilot.pause()
        assert (asked.card.typed, asked.answers) == ("mysql", [])


async def test_new_buttons_give_the_focus_back_to_cancel() -> None:
    """What was asked may change while it is read: the answer to the old question is none to the new one."""
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app, buttons=[])
        asked.card.update([[("4 objects", "fg")]], buttons=[Button("Apply 4 objects", "apply")])
        asked.hand.now += 1
        asked.hand.type("tab")
        assert asked.card.focused_button == "apply"
        asked.card.update([[("5 objects", "fg")]], buttons=[Button("Apply 5 objects", "apply")])
        assert asked.card.focused_button == ""
        asked.hand.type("enter", pause=0.5)
        await pilot.pause()
        assert asked.answers == [[]]


async def test_new_words_under_the_same_button_are_another_question() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)):
        asked = await ask(app)
        asked.hand.now += 1
        asked.hand.type("tab")
        asked.card.update([[("deletes  ", "muted"), ("another thing", "fg")]])
        assert asked.card.focused_button == ""


async def test_the_mouse_presses_what_it_points_at_once_it_could_be_read() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        asked = await ask(app, cells=50)
        row = lines_of(asked.card.sheet)[-2]
        at = (row.index("Delete") + 2, asked.card.sheet.size.height - 2)
        await pilot.click(asked.card.sheet, offset=at)
        assert asked.answers == []
        assert asked.card.focused_button == ""
        asked.hand.now += 1
        await pilot.click(asked.card.sheet, offset=(3, at[1]))
        assert asked.answers == []
        await pilot.click(asked.card.sheet, offset=at)
        assert asked.answers == [["yes"]]


async def test_random_keys_never_confirm_what_was_not_gone_to() -> None:
    """Streams of keys as fast as a paste, whatever is in them."""
    app = Stage(Pane(shelf(3)))
    dice = random.Random(5)
    async with app.run_test(size=(80, 24)):
        for _ in range(40):
            asked = await ask(app, ask=dice.choice(["", "y"]))
            asked.hand.now += 1
            for _ in range(30):
                key = dice.choice(["y", "enter", "space", "tab", "left", "right", "down", "end", "n"])
                asked.hand.type(key, pause=dice.choice([0.0, 0.001, 0.02]))
                if asked.answers or app.screen is not asked.card:
                    break
            assert asked.answers in ([], [[]])
            if app.screen is asked.card:
                app.pop_screen()


async def test_a_tall_card_scrolls_and_its_buttons_stay() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(60, 12)):
        asked = await ask(app, body=lambda cells: [[(f"line {i} of {cells}", "fg")] for i in range(40)])
        sheet = asked.card.sheet
        assert "line 0 of 56" in lines_of(sheet)[1]
        assert "Delete 1 object" in lines_of(sheet)[-2]
        asked.hand.type("pagedown", "down")
        assert "line 8 of 56" in lines_of(sheet)[1]
        assert "Delete 1 object" in lines_of(sheet)[-2]
        asked.hand.type("end")
        assert "–40 of 40" in lines_of(sheet)[-1]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 4), (30, 6), (200, 60)])
async def test_cards_fit_any_terminal(size: tuple[int, int]) -> None:
    app = Stage(Pane(shelf(3)))
    items = [Item(str(i), f"item {i}") for i in range(30)]
    async with app.run_test(size=size) as pilot:
        for card in (Card("Title", BODY * 30, buttons=YES, ask="name"), ListCard("List", items), TextCard("Text", BODY * 30)):
            await app.push_screen(card)
            await pilot.press("down", "a", "end", "tab")
            assert {card.sheet.render_line(y).cell_length for y in range(card.sheet.size.height)} == {card.sheet.size.width}
            app.pop_screen()


# ---- a list to choose from ---------------------------------------------------------------------------------------------------


async def choose(app: Stage, *keys: str, **options: Any) -> tuple[ListCard, list[Any]]:
    answers: list[Any] = []
    names = options.pop("names", ["default", "kube-system", "monitoring", "shop", "shop-dev"])
    card = ListCard("Namespaces", [Item(name, name, here=name == "monitoring") for name in names], **options)
    await app.push_screen(card, answers.append)
    Hand(card).type(*keys)
    return card, answers


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], [["monitoring"]]),
        (["down", "enter"], [["shop"]]),
        (["home", "up", "enter"], [["default"]]),
        ([*"sho", "enter"], [["shop"]]),
        ([*"sho", "down", "enter"], [["shop-dev"]]),
        ([*"SYS", "enter"], [["kube-system"]]),
        ([*"zzz", "enter"], []),
        ([*"zzz", "escape", "enter"], [["monitoring"]]),
        ([*"zz", "backspace", "ctrl+u", "end", "enter"], [["shop-dev"]]),
        (["escape"], [[]]),
        ([*"x", "escape", "escape"], [[]]),
    ],
    ids=lambda keys: " ".join(keys) if isinstance(keys, list) and all(isinstance(k, str) for k in keys) else "",
)
async def test_typing_narrows_and_enter_takes(keys: list[str], answer: list[list[str]]) -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        _, answers = await choose(app, *keys)
        await pilot.pause()
        assert answers == answer


async def test_several_are_marked_with_space_and_come_in_the_lists_order() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        card, answers = await choose(app, "end", "space", "home", "space", *"kube", "enter", several=True)
        await pilot.pause()
        assert answers == [["default", "shop-dev"]]
        assert card.marked == {"default", "shop-dev"}


async def test_a_list_that_changes_keeps_its_cursor() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        card, answers = await choose(app, "down")
        card.update([Item(name, name) for name in ("aaa", "bbb", "shop", "zzz")])
        Hand(card).type("enter")
        await pilot.pause()
        assert answers == [["shop"]]


async def test_a_click_chooses_what_it_points_at() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        card, answers = await choose(app)
        await pilot.click(card.sheet, offset=(5, 4))
        assert answers == [["shop"]]


# ---- a text to read ----------------------------------------------------------------------------------------------------------


async def test_a_text_is_searched_by_typing() -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 12)) as pilot:
        card = TextCard("Help", [[(f"line {i} ", "fg"), ("needle" if i in (20, 30) else "hay", "soft")] for i in range(60)])
        await app.push_screen(card)
        hand = Hand(card)
        hand.type(*"needle")
        assert "1 of 2" in lines_of(card.sheet)[-1]
        assert any("line 20 needle" in line for line in lines_of(card.sheet))
        hand.type("enter")
        assert any("line 30 needle" in line for line in lines_of(card.sheet))
        hand.type("x")
        assert "not found" in lines_of(card.sheet)[-1]
        hand.type("escape")
        assert app.screen is card
        hand.type("escape")
        await pilot.pause()
        assert app.screen is not card


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_a_key_pressed_twice_ends_one_card(key: str) -> None:
    app = Stage(Pane(shelf(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(TextCard("Below", BODY))
        below = app.screen
        for card in (ListCard("List", [Item("a", "a")]), Card("Delete", BODY, buttons=YES, clock=lambda: 0.0)):
            answers: list[Any] = []
            await app.push_screen(card, answers.append)
            if isinstance(card, Card):
                card._since = -1.0
            for _ in range(3):
                card.on_key(events.Key(key, None))
            await pilot.pause()
            assert app.screen is below
            assert len(answers) == 1
