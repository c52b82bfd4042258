#!/usr/bin/env python3
"""Measures the way of a change on the embedded cluster: from the key to its dialog, and from the confirmation to the request on the wire.

    acting.py [--rounds N]

The dashboard runs headless and paints every frame; the cluster is served on a thread of its own, which costs both some of their speed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual import events
from textual.pilot import Pilot

from kubepane.app import KubepaneApp
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.screens.operating import OperatingScreen
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded
from kubepane_widgets.card import Card
from kubepane_widgets.pane import Pane
from kubepane_widgets.sheet import SheetScreen

BOUND = 50.0  # ms, of both
PATIENCE = 10.0
VERBS = (("cordon", "3", "C"), ("uncordon", "3", "U"), ("taint", "3", "t"), ("restart", "2", "r"), ("scale", "2", "s"), ("delete", "1", "ctrl+d"))
WRITES = ("cordon", "uncordon", "restart")


class Wire:
    """When the server got each change that is no dry run."""

    def __init__(self, served: ServedCluster) -> None:
        self.came: list[float] = []
        server = served.cluster.server
        handle = server._dispatch

        async def dispatch(request: Any, path: str) -> Any:
            if request.method != "GET" and "dryRun" not in request.query and "/authorization.k8s.io/" not in path:
                self.came.append(time.perf_counter())
            return await handle(request, path)

        server._dispatch = dispatch  # type: ignore[method-assign]


async def until(true: Callable[[], Any]) -> float:
    """Seconds until something is so."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > PATIENCE:
            raise TimeoutError("it does not come")
        await asyncio.sleep(0)
    return time.perf_counter() - began


async def measure(kubeconfig: Path, wire: Wire, rounds: int) -> dict[str, list[float]]:
    """Seconds by what was measured."""
    found: dict[str, list[float]] = {}
    app = KubepaneApp(Session(Options(kubeconfig=str(kubeconfig), all_namespaces=True)))
    app.session.audit = lambda line: None
    async with app.run_test(size=(160, 50)) as pilot:
        await until(lambda: len(app.session.stores.pods) > 0 and isinstance(app.focused, Pane))
        for _ in range(rounds):
            for verb, pane, key in VERBS:
                await one(app, pilot, wire, (verb, pane, key), found)
    return found


async def one(app: KubepaneApp, pilot: Pilot[int], wire: Wire, what: tuple[str, str, str], found: dict[str, list[float]]) -> None:
    """One change by its key: the dialog, and for those that are to be made the rest."""
    verb, pane, key = what
    await pilot.press(pane)
    screen = app.screen
    assert isinstance(screen, OperatingScreen)
    await until(lambda: screen.targets())
    await pilot.pause(0.1)
    app.post_message(events.Key(key, key if len(key) == 1 else None))
    took = await until(lambda: isinstance(app.screen, SheetScreen) and app.screen.sheet.size.height > 0)
    found.setdefault(f"{verb}: key → dialog", []).append(took)
    card = app.screen
    if verb in WRITES and isinstance(card, Card):
        found.setdefault(f"{verb}: key → what it would do", []).append(took + await until(lambda: card._buttons))
        await asyncio.sleep(0.35)
        await pilot.press("tab")
        await asyncio.sleep(0.1)
        wire.came.clear()
        pressed = time.perf_counter()
        app.post_message(events.Key("enter", "\r"))
        await until(lambda: wire.came)
        found.setdefault(f"{verb}: confirm → wire", []).append(wire.came[0] - pressed)
    else:
        await pilot.press("escape")
    await until(lambda: app.screen is screen)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        served = ServedCluster(seeded(Wanted(story=True, kubeconfig=Path(folder) / "kubeconfig")))
        wire = Wire(served)
        with served:
            found = asyncio.run(measure(Path(folder) / "kubeconfig", wire, rounds))
    print(f"{'':<34}{'median':>9}{'p95':>9}{'max':>9}   ms, bound {BOUND:.0f}")
    over = 0
    for name, times in sorted(found.items()):
        ordered = sorted(times)
        p50, p95, most = (1000 * x for x in (statistics.median(ordered), ordered[max(0, round(0.95 * len(ordered)) - 1)], ordered[-1]))
        bounded = "what it would do" not in name
        over += bounded and p50 > BOUND
        print(f"{name:<34}{p50:>9.1f}{p95:>9.1f}{most:>9.1f}{'   OVER' if bounded and p50 > BOUND else ''}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
