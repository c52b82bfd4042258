"""Serving a seed cluster alone, for kubectl and tests: until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

from kubepane_embedded.seeds.clusters import Wanted, seeded

CANNOT = 3


async def serve(wanted: Wanted) -> int:
    """Print the kubeconfig's path once requests are answered, then serve until SIGINT or SIGTERM; returns the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    cluster = seeded(wanted)
    try:
        path = await cluster.start()
    except OSError as error:
        sys.stderr.write(f"kubepane: cannot serve the simulated cluster: {error.strerror or error}\n")
        return CANNOT
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{path}\n")
        sys.stdout.flush()
    await stop.wait()
    await cluster.stop()
    return 0
