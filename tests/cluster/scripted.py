"""A small HTTP server that does what a test tells it, with or without TLS, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: CIMultiDictProxy[str]
    body: bytes
    certificate: dict[str, Any] | None
    socket: int  # a number for the connection it came over


@dataclass
class Server:
    """Where it listens and what it was asked so far."""

    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [one.path for one in self.asked]


@asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serves until the block ends."""
    found = Server("", 0)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        peer = transport.get_extra_info("peercert") if transport else None
        found.asked.append(Asked(request.method, request.path, dict(request.query), request.headers, await request.read(), peer, id(transport)))
        return await handler(request)

    server = web.Server(handle)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", 0, ssl=tls)
    found.port = listening.sockets[0].getsockname()[1]
    found.url = f"{'https' if tls else 'http'}://127.0.0.1:{found.port}"
    try:
        yield found
    finally:
        listening.close()
        await server.shutdown(0.1)
        await asyncio.sleep(0)


@asynccontextmanager
async def talking(conversation: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that is not bound to speak HTTP; gives its URL."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answer(body: Any, status: int = 200, **headers: str) -> web.Response:
    """A JSON answer; header names with underscores for dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json", headers=sent)


def refusal(status: int, reason: str, message: str = "", **details: Any) -> web.Response:
    """An error with a Status body."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message or reason,
        "code": status,
        "details": details,
    }
    return answer(body, status)


async def fine(_: web.BaseRequest) -> web.StreamResponse:
    """Answers everything with an empty list."""
    return answer({"kind": "List", "items": []})
