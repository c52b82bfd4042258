"""The versioned store: objects by resource, namespace and name, one revision counter, a ring of past events per resource.

Only `api.Api` writes here. Stored dicts are never changed after they were put: every change is a new dict, so readers and watchers
share them without copying, and the JSON bytes of a version are made once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from kubepane_embedded.meta import Key, Object, key_of, owners_of
from kubepane_embedded.ownership import Owned, with_managed

ENCODER = msgspec.json.Encoder()
RING = 2048
"""Events kept per resource; a watch that asks for older ones gets 410."""

Dirty = Callable[[Key], None]
KeysOf = Callable[[Object], Iterable[Key]]


class Ref(NamedTuple):
    """Where an object is stored: `pods` or `deployments.apps`, namespace ("" for cluster scope), name."""

    resource: str
    namespace: str
    name: str


class Stored:
    """One version of an object: the dict (without managedFields), and who owns which fields."""

    __slots__ = ("managed", "obj", "revision")

    def __init__(self, obj: Object, revision: int, managed: tuple[Owned, ...] = ()) -> None:
        self.obj = obj
        self.revision = revision
        self.managed = managed

    @property
    def json(self) -> bytes:
        """The whole object as JSON, managedFields included; not kept: it would weigh as much as the object, and takes microseconds."""
        return ENCODER.encode(with_managed(self.obj, self.managed))

    @property
    def full(self) -> Object:
        """A fresh dict with managedFields as plain data, as a client would read it."""
        decoded: Object = msgspec.json.decode(self.json)
        return decoded


@dataclass(slots=True)
class Change:
    """One step of history. `previous` is None for ADDED; for DELETED `now` is the last state, at the revision of the deletion."""

    type: str
    revision: int
    now: Stored
    previous: Stored | None
    frames: dict[object, bytes | None] = field(default_factory=dict)
    """Encoded watch lines shared by all watchers, by kind of encoding (filled by the server)."""


@dataclass(slots=True)
class Shelf:
    """Everything of one resource."""

    spaces: dict[str, dict[str, Stored]] = field(default_factory=dict)
    history: deque[Change] = field(default_factory=lambda: deque(maxlen=RING))
    floor: int = 0
    """Revision of the newest event that has left the ring."""
    revision: int = 0
    """Revision of the newest change."""
    watchers: list[Callable[[Change], None]] = field(default_factory=list)
    readers: list[tuple[Dirty, KeysOf | None]] = field(default_factory=list)
    ordered: list[Stored] | None = None


class Storage:
    """All shelves and the one revision counter.

    Controllers read (`read`, `objects`, `find`, `owned`) and subscribe here; they write through `api.Client`.
    """

    def __init__(self) -> None:
        self.revision = 1
        self._compacted = 0
        self._shelves: dict[str, Shelf] = defaultdict(Shelf)
        self._owned: dict[str, set[Ref]] = defaultdict(set)
        self._indexes: dict[tuple[str, str], KeysIndex] = {}

    # reading

    def stored(self, resource: str, namespace: str, name: str) -> Stored | None:
        """The newest version, or None."""
        space = self._shelves[resource].spaces.get(namespace)
        return space.get(name) if space else None

    def read(self, resource: str, namespace: str, name: str) -> Object | None:
        """The newest object, shared: do not change it. None when absent."""
        found = self.stored(resource, namespace, name)
        return found.obj if found else None

    def rows(self, resource: str, namespace: str | None = None) -> list[Stored]:
        """All versions of a resource (one namespace, or all with None), ordered by namespace and name as etcd's keys are."""
        shelf = self._shelves[resource]
        if namespace:
            space = shelf.spaces.get(namespace, {})
            return [space[name] for name in sorted(space)]
        if shelf.ordered is None:
            shelf.ordered = [
                stored for space in sorted(shelf.spaces, key=lambda text: text + "/") for _, stored in sorted(shelf.spaces[space].items())
            ]
        return shelf.ordered

    def objects(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, shared: do not change them."""
        return [stored.obj for stored in self.rows(resource, namespace)]

    def count(self, resource: str, namespace: str | None = None) -> int:
        """How many objects there are."""
        spaces = self._shelves[resource].spaces
        return len(spaces.get(namespace, ())) if namespace else sum(map(len, spaces.values()))

    def owned(self, uid: str) -> list[tuple[str, Object]]:
        """(resource, object) of everything whose ownerReferences name this uid, ordered by place."""
        pairs = ((ref.resource, self.read(*ref)) for ref in sorted(self._owned.get(uid, ())))
        return [(resource, obj) for resource, obj in pairs if obj is not None]

    def contents(self, namespace: str) -> Iterator[tuple[str, Object]]:
        """(resource, object) of everything in a namespace."""
        for resource in sorted(self._shelves):
            for stored in list(self._shelves[resource].spaces.get(namespace, {}).values()):
                yield resource, stored.obj

    def add_index(self, resource: str, name: str, values: Callable[[Object], Iterable[str]]) -> None:
        """Keep an index of a resource by computed values (pods by node, claims by volume …).

        Asking twice is harmless; asking for other values under the same name is a mistake (ValueError).
        """
        present = self._indexes.get((resource, name))
        if present is not None:
            if getattr(present.values, "__code__", present.values) != getattr(values, "__code__", values):
                raise ValueError(f"{resource} are indexed by other values under the name {name!r}")
            return
        index = self._indexes[resource, name] = KeysIndex(values)
        for obj in self.objects(resource):
            index.change(None, obj)

    def find(self, resource: str, index: str, value: str) -> list[Object]:
        """Objects whose index `index` has `value`, ordered by namespace and name; shared."""
        keys = self._indexes[resource, index].keys.get(value, ())
        found = (self.read(resource, *key) for key in sorted(keys))
        return [obj for obj in found if obj is not None]

    def count_found(self, resource: str, index: str, value: str) -> int:
        """How many objects `find` would give."""
        return len(self._indexes[resource, index].keys.get(value, ()))

    # following

    def subscribe(self, resource: str, dirty: Dirty, keys: KeysOf | None = None) -> None:
        """Call `dirty(key)` whenever an object of the resource changed, came or went: a reason to look again, never a delta.

        `keys` maps an object to the keys to look at (its owner, the Services that select it …); it is asked for the old and the new
        state, so an owner hears of a child that is gone. Without it the object's own key is meant. The call is made in the middle of a
        write: only note the key, work later (see `workqueue.WorkQueue.add`).
        """
        self._shelves[resource].readers.append((dirty, keys))

    def watch(self, resource: str, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back with every change in order; returns what ends it. For watches over HTTP."""
        watchers = self._shelves[resource].watchers
        watchers.append(callback)
        return lambda: watchers.remove(callback) if callback in watchers else None

    def since(self, resource: str, revision: int) -> list[Change] | None:
        """Changes after a revision, or None when some of them have left the ring."""
        shelf = self._shelves[resource]
        if revision < self.floor(resource):
            return None
        return [change for change in shelf.history if change.revision > revision]

    def at(self, resource: str, namespace: str, revision: int) -> list[Stored] | None:
        """All versions as they were at a revision, ordered like `rows`; None when that has left the ring.

        Walks history backwards, so nothing has to be kept for pages that clients may never ask for.
        """
        shelf = self._shelves[resource]
        if revision < self.floor(resource):
            return None
        if revision >= shelf.revision:
            return self.rows(resource, namespace or None)
        then: dict[Key, Stored] = {key_of(stored.obj): stored for stored in self.rows(resource, namespace or None)}
        for change in reversed(shelf.history):
            if change.revision <= revision:
                break
            key = key_of(change.now.obj)
            if namespace and key[0] != namespace:
                continue
            if change.previous is None:
                then.pop(key, None)
            else:
                then[key] = change.previous
        return [then[key] for key in sorted(then, key=lambda key: (key[0] + "/", key[1]))]

    def floor(self, resource: str) -> int:
        """The oldest revision that a watch may resume from."""
        return max(self._shelves[resource].floor, self._compacted)

    def compact(self) -> None:
        """Forget all history, as a restarted server has: every older resume gets 410."""
        self._compacted = self.revision
        for shelf in self._shelves.values():
            shelf.history.clear()

    def next_revision(self) -> int:
        """Take the next revision."""
        self.revision += 1
        return self.revision

    # writing: api.Api only

    def put(self, resource: str, obj: Object, managed: tuple[Owned, ...] = ()) -> Stored:
        """Store a new version at the next revision (sets metadata.resourceVersion in `obj`, which the store owns from now on)."""
        revision = self.next_revision()
        obj["metadata"]["resourceVersion"] = str(revision)
        return self._set(resource, obj, revision, managed)

    def mirror(self, resource: str, obj: Object) -> Stored:
        """Store a version of an object of another server, under the resourceVersion that it has there."""
        revision = int(obj["metadata"]["resourceVersion"])
        self.revision = max(self.revision, revision)
        return self._set(resource, obj, revision, ())

    def _set(self, resource: str, obj: Object, revision: int, managed: tuple[Owned, ...]) -> Stored:
        namespace, name = key_of(obj)
        shelf = self._shelves[resource]
        space = shelf.spaces.setdefault(namespace, {})
        previous = space.get(name)
        now = space[name] = Stored(obj, revision, managed)
        self._reindex(resource, previous.obj if previous else None, obj)
        self._record(shelf, resource, Change("MODIFIED" if previous else "ADDED", revision, now, previous))
        return now

    def remove(self, resource: str, namespace: str, name: str) -> Stored:
        """Take an object out; the DELETED event carries its last state at a new revision. KeyError when absent."""
        shelf = self._shelves[resource]
        space = shelf.spaces[namespace]
        previous = space.pop(name)
        if not space:
            del shelf.spaces[namespace]
        revision = self.next_revision()
        obj = dict(previous.obj)
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(revision)}
        now = Stored(obj, revision, previous.managed)
        self._reindex(resource, previous.obj, None)
        self._record(shelf, resource, Change("DELETED", revision, now, previous))
        return now

    def _record(self, shelf: Shelf, resource: str, change: Change) -> None:
        shelf.ordered = None
        shelf.revision = change.revision
        if len(shelf.history) == shelf.history.maxlen:
            shelf.floor = shelf.history[0].revision
        shelf.history.append(change)
        for callback in tuple(shelf.watchers):
            callback(change)
        for dirty, keys in shelf.readers:
            for key in _dirty_keys(change, keys):
                dirty(key)

    def _reindex(self, resource: str, old: Object | None, new: Object | None) -> None:
        if old is not None:
            self._disown(Ref(resource, *key_of(old)), old)
        if new is not None:
            for owner in owners_of(new):
                self._owned[owner.get("uid", "")].add(Ref(resource, *key_of(new)))
        for (indexed, _), index in self._indexes.items():
            if indexed == resource:
                index.change(old, new)

    def _disown(self, ref: Ref, obj: Object) -> None:
        for owner in owners_of(obj):
            uid = owner.get("uid", "")
            self._owned[uid].discard(ref)
            if not self._owned[uid]:
                del self._owned[uid]


class KeysIndex:
    """Keys of objects by computed values."""

    def __init__(self, values: Callable[[Object], Iterable[str]]) -> None:
        self.values = values
        self.keys: dict[str, set[Key]] = {}

    def change(self, old: Object | None, new: Object | None) -> None:
        """An object changed, came (old None) or went (new None)."""
        before = set(self.values(old)) if old else set()
        after = set(self.values(new)) if new else set()
        for value in before - after:
            keys = self.keys[value]
            keys.discard(key_of(old or {}))
            if not keys:
                del self.keys[value]
        for value in after - before:
            self.keys.setdefault(value, set()).add(key_of(new or {}))


def _dirty_keys(change: Change, keys: KeysOf | None) -> Iterable[Key]:
    if keys is None:
        return (key_of(change.now.obj),)
    found = dict.fromkeys(keys(change.now.obj))
    if change.previous is not None:
        found.update(dict.fromkeys(keys(change.previous.obj)))
    return found
