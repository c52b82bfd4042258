"""A shell in a container: what can be entered, how it is begun, and how it ended, in words and in the audit file."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from kubepane.acting.plan import Unfit
from kubepane.cluster import exec as execs, kinds as k, resources as r
from kubepane.cluster.access import needs
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, ReadOnly, Unreachable
from kubepane.cluster.exec import Execution
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Ref, uid_of
from kubepane.insight import pods as facts
from kubepane.insight.ages import duration

SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash || exec sh")
_FIRST, _MORE = 1.0, 0.15  # seconds for the first word, and after it for the end: a shell that is not there ends at once
_NO_SHELL = ("executable file not found", "no such file or directory", "not found")
_CANNOT_RUN = (126, 127)  # exit codes of what could not be run


@dataclass(frozen=True, slots=True)
class Room:
    """A container that can be entered, fixed when the key was pressed."""

    ref: Ref
    container: str

    @property
    def path(self) -> str:
        """Where its commands are begun."""
        return f"{self.ref.path}/exec"

    @property
    def says(self) -> str:
        """What is opened, in words."""
        return f"shell in container {self.container}"


def rooms(pod: r.Pod) -> list[Room]:
    """The containers of a pod that run now; the one that is meant comes first."""
    meta = pod.metadata
    ref = Ref(k.PODS, meta.namespace, meta.name, meta.uid)
    running = {status.name for status in facts.all_statuses(pod) if status.state.running is not None}
    names = [c.name for c in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ())) if c.name in running]
    meant = meta.annotations.default_container if meta.annotations is not None else ""
    return [Room(ref, name) for name in sorted(names, key=lambda name: name != meant)]


async def checked(session: Session, ref: Ref) -> None:
    """Looks whether the pod is still the one that was meant: exec and portforward take no precondition.

    Raises:
        Unfit: it is gone, or another one has its name.
        ClusterError: it could not be read.
    """
    if session.api is None:
        raise ClusterError("not connected")
    try:
        raw = msgspec.json.decode(await session.api.get(ref.path), type=dict)
    except NotFound:
        raise Unfit(f"there is no {ref}") from None
    if uid_of(raw) != ref.uid:
        raise Unfit(f"{ref} was deleted, and another one has its name now")


def missing(error: Forbidden, ref: Ref, subresource: str) -> str:
    """A refusal with the right that is missing; since 1.35 the server's own words may end in a mere colon."""
    said = str(error).rstrip(" :")
    return f"{said}: {needs('create', 'pods', ref.namespace, subresource=subresource)}"


class Visit:
    """One shell, from its beginning to its end.

    Attributes:
        typed: whether a key was sent.
    """

    def __init__(self, session: Session, room: Room, execution: Execution) -> None:
        self.room, self.typed = room, False
        self._session, self._execution = session, execution
        self._started = session.clock.monotonic()
        self._stream = execution.output()
        self._next: asyncio.Task[bytes] | None = None
        self._held = b""  # came before anybody listened
        self._ended = False
        session.visited(room.ref, room.says, room.path, "opened")

    async def try_out(self) -> bool:
        """Waits a moment for its first words; whether there is a shell to talk to."""
        while not self._ended:
            try:
                self._held += await asyncio.wait_for(self._listen(), _MORE if self._held else _FIRST)
            except TimeoutError:
                break
        return not self._ended

    async def output(self) -> bytes:
        """What it says next, b"" once it has ended."""
        if self._held:
            held, self._held = self._held, b""
            return held
        return await self._listen()

    async def _listen(self) -> bytes:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._hear())
        said = await asyncio.shield(self._next)  # who waits only for a while takes nothing away
        self._next = None
        self._ended = not said
        return said

    async def _hear(self) -> bytes:
        return await anext(self._stream, b"")

    async def type(self, keys: bytes) -> None:
        """Sends keys; see `Execution.type`."""
        self.typed = True
        await self._execution.type(keys)

    async def resize(self, columns: int, rows: int) -> None:
        """Tells the size of the terminal; see `Execution.resize`."""
        await self._execution.resize(columns, rows)

    async def close(self) -> None:
        """Ends it, if it has not ended, and tells the audit file."""
        if self._next is not None:
            self._next.cancel()
        self._session.visited(self.room.ref, self.room.says, self.room.path, "ended", self.outcome)
        await self._execution.close()

    @property
    def good(self) -> bool:
        """Whether it ended in order: with an exit code."""
        return self._execution.ending is not None and self._execution.ending.code is not None and not self._without_shell

    @property
    def _without_shell(self) -> bool:
        ending = self._execution.ending
        if ending is None or self.typed:
            return False
        said = f"{ending.text} {self._held.decode('utf-8', 'replace')}".lower()
        return (ending.code is None or ending.code in _CANNOT_RUN) and any(word in said for word in _NO_SHELL)

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        ending, lasted = self._execution.ending, duration(self._session.clock.monotonic() - self._started)
        if ending is None:
            return f"left after {lasted}"
        if self._without_shell:
            return "the image has no shell: kubectl debug can bring one along"
        if ending.code is not None:
            return f"exit code {ending.code} after {lasted}"
        return ending.text if lasted == "0s" else f"{ending.text} (after {lasted})"


async def enter(session: Session, room: Room, columns: int, rows: int) -> Visit:
    """Begins a shell.

    Raises:
        Unfit: the pod is not what it was.
        ClusterError: it could not be begun.
    """
    if session.options.read_only:
        raise ReadOnly("read-only: a shell could change anything")
    await checked(session, room.ref)
    assert session.api is not None
    try:
        execution = await execs.begin(session.api, room.ref.namespace, room.ref.name, room.container, SHELL)
    except Forbidden as error:
        raise ClusterError(missing(error, room.ref, "exec")) from None
    visit = Visit(session, room, execution)
    with suppress(Unreachable):  # it has ended already: its output says why
        await visit.resize(columns, rows)
    return visit
