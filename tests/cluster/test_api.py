"""The one door: budget, typed errors, one renewal after a 401, read-only, streams, counters."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from cluster.clocks import VirtualLoop, virtually
from cluster.scripted import Handler, answer, fine, refusal, serving, talking
from kubepane.cluster import api as door, errors, exec_plugin, transport
from kubepane.cluster.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Api
from kubepane.cluster.audit import Change, Warned
from kubepane.cluster.call import Call
from kubepane.cluster.connection import Connection, Sent
from kubepane.cluster.context import Context, ExecPlugin, User
from kubepane.cluster.errors import BadConfig, ClusterError, NotKubernetes, ReadOnly, Unauthorized, Unreachable
from kubepane.cluster.redaction import remember
from kubepane.cluster.requests import TABLE, Requests

CANARY = "c4n4ry-0123456789abcdef"
PLUGIN = User(name="me", plugin=ExecPlugin("client.authentication.k8s.io/v1", "login"))
PODS = "/api/v1/namespaces/shop/pods"
WATCHLIST = {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


@asynccontextmanager
async def at(url: str, *, user: User | None = None, compress: bool = True, **how: Any) -> AsyncIterator[Api]:
    context = Context(name="c", server=url, user=user or User(), disable_compression=not compress)
    api = Api(Connection(context, env={}), **how)
    try:
        yield api
    finally:
        await api.close()


def streaming(*parts: bytes, **headers: str) -> Handler:
    """A watch that sends these chunks and ends."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.002)  # so that each arrives by itself
        return response

    return handle


def needs_requests(_: Requests) -> None:
    """The type checker proves that an Api is what the reflectors ask for."""


# ---- reading -------------------------------------------------------------------------------------------------------------


async def test_a_get_carries_its_query_and_what_it_accepts() -> None:
    async with serving(fine) as server, at(server.url) as api:
        needs_requests(api)
        assert json.loads(await api.get(PODS, {"limit": "500"}, accept=TABLE)) == {"kind": "List", "items": []}
        asked = server.asked[0]
        assert (asked.method, asked.path, asked.query) == ("GET", PODS, {"limit": "500"})
        assert (asked.headers["Accept"], asked.headers["Accept-Encoding"]) == (TABLE, "gzip")


async def test_compression_can_be_turned_off_by_the_kubeconfig() -> None:
    async with serving(fine) as server, at(server.url, compress=False) as api:
        await api.get(PODS)
        assert server.asked[0].headers["Accept-Encoding"] == "identity"


async def test_a_connection_is_used_again() -> None:
    async with serving(fine) as server, at(server.url) as api:
        for _ in range(3):
            await api.get(PODS)
        assert len({asked.socket for asked in server.asked}) == 1


async def test_a_compressed_list_is_unpacked_and_counted_as_it_was_sent() -> None:
    body = json.dumps({"items": ["x" * 1000] * 500}).encode()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        packed = gzip.compress(body, 1)
        return web.Response(body=packed, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})

    async with serving(handle) as server, at(server.url) as api:
        assert await api.get(PODS) == body
        assert api.traffic.received == len(gzip.compress(body, 1))


async def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_BODY", 1 << 20)

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        packed = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
        return web.Response(body=packed, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})

    async with serving(handle) as server, at(server.url) as api:
        with pytest.raises(NotKubernetes, match="larger than 1 MiB"):
            await api.get(PODS)


async def test_logs_are_text_and_may_be_empty() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="")

    async with serving(handle) as server, at(server.url) as api:
        assert await api.get(PODS + "/x/log", accept="text/plain") == b""


@pytest.mark.parametrize("status", [200, 401, 403, 502])
async def test_a_proxys_page_is_not_kubernetes(status: int) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html><title>Please log in</title></html>", status=status, content_type="text/html")

    async with serving(handle) as server, at(server.url) as api:
        for ask in (api.get(PODS), _drained(api.stream(PODS, {"watch": "1"})), _drained(api.stream(PODS + "/x/log", accept="text/plain"))):
            with pytest.raises(NotKubernetes, match="Please log in"):
                await ask
        assert api.traffic.open_streams == 0


async def _drained(stream: Any) -> bytes:
    async with stream as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_errors_have_their_types() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return refusal(int(request.path.rpartition("/")[2]), "Because", "it is so", name="x")

    kinds: dict[int, type[ClusterError]] = {
        400: errors.Invalid, 403: errors.Forbidden, 404: errors.NotFound, 409: errors.Conflict, 410: errors.Expired, 422: errors.Invalid,
        429: errors.TooManyRequests, 500: errors.ServerFault,
    }  # fmt: skip
    async with serving(handle) as server, at(server.url) as api:
        for status, kind in kinds.items():
            for ask in (api.get(f"/{status}"), _drained(api.stream(f"/{status}"))):
                with pytest.raises(kind, match="it is so") as caught:
                    await ask
                assert type(caught.value) is kind
        assert len(server.asked) == 2 * len(kinds)  # nothing was tried again
        assert len({asked.socket for asked in server.asked}) == 1  # and the connection goes on being used


