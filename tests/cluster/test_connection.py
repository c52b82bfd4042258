"""A context becomes a connection: TLS, identities, proxies, impersonation, and what is never sent."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cluster.authority import Authority, Issued, authority
from cluster.scripted import Server, answer, fine, serving, talking
from kubepane.cluster import client_library, exec_plugin, transport
from kubepane.cluster.api import Api
from kubepane.cluster.budget import Budget
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.connection import USER_AGENT, Connection
from kubepane.cluster.context import Context, ExecPlugin, Impersonation, Pem, User
from kubepane.cluster.errors import BadConfig, ClusterError, NotKubernetes, Unreachable

CA = Pem(data=authority().certificate)
PLUGIN = User(name="me", plugin=ExecPlugin("client.authentication.k8s.io/v1", "login"))


@asynccontextmanager
async def connected(context: Context, env: dict[str, str] | None = None) -> AsyncIterator[Api]:
    api = Api(Connection(context, env=env or {}))
    try:
        yield api
    finally:
        await api.close()


def to(server: Server | str, **how: Any) -> Context:
    return Context(name="c", server=server if isinstance(server, str) else server.url, **how)


async def failure(context: Context, kind: type[ClusterError] = Unreachable, env: dict[str, str] | None = None) -> str:
    async with connected(context, env) as api:
        with pytest.raises(kind) as caught:
            await api.get("/version", timeout=5)
        assert "\n" not in str(caught.value)
        return str(caught.value)


# ---- before anything is connected ----------------------------------------------------------------------------------------


def test_the_target_is_known_without_the_client_library() -> None:
    code = """
import sys
from kubepane.cluster.connection import Connection, preload
from kubepane.cluster.api import Api
from kubepane.cluster.context import Context
api = Api(Connection(Context(name="prod", server="https://h:6443")))
assert (api.target.context, api.target.host, api.target.protected) == ("prod", "h:6443", True)
assert not {"aiohttp", "kubernetes_asyncio", "yaml"} & set(sys.modules)
preload()
assert {"aiohttp", "kubernetes_asyncio"} <= set(sys.modules)
assert not [name for name in sys.modules if name.startswith("kubernetes_asyncio.client.models.") or name.startswith("kubernetes_asyncio.client.api.")]
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=30)


