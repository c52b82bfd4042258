"""A port of this machine that leads to a pod: bytes both ways, the ends of a connection, and what goes wrong."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from kubepane.cluster import forward as forwards
from kubepane.cluster.errors import BadConfig, ClusterError, Unreachable
from kubepane.cluster.forward import HERE, Listener, Way


class Pod:
    """The other end of one connection, in the hands of a test."""

    def __init__(self, *said: bytes | ClusterError | None) -> None:
        self.sent = b""
        self.closed = False
        self.room = asyncio.Event()
        self.room.set()
        self._said: asyncio.Queue[bytes | ClusterError | None] = asyncio.Queue()
        for one in (b"\x00\x50\x00", b"\x01\x50\x00", *said):
            self._said.put_nowait(one)

    def say(self, one: bytes | ClusterError | None) -> None:
        self._said.put_nowait(one)

    async def receive(self) -> bytes | None:
        one = await self._said.get()
        if isinstance(one, ClusterError):
            raise one
        return one

    async def send(self, data: bytes) -> None:
        await self.room.wait()
        assert data[:1] == b"\x00"
        self.sent += data[1:]

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def leading(*pods: Pod | ClusterError) -> AsyncIterator[Listener]:
    """A listener that leads to one pod after the other."""
    left = list(pods)

    async def way() -> Way:
        pod = left.pop(0)
        if isinstance(pod, ClusterError):
            raise pod
        return pod

    listener = Listener(way, lambda: None)
    await listener.listen(0)
    try:
        yield listener
    finally:
        await listener.close()
        for writer in CLIENTS:
            writer.transport.abort()
        CLIENTS.clear()
        await asyncio.sleep(0)


CLIENTS: list[asyncio.StreamWriter] = []


async def connect(listener: Listener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HERE, listener.port)
    CLIENTS.append(writer)
    return reader, writer


async def settled(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_bytes_go_both_ways_and_are_counted() -> None:
    pod = Pod(b"\x00hello")
    async with leading(pod) as listener:
        reader, writer = await connect(listener)
        writer.write(b"ping")
        assert await reader.readexactly(5) == b"hello"
        await settled(lambda: pod.sent == b"ping")
        assert (listener.inward, listener.outward, listener.connections, listener.served) == (5, 4, 1, 1)
        pod.say(b"\x00 again")
        pod.say(None)
        assert await reader.read() == b" again"
        writer.close()
        await settled(lambda: pod.closed)
        assert (listener.connections, listener.served, listener.trouble) == (0, 1, "")


async def test_the_ports_number_is_no_data_however_the_frames_come() -> None:
    pod = Pod()
    pod._said = asyncio.Queue()
    for one in (b"\x01\x50\x00", b"\x00\x50\x00first", b"\x00", b"\x00second", None):
        pod.say(one)
    async with leading(pod) as listener:
        reader, _ = await connect(listener)
        assert await reader.read() == b"firstsecond"


async def test_a_client_that_has_said_all_still_gets_its_answer() -> None:
    pod = Pod()
    async with leading(pod) as listener:
        reader, writer = await connect(listener)
        writer.write(b"all")
        writer.write_eof()
        await settled(lambda: pod.sent == b"all" and listener.connections == 0)
        pod.say(b"\x00late")
        pod.say(None)
        assert await reader.read() == b"late"


async def test_a_client_that_is_gone_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwards, "LINGER", 0.02)
    pod = Pod()
    async with leading(pod) as listener:
        _, writer = await connect(listener)
        writer.close()
        await settled(lambda: pod.closed)
        assert listener.trouble == ""


async def test_what_the_node_says_is_kept_and_the_client_sees_a_failure() -> None:
    async with leading(
        Pod(b"\x01error forwarding port 80 to pod abc/d, uid : dial tcp:\nconnection refused", None), Pod(b"\x00ok", None)
    ) as listener:
        reader, _ = await connect(listener)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert listener.trouble == "dial tcp: connection refused"
        reader, _ = await connect(listener)
        assert await reader.read() == b"ok"  # one that goes well, after it
        await settled(lambda: listener.connections == 0)
        assert listener.trouble == ""


@pytest.mark.parametrize("trouble", [Unreachable("connection cut"), ClusterError("needs create on pods/portforward in namespace shop")])
async def test_a_way_that_cannot_be_opened(trouble: ClusterError) -> None:
    async with leading(trouble) as listener:
        reader, _ = await connect(listener)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert listener.trouble == str(trouble)
        assert listener.connections == 0


async def test_a_way_that_is_cut_in_the_middle() -> None:
    pod = Pod(b"\x00half", Unreachable("connection cut"))
    async with leading(pod) as listener:
        reader, _ = await connect(listener)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert listener.trouble == "connection cut"
        assert pod.closed


async def test_a_pod_that_takes_nothing_holds_its_client_up() -> None:
    pod = Pod()
    pod.room.clear()
    async with leading(pod) as listener:
        _, writer = await connect(listener)
        writer.write(b"x" * (16 << 20))  # more than the kernel holds
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.05)
        assert listener.outward == 0
        pod.room.set()
        await asyncio.wait_for(writer.drain(), 10)


async def test_a_client_that_takes_nothing_holds_its_pod_up() -> None:
    pod = Pod(*[b"\x00" + b"x" * (1 << 20)] * 64)
    async with leading(pod) as listener:
        await connect(listener)
        await settled(lambda: listener.inward > 0)
        await asyncio.sleep(0.1)
        assert listener.inward < 32 << 20


async def test_closing_cuts_what_is_connected() -> None:
    pod = Pod()
    async with leading(pod) as listener:
        reader, _ = await connect(listener)
        await settled(lambda: listener.connections == 1)
        await listener.close()
        assert await reader.read() == b""
        assert pod.closed
        with pytest.raises(ConnectionRefusedError):
            await connect(listener)


async def test_it_listens_on_this_machine_only() -> None:
    async with leading() as listener:
        assert listener._server is not None
        assert [one.getsockname()[0] for one in listener._server.sockets] == ["127.0.0.1"]


async def test_a_port_that_is_taken() -> None:
    with sockets.socket() as other:
        other.bind((HERE, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadConfig, match=f"port {port} is taken on this machine"):
            await Listener(lambda: asyncio.sleep(0, Pod()), lambda: None).listen(port)
