"""Usage: polled only while it is wanted, where it may be seen, and never shown when it is not there."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apimodel import Ask, Fault, Lost, Model, page, status, text, when
from cluster.fleet import Fleet, clustered, populated
from kubepane.cluster.cluster import Cluster
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import NAMESPACES, PODS
from kubepane.cluster.metrics import ALL_SAMPLES, FEWEST, HISTORY, MISSED, Metrics, Usage

BASE = "/apis/metrics.k8s.io/v1beta1"
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def pod(name: str, namespace: str, *usages: tuple[str, str], at: str = "2026-06-01T12:00:00Z", **more: Any) -> dict[str, Any]:
    containers = [{"name": f"c{i}", "usage": {"cpu": cpu, "memory": memory}} for i, (cpu, memory) in enumerate(usages)]
    return {"metadata": {"name": name, "namespace": namespace}, "timestamp": at, "window": "9.99s", "containers": containers} | more


def node(name: str, cpu: str, memory: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "timestamp": "2026-06-01T12:00:00Z", "window": "10s", "usage": {"cpu": cpu, "memory": memory}}


def serve(model: Model, *pods: dict[str, Any], nodes: tuple[dict[str, Any], ...] = (node("n1", "371123456n", "4131812Ki"),)) -> None:
    def body(items: list[dict[str, Any]]) -> bytes:
        return json.dumps({"kind": "List", "metadata": {}, "items": items}).encode()

    model.bodies[f"{BASE}/pods"] = body(list(pods))
    model.bodies[f"{BASE}/nodes"] = body(list(nodes))
    for namespace in {p["metadata"]["namespace"] for p in pods}:
        model.bodies[f"{BASE}/namespaces/{namespace}/pods"] = body([p for p in pods if p["metadata"]["namespace"] == namespace])


def at_path(fault: Fault, end: str, *, start: str = BASE) -> Any:
    return lambda ask: fault if ask.path.startswith(start) and ask.path.endswith(end) else None


def polls(model: Model, end: str = "/pods") -> list[Ask]:
    return [ask for ask in model.asked if ask.path.startswith(BASE) and ask.path.endswith(end)]


def test_usage_is_polled_only_while_it_is_wanted() -> None:
    model = Model()
    serve(model, pod("a", "shop", ("149994514n", "200Mi")))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        await asyncio.sleep(60)
        assert polls(model) == []
        cluster.want_metrics(True)
        await asyncio.sleep(300)
        assert 17 <= len(polls(model)) <= 25
        cluster.want_metrics(False)
        await asyncio.sleep(20)
        before = len(polls(model))
        await asyncio.sleep(300)
        assert len(polls(model)) == before
        cluster.want_metrics(True)
        await asyncio.sleep(0.1)
        assert len(polls(model)) == before + 1

    clustered(main, model)


def test_figures_are_summed_and_rounded_as_kubectl_top_does() -> None:
    model = Model()
    serve(model, pod("a", "shop", ("1000001n", "1Ki"), ("1000001n", "1Ki")), pod("b", "shop", ("150m", "200Mi")), pod("none", "shop"))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(1)
        m = cluster.metrics
        assert m.pod("shop", "a") == Usage(3, 2048, AT, 9.99)  # 2.000002 thousandths, not 2 + 2
        assert {name: u.cpu for name, u in m.containers["shop/a"].items()} == {"c0": 2, "c1": 2}
        assert m.pod("shop", "b") == Usage(150, 200 << 20, AT, 9.99)
        assert m.nodes["n1"] == Usage(372, 4131812 << 10, AT, 10.0)
        assert m.sampled_at == AT
        assert (m.freshness.state, m.freshness.period, m.node_freshness.state) == (State.POLLING, 15.0, State.POLLING)

    clustered(main, model)


def test_one_odd_sample_costs_no_other() -> None:
    model = Model()
    odd: list[dict[str, Any]] = [
        pod("bad-cpu", "shop", ("x", "1Mi")),
        {"metadata": {"namespace": "shop"}},
        pod("null", "shop", containers=None),
        pod("typed", "shop", containers=7),
        pod("time", "shop", ("1m", "1Mi"), timestamp="yesterday"),
        pod("good", "shop", ("1m", "1Mi")),
        pod("timeless", "shop", ("1m", "1Mi"), timestamp=None),
    ]
    serve(model, *odd[2:])
    model.bodies[f"{BASE}/pods"] = json.dumps({"metadata": {}, "items": odd}).encode()

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(1)
        assert {"shop/good", "shop/timeless"} <= set(cluster.metrics.pods)
        assert not {"shop/bad-cpu", "shop/typed"} & set(cluster.metrics.pods)

    clustered(main, model)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (text(404, "404 page not found\n"), "metrics API not available: 404 404 page not found"),
        (text(503, "service unavailable\n"), "metrics API not available: 503 service unavailable"),
        (status(500, "InternalError", "boom"), "metrics API not available: 500 boom"),
    ],
)
def test_an_absent_metrics_api_is_named_and_looked_for_each_minute(fault: Fault, why: str) -> None:
    model = Model()
    serve(model, pod("a", "shop", ("1m", "1Mi")))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(30)
        assert cluster.metrics.pods
        model.rules.append(at_path(fault, "s"))
        await asyncio.sleep(30)
        f = cluster.metrics.freshness
        assert (f.state, f.why, cluster.metrics.pods, cluster.metrics.nodes) == (State.ABSENT, why, {}, {})
        before = len(polls(model))
        await asyncio.sleep(600)
        assert 9 <= len(polls(model)) - before <= 11
        model.rules.clear()
        await asyncio.sleep(61)
        assert (cluster.metrics.freshness.state, set(cluster.metrics.pods)) == (State.POLLING, {"shop/a"})

    clustered(main, model)


@pytest.mark.parametrize("fault", [Lost(), page(), text(429, "busy", retry_after="3"), status(401, "Unauthorized")])
def test_figures_that_cannot_be_renewed_are_kept_and_marked_as_old(fault: Fault) -> None:
    model = Model()
    serve(model, pod("a", "shop", ("1m", "1Mi")))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(30)
        polled = cluster.metrics.freshness.since
        model.rules.append(at_path(fault, "s"))
        await asyncio.sleep(40)
        f = cluster.metrics.freshness
        assert f.state in (State.RECONNECTING, State.UNAUTHORIZED)
        assert set(cluster.metrics.pods) == {"shop/a"}
        assert polled is not None
        assert f.since is not None
        assert f.since - polled < timedelta(seconds=40)
        assert f.retry_at is not None
        model.rules.clear()
        await asyncio.sleep(76)
        assert cluster.metrics.freshness.state is State.POLLING

    clustered(main, model)


def test_where_only_some_namespaces_may_be_seen_those_are_polled() -> None:
    model = Model()
    for name in ("a", "b"):
        model.make(NAMESPACES, name)
    serve(model, pod("p", "a", ("1m", "1Mi")), pod("q", "b", ("2m", "1Mi")))
    model.may = lambda verb, plural, namespace: plural == "namespaces" or namespace == "a"
    refusal = status(403, "Forbidden", "no")
    model.rules += [at_path(refusal, "v1beta1/pods"), at_path(refusal, "/nodes"), at_path(refusal, "/b/pods")]

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        cluster.want_metrics(True)
        await asyncio.sleep(30)
        m = cluster.metrics
        assert (m.freshness.state, m.freshness.hidden, set(m.pods)) == (State.POLLING, ("b",), {"a/p"})
        assert (m.node_freshness.state, m.node_freshness.resource) == (State.FORBIDDEN, "nodes.metrics.k8s.io")
        before = len(polls(model, "v1beta1/pods"))
        await asyncio.sleep(300)
        assert len(polls(model, "v1beta1/pods")) - before <= 6

    clustered(main, model)


def test_usage_that_is_refused_everywhere_says_so() -> None:
    model = populated((PODS,))
    model.rules.append(at_path(status(403, "Forbidden", "pods.metrics.k8s.io is forbidden"), "s"))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        cluster.want_metrics(True)
        await asyncio.sleep(1)
        f = cluster.metrics.freshness
        assert (f.state, f.verb, f.resource) == (State.FORBIDDEN, "list", "pods.metrics.k8s.io")

    clustered(main, model, namespaces=("a", "b"))


def test_other_namespaces_are_polled_at_once() -> None:
    model = Model()
    serve(model, pod("p", "a", ("1m", "1Mi")), pod("q", "b", ("2m", "1Mi")))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(1)
        assert set(cluster.metrics.pods) == {"a/p"}
        cluster.set_namespaces(("b",))
        await asyncio.sleep(0.1)
        assert set(cluster.metrics.pods) == {"b/q"}

    clustered(main, model, namespaces=("a",))


def test_a_fault_of_our_own_shows_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    serve(model, pod("a", "shop", ("1m", "1Mi")))
    took = Metrics.took_pods
    broken = [True]

    def sometimes(self: Metrics, *args: Any) -> None:
        if broken:
            broken.pop()
            raise ZeroDivisionError
        took(self, *args)

    monkeypatch.setattr(Metrics, "took_pods", sometimes)

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start()
        cluster.want_metrics(True)
        await asyncio.sleep(1)
        assert (cluster.metrics.freshness.state, cluster.metrics.freshness.why) == (State.FAILED, "internal fault: ZeroDivisionError")
        await asyncio.sleep(61)
        assert cluster.metrics.freshness.state is State.POLLING

    clustered(main, model)


# ---- histories -----------------------------------------------------------------------------------------------------------------


def usage(cpu: int, second: int | None) -> Usage:
    return Usage(cpu, cpu * 1000, None if second is None else AT + timedelta(seconds=second), 10.0)


def test_a_history_holds_each_sample_once_and_the_newest_of_an_hour() -> None:
    m = Metrics()
    for i in range(HISTORY + 10):
        m.took_pods({"shop/a": usage(i, i * 15)}, {})
        m.took_pods({"shop/a": usage(i, i * 15)}, {})
    seen = m.pod_history("shop", "a")
    assert [u.cpu for u in seen] == list(range(10, HISTORY + 10))
    assert seen[-1] == usage(HISTORY + 9, (HISTORY + 9) * 15)
    assert m.pod_history("shop", "b") == ()


def test_samples_without_a_time_are_all_kept() -> None:
    m = Metrics()
    m.took_nodes({"n": usage(1, None)})
    m.took_nodes({"n": usage(2, None)})
    assert [(u.cpu, u.at) for u in m.node_history("n")] == [(1, None), (2, None)]


def test_with_many_pods_histories_are_shorter() -> None:
    m = Metrics()
    count = 20_000
    for i in range(30):
        m.took_pods({f"shop/{n}": usage(i, i) for n in range(count)}, {})
    assert len(m.pod_history("shop", "7")) == max(FEWEST, ALL_SAMPLES // count)


def test_what_has_vanished_is_forgotten_but_not_at_once() -> None:
    m = Metrics()
    m.took_pods({"shop/a": usage(1, 1), "shop/b": usage(1, 1)}, {})
    for i in range(MISSED):
        m.took_pods({"shop/b": usage(1, i + 2)}, {})
    assert m.pod("shop", "a") is None
    assert len(m.pod_history("shop", "a")) == 1
    m.took_pods({"shop/b": usage(1, 99)}, {})
    assert m.pod_history("shop", "a") == ()
    assert m._missed == {}


def test_the_version_rises_and_wakes_with_everything_that_may_be_seen() -> None:
    m = Metrics()
    woken: list[int] = []
    m.wake = lambda: woken.append(m.version)
    m.took_pods({}, {})
    m.took_nodes({})
    m.forget_usage()
    assert woken == [1, 2, 3]


def test_rules_that_count_down_are_used_up() -> None:
    rule = when(Lost(), times=1)
    assert [rule(Ask("get", "/x")), rule(Ask("get", "/x"))] == [Lost(), None]