async def test_a_huge_error_page_is_read_only_in_part() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="no " * 5_000_000, status=500)

    async with serving(handle) as server, at(server.url) as api:
        with pytest.raises(errors.ServerFault):
            await api.get(PODS)
        assert api.traffic.received < 2 << 20


async def test_the_version() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return answer({"major": "1", "minor": "35+", "gitVersion": "v1.35.4", "platform": "linux/amd64", "more": 1})

    async with serving(handle) as server, at(server.url) as api:
        version = await api.server_version()
        assert (version.git_version, version.major, version.minor) == ("v1.35.4", "1", "35+")
    async with serving(fine) as server, at(server.url) as api:
        assert (await api.server_version()).git_version == ""


async def test_a_version_that_is_none() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return answer([1])

    async with serving(handle) as server, at(server.url) as api:
        with pytest.raises(NotKubernetes):
            await api.server_version()


async def test_warnings_are_handed_on() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        response = answer({})
        response.headers.add("Warning", '299 - "one"')
        response.headers.add("Warning", '299 - "two"')
        return response

    heard: list[Warned] = []
    async with serving(handle) as server, at(server.url, on_warning=heard.append) as api:
        await api.get(PODS)
    assert heard == [Warned("GET", PODS, "one"), Warned("GET", PODS, "two")]


# ---- health --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "up"), [(200, True), (401, True), (403, True), (500, True), (503, True)])
async def test_any_answer_means_that_the_link_is_up(status: int, up: bool) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="[-]etcd failed", status=status)

    async with serving(handle) as server, at(server.url) as api:
        assert await api.link_is_up() is up
        probe = await api.probe()
        assert probe.status == status
        assert probe.server_ahead is not None
        assert abs(probe.server_ahead) < 3


async def test_health_is_asked_over_its_own_connection_and_past_the_budget() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="ok") if request.path == "/livez" else await fine(request)

    async with serving(handle) as server, at(server.url) as api:
        await api.get(PODS)
        api._budget._tokens = 0
        began = time.monotonic()
        assert await api.get("/livez") == b"ok"
        assert (await api.probe()).up
        assert time.monotonic() - began < 0.15  # a token would have taken 0.2 s
        assert len({asked.socket for asked in server.asked}) == 3


async def test_an_unwell_server_is_told_from_none() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="[+]ping ok\n[-]etcd failed: reason withheld\n", status=500)

    async with serving(handle) as server, at(server.url) as api:
        with pytest.raises(errors.ServerFault, match="etcd failed"):
            await api.get("/livez")
    async with at("http://127.0.0.1:1") as api:
        with pytest.raises(Unreachable):
            await api.get("/livez")
        probe = await api.probe()
        assert (probe.up, probe.status, probe.why, probe.server_ahead) == (False, 0, "connection refused", None)
        assert not await api.link_is_up()


# ---- changing ------------------------------------------------------------------------------------------------------------

CHANGES: list[tuple[str, Callable[[Api], Awaitable[bytes]]]] = [
    ("POST", lambda api: api.post(PODS, {"kind": "Pod"})),
    ("PUT", lambda api: api.put(PODS + "/x", {"kind": "Pod"})),
    ("PATCH", lambda api: api.patch(PODS + "/x", {"kind": "Pod"})),
    ("DELETE", lambda api: api.delete(PODS + "/x", {"kind": "Pod"})),
]


@pytest.mark.parametrize(("method", "change"), CHANGES)
async def test_a_change_is_sent_and_told(method: str, change: Callable[[Api], Awaitable[bytes]]) -> None:
    told: list[Change] = []
    async with serving(fine) as server, at(server.url, on_change=told.append) as api:
        assert json.loads(await change(api))["kind"] == "List"
        assert (server.asked[0].method, json.loads(server.asked[0].body)) == (method, {"kind": "Pod"})
    (one,) = told
    assert (one.method, one.status, one.error, one.stopped) == (method, 200, "", False)


