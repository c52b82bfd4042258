"""Watchers and clusters on virtual time, with a model of an API server behind them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from apimodel import Model
from cluster.clocks import VirtualLoop, virtually
from cluster.modelrequests import ModelRequests
from kubepane.cluster.cluster import Cluster
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.journal import Journal
from kubepane.cluster.kinds import KINDS, PODS, Kind
from kubepane.cluster.link import LinkMonitor
from kubepane.cluster.requests import Requests
from kubepane.cluster.stores import Stores
from kubepane.cluster.watcher import Means, Watcher

LOG = logging.getLogger("test")


@dataclass
class Fleet:
    """Everything a test wants to look at."""

    loop: VirtualLoop
    model: Model
    requests: ModelRequests
    stores: Stores
    means: Means
    seen: list[tuple[float, Freshness]]
    watcher: Watcher | None = None

    def state(self, kind: Kind = PODS) -> State:
        return self.stores.of(kind).freshness.state

    def freshness(self, kind: Kind = PODS) -> Freshness:
        return self.stores.of(kind).freshness

    def true(self, kind: Kind = PODS, namespace: str = "") -> bool:
        """Whether the store holds what the server holds."""
        held = {o.metadata.uid: o.metadata.resource_version for o in self.stores.of(kind) if not namespace or o.metadata.namespace == namespace}
        return held == self.model.uids(kind, namespace)

    def times(self, start: float = 0.0) -> list[float]:
        """When requests left, in seconds after `start`."""
        return [t - start for t in self.requests.times if t >= start]


def means(requests: Requests, loop: VirtualLoop, *, seed: int = 1) -> Means:
    journal = Journal(loop)
    chance = random.Random(seed)
    return Means(requests, loop, chance, LinkMonitor(requests, loop, chance, journal, LOG), journal, LOG)


def watching(
    main: Callable[[Fleet], Awaitable[None]], model: Model, *, kind: Kind = PODS, namespace: str = "", link: bool = False, seed: int = 1
) -> None:
    """Runs `main` while one watcher keeps one store; fails if a task or a stream is left afterwards."""
    loop = VirtualLoop()

    async def inside() -> None:
        requests = ModelRequests(model)
        shared = means(requests, loop, seed=seed)
        stores = Stores()
        fleet = Fleet(loop, model, requests, stores, shared, [])
        watcher: Watcher | None = None

        def changed() -> None:
            assert watcher is not None
            stores.of(kind).set_freshness(watcher.freshness)
            fleet.seen.append((loop.time(), watcher.freshness))

        watcher = Watcher(shared, kind, namespace, stores.of(kind), changed)
        watcher.start()
        fleet.watcher = watcher
        prober = asyncio.create_task(shared.link.run()) if link else None
        try:
            await main(fleet)
        finally:
            began = loop.time()
            await watcher.stop()
            assert loop.time() - began <= 0.1
            if prober is not None:
                prober.cancel()
                await asyncio.wait([prober])
        assert requests.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtually(inside(), loop)


def clustered(main: Callable[[Fleet, Cluster], Awaitable[None]], model: Model, *, seed: int = 1, **how: Any) -> None:
    """Runs `main` with a whole `Cluster`; fails if a task or a stream is left after its close."""
    loop = VirtualLoop()

    async def inside() -> None:
        requests = ModelRequests(model)
        stores = Stores()
        cluster = Cluster(requests, stores, clock=loop, random=random.Random(seed), log=LOG, **how)
        fleet = Fleet(loop, model, requests, stores, cluster._means, [])
        try:
            await main(fleet, cluster)
        finally:
            began = loop.time()
            await cluster.close()
            assert loop.time() - began <= 0.1
        assert requests.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtually(inside(), loop)


def populated(kinds: tuple[Kind, ...] = KINDS, *, names: int = 3, namespaces: tuple[str, ...] = ("shop",)) -> Model:
    """A server with a few objects of each kind."""
    model = Model()
    for kind in kinds:
        for namespace in namespaces if kind.namespaced else ("",):
            for i in range(names):
                model.make(kind, f"{kind.plural}-{i}", namespace)
    return model
