"""What a kubelet's /metrics/resource says of its node: CPU used so far, memory now (pkg/kubelet/metrics/collectors/resource_metrics.go)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubepane_embedded.backend import Backend
from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.load.metrics import SYSTEM_CPU, SYSTEM_MEMORY
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.meta import Object, key_of, uid_of
from kubepane_embedded.podindexes import pods_on

STARTING = 0.02
"""CPU seconds that starting a container takes. metrics-server does not believe in containers that never used any, and hides their pods."""
TYPES = """\
# TYPE node_cpu_usage_seconds_total counter
# TYPE node_memory_working_set_bytes gauge
# TYPE container_cpu_usage_seconds_total counter
# TYPE container_memory_working_set_bytes gauge
# TYPE container_start_time_seconds gauge
"""


@dataclass(slots=True)
class Counter:
    """CPU seconds of one run of a container, or of a node, up to a time."""

    begun: float
    at: float
    total: float = STARTING

    def count(self, millicores: float, now: float) -> float:
        """Add what was used since the last time."""
        self.total += millicores / 1000.0 * max(0.0, now - self.at)
        self.at = now
        return self.total


class Figures:
    """The figures of all nodes. CPU is added up whenever somebody asks, at the rate of that moment.

    Args:
        backend: The cluster.
        usage: What containers use.
    """

    def __init__(self, backend: Backend, usage: Usage) -> None:
        self._storage = backend.storage
        self._clock = backend.clock
        self._usage = usage
        self._counters: dict[tuple[str, str, str], Counter] = {}

    def text(self, node: str) -> str:
        """Prometheus text; times are milliseconds since 1970."""
        self._usage.demand.prune()
        now, at = self._clock.seconds(), int(self._clock.now().timestamp() * 1000)
        lines = []
        cpu, memory, seen = SYSTEM_CPU, SYSTEM_MEMORY, {(node, "", "")}
        for pod in pods_on(self._storage, node):
            for name, begun in self._running(pod):
                mine, mine_bytes = self._usage.cpu(pod, name), self._usage.memory(pod, name)
                cpu, memory = cpu + mine, memory + mine_bytes
                seen.add(place := (node, uid_of(pod), name))
                labels = f'{{container="{name}",namespace="{key_of(pod)[0]}",pod="{key_of(pod)[1]}"}}'
                total = self._counter(place, begun).count(mine, now)
                lines.append(f"container_cpu_usage_seconds_total{labels} {total:.6f} {at}")
                lines.append(f"container_memory_working_set_bytes{labels} {mine_bytes} {at}")
                lines.append(f"container_start_time_seconds{labels} {self._clock.start.timestamp() + begun:.3f} {at}")
        total = self._counter((node, "", ""), 0.0).count(cpu, now)
        lines += [f"node_cpu_usage_seconds_total {total:.6f} {at}", f"node_memory_working_set_bytes {memory} {at}"]
        self._forget(node, seen)
        return TYPES + "\n".join(lines) + "\n"

    def _running(self, pod: Object) -> Iterator[tuple[str, float]]:
        """Containers that run, and since when (seconds of the clock)."""
        status: dict[str, Any] = pod.get("status") or {}
        for one in status.get("containerStatuses") or []:
            started = ((one.get("state") or {}).get("running") or {}).get("startedAt")
            if started:
                yield one["name"], (parse_stamp(started) - self._clock.start).total_seconds()

    def _counter(self, place: tuple[str, str, str], begun: float) -> Counter:
        """The counter of a run; another run begins at nothing."""
        found = self._counters.get(place)
        if found is None or found.begun != begun:
            found = self._counters[place] = Counter(begun, begun)
        return found

    def _forget(self, node: str, seen: set[tuple[str, str, str]]) -> None:
        for place in [place for place in self._counters if place[0] == node and place not in seen]:
            del self._counters[place]
