"""One user's stay at one cluster: from the options to a connected, living `Cluster`, and what the header says of it.

The stores are there from the first moment, so that a screen can show them before anything is connected. What keeps the session
from connecting is a state like any other: it is shown, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from random import Random

from kubepane.cluster import audit_file, connection, kinds as k, kubeconfig, log_file
from kubepane.cluster.access import Access
from kubepane.cluster.api import Api
from kubepane.cluster.audit import Warned
from kubepane.cluster.clock import Clock, SpedClock, SystemClock
from kubepane.cluster.cluster import Cluster
from kubepane.cluster.connection import Connection
from kubepane.cluster.context import Context, Target
from kubepane.cluster.errors import BadConfig, ClusterError, OtherCluster
from kubepane.cluster.freshness import Freshness, State, worst
from kubepane.cluster.journal import Journal
from kubepane.cluster.kinds import Kind
from kubepane.cluster.kubeconfig import Choice, Kubeconfig
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.options import Options
from kubepane.cluster.pin import NAMESPACE, Pin
from kubepane.cluster.stores import Stores
from kubepane.cluster.writer import Writer
from kubepane.cluster.writing import Outcome, Ref

AGAIN = 5.0  # seconds until an unusable kubeconfig is read again: somebody may be mending it
VERSION_AGAIN = 30.0
IDENTITY_AGAIN = 60.0  # seconds until it is asked again whether this is still the same cluster, for the header
HEAD_START = 0.4  # seconds that the first kind goes before the others, at most
_WITH_USAGE = (k.PODS, k.NODES, k.AUTOSCALERS)  # kinds whose panes show usage


class Session:
    """One stay. `start` once, `close` once.

    Attributes:
        stores, metrics, journal: filled while the session lives.
        target: which cluster, as whom; None until the kubeconfig was read.
        server_version: as `v1.35.4`, "" until the server said so.
        problem: why the session cannot connect at all, None when it can try.
        namespaces: those that are shown; empty for all.
        changed: called when something that the header shows may have changed.
    """

    def __init__(self, options: Options, *, clock: Clock | None = None, random: Random | None = None) -> None:
        self.options = options
        self.clock = clock or SystemClock()
        self.stores = Stores()
        self.metrics = Metrics()
        self.journal = Journal(self.clock)
        if options.log_file:
            self.journal.sink = log_file.to(options.log_file)
        self.target: Target | None = None
        self.server_version = ""
        self.problem: ClusterError | None = None
        self.namespaces = options.namespaces
        self.changed: Callable[[], None] = lambda: None
        self.api: Api | None = None
        self.access: Access | None = None
        self.writer: Writer | None = None
        self.pin: Pin | None = None
        self.audit: Callable[[audit_file.Entry], None] = audit_file.to(audit_file.default_path())
        self._random = random or Random()  # noqa: S311  (jitter, not secrets)
        self._kubeconfig: Kubeconfig | None = None
        self._connection: Connection | None = None
        self._cluster: Cluster | None = None
        self._wanted: tuple[Kind, ...] = ()
        self._beside: tuple[Kind, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._asking: set[tuple[str, ...]] = set()
        self._log = logging.getLogger("kubepane")

    # ---- life

    def start(self) -> None:
        """Begins to connect; needs a running loop."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._open(), name="session"))

    async def close(self) -> None:
        """Ends everything that is open."""
        cluster, self._cluster = self._cluster, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if cluster is not None:
            await cluster.close()
        if self._connection is not None:
            await self._connection.close()

    async def _open(self) -> None:
        library = asyncio.create_task(asyncio.to_thread(connection.preload))
        while True:
            try:
                context = self._read()
                break
            except BadConfig as error:
                self._stuck(error)
            await asyncio.sleep(AGAIN)
        await library
        self._connect(context)
        await asyncio.gather(self._ask_version(), self._learn_identity())

    def _read(self) -> Context:
        """The context that the options name.

        Raises:
            BadConfig: there is none that could be used.
        """
        self._kubeconfig = kubeconfig.load(self.options.kubeconfig)
        options = self.options
        context = self._kubeconfig.context(options.context, act_as=options.as_user, act_groups=options.as_groups, protection=options.protection)
        self.target = context.target
        if not self.options.namespaces and not self.options.all_namespaces and context.namespace:
            self.namespaces = (context.namespace,)
        self.problem = None
        self.changed()
        return context

    def _stuck(self, error: BadConfig) -> None:
        if self.problem is None or str(self.problem) != str(error):
            self.journal.write("kubeconfig", str(error))
        self.problem = error
        for store in self.stores:
            store.set_freshness(Freshness(State.FAILED, since=self.clock.now(), why=str(error)))
        self.changed()

    def _connect(self, context: Context) -> None:
        self.api = self._door(context)
        self.pin = Pin(self.api.get, self.clock, self._warn_of_identity)
        self.writer = Writer(self.api, self._changed_something, self._random, self.pin)
        self.access = Access(self.api, self.clock)
        for store in self.stores:
            store.set_freshness(Freshness())
        self._cluster = Cluster(
            self.api,
            self.stores,
            clock=self.clock,
            random=self._random,
            namespaces=self.namespaces or None,
            context_namespace=context.namespace or "default",
            log=self._log,
            journal=self.journal,
            metrics=self.metrics,
        )
        self._cluster.start()
        self.journal.write("session", f"connecting to {context.target.server} as {context.target.user or 'nobody'}")
        self.want(self._wanted)

    def _door(self, context: Context) -> Api:
        """The one door for requests to this cluster."""
        self._connection = Connection(context, clock=self.clock)
        return Api(self._connection, clock=self.clock, read_only=self.options.read_only, on_warning=self._warned)

    def _warned(self, warned: Warned) -> None:
        if self.writer is not None:
            self.writer.hear(warned)

    def _changed_something(self, outcome: Outcome) -> None:
        """Every change is told twice: in the journal on screen, and in the audit file."""
        self.journal.write("change", f"{outcome.step.about}: {outcome.end.value}: {outcome.text}")
        self._audit(audit_file.entry(outcome, self.target, self.clock.now()))

    def visited(self, about: Ref, says: str, path: str, end: str, text: str = "") -> None:
        """A way into a pod was opened, or has ended: told like a change; see `audit_file.visit`."""
        self.journal.write("visit", f"{about}: {says}: {end}{f': {text}' if text else ''}")
        self._audit(audit_file.visit(about, says, path, end, text, self.target, self.clock.now()))

    def _audit(self, entry: audit_file.Entry) -> None:
        try:
            self.audit(entry)
        except OSError as error:
            self.journal.write("audit", f"the audit line could not be written: {error.strerror}")

    async def _ask_version(self) -> None:
        assert self.api is not None
        while not self.server_version:
            try:
                self.server_version = (await self.api.server_version()).git_version
                self.changed()
            except ClusterError:
                await asyncio.sleep(VERSION_AGAIN)

    async def _learn_identity(self) -> None:
        """Asks which cluster this is, now and then; the watch of the namespaces tells as well, and changes ask before."""
        assert self.pin is not None
        spaces = self.stores.namespaces

        def look() -> None:
            held.drain()
            if (space := spaces.named("", NAMESPACE)) is not None and self.pin is not None:
                self.pin.seen(space.metadata.uid)

        held = spaces.subscribe(look)
        while True:
            try:
                await self.pin.check()
            except OtherCluster:
                return
            except ClusterError:
                await asyncio.sleep(VERSION_AGAIN)
            else:
                await asyncio.sleep(IDENTITY_AGAIN)

    def _warn_of_identity(self, text: str) -> None:
        self.journal.write("cluster", text)
        self.changed()

    # ---- what is wanted

    def want(self, kinds: Iterable[Kind]) -> None:
        """These kinds are looked at now, in this order of importance; others end after a while."""
        before, self._wanted = self._wanted, tuple(dict.fromkeys((*kinds, *self._beside)))
        if self._cluster is None:
            return
        for kind in before:
            if kind not in self._wanted:
                self._cluster.release(kind)
        if self._wanted:
            self._cluster.ensure(self._wanted[0])
            self._begin_rest()

    def want_beside(self, kinds: Iterable[Kind]) -> None:
        """These kinds are looked at as well, whatever else is wanted: for what a change does to them."""
        wanted = [kind for kind in self._wanted if kind not in self._beside]
        self._beside = tuple(kind for kind in kinds if kind not in wanted)
        self.want(wanted)

    def watches_kind(self, kind: Kind) -> bool:
        """Whether what happens to objects of this kind is seen here, now or soon."""
        return kind in self._wanted and self.stores.of(kind).freshness.state not in (State.FORBIDDEN, State.ABSENT)

    def _begin_rest(self) -> None:
        """The first kind has the line to itself until it is complete, or for a while: its rows are what one looks at first."""
        first = self.stores.of(self._wanted[0])
        if first.freshness.state not in (State.CONNECTING, State.SYNCING):
            self._want_rest()
            return

        def began() -> None:
            timer.cancel()
            first.unsubscribe(changes)
            self._want_rest()

        def look() -> None:
            if first.freshness.state not in (State.CONNECTING, State.SYNCING):
                asyncio.get_running_loop().call_soon(began)

        changes = first.subscribe(look)
        timer = asyncio.get_running_loop().call_later(HEAD_START, began)

    def _want_rest(self) -> None:
        """All kinds that are wanted now; those that are watched already go on."""
        if self._cluster is not None:
            for kind in self._wanted:
                self._cluster.ensure(kind)
            self._cluster.want_metrics(any(kind in _WITH_USAGE for kind in self._wanted))

    def set_namespaces(self, names: tuple[str, ...]) -> None:
        """Shows other namespaces, all for none."""
        self.namespaces = names
        if self._cluster is not None:
            self._cluster.set_namespaces(names or None)
        self.changed()

    def contexts(self) -> tuple[Choice, ...]:
        """All contexts of the kubeconfig, to choose from."""
        return self._kubeconfig.choices() if self._kubeconfig else ()

    def seen_namespaces(self) -> set[str]:
        """Namespaces that are known from what is held, where they may not be listed."""
        return {obj.metadata.namespace for store in (self.stores.deployments, self.stores.services) for obj in store}

    def may(self, verb: str, resource: str, namespace: str, subresource: str = "") -> bool | None:
        """Whether we may; None while that is not known: then it is asked, and `changed` is called when the answer is there."""
        if self.access is None:
            return None
        held = self.access.known(verb, resource, namespace, subresource=subresource)
        if held is None and (verb, resource, namespace, subresource) not in self._asking:
            self._asking.add((verb, resource, namespace, subresource))
            self._tasks.append(asyncio.get_running_loop().create_task(self._ask_access(verb, resource, namespace, subresource)))
        return held.allowed if held is not None else None

    async def _ask_access(self, *question: str) -> None:
        verb, resource, namespace, subresource = question
        assert self.access is not None
        try:
            await self.access.allowed(verb, resource, namespace, subresource=subresource)
        finally:
            self._asking.discard((verb, resource, namespace, subresource))
            self._tasks = [task for task in self._tasks if not task.done()]
        self.changed()

    # ---- what the header and the status line say

    @property
    def context(self) -> str:
        """The name of the context, "" for none."""
        return self.target.context if self.target else ""

    @property
    def pace(self) -> float:
        """Cluster seconds per second: 1 but on a simulated cluster."""
        return self.clock.speed if isinstance(self.clock, SpedClock) else 1.0

    @property
    def who(self) -> str:
        """As whom requests are made, "" while that is not known."""
        return (self.target.acting_as or self.target.user) if self.target else ""

    @property
    def freshness(self) -> Freshness:
        """Of the whole link: the least trustworthy of the wanted kinds that may be seen at all."""
        held = [self.stores.of(kind).freshness for kind in self._wanted]
        return worst([f for f in held if f.state not in (State.FORBIDDEN, State.ABSENT)] or held)

    @property
    def watches(self) -> int:
        """Streams that are open now."""
        return self.api.traffic.open_streams if self.api else 0

    @property
    def requests_per_second(self) -> float:
        """The mean of the last ten seconds."""
        return self.api.traffic.requests_per_second() if self.api else 0.0

    @property
    def bytes_per_second(self) -> float:
        """From the cluster, the mean of the last ten seconds."""
        return self.api.traffic.bytes_per_second() if self.api else 0.0

    @property
    def lag(self) -> float | None:
        """Seconds from the arrival of a change to the store, None before the first."""
        return self._cluster.activity.lag if self._cluster else None

    @property
    def metrics_settled(self) -> bool:
        """Whether usage was asked for and an answer, good or bad, came."""
        return self.metrics.freshness.state not in (State.CONNECTING, State.SYNCING)
