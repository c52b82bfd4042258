"""Where one kind is watched: in the whole cluster, or, where that is refused, in the namespaces that may be seen (R30-R32)."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.merging import merged
from kubepane.cluster.rights import Right
from kubepane.cluster.store import Store
from kubepane.cluster.watcher import Means, Watcher

MOST_NAMESPACES = 20  # rule R31


class Namespaces(msgspec.Struct, frozen=True):
    """The namespaces to look into.

    Attributes:
        names: most wanted first; empty while they are not known yet.
        others: there may be more of them, whose names are not known.
    """

    names: tuple[str, ...] = ()
    others: bool = False

    @property
    def tried(self) -> tuple[str, ...]:
        """As many as are watched at once."""
        return self.names[:MOST_NAMESPACES]

    @property
    def hidden(self) -> tuple[str, ...]:
        """The rest, which is named instead."""
        return tuple(sorted(self.names[MOST_NAMESPACES:]))


class Surroundings(Protocol):
    """What a scope needs to know of the cluster."""

    def fallback(self) -> Namespaces:
        """The namespaces to try now that the whole cluster may not be seen; asks for them to be found out."""

    def right(self, kind: Kind, namespace: str) -> Right:
        """Whether it is worth trying there."""

    def missing(self, namespace: str) -> bool:
        """It is known that there is no such namespace."""


class Scope:
    """All watchers of one kind, and what their parts add up to in one store.

    Args:
        asked: the namespaces that were asked for, None for all.
    """

    def __init__(self, means: Means, store: Store[Any], surroundings: Surroundings, asked: tuple[str, ...] | None) -> None:
        self.kind: Kind = store.kind
        self._means = means
        self._store = store
        self._surroundings = surroundings
        self._asked = asked if self.kind.namespaced else None
        self._wide: Watcher | None = None
        self._narrow: dict[str, Watcher] = {}
        self._emptied: set[str] = set()  # namespaces whose rows were taken out, for they are named as hidden
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    # ---- what is wanted

    def settle(self) -> None:
        """Starts and ends watchers until they are those that are wanted, and shows what they add up to."""
        if self._closed:
            return
        self._settle_wide()
        wanted = self._wanted()
        self._settle_narrow(wanted)
        self._show(wanted)

    def ask(self, namespaces: tuple[str, ...] | None) -> None:
        """Other namespaces are asked for; what is in both goes on undisturbed."""
        if self.kind.namespaced and namespaces != self._asked:
            self._asked = namespaces
            self.settle()

    def nudge(self) -> None:
        """Tries now what waits for its next try."""
        for watcher in self._watchers():
            watcher.nudge()

    async def close(self) -> None:
        """Ends all watchers; the rows are forgotten, for nobody keeps them true any more."""
        self._closed = True
        for watcher in self._watchers():
            self._end(watcher)
        self._wide, self._narrow = None, {}
        if self._ending:
            await asyncio.wait(self._ending)
        self._store.replace(())
        self._store.set_freshness(Freshness())

    # ---- watchers

    def _watchers(self) -> list[Watcher]:
        return [*([self._wide] if self._wide else []), *self._narrow.values()]

    def _settle_wide(self) -> None:
        if self._asked is None and self._wide is None:
            self._wide = self._begin("")
        elif self._asked is not None and self._wide is not None:
            self._end(self._wide)
            self._wide = None
            self._keep_only(self._asked)

    def _wanted(self) -> Namespaces:
        if self._asked is not None:
            return Namespaces(self._asked)
        if not self.kind.namespaced or self._wide is None or self._wide.freshness.state in (State.LIVE, State.POLLING):
            return Namespaces()
        if self._wide.freshness.state is State.FORBIDDEN and (found := self._surroundings.fallback()).names:
            return found
        return Namespaces(tuple(self._narrow))  # nothing is decided: what is there stays

    def _settle_narrow(self, wanted: Namespaces) -> None:
        if self._asked is None and wanted.names and not self._narrow:
            self._keep_only(wanted.tried)  # rows of a time when everything could be seen
        for name in [n for n in self._narrow if n not in wanted.tried]:
            self._end(self._narrow.pop(name))
            if wanted.names:  # else the whole cluster is watched now, and its rows are the truth
                self._store.replace((), name)
        for name in wanted.tried:
            if name not in self._narrow and (self._asked is not None or self._right(name) is Right.PERHAPS):
                self._narrow[name] = self._begin(name)

    def _right(self, name: str) -> Right:
        return self._surroundings.right(self.kind, name)

    def _keep_only(self, namespaces: tuple[str, ...]) -> None:
        for uid in [o.metadata.uid for o in self._store if o.metadata.namespace not in namespaces]:
            self._store.drop(uid)

    def _begin(self, namespace: str) -> Watcher:
        elsewhere = self.kind.namespaced and not namespace
        watcher = Watcher(self._means, self.kind, namespace, self._store, self.settle, elsewhere=elsewhere)
        watcher.start()
        return watcher

    def _end(self, watcher: Watcher) -> None:
        task = asyncio.get_running_loop().create_task(watcher.stop(), name=f"end {watcher.subject}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # ---- freshness

    def _show(self, wanted: Namespaces) -> None:
        wide = self._wide.freshness if self._wide is not None else None
        if wide is not None and (wide.state is not State.FORBIDDEN or not self.kind.namespaced):
            self._store.set_freshness(wide)
            return
        parts = {name: self._part(name) for name in wanted.tried}
        if not parts and wide is not None:  # refused, and where else to look is being found out
            self._store.set_freshness(Freshness(since=wide.since, why=wide.why))
            return
        refused = {name for name, f in parts.items() if f.state is State.FORBIDDEN}
        if len(refused) < len(parts):
            for name in refused - self._emptied:
                self._store.replace((), name)
            self._emptied = refused
        self._store.set_freshness(merged(parts, hidden=wanted.hidden, others=wanted.others))

    def _part(self, name: str) -> Freshness:
        watcher = self._narrow.get(name)
        if watcher is not None:
            freshness = watcher.freshness
            missing = freshness.state in (State.LIVE, State.POLLING) and self._surroundings.missing(name)
            return replace(freshness, why=f"namespace {name} does not exist") if missing else freshness
        if self._right(name) is Right.NONE:
            why = f"{self.kind.resource}: neither list nor watch is allowed in namespace {name}"
            return Freshness(State.FORBIDDEN, why=why, verb="list", resource=self.kind.resource, namespace=name)
        return Freshness()