@pytest.mark.parametrize(("method", "change"), CHANGES)
async def test_read_only_lets_no_change_out(method: str, change: Callable[[Api], Awaitable[bytes]]) -> None:
    told: list[Change] = []
    async with serving(fine) as server, at(server.url, on_change=told.append, read_only=True) as api:
        with pytest.raises(ReadOnly, match=f"read-only: {method}"):
            await change(api)
        with pytest.raises(ReadOnly):
            await api.post(PODS, {}, {"dryRun": "All"})
        await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {})
        await api.get(PODS)
        assert [asked.path for asked in server.asked] == ["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", PODS]
        api.read_only = False
        await change(api)
        assert server.asked[-1].method == method
    assert [one.stopped for one in told] == [True, True, False]


@pytest.mark.parametrize("kind", [MERGE_PATCH, STRATEGIC_PATCH, JSON_PATCH, APPLY_PATCH])
async def test_patches_say_what_they_are(kind: str) -> None:
    body: Any = [{"op": "remove", "path": "/x"}] if kind == JSON_PATCH else {"spec": {}}
    async with serving(fine) as server, at(server.url) as api:
        await api.patch(PODS + "/x", body, {"fieldManager": "kubepane", "force": "false"}, content_type=kind)
        asked = server.asked[0]
        assert (asked.headers["Content-Type"], json.loads(asked.body)) == (kind, body)
        assert asked.query == {"fieldManager": "kubepane", "force": "false"}


async def test_a_refused_change_is_told_with_its_reason_and_without_its_body() -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return refusal(409, "Conflict", "the object has been modified")

    told: list[Change] = []
    async with serving(handle) as server, at(server.url, on_change=told.append) as api:
        with pytest.raises(errors.Conflict):
            await api.put(PODS + "/x", {"data": CANARY})
        assert len(server.asked) == 1
    assert (told[0].status, told[0].error) == (409, "the object has been modified")
    assert CANARY not in repr(told)


async def test_what_gets_no_answer_is_not_sent_again() -> None:
    heads: list[bytes] = []

    async def cut(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"}"))

    told: list[Change] = []
    async with talking(cut) as url, at(url, on_change=told.append) as api:
        for _, change in CHANGES:
            with pytest.raises(Unreachable, match="connection cut"):
                await change(api)
    assert len(heads) == 4
    assert [(one.status, one.stopped) for one in told] == [(None, False)] * 4


# ---- 401 -----------------------------------------------------------------------------------------------------------------


class Guarded:
    """A server that accepts only the newest token; the plugin beside it counts its runs."""

    def __init__(self) -> None:
        self.valid = "token-2"
        self.runs = 0

    async def run(self, *_: object) -> exec_plugin.Issued:
        self.runs += 1
        number = self.runs
        await asyncio.sleep(0.01)
        return exec_plugin.Issued(f"token-{number}")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            return refusal(401, "Unauthorized")
        return await (streaming(b"{}") if "watch" in request.query else fine)(request)


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Guarded:
    made = Guarded()
    monkeypatch.setattr(exec_plugin, "run", made.run)
    return made


async def test_twenty_refused_callers_renew_once_and_all_succeed(guarded: Guarded) -> None:
    async with serving(guarded.handle) as server, at(server.url, user=PLUGIN) as api:
        calls = [api.get(PODS) if n % 2 else _drained(api.stream(PODS, {"watch": "1"})) for n in range(20)]
        assert len([body for body in await asyncio.gather(*calls) if body]) == 20
        assert guarded.runs == 2


async def test_a_second_401_is_told_and_the_plugin_left_alone(guarded: Guarded) -> None:
    guarded.valid = "never"
    async with serving(guarded.handle) as server, at(server.url, user=PLUGIN) as api:
        for _ in range(5):
            with pytest.raises(Unauthorized, match="does not accept user 'me'"):
                await api.get(PODS)
        assert guarded.runs == 2
        assert len(server.asked) == 6


async def test_a_refused_change_is_sent_again_with_the_new_token(guarded: Guarded) -> None:
    async with serving(guarded.handle) as server, at(server.url, user=PLUGIN) as api:
        await api.patch(PODS + "/x", {"spec": {}})
        assert [json.loads(asked.body) for asked in server.asked] == [{"spec": {}}] * 2
        assert len({asked.socket for asked in server.asked}) == 1  # another token needs no other connection


async def test_a_plugin_that_fails_is_told_to_all_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object) -> exec_plugin.Issued:
        raise BadConfig("the exec plugin login ended with exit code 1: log in again")

    monkeypatch.setattr(exec_plugin, "run", run)
    async with serving(fine) as server, at(server.url, user=PLUGIN) as api:
        for ask in (api.get(PODS), _drained(api.stream(PODS)), api.probe(), api.post(PODS, {})):
            with pytest.raises(BadConfig, match="log in again"):
                await ask
        assert server.asked == []


