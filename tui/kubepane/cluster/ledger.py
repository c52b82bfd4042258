"""Brings what a list and a watch say into the rows, in the order of versions, whatever order it arrives in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kubepane.cluster.resources import Metadata, Object
from kubepane.cluster.versions import older, ordered
from kubepane.cluster.wire import Change

TOMBSTONES = 1_000


class Rows(Protocol):
    """Where objects are kept: a `store.Store`."""

    def get(self, uid: str) -> Object | None: ...
    def named(self, namespace: str, name: str) -> Object | None: ...
    def put(self, obj: Object) -> None: ...
    def drop(self, uid: str) -> Object | None: ...
    def replace(self, objects: Iterable[Object], namespace: str = "") -> list[Object]: ...


class Ledger:
    """One scope's part of the rows.

    A complete set is staged until its last object is there and then taken in one step (rules R2, R8, R23). Only the very
    first set is shown while it arrives, for there is nothing better to show.

    Attributes:
        synced: a complete set was taken at least once.
        received: objects of the set that is arriving.
        newest: the newest change that was taken, as the object's metadata; None where there was none, or versions have no order.
    """

    def __init__(self, rows: Rows, namespace: str) -> None:
        self._rows = rows
        self._namespace = namespace
        self._staged: dict[str, Object] = {}
        self._gone: dict[str, str] = {}  # uid → version at which it was deleted
        self.synced = False
        self.newest: Metadata | None = None

    @property
    def received(self) -> int:
        return len(self._staged)

    def begin(self) -> None:
        """A new complete set begins; an unfinished one is forgotten."""
        self._staged = {}

    def stage(self, change: Change) -> None:
        """Takes a change of the set that is arriving; MODIFIED and DELETED act on that set too."""
        obj = change.object
        if change.type == "DELETED":
            self._staged.pop(obj.metadata.uid, None)
            if not self.synced:
                self._rows.drop(obj.metadata.uid)
        else:
            self.stage_object(obj)

    def stage_object(self, obj: Object) -> None:
        """Takes one object of the set that is arriving."""
        held = self._staged.get(obj.metadata.uid)
        if held is not None and older(obj.metadata.resource_version, held.metadata.resource_version):
            return
        self._staged[obj.metadata.uid] = obj
        if not self.synced:
            self._put(obj)

    def complete(self) -> int:
        """The set is complete: it replaces the scope in one step. Gives the number of objects that had vanished."""
        dropped = self._rows.replace(self._staged.values(), self._namespace)
        versions = (obj.metadata for obj in self._staged.values() if ordered(obj.metadata.resource_version))
        self.newest = max(versions, key=lambda m: int(m.resource_version), default=None)
        self._staged = {}
        self._gone.clear()
        self.synced = True
        return len(dropped)

    def clear(self) -> None:
        """The API serves no such objects any more."""
        self._rows.replace((), self._namespace)

    def apply(self, change: Change) -> None:
        """Takes a change of the watch; what is older than what is held, or than its own deletion, changes nothing (rule R6)."""
        obj = change.object
        uid, version = obj.metadata.uid, obj.metadata.resource_version
        if ordered(version) and (self.newest is None or older(self.newest.resource_version, version)):
            self.newest = obj.metadata
        if change.type == "DELETED":
            self._rows.drop(uid)
            self._bury(uid, version)
        elif (buried := self._gone.get(uid)) is None or older(buried, version):
            self._put(obj)

    def _put(self, obj: Object) -> None:
        m = obj.metadata
        held = self._rows.get(m.uid)
        if held is not None:
            if m.resource_version and m.resource_version == held.metadata.resource_version:
                return
        else:
            held = self._rows.named(m.namespace, m.name)
        if held is None or not older(m.resource_version, held.metadata.resource_version):
            self._rows.put(obj)

    def _bury(self, uid: str, version: str) -> None:
        self._gone.pop(uid, None)
        self._gone[uid] = version
        if len(self._gone) > TOMBSTONES:
            del self._gone[next(iter(self._gone))]
