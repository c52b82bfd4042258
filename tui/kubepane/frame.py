"""The dashboard drawn once without a terminal, as text or SVG."""

from __future__ import annotations

from collections.abc import Sequence

from kubepane.app import KubepaneApp
from kubepane.cluster.session import Session
from kubepane.screens.dashboard import DashboardScreen
from kubepane.screens.layouts import PANES
from kubepane.settle import settle


async def frame(session: Session, panes: Sequence[str], form: str, size: tuple[int, int], wait: float) -> str:
    """The frame: the overview for all panes, else the one pane, zoomed, or the named ones below each other.

    Args:
        session: not started.
        panes: names.
        form: "text" or "svg".
        size: columns and rows.
        wait: seconds that the lists may take.

    Raises:
        ClusterError: nothing could be read.
    """
    app = KubepaneApp(session)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        kinds = list(dict.fromkeys(kind for name in panes for kind in PANES[name].kinds))
        await settle(session, kinds, wait)
        screen = app.screen
        assert isinstance(screen, DashboardScreen)
        await screen.only(panes)
        session.changed = screen.pacer.changed
        screen.settle()
        await pilot.pause()
        if form == "svg":
            return app.export_screenshot(title="kubepane")
        strips = app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)
