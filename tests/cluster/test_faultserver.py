"""Watchers, the link monitor and the real door for requests, over HTTP on loopback, against the main faults."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from apimodel import EXPIRED, Answer, Hang, Model, Raw, Spoiled, error_event, event_line, page, status, text, when
from cluster.fleet import LOG, populated
from faultserver import FaultServer
from kubepane.cluster import connection as connections, kubeconfig
from kubepane.cluster.api import Api
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.cluster import Cluster
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import CONFIGMAPS, EVENTS, KINDS, PODS, SECRETS, Kind
from kubepane.cluster.stores import Stores

SOME = (PODS, CONFIGMAPS, EVENTS)


class Stay:
    """A cluster, watched over HTTP."""

    def __init__(self, server: FaultServer, stores: Stores, cluster: Cluster, api: Api) -> None:
        self.server, self.stores, self.cluster, self.api = server, stores, cluster, api

    def state(self, kind: Kind = PODS) -> State:
        return self.stores.of(kind).freshness.state

    def true(self, kind: Kind = PODS) -> bool:
        held = {o.metadata.uid: o.metadata.resource_version for o in self.stores.of(kind)}
        return held == self.server.model.uids(kind)

    async def until(self, what: Callable[[], bool], seconds: float = 5.0) -> float:
        """Waits for it; gives the seconds it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not what():
            assert loop.time() - began < seconds, [(line.subject, line.text) for line in self.cluster.journal]
            await asyncio.sleep(0.005)
        return loop.time() - began

    async def settled(self, *kinds: Kind, seconds: float = 5.0) -> float:
        return await self.until(lambda: all(self.state(k) is State.LIVE and self.true(k) for k in kinds or SOME), seconds)


@asynccontextmanager
async def staying(tmp_path: Path, model: Model, kinds: tuple[Kind, ...] = SOME, *, started: bool = True) -> AsyncIterator[Stay]:
    """A whole stay; fails if a task or a connection is left after it."""
    async with FaultServer(model) as server:
        config = server.kubeconfig(tmp_path / "config")
        door = connections.Connection(kubeconfig.load(str(config)).context(""))
        api = Api(door)
        stores = Stores()
        cluster = Cluster(api, stores, clock=SystemClock(), random=random.Random(1), log=LOG)
        cluster.start(kinds if started else ())
        try:
            yield Stay(server, stores, cluster, api)
        finally:
            loop = asyncio.get_running_loop()
            began = loop.time()
            ours = [*cluster._tasks, *(w._task for scope in cluster._scopes.values() for w in scope._watchers())]
            await cluster.close()
            assert loop.time() - began < 0.2
            assert all(task is not None and task.done() for task in ours)
            assert api.traffic.open_streams == 0
            await door.close()
            await asyncio.sleep(0)


async def test_everything_is_followed(tmp_path: Path) -> None:
    model = populated()
    async with staying(tmp_path, model, KINDS) as stay:
        await stay.settled(*KINDS)
        assert model.tally()["watchlist"] == len(KINDS)
        for i in range(50):
            model.make(PODS, f"pods-{i % 7}")
            if i % 5 == 4:
                model.delete(PODS, f"pods-{i % 7}")
            if i % 10 == 0:
                await asyncio.sleep(0.001)
        await stay.settled(PODS)
        model.make(SECRETS, "more", data={"password": "aHVudGVyMg=="})
        await stay.settled(SECRETS)


async def test_a_killed_server_is_seen_at_once_and_followed_again(tmp_path: Path) -> None:
    model = populated(SOME)
    async with staying(tmp_path, model) as stay:
        await stay.settled()
        stay.server.kill()
        assert await stay.until(lambda: all(stay.state(k) is State.RECONNECTING for k in SOME)) < 1.0
        model.make(PODS, "while-away")
        model.delete(PODS, "pods-0")
        await asyncio.sleep(1.2)
        asked = len(model.asked)
        await stay.server.restart()
        assert await stay.settled(seconds=6.0) < 5.0
        assert len(model.asked) - asked <= 12


async def test_a_server_that_ends_all_watches_in_order_is_followed_on_without_a_relist(tmp_path: Path) -> None:
    model = populated(SOME)
    async with staying(tmp_path, model) as stay:
        await stay.settled()
        await asyncio.sleep(0.05)
        model.cut_all("end")
        model.make(PODS, "while-away")
        await stay.settled()
        assert (model.count("watchlist"), model.count("list")) == (len(SOME), 0)


