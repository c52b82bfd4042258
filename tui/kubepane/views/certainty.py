"""Whether what may be concluded from the stores has changed since the last look: then all that is missing is judged anew."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores


class Certainty:
    """Watches the `known` of some kinds; looking costs a comparison of identities."""

    def __init__(self, stores: Stores, kinds: Iterable[Kind]) -> None:
        self._stores = [stores.of(kind) for kind in kinds]
        self._seen = [store.freshness for store in self._stores]
        self._known = [fresh.known for fresh in self._seen]

    def turned(self) -> bool:
        """Whether one of the stores became complete, or stopped being so, since the last call."""
        turned = False
        for i, store in enumerate(self._stores):
            fresh = store.freshness
            if fresh is not self._seen[i]:
                self._seen[i] = fresh
                turned = turned or fresh.known is not self._known[i]
                self._known[i] = fresh.known
        return turned
