"""The kubelets' figures as metrics-server reads them: counters that only grow, begin again with each run, and are forgotten with their pod."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, strategies as st

from kubepane_controlplane.kubelets.figures import STARTING, Counter, Figures
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.podindexes import index_pods_by_node
from kubepane_embedded.seed import Seed

SERIES = re.compile(r'^(\w+)(?:\{container="(\w+)",namespace="(\w+)",pod="(\w+)"\})? ([0-9.]+) (\d+)$', re.MULTILINE)


class Node:
    """A node with one pod, and what its kubelet says of it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.core = Core(self.clock, Seed(1))
        index_pods_by_node(self.core.storage)
        self.figures = Figures(self.core, Usage(self.core, Demand(self.core)))

    def run(self, started: str, name: str = "p", image: str = "nginx:1.27") -> None:
        status = {"containerStatuses": [{"name": "c", "state": {"running": {"startedAt": started}}}]}
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": image}]}
        meta: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"u-{name}"}
        self.core.storage.put("pods", {"kind": "Pod", "metadata": meta, "spec": spec, "status": status})

    def read(self) -> dict[str, float]:
        return {name: float(value) for name, _, _, _, value, _ in SERIES.findall(self.figures.text("n"))}


@given(st.lists(st.tuples(st.floats(0, 4000), st.floats(0, 100)), max_size=20))
def test_a_counter_never_falls_and_is_the_sum_of_what_was_used(steps: list[tuple[float, float]]) -> None:
    counter, now, total = Counter(0.0, 0.0), 0.0, STARTING
    for millicores, passed in steps:
        now += passed
        total += millicores / 1000 * passed
        before = counter.total
        assert counter.count(millicores, now) >= before
    assert abs(counter.total - total) < 1e-6 * max(1.0, total)


def test_every_line_can_be_read_and_says_when() -> None:
    node = Node()
    node.run(node.clock.stamp())
    node.clock.advance(10)
    text = node.figures.text("n")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(SERIES.findall(text)) == 5
    assert {line.rpartition(" ")[2] for line in lines} == {str(int(node.clock.now().timestamp() * 1000))}


def test_cpu_of_ten_seconds_is_the_rate_times_ten() -> None:
    node = Node()
    node.run(node.clock.stamp())
    node.clock.advance(10)
    first = node.read()
    node.clock.advance(10)
    second = node.read()
    assert STARTING < first["container_cpu_usage_seconds_total"] < 0.1
    assert second["container_cpu_usage_seconds_total"] > first["container_cpu_usage_seconds_total"]
    assert second["node_cpu_usage_seconds_total"] - first["node_cpu_usage_seconds_total"] > 0.5  # the system itself


def test_who_does_nothing_has_started_at_least() -> None:
    node = Node()
    node.run(node.clock.stamp(), image="registry.k8s.io/pause:3.10")
    node.clock.advance(60)
    assert node.read()["container_cpu_usage_seconds_total"] == STARTING


def test_another_run_begins_at_nothing() -> None:
    node = Node()
    node.run(node.clock.stamp())
    node.clock.advance(1000)
    long = node.read()["container_cpu_usage_seconds_total"]
    node.run(node.clock.stamp())
    node.clock.advance(10)
    found = node.read()
    assert found["container_cpu_usage_seconds_total"] - STARTING < (long - STARTING) / 10
    assert found["container_start_time_seconds"] == node.clock.start.timestamp() + 1000


def test_what_is_gone_is_not_said_and_not_kept() -> None:
    node = Node()
    node.run(node.clock.stamp())
    node.clock.advance(10)
    node.read()
    node.core.storage.remove("pods", "default", "p")
    assert "container_cpu_usage_seconds_total" not in node.read()
    assert set(node.figures._counters) == {("n", "", "")}
