"""The facade: one cluster, its link, and every kind that is kept true in the stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from random import Random

from kubepane.cluster import kinds as k
from kubepane.cluster.access import Access
from kubepane.cluster.activity import Activity
from kubepane.cluster.clock import Clock
from kubepane.cluster.freshness import State
from kubepane.cluster.journal import Journal
from kubepane.cluster.kinds import Kind
from kubepane.cluster.link import LinkMonitor
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.poller import MetricsPoller
from kubepane.cluster.requests import Requests
from kubepane.cluster.rights import Right, Rights
from kubepane.cluster.scales import ScaleRecorder
from kubepane.cluster.scopes import Namespaces, Scope
from kubepane.cluster.stores import Stores
from kubepane.cluster.watcher import Means

LINGER = 300.0  # seconds that a kind nobody looks at any more is still watched


class Cluster:
    """Keeps the stores and the metrics of one cluster true until it is closed.

    Args:
        requests: the one door to the API.
        stores: what is filled.
        namespaces: those asked for; None for all of them.
        configured: namespaces to try when all were asked for and only some may be seen.
        context_namespace: the kubeconfig context's, tried last.
        journal, metrics: to be filled; new ones by default.

    Attributes:
        link: whether the server answers.
        journal: what happened.
        activity: counters and the lag for the status line.
        metrics: usage, once `want_metrics` was called.
    """

    def __init__(
        self,
        requests: Requests,
        stores: Stores,
        *,
        clock: Clock,
        random: Random,
        namespaces: tuple[str, ...] | None = None,
        configured: tuple[str, ...] = (),
        context_namespace: str = "default",
        log: logging.Logger | None = None,
        journal: Journal | None = None,
        metrics: Metrics | None = None,
        access: Access | None = None,
    ) -> None:
        log = log or logging.getLogger(__name__)
        self.stores = stores
        self.namespaces = namespaces
        self.journal = journal or Journal(clock)
        self.metrics = metrics or Metrics()
        self.link = LinkMonitor(requests, clock, random, self.journal, log)
        self._means = Means(requests, clock, random, self.link, self.journal, log)
        self.activity: Activity = self._means.activity
        self._poller = MetricsPoller(self._means, self.metrics, asked=lambda: self.namespaces, fallback=self.fallback)
        self._scales = ScaleRecorder(self._means, stores, self.metrics)
        self._rights = Rights(access or Access(requests, clock), self._settle_all)
        self._configured = configured
        self._context_namespace = context_namespace
        self._known = Namespaces(configured, others=True) if configured else Namespaces()
        self._scopes: dict[str, Scope] = {}
        self._permanent: set[str] = set()
        self._lingering: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._names = stores.namespaces.subscribe(self._namespaces_changed)

    # ---- life

    def start(self, kinds: Iterable[Kind] = ()) -> None:
        """Starts the link monitor and the kinds that are always needed; needs a running loop."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self.link.run(), name="link"),
            loop.create_task(self._poller.run(), name="metrics"),
            loop.create_task(self._scales.run(), name="scales"),
            loop.create_task(self._rights.run(), name="rights"),
        ]
        for kind in kinds:
            self._permanent.add(kind.plural)
            self.ensure(kind)

    async def close(self) -> None:
        """Ends everything: no task and no socket is left."""
        self.stores.namespaces.unsubscribe(self._names)
        for timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        for task in self._tasks:
            task.cancel()
        scopes, self._scopes = list(self._scopes.values()), {}
        await asyncio.gather(*(s.close() for s in scopes), *self._tasks, *self._closing, return_exceptions=True)
        self._tasks = []

    # ---- what is wanted

    def ensure(self, kind: Kind) -> None:
        """This kind is looked at now: it is watched from here on, if it was not already."""
        if (timer := self._lingering.pop(kind.plural, None)) is not None:
            timer.cancel()
        if kind.plural not in self._scopes:
            scope = self._scopes[kind.plural] = Scope(self._means, self.stores.of(kind), self, self.namespaces)
            scope.settle()

    def release(self, kind: Kind) -> None:
        """Nobody looks at this kind any more: it ends after a while, unless it is one of those that are always needed."""
        if kind.plural in self._scopes and kind.plural not in self._permanent and kind.plural not in self._lingering:
            self._lingering[kind.plural] = asyncio.get_running_loop().call_later(LINGER, self._end, kind.plural)

    def set_namespaces(self, namespaces: tuple[str, ...] | None) -> None:
        """Asks for other namespaces, None for all; what stays is not restarted."""
        self.namespaces = namespaces
        for scope in list(self._scopes.values()):
            scope.ask(namespaces)
        self._poller.look_again()

    def want_metrics(self, wanted: bool) -> None:
        """Whether somebody looks at usage; it is polled only then."""
        self._poller.want(wanted)

    def retry(self, kind: Kind | None = None) -> None:
        """Tries at once what waits for its next try: one kind, or all."""
        for plural, scope in self._scopes.items():
            if kind is None or plural == kind.plural:
                scope.nudge()

    def _end(self, plural: str) -> None:
        self._lingering.pop(plural, None)
        if (scope := self._scopes.pop(plural, None)) is not None:
            task = asyncio.get_running_loop().create_task(scope.close(), name=f"end {plural}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _settle_all(self) -> None:
        for scope in list(self._scopes.values()):
            scope.settle()

    # ---- what scopes ask (see scopes.Surroundings)

    def fallback(self) -> Namespaces:
        """The namespaces to look into when the whole cluster may not be: the configured ones, else those there are, else the context's."""
        if not self._configured and k.NAMESPACES.plural not in self._scopes:
            self._permanent.add(k.NAMESPACES.plural)
            self.ensure(k.NAMESPACES)
        self._rights.ask(self._known.tried)
        return self._known

    def right(self, kind: Kind, namespace: str) -> Right:
        """Whether it is worth trying to see a kind in a namespace."""
        return self._rights.of(kind, namespace)

    def missing(self, namespace: str) -> bool:
        """It is known that there is no such namespace; where they may not be listed nothing is known (rule R32)."""
        store = self.stores.namespaces
        return store.freshness.complete and store.named("", namespace) is None

    def _namespaces_changed(self) -> None:
        self._names.drain()
        before = self._known
        if not self._configured:
            self._know_namespaces()
        if self._known != before or self.stores.namespaces.freshness.complete:
            self._settle_all()
        if self._known != before:
            self._poller.places_changed()

    def _know_namespaces(self) -> None:
        store = self.stores.namespaces
        if store.freshness.state in (State.LIVE, State.POLLING):
            names = sorted((n.metadata.name for n in store), key=lambda name: (name != self._context_namespace, name))
            self._known = Namespaces(tuple(names))
        elif store.freshness.state in (State.FORBIDDEN, State.ABSENT, State.UNAUTHORIZED):
            self._known = Namespaces((self._context_namespace,), others=True)
