"""Port-forwards on a living cluster: they reach the application, follow its pods, and end with the session."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kubepane.acting import aiming
from kubepane.acting.forwarding import Forward, Forwards, State
from kubepane.acting.plan import Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.audit_file import Entry
from kubepane.cluster.errors import BadConfig, ClusterError, ReadOnly
from kubepane.cluster.kinds import Kind
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Ref
from living import APPS, CORE, Living, living

WEB = {"name": "web", "image": "traefik/whoami:v1.10", "ports": [{"containerPort": 80}]}
WATCHED = (k.PODS, k.REPLICASETS, k.DEPLOYMENTS, k.STATEFULSETS, k.SERVICES, k.ENDPOINTSLICES, k.INGRESSES)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        yield made


async def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Desk:
    """A session with its forwards, and what the user was told."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.told: list[tuple[str, bool]] = []
        self.audit: list[Entry] = []
        session.audit = self.audit.append
        self.forwards = Forwards(session, lambda: None, lambda _, text, bad: self.told.append((text, bad)))

    async def ready(self, name: str, kind: Kind = k.PODS) -> Any:
        """An object once it is seen; a pod once it is ready."""
        store = self.session.stores.of(kind)
        await until(lambda: (found := store.named("shop", name)) is not None and (kind is not k.PODS or aiming.ready(found)))
        return store.named("shop", name)

    async def pods(self, prefix: str, count: int) -> list[Any]:
        """So many ready pods."""
        found: list[Any] = []

        def enough() -> bool:
            found[:] = [pod for pod in self.session.stores.pods if pod.metadata.name.startswith(prefix) and aiming.ready(pod)]
            return len(found) == count

        await until(enough)
        return found

    async def begin(self, kind: Kind, obj: Any, local: int = 0) -> Forward:
        aim = aiming.aim_at(kind, obj, self.session.stores)
        door = aiming.doors(aim, self.session.stores)[0]
        return await self.forwards.begin(aim, door.pod, door.ports[0], local)


@asynccontextmanager
async def desk(cluster: Living, **options: Any) -> AsyncIterator[Desk]:
    session = Session(Options(kubeconfig=str(cluster.kubeconfig), all_namespaces=True, **options))
    made = Desk(session)
    session.want(WATCHED)
    session.start()
    try:
        await until(lambda: session.api is not None)
        yield made
    finally:
        await made.forwards.close()
        await session.close()


