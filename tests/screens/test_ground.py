"""The whole dashboard stands on the theme's ground, whatever colour the terminal is."""

from __future__ import annotations

from typing import Any

import pytest
from rich.style import Style
from textual.app import App

from screens.stage import dashboard, model


def groundless(app: App[Any]) -> list[str]:
    """What is painted on the terminal's own ground."""
    segments = (segment for strip in app.screen._compositor.render_strips() for segment in strip)
    return [segment.text for segment in segments if (segment.style or Style()).bgcolor is None]


@pytest.mark.parametrize("theme", ["kubepane-dark", "kubepane-light", "nord"])
@pytest.mark.parametrize(
    "keys", [(), ("question_mark",), ("enter",), ("slash", "x"), ("z",), ("n",), ("a",), ("X",), ("L",), ("ctrl+d",)], ids=" ".join
)
async def test_nothing_stands_on_the_terminals_own_ground(theme: str, keys: tuple[str, ...]) -> None:
    async with dashboard(model()) as stage:
        stage.app.theme = theme
        await stage.shows("1 Pods", "8 Policies")
        await stage.keys(*keys)
        assert groundless(stage.app) == []
