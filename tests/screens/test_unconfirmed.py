"""A confirmation cannot be tricked: a thousand random streams against every dialog, and no write but the confirmed one, as it was shown (S6)."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane.app import KubepaneApp
from kubepane.cluster import writer as writing_room
from kubepane.screens.operating import OperatingScreen
from kubepane_widgets.card import Card
from living import APPS, NODES, Living, living
from screens.acted import acted, unpainted, until
from screens.fingers import Fingers
from screens.witness import Witness, witness

PARTS, EACH = 40, 25
WORKLOADS = ("web", "shop", "api")
PAUSES = (0.0, 0.001, 0.02, 0.05, 0.1, 0.35, 0.35, 0.35, 1.0)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster"), speed=1.0) as made:
        for name in WORKLOADS:
            made.deploy(name, 1)
        yield made


class Stream:
    """One random stream after another on one dashboard."""

    def __init__(self, app: KubepaneApp, fingers: Fingers, seen: Witness, cluster: Living, dice: random.Random) -> None:
        self.app, self.fingers, self.seen, self.cluster, self.dice = app, fingers, seen, cluster, dice
        self.written = 0

    @property
    def dashboard(self) -> OperatingScreen:
        screen = self.app.screen_stack[1]
        assert isinstance(screen, OperatingScreen)
        return screen

    async def send(self, what: Any, *args: Any) -> None:
        """One event, at the present moment, and what comes of it."""
        self.seen.look(self.app.screen)
        self.seen.time.now += self.dice.choice(PAUSES)
        what(*args)
        await self.fingers.rest()

    async def run(self) -> None:
        """Begins a change, and goes on at random; then everything that was sent must have been confirmed as it was shown."""
        self.cluster.asked.clear()
        self.seen.confirmed = [shown for shown in self.seen.confirmed if shown.plan.carry is not None]  # a drain goes on
        await self._home()
        self.seen.time.now += 1
        await self.fingers.begin_change()
        with unpainted():
            await self._go_on()
        self.app.refresh()
        await until(self._nothing_more_comes)
        self._judge()

    async def _go_on(self) -> None:
        await self._card_is_filled()
        if self.dice.random() < 0.6:
            await self._carefully(0.2)
        for _ in range(self.dice.randrange(3, 12)):
            await self._anything()
        await self._home()

    def _nothing_more_comes(self) -> bool:
        """Whether all that was confirmed has been sent, or given up; a drain only begins."""
        for each in self.dashboard.changes.effects:
            wanted = 1 if each.plan.carry is not None else len(each.plan.steps)
            if each.ended is None and len(each.outcomes) < wanted:
                return False
        return True

    async def prove(self) -> None:
        """Somebody who means it is obeyed: else the streams before would prove nothing."""
        await self._home()
        self.fingers.resize(160, 50)
        await asyncio.sleep(0.2)  # Textual takes its time with a size
        for _ in range(40):
            if self.written:
                return
            self.cluster.asked.clear()
            await self._home()
            self.seen.time.now += 1
            await self.fingers.begin_change()
            await self._card_is_filled()
            await self._carefully(0.0)
            await self._home()
            await until(self._nothing_more_comes)
            self._judge()
        pytest.fail("\n".join(("nothing was ever confirmed", *self.seen.log[-40:])))

    async def _carefully(self, disturbed: float) -> None:
        """What somebody does who means it, and now and then something in between."""
        card = self.app.screen
        name = card._ask if isinstance(card, Card) else ""
        for pressed in (*(("ctrl+u", *name) if name else ()), "tab", "enter"):
            self.seen.look(self.app.screen)
            self.seen.time.now += self.dice.choice((0.01, 0.1)) if self.dice.random() < disturbed else 0.4
            self.fingers.key(pressed)
            await self.fingers.rest()
            if self.dice.random() < disturbed:
                await self._anything()

    async def _home(self) -> None:
        for _ in range(12):
            if isinstance(self.app.screen, OperatingScreen):
                return
            self.seen.time.now += 1
            self.fingers.key("escape")
            await self.fingers.rest()

    async def _card_is_filled(self) -> None:
        if (reading := self.dashboard._sets._reading) is not None:
            await reading  # a set is read before its card comes
        for _ in range(2000):
            await asyncio.sleep(0.002)
            card = self.app.screen
            if not isinstance(card, Card) or card._buttons or card in self.seen.plans:
                return

    async def _anything(self) -> None:
        what, fingers, dice = self.dice.random(), self.fingers, self.dice
        card = self.app.screen
        if what < 0.25:
            await self.send(fingers.key, dice.choice(("tab", "right", "left", "shift+tab")))
        elif what < 0.55:
            await self.send(fingers.key, "enter")
        elif what < 0.65:
            await self.send(fingers.key, dice.choice(("y", "n", "space", "down", "up", "j", "s", "1", "ctrl+d", "u")))
        elif what < 0.75:
            await self.send(fingers.paste, dice.choice(("y\n", "yes\n", "\t\n", "\n\n", self.app.session.context + "\n")))
        elif what < 0.87 and isinstance(card, Card):
            await self.send(fingers.click, *self._near_the_buttons(card))
        elif what < 0.91:
            await self.send(fingers.resize, dice.choice((80, 120, 100)), dice.choice((24, 40, 12)))
        else:
            self._meanwhile()

    def _near_the_buttons(self, card: Card) -> tuple[int, int]:
        region = card.sheet.region
        return max(0, region.right - self.dice.randrange(2, 40)), max(0, region.bottom - self.dice.choice((1, 2, 2, 2, 2, 3)))

    def _meanwhile(self) -> None:
        """Somebody else: rows move, versions change, numbers too; what was deleted comes back under its name."""
        for name in missing(self.cluster):
            self.cluster.deploy(name, 1)
        name, number = self.dice.choice(WORKLOADS), str(self.dice.randrange(500))
        what = self.dice.randrange(4)
        if what == 0:
            nodes = [item["metadata"]["name"] for item in self.cluster.get(NODES)["items"]]
            self.cluster.patch(f"{NODES}/{self.dice.choice(nodes)}", {"metadata": {"annotations": {"seen": number}}})
        elif what == 1:
            self.cluster.deploy(f"a{number}-{len(self.fingers.came)}", 0)
        else:
            self.cluster.patch(
                f"{APPS}/deployments/{name}",
                {"metadata": {"annotations": {"a": number}}} if what == 2 else {"spec": {"minReadySeconds": int(number)}},
            )

    def _judge(self) -> None:
        confirmed = {key(step.request(step.raw or {})): shown for shown in self.seen.confirmed for step in shown.plan.steps}
        for asked in self.cluster.asked:
            if asked.changes:
                self.written += 1
                if key(asked) not in confirmed:
                    pytest.fail("\n".join((f"not confirmed: {key(asked)}", *self.seen.log[-40:])))
                shown = confirmed[key(asked)]
                names = [step.about.name for step in shown.plan.steps if key(step.request(step.raw or {})) == key(asked)]
                assert len(shown.plan.steps) > 5 or all(name in shown.text for name in names), (names, shown.text)


def missing(cluster: Living) -> list[str]:
    """The workloads that are not there (any more)."""
    there = {item["metadata"]["name"] for item in cluster.get(f"{APPS}/deployments")["items"]}
    return [name for name in WORKLOADS if name not in there]


def key(sent: Any) -> str:
    """What a request says, apart from the version of the object: that may be a newer one, where the change still means the same."""
    body = copy.deepcopy(sent.body)
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        body["metadata"].pop("resourceVersion", None)
    if isinstance(body, dict) and isinstance(body.get("preconditions"), dict):
        body["preconditions"].pop("resourceVersion", None)
    return f"{sent.method} {sent.path} {body}"


@pytest.mark.parametrize("part", range(PARTS))
async def test_only_what_was_confirmed_is_written(part: int, cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing_room, "PAUSE", 0.0)
    seen = witness(monkeypatch)
    async with acted(cluster, tmp_path, monkeypatch, size=(120, 40), protection="." if part % 4 == 3 else "$^") as (app, pilot):
        dice = random.Random(part)
        stream = Stream(app, Fingers(pilot, dice, tell=lambda event: seen.sees(app.screen, event)), seen, cluster, dice)
        for _ in range(EACH):
            await stream.run()
        await stream.prove()
