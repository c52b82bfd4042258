"""What each object touched when it was last looked at, so that its change or end also reaches the rows it has left."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Trail:
    """uid → the keys it touches; only objects that touch any are remembered.

    Args:
        keys_of: the keys that an object touches now; none for one that is gone.
    """

    def __init__(self, keys_of: Callable[[str], Iterable[str]]) -> None:
        self._keys_of = keys_of
        self._last: dict[str, tuple[str, ...]] = {}

    def follow(self, uids: Iterable[str]) -> set[str]:
        """The keys that these objects touch now or touched the last time."""
        found: set[str] = set()
        for uid in uids:
            old, new = self._last.get(uid), tuple(self._keys_of(uid))
            if old:
                found.update(old)
            if new:
                found.update(new)
                self._last[uid] = new
            elif old:
                del self._last[uid]
        return found

    def all(self) -> set[str]:
        """All keys that were touched when their objects were last looked at."""
        return {key for keys in self._last.values() for key in keys}
