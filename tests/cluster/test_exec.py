"""Commands in containers: channels, endings, refusals, and that a WebSocket goes the same way as every other request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from cluster.authority import authority
from cluster.scripted import Handler, answer, refusal, serving, talking
from cluster.test_connection import CA, PLUGIN, proxy
from kubepane.cluster import exec as execs, exec_plugin, transport
from kubepane.cluster.api import Api
from kubepane.cluster.connection import Connection
from kubepane.cluster.context import Context, Impersonation, Pem, User
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, NotKubernetes, ReadOnly, Unauthorized, Unreachable
from kubepane.cluster.exec import PROTOCOLS, Ending, Execution, ending_of

V5, V4 = PROTOCOLS
Script = Callable[[web.WebSocketResponse], Awaitable[None]]
DONE = b'\x03{"status":"Success"}'


def failure(code: int) -> bytes:
    details = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    return json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated", "details": details}).encode()


def talk(script: Script, *protocols: str, **how: Any) -> Handler:
    """A server that switches to a WebSocket and follows a script."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=protocols or PROTOCOLS, **how)
        await socket.prepare(request)
        await script(socket)
        return socket

    return handle


@asynccontextmanager
async def at(context: Context, **how: Any) -> AsyncIterator[Api]:
    api = Api(Connection(context, env={}), **how)
    try:
        yield api
    finally:
        await api.close()


def to(url: str, **how: Any) -> Context:
    return Context(name="c", server=url, **how)


async def begin(api: Api) -> Execution:
    return await execs.begin(api, "shop", "web-0", "app", ["sh", "-c", "a && b || c d"])


async def heard(execution: Execution) -> bytes:
    """All that it says until it ends."""
    try:
        return b"".join([part async for part in execution.output()])
    finally:
        await execution.close()


# ---- channels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_conversation(protocol: str) -> None:
    got: list[bytes] = []

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01")  # as kubelets begin
        got.append((await socket.receive()).data)
        await socket.send_bytes(b"\x01out")
        await socket.send_bytes(b"\x02err")
        got.append((await socket.receive()).data)
        await socket.send_bytes(b"\x03" + failure(3))

    async with serving(talk(script, protocol)) as server, at(to(server.url, user=User(token="abc"))) as api:
        execution = await begin(api)
        await execution.resize(120, 40)
        await execution.type(b"ls\r")
        assert await heard(execution) == b"outerr"
        assert execution.ending == Ending(3)
        asked = server.asked[0]
        assert (asked.method, asked.path) == ("GET", "/api/v1/namespaces/shop/pods/web-0/exec")
        assert asked.headers["Sec-WebSocket-Protocol"] == "v5.channel.k8s.io,v4.channel.k8s.io"
        assert asked.headers["Authorization"] == "Bearer abc"
        assert asked.headers["User-Agent"].startswith("kubepane/")
        assert got[0][:1] == b"\x04"
        assert json.loads(got[0][1:]) == {"Width": 120, "Height": 40}
        assert got[1] == b"\x00ls\r"


