"""A port of a pod on a port of this machine: every local connection goes through a WebSocket of its own to pods/portforward.

Source: k8s.io/kubelet pkg/cri/streaming/portforward/websocket.go (a data and an error channel, both beginning with the port's number).
The official client's port-forward is not used: it drops the impersonation headers and so would act as somebody else; it knows no
back-pressure; and a client that has said all it wants loses the answer.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from kubepane.cluster.errors import BadConfig, ClusterError
from kubepane.cluster.redaction import one_line

PROTOCOLS = ("v4.channel.k8s.io",)
HERE = "127.0.0.1"  # nobody but this machine
CHUNK = 32 << 10  # bytes in one message
LINGER = 10.0  # seconds without a byte after which a connection is closed whose client has nothing more to say
DATA, ERROR = b"\x00", b"\x01"
_WHERE = re.compile(r"^error forwarding port \d+ to pod [^,]*, uid [^:]*: ")  # how a node begins: all of it is known here
_HEAD = 2  # bytes of the port's number, the first that each channel carries


class Way(Protocol):
    """What `transport.Socket` is for a forward."""

    async def receive(self) -> bytes | None:
        """The next message, None at the end."""

    async def send(self, data: bytes) -> None:
        """Sends a message."""

    async def close(self) -> None:
        """Closes it."""


class Listener:
    """Listens on this machine and connects whoever comes.

    Args:
        way: opens a way to the pod; raises `ClusterError` where there is none.
        changed: called when a number or `trouble` changes.

    Attributes:
        port: on this machine, 0 until it listens.
        inward, outward: bytes from and to the pod.
        connections: open now; a client that has said all and only waits is not counted.
        served: connections so far.
        trouble: what went wrong last, "" when the last connection went well.
    """

    def __init__(self, way: Callable[[], Awaitable[Way]], changed: Callable[[], None]) -> None:
        self._way, self._changed = way, changed
        self.port = self.inward = self.outward = self.served = 0
        self.trouble = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._talking: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """See above."""
        return len(self._talking)

    async def listen(self, port: int) -> None:
        """Begins to listen.

        Raises:
            BadConfig: the port cannot be had; the message says why.
        """
        try:
            self._server = await asyncio.start_server(self._accept, HERE, port)
        except OSError as error:
            raise BadConfig(refused(port, error)) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listens no more, and cuts what is connected."""
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="forwarded connection")
        self._tasks.add(task)
        self._talking.add(task)
        self.served += 1
        self._changed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        trouble = ""
        try:
            trouble = await self._connect(reader, writer, lambda: self._silent(task))
        except ClusterError as error:
            trouble = one_line(str(error))
        except OSError:
            pass  # the client went away
        finally:
            self.trouble = trouble
            if trouble:
                _reset(writer)
            writer.close()
            self._tasks.discard(task)
            self._silent(task)

    def _silent(self, task: asyncio.Task[None]) -> None:
        self._talking.discard(task)
        self._changed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said_all: Callable[[], None]) -> str:
        """What went wrong, "" for nothing."""
        way = await self._way()
        try:
            return await Connection(way, reader, writer, self._count, said_all).run()
        finally:
            await way.close()

    def _count(self, inward: int, outward: int) -> None:
        self.inward += inward
        self.outward += outward
        self._changed()


class Connection:
    """One client and its way to the pod.

    Args:
        count: told of bytes from and to the pod.
        said_all: told when the client sends no more.
    """

    def __init__(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Callable[[int, int], None],
        said_all: Callable[[], None],
    ) -> None:
        self._way, self._reader, self._writer, self._count, self._said_all = way, reader, writer, count, said_all
        self._begun: set[bytes] = set()
        self._got = 0

    async def run(self) -> str:
        """Carries bytes until both sides have ended; what went wrong, "" for nothing.

        Raises:
            Unreachable: the way was cut.
            OSError: the client is gone.
        """
        down, up = asyncio.ensure_future(self._down()), asyncio.ensure_future(self._up())
        try:
            await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
            if not down.done() and up.exception() is None:
                await self._rest(down)
            if not down.done():
                await up  # raises what it met, if it met anything
                return ""
            return await down
        finally:
            for task in (down, up):
                task.cancel()
            await asyncio.gather(down, up, return_exceptions=True)

    async def _up(self) -> None:
        while data := await self._reader.read(CHUNK):
            await self._way.send(DATA + data)
            self._count(0, len(data))

    async def _rest(self, down: asyncio.Future[str]) -> None:
        """The client has said all: the answer may still come, but this protocol cannot tell the pod that nothing more follows."""
        before = -1
        self._said_all()
        while not down.done() and before != self._got:
            before = self._got
            await asyncio.wait({down}, timeout=LINGER)

    async def _down(self) -> str:
        while (message := await self._way.receive()) is not None:
            channel, data = message[:1], message[1:]
            if channel not in self._begun:
                self._begun.add(channel)
                data = data[_HEAD:]
            if channel == ERROR and data:
                return one_line(_WHERE.sub("", data.decode("utf-8", "replace")))
            if channel == DATA and data:
                self._got += len(data)
                self._count(len(data), 0)
                self._writer.write(data)
                await self._writer.drain()
        with suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
        return ""


def _reset(writer: asyncio.StreamWriter) -> None:
    """The client shall see a failure, not an end."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def refused(port: int, error: OSError) -> str:
    """Why a port of this machine cannot be had."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken on this machine"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} needs root on this machine"
    return f"port {port} cannot be had: {error.strerror or error}"
