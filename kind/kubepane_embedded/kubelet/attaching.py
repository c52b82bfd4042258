"""`kubectl attach`, and what `kubectl run -i` does: the streams of a container's main process.

Unlike a container runtime's, an attachment begins with what was written before it, so that `kubectl run --rm -i` of a command that is
done in no time shows its output. A shell that waits for input is driven by the first client that attaches, and ends with it.
"""

from __future__ import annotations

import asyncio

from kubepane_embedded.kubelet.execution import SHELLS, Execution
from kubepane_embedded.kubelet.logbook import Journal
from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.runtime import ExecSession, LogLine

BEHIND = 8192
"""Lines that a client may be behind; one that reads slower than that is cut."""


def waits_for_input(around: Surroundings) -> bool:
    """Whether the main process is a shell that does what its input says."""
    return around.stdin and around.argv[0].rpartition("/")[2] in SHELLS and len(around.argv) == 1


async def drive(around: Surroundings, time: NodeTime, session: ExecSession, tty: bool) -> int:
    """Let a client drive the shell that is the main process; the container ends with it."""
    code = await Execution(around, time, session, tty).run(around.argv)
    around.exit(code)
    return 0


async def show(journal: Journal, session: ExecSession, tty: bool) -> int:
    """What the main process writes, until it has ended."""
    end = "\r\n" if tty else "\n"
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue()
    for written in journal.lines():
        queue.put_nowait(written)

    def take(line: LogLine | None) -> None:
        queue.put_nowait(line if queue.qsize() < BEHIND else None)

    stop = journal.follow(take)
    try:
        while (line := await queue.get()) is not None:
            await session.write((line.text + end).encode())
    finally:
        stop()
    return 0
