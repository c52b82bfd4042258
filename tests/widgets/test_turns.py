"""Keys that come at once do what they do one by one."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st
from textual import events
from textual.binding import Binding, BindingType

from kubepane_widgets.form import Field, FormCard
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt
from widgets.stage import Stage, shelf

CHARACTERS = {"slash": "/", "colon": ":", "plus": "+", "space": " "}


class Desk(Stage):
    """Two panes, a line to type in, a list and a form: whatever a key can open or move to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "prompt", show=False),
        Binding("colon", "choose", show=False),
        Binding("plus", "fill", show=False),
        Binding("1", "to(0)", show=False),
        Binding("2", "to(1)", show=False),
    ]
    CSS = "Screen { overflow: hidden; layout: grid; grid-size: 2; } Prompt { column-span: 2; }"

    def __init__(self) -> None:
        self.panes = (Pane(shelf(20)), Pane(shelf(20)))
        self.prompt = Prompt()
        super().__init__(*self.panes, self.prompt)

    def action_prompt(self) -> None:
        self.prompt.open()

    def action_choose(self) -> None:
        self.push_screen(ListCard("Choose", [Item(text, text) for text in ("ab", "ba", "jk")], several=True), self.told.append)

    def action_fill(self) -> None:
        self.push_screen(FormCard("Fill", [Field("one", ""), Field("two", "")], lambda texts: ""), self.told.append)

    def action_to(self, number: int) -> None:
        self.panes[number].focus()

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        self.told.append(message.text)
        self.panes[0].focus()

    def on_prompt_cleared(self, message: Prompt.Cleared) -> None:
        self.panes[0].focus()

    def state(self) -> tuple[Any, ...]:
        top = self.screen
        typed = top.needle if isinstance(top, ListCard) else list(top.texts) if isinstance(top, FormCard) else ""
        return (
            [type(one) for one in self.screen_stack],
            typed,
            self.prompt.is_open,
            self.prompt.text,
            [pane.cursor for pane in self.panes],
            self.told,
        )


def _key(app: Desk, name: str) -> None:
    event = events.Paste("jk\n") if name == "paste" else events.Key(name, CHARACTERS.get(name, name if len(name) == 1 else None))
    event.set_sender(app)
    app.post_message(event)


async def _typed(keys: list[str], at_once: bool) -> tuple[Any, ...]:
    app = Desk()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        for key in keys:
            _key(app, key)
            if not at_once:
                await pilot.pause()
        await pilot.pause()
        for _ in keys:
            await pilot.pause()
        assert not app.under_way
        assert not app.typed_ahead
        return app.state()


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.lists(st.sampled_from(["slash", "colon", "plus", "j", "k", "a", "b", "1", "2", "enter", "escape", "backspace", "space", "paste"]), max_size=16)
)
@example(["slash", "a", "b", "enter", "j", "j"])
@example(["slash", "a", "escape", "colon", "b", "a", "enter", "2", "j"])
@example(["colon", "escape", "escape", "plus", "1", "enter", "2", "enter", "j"])
@example(["plus", "paste", "enter", "enter", "2", "j", "slash", "paste"])
def test_at_once_is_one_by_one(keys: list[str]) -> None:
    assert asyncio.run(_typed(keys, at_once=True)) == asyncio.run(_typed(keys, at_once=False))


async def test_keys_are_not_lost_with_what_had_the_focus() -> None:
    app = Desk()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        _key(app, "colon")
        await pilot.pause()
        for key in ("escape", "j", "j"):
            _key(app, key)
        app.pop_screen()  # it goes before it has heard of any of them
        await pilot.pause()
        assert not app.under_way
        assert app.panes[0].cursor == "k2"


async def test_many_keys_behind_the_end_of_the_program_are_no_fault() -> None:
    app = Desk()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        for _ in range(2000):
            _key(app, "j")
        app.exit()
    assert app.return_code == 0
