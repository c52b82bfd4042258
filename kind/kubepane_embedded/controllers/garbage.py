"""Garbage collection: what has lost its owners goes, and a deleted owner waits for its dependents or lets go of them.

Follows kubernetes/pkg/controller/garbagecollector/garbagecollector.go and graph_builder.go. Upstream keeps a graph of its own; here the
store knows who is owned by whom (`Storage.owned`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from kubepane_embedded.core import Core
from kubepane_embedded.deletion import FOREGROUND, ORPHAN
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, finalizers_of, is_deleting, key_of, owners_of, uid_of
from kubepane_embedded.recorder import WARNING, Recorder
from kubepane_embedded.storage import Change
from kubepane_embedded.workqueue import WorkQueue

IGNORED = frozenset({"events"})
"""Kinds that are never collected (GarbageCollectorIgnoredResources)."""
Reference = dict[str, Any]


class Owners(NamedTuple):
    """The owner references of an object, by what became of the owners."""

    solid: list[Reference]
    dangling: list[Reference]
    waiting: list[Reference]
    """Owners that wait for their dependents to go (foreground deletion)."""


class GarbageCollector:
    """Collects dependents in the background, in the foreground, or orphans them.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._registry = core.registry
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "garbage-collector-controller")
        names = dict.fromkeys(item.storage for item in core.registry.resources if item.storage and item.storage not in IGNORED)
        self._queues = {name: WorkQueue(core.clock, partial(self._attempt, name), f"garbage-collector {name}") for name in names}

    def start(self) -> None:
        """Follow every resource; look once at all that has owners or waits."""
        for resource, queue in self._queues.items():
            self._storage.watch(resource, partial(self._notice, resource))
            for obj in self._storage.objects(resource):
                if owners_of(obj) or is_deleting(obj):
                    queue.add(key_of(obj))

    # noticing: only what can change an answer makes work, so that status writes cost nothing

    def _notice(self, resource: str, change: Change) -> None:
        now = change.now.obj
        previous = change.previous.obj if change.previous else None
        if change.type == "DELETED":
            self._look_at_dependents(now)
            self._look_at_waiting_owners(now)
            return
        before = previous["metadata"] if previous else {}
        meta = now["metadata"]
        owners_changed = before.get("ownerReferences") != meta.get("ownerReferences")
        waits = is_deleting(now) and (before.get("deletionTimestamp") is None or before.get("finalizers") != meta.get("finalizers"))
        if owners_changed or waits:
            self._queues[resource].add(key_of(now))
        if owners_changed and previous is not None:
            self._look_at_waiting_owners(previous)

    def _look_at_dependents(self, owner: Object) -> None:
        for resource, dependent in self._storage.owned(uid_of(owner)):
            if resource in self._queues:
                self._queues[resource].add(key_of(dependent))

    def _look_at_waiting_owners(self, dependent: Object) -> None:
        for reference in owners_of(dependent):
            found = self._owner(reference, key_of(dependent)[0])
            if found is not None and is_deleting(found[1]) and finalizers_of(found[1]):
                self._queues[found[0]].add(key_of(found[1]))

    def _owner(self, reference: Reference, namespace: str) -> tuple[str, Object] | None:
        """(resource, object) that a reference of an object in `namespace` means; None when it does not exist there."""
        served = self._registry.of_kind(reference.get("apiVersion") or "", reference.get("kind") or "")
        if served is None:
            return None
        found = self._storage.read(served.storage, namespace if served.namespaced else "", reference.get("name") or "")
        return (served.storage, found) if found is not None and uid_of(found) == reference.get("uid") else None

    # acting

    def _attempt(self, resource: str, key: Key) -> None:
        obj = self._storage.read(resource, *key)
        if obj is None:
            return
        if is_deleting(obj):
            if ORPHAN in finalizers_of(obj):
                self._orphan(resource, obj)
            elif FOREGROUND in finalizers_of(obj):
                self._wait_for_dependents(resource, obj)
        elif owners_of(obj):
            self._collect(resource, obj)

    def _collect(self, resource: str, obj: Object) -> None:
        owners = self._classify(obj)
        if owners is None:
            return
        dependents = self._storage.owned(uid_of(obj))
        if owners.solid:
            if owners.dangling or owners.waiting:
                self._drop_owners(resource, obj, {one.get("uid") for one in (*owners.dangling, *owners.waiting)})
        elif owners.waiting and dependents:
            if any(is_deleting(dependent) and FOREGROUND in finalizers_of(dependent) for _, dependent in dependents):
                self._unblock(resource, obj)
            self._delete(resource, obj, "Foreground")
        else:
            present = finalizers_of(obj)
            self._delete(resource, obj, "Orphan" if ORPHAN in present else "Foreground" if FOREGROUND in present else "Background")

    def _classify(self, obj: Object) -> Owners | None:
        """None when an owner's kind is unknown or cannot own the object: it is left alone then."""
        owners = Owners([], [], [])
        namespace = key_of(obj)[0]
        for reference in owners_of(obj):
            served = self._registry.of_kind(reference.get("apiVersion") or "", reference.get("kind") or "")
            if served is None:
                return None
            if served.namespaced and not namespace:
                self._tell_wrong_namespace(obj, reference)
                return None
            found = self._owner(reference, namespace)
            if found is None:
                if served.namespaced and self._is_elsewhere(served.storage, reference):
                    self._tell_wrong_namespace(obj, reference)
                owners.dangling.append(reference)
            elif is_deleting(found[1]) and FOREGROUND in finalizers_of(found[1]):
                owners.waiting.append(reference)
            else:
                owners.solid.append(reference)
        return owners

    def _is_elsewhere(self, resource: str, reference: Reference) -> bool:
        """Whether the owner lives in another namespace, where it cannot own anything."""
        spaces = (key_of(one)[1] for one in self._storage.objects("namespaces"))
        same_name = (self._storage.read(resource, space, reference.get("name") or "") for space in spaces)
        return any(one is not None and uid_of(one) == reference.get("uid") for one in same_name)

    def _tell_wrong_namespace(self, obj: Object, reference: Reference) -> None:
        namespace = key_of(obj)[0]
        version, kind, name, uid = (reference.get(part) for part in ("apiVersion", "kind", "name", "uid"))
        owner = f"[{version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}]"
        text = f'ownerRef {owner} does not exist in namespace "{namespace}"'
        about = {**obj, "metadata": {part: value for part, value in obj["metadata"].items() if part != "resourceVersion"}}
        self._recorder.event(about, WARNING, "OwnerRefInvalidNamespace", text)

    def _wait_for_dependents(self, resource: str, owner: Object) -> None:
        """Foreground: dependents first; the finalizer goes when none that blocks is left."""
        uid = uid_of(owner)
        dependents = self._storage.owned(uid)
        blocking = [(kind, one) for kind, one in dependents if any(_blocks(reference, uid) for reference in owners_of(one))]
        if not blocking:
            self._drop_finalizer(resource, owner, FOREGROUND)
        for kind, dependent in dependents if blocking else ():
            if kind in self._queues and not is_deleting(dependent):
                self._queues[kind].add(key_of(dependent))

    def _orphan(self, resource: str, owner: Object) -> None:
        for kind, dependent in self._storage.owned(uid_of(owner)):
            self._drop_owners(kind, dependent, {uid_of(owner)})
        self._drop_finalizer(resource, owner, ORPHAN)

    def _drop_owners(self, resource: str, obj: Object, uids: set[Any]) -> None:
        left = [reference for reference in owners_of(obj) if reference.get("uid") not in uids]
        self._write(resource, obj, {"ownerReferences": left or None})

    def _unblock(self, resource: str, obj: Object) -> None:
        """In a circle of owners nobody may block: otherwise all would wait for ever."""
        self._write(resource, obj, {"ownerReferences": [{**reference, "blockOwnerDeletion": False} for reference in owners_of(obj)]})

    def _drop_finalizer(self, resource: str, obj: Object, finalizer: str) -> None:
        left = [one for one in finalizers_of(obj) if one != finalizer]
        self._write(resource, obj, {"finalizers": left or None})

    def _write(self, resource: str, obj: Object, meta: dict[str, Any]) -> None:
        """Patch metadata of this very object; one that is gone is well."""
        try:
            self._client.patch(resource, *key_of(obj), {"metadata": {"uid": uid_of(obj), **meta}})
        except ApiError as refusal:
            if refusal.code != 404:
                raise

    def _delete(self, resource: str, obj: Object, propagation: str) -> None:
        try:
            self._client.delete(resource, *key_of(obj), propagation=propagation, uid=uid_of(obj))
        except ApiError as refusal:
            if refusal.code not in (404, 409):
                raise


def _blocks(reference: Reference, uid: str) -> bool:
    return reference.get("uid") == uid and bool(reference.get("blockOwnerDeletion"))