async def test_no_403_runs_a_plugin(guarded: Guarded) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return refusal(403, "Forbidden", "pods is forbidden")

    async with serving(handle) as server, at(server.url, user=PLUGIN) as api:
        for _ in range(4):
            with pytest.raises(errors.Forbidden):
                await api.get(PODS)
        assert guarded.runs == 1


# ---- streams -------------------------------------------------------------------------------------------------------------


async def test_a_watch_comes_as_it_is_sent_and_ends_cleanly() -> None:
    async with serving(streaming(b'{"n":1}\n', b'{"n"', b":2}\n")) as server, at(server.url) as api:
        async with api.stream(PODS, {"watch": "1"}) as chunks:
            assert api.traffic.open_streams == 1
            assert [chunk async for chunk in chunks] == [b'{"n":1}\n', b'{"n"', b":2}\n"]
        assert api.traffic.open_streams == 0
        assert api.traffic.received == 16
        assert server.asked[0].headers["Accept-Encoding"] == "identity"
        await api.get("/healthy", accept="text/plain")
        assert len({asked.socket for asked in server.asked}) == 1


async def test_a_watchlist_of_many_gzip_members_is_read_whole() -> None:
    members = [gzip.compress(f'{{"n":{n}}}\n'.encode()) for n in range(50)]
    async with serving(streaming(*members, **{"Content-Encoding": "gzip"})) as server, at(server.url) as api:
        assert (await _drained(api.stream(PODS, WATCHLIST))).count(b"\n") == 50
        assert server.asked[0].headers["Accept-Encoding"] == "gzip"
        assert api.traffic.received == sum(map(len, members))


async def test_a_decoder_that_drops_members_is_not_asked_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport.WHOLE_GZIP
    monkeypatch.setattr(transport, "WHOLE_GZIP", False)
    async with serving(streaming(b"{}")) as server, at(server.url) as api:
        await _drained(api.stream(PODS, WATCHLIST))
        assert server.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("broken", ["drops", "raises"])
def test_the_self_test_of_the_decoder_can_fail(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    class First:
        """Decodes the first member only, as aiohttp did before 3.14."""

        def __init__(self, out: Any, _: str) -> None:
            self.out, self.done = out, False

        def feed_data(self, data: bytes, size: int) -> None:
            if broken == "raises":
                raise RuntimeError
            if not self.done:
                self.done = True
                self.out.feed_data(b'{"n":1}\n')

    monkeypatch.setattr(transport, "DeflateBuffer", First)
    assert not transport._decodes_every_gzip_member()


async def test_a_silent_stream_is_given_up_and_a_slow_one_is_not() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(4):
            await asyncio.sleep(0.06)
            await response.write(b"x")
        await asyncio.sleep(5)
        return response

    async with serving(handle) as server, at(server.url) as api, api.stream(PODS, {"watch": "1"}, idle=0.15) as chunks:
        assert [await anext(chunks) for _ in range(4)] == [b"x"] * 4
        with pytest.raises(Unreachable, match=r"nothing came for 0\.15s"):
            await anext(chunks)


async def test_a_stream_whose_head_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HEAD_TIMEOUT", 0.1)

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talking(mute) as url, at(url) as api:
        with pytest.raises(Unreachable, match=r"timed out after 0\.1s"):
            await _drained(api.stream(PODS, {"watch": "1"}))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"


async def test_a_cut_stream_is_no_clean_end() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)

    async with talking(cut) as url, at(url) as api, api.stream(PODS, {"watch": "1"}) as chunks:
        assert await anext(chunks) == b"{}"
        with pytest.raises(Unreachable, match="connection cut"):
            await anext(chunks)


@pytest.mark.parametrize("way", ["break", "cancel", "error"])
async def test_leaving_a_stream_closes_its_socket_at_once(way: str) -> None:
    closed = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            closed.set()

    async with talking(hold) as url, at(url) as api:
        reading = asyncio.Event()

        async def read() -> None:
            async with api.stream(PODS, {"watch": "1"}) as chunks:
                async for _ in chunks:
                    reading.set()
                    if way == "break":
                        break
                    if way == "error":
                        raise ZeroDivisionError

        task = asyncio.ensure_future(read())
        await reading.wait()
        began = time.monotonic()
        if way == "cancel":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(closed.wait(), 1)
        assert time.monotonic() - began < 0.1
        assert api.traffic.open_streams == 0
        assert api._connection._transport is not None
        assert api._connection._transport.uses == 0


async def test_cancelling_before_the_head_came_leaves_nothing() -> None:
    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with talking(mute) as url, at(url) as api:
        task = asyncio.ensure_future(_drained(api.stream(PODS, {"watch": "1"})))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert api._connection._transport is not None
        assert (api._connection._transport.uses, api.traffic.open_streams) == (0, 0)


