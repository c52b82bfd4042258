"""Apps that give keys out one after another: what is typed ahead goes where it would go if each key had been waited for.

Textual hands a key to what has the focus at the moment when it is read, and looks for a binding when it comes back from there.
Of keys that are read together, as a slow link delivers them, the later ones would thus miss what the first one opens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.message_pump import MessagePump


class TurnsApp(App[ReturnType]):
    """An App in which a key or a paste is not given out before the one ahead of it has been answered.

    Attributes:
        under_way: one has been given out and not been answered yet.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ahead: deque[events.Event] = deque()
        self.under_way = False

    @property
    def typed_ahead(self) -> bool:
        """Whether keys wait for their turn."""
        return bool(self._ahead)

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes wait for their turn; all else does not."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._ahead.append(event)
            if not self.under_way:
                await self._give_out()
        else:
            await super().on_event(event)

    async def _give_out(self) -> None:
        while self._ahead and not self.under_way:
            event = self._ahead.popleft()
            target = self.focused or self.screen
            await super().on_event(event)
            if event.is_forwarded:
                self.under_way = self._follow([*target.ancestors_with_self, self])  # the app twice: `focus()` of a binding has a turn of its own

    def _follow(self, way: Sequence[MessagePump]) -> bool:
        """Waits in the next queue of the way that a key bubbles, right behind it; what is closing is passed by. False at the way's end."""
        return any(pump.call_later(self._further, way[i + 1 :]) for i, pump in enumerate(way))

    async def _further(self, way: Sequence[MessagePump]) -> None:
        self.under_way = self._follow(way)
        await self._give_out()
