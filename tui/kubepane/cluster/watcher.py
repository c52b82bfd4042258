"""Runs one reflector: sends what it asks for, reports what comes, never raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random

from kubepane.cluster import wire
from kubepane.cluster.activity import Activity
from kubepane.cluster.clock import Clock, instant
from kubepane.cluster.errors import ClusterError, NotKubernetes, Refused, Unreachable
from kubepane.cluster.freshness import Freshness
from kubepane.cluster.journal import Journal
from kubepane.cluster.kinds import Kind
from kubepane.cluster.ledger import Rows
from kubepane.cluster.link import LinkMonitor
from kubepane.cluster.plans import Server
from kubepane.cluster.reflector import GATEWAY, Reflector
from kubepane.cluster.requests import JSON, METADATA, METADATA_LIST, Requests
from kubepane.cluster.steps import List, Step, Wait, Watch

LIST_TIMEOUT = 60.0
REBIRTH = 30.0
CLOSE_ENOUGH = 1.0  # a deadline that moved by less is not set anew


@dataclass(frozen=True)
class Means:
    """What all watchers of one cluster share."""

    requests: Requests
    clock: Clock
    random: Random
    link: LinkMonitor
    journal: Journal
    log: logging.Logger
    server: Server = field(default_factory=Server)
    activity: Activity = field(default_factory=Activity)


class Watcher:
    """Keeps the rows of one kind in one scope true for as long as its task runs; see `Reflector` for `elsewhere`."""

    def __init__(self, means: Means, kind: Kind, namespace: str, rows: Rows, changed: Callable[[], None], *, elsewhere: bool = False) -> None:
        self.kind, self.namespace = kind, namespace
        self.subject = f"{kind.plural} in {namespace}" if namespace else kind.plural
        self._means = means
        self._rows = rows
        self._elsewhere = elsewhere
        self._changed = changed
        self._path = kind.path(namespace)
        self._breath = wire.Breath(means.clock.monotonic)
        self._scope: asyncio.Timeout | None = None  # of the stream, or of the wait
        self._scope_ends: float | None = None
        self._streaming = False
        self._cut = ""
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._reflector = self._new_reflector()
        self._shown: Freshness | None = None

    @property
    def freshness(self) -> Freshness:
        """How far the rows of this scope can be trusted."""
        return self._reflector.freshness

    # ---- life

    def start(self) -> None:
        """Begins; needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"watch {self.subject}")

    async def stop(self) -> None:
        """Ends; the socket is closed and the task gone when this returns (rule R33)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def cut(self, why: str) -> None:
        """Closes the stream, if there is one, as lost."""
        if self._streaming and not self._cut:
            self._cut = why
            self._end_scope()

    def nudge(self) -> None:
        """Ends a wait: somebody wants to know now. The bounds on requests hold all the same."""
        if not self._streaming:
            self._end_scope()

    async def _run(self) -> None:
        forget = self._means.link.on_loss(self.cut)
        step: Step | None = None
        try:
            while True:
                try:
                    step = await self._do(step) if step is not None else self._reflector.begin(instant(self._means.clock))
                except Exception as fault:  # noqa: BLE001  a fault of ours shows in this pane and stops no other
                    step = self._recover(fault)
                self._publish()
        finally:
            forget()
            self._set_alarm(None)

    def _recover(self, fault: Exception) -> Step:
        why = f"internal fault: {type(fault).__name__}"
        self._means.log.error("watching %s failed", self.subject, exc_info=fault)
        self._means.journal.write(self.subject, why)
        now = instant(self._means.clock)
        try:
            return self._reflector.crashed(now, why)
        except Exception:  # noqa: BLE001  the state itself is broken
            self._reflector = self._new_reflector()
            self._reflector.crashed(now, why)
            return Wait(REBIRTH)

    def _new_reflector(self) -> Reflector:
        m = self._means
        return Reflector(self.kind, self.namespace, self._rows, m.server, m.random, instant(m.clock), elsewhere=self._elsewhere)

    # ---- steps

    async def _do(self, step: Step) -> Step:
        match step:
            case Wait():
                return await self._wait(step)
            case List():
                return await self._list(step)
            case Watch():
                return await self._watch(step)

    async def _wait(self, step: Wait) -> Step:
        back = False
        try:
            async with asyncio.timeout(None) as self._scope:
                back = await self._means.link.pause(step.seconds, hold=step.link)
        except TimeoutError:
            pass  # nudged
        finally:
            self._scope = None
        return self._reflector.woke(instant(self._means.clock), link_back=back)

    async def _list(self, step: List) -> Step:
        clock = self._means.clock
        accept = METADATA_LIST if self.kind.metadata_only else JSON
        try:
            body = await self._means.requests.get(self._path, step.query, accept=accept, timeout=LIST_TIMEOUT)
            self._means.link.heard()
            head, raws = wire.page(body)
        except ClusterError as error:
            return self._failed(error)
        self._reflector.page(instant(clock), head)
        async with aclosing(wire.list_items(self.kind, raws, self._breath)) as slices:
            async for objects in slices:
                self._reflector.listed(instant(clock), objects)
                self._publish()
        return self._reflector.listed_all(instant(clock), head)

    async def _watch(self, step: Watch) -> Step:
        self._streaming, self._cut, self._scope_ends = True, "", None
        try:
            async with asyncio.timeout(None) as self._scope:
                self._set_deadline()
                result = await self._read(step)
        except TimeoutError:
            if self._cut:
                return self._reflector.cut(instant(self._means.clock), self._cut)
            self._means.link.doubt()
            return self._reflector.expired(instant(self._means.clock))
        except ClusterError as error:
            return self._failed(error)
        finally:
            self._scope, self._streaming = None, False
        return result if result is not None else self._reflector.ended(instant(self._means.clock))

    async def _read(self, step: Watch) -> Step | None:
        """Reads the stream; None when the server ended it in order."""
        means, reflector = self._means, self._reflector
        accept = METADATA if self.kind.metadata_only else JSON
        async with means.requests.stream(self._path, step.query, accept=accept) as chunks:
            reflector.opened(instant(means.clock))
            means.link.heard()
            self._set_deadline()
            self._publish()
            async with aclosing(wire.watch_items(self.kind, chunks, self._breath)) as batches:
                async for items in batches:
                    following = reflector.items(instant(means.clock), items)
                    if items:
                        means.activity.took(len(items), means.clock.monotonic() - self._breath.arrived)
                    if following is not None:
                        return following
                    self._set_deadline()
                    self._publish()
        return None

    def _failed(self, error: ClusterError) -> Step:
        if isinstance(error, Unreachable | NotKubernetes) or (isinstance(error, Refused) and error.status in GATEWAY):
            self._means.link.doubt()
        return self._reflector.failed(instant(self._means.clock), error)

    # ---- timers

    def _set_deadline(self) -> None:
        deadline = self._reflector.deadline
        if self._scope is None or deadline is None or self._cut:
            return
        if self._scope_ends is None or abs(deadline - self._scope_ends) > CLOSE_ENOUGH:
            self._scope_ends = deadline
            self._scope.reschedule(asyncio.get_running_loop().time() + deadline - self._means.clock.monotonic())

    def _end_scope(self) -> None:
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def _set_alarm(self, at: float | None) -> None:
        if at == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, at
        if at is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, at - self._means.clock.monotonic()), self._tick)

    def _tick(self) -> None:
        self._alarm = self._alarm_at = None
        self._reflector.tick(instant(self._means.clock))
        self._publish()

    def _publish(self) -> None:
        reflector = self._reflector
        if reflector.notes:
            for note in reflector.notes:
                self._means.journal.write(self.subject, note)
            reflector.notes.clear()
        self._set_alarm(reflector.alarm)
        if reflector.freshness is not self._shown:
            self._shown = reflector.freshness
            try:
                self._changed()
            except Exception as fault:  # whoever listens must not end the watch
                self._means.log.error("telling of %s failed", self.subject, exc_info=fault)
