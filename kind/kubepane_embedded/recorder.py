"""Events as controllers and kubelets write them: core/v1, equal ones counted, similar ones combined, too many dropped.

Follows client-go/tools/record/events_cache.go. The scheduler writes the other style: see `scheduler/`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubepane_embedded.backend import Writer
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, key_of, uid_of

NORMAL = "Normal"
WARNING = "Warning"
CACHE = 4096
SIMILAR = 10
"""Messages of one reason within `SIMILAR_SECONDS` before they are combined."""
SIMILAR_SECONDS = 600.0
BURST = 25
REFILL_SECONDS = 300.0
"""One more event per object and source is allowed every so many seconds after the first `BURST`."""


class Said(NamedTuple):
    """What makes two events the same."""

    about: str
    field_path: str
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class Kind:
    """Recent messages of one reason about one object."""

    messages: dict[str, None] = field(default_factory=dict)
    last: float = 0.0


@dataclass(slots=True)
class Allowance:
    """Token bucket of one object."""

    tokens: float
    last: float


def reference(about: Object, field_path: str = "") -> dict[str, Any]:
    """The ObjectReference to an object."""
    namespace, name = key_of(about)
    reference = {"kind": about["kind"], "namespace": namespace, "name": name, "uid": uid_of(about)}
    reference |= {"apiVersion": about["apiVersion"], "resourceVersion": about["metadata"].get("resourceVersion"), "fieldPath": field_path}
    return {key: value for key, value in reference.items() if value}


class Recorder:
    """Writes events about objects in the name of one component.

    Args:
        client: Who writes.
        component: `deployment-controller`, `kubelet` … (source.component and reportingComponent).
        host: Node of a kubelet, "" for controllers.
    """

    def __init__(self, client: Writer, component: str, host: str = "") -> None:
        self._client = client
        self._clock = client.clock
        self._source = {"component": component, **({"host": host} if host else {})}
        self._latest = 0
        """Nanoseconds in the newest event's name: events of one source sort by name in the order in which they were told."""
        self._names: OrderedDict[Said, tuple[str, str]] = OrderedDict()
        self._kinds: OrderedDict[Said, Kind] = OrderedDict()
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def event(self, about: Object, type: str, reason: str, message: str, field_path: str = "") -> None:
        """Record that something happened to an object; never raises (an event that is refused is lost, as upstream)."""
        if not self._allowed(_identity(about)):
            return
        said = self._combined(Said(_identity(about), field_path, type, reason, message))
        try:
            if not self._count(said):
                self._create(about, said)
        except ApiError:
            self._names.pop(said, None)

    def _allowed(self, about: str) -> bool:
        now = self._clock.seconds()
        bucket = _slot(self._allowances, about, Allowance(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.last) / REFILL_SECONDS)
        bucket.last = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _combined(self, said: Said) -> Said:
        now = self._clock.seconds()
        kind = _slot(self._kinds, said._replace(message=""), Kind())
        if now - kind.last > SIMILAR_SECONDS:
            kind.messages.clear()
        kind.last = now
        kind.messages[said.message] = None
        if len(kind.messages) < SIMILAR:
            return said
        kind.messages.popitem()  # the one just added; upstream forgets any of them, by chance
        return said._replace(message=f"(combined from similar events): {said.message}")

    def _count(self, said: Said) -> bool:
        """One more of an event that is there; False when it is not."""
        key = self._names.get(_key(said))
        present = self._client.storage.read("events", *key) if key else None
        if key is None or present is None:
            return False
        patch = {"count": (present.get("count") or 1) + 1, "lastTimestamp": self._clock.stamp(), "message": said.message}
        self._client.patch("events", *key, patch)
        return True

    def _reference(self, about: Object, field_path: str) -> dict[str, Any]:
        """The reference; kubelets say their node's name for its uid."""
        found = reference(about, field_path)
        return found | {"uid": found["name"]} if "host" in self._source and about["kind"] == "Node" else found

    def _create(self, about: Object, said: Said) -> None:
        namespace, name = key_of(about)
        now = self._clock.now()
        self._latest = max(int(now.timestamp() * 1_000_000) * 1000, self._latest) + 1 + self._client.seed.below(1000)
        event: Object = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": f"{name}.{self._latest:x}", "namespace": namespace or "default"},
            "involvedObject": self._reference(about, said.field_path),
            "reason": said.reason,
            "message": said.message,
            "source": dict(self._source),
            "firstTimestamp": self._clock.stamp(),
            "lastTimestamp": self._clock.stamp(),
            "count": 1,
            "type": said.type,
            "eventTime": None,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
        }
        self._names[_key(said)] = key_of(self._client.create("events", event))
        if len(self._names) > CACHE:
            self._names.popitem(last=False)


def _identity(about: Object) -> str:
    """What tells objects apart, also those that are known by name only."""
    return "/".join((about["kind"], *key_of(about), uid_of(about)))


def _key(said: Said) -> Said:
    """Combined events are one, whatever their newest message says."""
    return said._replace(message="*") if said.message.startswith("(combined") else said


def _slot(cache: OrderedDict[Any, Any], key: Any, fresh: Any) -> Any:
    """The entry of a key, made when absent; the oldest is forgotten when there are too many."""
    found = cache.get(key)
    if found is None:
        found = cache[key] = fresh
        if len(cache) > CACHE:
            cache.popitem(last=False)
    return found
