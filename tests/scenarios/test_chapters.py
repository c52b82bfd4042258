"""Each chapter, played to its end on a whole embedded cluster, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubepane.scenarios import facts
from kubepane.scenarios.book import CHAPTERS
from scenarios.theatre import theatre


@pytest.mark.parametrize("name", CHAPTERS)
async def test_every_step_of_a_chapter_comes_true(name: str, tmp_path: Path) -> None:
    async with theatre(tmp_path) as here:
        player = here.player(name)
        took = await here.play(player)
        assert [end.number for end in player.ended] == list(range(1, len(CHAPTERS[name].steps) + 1))
        assert [(end.number, end.fact.text) for end in player.ended if not end.fact.true] == []
        assert player.problem == ""
        assert took < 60
        assert facts.tainted(here.session.stores) == []
        assert here.get("jobs.batch", "chatapp-load") is None
