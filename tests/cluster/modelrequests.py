"""The model of an API server behind the `Requests` protocol, in process: for tests on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from multidict import CIMultiDict

from apimodel import Answer, Cursor, Fault, Hang, Lost, Model, Raw
from kubepane.cluster import answers
from kubepane.cluster.errors import Unreachable
from kubepane.cluster.requests import JSON

BOOKMARK_EVERY = 60.0


class ModelRequests:
    """Implements `requests.Requests`.

    Attributes:
        down: nothing answers and no stream lives.
        times: loop time of every request.
        open: streams that are open now.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.down = False
        self.times: list[float] = []
        self.open = 0

    def kill(self) -> None:
        """The server dies: all streams are cut, connections are refused."""
        self.down = True
        self.model.cut_all()

    def revive(self, *, forget: bool = True) -> None:
        """It is back; a restarted server knows no history."""
        self.down = False
        if forget:
            self.model.forget_history()

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, timeout: float = 30.0) -> bytes:
        return await self._body("GET", path, dict(query or {}), accept, timeout)

    async def post(self, path: str, body: Any, query: Mapping[str, str] | None = None, *, timeout: float = 30.0) -> bytes:
        return await self._body("POST", path, dict(query or {}), JSON, timeout, msgspec.to_builtins(body))

    async def _body(self, method: str, path: str, query: dict[str, str], accept: str, timeout: float, body: Any = None) -> bytes:
        found = await self._answered(method, path, query, accept, timeout, body)
        assert isinstance(found, Answer), found
        return found.body

    async def _answered(self, method: str, path: str, query: dict[str, str], accept: str, timeout: float, body: Any = None) -> Fault | Cursor:
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.001)
        ask = self.model.ask(method, path, query, accept=accept, body=body)
        if self.down:
            self.model.asked.append(ask)
            raise Unreachable("connection refused")
        found = self.model.answer(ask)
        if isinstance(found, Hang):
            await asyncio.sleep(timeout)
            raise Unreachable(f"no answer within {timeout:.0f} s")
        if isinstance(found, Lost):
            await asyncio.sleep(found.seconds)
            raise Unreachable("connection closed")
        if isinstance(found, Answer):
            headers = CIMultiDict({"Content-Type": found.kind} | ({"Retry-After": found.retry_after} if found.retry_after else {}))
            if not 200 <= found.status < 300:
                raise answers.refusal(found.status, headers, found.body)
            answers.check_json(headers, found.body) if path not in ("/livez",) else None
        return found

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, idle: float | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        found = await self._answered("GET", path, dict(query or {}), accept, 60.0)
        self.open += 1
        try:
            if isinstance(found, Cursor):
                yield self._cursor(found)
            elif isinstance(found, Raw):
                yield self._raw(found)
            else:
                raise AssertionError(found)
        finally:
            self.open -= 1
            if isinstance(found, Cursor):
                found.close()

    async def _raw(self, raw: Raw) -> AsyncIterator[bytes]:
        for chunk in raw.chunks:
            yield chunk
        await _ending(raw.then)

    async def _cursor(self, cursor: Cursor) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        mark = began + BOOKMARK_EVERY
        while True:
            if lines := cursor.lines():
                yield b"".join(lines)
            if cursor.then:
                await _ending(cursor.then)
                return
            end = began + cursor.seconds
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(mark, end)):
                    await cursor.wake.wait()
                continue
            if loop.time() >= end:
                return
            mark += BOOKMARK_EVERY
            if bookmark := cursor.bookmark():
                yield bookmark


async def _ending(then: str) -> None:
    if then == "cut":
        raise Unreachable("the connection was cut")
    if then == "silence":
        await asyncio.Event().wait()
