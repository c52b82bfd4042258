"""What goes on in a container beside its process: commands of exec, forwarded connections. They end with the container."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from kubepane_embedded.kubelet.records import Run

Result = TypeVar("Result")


async def as_guest(run: Run, work: Coroutine[None, None, Result], killed: Result) -> Result:
    """Do something in a container; `killed` is its result when the container ends first."""
    over = asyncio.Event()
    run.guests.append(over.set)
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else killed
    finally:
        run.guests.remove(over.set)
        task.cancel()
        end.cancel()
        await asyncio.gather(task, end, return_exceptions=True)


def send_home(run: Run) -> None:
    """The container has ended."""
    for tell in run.guests:
        tell()
