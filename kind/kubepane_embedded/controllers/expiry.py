"""Events live for an hour after their last change: the API server's lease in etcd (--event-ttl)."""

from __future__ import annotations

from collections import deque

from kubepane_embedded.clock import Timer
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, key_of
from kubepane_embedded.storage import Change

EVENTS = "events"
LIFETIME = 3600.0
GRAIN = 10.0
"""Expired events are taken out together, this often at most."""


class EventExpiry:
    """Deletes old Events. One timer and one queue in the order of writing, whatever the number of Events.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._clock = core.clock
        self._client = core.client("kube-apiserver")
        self._written: deque[tuple[float, Key, str]] = deque()
        """(when it ends, key, resourceVersion): a later change of the same Event stands further back."""
        self._timer: Timer | None = None

    def start(self) -> None:
        """Follow Events; those that are there get a whole hour from now."""
        self._storage.watch(EVENTS, self._notice)
        for event in self._storage.objects(EVENTS):
            self._keep(key_of(event), event["metadata"]["resourceVersion"])

    def _notice(self, change: Change) -> None:
        if change.type != "DELETED":
            self._keep(key_of(change.now.obj), str(change.revision))

    def _keep(self, key: Key, revision: str) -> None:
        self._written.append((self._clock.seconds() + LIFETIME, key, revision))
        self._arm()

    def _arm(self) -> None:
        if self._written and (self._timer is None or not self._timer.pending):
            self._timer = self._clock.call_at(self._written[0][0] + GRAIN, self._expire)

    def _expire(self) -> None:
        now = self._clock.seconds()
        while self._written and self._written[0][0] <= now:
            _, key, revision = self._written.popleft()
            event = self._storage.read(EVENTS, *key)
            if event is not None and event["metadata"]["resourceVersion"] == revision:
                self._delete(key)
        self._arm()

    def _delete(self, key: Key) -> None:
        try:
            self._client.delete(EVENTS, *key)
        except ApiError as refusal:
            if refusal.code != 404:
                raise