CONFUSED = {
    "410": when(EXPIRED, verb="watch", times=1),
    "410 as answer": when(status(410, "Expired"), verb="watch", times=1),
    "429": when(text(429, "Too many requests, please try again later.\n", retry_after="1"), verb="watch", times=1),
    "500": when(status(500, "InternalError"), verb="watch", times=1),
    "500 as event": when(Raw((error_event(500, "InternalError"),)), verb="watch", times=1),
    "502 page": when(page(), verb="watch", times=1),
    "a page as the stream": when(Raw((b"<html>\n<body>\n",)), verb="watch", times=1),
    "truncated": when(Raw((b'{"type":"MODIFIED","obj',)), verb="watch", times=1),
    "two objects on a line": when(Raw((b'{"type":"MODIFIED","object":{}}{"type":"MODIFIED","object":{}}\n',)), verb="watch", times=1),
    "not UTF-8": when(Raw((b'{"type":"\xff\xfe","object":{}}\n',)), verb="watch", times=1),
    "a line without end": when(Raw(tuple(b"x" * (1 << 20) for _ in range(18)), "silence"), verb="watch", times=1),
    "empty": when(Raw(()), verb="watch", times=1),
    "cut": when(Spoiled(0, "cut"), verb="watch", times=1),
}


async def test_one_confused_answer_to_a_watch_is_got_over(tmp_path: Path) -> None:
    """All kinds of confusion at once, each on a server of its own: the pauses are real."""

    async def met(name: str) -> None:
        model = populated((PODS,))
        (tmp_path / name).mkdir()
        async with staying(tmp_path / name, model, (PODS,)) as stay:
            await stay.settled(PODS)
            model.rules.append(CONFUSED[name])
            await asyncio.sleep(0.02)
            model.cut_all("end")
            model.make(PODS, "meanwhile")
            await stay.settled(PODS, seconds=8.0)
            assert len(model.asked) <= 6, name

    async with asyncio.TaskGroup() as group:
        for name in CONFUSED:
            group.create_task(met(name), name="Task-met")


async def test_without_watch_list_it_is_listed_in_pages(tmp_path: Path) -> None:
    model = populated((PODS,), names=1_100)
    model.watch_list = False
    async with staying(tmp_path, model, (PODS,)) as stay:
        await stay.settled(PODS)
        assert model.verbs("pods") == ["watchlist", "list", "list", "list", "watch"]


async def test_an_object_of_four_megabytes_arrives(tmp_path: Path) -> None:
    model = Model()
    async with staying(tmp_path, model, (CONFIGMAPS,)) as stay:
        await stay.settled(CONFIGMAPS)
        model.make(CONFIGMAPS, "big", data={"key": "x" * (4 << 20)})
        await stay.settled(CONFIGMAPS)


async def test_lines_that_come_byte_by_byte_are_put_together(tmp_path: Path) -> None:
    model = Model()
    model.make(PODS, "päckchen-名前")
    line = event_line("ADDED", model.collections["pods"].objects[("shop", "päckchen-名前")])
    mark = json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "101", "annotations": {"k8s.io/initial-events-end": "true"}}}})
    model.rules.append(when(Raw(tuple(bytes((b,)) for b in line + mark.encode() + b"\n"), "silence"), verb="watchlist", times=1))
    async with staying(tmp_path, model, (PODS,)) as stay:
        await stay.settled(PODS)
        assert [p.metadata.name for p in stay.stores.pods] == ["päckchen-名前"]


async def test_a_server_that_hangs_leaves_the_rest_alone_and_close_is_quick(tmp_path: Path) -> None:
    model = populated(SOME)
    model.rules.append(when(Hang(), plural="pods"))
    async with staying(tmp_path, model) as stay:
        await stay.settled(CONFIGMAPS, EVENTS)
        assert stay.state(PODS) is State.CONNECTING


async def test_rights_in_one_namespace(tmp_path: Path) -> None:
    model = populated(SOME, namespaces=("default", "other"))
    model.may = lambda verb, plural, namespace: namespace == "default" and plural != "configmaps"
    async with staying(tmp_path, model) as stay:
        await stay.until(lambda: stay.state(PODS) is State.LIVE and stay.state(CONFIGMAPS) is State.FORBIDDEN)
        assert {p.metadata.namespace for p in stay.stores.pods} == {"default"}


async def test_a_recorded_cluster_is_served(tmp_path: Path) -> None:
    model = Model()
    body = {"items": [{"metadata": {"name": f"p{i}", "namespace": "a", "uid": f"u{i}", "resourceVersion": str(900 + i)}} for i in range(3)]}
    async with staying(tmp_path, model, (PODS,), started=False) as stay:
        stay.server.load({PODS: body})
        stay.cluster.ensure(PODS)
        await stay.settled(PODS)
        assert {p.metadata.name for p in stay.stores.pods} == {"p0", "p1", "p2"}


async def test_an_answer_in_pieces_of_nothing_is_no_cluster(tmp_path: Path) -> None:
    model = Model()
    model.rules.append(when(Answer(200, b"{}"), verb="watchlist list watch"))
    async with staying(tmp_path, model, (PODS,)) as stay:
        await asyncio.sleep(0.3)
        assert stay.state(PODS) is not State.LIVE
        assert not stay.stores.pods.freshness.known
