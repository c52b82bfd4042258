"""A core on a virtual clock, and a served cluster with a client that knows its address."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.core import Core
from kubepane_embedded.seed import Seed

FOLDER = Path(__file__).with_name("recorded")


def recording(name: str) -> Any:
    """The JSON of `recorded/<name>.json`."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def core() -> Core:
    return Core(VirtualClock(), Seed(1))


@dataclass
class Reply:
    """Status, headers and body of an answer; the body decoded when it is JSON."""

    code: int
    headers: Any
    body: Any


class Wire:
    """Requests to a served cluster, with relative paths."""

    def __init__(self, cluster: EmbeddedCluster, session: aiohttp.ClientSession) -> None:
        self.cluster = cluster
        self.core = cluster.core
        self.session = session
        self.url = cluster.server.url

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request; `body` is sent as JSON, or as it is when it is bytes; header names with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        stream = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.url + path, data=stream, headers=sent) as response:
            raw = await response.read()
            try:
                value = json.loads(raw)
            except ValueError:
                value = raw.decode("utf-8", "replace")
            return Reply(response.status, response.headers, value)

    async def watch(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """All lines of a watch until it ends."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.url + path, headers=sent) as response:
            return [json.loads(line) async for line in response.content]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    cluster = EmbeddedCluster(VirtualClock(), wire=VirtualClock())
    await cluster.start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Wire(cluster, session)
    await cluster.stop()