@pytest.mark.parametrize("first", ["", "import kubernetes_asyncio\n", "import kubernetes_asyncio.client\n"])
def test_the_whole_client_library_can_still_be_had(first: str) -> None:
    code = f"""
{first}
from kubepane.cluster import client_library, transport
whole = client_library.whole()
from kubernetes_asyncio import client, watch
assert client.V1Pod(api_version="v1").api_version == "v1"
assert client.ApiClient is transport.ApiClient
assert whole.client is client and whole.__version__
assert client_library.whole() is whole
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=env, timeout=30)


def test_a_library_that_needs_more_of_itself_is_imported_plainly(tmp_path: Path) -> None:
    package = tmp_path / "kubernetes_asyncio" / "client"
    (package / "models").mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("NEEDED = 1\n")
    (package / "models" / "__init__.py").write_text("")
    (package / "api_client.py").write_text("from kubernetes_asyncio.client import NEEDED\nclass ApiClient: pass\n")
    (package / "configuration.py").write_text("class Configuration: pass\n")
    (package / "rest.py").write_text("class RESTClientObject: pass\n")
    code = "from kubepane.cluster import client_library as c; print(c.ApiClient.__module__)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=30, capture_output=True, text=True)
    assert done.stdout.strip() == "kubernetes_asyncio.client.api_client"


async def test_our_client_has_all_that_the_librarys_constructor_sets() -> None:
    made = transport.Transport("https://h", ssl.create_default_context())
    theirs = client_library.ApiClient(client_library.Configuration(host="https://h"))
    try:
        assert set(vars(theirs)) <= set(vars(made._client))
        assert set(vars(theirs.rest_client)) <= set(vars(made._client.rest_client))
    finally:
        await made.close()
        await theirs.close()


# ---- TLS -----------------------------------------------------------------------------------------------------------------


async def test_a_server_of_the_clusters_authority_is_trusted() -> None:
    async with serving(fine, tls=authority().server()) as server, connected(to(server, ca=CA)) as api:
        assert json.loads(await api.get("/api/v1/pods")) == {"kind": "List", "items": []}
        assert server.asked[0].headers["User-Agent"] == USER_AGENT
        assert USER_AGENT.startswith("kubepane/")


async def test_an_authority_without_key_ids_is_accepted_as_kubectl_does() -> None:
    plain = Authority("plain", key_ids=False)
    async with serving(fine, tls=plain.server()) as server, connected(to(server, ca=Pem(data=plain.certificate))) as api:
        await api.get("/version")


def bad_servers() -> list[tuple[str, Issued, str]]:
    now, day = datetime.now(UTC), timedelta(days=1)
    return [
        ("expired", authority().issue(begins=now - 3 * day, ends=now - day), "the server's certificate has expired"),
        ("not yet", authority().issue(begins=now + day, ends=now + 2 * day), "is not valid yet"),
        ("other name", authority().issue(names=["elsewhere.example"]), "is for another name (not for 127.0.0.1;"),
        ("other authority", Authority("other").issue(), "unknown certificate authority"),
    ]


@pytest.mark.parametrize(("shown", "why"), [(shown, why) for _, shown, why in bad_servers()], ids=[name for name, _, _ in bad_servers()])
async def test_no_token_reaches_a_server_that_is_not_trusted(shown: Issued, why: str) -> None:
    async with serving(fine, tls=authority().server(shown)) as server:
        assert why in await failure(to(server, ca=CA, user=User(token="abc")))
        assert server.asked == []


async def test_the_systems_authorities_do_not_know_ours() -> None:
    async with serving(fine, tls=authority().server()) as server:
        assert "unknown certificate authority" in await failure(to(server))


async def test_verification_is_off_only_where_the_kubeconfig_says_so() -> None:
    async with serving(fine, tls=Authority("other").server()) as server, connected(to(server, insecure=True)) as api:
        await api.get("/version")
        assert api.target.insecure


async def test_the_expected_name_can_be_set() -> None:
    tls = authority().server(authority().issue(names=["kubernetes"]))
    async with serving(fine, tls=tls) as server:
        assert "another name (not for 127.0.0.1" in await failure(to(server, ca=CA))
        assert "another name (not for elsewhere" in await failure(to(server, ca=CA, tls_server_name="elsewhere"))
        async with connected(to(server, ca=CA, tls_server_name="kubernetes")) as api:
            await api.get("/version")


async def test_old_tls_is_refused() -> None:
    tls = authority().server()
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(fine, tls=tls) as server:
        await failure(to(server, ca=CA, user=User(token="abc")))
        assert server.asked == []


async def test_a_client_certificate_is_shown() -> None:
    client = authority().issue("alice")
    user = User(certificate=Pem(data=client.certificate), key=Pem(data=client.key))
    async with serving(fine, tls=authority().server(ask_client=True)) as server:
        async with connected(to(server, ca=CA, user=user)) as api:
            await api.get("/version")
        assert (server.asked[0].certificate or {})["subject"] == ((("commonName", "alice"),),)
        await failure(to(server, ca=CA))
        assert len(server.asked) == 1


async def test_an_authority_replaced_on_disk_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    path.write_bytes(Authority("old").certificate)
    async with serving(fine, tls=authority().server()) as server, connected(to(server, ca=Pem(path=str(path)))) as api:
        with pytest.raises(Unreachable):
            await api.get("/version")
        path.write_bytes(authority().certificate)
        await api.get("/version")


async def test_a_plugins_new_certificate_makes_a_new_session_and_open_streams_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["first", "second"])

    async def run(*_: object) -> exec_plugin.Issued:
        issued = authority().issue(next(names))
        return exec_plugin.Issued("", issued.certificate, issued.key)

    monkeypatch.setattr(exec_plugin, "run", run)
    done = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        name = request.transport.get_extra_info("peercert")["subject"][0][0][1] if request.transport else ""
        if "watch" in request.query:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(name.encode())
            await done.wait()
            await response.write(b" still")
            return response
        return answer({"name": name}, 401 if name == "first" else 200)

    async with serving(handle, tls=authority().server(ask_client=True)) as server, connected(to(server, ca=CA, user=PLUGIN)) as api:
        async with api.stream("/api/v1/pods", {"watch": "1"}) as chunks:
            assert await anext(chunks) == b"first"
            assert json.loads(await api.get("/version")) == {"name": "second"}
            done.set()
            assert await anext(chunks) == b" still"
        await api.get("/version")
        assert len({asked.socket for asked in server.asked}) == 3  # the stream, the refused one, the new one


# ---- what is sent --------------------------------------------------------------------------------------------------------


async def test_impersonation_repeats_its_headers_and_keeps_the_credentials() -> None:
    acting = Impersonation("alice", "7", ("dev", "ops"), (("reason", ("x", "y")),))
    async with serving(fine) as server, connected(to(server, impersonation=acting, user=User(token="abc"))) as api:
        await api.get("/api/v1/pods")
        headers = server.asked[0].headers
        assert headers["Authorization"] == "Bearer abc"
        assert (headers["Impersonate-User"], headers["Impersonate-Uid"]) == ("alice", "7")
        assert headers.getall("Impersonate-Group") == ["dev", "ops"]
        assert headers.getall("Impersonate-Extra-reason") == ["x", "y"]


async def test_an_impersonated_name_that_fits_no_header() -> None:
    async with serving(fine) as server:
        assert "cannot be sent" in await failure(to(server, impersonation=Impersonation("a\r\nX: y")), BadConfig)
        assert server.asked == []


async def test_the_netrc_of_the_home_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("default login me password hunter2\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with serving(fine) as server, connected(to(server)) as api:
        await api.get("/version")
        assert "Authorization" not in server.asked[0].headers


async def test_the_path_of_the_server_is_kept() -> None:
    async with serving(fine) as server, connected(to(server.url + "/k8s/clusters/c-1")) as api:
        await api.get("/api/v1/pods", {"labelSelector": "app=a b+c%", "continue": "eyJ2=="})
        assert server.asked[0].path == "/k8s/clusters/c-1/api/v1/pods"
        assert server.asked[0].query == {"labelSelector": "app=a b+c%", "continue": "eyJ2=="}


async def test_names_with_odd_characters_stay_one_segment() -> None:
    async with serving(fine) as server, connected(to(server)) as api:
        await api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a?b#c%2Fd")
        assert server.asked[0].path == "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a?b#c%2Fd"
        assert server.asked[0].query == {}


async def test_no_redirect_is_followed() -> None:
    async with serving(fine) as elsewhere:

        async def away(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": elsewhere.url + "/login?token=abc"})

        async with serving(away) as server:
            text = await failure(to(server, user=User(token="abc")), NotKubernetes)
        assert "redirect" in text
        assert elsewhere.asked == []


async def test_no_cookie_is_kept() -> None:
    async def bake(_: web.BaseRequest) -> web.StreamResponse:
        return answer({}, Set_Cookie="session=1")

    async with serving(bake) as server, connected(to(f"http://localhost:{server.port}")) as api:
        await api.get("/version")
        await api.get("/version")
        assert "Cookie" not in server.asked[1].headers


# ---- proxies -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(status: str = "200 OK") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A CONNECT proxy; gives its URL and the heads of what it was asked."""
    heads: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if not status.startswith("200"):
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async with talking(tunnel) as url:
        yield url, heads


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_proxy_with_a_password_leads_to_the_server() -> None:
    tls = authority().server(authority().issue(names=["kubernetes"]))
    async with serving(fine, tls=tls) as server, proxy() as (url, heads):
        there = url.replace("http://", "http://me:pw1@")
        context = to(server, ca=CA, tls_server_name="kubernetes", proxy_url=there, user=User(token="abc"))
        async with connected(context) as api:
            await api.get("/version")
            assert api._connection.proxy() == url.replace("http://", "http://***@")
        assert heads[0].startswith(b"CONNECT 127.0.0.1:")
        assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:pw1") in heads[0]
        assert b"abc" not in heads[0]
        assert "Proxy-Authorization" not in server.asked[0].headers