async def test_every_word_of_the_command_arrives_as_it_is() -> None:
    words: list[list[str]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        words.append(request.query.getall("command"))
        return refusal(400, "BadRequest", "seen")

    async with serving(handle) as server, at(to(server.url)) as api:
        for command in (["sh", "-c", "a && b || c d"], ["x=1&y", "ä", "#%+", ""]):
            with pytest.raises(ClusterError):
                await execs.begin(api, "shop", "web-0", "app", command)
        assert words == [["sh", "-c", "a && b || c d"], ["x=1&y", "ä", "#%+", ""]]
        assert server.asked[0].query["container"] == "app"
        assert server.asked[0].query["tty"] == "true"


async def test_much_input_goes_in_parts() -> None:
    sizes: list[int] = []

    async def script(socket: web.WebSocketResponse) -> None:
        while sum(sizes) < 100_000:
            sizes.append(len((await socket.receive()).data) - 1)
        await socket.send_bytes(DONE)

    async with serving(talk(script)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await execution.type(b"x" * 100_000)
        await heard(execution)
        assert sum(sizes) == 100_000
        assert max(sizes) == execs.CHUNK


async def test_pings_of_the_server_are_answered_and_ours_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_PING", 0.01)
    seen: list[WSMsgType] = []

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.ping(b"x")
        while {WSMsgType.PING, WSMsgType.PONG} - set(seen):
            seen.append((await socket.receive()).type)
        await socket.send_bytes(DONE)

    async with serving(talk(script, autoping=False)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await heard(execution)
        assert execution.ending == Ending(0)


# ---- endings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (b'{"metadata":{},"status":"Success"}', Ending(0)),
        (failure(137), Ending(137)),
        (b'{"status":"Failure","reason":"InternalError","message":"no such\\ncontainer","code":500}', Ending(None, "no such container")),
        (b'{"status":"Failure","reason":"NonZeroExitCode","message":"odd","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}', Ending(None, "odd")),
        (b'{"status":"Failure","reason":"NonZeroExitCode","details":null}', Ending(None, "NonZeroExitCode")),
        (b"container not found", Ending(None, "container not found")),
        (b"", Ending(None, "no reason was given")),
        (b"{}", Ending(None, "no reason was given")),
        (b"\xff\x1b[31m", Ending(None, "\ufffd [31m")),
    ],
)  # fmt: skip
def test_what_the_error_channel_says(status: bytes, ending: Ending) -> None:
    assert ending_of(status) == ending


async def test_a_cut_link_is_an_ending_without_a_code() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01half")
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()

    async with serving(talk(script)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        assert await heard(execution) == b"half"
        assert execution.ending == Ending(None, "the link was cut: connection cut")
        with pytest.raises(Unreachable):
            await execution.type(b"x")


async def test_a_command_that_ends_before_anything_is_sent_to_it_still_says_why() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b'\x03{"status":"Failure","message":"no exec found"}')
        await socket.close()

    async with serving(talk(script)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await asyncio.sleep(0.05)  # the server has hung up by now
        with suppress(Unreachable):
            await execution.resize(80, 24)
        await heard(execution)
        assert execution.ending == Ending(None, "no exec found")


async def test_a_goodbye_without_a_status_is_no_success() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.close()

    async with serving(talk(script)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await heard(execution)
        assert execution.ending is not None
        assert execution.ending.code is None
        assert "without a word" in execution.ending.text


async def test_a_server_that_has_fallen_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_SOCKET_SILENCE", 0.1)
    monkeypatch.setattr(transport, "_GOODBYE", 0.05)
    over = asyncio.Event()

    async def script(socket: web.WebSocketResponse) -> None:
        await over.wait()

    async with serving(talk(script, autoping=False)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await heard(execution)
        assert execution.ending == Ending(None, "the link was cut: nothing came for 0.1s")
        over.set()


async def test_a_session_that_is_closed_says_goodbye_and_leaves_nothing_open() -> None:
    codes: list[Any] = []

    async def script(socket: web.WebSocketResponse) -> None:
        codes.append((await socket.receive()).type)

    async with serving(talk(script)) as server, at(to(server.url)) as api:
        execution = await begin(api)
        await execution.close()
        await execution.close()
        assert codes == [WSMsgType.CLOSE]
        assert api._connection._transport is not None
        assert api._connection._transport.uses == 0
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "ping" and not task.cancelling()] == []


# ---- what keeps it from beginning ----------------------------------------------------------------------------------------


async def failing(handler: Handler, kind: type[ClusterError], **how: Any) -> str:
    async with serving(handler) as server, at(to(server.url), **how) as api:
        with pytest.raises(kind) as caught:
            await begin(api)
        assert api._connection._transport is None or api._connection._transport.uses == 0
        return str(caught.value)


async def test_the_servers_own_words_reach_the_user() -> None:
    async def denied(_: web.BaseRequest) -> web.StreamResponse:
        return refusal(403, "Forbidden", 'pods "web-0" is forbidden: User "eve" cannot create resource "pods/exec"')

    async def absent(_: web.BaseRequest) -> web.StreamResponse:
        return refusal(404, "NotFound", 'pods "web-0" not found', name="web-0", kind="pods")

    assert "cannot create resource" in await failing(denied, Forbidden)
    assert await failing(absent, NotFound) == 'pods "web-0" not found'


async def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with serving(elsewhere) as server, at(to(server.url, user=User(token="abc"))) as api:
        with pytest.raises(NotKubernetes, match="redirect to /elsewhere"):
            await begin(api)
        assert server.paths() == ["/api/v1/namespaces/shop/pods/web-0/exec"]


async def test_a_page_instead_of_a_socket() -> None:
    async def page(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>sign in</html>", content_type="text/html")

    assert await failing(page, NotKubernetes)


async def test_a_protocol_that_nobody_asked_for() -> None:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.receive()

    assert "no exec protocol" in await failing(talk(script, "v1.channel.k8s.io"), NotKubernetes)


async def test_a_switch_that_is_none() -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n")
        await reader.read()

    async with talking(lie) as url, at(to(url)) as api:
        with pytest.raises(NotKubernetes):
            await begin(api)


async def test_nobody_is_there() -> None:
    async with at(to("http://127.0.0.1:1")) as api:
        with pytest.raises(Unreachable, match="connection refused"):
            await begin(api)


async def test_a_node_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubepane.cluster.api.SOCKET_TIMEOUT", 0.1)
    over = asyncio.Event()

    async def silent(_: web.BaseRequest) -> web.StreamResponse:
        await over.wait()
        return answer({})

    async with serving(silent) as server, at(to(server.url)) as api:
        with pytest.raises(Unreachable, match="timed out"):
            await begin(api)
        over.set()


async def test_read_only_opens_nothing() -> None:
    async def never(_: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    async with serving(never) as server, at(to(server.url), read_only=True) as api:
        with pytest.raises(ReadOnly):
            await begin(api)
        assert server.asked == []


# ---- as whom, and on which way -------------------------------------------------------------------------------------------


async def ended(socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(DONE)


async def test_as_somebody_else_with_a_certificate_through_a_proxy_to_a_server_of_another_name() -> None:
    mine = authority().issue("ann")
    tls = authority().server(authority().issue(names=["kubernetes"]), ask_client=True)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return answer({}) if request.path == "/version" else await talk(ended)(request)

    async with serving(handle, tls=tls) as server, proxy() as (url, heads):
        user = User(name="ann", certificate=Pem(data=mine.certificate), key=Pem(data=mine.key))
        context = to(server.url, ca=CA, tls_server_name="kubernetes", proxy_url=url, user=user)
        context = replace(context, impersonation=Impersonation(user="bob", groups=("ops", "dev")))
        async with at(context) as api:
            execution = await begin(api)
            await heard(execution)
            assert execution.ending == Ending(0)
            await api.get("/version")
        for asked in server.asked:
            assert asked.headers.getall("Impersonate-User") == ["bob"]
            assert asked.headers.getall("Impersonate-Group") == ["ops", "dev"]
            assert asked.certificate
        assert [head.startswith(b"CONNECT 127.0.0.1:") for head in heads] == [True, True]
        assert not [head for head in heads if b"bob" in head]  # it is none of the proxy's business as whom we act


async def test_a_token_that_has_run_out_is_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["old", "new", "third"])

    async def login(*_: object) -> exec_plugin.Issued:
        return exec_plugin.Issued(next(tokens))

    monkeypatch.setattr(exec_plugin, "run", login)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer new":
            return refusal(401, "Unauthorized")
        return await talk(ended)(request)

    async with serving(handle) as server, at(to(server.url, user=PLUGIN)) as api:
        execution = await begin(api)
        await heard(execution)
        assert execution.ending == Ending(0)
        assert [one.headers["Authorization"] for one in server.asked] == ["Bearer old", "Bearer new"]

    async def never(_: web.BaseRequest) -> web.StreamResponse:
        return refusal(401, "Unauthorized")

    async with serving(never) as server, at(to(server.url, user=User(token="abc"))) as api:
        with pytest.raises(Unauthorized):
            await begin(api)
