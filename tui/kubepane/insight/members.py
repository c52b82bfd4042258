"""Pods by their owner and revision, counted by state: kept up to date by what changed, never by a walk over all pods."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from weakref import WeakKeyDictionary, WeakSet

from kubepane.cluster import resources as r
from kubepane.cluster.store import Store
from kubepane.cluster.stores import Stores
from kubepane.insight.finding import Level
from kubepane.insight.pods import level

_WELL = (Level.OK, Level.DONE, Level.OFF)


class State(IntEnum):
    """Where a pod is on its way, as a controller counts it."""

    READY = 0  # condition Ready is True
    STARTING = 1  # on a node, not ready
    PENDING = 2  # on no node yet
    TERMINATING = 3  # being deleted: counts for no ReplicaSet any more
    SUCCEEDED = 4
    FAILED = 5


def state(pod: r.Pod) -> State:
    """The state of a pod, as FilterActivePods and IsPodReady of pkg/controller see it."""
    if pod.metadata.deletion_timestamp is not None:
        return State.TERMINATING
    status = pod.status
    if status.phase == "Succeeded":
        return State.SUCCEEDED
    if status.phase == "Failed":
        return State.FAILED
    for condition in status.conditions or ():
        if condition.type == "Ready":
            if condition.status == "True":
                return State.READY
            break
    return State.STARTING if pod.spec.node_name else State.PENDING


class Group:
    """The pods of one owner and one revision.

    Attributes:
        counts: how many are in each State.
        unwell: uids of those that are not well, by how bad, in the order they were seen.
        generation: the highest `pod-template-generation` of a DaemonSet's pods, 0 for none.
    """

    __slots__ = ("counts", "generation", "unwell")

    def __init__(self) -> None:
        self.counts = [0] * len(State)
        self.unwell: dict[Level, dict[str, None]] = {}
        self.generation = 0

    def __getitem__(self, state: State) -> int:
        return self.counts[state]

    @property
    def active(self) -> int:
        """Pods that neither ended nor are being deleted."""
        return self.counts[State.READY] + self.counts[State.STARTING] + self.counts[State.PENDING]

    def worst(self) -> tuple[Level, str] | None:
        """Level and uid of a pod in the worst state there is; None when all are well."""
        found = min((lv for lv, uids in self.unwell.items() if uids), default=None)
        return None if found is None else (found, next(iter(self.unwell[found])))


_EMPTY: dict[str, Group] = {}


class Members:
    """Groups of pods by the uid of their controller and their revision's hash ("" where pods carry none).

    It reads its own dirty set of the pod store: whoever asks gets the newest state, at the cost of what changed since. One is
    enough for all stores of a cluster: see `members`.
    """

    def __init__(self, pods: Store[r.Pod]) -> None:
        self._pods = pods
        self._changes = pods.subscribe(_nobody)
        self._groups: dict[str, dict[str, Group]] = {}
        self._where: dict[str, tuple[str, str, State, Level]] = {}  # of each counted pod
        self._listeners: WeakSet[Touched] = WeakSet()

    def of(self, owner: str) -> dict[str, Group]:
        """The owner's groups by revision hash."""
        self.sync()
        return self._groups.get(owner, _EMPTY)

    def listen(self) -> Touched:
        """A listener that is told which owners have a pod that changed or went, all present ones to begin with."""
        self.sync()
        listener = Touched(self)
        listener.owners.update(self._groups)
        self._listeners.add(listener)
        return listener

    def sync(self) -> None:
        """Takes in what changed."""
        if self._changes.uids:
            touched: set[str] = set()
            for uid in self._changes.drain():
                self._forget(uid, touched)
                if (pod := self._pods.get(uid)) is not None:
                    self._count(uid, pod, touched)
            for listener in self._listeners:
                listener.owners |= touched

    def _forget(self, uid: str, touched: set[str]) -> None:
        where = self._where.pop(uid, None)
        if where is None:
            return
        owner, revision, was, how = where
        touched.add(owner)
        groups = self._groups[owner]
        group = groups[revision]
        group.counts[was] -= 1
        if how not in _WELL:
            group.unwell[how].pop(uid, None)
        if not any(group.counts):
            del groups[revision]
            if not groups:
                del self._groups[owner]

    def _count(self, uid: str, pod: r.Pod, touched: set[str]) -> None:
        owner = controller(pod.metadata.owner_references)
        if not owner:
            return
        labels = pod.metadata.labels or {}
        revision = labels.get("controller-revision-hash", "")
        group = self._groups.setdefault(owner, {}).get(revision)
        if group is None:
            group = self._groups[owner][revision] = Group()
        now, how = state(pod), level(pod)
        group.counts[now] += 1
        if how not in _WELL:
            group.unwell.setdefault(how, {})[uid] = None
        if revision and (generation := labels.get("pod-template-generation", "")).isdecimal():
            group.generation = max(group.generation, int(generation))
        self._where[uid] = (owner, revision, now, how)
        touched.add(owner)


class Touched:
    """What one reader of Members has not looked at yet."""

    def __init__(self, members: Members) -> None:
        self.owners: set[str] = set()
        self._members = members

    def drain(self) -> set[str]:
        """Owners with a pod that changed or went since this was asked last."""
        self._members.sync()
        owners, self.owners = self.owners, set()
        return owners


_all: WeakKeyDictionary[Stores, Members] = WeakKeyDictionary()


def members(stores: Stores) -> Members:
    """The one Members of these stores."""
    found = _all.get(stores)
    if found is None:
        found = _all[stores] = Members(stores.pods)
    return found


def controller(owners: Iterable[r.OwnerReference] | None) -> str:
    """The uid of the controlling owner, "" for none."""
    for owner in owners or ():
        if owner.controller:
            return owner.uid
    return ""


def _nobody() -> None:
    """Nobody is woken: the groups are read when a row is asked for."""