async def test_open_streams_take_no_place_from_calls() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" not in request.query:
            return answer({})
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async with serving(handle) as server, at(server.url) as api:
        streams = [api.stream(PODS, {"watch": "1"}) for _ in range(10)]
        for stream in streams:
            await stream.__aenter__()
        await asyncio.wait_for(api.get(PODS), 2)
        for stream in streams:
            await stream.__aexit__(None, None, None)


# ---- budget --------------------------------------------------------------------------------------------------------------


def test_no_more_leaves_than_the_budget_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop()
    gone: list[float] = []

    async def send(_: object, __: object) -> Sent:
        gone.append(loop.time())
        raise Unreachable("connection refused")

    monkeypatch.setattr(Connection, "send", send)

    async def main() -> None:
        api = Api(Connection(Context(name="c", server="http://h"), env={}), clock=loop)

        async def insist() -> None:
            while len(gone) < 2000:  # a budget that is none would go on for ever
                with pytest.raises(Unreachable):
                    await api.get(PODS)

        async with asyncio.timeout(60):
            await asyncio.gather(*(insist() for _ in range(30)))

    with pytest.raises(TimeoutError):
        virtually(main(), loop)
    first = gone[0]
    assert len([at for at in gone if at - first < 10]) <= 40 + 50 + 1
    assert 40 + 290 <= len(gone) <= 40 + 301


def test_changes_have_a_budget_of_their_own_and_keep_no_read_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = VirtualLoop()
    gone: list[tuple[float, str]] = []

    async def send(_: object, call: Call) -> Sent:
        gone.append((loop.time(), call.method))
        raise Unreachable("connection refused")

    monkeypatch.setattr(Connection, "send", send)

    async def main() -> None:
        api = Api(Connection(Context(name="c", server="http://h"), env={}), clock=loop)

        async def change() -> None:
            for _ in range(25):
                with pytest.raises(Unreachable):
                    await api.post(f"{PODS}/p/eviction", {})

        changing = [asyncio.ensure_future(change()) for _ in range(8)]
        await asyncio.sleep(1)
        asked = loop.time()
        with pytest.raises(Unreachable):
            await api.get(PODS)
        assert loop.time() == asked
        await asyncio.gather(*changing)

    virtually(main(), loop)
    changes = [at for at, method in gone if method == "POST"]
    assert len(changes) == 200
    assert 8.9 <= changes[-1] - changes[0] <= 9.1  # 20 at once, then 20 a second


async def test_eight_calls_wait_for_their_answer_at_once() -> None:
    inside = most = 0

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.02)
        inside -= 1
        return answer({})

    async with serving(handle) as server, at(server.url) as api:
        await asyncio.gather(*(api.get(PODS) for _ in range(30)))
        assert most == 8


async def test_the_counters() -> None:
    async with serving(fine) as server, at(server.url) as api:
        assert api.traffic.latency is None
        await asyncio.gather(*(api.get(PODS) for _ in range(5)))
        await api.probe()
        assert api.traffic.requests == 6
        assert api.traffic.requests_per_second() == pytest.approx(6, abs=0.5)
        assert api.traffic.latency is not None
        assert 0 < api.traffic.latency < 2
        assert api.traffic.bytes_per_second() > 0


# ---- secrets -------------------------------------------------------------------------------------------------------------


async def test_no_token_in_any_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        said = f"what do you mean by {request.headers.get('Authorization')} and {CANARY}?"
        status = int(request.query["status"])
        if "page" in request.query:
            return web.Response(text=f"<html><title>{said}</title>", status=status, content_type="text/html")
        if "text" in request.query:
            return web.Response(text=said, status=status)
        return refusal(status, "Because", said)

    async with serving(echo) as server, at(server.url, user=User(name="me", token=CANARY)) as api:
        remember(CANARY)  # as the kubeconfig does when it reads a token
        for status in ("302", "400", "401", "403", "404", "409", "410", "422", "429", "500", "503"):
            for how in ({}, {"page": "1"}, {"text": "1"}):
                with pytest.raises(ClusterError) as caught:
                    await api.get(PODS, {"status": status, **how})
                seen += [str(caught.value), repr(caught.value), repr(getattr(caught.value, "message", ""))]
        seen += [repr(api._connection.credentials), repr(api._connection.context), repr(await api._connection.credentials.current())]
    seen += [record.getMessage() for record in caplog.records]
    assert not [text for text in seen if CANARY in text]
    assert any("what do you mean by" in text for text in seen)
