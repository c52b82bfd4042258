"""`kubectl exec`: a command in a running container, driven by the client's streams and the cluster's clock."""

from __future__ import annotations

import asyncio
from typing import Any

from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.kubelet.shell.driving import MISSING, steps_of
from kubepane_embedded.kubelet.shell.effects import Input, Output, Sleep, Steps
from kubepane_embedded.kubelet.shell.running import Shell
from kubepane_embedded.kubelet.shell.special import ShellExit
from kubepane_embedded.kubelet.terminal import Terminal
from kubepane_embedded.runtime import ExecSession

SHELLS = ("sh", "bash", "ash", "dash")
TURN = 500
"""Steps made before others get their turn."""


class Execution:
    """One command in a container.

    Args:
        around: The container.
        time: Its node's time.
        session: The client's streams.
        tty: Whether the client has a terminal.
    """

    def __init__(self, around: Surroundings, time: NodeTime, session: ExecSession, tty: bool) -> None:
        self._around = around
        self._time = time
        self._session = session
        self._terminal = Terminal(session, tty)
        self._tty = tty

    async def run(self, command: list[str]) -> int:
        """Run it; returns its exit code."""
        name = command[0].rpartition("/")[2]
        if name in SHELLS and self._around.image.shell and all(part in ("-i", "-l", "-il") for part in command[1:]):
            return await self._interactive(Shell(self._around, name))
        steps = steps_of(self._around, command)
        if steps is None:
            await self._session.write_error((MISSING.format(command[0]) + "\n").encode())
            return 127
        return await self._drive(steps)

    async def _interactive(self, shell: Shell) -> int:
        """A shell that reads its program line by line."""
        while True:
            if self._tty:
                await self._terminal.write(f"{shell.folder} # ")
            line = await self._terminal.line()
            if line is None:
                return shell.status
            try:
                shell.status = await self._drive(shell.line_of(line))
            except ShellExit as end:
                return end.status

    async def _drive(self, steps: Steps) -> int:
        answer: Any = None
        made = 0
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                return int(end.value or 0)
            answer = None
            made += 1
            if isinstance(effect, Output):
                await self._write(effect)
            elif isinstance(effect, Sleep):
                if await self._sleep(effect.seconds):
                    steps.close()
                    return 130
            elif isinstance(effect, Input):
                answer = await self._terminal.line()
            elif self._tty:
                answer = await self._interactive(effect.shell)
            if made % TURN == 0:
                await asyncio.sleep(0)

    async def _write(self, output: Output) -> None:
        if self._tty:
            await self._terminal.write(output.text)
        elif output.descriptor == 1:
            await self._session.write(output.text.encode())
        else:
            await self._session.write_error(output.text.encode())

    async def _sleep(self, seconds: float) -> bool:
        """Let cluster time pass; whether the client has interrupted it meanwhile."""
        loop = asyncio.get_running_loop()
        due: asyncio.Future[None] = loop.create_future()
        timer = self._time.later(seconds, lambda: due.set_result(None) if not due.done() else None)
        interrupted = asyncio.ensure_future(self._terminal.interrupted())
        try:
            await asyncio.wait({due, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            return interrupted.done() and not interrupted.cancelled() and not due.done()
        finally:
            timer.cancel()
            interrupted.cancel()
            await asyncio.gather(interrupted, return_exceptions=True)