async def get(forward: Forward, path: str = "/") -> str:
    """What the application answers, "" when the connection fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.listener.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    except ConnectionResetError:
        return ""
    finally:
        writer.close()


def bare(cluster: Living, name: str) -> None:
    cluster.call("POST", f"{CORE}/pods", {"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [WEB]}})


async def test_it_reaches_the_application_and_ends_in_order(cluster: Living) -> None:
    bare(cluster, "alone")
    async with desk(cluster) as at:
        forward = await at.begin(k.PODS, await at.ready("alone"))
        assert "200 / from 10.244." in await get(forward)
        assert "404 /x" in await get(forward, "/x")
        await until(lambda: forward.listener.connections == 0)
        assert forward.listener.served == 2
        assert forward.listener.inward > forward.listener.outward > 0
        await at.forwards.stop(forward)
        assert at.forwards.open == []
        with pytest.raises(ConnectionRefusedError):
            await get(forward)
        assert [(line.object, line.end) for line in at.audit] == [("pod shop/alone", "opened"), ("pod shop/alone", "ended")]
        assert at.audit[1].says == f"port-forward {forward.says}"
        assert at.audit[1].text.startswith("stopped: 2 connections, ")


async def test_nobody_listens_at_that_port(cluster: Living) -> None:
    bare(cluster, "other-port")
    async with desk(cluster) as at:
        pod = await at.ready("other-port")
        forward = await at.forwards.begin(aiming.aim_at(k.PODS, pod, at.session.stores), _ref(pod), 81, 0)
        assert await get(forward) == ""
        assert "connection refused" in forward.listener.trouble


async def test_a_pod_of_a_deployment_is_followed_by_another(cluster: Living) -> None:
    cluster.deploy("web", 2, containers=[WEB])
    async with desk(cluster) as at:
        first, second = await at.pods("web-", 2)
        forward = await at.begin(k.PODS, first)
        cluster.call("DELETE", f"{CORE}/pods/{first.metadata.name}")
        await until(lambda: forward.pod.name != first.metadata.name)
        assert forward.pod.name == second.metadata.name
        assert forward.state is State.OPEN
        assert at.told == [(f"pod {first.metadata.name} was replaced: re-bound to {second.metadata.name}", False)]
        assert "200 /" in await get(forward)
        assert [line.end for line in at.audit] == ["opened", "re-bound"]


async def test_it_waits_until_another_is_ready(cluster: Living) -> None:
    cluster.deploy("single", 1, containers=[WEB])
    async with desk(cluster) as at:
        (first,) = await at.pods("single-", 1)
        deployment = await at.ready("single", k.DEPLOYMENTS)
        forward = await at.begin(k.DEPLOYMENTS, deployment)
        cluster.patch(f"{APPS}/deployments/single", {"spec": {"replicas": 0}})
        await until(lambda: forward.state is State.WAITING)
        assert at.told[-1] == (f"pod {first.metadata.name} is gone: waiting for one that is ready", True)
        assert await get(forward) == ""
        assert forward.listener.trouble == at.told[-1][0]
        cluster.patch(f"{APPS}/deployments/single", {"spec": {"replicas": 1}})
        await until(lambda: forward.state is State.OPEN)
        assert "200 /" in await get(forward)


async def test_a_pod_of_nobody_ends_its_forward(cluster: Living) -> None:
    bare(cluster, "mortal")
    async with desk(cluster) as at:
        forward = await at.begin(k.PODS, await at.ready("mortal"))
        cluster.call("DELETE", f"{CORE}/pods/mortal")
        await until(lambda: forward.state is State.ENDED)
        assert at.told == [("pod mortal is gone: stopped", True)]
        assert at.forwards.open == []


async def test_a_namesake_is_another_pod_but_the_same_work_in_a_statefulset(cluster: Living) -> None:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [WEB]}}
    spec = {"serviceName": "db", "replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    cluster.call("POST", f"{APPS}/statefulsets", {"metadata": {"name": "db"}, "spec": spec})
    async with desk(cluster) as at:
        await at.pods("db-", 2)
        pod = await at.ready("db-0")
        forward = await at.begin(k.PODS, pod)
        cluster.call("DELETE", f"{CORE}/pods/db-0")
        await until(lambda: forward.pod.uid != pod.metadata.uid)
        assert forward.pod.name in ("db-0", "db-1")
        assert "200 /" in await get(forward)


async def test_an_ingress_leads_to_a_ready_pod_at_the_port_behind_its_service(cluster: Living) -> None:
    cluster.deploy("shop", 1, containers=[WEB])
    ports = [{"name": "http", "port": 8088, "targetPort": 80}]
    cluster.call("POST", f"{CORE}/services", {"metadata": {"name": "shop"}, "spec": {"selector": {"app": "shop"}, "ports": ports}})
    backend = {"service": {"name": "shop", "port": {"name": "http"}}}
    rules = [{"host": "shop.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    cluster.call("POST", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses", {"metadata": {"name": "shop"}, "spec": {"rules": rules}})
    async with desk(cluster) as at:
        (pod,) = await at.pods("shop-", 1)
        ingress = await at.ready("shop", k.INGRESSES)
        await until(lambda: aiming.doors(aiming.aim_at(k.INGRESSES, ingress, at.session.stores), at.session.stores))
        forward = await at.begin(k.INGRESSES, ingress)
        assert (forward.pod.name, forward.port) == (pod.metadata.name, 80)
        assert "200 /" in await get(forward)
        service = await at.ready("shop", k.SERVICES)
        assert "200 /" in await get(await at.begin(k.SERVICES, service))


async def test_a_pod_that_is_only_out_of_sight_is_not_gone(cluster: Living) -> None:
    bare(cluster, "hidden")
    async with desk(cluster) as at:
        pod = await at.ready("hidden")
        forward = await at.begin(k.PODS, pod)
        at.session.set_namespaces(("default",))
        await until(lambda: at.session.stores.pods.get(pod.metadata.uid) is None)
        assert "200 /" in await get(forward)
        assert forward.state is State.OPEN
        cluster.call("DELETE", f"{CORE}/pods/hidden")
        await until(lambda: pod.metadata.uid not in {one["metadata"]["uid"] for one in cluster.get(f"{CORE}/pods")["items"]})
        assert await get(forward) == ""
        await until(lambda: forward.state is State.ENDED)


async def test_another_pod_of_the_same_name_is_not_entered(cluster: Living) -> None:
    bare(cluster, "twin")
    async with desk(cluster) as at:
        pod = await at.ready("twin")
        aim = aiming.aim_at(k.PODS, pod, at.session.stores)
        with pytest.raises(Unfit, match="another one has its name now"):
            await at.forwards.begin(aim, Ref(k.PODS, "shop", "twin", "another-uid"), 80, 0)
        with pytest.raises(Unfit, match="there is no pod shop/nobody"):
            await at.forwards.begin(aim, Ref(k.PODS, "shop", "nobody", "uid"), 80, 0)
        assert at.audit == []


async def test_read_only_opens_none_and_asks_nobody(cluster: Living) -> None:
    bare(cluster, "still")
    async with desk(cluster, read_only=True) as at:
        pod = await at.ready("still")
        cluster.asked.clear()
        with pytest.raises(ReadOnly):
            await at.begin(k.PODS, pod)
        assert [one.path for one in cluster.asked if "still" in one.path] == []


async def test_who_may_not_is_told_the_right_that_is_missing(cluster: Living) -> None:
    bare(cluster, "denied")
    rules = [{"apiGroups": [""], "resources": ["pods", "pods/portforward"], "verbs": ["get", "list", "watch"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"
    cluster.call("POST", f"{rbac}/roles", {"metadata": {"name": "look"}, "rules": rules})
    binding = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"}, "subjects": [{"kind": "User", "name": "eve"}]}
    cluster.call("POST", f"{rbac}/rolebindings", {"metadata": {"name": "look"}, **binding})
    async with desk(cluster, as_user="eve") as at:
        pod = cluster.get(f"{CORE}/pods/denied")
        await until(lambda: cluster.get(f"{CORE}/pods/denied")["status"]["phase"] == "Running")
        ref = Ref(k.PODS, "shop", "denied", pod["metadata"]["uid"])
        forward = await at.forwards.begin(aiming.Aim(ref), ref, 80, 0)
        assert await get(forward) == ""
        assert forward.listener.trouble == 'pods "denied" is forbidden: needs create on pods/portforward in namespace shop'


async def test_a_taken_port_opens_nothing(cluster: Living) -> None:
    bare(cluster, "busy")
    async with desk(cluster) as at:
        pod = await at.ready("busy")
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            with pytest.raises(BadConfig, match="is taken on this machine"):
                await at.begin(k.PODS, pod, other.getsockname()[1])
        assert at.forwards.all == []
        assert at.audit == []


async def test_all_end_with_the_session_and_open_connections_are_cut(cluster: Living) -> None:
    bare(cluster, "last")
    async with desk(cluster) as at:
        forward = await at.begin(k.PODS, await at.ready("last"))
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.listener.port)
        await until(lambda: forward.listener.connections == 1)
        await at.forwards.close()
        assert await reader.read() == b""
        writer.close()
        assert at.audit[-1].end == "ended"
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("forward")]


async def test_a_lost_server_is_no_reason_to_end(cluster: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    bare(cluster, "lonely")
    async with desk(cluster) as at:
        forward = await at.begin(k.PODS, await at.ready("lonely"))
        assert at.session.api is not None

        async def lost(*_: Any) -> Any:
            raise ClusterError("connection refused")

        monkeypatch.setattr(at.session.api, "socket", lost)
        assert await get(forward) == ""
        assert (forward.state, forward.listener.trouble) == (State.OPEN, "connection refused")
        monkeypatch.undo()
        assert "200 /" in await get(forward)


def _ref(pod: Any) -> Ref:
    return Ref(k.PODS, pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def test_ports_are_proposed(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        held = other.getsockname()[1]
        assert aiming.proposed(held) != held
        assert "is taken" in aiming.taken(held)
    assert aiming.proposed(80) >= 1024
    assert [aiming.number(text) for text in ("80", "0", "65536", "x", "", "٣", "1e3")] == [80, 0, 0, 0, 0, 0, 0]