async def test_a_proxy_of_the_environment_is_used_for_what_is_far() -> None:
    async with proxy("403 Forbidden") as (url, heads):
        text = await failure(to("https://api.example:6443"), env={"HTTPS_PROXY": url})
        assert text == "the proxy refuses: HTTP 403 Forbidden"
        assert heads[0].startswith(b"CONNECT api.example:6443")


async def test_proxies_that_are_not_there_or_speak_socks() -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    assert await failure(to("https://api.example"), env={"HTTPS_PROXY": url}) == "the proxy: connection refused"
    assert "SOCKS" in await failure(to("https://api.example"), BadConfig, env={"ALL_PROXY": "socks5://127.0.0.1:1"})


# ---- no answer -----------------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nobody_listens() -> None:
    assert await failure(to(f"https://127.0.0.1:{_free_port()}", ca=CA)) == "connection refused"


async def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)
    assert await failure(to("https://nowhere.example")) == "no such host"


async def test_a_host_is_looked_up_by_name() -> None:
    async with serving(fine, tls=authority().server()) as server, connected(to(f"https://localhost:{server.port}", ca=CA)) as api:
        await api.get("/version")


async def test_tls_spoken_to_a_plain_port_and_the_reverse() -> None:
    async with serving(fine) as server:
        assert "does not speak TLS there" in await failure(to(server.url.replace("http:", "https:"), ca=CA))
    async with serving(fine, tls=authority().server()) as server, connected(to(server.url.replace("https:", "http:"))) as api:
        with pytest.raises((Unreachable, NotKubernetes)):
            await api.get("/version")


