"""What we know of the server's objects: the newest version of each that came by a list, a watch, or as the answer to a write of ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from kubepane_embedded.meta import Key, Object, key_of, uid_of
from kubepane_embedded.storage import Storage

KEPT = 4096
"""Objects kept of kinds that are only written (events)."""


def revision_of(obj: Object) -> int:
    """The resourceVersion as a number: versions of one resource can be compared (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


class Mirror:
    """Keeps a `Storage` like the server's. Whatever the order in which news arrives, an older version never replaces a newer one.

    Args:
        storage: What the kubelets read.
        followed: Resources that are watched; of others only what we wrote ourselves is known, the newest of it.
    """

    def __init__(self, storage: Storage, followed: Iterable[str]) -> None:
        self.storage = storage
        self._followed = frozenset(followed)
        self._listed: dict[str, int] = {}
        self._written: OrderedDict[tuple[str, Key], None] = OrderedDict()

    def take(self, resource: str, obj: Object) -> None:
        """A version of an object; the server's managedFields are not kept."""
        present = self.storage.read(resource, *key_of(obj))
        if present is None or revision_of(obj) > revision_of(present):
            self._keep(resource, obj)

    def drop(self, resource: str, last: Object) -> None:
        """An object is gone; `last` is its last state."""
        present = self.storage.read(resource, *key_of(last))
        if present is not None and uid_of(present) == uid_of(last):
            self.storage.remove(resource, *key_of(last))

    def replace(self, resource: str, objects: Iterable[Object], revision: int) -> None:
        """A whole list of a resource, taken at a revision.

        Objects that are not in it are gone, but for those written since. When the server's history went backwards (a restored etcd), what
        was known is worth nothing.
        """
        backwards = revision < self._listed.get(resource, 0)
        self._listed[resource] = revision
        listed = {key_of(obj): obj for obj in objects}
        for present in list(self.storage.objects(resource)):
            if key_of(present) not in listed and (backwards or revision_of(present) <= revision):
                self.storage.remove(resource, *key_of(present))
        for obj in listed.values():
            if backwards:
                self._keep(resource, obj)
            else:
                self.take(resource, obj)

    def reached(self, resource: str, revision: int) -> None:
        """A watch has come so far."""
        self._listed[resource] = max(revision, self._listed.get(resource, 0))

    def _keep(self, resource: str, obj: Object) -> None:
        obj["metadata"].pop("managedFields", None)
        self.storage.mirror(resource, obj)
        if resource not in self._followed:
            place = (resource, key_of(obj))
            self._written[place] = None
            self._written.move_to_end(place)
            if len(self._written) > KEPT:
                (oldest, key), _ = self._written.popitem(last=False)
                self.storage.remove(oldest, *key)
