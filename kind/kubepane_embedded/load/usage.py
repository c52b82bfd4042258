"""CPU and memory of simulated containers: computed when asked, from objects, demand and time."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.backend import Backend
from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.faults import asked
from kubepane_embedded.load.chance import deviation
from kubepane_embedded.load.demand import Demand, idle
from kubepane_embedded.meta import Key, Object, annotations_of, key_of, uid_of
from kubepane_embedded.quantity import parse

IDLE_NOISE = 0.04
"""An idle container uses up to so much less than its application says: never more, so that rounded up it always reads the same."""
MEMORY_NOISE = 0.03
PAGE = 4096
SESSION_BYTES = 256 * 1024
FAULT = "memory"


class Usage:
    """What containers use.

    Args:
        core: The cluster.
        demand: Who works for users.
    """

    def __init__(self, core: Backend, demand: Demand) -> None:
        self._storage = core.storage
        self._clock = core.clock
        self.demand = demand
        self._asked: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """Note from when on pods are asked to use more memory."""
        self._storage.subscribe("pods", self._noted, _faulty)
        for pod in self._storage.objects("pods"):
            for key in _faulty(pod):
                self._noted(key)

    def _noted(self, key: Key) -> None:
        pod = self._storage.read("pods", *key)
        if pod is None:
            return
        text = asked(pod, FAULT) or ""
        gone = [one for one in self._asked if one[0] == uid_of(pod) and one[1] != text]
        for one in gone:
            del self._asked[one]
        if text:
            self._asked.setdefault((uid_of(pod), text), self._clock.seconds())

    def cpu(self, pod: Object, container: str) -> int:
        """Millicores of a container at this moment."""
        spec = container_of(pod, container)
        calm = self.idle_cpu(uid_of(pod), idle(spec).idle_cpu, int(self._clock.seconds()))
        return round(calm + self.demand.busy((uid_of(pod), container)))

    @staticmethod
    def idle_cpu(uid: str, amount: float, second: int) -> float:
        """Millicores without users around a moment."""
        return amount * (1.0 - IDLE_NOISE * deviation(uid, second))

    def memory(self, pod: Object, container: str) -> int:
        """Bytes of a container at this moment, in whole pages."""
        meta = pod["metadata"]
        calm = idle(container_of(pod, container)).idle_memory
        users = self.demand.sessions((meta["uid"], container)) if self.demand.spreads else 0.0
        amount = calm * (1.0 + MEMORY_NOISE * deviation(meta["uid"], 0)) + int(users) * SESSION_BYTES
        if meta.get("annotations"):
            amount = self._grown(pod, container, amount)
        return int(amount) // PAGE * PAGE

    def _grown(self, pod: Object, container: str, calm: float) -> float:
        """With the fault `600Mi@over=60s`: from the calm amount to that one, in so many seconds from the asking or the container's start."""
        text = asked(pod, FAULT)
        wanted = growth(text) if text else None
        if text is None or wanted is None:
            return calm
        goal, seconds = wanted
        begun = max(self._asked.get((uid_of(pod), text), 0.0), self._started(pod, container))
        way = 1.0 if seconds <= 0 else min(1.0, max(0.0, (self._clock.seconds() - begun) / seconds))
        return max(calm, calm + (goal - calm) * way)

    def _started(self, pod: Object, container: str) -> float:
        """Cluster seconds at which the container's present run began; 0 when unknown."""
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        state = next((one.get("state") or {} for one in statuses if one.get("name") == container), {})
        text = (state.get("running") or {}).get("startedAt")
        return (parse_stamp(text) - self._clock.now()).total_seconds() + self._clock.seconds() if text else 0.0


def container_of(pod: Object, name: str) -> dict[str, Any]:
    """A container (or init container) of a pod's spec; {} when there is none."""
    spec: dict[str, Any] = pod["spec"]
    container: dict[str, Any]
    for container in spec["containers"]:
        if container["name"] == name:
            return container
    return next((one for one in spec.get("initContainers") or [] if one["name"] == name), {})


def growth(text: str) -> tuple[float, float] | None:
    """`600Mi@over=60s` as bytes and seconds; None when it cannot be read."""
    amount, _, how = text.partition("@")
    try:
        over = float(how.removeprefix("over=").removesuffix("s")) if how else 0.0
        return float(parse(amount)), over
    except ValueError:
        return None


def _faulty(pod: Object) -> tuple[Key, ...]:
    return (key_of(pod),) if annotations_of(pod) and asked(pod, FAULT) is not None else ()
