"""Logs, exec and metrics through the hooks that the simulated kubelet and the metrics source fill in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from embedded.conftest import Wire
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object
from kubepane_embedded.parts import Parts
from kubepane_embedded.runtime import ExecSession, LogLine, MetricsUnavailable, Streams
from recordings import recorded

PODS = "/api/v1/namespaces/default/pods"


class Log:
    """A log that tests write."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.written: list[LogLine] = []
        self.followers: list[Callable[[LogLine | None], None]] = []

    def say(self, text: str | None) -> None:
        line = LogLine(self.core.clock.now(), text) if text is not None else None
        if line is not None:
            self.written.append(line)
        for follower in tuple(self.followers):
            follower(line)

    def lines(self) -> list[LogLine]:
        return list(self.written)

    def follow(self, callback: Callable[[LogLine | None], None]) -> Callable[[], None]:
        self.followers.append(callback)
        return lambda: self.followers.remove(callback)


class Runtime:
    """One log for every container; a shell that repeats what it hears."""

    def __init__(self, core: Core) -> None:
        self.journal = Log(core)

    def log(self, pod: Object, container: str, previous: bool) -> Log | None:
        return None if previous or container == "quiet" else self.journal

    async def exec(self, pod: Object, container: str, command: list[str], tty: bool, session: ExecSession) -> int:
        if command[0] == "fail":
            await session.write_error(b"no\n")
            return 3
        while data := await session.read():
            await session.write(data.upper())
        return 0

    async def attach(self, pod: Object, container: str, tty: bool, session: ExecSession) -> int:
        return await self.exec(pod, container, ["attach"], tty, session)

    async def forward(self, pod: Object, port: int, streams: Streams) -> str:
        if port == 81:
            return "connection refused"
        while data := await streams.read():
            await streams.write(data.upper())
        return ""


class Metrics:
    """Figures of one node and one pod, while it works."""

    def __init__(self) -> None:
        self.works = True

    def nodes(self) -> list[Object]:
        if not self.works:
            raise MetricsUnavailable
        return [{"metadata": {"name": "n"}, "timestamp": "2026-01-01T08:00:00Z", "window": "15s", "usage": {"cpu": "150m", "memory": "200Mi"}}]

    def pods(self, namespace: str | None) -> list[Object]:
        usage = {"name": "c", "usage": {"cpu": "150007160n", "memory": "200Mi"}}
        meta = {"name": "p", "namespace": "default", "labels": {"app": "p"}}
        found = [{"metadata": meta, "timestamp": "2026-01-01T08:00:00Z", "window": "15s", "containers": [usage, usage]}]
        return found if namespace in (None, "default") else []


@pytest.fixture
async def alive() -> AsyncIterator[tuple[Wire, Runtime]]:
    runtimes: list[Runtime] = []

    def parts(core: Core) -> Parts:
        runtimes.append(Runtime(core))
        return Parts(runtime=runtimes[0], metrics=Metrics())

    cluster = EmbeddedCluster(VirtualClock(), parts=parts, wire=VirtualClock())
    await cluster.start()
    async with aiohttp.ClientSession() as session:
        yield Wire(cluster, session), runtimes[0]
    await cluster.stop()


async def make_pod(wire: Wire, *names: str, node: str = "n") -> None:
    containers = [{"name": name, "image": "x"} for name in names]
    body = {"metadata": {"name": "p"}, "spec": {"containers": containers, **({"nodeName": node} if node else {})}}
    await wire("POST", PODS, body)
    status = {"status": {"phase": "Running"}}
    await wire("PATCH", f"{PODS}/p/status", status, Content_Type="application/merge-patch+json")


async def test_logs_by_tail_time_and_stamp(alive: tuple[Wire, Runtime]) -> None:
    wire, runtime = alive
    await make_pod(wire, "c")
    clock: Any = wire.core.clock
    for number in range(5):
        runtime.journal.say(f"line {number}")
        clock.advance(10)
    assert (await wire("GET", f"{PODS}/p/log")).body == "".join(f"line {number}\n" for number in range(5))
    assert (await wire("GET", f"{PODS}/p/log?tailLines=2")).body == "line 3\nline 4\n"
    assert (await wire("GET", f"{PODS}/p/log?tailLines=0")).body == ""
    assert (await wire("GET", f"{PODS}/p/log?sinceSeconds=25")).body == "line 3\nline 4\n"
    since = (clock.now() - timedelta(seconds=15)).isoformat().replace("+00:00", "Z")
    assert (await wire("GET", f"{PODS}/p/log?sinceTime={since}")).body == "line 4\n"
    assert (await wire("GET", f"{PODS}/p/log?limitBytes=6")).body == "line 0"
    stamped = (await wire("GET", f"{PODS}/p/log?timestamps=true&tailLines=1")).body
    assert stamped == "2026-01-01T08:00:40.000000Z line 4\n"


