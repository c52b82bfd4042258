"""The dashboard on a cluster that writes down every request, for tests of what may be sent and what may not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from kubepane.app import KubepaneApp
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane_widgets.pane import Pane
from living import Asked, Living
from unlimited import unlimited

UPGRADES = ("/exec", "/attach", "/portforward", "/proxy")


def mutating(asked: Asked) -> bool:
    """Whether a request could change anything, dry runs and shells included; reviews of our own rights cannot."""
    return (asked.method != "GET" and "/authorization.k8s.io/" not in asked.path) or asked.path.endswith(UPGRADES)


@asynccontextmanager
async def acted(
    living: Living, state: Path, monkeypatch: pytest.MonkeyPatch, *, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[KubepaneApp, Pilot[int]]]:
    """The dashboard once its first rows are there. It does not end by a key; what fails in the background fails the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    unlimited(monkeypatch)
    monkeypatch.setattr(KubepaneApp, "exit", lambda *_, **__: None)
    failed: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, about: failed.append(about))
    app = KubepaneApp(Session(Options(kubeconfig=str(living.kubeconfig), all_namespaces=True, **options)))
    async with app.run_test(size=size) as pilot:
        await until(lambda: len(app.session.stores.pods) > 0 and isinstance(app.focused, Pane))
        yield app, pilot
    gc.collect()
    await asyncio.sleep(0)
    assert not failed, [f"{about.get('message')}: {about.get('exception')!r}" for about in failed]


@contextmanager
def unpainted() -> Iterator[None]:
    """Nothing is painted, which takes most of the time and sends nothing. Panes take in rows when they are painted, so not for long."""
    paint = Screen._compositor_refresh

    def skip(screen: Screen[Any]) -> None:
        screen._dirty_widgets.clear()
        screen._compositor._dirty_regions.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "_compositor_refresh", skip)
        yield
    assert Screen._compositor_refresh is paint


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for a condition.

    Raises:
        AssertionError: it does not become true.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not true():
        assert loop.time() < end, "it does not become true"
        await asyncio.sleep(0.005)
