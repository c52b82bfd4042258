"""The object's screen keeps its footer on the screen, whatever happens to its places."""

from __future__ import annotations

import pytest
from textual.widgets import ContentSwitcher

from kubepane.screens.object import ObjectScreen
from screens.stage import Stage, dashboard, model


def places(stage: Stage) -> dict[str, tuple[int, int]]:
    """id → (first line, lines) of what stands on the screen."""
    regions = {place: stage.app.screen.query_one(f"#{place}").region for place in ("header", "tabs", "footer")}
    return {place: (region.y, region.height) for place, region in regions.items()}


async def opened(stage: Stage) -> None:
    await stage.shows("broken")
    await stage.keys("enter")
    await stage.until(lambda: isinstance(stage.app.screen, ObjectScreen) and stage.app.screen.query("#footer"))


@pytest.mark.parametrize("tab", ["y", "e", "l", "r", "s"])
async def test_the_footer_is_there_in_every_tab_and_size(tab: str) -> None:
    async with dashboard(model()) as stage:
        await opened(stage)
        await stage.keys(tab)
        for columns, rows in ((120, 40), (80, 24), (200, 60), (120, 40)):
            await stage.pilot.resize_terminal(columns, rows)
            expected = {"header": (0, 1), "tabs": (1, rows - 2), "footer": (rows - 1, 1)}
            await stage.until(lambda: places(stage) == expected, 2.0)  # noqa: B023


async def test_the_footer_is_there_before_a_place_was_chosen() -> None:
    """The screen is laid out once before its tab is shown: the footer must not depend on what comes after."""
    async with dashboard(model()) as stage:
        await opened(stage)
        for current in ("events", "log", "text", None):
            stage.app.screen.query_one("#tabs", ContentSwitcher).current = current
            await stage.pilot.pause()
            assert places(stage)["footer"] == (39, 1), current
            stage.app.screen.refresh(layout=True)
            await stage.pilot.pause()
            assert places(stage)["footer"] == (39, 1), current