async def _ssh(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


async def _mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"items":[')


async def _short_chunk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"items":[')


async def _short_without_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"items":[')


async def _bad_gzip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip")


@pytest.mark.parametrize(
    ("conversation", "kind", "why"),
    [
        (_ssh, NotKubernetes, "does not speak HTTP"),
        (_hang_up, Unreachable, "connection cut"),
        (_short, Unreachable, "connection cut"),
        (_short_chunk, Unreachable, "connection cut"),
        (_short_without_length, Unreachable, "the end of the answer is missing"),
        (_bad_gzip, Unreachable, "connection cut"),
    ],
)
async def test_what_is_no_whole_answer(conversation: Callable[..., Any], kind: type[ClusterError], why: str) -> None:
    async with talking(conversation) as url:
        assert why in await failure(to(url), kind)


async def test_a_server_that_says_nothing() -> None:
    async with talking(_mute) as url, connected(to(url)) as api:
        with pytest.raises(Unreachable, match=r"timed out after 0\.2s"):
            await api.get("/version", timeout=0.2)
        assert not (await api.probe(timeout=0.2)).up


async def test_a_handshake_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.2)
    async with talking(_mute) as url:
        assert await failure(to(url.replace("http:", "https:"), ca=CA)) == "timed out after 0.2s"


async def test_nothing_is_sent_after_closing() -> None:
    async with serving(fine) as server:
        api = Api(Connection(to(server), env={}))
        await api.get("/version")
        await api.close()
        with pytest.raises(Unreachable, match="closed"):
            await api.get("/version")
        await api.close()


async def test_closing_ends_what_is_under_way_and_leaves_no_task() -> None:
    async with talking(_mute) as url:
        api = Api(Connection(to(url), env={}))
        waiting = asyncio.ensure_future(api.get("/version"))
        await asyncio.sleep(0.05)
        await api.close()
        with pytest.raises(Unreachable):
            await waiting
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not names & {"close transport", "renew credentials"}


async def test_leaving_a_stream_waits_for_no_goodbye() -> None:
    """A TLS close would wait half a minute for the other side, which may be gone."""
    closed = asyncio.Event()
    swallow = False

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        answers = asyncio.ensure_future(_pump(there, writer))
        try:
            while data := await reader.read(65536):
                if not swallow:
                    back.write(data)
        finally:
            closed.set()
            answers.cancel()
            back.close()

    async def hold(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b"{}")
        await asyncio.sleep(30)
        return response

    async with serving(hold, tls=authority().server()) as server, talking(relay) as url, connected(to(url.replace("http:", "https:"), ca=CA)) as api:
        async with api.stream("/api/v1/pods", {"watch": "1"}) as chunks:
            await anext(chunks)
            swallow = True
        await asyncio.wait_for(closed.wait(), 0.1)


async def test_no_answer_is_pinned() -> None:
    async with serving(fine) as server, connected(to(server)) as api:
        await api.get("/version")
        assert api._connection._transport is not None
        assert api._connection._transport._client.last_response is None


async def test_sockets_notice_a_dead_link() -> None:
    made = transport._socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1)))
    with made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if sys.platform == "linux":
            settings = [
                made.getsockopt(socket.IPPROTO_TCP, getattr(socket, n)) for n in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            ]
            assert settings == [30, 10, 3, 30_000]


async def test_more_than_a_hundred_streams_do_not_block_a_call() -> None:
    async def hold(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" not in request.query:
            return answer({})
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async with serving(hold) as server:
        connection = Connection(to(server), env={})
        api = Api(connection, budget=Budget(SystemClock(), burst=500))
        streams = [api.stream("/api/v1/pods", {"watch": "1"}) for _ in range(110)]
        await asyncio.gather(*(stream.__aenter__() for stream in streams))
        assert api.traffic.open_streams == 110
        await api.get("/version", timeout=5)
        await asyncio.gather(*(stream.__aexit__(None, None, None) for stream in streams))
        assert api.traffic.open_streams == 0
        await api.close()


def test_a_context_can_be_changed_without_its_secrets_being_printed() -> None:
    context = to("https://h", user=User(token="c4n4ry-1"))
    assert "c4n4ry-1" not in repr(replace(context, namespace="x"))
