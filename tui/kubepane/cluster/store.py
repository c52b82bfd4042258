"""The newest state of every object of one kind, by uid, with indexes and the set of what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from kubepane.cluster.freshness import Freshness
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object

T = TypeVar("T", bound=Object)
Keys = Callable[[T], Iterable[str]]


class Changes:
    """One reader's dirty set: the uids changed since it last looked. Latest wins; nothing is queued (rule R26)."""

    __slots__ = ("uids", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.uids: set[str] = set()
        self.wake = wake

    def drain(self) -> set[str]:
        """The changed uids, and forget them."""
        uids, self.uids = self.uids, set()
        return uids


class Store(Generic[T]):
    """uid → newest object of one kind.

    Objects of several scopes (namespaces) may be merged in one store; a scope is replaced without touching the others.
    Writing is for reflectors; everybody else reads.
    """

    def __init__(self, kind: Kind, indexes: Mapping[str, Keys[T]] | None = None) -> None:
        self.kind = kind
        self.freshness = Freshness()
        self._objects: dict[str, T] = {}
        self._names: dict[str, str] = {}
        self._keys: dict[str, Keys[T]] = dict(indexes or {})
        self._indexes: dict[str, dict[str, dict[str, T]]] = {name: {} for name in self._keys}
        self._readers: list[Changes] = []

    # ---- reading

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[T]:
        return iter(self._objects.values())

    def __contains__(self, uid: str) -> bool:
        return uid in self._objects

    def get(self, uid: str) -> T | None:
        """The object with this uid."""
        return self._objects.get(uid)

    def named(self, namespace: str, name: str) -> T | None:
        """The object with this name; namespace "" for kinds without one."""
        uid = self._names.get(f"{namespace}/{name}")
        return None if uid is None else self._objects.get(uid)

    def by(self, index: str, key: str) -> Iterable[T]:
        """The objects that an index holds under a key, in no order."""
        found = self._indexes[index].get(key)
        return found.values() if found else ()

    def count(self, index: str, key: str) -> int:
        """How many objects an index holds under a key."""
        return len(self._indexes[index].get(key, ()))

    def uids(self) -> Iterable[str]:
        """All uids, in no order."""
        return self._objects.keys()

    def subscribe(self, wake: Callable[[], None]) -> Changes:
        """A new dirty set that holds all present objects; `wake` is called when it gets its first uid, and when freshness changes."""
        changes = Changes(wake)
        changes.uids.update(self._objects)
        self._readers.append(changes)
        return changes

    def unsubscribe(self, changes: Changes) -> None:
        """Ends a subscription."""
        if changes in self._readers:
            self._readers.remove(changes)

    # ---- writing

    def put(self, obj: T) -> None:
        """Stores the newest state; an object of the same name with another uid is gone (rule R22)."""
        uid = obj.metadata.uid
        path = f"{obj.metadata.namespace}/{obj.metadata.name}"
        if (other := self._names.get(path)) is not None and other != uid:
            self.drop(other)
        self._unindex(uid)
        self._objects[uid] = obj
        self._names[path] = uid
        for name, keys in self._keys.items():
            for key in keys(obj):
                self._indexes[name].setdefault(key, {})[uid] = obj
        self._touch(uid)

    def drop(self, uid: str) -> T | None:
        """Forgets an object and gives its last known state (the tombstone), None when there was none."""
        self._unindex(uid)
        obj = self._objects.pop(uid, None)
        if obj is None:
            return None
        path = f"{obj.metadata.namespace}/{obj.metadata.name}"
        if self._names.get(path) == uid:
            del self._names[path]
        self._touch(uid)
        return obj

    def replace(self, objects: Iterable[T], namespace: str = "") -> list[T]:
        """Takes a complete list of one scope: what the store holds beyond it is dropped now (rule R23).

        Args:
            objects: all objects of the scope.
            namespace: the scope; "" means all namespaces.

        Returns:
            The last known states of what was dropped.
        """
        new = {o.metadata.uid: o for o in objects}
        held = self._objects
        gone = [uid for uid in held.keys() - new.keys() if not namespace or held[uid].metadata.namespace == namespace]
        dropped = [o for uid in gone if (o := self.drop(uid)) is not None]
        for uid, obj in new.items():
            old = held.get(uid)
            if old is obj:  # as it was put while the list arrived
                continue
            if old is None or old.metadata.resource_version != obj.metadata.resource_version or not obj.metadata.resource_version:
                self.put(obj)
        return dropped

    def set_freshness(self, freshness: Freshness) -> None:
        """Changes how far this store can be trusted and wakes the readers."""
        if freshness != self.freshness:
            self.freshness = freshness
            for reader in self._readers:
                reader.wake()

    def _unindex(self, uid: str) -> None:
        old = self._objects.get(uid)
        if old is None:
            return
        for name, keys in self._keys.items():
            index = self._indexes[name]
            for key in keys(old):
                if (held := index.get(key)) is not None:
                    held.pop(uid, None)
                    if not held:
                        del index[key]

    def _touch(self, uid: str) -> None:
        for reader in self._readers:
            if not reader.uids:
                reader.uids.add(uid)
                reader.wake()
            else:
                reader.uids.add(uid)
