"""How fast lost nodes are tainted, zone by zone: slowly, and not at all when it looks as if the controller itself were cut off.

Follows `handleDisruption` and scheduler/rate_limited_queue.go of pkg/controller/nodelifecycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from kubepane_embedded.meta import Object, labels_of

REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
RATE = 0.1
"""Nodes tainted a second."""
SLOW_RATE = 0.01
LARGE_ZONE = 50
UNHEALTHY_SHARE = 0.55


class State(Enum):
    """What a zone looks like."""

    INITIAL = "Initial"
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def zone_of(node: Object) -> str:
    """Region and zone by the node's labels, "" without."""
    region, zone = labels_of(node).get(REGION) or "", labels_of(node).get(ZONE) or ""
    return f"{region}:\x00:{zone}" if region or zone else ""


@dataclass(slots=True)
class Zone:
    """One zone: its state, the lost nodes that wait for their taint, and when the next may get it."""

    state: State = State.INITIAL
    rate: float = RATE
    next_at: float = 0.0
    waiting: dict[str, None] = field(default_factory=dict)


class Zones:
    """All zones.

    Args:
        seconds: Tells cluster time.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._zones: dict[str, Zone] = {}

    def put(self, node: Object) -> None:
        """The node waits for its taint."""
        self._zones.setdefault(zone_of(node), Zone()).waiting[node["metadata"]["name"]] = None

    def drop(self, name: str) -> None:
        """The node does not wait any more."""
        for zone in self._zones.values():
            zone.waiting.pop(name, None)

    def due(self) -> list[str]:
        """Nodes that get their taint now, as far as the rate allows."""
        found, now = [], self._seconds()
        for zone in self._zones.values():
            if zone.waiting and zone.rate and zone.next_at <= now:
                name = next(iter(zone.waiting))
                del zone.waiting[name]
                zone.next_at = now + 1.0 / zone.rate
                found.append(name)
        return found

    def judge(self, ready: dict[str, list[bool]]) -> tuple[bool, bool]:
        """Take in which nodes are ready, by zone.

        Returns:
            Whether everything has just been lost (the controller is taken to be cut off), and whether that is just over.
        """
        states = {zone: _state(known) for zone, known in ready.items()}
        for zone in [zone for zone in self._zones if zone not in states]:
            del self._zones[zone]
        for zone in states:
            self._zones.setdefault(zone, Zone())
        lost = all(state is State.FULL for state in states.values())
        was_lost = all(zone.state is State.FULL for zone in self._zones.values())
        if lost and was_lost:
            return False, False
        for name, known in self._zones.items():
            known.state = states[name]
            known.rate = 0.0 if lost else _rate(known.state, len(ready[name]))
        return lost, was_lost


def _state(ready: list[bool]) -> State:
    bad = ready.count(False)
    if bad and bad == len(ready):
        return State.FULL
    return State.PARTIAL if bad > 2 and bad / len(ready) >= UNHEALTHY_SHARE else State.NORMAL


def _rate(state: State, size: int) -> float:
    if state is State.PARTIAL:
        return SLOW_RATE if size > LARGE_ZONE else 0.0
    return RATE
