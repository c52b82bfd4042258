"""Read-only means none: ten thousand random keys, clicks and pastes, and no request that could change anything reaches the server (S4)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubepane_widgets.card import Card
from living import Living, living
from screens.acted import acted, mutating, unpainted
from screens.fingers import Fingers

PARTS, EACH = 20, 500


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster"), speed=1.0) as made:
        made.deploy("web", 2)
        yield made


@pytest.mark.parametrize("part", range(PARTS))
async def test_random_keys_change_nothing(part: int, cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = [(120, 40), (80, 24), (200, 60), (60, 15)][part % 4]
    cards: set[Card] = set()
    cluster.asked.clear()
    async with acted(cluster, tmp_path, monkeypatch, size=size, read_only=True) as (app, pilot):
        dice = random.Random(part)
        fingers = Fingers(pilot, dice)
        while len(fingers.came) < EACH:
            if dice.random() < 0.4:
                await fingers.begin_change()
            with unpainted():
                for _ in range(6):
                    for _ in range(dice.choice((1, 1, 1, 4))):  # several at once: typed ahead
                        fingers.anything()
                    await fingers.rest()
                    if isinstance(app.screen, Card):
                        cards.add(app.screen)
                        await asyncio.sleep(0.001)  # the cluster may answer
            app.refresh()
        while not cards:  # else it would prove nothing
            await fingers.begin_change()
            cards.update([app.screen] if isinstance(app.screen, Card) else [])
    sent = [f"{one.method} {one.path} {one.query}" for one in cluster.asked if mutating(one)]
    assert sent == [], fingers.came[-40:]
    assert not (tmp_path / "kubepane" / "audit.jsonl").exists()
