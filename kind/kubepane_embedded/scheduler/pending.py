"""The pods that wait for a node: ready to be tried, backing off, or waiting for a reason to try again (scheduler/backend/queue).

As in 1.35 a pod that backs off after a rejection is tried early when nothing else is to be done (SchedulerPopFromBackoffQ); one that
backs off after an error is not.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from kubepane_embedded.clock import Clock, Timer
from kubepane_embedded.meta import Key
from kubepane_embedded.scheduler.podinfo import PodInfo

FIRST_BACKOFF = 1.0
LAST_BACKOFF = 10.0
FLUSH_SECONDS = 300.0
"""After so long without a reason a pod is tried all the same."""


class Place(Enum):
    """Where a waiting pod is."""

    ACTIVE = "to be tried next, by priority and age"
    BACKOFF = "rejected, with a reason to be tried again soon"
    ERROR = "to be tried again after an error, not before its time"
    REJECTED = "waits for a reason to be tried again"
    GATED = "not to be tried before its gates are gone"
    FLIGHT = "being tried or bound"


@dataclass(slots=True, eq=False)
class Waiting:
    """One waiting pod.

    Args:
        pod: Its newest version.
        since: Cluster seconds when it came, or was last rejected.
        order: Of equally old ones who came first.
    """

    pod: PodInfo
    since: float
    order: int
    place: Place = Place.ACTIVE
    rejections: int = 0
    errors: int = 0
    plugins: frozenset[str] = frozenset()
    """Filters that rejected it the last time; empty after an error."""
    turn: int = field(default=0)
    """Which of its entries on a heap is the valid one."""

    @property
    def rank(self) -> tuple[float, float, int]:
        """Order of trying: higher priority first, then age (plugin queuesort)."""
        return (-self.pod.priority, self.since, self.order)

    @property
    def ready_at(self) -> float:
        """When its back-off is over."""
        count = self.errors or self.rejections
        return self.since + min(FIRST_BACKOFF * 2.0 ** (count - 1), LAST_BACKOFF) if count else self.since


Entry = tuple[tuple[float, ...], int, int, Waiting]


class Pending:
    """All waiting pods.

    Args:
        clock: Cluster time.
        wake: Called when a pod has become ready to be tried.
    """

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._pods: dict[Key, Waiting] = {}
        self._heaps: dict[Place, list[Entry]] = {Place.ACTIVE: [], Place.BACKOFF: [], Place.ERROR: []}
        self._rejected: dict[Key, Waiting] = {}
        self._serial = itertools.count()
        self._timer: Timer | None = None

    def get(self, key: Key) -> Waiting | None:
        """A waiting pod, or None."""
        return self._pods.get(key)

    def rejected(self) -> list[Waiting]:
        """Pods that wait for a reason."""
        return list(self._rejected.values())

    def add(self, pod: PodInfo) -> None:
        """A new pod wants a node."""
        waiting = self._pods[pod.key] = Waiting(pod, self._clock.seconds(), next(self._serial))
        self._put(waiting, Place.GATED if pod.gates else Place.ACTIVE)

    def remove(self, key: Key) -> None:
        """A pod is gone, or has its node."""
        waiting = self._pods.pop(key, None)
        self._rejected.pop(key, None)
        if waiting is not None:
            waiting.turn = -1

    def ungate(self, waiting: Waiting) -> None:
        """The gates of a pod are gone."""
        self._put(waiting, Place.ACTIVE)

    def retry(self, waiting: Waiting) -> None:
        """There is a reason to try a rejected pod again, after its back-off."""
        over = waiting.ready_at <= self._clock.seconds()
        self._put(waiting, Place.ACTIVE if over else Place.BACKOFF)

    def pop(self) -> Waiting | None:
        """The next pod to try, or None."""
        now = self._clock.seconds()
        for place in (Place.BACKOFF, Place.ERROR):
            while (first := self._first(place)) is not None and first.ready_at <= now:
                self._put(first, Place.ACTIVE)
        found = self._first(Place.ACTIVE) or self._first(Place.BACKOFF)
        if found is not None:
            self._put(found, Place.FLIGHT)
        return found

    def reject(self, waiting: Waiting, plugins: set[str]) -> None:
        """A try failed; without filters that rejected the pod it was an error."""
        if self._pods.get(waiting.pod.key) is not waiting or waiting.place is not Place.FLIGHT:
            return
        waiting.since = self._clock.seconds()
        waiting.plugins = frozenset(plugins)
        if plugins:
            waiting.rejections += 1
            waiting.errors = 0
            self._put(waiting, Place.REJECTED)
        else:
            waiting.errors += 1
            self._put(waiting, Place.ERROR)

    def _put(self, waiting: Waiting, place: Place) -> None:
        waiting.place = place
        waiting.turn += 1
        key = waiting.pod.key
        self._rejected.pop(key, None)
        if place is Place.REJECTED:
            self._rejected[key] = waiting
            self._arm(waiting.since + FLUSH_SECONDS)
        elif place in self._heaps:
            rank = waiting.rank if place is Place.ACTIVE else (waiting.ready_at, *waiting.rank)
            heapq.heappush(self._heaps[place], (rank, next(self._serial), waiting.turn, waiting))
            if place is Place.ERROR:
                self._arm(waiting.ready_at)
            else:
                self._wake()

    def _first(self, place: Place) -> Waiting | None:
        heap = self._heaps[place]
        while heap and heap[0][3].turn != heap[0][2]:
            heapq.heappop(heap)
        return heap[0][3] if heap else None

    def _arm(self, when: float) -> None:
        """See to it that `_look` runs at a time, or earlier."""
        if self._timer is not None and self._timer.pending:
            if self._timer.when <= when:
                return
            self._timer.cancel()
        self._timer = self._clock.call_at(when, self._look)

    def _look(self) -> None:
        """Pods that were rejected long ago are tried again; wake up for those whose back-off is over."""
        now = self._clock.seconds()
        for waiting in self.rejected():
            if waiting.since + FLUSH_SECONDS <= now:
                self.retry(waiting)
        times = [waiting.since + FLUSH_SECONDS for waiting in self._rejected.values()]
        error = self._first(Place.ERROR)
        if error is not None and error.ready_at <= now:
            self._wake()
        elif error is not None:
            times.append(error.ready_at)
        if times:
            self._arm(min(times))
