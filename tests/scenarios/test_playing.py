"""A chapter on the dashboard: its caption, the pane that matters, and the keys meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kubepane.app import KubepaneApp
from kubepane.scenarios.book import chosen
from kubepane.scenarios.player import Reading
from kubepane.screens.playing import Play, PlayingScreen
from scenarios.theatre import Theatre, theatre


class Audience:
    def __init__(self, app: KubepaneApp, pilot: Pilot[int], here: Theatre) -> None:
        self.app, self.pilot, self.here = app, pilot, here

    @property
    def screen(self) -> PlayingScreen:
        assert isinstance(self.app.screen, PlayingScreen)
        return self.app.screen

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def until(self, true: Any, seconds: float = 45.0) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not true():
            assert asyncio.get_running_loop().time() < end, self.text()
            await self.here.turn(0.1)

    async def shows(self, *needles: str) -> None:
        await self.until(lambda: all(needle in self.text() for needle in needles))


@asynccontextmanager
async def audience(tmp_path: Path, name: str, size: tuple[int, int] = (80, 24), lasting: bool = False) -> AsyncIterator[Audience]:
    async with theatre(tmp_path, begun=False) as here:
        app = KubepaneApp(here.session, first=Play(chosen(name), lasting, Reading(least=3600.0)).screen)
        async with app.run_test(size=size) as pilot:
            yield Audience(app, pilot, here)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_step_has_its_caption_the_pane_that_matters_and_the_row_under_the_cursor(tmp_path: Path, size: tuple[int, int]) -> None:
    async with audience(tmp_path, "taint", size) as seen:
        await seen.shows("taint 1/4", "All workers get the taint", "✓ 3 of 3 workers have dedicated=chatapp:NoSchedule", "n next step", "Esc leave")
        assert seen.screen.current == "nodes"
        await seen.pilot.press("n")
        await seen.shows("taint 2/4", "▌○ chatapp", "taint dedicated=chatapp:NoSchedule on 3 nodes")
        assert seen.screen.current == "pods"


async def test_other_keys_stay_what_they_are(tmp_path: Path) -> None:
    async with audience(tmp_path, "taint", (120, 40)) as seen:
        await seen.shows("taint 1/4", "✓")
        await seen.pilot.press("2")
        assert seen.screen.current == "workloads"
        await seen.pilot.press("slash", *"mysql", "enter")
        await seen.shows("1 of 2 · /mysql")
        await seen.pilot.press("escape")  # the filter first
        await seen.until(lambda: "· /mysql" not in seen.text())
        await seen.shows("taint 1/4", "Esc leave")


async def test_leaving_puts_all_back_and_gives_the_keys_back(tmp_path: Path) -> None:
    async with audience(tmp_path, "taint") as seen:
        await seen.shows("taint 1/4", "✓ 3 of 3")
        await seen.pilot.press("escape")
        await seen.until(lambda: seen.screen.player.over)
        await seen.until(lambda: "taint 1/4" not in seen.text() and "Esc leave" not in seen.text())
        await seen.pilot.press("n")
        await seen.shows("Namespaces", "all namespaces")
        node = seen.here.get("nodes", "kubepane-worker", "") or {}
        assert "taints" not in node["spec"]  # type: ignore[operator]


async def test_a_cluster_that_lives_on_is_put_back_before_the_program_ends(tmp_path: Path) -> None:
    async with audience(tmp_path, "taint", lasting=True) as seen:
        await seen.shows("taint 1/4", "✓ 3 of 3")
        await seen.pilot.press("q")
        await seen.until(lambda: not seen.app.is_running)
        node = seen.here.get("nodes", "kubepane-worker", "") or {}
        assert "taints" not in node["spec"]  # type: ignore[operator]


async def test_a_simulated_cluster_ends_at_once(tmp_path: Path) -> None:
    async with audience(tmp_path, "taint") as seen:
        await seen.shows("taint 1/4")
        await seen.pilot.press("q")
        assert seen.app.return_code == 0
