"""Reads the logs that an object screen shows: of one container, or of all pods of a workload together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from kubepane.cluster.kinds import Kind
from kubepane.cluster.logs import LogStream, containers
from kubepane.cluster.resources import Object, Pod
from kubepane.cluster.session import Session
from kubepane.insight import relations
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line

PODS = 10  # of a workload that are followed at once
EVERY = 0.1  # seconds between two deliveries: a flood is drawn ten times a second
HELD = 20_000  # lines that wait for a delivery; more are dropped, the oldest first, and counted


class LogReader:
    """The logs of one object.

    Args:
        previous: of the containers before.
    """

    def __init__(self, session: Session, kind: Kind, obj: Object, *, previous: bool = False) -> None:
        self._session, self._kind, self._obj = session, kind, obj
        self.previous = previous
        self.dropped = 0
        self._container = 0
        self._streams: list[LogStream] = []
        self._waiting: list[str] = []
        self._more = asyncio.Event()
        self._unread = 0

    def _pods(self) -> list[Pod]:
        return relations.pods_of(self._session.stores, self._kind, self._obj)

    def _names(self) -> list[str]:
        pods = self._pods()
        return containers(pods[0]) if pods else []

    @property
    def container(self) -> str:
        """The container that is read."""
        names = self._names()
        return names[self._container % len(names)] if names else ""

    def next_container(self) -> None:
        """Reads the next container from now on."""
        self._container += 1

    def toggle_previous(self) -> None:
        """Reads the containers before, or the present ones again."""
        self.previous = not self.previous

    async def read(self) -> AsyncIterator[list[str]]:
        """Lines as they come, at most ten times a second; ends when all logs did."""
        pods, api = self._pods(), self._session.api
        if api is None or not pods:
            yield ["(not connected)" if api is None else "(no pods, so no logs)"]
            return
        name = self.container
        self._unread = max(0, len(pods) - PODS)
        self._streams = [LogStream(api, p.metadata.namespace, p.metadata.name, name, previous=self.previous) for p in pods[:PODS]]
        tasks = [asyncio.create_task(self._take(stream, len(pods) > 1)) for stream in self._streams]
        try:
            while not all(task.done() for task in tasks) or self._waiting:
                await self._more.wait()
                self._more.clear()
                some, self._waiting = self._waiting, []
                yield some
                await asyncio.sleep(EVERY)
            yield []
        finally:
            for task in tasks:
                task.cancel()

    async def _take(self, stream: LogStream, several: bool) -> None:
        lead = f"{stream.pod[-5:]} " if several else ""
        try:
            async for lines in stream.lines():
                self._waiting += [lead + line for line in lines] if several else lines
                if (over := len(self._waiting) - HELD) > 0:
                    del self._waiting[:over]
                    self.dropped += over
                self._more.set()
        finally:
            self._more.set()

    def fresh(self) -> Line:
        """For the title: how the streams are."""
        if not self._streams:
            return []
        if any(stream.state and not stream.ended for stream in self._streams):
            return [(f"{G['again']} ", "stale"), ("trying again", "stale")]
        if any(stream.state for stream in self._streams):
            return [(f"{G['bad']} ", "bad"), ("refused", "fg")]
        if all(stream.ended for stream in self._streams):
            return [(f"{G['done']} ", "muted"), ("complete", "muted")]
        return [(f"{G['live']} ", "live"), ("following", "muted")]

    def note(self) -> Line:
        """For the lower border: which container, and what is not shown."""
        trouble = next((s.state for s in self._streams if s.state), "")
        parts = [trouble, self.container + (" before" if self.previous else "")]
        if len(self._streams) > 1:
            parts.append(f"{len(self._streams)} pods")
        if self._unread:
            parts.append(f"{self._unread} more pods not read")
        if self.dropped:
            parts.append(f"{self.dropped:,} lines dropped")
        return [(" · ".join(part for part in parts if part), "muted")]
