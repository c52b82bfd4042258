"""What a terminal can send, at random: keys, pastes, clicks, and another size; straight into the app, as its driver does."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Callable
from typing import Any

from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from kubepane.actions import CHANGES, DASHBOARD, OBJECT
from kubepane.screens.layouts import NUMBERS

NAMED = (
    "enter", "escape", "tab", "shift+tab", "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "space", "backspace", "delete",
    "slash", "colon", "question_mark", "exclamation_mark", "ctrl+d", "ctrl+u", "ctrl+l", "ctrl+c", "ctrl+q", "ctrl+p", "f1", "f5", "full_stop",
)  # fmt: skip
PASTES = ("y\n", "yes\n", "\n\n\n", "4\n", "web\ny\n", "test\n", "\t\r\n", "kubectl delete --all\n", "x" * 500, "")
CHARACTERS = {"space": " ", "slash": "/", "colon": ":", "question_mark": "?", "exclamation_mark": "!", "full_stop": ".", "enter": "\r", "tab": "\t"}


def vocabulary() -> list[str]:
    """Every key that means something, those of changes and of the way to them more often than the rest."""
    means = [key for action in (*DASHBOARD, *OBJECT) for key in action.keys]
    changes = [key for action in CHANGES for key in action.keys]
    return [*NAMED, *string.ascii_letters, *string.digits, *means, *changes * 4, *"jk" * 6, *["enter"] * 12, *["escape"] * 6, *["tab"] * 6]


class Fingers:
    """Somebody, or something, at the terminal of an app.

    Args:
        tell: is told of each event before it is sent.

    Attributes:
        came: what was sent, in order; the end of it tells what a failure was after.
    """

    def __init__(self, pilot: Pilot[Any], dice: random.Random, tell: Callable[[events.Event], None] = lambda event: None) -> None:
        self._app: Any = pilot.app
        self._pilot, self._dice = pilot, dice
        self._keys, self._tell = vocabulary(), tell
        self.came: list[str] = []

    def key(self, key: str) -> events.Key:
        """Presses a key."""
        event = events.Key(key, CHARACTERS.get(key, key if len(key) == 1 else None))
        self._post(event, key)
        return event

    def paste(self, text: str) -> None:
        """Pastes, as a terminal does that brackets it."""
        self._post(events.Paste(text), f"paste {text[:20]!r}")

    def click(self, x: int, y: int) -> None:
        """Presses the mouse and lets it go."""
        for kind in (events.MouseDown, events.MouseUp):
            self._post(kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y), f"{kind.__name__} {x} {y}")

    def resize(self, width: int, height: int) -> None:
        """Gives the terminal another size."""
        size = Size(width, height)
        self._post(events.Resize(size, size), f"resize {width}x{height}")

    def anything(self) -> None:
        """The next of a random stream."""
        dice, size = self._dice, self._app.size
        what = dice.random()
        if what < 0.88:
            self.key(dice.choice(self._keys))
        elif what < 0.96:
            self.click(dice.randrange(max(1, size.width)), dice.randrange(max(1, size.height)))
        else:
            self.paste(dice.choice(PASTES))

    async def begin_change(self) -> None:
        """Goes to some row and presses the key of a change, with an answer to the form that some of them have first."""
        dice = self._dice
        action = dice.choice([action for action in CHANGES if action.keys])
        numbers = [number for number, name in NUMBERS.items() if not action.panes or name in action.panes]
        keys = ["escape", "escape", dice.choice(numbers), *["j"] * dice.randrange(3), dice.choice(action.keys)]
        for key in keys:
            self.key(key)
            await self.rest()
        if self._app.screen is not self._app.screen_stack[1]:
            for key in [dice.choice("0123456789anrs"), "enter", *["enter"] * dice.randrange(3)]:
                self.key(key)
                await self.rest()

    def _post(self, event: events.Event, name: str) -> None:
        event.set_sender(self._app)
        self.came.append(name)
        self._tell(event)
        self._app.post_message(event)

    async def rest(self) -> None:
        """Until what was sent has been taken in, by the app, its screen and what has the focus."""
        app = self._app
        for turn in range(500):
            await asyncio.sleep(0)
            waiting = [app, app.screen, *([app.focused] if app.focused is not None else [])]
            if turn > 3 and not app.under_way and all(one._message_queue.empty() for one in waiting):
                return
