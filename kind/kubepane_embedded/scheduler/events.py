"""Events as the scheduler writes them: events.k8s.io style, kept in the store as core/v1 (client-go/tools/events/event_broadcaster.go).

Equal events have the same object **at the same resourceVersion**, reason and action; the message does not count. The second of them is
written as a series of two, further ones are only counted, and the count is written when the series is refreshed or over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kubepane_embedded.client import Client
from kubepane_embedded.clock import micro_stamp
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, key_of
from kubepane_embedded.recorder import reference

COMPONENT = "default-scheduler"
FINISH_SECONDS = 360.0
REFRESH_SECONDS = 1800.0


class Same(NamedTuple):
    """What makes two events one."""

    type: str
    reason: str
    action: str
    about: tuple[tuple[str, Any], ...]


@dataclass(slots=True)
class Told:
    """An event that was written; `count` is 1 until it has become a series."""

    key: Key
    event: Object
    last: datetime
    count: int = 1


class EventRecorder:
    """Writes events in the scheduler's name.

    Args:
        client: Who writes.
        host: Machine that the scheduler runs on.
    """

    def __init__(self, client: Client, host: str) -> None:
        self._client = client
        self._clock = client.clock
        self._instance = f"{COMPONENT}-{host}"
        self._told: dict[Same, Told] = {}
        self._serial = 0

    def start(self) -> None:
        """Look after series from now on."""
        self._clock.call_later(FINISH_SECONDS, self._finish)
        self._clock.call_later(REFRESH_SECONDS, self._refresh)

    def event(self, about: Object, type: str, reason: str, action: str, message: str) -> None:
        """Record that something happened to an object; an event that is refused is lost."""
        regarding = reference(about)
        same = Same(type, reason, action, tuple(sorted(regarding.items())))
        told = self._told.get(same)
        if told is None:
            self._tell(same, regarding, message)
            return
        told.last = self._clock.now()
        told.count += 1
        if told.count == 2:
            self._write_series(told)

    def _tell(self, same: Same, regarding: dict[str, Any], message: str) -> None:
        now = self._clock.now()
        self._serial = (self._serial + 1) % 1000
        number = int(now.timestamp() * 1_000_000) * 1000 + self._serial
        namespace = regarding.get("namespace") or "default"
        event: Object = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"{regarding['name']}.{number:x}", "namespace": namespace},
            "involvedObject": regarding,
            "reason": same.reason,
            "message": message,
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": same.type,
            "eventTime": micro_stamp(now),
            "action": same.action,
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
        }
        self._told[same] = Told(key_of(event), event, now)
        self._create(event)

    def _create(self, event: Object) -> None:
        try:
            self._client.create("events", event)
        except ApiError:
            return  # its namespace is gone or going

    def _write_series(self, told: Told) -> None:
        """Write count and time of a series; an event that has expired is made again."""
        series = {"series": {"count": told.count, "lastObservedTime": micro_stamp(told.last)}}
        try:
            self._client.patch("events", *told.key, series)
        except ApiError as refusal:
            if refusal.code == 404:
                self._create(told.event | series)

    def _refresh(self) -> None:
        """Keep the events of series from expiring."""
        for told in self._told.values():
            if told.count > 1:
                self._write_series(told)
        self._clock.call_later(REFRESH_SECONDS, self._refresh)

    def _finish(self) -> None:
        """Forget what has not been repeated for a while, a series with its final count."""
        before = self._clock.now() - timedelta(seconds=FINISH_SECONDS)
        for same, told in list(self._told.items()):
            if told.last < before:
                if told.count > 1:
                    self._write_series(told)
                del self._told[same]
        self._clock.call_later(FINISH_SECONDS, self._finish)