async def test_following_a_log_to_its_end(alive: tuple[Wire, Runtime]) -> None:
    wire, runtime = alive
    await make_pod(wire, "c")
    runtime.journal.say("before")
    async with wire.session.get(f"{wire.url}{PODS}/p/log?follow=true") as response:
        assert await asyncio.wait_for(response.content.readline(), 5) == b"before\n"
        runtime.journal.say("after")
        assert await asyncio.wait_for(response.content.readline(), 5) == b"after\n"
        runtime.journal.say(None)
        assert await asyncio.wait_for(response.content.read(), 5) == b""
    assert runtime.journal.followers == []


async def test_logs_that_there_are_not(alive: tuple[Wire, Runtime], wire: Wire) -> None:
    there, _ = alive
    await make_pod(there, "c", "quiet")
    several = "a container name must be specified for pod p, choose one of: [c quiet]"
    assert (await there("GET", f"{PODS}/p/log")).body["message"] == several
    assert (await there("GET", f"{PODS}/p/log?container=nope")).body["message"] == "container nope is not valid for pod p"
    quiet = 'container "quiet" in pod "p" is waiting to start: ContainerCreating'
    assert (await there("GET", f"{PODS}/p/log?container=quiet")).body["message"] == quiet
    previous = 'previous terminated container "c" in pod "p" not found'
    assert (await there("GET", f"{PODS}/p/log?container=c&previous=true")).body["message"] == previous
    await make_pod(wire, "c", node="")
    assert (await wire("GET", f"{PODS}/p/log")).code == 204


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_exec_over_a_websocket(alive: tuple[Wire, Runtime], protocol: str) -> None:
    wire, _ = alive
    await make_pod(wire, "c")
    async with wire.session.ws_connect(f"{wire.url}{PODS}/p/exec?command=sh&stdin=true&stdout=true", protocols=[protocol]) as socket:
        assert socket.protocol == protocol
        await socket.send_bytes(b"\x00hello")
        assert (await socket.receive_bytes(timeout=5)) == b"\x01HELLO"
        await socket.send_bytes(b"\xff\x00")
        last = await socket.receive_bytes(timeout=5)
        assert last[:1] == b"\x03"
        assert json.loads(last[1:])["status"] == "Success"


async def test_exec_that_fails(alive: tuple[Wire, Runtime]) -> None:
    wire, _ = alive
    await make_pod(wire, "c")
    async with wire.session.ws_connect(f"{wire.url}{PODS}/p/exec?command=fail", protocols=["v4.channel.k8s.io"]) as socket:
        assert (await socket.receive_bytes(timeout=5)) == b"\x02no\n"
        status = json.loads((await socket.receive_bytes(timeout=5))[1:])
        assert (status["reason"], status["details"]["causes"]) == ("NonZeroExitCode", [{"reason": "ExitCode", "message": "3"}])
    assert (await wire("GET", f"{PODS}/p/exec?command=sh")).code == 400
    assert (await wire("POST", f"{PODS}/p/portforward")).code == 501


async def test_metrics(alive: tuple[Wire, Runtime], wire: Wire) -> None:
    there, _ = alive
    base = "/apis/metrics.k8s.io/v1beta1"
    listed = await there("GET", f"{base}/namespaces/default/pods")
    assert listed.body["kind"] == "PodMetricsList"
    assert listed.body["metadata"] == {}
    assert (await there("GET", f"{base}/pods?labelSelector=app%3Dq")).body["items"] == []
    assert (await there("GET", f"{base}/nodes/n")).body["usage"]["cpu"] == "150m"
    assert (await there("GET", f"{base}/namespaces/default/pods/nope")).body == recorded("api-errors")["metrics-pod-404"]["body"]
    times = [obj["metadata"]["creationTimestamp"] for obj in (*listed.body["items"], (await there("GET", f"{base}/nodes/n")).body)]
    assert times == [there.core.clock.stamp()] * 2
    watch = await there("GET", f"{base}/pods?watch=1")
    assert watch.body == recorded("api-errors")["metrics-watch-405"]["body"]
    table = await there("GET", f"{base}/pods", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.body["rows"][0]["cells"] == ["p", "300014320n", "400Mi", "15s"]
    absent = await wire("GET", f"{base}/nodes")
    assert (absent.code, absent.body) == (404, "404 page not found\n")
    assert "metrics.k8s.io" not in [group["name"] for group in (await wire("GET", "/apis")).body["groups"]]


async def test_metrics_that_do_not_answer(alive: tuple[Wire, Runtime]) -> None:
    there, _ = alive
    source = there.cluster.parts.metrics
    assert isinstance(source, Metrics)
    source.works = False
    reply = await there("GET", "/apis/metrics.k8s.io/v1beta1/nodes")
    assert (reply.code, reply.body, reply.headers["Content-Type"]) == (503, "service unavailable\n", "text/plain; charset=utf-8")
    assert "Retry-After" not in reply.headers
