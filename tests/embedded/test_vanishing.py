"""Bad clients of the assembled cluster: those that vanish, read slowly, or send nonsense to logs, exec, eviction, scale and metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from embedded.conftest import Wire
from kubepane_embedded import podstreams
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.seeds.clusters import Wanted, seeded

POD = "/api/v1/namespaces/chatapp/pods/mysql-0"
NONSENSE = st.sampled_from([b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"metadata":1}', b'{"spec":{"replicas":"x"}}', b'{"spec":{"replicas":-1}}',
    b'{"metadata":{"name":"other"}}', b'{"kind":"Eviction","apiVersion":"policy/v1","deleteOptions":{"gracePeriodSeconds":"x"}}', b"k8s\x00\xff", b"\xff\xfe"])  # fmt: skip
QUERY = st.sampled_from(
    ["", "tailLines=-1", "tailLines=99999999999999999999999", "sinceTime=x", "sinceSeconds=0", "limitBytes=0", "container=%00", "container=nope",
     "previous=true", "command=ls&container=mysql", "command=", "labelSelector=a%20in%20(", "fieldSelector=x%3Dy", "watch=true&timeoutSeconds=1", "limit=-1", "dryRun=x"]
)  # fmt: skip
PATHS = st.sampled_from(
    [f"{POD}/log", f"{POD}/exec", f"{POD}/attach", f"{POD}/portforward", f"{POD}/eviction", f"{POD}/status", f"{POD}/binding", f"{POD}/ephemeralcontainers",
     "/apis/apps/v1/namespaces/chatapp/deployments/chatapp/scale", "/apis/apps/v1/namespaces/chatapp/statefulsets/mysql/scale",
     "/apis/metrics.k8s.io/v1beta1/nodes", "/apis/metrics.k8s.io/v1beta1/nodes/x", "/apis/metrics.k8s.io/v1beta1/namespaces/chatapp/pods",
     "/apis/metrics.k8s.io/v1beta1/namespaces/chatapp/pods/mysql-0", "/api/v1/namespaces/chatapp/serviceaccounts/default/token"]
)  # fmt: skip
MEDIA = st.sampled_from(["application/json", "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf"])  # fmt: skip


@pytest.fixture
async def whole() -> AsyncIterator[Wire]:
    cluster = seeded(Wanted(story=True), VirtualClock())
    await cluster.start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Wire(cluster, session)
    await cluster.stop()


def followers(whole: Wire) -> int:
    """Who follows logs now."""
    kubelets = next(part for part in whole.cluster.parts.running if isinstance(part, Kubelets))
    pod = whole.core.storage.read("pods", "chatapp", "mysql-0")
    assert pod is not None
    journal = kubelets.log(pod, "mysql", False)
    assert journal is not None
    return len(journal._followers)


async def connect(whole: Wire, path: str, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A GET by hand, its first bytes read."""
    url = urlsplit(whole.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write("\r\n".join([f"GET {url.path}{path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode())
    assert (await reader.readline()).split()[1] in (b"200", b"101")
    return reader, writer


async def settled(whole: Wire, tasks: int) -> None:
    """Wait until the server has no more tasks, watchers and followers than before."""
    for _ in range(200):
        if (len(whole.cluster.server.watchers), followers(whole)) == (0, 0) and len(asyncio.all_tasks()) <= tasks:
            return
        await asyncio.sleep(0.01)
    raise AssertionError((whole.cluster.server.watchers, followers(whole), asyncio.all_tasks()))


SHELL = f"{POD}/exec?command=sleep&command=1000&stdin=true&stdout=true&container=mysql"
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol: v5.channel.k8s.io")  # fmt: skip


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/api/v1/nodes?watch=1", ()),
        ("/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", ()),
        (f"{POD}/log?follow=true&container=mysql", ()),
        (f"{POD}/attach?stdout=true&container=mysql", UPGRADE),
        (SHELL, UPGRADE),
    ],
    ids=["watch", "watchlist", "log", "attach", "exec"],
)
async def test_who_vanishes_in_silence_leaves_nothing(whole: Wire, path: str, lines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podstreams, "BEGINNING", 0.0)
    tasks = len(asyncio.all_tasks())
    connections = [await connect(whole, path, *lines) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert len(whole.cluster.server.watchers) + followers(whole) == (0 if path == SHELL else 5)
    for _, writer in connections:
        writer.transport.abort()
    await settled(whole, tasks)


async def test_who_follows_a_log_too_slowly_is_cut(whole: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podstreams, "BEHIND", 100)
    reader, writer = await connect(whole, f"{POD}/log?follow=true&container=mysql&tailLines=0")
    kubelets = next(part for part in whole.cluster.parts.running if isinstance(part, Kubelets))
    pod = whole.core.storage.read("pods", "chatapp", "mysql-0")
    assert pod is not None
    journal = kubelets.log(pod, "mysql", False)
    assert journal is not None
    for number in range(1000):
        journal.write(whole.core.clock.now(), f"line {number}")
    text = await read_chunks(reader)
    assert b"line 99\n" in text
    assert b"line 100\n" not in text
    writer.close()
    assert followers(whole) == 0


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body to its end."""
    while (await reader.readline()).strip():
        pass
    text = b""
    while size := int(await asyncio.wait_for(reader.readline(), 5), 16):
        text += await reader.readexactly(size)
        await reader.readline()
    return text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]), PATHS, QUERY, MEDIA, NONSENSE)
async def test_nonsense_is_refused_in_the_servers_own_shape(whole: Wire, method: str, path: str, query: str, media: str, body: bytes) -> None:
    asked = f"{path}?{query}" if method == "GET" else f"{path}?{query}&dryRun=All"
    reply = await asyncio.wait_for(whole(method, asked, body, Content_Type=media), 3)
    assert reply.code < 500 or reply.code == 501 or "strconv" in json.dumps(reply.body), (reply.code, reply.body)
    if reply.code >= 400 and isinstance(reply.body, dict):
        assert reply.body["kind"] == "Status"
        assert reply.body["code"] == reply.code
    assert (await whole("GET", "/livez")).body == "ok"
