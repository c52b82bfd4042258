"""Forwarded ports: the channels of the protocol, what answers in a pod, and the official client as a witness."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator

import aiohttp
import pytest
from kubernetes import client, config
from kubernetes.stream import portforward

from embedded.conftest import Wire
from embedded.kubelet_stage import BOX, WEB, Stage
from embedded.test_streams import PODS, Runtime, alive, make_pod
from kubepane_embedded.assembly import everything
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.nodes import add_nodes

__all__ = ["alive"]
V4 = "v4.channel.k8s.io"


class Client:
    """What a client sends, and what it gets."""

    def __init__(self, *sent: str) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.got = ""
        for text in sent:
            self.sent.put_nowait(text.encode())

    async def read(self) -> bytes:
        return await self.sent.get()

    async def write(self, data: bytes) -> None:
        self.got += data.decode()


async def forward(stage: Stage, port: int, *sent: str) -> tuple[str, str]:
    """What went wrong, and what came back."""
    one = Client(*sent, "")
    return await asyncio.wait_for(stage.kubelets.forward(stage.read(), port, one), 5), one.got


@pytest.fixture
def web() -> Stage:
    stage = Stage()
    stage.pod(containers=[{"name": "c", "image": WEB, "ports": [{"containerPort": 80}]}])
    stage.run(10)
    return stage


async def test_each_port_has_two_channels_that_begin_with_its_number(alive: tuple[Wire, Runtime]) -> None:
    wire, _ = alive
    await make_pod(wire, "c")
    async with wire.session.ws_connect(f"{wire.url}{PODS}/p/portforward?ports=80,8080", protocols=["v5.channel.k8s.io", V4]) as socket:
        assert socket.protocol == V4
        heads = [(await socket.receive()).data for _ in range(4)]
        assert heads == [b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x90\x1f", b"\x03\x90\x1f"]
        await socket.send_bytes(b"\x02abc")
        assert (await socket.receive()).data == b"\x02ABC"
        await socket.send_bytes(b"\x00x")
        assert (await socket.receive()).data == b"\x00X"


async def test_what_goes_wrong_comes_on_the_error_channel_and_the_socket_is_closed(alive: tuple[Wire, Runtime]) -> None:
    wire, _ = alive
    await make_pod(wire, "c")
    async with wire.session.ws_connect(f"{wire.url}{PODS}/p/portforward?ports=81", protocols=[V4]) as socket:
        assert [(await socket.receive()).data for _ in range(3)][2] == b"\x01connection refused"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("query", ["", "ports=", "ports=x", "ports=0", "ports=65536"])
async def test_ports_that_are_none(alive: tuple[Wire, Runtime], query: str) -> None:
    wire, _ = alive
    await make_pod(wire, "c")
    headers = {"Upgrade": "websocket", "Sec_WebSocket_Protocol": V4}
    assert (await wire("GET", f"{PODS}/p/portforward?{query}", **headers)).code == 400


async def test_spdy_is_not_spoken_and_a_pod_without_a_node_has_no_ports(alive: tuple[Wire, Runtime]) -> None:
    wire, _ = alive
    await make_pod(wire, "c", node="")
    assert (await wire("POST", f"{PODS}/p/portforward", Upgrade="SPDY/3.1")).code == 501
    reply = await wire("GET", f"{PODS}/p/portforward?ports=80", Upgrade="websocket", Sec_WebSocket_Protocol=V4)
    assert (reply.code, reply.body["message"]) == (400, "pod p does not have a host assigned")


async def test_a_request_is_answered_as_the_application_would(web: Stage) -> None:
    problem, got = await forward(web, 80, "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n")
    assert problem == ""
    head, _, body = got.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}" in head
    assert "200 / from" in body


async def test_a_connection_lasts_for_several_requests_with_bodies(web: Stage) -> None:
    _, got = await forward(
        web, 80, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel", "loHEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    assert got.count("HTTP/1.1 404 Not Found") == 3
    assert "404 /a" in got
    assert "404 /b" not in got  # a HEAD has no body
    assert "404 /c" in got


async def test_what_is_no_request_is_refused(web: Stage) -> None:
    assert "400 Bad Request" in (await forward(web, 80, "hello\r\n\r\n"))[1]


async def test_nobody_listens(web: Stage) -> None:
    problem, got = await forward(web, 81)
    assert "dial tcp4 127.0.0.1:81: connect: connection refused" in problem
    assert got == ""


async def test_the_end_of_the_container_ends_what_goes_on_in_it(web: Stage) -> None:
    waiting = Client()
    going = asyncio.ensure_future(web.kubelets.forward(web.read(), 80, waiting))
    await asyncio.sleep(0)
    web.user.delete("pods", "default", "p", grace=0)
    web.run(5)
    assert await asyncio.wait_for(going, 5) == ""


@pytest.mark.parametrize("way", ["deleted", "ended"])
async def test_a_shell_ends_with_137_when_its_container_does(way: str) -> None:
    stage = Stage()
    stage.pod(containers=[{"name": "c", "image": BOX, "command": ["sleep", "30"]}])
    stage.run(5)

    class Session(Client):
        async def write_error(self, data: bytes) -> None:
            self.got += data.decode()

        def resized(self) -> tuple[int, int]:
            return (80, 24)

    going = asyncio.ensure_future(stage.kubelets.exec(stage.read(), "c", ["sh"], True, Session()))
    await asyncio.sleep(0)
    if way == "deleted":
        stage.user.delete("pods", "default", "p", grace=0)
    stage.run(5 if way == "deleted" else 60)
    assert await asyncio.wait_for(going, 5) == 137


@pytest.fixture
def served() -> Iterator[ServedCluster]:
    cluster = EmbeddedCluster(VirtualClock(), parts=everything)
    add_nodes(cluster.core, 1)
    cluster.begin()
    container = {"name": "c", "image": WEB, "ports": [{"containerPort": 80}]}
    body = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [container]}}
    clock = cluster.core.clock
    assert isinstance(clock, VirtualClock)
    clock.advance(10)  # the namespace and its service account
    cluster.core.client("user").create("pods", {"kind": "Pod", "apiVersion": "v1", **body})
    clock.advance(60)
    with ServedCluster(cluster) as running:
        yield running


def test_the_official_client_gets_through(served: ServedCluster) -> None:
    config.load_kube_config(str(served.cluster.kubeconfig))
    found = portforward(client.CoreV1Api().connect_get_namespaced_pod_portforward, "p", "default", ports="80")
    connection = http.client.HTTPConnection("p.pod.default", 80)
    connection.sock = found.socket(80)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, b"200 / from" in answer.read()) == (200, True)
    connection.close()
    for thread in threading.enumerate():
        if thread.name.startswith("Kubernetes port forward proxy"):
            thread.join(5)
