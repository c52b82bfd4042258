"""Each chapter, played to its end on a whole embedded cluster, and what it leaves behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from kubepane.scenarios import facts
from kubepane.scenarios.book import CHAPTERS, chosen
from kubepane.scenarios.chapter import Fact
from kubepane.scenarios.player import AT_ONCE, Phase, Player, Reading
from scenarios.theatre import Theatre, theatre


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


async def log(here: Theatre) -> str:
    """The log of ChatApp's oldest pod."""
    assert here.session.api is not None
    pod = facts.pods(here.session.stores)[-1].metadata.name
    return (await here.session.api.get(f"/api/v1/namespaces/chatapp/pods/{pod}/log", {"tailLines": "20"}, accept="*/*")).decode()


async def test_without_the_cookie_the_logs_tell_of_lost_sessions(tmp_path: Path) -> None:
    async with theatre(tmp_path) as here:
        player = Player(here.session, chosen("sticky"), reading=Reading(least=3600.0), look_again=0.01)
        playing = asyncio.create_task(player.play())

        async def step(number: int) -> str:
            """What the log says half a minute after a step has come true."""
            while player.number < number or player.phase is not Phase.READING:
                if player.phase is Phase.READING:
                    player.go_on()
                await here.turn()
            for _ in range(60):
                await here.turn()
            return await log(here)

        with_cookie, without = await step(2), await step(3)
        playing.cancel()
        assert "GET /" in with_cookie
        assert "not found, redirecting to /login" not in with_cookie
        assert "not found, redirecting to /login" in without


async def test_a_step_that_does_not_come_true_is_said_and_the_chapter_goes_on_and_cleans_up(tmp_path: Path) -> None:
    async with theatre(tmp_path) as here:
        step = replace(CHAPTERS["taint"].steps[0], expects=lambda seen: Fact(False, "never"), within=3.0)
        chapter = replace(CHAPTERS["taint"], steps=(step, *CHAPTERS["taint"].steps[3:]))
        player = Player(here.session, (chapter,), reading=AT_ONCE, look_again=0.01)
        await here.play(player)
        assert [(end.number, end.fact.true) for end in player.ended] == [(1, False), (2, True)]
        assert facts.tainted(here.session.stores) == []


async def test_the_story_is_applied_where_it_is_missing(tmp_path: Path) -> None:
    async with theatre(tmp_path, story=False) as here:
        assert here.get("deployments.apps", "chatapp") is None
        player = here.player("policy")
        await here.play(player)
        assert player.problems == []
        assert all(end.fact.true for end in player.ended)
