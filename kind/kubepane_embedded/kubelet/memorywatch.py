"""Ends containers that use more memory than their limit allows (what the kernel does to them, seen by the kubelet as OOMKilled)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from kubepane_embedded.clock import Clock
from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.records import Run, Slot
from kubepane_embedded.meta import Object
from kubepane_embedded.quantity import parse

INTERVAL = 5.0
"""Seconds between two looks at all containers with a limit."""
KILLED, REASON = 137, "OOMKilled"


class Owner(Protocol):
    """The pod's worker."""

    pod: Object
    time: NodeTime

    def ended(self, slot: Slot, run: Run, code: int, reason: str) -> None:
        """A run is over."""


class Watched(NamedTuple):
    """A container that has a limit."""

    owner: Owner
    slot: Slot
    run: Run
    limit: int


class MemoryWatch:
    """Looks at all running containers with a memory limit, with one timer for all.

    Args:
        clock: Cluster time.
        memory: Bytes that a container of a pod uses now.
    """

    def __init__(self, clock: Clock, memory: Callable[[Object, str], int]) -> None:
        self._clock = clock
        self._memory = memory
        self._watched: dict[str, Watched] = {}
        self._waiting = False

    def add(self, owner: Owner, slot: Slot, run: Run) -> None:
        """Look after a run, when its container has a limit."""
        limit = ((slot.spec.get("resources") or {}).get("limits") or {}).get("memory")
        if limit is None:
            return
        self._watched[run.container_id] = Watched(owner, slot, run, int(parse(str(limit))))
        self._schedule()

    def remove(self, run: Run) -> None:
        """A run is over."""
        self._watched.pop(run.container_id, None)

    def _schedule(self) -> None:
        if not self._waiting and self._watched:
            self._waiting = True
            self._clock.call_later(INTERVAL, self._look)

    def _look(self) -> None:
        self._waiting = False
        for one in list(self._watched.values()):
            if not one.owner.time.stopped and self._memory(one.owner.pod, one.slot.name) > one.limit:
                one.owner.ended(one.slot, one.run, KILLED, REASON)
        self._schedule()
