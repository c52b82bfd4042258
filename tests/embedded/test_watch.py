"""Watches: past and present, selectors, bookmarks, WatchList, 410, slow readers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from embedded.conftest import Wire
from kubepane_embedded import watching
from kubepane_embedded.clock import VirtualClock
from recordings import recorded

MAPS = "/api/v1/namespaces/default/configmaps"
ERRORS = recorded("api-errors")


def advance_wire(wire: Wire, seconds: float) -> None:
    """Let time of the protocol pass."""
    clock = wire.cluster.server.wire
    assert isinstance(clock, VirtualClock)
    clock.advance(seconds)


async def lines_of(wire: Wire, path: str, count: int, **headers: str) -> tuple[Any, Any]:
    """An open watch and an iterator over its lines."""
    response = await wire.session.get(wire.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return response, [json.loads(await asyncio.wait_for(response.content.readline(), 5)) for _ in range(count)]


async def next_line(response: Any) -> Any:
    return json.loads(await asyncio.wait_for(response.content.readline(), 5))


def seen(line: Any) -> tuple[str, str]:
    return line["type"], line["object"]["metadata"].get("name", "")


async def put(wire: Wire, name: str, **labels: str) -> str:
    """Create or change a ConfigMap; returns its resourceVersion."""
    body = {"metadata": {"name": name, "labels": labels}}
    reply = await wire("POST", MAPS, body)
    if reply.code == 409:
        reply = await wire("PUT", f"{MAPS}/{name}", body)
    return str(reply.body["metadata"]["resourceVersion"])


async def test_from_nothing_from_zero_and_from_a_revision(wire: Wire) -> None:
    revision = await put(wire, "a")
    for query in ("?watch=1", "?watch=true&resourceVersion=0", "?watch=True&resourceVersion="):
        response, lines = await lines_of(wire, MAPS + query, 2)
        assert [seen(line) for line in lines] == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]
        response.close()
    await put(wire, "a", x="1")
    await put(wire, "b")
    response, lines = await lines_of(wire, f"{MAPS}?watch=1&resourceVersion={revision}", 2)
    assert [seen(line) for line in lines] == [("MODIFIED", "a"), ("ADDED", "b")]
    await wire("DELETE", f"{MAPS}/a")
    line = await next_line(response)
    assert seen(line) == ("DELETED", "a")
    assert int(line["object"]["metadata"]["resourceVersion"]) == wire.core.storage.revision
    response.close()


async def test_entering_and_leaving_a_selector(wire: Wire) -> None:
    revision = await put(wire, "a", x="0")
    await put(wire, "a", x="1")
    last = await put(wire, "a", x="2")
    response, lines = await lines_of(wire, f"{MAPS}?watch=1&resourceVersion={revision}&labelSelector=x%3D1", 2)
    assert [seen(line) for line in lines] == [("ADDED", "a"), ("DELETED", "a")]
    assert lines[1]["object"]["metadata"]["resourceVersion"] == last
    assert lines[1]["object"]["metadata"]["labels"] == {"x": "1"}
    response.close()


async def test_a_revision_that_is_gone(wire: Wire) -> None:
    await put(wire, "a")
    wire.core.storage.compact()
    floor = wire.core.storage.revision
    lines = await wire.watch(f"{MAPS}?watch=1&resourceVersion=1")
    wanted = json.loads(json.dumps(ERRORS["watch-after-restart-410"]["body"]) if "watch-after-restart-410" in ERRORS else "null")
    message = f"too old resource version: 1 ({floor})"
    assert lines == [{"type": "ERROR", "object": {**lines[0]["object"], "message": message, "reason": "Expired", "code": 410}}]
    assert wanted is None or wanted["reason"] == "Expired"
    events = await wire.watch("/api/v1/events?watch=1&resourceVersion=1")
    assert events[0]["object"]["message"] == "The resourceVersion for the provided watch is too old."


async def test_a_revision_of_the_future_is_silent(wire: Wire) -> None:
    far = wire.core.storage.revision + 3
    response, _ = await lines_of(wire, f"{MAPS}?watch=1&allowWatchBookmarks=true&resourceVersion={far}&timeoutSeconds=300", 0)
    advance_wire(wire, 65)
    for name in "abc":
        await put(wire, name)
    await put(wire, "d")
    assert seen(await next_line(response)) == ("ADDED", "d")
    response.close()


@pytest.mark.parametrize("revision", ["", "&resourceVersion=", "&resourceVersion=0", "&resourceVersion=2"])
async def test_watch_list(wire: Wire, revision: str) -> None:
    await put(wire, "a")
    query = f"{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true{revision}"
    response, lines = await lines_of(wire, query, 3)
    assert [seen(line) for line in lines] == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt"), ("BOOKMARK", "")]
    assert lines[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    await put(wire, "b")
    assert seen(await next_line(response)) == ("ADDED", "b")
    response.close()


async def test_bookmarks_each_minute_and_before_the_end(wire: Wire) -> None:
    response, _ = await lines_of(wire, f"{MAPS}?watch=1&allowWatchBookmarks=1&resourceVersion={wire.core.storage.revision}&timeoutSeconds=70", 0)
    await put(wire, "x", a="b")
    assert seen(await next_line(response)) == ("ADDED", "x")
    advance_wire(wire, 60)
    first = await next_line(response)
    assert (first["type"], first["object"]["metadata"]) == ("BOOKMARK", {"resourceVersion": str(wire.core.storage.revision)})
    advance_wire(wire, 8)
    assert (await next_line(response))["type"] == "BOOKMARK"
    advance_wire(wire, 2)
    assert await asyncio.wait_for(response.content.read(), 5) == b""
    assert wire.cluster.server.watchers == set()


async def test_events_have_no_bookmarks(wire: Wire) -> None:
    response, _ = await lines_of(wire, "/api/v1/events?watch=1&allowWatchBookmarks=1&resourceVersion=0&timeoutSeconds=70", 0)
    advance_wire(wire, 75)
    assert await asyncio.wait_for(response.content.read(), 5) == b""


async def test_tables_carry_their_columns_once(wire: Wire) -> None:
    await put(wire, "a")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    query = f"{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    response, lines = await lines_of(wire, query, 3, Accept=accept)
    assert [bool(line["object"]["columnDefinitions"]) for line in lines] == [True, False, False]
    assert lines[2]["type"] == "BOOKMARK"
    assert lines[2]["object"]["rows"][0]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    response.close()


async def test_a_reader_that_is_too_slow_is_cut_and_loses_nothing(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "QUEUE_BYTES", 200_000)
    start = wire.core.storage.revision
    response = await wire.session.get(f"{wire.url}{MAPS}?watch=1&resourceVersion={start}")
    client = wire.core.client("test")
    for number in range(300):
        client.create("configmaps", {"metadata": {"name": f"m{number}", "namespace": "default"}, "data": {"a": "x" * 5000}})
    raw = await asyncio.wait_for(response.content.read(), 10)
    lines = [json.loads(line) for line in raw.splitlines()]
    assert 0 < len(lines) < 300
    assert {line["type"] for line in lines} == {"ADDED"}
    last = lines[-1]["object"]["metadata"]["resourceVersion"]
    rest, more = await lines_of(wire, f"{MAPS}?watch=1&resourceVersion={last}", 300 - len(lines))
    assert more[-1]["object"]["metadata"]["name"] == "m299"
    rest.close()


async def test_a_client_that_vanishes_leaves_nothing(wire: Wire) -> None:
    response, _ = await lines_of(wire, f"{MAPS}?watch=1", 1)
    assert len(wire.cluster.server.watchers) == 1
    response.close()
    for number in range(50):
        await put(wire, "busy", n=str(number))
        if not wire.cluster.server.watchers:
            break
        await asyncio.sleep(0.02)
    assert wire.cluster.server.watchers == set()


async def test_stopping_ends_watches_cleanly(wire: Wire) -> None:
    response, _ = await lines_of(wire, f"{MAPS}?watch=1", 1)
    await wire.cluster.server.stop()
    assert await asyncio.wait_for(response.content.read(), 5) is not None
