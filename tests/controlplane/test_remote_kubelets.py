"""Simulated kubelets over HTTP: against an embedded API server that has controllers and a scheduler, but no kubelets of its own."""

from __future__ import annotations

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from conformance.door import Door
from conformance.peers import is_ready
from kubepane_controlplane import certificates
from kubepane_controlplane.kubelets.__main__ import run
from kubepane_controlplane.plane import free_ports
from kubepane_embedded.assembly import CONTROLLERS
from kubepane_embedded.clock import PacedClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.core import Core
from kubepane_embedded.parts import Parts
from kubepane_embedded.scheduler.scheduler import Scheduler

Object = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
WEB: Object = {
    "metadata": {"name": "web"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "c", "image": "nginx:1.27", "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}}],
    },
}


def without_kubelets(core: Core) -> Parts:
    return Parts([*(make(core) for make in CONTROLLERS), Scheduler(core)])


@dataclass
class Stage:
    """An API server, and where kubelets answer."""

    door: Door
    kubeconfig: Path
    folder: Path
    port: int

    def arguments(self) -> Namespace:
        return Namespace(kubeconfig=self.kubeconfig, nodes=2, port=self.port, folder=self.folder, seed=1)

    async def until(self, path: str, so: Callable[[Any], object]) -> Any:
        """As `Door.until`, beside the kubelets that run in this loop."""
        return await asyncio.to_thread(self.door.until, path, so, 20.0)

    async def gone(self, path: str) -> None:
        await asyncio.to_thread(self.door.gone, path, 20.0)

    @asynccontextmanager
    async def kubelets(self) -> AsyncIterator[None]:
        """Running kubelets, which answer: nodes are registered as ready a moment earlier."""
        stop = asyncio.Event()
        task = asyncio.create_task(run(self.arguments(), stop))
        try:
            async with asyncio.timeout(20):
                await self._answering(task)
            yield
            assert not task.done(), task.exception()
        finally:
            stop.set()
            await task

    async def _answering(self, task: asyncio.Task[None]) -> None:
        while not task.done():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return

    async def ask(self, path: str, with_certificate: bool = True) -> tuple[int, str]:
        """A GET from the kubelets' own server."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        if with_certificate:
            context.load_cert_chain(self.folder / "leaf.crt", self.folder / "leaf.key")
        async with aiohttp.ClientSession() as session, session.get(f"https://localhost:{self.port}{path}", ssl=context) as answer:
            return answer.status, await answer.text()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    certificates.write(tmp_path)
    kubeconfig = tmp_path / "kubeconfig"
    with ServedCluster(EmbeddedCluster(PacedClock(), parts=without_kubelets, kubeconfig=kubeconfig)):
        door = Door(kubeconfig)
        yield Stage(door, kubeconfig, tmp_path, free_ports(1)[0])
        door.close()


async def test_a_pod_lives_and_dies_on_a_server_that_only_stores_it(stage: Stage) -> None:
    async with stage.kubelets():
        await stage.until("/api/v1/nodes", lambda found: len(found["items"]) == 2 and all(is_ready(node) for node in found["items"]))
        stage.door.create(PODS, WEB)
        pod = await stage.until(f"{PODS}/web", is_ready)
        node = pod["spec"]["nodeName"]
        assert (pod["status"]["hostIP"], pod["status"]["containerStatuses"][0]["started"]) == ("172.18.0.3", True)
        events = stage.door.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dweb")["items"]
        assert {one["reason"] for one in events} >= {"Scheduled", "Pulling", "Pulled", "Created", "Started"}
        code, text = await stage.ask("/containerLogs/default/web/c?tailLines=3")
        assert (code, text.count("\n")) == (200, 3)
        code, text = await stage.ask(f"/metrics/nodes/{node}/metrics/resource")
        assert 'container_cpu_usage_seconds_total{container="c",namespace="default",pod="web"}' in text
        assert (await stage.ask("/containerLogs/default/nobody/c"), (await stage.ask("/metrics/nodes/nowhere/metrics/resource"))[0]) == (
            (404, "pod does not exist"),
            404,
        )
        stage.door.delete(f"{PODS}/web")
        await stage.gone(f"{PODS}/web")


async def test_kubelets_that_come_back_take_over_what_runs(stage: Stage) -> None:
    async with stage.kubelets():
        await stage.until("/api/v1/nodes", lambda found: len(found["items"]) == 2)
        stage.door.create(PODS, WEB)
        before = await stage.until(f"{PODS}/web", is_ready)
    stage.door.create(PODS, {**WEB, "metadata": {"name": "meanwhile"}})
    async with stage.kubelets():
        await stage.until(f"{PODS}/meanwhile", is_ready)
        after = await stage.until(f"{PODS}/web", is_ready)
        assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
        assert after["status"]["podIP"] == before["status"]["podIP"]


async def test_who_shows_no_certificate_hears_nothing(stage: Stage) -> None:
    async with stage.kubelets():
        await stage.until("/api/v1/nodes", lambda found: len(found["items"]) == 2 and all(is_ready(node) for node in found["items"]))
        assert (await stage.ask("/metrics/nodes/kubepane-worker/metrics/resource"))[0] == 200
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await stage.ask("/metrics/nodes/kubepane-worker/metrics/resource", with_certificate=False)
