"""Polls metrics.k8s.io, which cannot be watched, for as long as somebody looks at usage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from kubepane.cluster import wire
from kubepane.cluster.amounts import NANO, nano, seconds, up
from kubepane.cluster.errors import (
    ClusterError,
    Forbidden,
    NotFound,
    NotKubernetes,
    NotServed,
    Refused,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Metrics, Usage
from kubepane.cluster.scopes import Namespaces
from kubepane.cluster.watcher import Means

BASE = "/apis/metrics.k8s.io/v1beta1"
TIMEOUT = 25.0  # a metrics server that hangs answers 503 only after a minute
JITTER = 0.2
SLOW = 60.0  # between tries of what is refused or absent
MILLI = NANO // 1000
_M = TypeVar("_M")


class Place(msgspec.Struct, frozen=True):
    """Where usage is asked for: `names` None for the whole cluster at once."""

    names: tuple[str, ...] | None
    hidden: tuple[str, ...] = ()
    others: bool = False


class MetricsPoller:
    """Fills `Metrics` every 15 s while it is wanted.

    Args:
        asked: gives the namespaces that were asked for, None for all.
        fallback: gives those to try when all were asked for and that is refused.
    """

    def __init__(self, means: Means, metrics: Metrics, *, asked: Callable[[], tuple[str, ...] | None], fallback: Callable[[], Namespaces]) -> None:
        self._means, self._metrics = means, metrics
        self._asked, self._fallback = asked, fallback
        self._wanted = asyncio.Event()
        self._again = asyncio.Event()
        self._wide_refused_at: float | None = None
        self._nodes_refused_at: float | None = None
        self._polled_at: datetime | None = None
        self._noted = ""

    # ---- what is wanted

    @property
    def wanted(self) -> bool:
        """Whether somebody looks at usage."""
        return self._wanted.is_set()

    def want(self, wanted: bool) -> None:
        """Begins or ends polling."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()

    def look_again(self) -> None:
        """What is asked for has changed: poll now."""
        self._again.set()

    def places_changed(self) -> None:
        """The namespaces to fall back to have changed: poll now if that is where usage comes from."""
        if self._wide_refused_at is not None:
            self._again.set()

    async def run(self) -> None:
        """Polls until it is cancelled."""
        while True:
            await self._wanted.wait()
            self._again.clear()
            try:
                pause, hold = await self._poll()
            except Exception as fault:
                self._means.log.error("polling usage failed", exc_info=fault)
                self._show(Freshness(State.FAILED, why=f"internal fault: {type(fault).__name__}"), SLOW)
                pause, hold = SLOW, False
            await self._rest(pause, hold)

    async def _rest(self, pause: float, hold: bool) -> None:
        """Waits for the next poll, or until something else is asked for."""
        waiting = asyncio.ensure_future(self._means.link.pause(pause, hold=hold))
        asking = asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait((waiting, asking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, asking):
                task.cancel()
            await asyncio.gather(waiting, asking, return_exceptions=True)

    # ---- one poll

    async def _poll(self) -> tuple[float, bool]:
        """Asks once. Gives the seconds until the next time, and whether to hold while the link is down."""
        try:
            place = await self._pods()
            nodes = await self._nodes()
        except ClusterError as error:
            return self._failed(error)
        now = self._means.clock.now()
        self._polled_at = now
        period = self._metrics.period
        pods = Freshness(State.POLLING, since=now, period=period, hidden=place.hidden, others=place.others)
        self._metrics.set_freshness(pods, nodes)
        self._note("polling")
        return period * (1 + JITTER * (2 * self._means.random.random() - 1)), False

    async def _pods(self) -> Place:
        """Asks for the usage of pods where that is allowed; raises Forbidden when it is nowhere."""
        asked, now = self._asked(), self._means.clock.monotonic()
        if asked is None and (self._wide_refused_at is None or now - self._wide_refused_at >= SLOW):
            try:
                found = await self._usage_of_pods("")
            except Forbidden:
                self._wide_refused_at = now
            else:
                self._wide_refused_at = None
                self._metrics.took_pods(*found)
                return Place(None)
        wanted = self._fallback() if asked is None else Namespaces(asked)
        return await self._pods_by_namespace(wanted)

    async def _pods_by_namespace(self, wanted: Namespaces) -> Place:
        pods: dict[str, Usage] = {}
        containers: dict[str, dict[str, Usage]] = {}
        refused: dict[str, Forbidden] = {}
        names = wanted.tried
        for name in names:
            try:
                some_pods, some_containers = await self._usage_of_pods(name)
            except Forbidden as error:
                refused[name] = error
            else:
                pods |= some_pods
                containers |= some_containers
        if len(refused) == len(names):
            raise next(iter(refused.values()), Forbidden(403, "Forbidden", "no namespace is known in which usage may be seen"))
        self._metrics.took_pods(pods, containers)
        return Place(names, tuple(sorted({*refused, *wanted.hidden})), wanted.others)

    async def _nodes(self) -> Freshness:
        """Asks for the usage of nodes; that it is refused spoils nothing else."""
        now = self._means.clock.monotonic()
        if self._nodes_refused_at is not None and now - self._nodes_refused_at < SLOW:
            return self._metrics.node_freshness
        try:
            body = await self._means.requests.get(f"{BASE}/nodes", timeout=TIMEOUT)
        except Forbidden as error:
            self._nodes_refused_at = now
            return Freshness(State.FORBIDDEN, why=str(error), verb="list", resource="nodes.metrics.k8s.io", since=self._means.clock.now())
        self._nodes_refused_at = None
        nodes = {m.metadata.name: usage for m in await self._decoded(body, _node) if (usage := _sample(m, (m.usage,))) is not None}
        self._metrics.took_nodes(nodes)
        return Freshness(State.POLLING, since=self._means.clock.now(), period=self._metrics.period)

    async def _usage_of_pods(self, namespace: str) -> tuple[dict[str, Usage], dict[str, dict[str, Usage]]]:
        path = f"{BASE}/namespaces/{namespace}/pods" if namespace else f"{BASE}/pods"
        body = await self._means.requests.get(path, timeout=TIMEOUT)
        pods: dict[str, Usage] = {}
        containers: dict[str, dict[str, Usage]] = {}
        for m in await self._decoded(body, _pod):
            parts = m.containers or ()
            usage = _sample(m, tuple(c.usage for c in parts))
            if usage is None:
                continue
            key = f"{m.metadata.namespace}/{m.metadata.name}"
            pods[key] = usage
            if len(parts) == 1:
                containers[key] = {parts[0].name: usage}
            else:
                containers[key] = {c.name: own for c in parts if (own := _sample(m, (c.usage,))) is not None}
        return pods, containers

    async def _decoded(self, body: bytes, decode: Callable[[msgspec.Raw], _M]) -> list[_M]:
        _, raws = wire.page(body)
        breath = wire.Breath(self._means.clock.monotonic)
        found: list[_M] = []
        for raw in raws:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found.append(decode(raw))
            if breath.spent():
                await breath.take()
        return found

    # ---- faults

    def _failed(self, error: ClusterError) -> tuple[float, bool]:
        match error:
            case Forbidden():
                self._show(Freshness(State.FORBIDDEN, why=str(error), verb="list", resource="pods.metrics.k8s.io"), SLOW)
                return SLOW, False
            case Unauthorized():
                self._show(Freshness(State.UNAUTHORIZED, why=str(error)), SLOW)
                return SLOW, False
            case TooManyRequests():
                pause = max(self._metrics.period, min(SLOW, error.retry_after or 0.0))
                self._show(Freshness(State.RECONNECTING, since=self._polled_at, why=str(error)), pause)
                return pause, False
            case NotServed() | NotFound() | ServerFault():
                self._metrics.forget_usage()
                self._show(Freshness(State.ABSENT, why=f"metrics API not available: {error.status} {_first_line(error)}"), SLOW)
                return SLOW, False
            case Unreachable() | NotKubernetes():
                self._means.link.doubt()
        self._show(Freshness(State.RECONNECTING, since=self._polled_at, why=str(error)), self._metrics.period)
        return self._metrics.period, True

    def _show(self, freshness: Freshness, pause: float) -> None:
        now = self._means.clock.now()
        old = self._metrics.freshness
        since = freshness.since or (old.since if old.state is freshness.state else now)
        shown = msgspec.structs.replace(freshness, since=since, retry_at=now + timedelta(seconds=pause))
        self._metrics.set_freshness(shown, shown)
        self._note(freshness.why)

    def _note(self, text: str) -> None:
        if text != self._noted:
            self._noted = text
            self._means.journal.write("metrics", text)


# ---- shapes --------------------------------------------------------------------------------------------------------------


class _Amounts(msgspec.Struct, frozen=True, gc=False):
    cpu: str = "0"
    memory: str = "0"


class _Name(msgspec.Struct, gc=False):
    name: str
    namespace: str = ""


class _Container(msgspec.Struct, gc=False):
    name: str = ""
    usage: _Amounts = _Amounts()


class _Metric(msgspec.Struct, gc=False):
    metadata: _Name
    timestamp: datetime | None = None
    window: str = ""


class _PodMetric(_Metric, gc=False):
    containers: tuple[_Container, ...] | None = None


class _NodeMetric(_Metric, gc=False):
    usage: _Amounts = _Amounts()


_pod = msgspec.json.Decoder(_PodMetric).decode
_node = msgspec.json.Decoder(_NodeMetric).decode


def _sample(metric: _Metric, parts: tuple[_Amounts, ...]) -> Usage | None:
    """The sum of some amounts, rounded after summing as kubectl top does; None when one of them is not a quantity."""
    cpu = memory = 0
    for part in parts:
        own_cpu, own_memory = nano(part.cpu), nano(part.memory)
        if own_cpu is None or own_memory is None:
            return None
        cpu += own_cpu
        memory += own_memory
    return Usage(up(cpu, MILLI), up(memory, NANO), metric.timestamp, seconds(metric.window))


def _first_line(error: Refused) -> str:
    return (error.message or error.reason).strip().partition("\n")[0][:120]
