"""Who confirmed what: judges by what is on the screen and what was pressed, not by what the card says of itself.

A confirmation is the user's own key to the confirming button and then Enter, or a click on it, neither of them in a burst nor before the
card has been seen as it is for a while. What was shown is kept, to be compared with what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from textual import events

from kubepane.acting.plan import Plan
from kubepane.screens.changes import Changes
from kubepane_widgets import card as card_room
from kubepane_widgets.card import Card
from kubepane_widgets.lines import Line

BURST, SEEN = 0.03, 0.3  # seconds; written down here once more, so that the card cannot loosen them unnoticed
MOVES = ("tab", "shift+tab", "left", "right")


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Shown:
    """A plan that a card showed."""

    plan: Plan
    text: str


@dataclass
class Witness:
    """Watches one screen through one stream.

    Attributes:
        plans: what each card shows by now.
        confirmed: what was confirmed, in order.
        log: what came when, and what was on the screen: what a failure was after.
    """

    time: Time
    plans: dict[Card, Plan] = field(default_factory=dict)
    confirmed: list[Shown] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    _face: Any = None
    _since: float = 0.0
    _went: bool = False
    _key_at: float = float("-inf")

    def look(self, screen: Any) -> None:
        """Takes note of what is on the screen now; to be called before time passes."""
        face = (id(screen), _face(screen), screen.app.size) if isinstance(screen, Card) else id(screen)
        if face != self._face:
            self._face, self._since, self._went = face, self.time.now, False

    def sees(self, screen: Any, event: events.Event) -> None:
        """An event that is about to arrive, now."""
        self.look(screen)
        early, burst = self.time.now - self._since < SEEN, self.time.now - self._key_at < BURST
        if isinstance(event, events.Key | events.Paste):
            self._key_at = self.time.now
        on = f"Card on {screen.focused_button!r}" if isinstance(screen, Card) else type(screen).__name__
        self.log.append(f"{self.time.now:.3f} {event!r:.60} {on}{' early' * early}{' burst' * burst}{' went' * self._went}")
        if not isinstance(screen, Card):
            return
        if isinstance(event, events.Key) and event.key in MOVES and not early and not burst:
            self._went = True
        confirms = isinstance(event, events.Key) and event.key == "enter" and self._went and not burst
        plan = self.plans.get(screen)
        if (confirms or _clicks(screen, event)) and not early and plan is not None and not plan.refusals and screen.typed == screen._ask:
            self.confirmed.append(Shown(plan, _text(screen)))


def _face(card: Card) -> tuple[str, tuple[str, ...]]:
    return _text(card), tuple(button.label for button in card._buttons)


def _text(card: Card) -> str:
    body = card._body(100) if callable(card._body) else card._body
    return "\n".join((card.sheet.title, *("".join(part for part, _ in line) for line in body)))


def _clicks(card: Card, event: events.Event) -> bool:
    """Whether the mouse goes down on a confirming button as it is painted."""
    if not isinstance(event, events.MouseDown) or not card._buttons:
        return False
    region = card.sheet.region
    row: Line = card.sheet.feet[-1] if card.sheet.feet else []
    at, cell = event.screen_x - region.x - 2, 0
    for part, _ in row:
        if cell <= at < cell + len(part):
            return event.screen_y - region.y == region.height - 2 and any(button.label in part for button in card._buttons)
        cell += len(part)
    return False


def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    """One on a clock of its own, that knows the plan of every card."""
    time = Time()
    seen = Witness(time)
    monkeypatch.setattr(card_room, "monotonic", time)
    fill = Changes._fill

    async def watched(self: Changes, card: Card, intent: Any, plans: list[Plan], notice: str) -> None:
        await fill(self, card, intent, plans, notice)
        if plans:
            seen.plans[card] = plans[0]

    monkeypatch.setattr(Changes, "_fill", watched)
    return seen
