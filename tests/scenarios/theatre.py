"""A whole embedded cluster on a virtual clock, and a session that plays chapters on it without a screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from kubepane.cluster.api import Api
from kubepane.cluster.budget import Budget
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.context import Context
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.scenarios.book import chosen
from kubepane.scenarios.player import AT_ONCE, KINDS, Phase, Player
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded

TICK = 0.5  # cluster seconds that pass between two turns of the loop
REQUEST = 0.02  # the same while something is sent: the budget of requests keeps real time


class ClusterClock(SystemClock):
    """The cluster's time for what is read of it, the machine's for the protocol."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()


class HastySession(Session):
    """A session that need not spare the server: tests of chapters do not wait for the budget of requests."""

    def _door(self, context: Context) -> Api:
        api = super()._door(context)
        api._budget = Budget(self.clock, rate=10_000.0, burst=10_000)
        return api


class Theatre:
    """One cluster and one session."""

    def __init__(self, cluster: EmbeddedCluster, clock: VirtualClock, session: Session) -> None:
        self.cluster, self.clock, self.session = cluster, clock, session

    def player(self, name: str) -> Player:
        return Player(self.session, chosen(name), reading=AT_ONCE, look_again=0.01)

    async def play(self, player: Player, seconds: float = 600.0) -> float:
        """Plays to the end while cluster time passes; the cluster seconds that it took."""
        begun = self.clock.seconds()
        playing = asyncio.create_task(player.play())
        while not playing.done():
            assert self.clock.seconds() - begun < seconds, (
                f"{player.chapter.name} {player.number}: {player.phase} {player.fact} {player.problem} {player.ended}"
            )
            await self.turn(TICK if player.phase in (Phase.PREPARING, Phase.WAITING) else REQUEST)
        await playing
        return self.clock.seconds() - begun

    async def turn(self, seconds: float = TICK) -> None:
        """Lets a little cluster time pass, and everybody hear of it."""
        self.clock.advance(seconds)
        await asyncio.sleep(0.01)

    def get(self, resource: str, name: str, namespace: str = "chatapp") -> dict[str, object] | None:
        return self.cluster.core.storage.read(resource, namespace, name)


@asynccontextmanager
async def theatre(tmp_path: Path, story: bool = True, begun: bool = True) -> AsyncIterator[Theatre]:
    """A cluster and a session; one that has not begun is for an app to begin."""
    clock = VirtualClock()
    cluster = seeded(Wanted(story=story), clock)
    kubeconfig = await cluster.start()
    session = HastySession(Options(kubeconfig=str(kubeconfig), namespaces=("chatapp",)), clock=ClusterClock(clock))
    session.audit = lambda entry: None
    if begun:
        session.want(KINDS)
        session.start()
    try:
        yield Theatre(cluster, clock, session)
    finally:
        await session.close()
        await cluster.stop()
