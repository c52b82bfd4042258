"""The dashboard's own session on a real control plane that is killed, held, compacted and put back in time while 500 pods churn.

After each blow every store must equal a fresh list, and while the server is away no store may say that it is live.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from controlplane.conftest import require
from controlplane.waiting import until
from kubepane.cluster.freshness import State
from kubepane.cluster.journal import Line
from kubepane.cluster.kinds import KINDS, PODS, Kind
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane_controlplane import load
from kubepane_controlplane.plane import CLIENTS, ControlPlane

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]
COUNT = 500
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{load.NAMESPACE}/deployments"
AWAY = {State.RECONNECTING, State.CONNECTING, State.SYNCING, State.FAILED}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    require()
    with ControlPlane(3, metrics=False) as running:
        load.add_pods(running, COUNT)
        until(lambda: served(running, PODS).__len__() >= COUNT, 60, "500 pods")
        yield running


def served(plane: ControlPlane, kind: Kind) -> dict[str, str]:
    """uid → resourceVersion as a fresh, consistent list says it; nothing when it did not answer."""
    status, body = plane.get(kind.path())
    if status != 200:
        return {}
    return {obj["metadata"]["uid"]: obj["metadata"]["resourceVersion"] for obj in json.loads(body)["items"]}


class Watched:
    """A session that looks at every kind."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.session = Session(Options(kubeconfig=str(plane.kubeconfig), all_namespaces=True), random=Random(1))
        self.lines: list[Line] = []
        self.session.journal.sink = self.lines.append

    def states(self) -> set[State]:
        return {self.session.stores.of(kind).freshness.state for kind in KINDS}

    def held(self, kind: Kind) -> dict[str, str]:
        return {obj.metadata.uid: obj.metadata.resource_version for obj in self.session.stores.of(kind)}

    async def true(self, seconds: float = 60.0) -> float:
        """Wait until every store is live and equals a fresh list; returns how long that took."""
        began = time.monotonic()
        while True:
            unlike: dict[str, object] = {}
            for kind in KINDS:
                fresh = await asyncio.to_thread(served, self.plane, kind)
                await asyncio.sleep(0.02)
                held = self.held(kind)
                if held != fresh:
                    unlike[kind.plural] = (
                        len(held.items() ^ fresh.items()),
                        sorted(held.items() - fresh.items())[:3],
                        sorted(fresh.items() - held.items())[:3],
                    )
            if not unlike and self.states() == {State.LIVE}:
                return time.monotonic() - began
            assert time.monotonic() - began < seconds, (unlike, self.states(), self.told(unlike))
            await asyncio.sleep(0.2)

    def told(self, plurals: Iterable[str]) -> list[str]:
        """What the journal says of these kinds and of the link."""
        return [f"{line.at:%X} {line.subject}: {line.text}" for line in self.lines if line.subject in (*plurals, "link")][-60:]

    async def until(self, so: Callable[[], bool], seconds: float) -> float:
        """Wait until it is so; returns how long that took."""
        began = time.monotonic()
        while not so():
            assert time.monotonic() - began < seconds, self.states()
            await asyncio.sleep(0.02)
        return time.monotonic() - began


@pytest.fixture
async def watched(plane: ControlPlane) -> AsyncIterator[Watched]:
    one = Watched(plane)
    one.session.want(KINDS)
    one.session.start()
    await one.true()
    yield one
    await one.session.close()


@contextmanager
def churning(plane: ControlPlane, seed: int) -> Iterator[None]:
    """Deployments grow, shrink and are restarted all the time, so that hundreds of pods come and go."""
    stop, random = threading.Event(), Random(seed)

    def churn() -> None:
        while not stop.wait(0.1):
            path = f"{DEPLOYMENTS}/load-{random.randrange(COUNT // load.PER_DEPLOYMENT)}"
            match random.randrange(3):
                case 0:
                    plane._request("PATCH", path, {"spec": {"replicas": random.randrange(60, 101)}})
                case 1:
                    template = {"metadata": {"annotations": {"restarted": str(random.random())}}}
                    plane._request("PATCH", path, {"spec": {"template": template}})
                case _:
                    plane.annotate(path, {"kubepane.io/churn": str(random.random())})

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def settled(watched: Watched) -> float:
    """Wait for the churn to have worked itself out."""
    await asyncio.sleep(1)
    return await watched.true(120)


@pytest.mark.parametrize("seconds_away", [0.0, 6.0])
async def test_a_killed_server(plane: ControlPlane, watched: Watched, seconds_away: float) -> None:
    with churning(plane, 1):
        await asyncio.sleep(2)
        plane.parts["kube-apiserver"].kill()
        told = await watched.until(lambda: State.LIVE not in watched.states(), 2)
        assert told < 2
        await asyncio.sleep(seconds_away)
        assert watched.states() <= AWAY
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        await asyncio.sleep(3)
    await settled(watched)


async def test_a_server_that_hangs(plane: ControlPlane, watched: Watched) -> None:
    with churning(plane, 2):
        plane.parts["kube-apiserver"].hold()
        try:
            await watched.until(lambda: State.LIVE not in watched.states(), 100)
        finally:
            plane.parts["kube-apiserver"].release()
        await asyncio.sleep(3)
    await settled(watched)


async def test_history_forgotten_while_the_server_was_away(plane: ControlPlane, watched: Watched) -> None:
    with churning(plane, 3):
        await asyncio.sleep(2)
        plane.parts["kube-apiserver"].kill()
        plane.compact()
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        await asyncio.sleep(2)
        plane.compact()
    await settled(watched)


async def test_a_database_that_is_killed(plane: ControlPlane, watched: Watched) -> None:
    with churning(plane, 4):
        await asyncio.sleep(1)
        plane.parts["etcd"].kill()
        await asyncio.sleep(4)
        await asyncio.to_thread(plane.restart, "etcd")
        await asyncio.sleep(2)
    await settled(watched)


async def test_a_state_put_back_in_time(plane: ControlPlane, watched: Watched) -> None:
    plane.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "before"}})
    saved = await asyncio.to_thread(plane.save)
    with churning(plane, 5):
        plane.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "after"}})
        configs = watched.session.stores.configmaps
        await watched.until(lambda: configs.named("default", "after") is not None, 10)
        await asyncio.sleep(2)
    await asyncio.to_thread(plane.restore, saved)
    await settled(watched)
    assert configs.named("default", "before") is not None
    assert configs.named("default", "after") is None


async def test_versions_that_are_given_again(plane: ControlPlane, watched: Watched) -> None:
    """The state that was put back has passed the versions that we know by the time we are back: nothing refuses a watch from them."""
    saved = await asyncio.to_thread(plane.save)
    pods, path = watched.session.stores.pods, f"{DEPLOYMENTS}/load-0"
    template = {"metadata": {"annotations": {"restarted": "before the restore"}}}
    plane._request("PATCH", path, {"spec": {"template": template}})
    changed = set(watched.held(PODS).items())
    await watched.until(lambda: len(changed ^ set(watched.held(PODS).items())) > 20, 60)
    last = max(int(obj.metadata.resource_version) for obj in pods)
    for name in CLIENTS:
        plane.parts[name].kill()

    def put_back() -> None:
        plane.restore(saved)
        for number in range(5000):
            _, body = plane.annotate("/api/v1/namespaces/default", {"kubepane.io/again": str(number)})
            if int(json.loads(body)["metadata"]["resourceVersion"]) > last + 100:
                return
        pytest.fail("the versions do not come so far")

    await asyncio.to_thread(put_back)
    for name in CLIENTS:
        plane.restart(name)
    await settled(watched)
