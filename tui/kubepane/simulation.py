"""The embedded cluster from the command line: served alone, or under the dashboard. Nothing else of the program knows of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kubepane.cluster.clock import SpedClock
from kubepane.cluster.options import Options
from kubepane.exits import UNREACHABLE
from kubepane.scenarios.chapter import Chapter
from kubepane.staging import at_home
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded
from kubepane_embedded.seeds.demo import play
from kubepane_embedded.serving import serve as serve_cluster


def serve(speed: float, seed: int, nodes: int, pods: int, story: bool, port: int, kubeconfig: str) -> int:
    """Serves a cluster until it is told to stop; see `Wanted` for the arguments.

    Returns:
        The exit code.
    """
    return asyncio.run(serve_cluster(Wanted(speed, seed, nodes, pods, story, port, Path(kubeconfig) if kubeconfig else None)))


def demo(options: Options, speed: float, seed: int, chapters: Sequence[Chapter] = ()) -> int:
    """Shows the dashboard on a simulated cluster, which it reaches by its kubeconfig alone, as any other.

    Args:
        chapters: to play; without any the story is applied, and visitors come and go.

    Returns:
        The exit code.
    """
    from kubepane.app import run  # Textual: only where something is drawn
    from kubepane.screens.operating import OperatingScreen  # the same
    from kubepane.screens.playing import Play  # the same

    cluster = seeded(Wanted(speed, seed, story=bool(chapters)))
    if not chapters:
        play(cluster.core)
    served = ServedCluster(cluster)
    try:
        kubeconfig = served.start()
    except OSError as error:
        sys.stderr.write(f"kubepane: cannot serve the simulated cluster: {error.strerror or error}\n")
        return UNREACHABLE
    try:
        clock = SpedClock(speed, cluster.core.clock.now()) if speed != 1 else None
        alone = replace(at_home(options), kubeconfig=str(kubeconfig), context="")
        return run(alone, clock, Play(tuple(chapters)).screen if chapters else OperatingScreen)
    finally:
        served.stop()
