"""Following one resource: a list, a watch from there, and a list again whenever the watch cannot go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from kubepane_controlplane.kubelets.mirror import Mirror, revision_of
from kubepane_controlplane.kubelets.server import Server
from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource

log = logging.getLogger(__name__)
PAUSE = 0.3
"""Seconds before another try."""
WATCH_SECONDS = 300
SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=90)
"""A watch carries a bookmark every minute: one that says nothing for longer is dead."""


class Gone(Exception):
    """The server has ended the watch with an error (410: its history does not go back so far)."""


class Follower:
    """Keeps the mirror of one resource.

    Args:
        session: For all requests.
        server: Whom to ask.
        resource: What to follow, in all namespaces.
        mirror: Gets what comes.
    """

    def __init__(self, session: aiohttp.ClientSession, server: Server, resource: Resource, mirror: Mirror) -> None:
        self._session = session
        self._server = server
        self._resource = resource
        self._mirror = mirror
        self.listed = asyncio.Event()
        """Set once there was a whole list."""

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to the server."""
        while True:
            try:
                revision = await self._list()
                self.listed.set()
                while True:
                    revision = await self._watch(revision)
            except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError, Gone) as trouble:
                log.info("%s: %s", self._resource.id, trouble or type(trouble).__name__)
            await asyncio.sleep(PAUSE)

    def _get(self, **query: str) -> Any:
        url = f"{self._server.url}{self._resource.path}/{self._resource.plural}"
        return self._session.get(url, params=query, headers=self._server.headers, timeout=SILENCE)

    async def _list(self) -> int:
        async with self._get() as answer:
            answer.raise_for_status()
            found = msgspec.json.decode(await answer.read())
        revision = revision_of(found)
        self._mirror.replace(self._resource.storage, (self._named(item) for item in found["items"] or []), revision)
        return revision

    async def _watch(self, revision: int) -> int:
        """Take what comes until the server ends the watch; returns how far it came."""
        query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": str(revision), "timeoutSeconds": str(WATCH_SECONDS)}
        async with self._get(**query) as answer:
            answer.raise_for_status()
            async for line in _lines(answer.content):
                event = msgspec.json.decode(line)
                if event["type"] == "ERROR":
                    raise Gone(event["object"].get("message"))
                revision = revision_of(event["object"])
                self._take(event["type"], event["object"])
                self._mirror.reached(self._resource.storage, revision)
        return revision

    def _take(self, kind: str, obj: Object) -> None:
        if kind == "DELETED":
            self._mirror.drop(self._resource.storage, obj)
        elif kind != "BOOKMARK":
            self._mirror.take(self._resource.storage, self._named(obj))

    def _named(self, obj: Object) -> Object:
        """Items of a list come without kind and apiVersion."""
        return {"kind": self._resource.kind, "apiVersion": self._resource.api_version, **obj}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, however long (`readline` of aiohttp refuses long ones)."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
