"""pods/portforward over a WebSocket: two channels for each port, data and error (kubelet/pkg/cri/streaming/portforward/websocket.go).

What answers in the pod is the simulated kubelet's business (`runtime.PodRuntime`). kubectl's own protocol, SPDY inside a WebSocket,
is not spoken.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from aiohttp import WSMsgType, web

from kubepane_embedded import errors
from kubepane_embedded.meta import Object
from kubepane_embedded.runtime import PodRuntime

PROTOCOL = "v4.channel.k8s.io"


class PortStreams:
    """The data channel of one port."""

    def __init__(self, socket: web.WebSocketResponse, number: int) -> None:
        self._socket, self._number = socket, number
        self._input: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, data: bytes) -> None:
        """Input of the client; b"" when it has gone."""
        self._input.put_nowait(data)

    async def read(self) -> bytes:
        """Input of the client; b"" when it has gone."""
        return await self._input.get()

    async def write(self, data: bytes) -> None:
        """Output of the application."""
        await self._send(2 * self._number, data)

    async def write_error(self, data: bytes) -> None:
        """What went wrong."""
        await self._send(2 * self._number + 1, data)

    async def announce(self, port: int) -> None:
        """The port's number on both channels, as the first that they carry."""
        for channel in (0, 1):
            await self._send(2 * self._number + channel, struct.pack("<H", port))

    async def _send(self, channel: int, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes([channel]) + data)


def ports_of(query: Any, field: str) -> list[int]:
    """The ports asked for."""
    texts = [part for text in query.getall(field, []) for part in text.split(",")]
    if not texts:
        raise errors.bad_request("you must specify at least 1 port to forward")
    for text in texts:
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise errors.bad_request(f'unable to parse "{text}" as a port')
    return [int(text) for text in texts]


async def run_forward(request: web.Request, pod: Object, field: str, runtime: PodRuntime | None) -> web.StreamResponse:
    """Answer pods/portforward; `field` of the query names the ports."""
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", PROTOCOL).split(",")]
    if request.headers.get("Upgrade", "").lower() != "websocket" or PROTOCOL not in offered:
        raise errors.ApiError(501, "NotImplemented", f"a simulated cluster forwards ports over WebSockets of {PROTOCOL} only")
    ports, name = ports_of(request.query, field), pod["metadata"]["name"]
    if not (pod.get("spec") or {}).get("nodeName"):
        raise errors.bad_request(f"pod {name} does not have a host assigned")
    if runtime is None or (pod.get("status") or {}).get("phase") != "Running":
        raise errors.ApiError(500, "InternalError", "Internal error occurred: unable to upgrade connection: pod not found")
    socket = web.WebSocketResponse(protocols=(PROTOCOL,), heartbeat=30)
    await socket.prepare(request)
    streams = [PortStreams(socket, number) for number in range(len(ports))]
    for one, port in zip(streams, ports, strict=True):
        await one.announce(port)
    pump = asyncio.ensure_future(_pump(socket, streams))
    runs = [asyncio.ensure_future(_run(runtime, pod, port, one)) for one, port in zip(streams, ports, strict=True)]
    try:
        await asyncio.wait({pump, asyncio.ensure_future(asyncio.wait(runs))}, return_when=asyncio.FIRST_COMPLETED)
        await socket.close()
    finally:
        for task in (pump, *runs):
            task.cancel()
        await asyncio.gather(pump, *runs, return_exceptions=True)
    return socket


async def _run(runtime: PodRuntime, pod: Object, port: int, streams: PortStreams) -> None:
    problem = await runtime.forward(pod, port, streams)
    if problem:
        await streams.write_error(problem.encode())


async def _pump(socket: web.WebSocketResponse, streams: list[PortStreams]) -> None:
    """Take what the client sends until it goes."""
    async for message in socket:
        if message.type is WSMsgType.BINARY and message.data and message.data[0] % 2 == 0 and message.data[0] // 2 < len(streams):
            streams[message.data[0] // 2].put(message.data[1:])
    for one in streams:
        one.put(b"")
