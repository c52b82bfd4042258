"""The metrics API: when pods appear, what the figures are, what happens while metrics-server is away."""

from __future__ import annotations

import gc
import re
import time

import pytest

from embedded.autoscaling import NAMESPACE, advance, deployment, new_core, running, service, workloads
from kubepane_embedded.core import Core
from kubepane_embedded.load import metrics as module
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.metrics import Metrics
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.meta import Object, key_of, uid_of
from kubepane_embedded.nodes import add_pods
from kubepane_embedded.quantity import canonical, parse
from kubepane_embedded.runtime import MetricsUnavailable

MIB = 1024 * 1024


def begin(required: bool = False) -> tuple[Core, Metrics]:
    core = new_core()
    demand = Demand(core)
    usage = Usage(core, demand)
    metrics = Metrics(core, usage, required)
    workloads(core, ready_after=1.0)
    for part in (demand, usage, metrics):
        part.start()
    return core, metrics


def make(core: Core, name: str = "web", replicas: int = 1) -> Object:
    core.client("test").create("deployments.apps", deployment(name, replicas))
    core.clock.call_soon(lambda: None)
    advance(core, 0)
    return next(pod for pod in core.storage.objects("pods", NAMESPACE) if key_of(pod)[1].startswith(f"{name}-"))


def names(metrics: Metrics) -> list[str]:
    return [key_of(obj)[1] for obj in metrics.pods(NAMESPACE)]


@pytest.mark.parametrize(("second", "appears"), [(20, 45), (33, 45), (34.5, 45), (36, 60), (44, 60)])
def test_a_pod_appears_with_its_second_sample(second: float, appears: int) -> None:
    """Scrapes are at 0, 15, 30, 45 …; a container of ten seconds or more needs no earlier sample."""
    core, metrics = begin()
    advance(core, second)
    pod = make(core)
    while not names(metrics):
        advance(core, 0.5)
        assert core.clock.seconds() < 100
    assert core.clock.seconds() == pytest.approx(appears, abs=0.6)
    found = metrics.pods(NAMESPACE)[0]
    assert uid_of(pod)
    assert 10 <= float(found["window"].removesuffix("s")) <= 15.1


def test_what_is_served() -> None:
    core, metrics = begin()
    pod = make(core)
    advance(core, 62)
    found = metrics.pods(NAMESPACE)[0]
    assert found["metadata"] == {"name": key_of(pod)[1], "namespace": NAMESPACE, "labels": pod["metadata"]["labels"]}
    assert found["timestamp"] == "2026-01-01T08:01:00Z" or found["timestamp"] == "2026-01-01T08:00:59Z"
    assert re.fullmatch(r"1[45]\.\d{1,3}s|15s", found["window"])
    usage = found["containers"][0]["usage"]
    assert found["containers"][0]["name"] == "app"
    assert re.fullmatch(r"\d+n", usage["cpu"])
    assert 0.0076 < parse(usage["cpu"]) <= 0.008
    assert re.fullmatch(r"\d+Ki", usage["memory"])
    assert 180 * MIB <= parse(usage["memory"]) <= 186 * MIB
    assert metrics.pods("default") == []
    assert metrics.pods(None) == metrics.pods(NAMESPACE)


def test_cpu_is_the_average_of_the_window() -> None:
    core, metrics = begin()
    make(core)
    core.client("test").create("services", service("web"))
    advance(core, 62)
    core.client("test").patch("services", NAMESPACE, "web", {"metadata": {"annotations": {"sim.kubepane.io/demand": "200m"}}})
    advance(core, 13.5)  # 4 s of ramp and 9 s of load in a window of 15 s
    amount = float(parse(metrics.pods(NAMESPACE)[0]["containers"][0]["usage"]["cpu"]) * 1000)
    assert amount == pytest.approx(8 + 200 * (4 / 2 + 9) / 15, abs=8)
    advance(core, 15)
    assert float(parse(metrics.pods(NAMESPACE)[0]["containers"][0]["usage"]["cpu"]) * 1000) == pytest.approx(208, abs=3)


def test_nodes_are_the_sum_of_their_pods_and_the_system() -> None:
    core, metrics = begin()
    assert metrics.nodes() == []
    make(core, replicas=3)
    advance(core, 62)
    nodes = {key_of(node)[1]: node for node in metrics.nodes()}
    assert list(nodes) == [key_of(node)[1] for node in core.storage.objects("nodes")]
    by_node: dict[str, float] = dict.fromkeys(nodes, 0.0)
    for obj in metrics.pods(None):
        node = core.client("test").get("pods", *key_of(obj))["spec"]["nodeName"]
        by_node[node] += sum(float(parse(one["usage"]["cpu"])) for one in obj["containers"])
    for name, node in nodes.items():
        assert 0.055 <= float(parse(node["usage"]["cpu"])) - by_node[name] <= 0.061
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == name
        assert canonical(node["usage"]["memory"]) == node["usage"]["memory"]


def test_pods_that_are_gone_vanish_at_once_and_others_are_no_business_of_it() -> None:
    core, metrics = begin()
    pod = make(core)
    bare = {"metadata": {"name": "pending", "namespace": NAMESPACE}, "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "nowhere"}}
    core.client("test").create("pods", bare)
    advance(core, 62)
    assert names(metrics) == [key_of(pod)[1]]
    core.client("kubelet").delete("pods", *key_of(pod), grace=0)
    assert key_of(pod)[1] not in names(metrics)


def test_a_restarted_container_is_new() -> None:
    core, metrics = begin()
    pod = make(core)
    advance(core, 62)
    state = core.client("test").get("pods", *key_of(pod))["status"]["containerStatuses"][0]
    now = core.clock.stamp()
    ended = {"terminated": {"exitCode": 1, "startedAt": state["state"]["running"]["startedAt"], "finishedAt": now}}
    again = [dict(state, restartCount=1, lastState=ended, state={"running": {"startedAt": now}})]
    core.client("kubelet").patch_status("pods", *key_of(pod), {"containerStatuses": again})
    assert names(metrics), "the last scrape saw the former run"
    advance(core, 14)  # 13 s old at the next scrape
    assert names(metrics)
    assert 10 <= float(metrics.pods(NAMESPACE)[0]["window"].removesuffix("s")) < 14
    waiting = [dict(state, restartCount=2, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={})]
    core.client("kubelet").patch_status("pods", *key_of(pod), {"containerStatuses": waiting})
    advance(core, 15)
    assert names(metrics) == []


def test_a_pod_with_one_young_container_waits() -> None:
    core, metrics = begin()
    pod = make(core)
    advance(core, 73)
    states = core.client("test").get("pods", *key_of(pod))["status"]["containerStatuses"]
    young = dict(states[0], name="late", state={"running": {"startedAt": core.clock.stamp()}})
    core.client("kubelet").patch_status("pods", *key_of(pod), {"containerStatuses": [*states, young]})
    advance(core, 5)
    assert names(metrics) == []
    advance(core, 15)
    assert [one["name"] for one in metrics.pods(NAMESPACE)[0]["containers"]] == ["app", "late"]


def test_a_node_that_nobody_hears_of_has_no_figures() -> None:
    core, metrics = begin()
    pod = make(core)
    advance(core, 62)
    node = core.client("test").get("pods", *key_of(pod))["spec"]["nodeName"]
    unknown = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": core.clock.stamp()}]
    core.client("kubelet").patch_status("nodes", "", node, {"conditions": unknown})
    advance(core, 15)
    assert names(metrics) == []
    assert node not in [key_of(obj)[1] for obj in metrics.nodes()]
    core.client("kubelet").patch_status("nodes", "", node, {"conditions": [{"type": "Ready", "status": "True"}]})
    advance(core, 15)
    assert names(metrics) == []
    advance(core, 15)
    assert names(metrics) == [key_of(pod)[1]]


def server() -> Object:
    labels = {"k8s-app": "metrics-server"}
    container = {"name": "metrics-server", "image": "registry.k8s.io/metrics-server/metrics-server:v0.8.1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    meta = {"name": "metrics-server", "namespace": "kube-system", "labels": labels}
    return {"metadata": meta, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}}


def test_it_works_while_its_deployment_does() -> None:
    core, metrics = begin(required=True)
    make(core)
    advance(core, 60)
    with pytest.raises(MetricsUnavailable):
        metrics.nodes()
    client = core.client("test")
    client.create("deployments.apps", server())
    advance(core, 5)
    assert (metrics.nodes(), metrics.pods(None)) == ([], []), "it begins with an empty memory"
    advance(core, 30)
    assert len(metrics.nodes()) == 4
    assert len(metrics.pods(None)) == 2
    client.patch("deployments.apps", "kube-system", "metrics-server", {"spec": {"replicas": 0}})
    advance(core, 5)
    with pytest.raises(MetricsUnavailable):
        metrics.pods(NAMESPACE)
    advance(core, 40)
    client.patch("deployments.apps", "kube-system", "metrics-server", {"spec": {"replicas": 1}})
    advance(core, 3)
    assert metrics.pods(None) == []
    advance(core, 32)
    assert len(metrics.pods(None)) == 2


def test_a_restarted_server_has_forgotten_everything() -> None:
    core, metrics = begin(required=True)
    core.client("test").create("deployments.apps", server())
    advance(core, 62)
    pod = core.storage.objects("pods", "kube-system")[0]
    state = dict(pod["status"]["containerStatuses"][0], restartCount=1, state={"running": {"startedAt": core.clock.stamp()}})
    core.client("kubelet").patch_status("pods", *key_of(pod), {"containerStatuses": [state]})
    advance(core, 15)
    assert metrics.nodes() == []
    advance(core, 15)
    assert len(metrics.nodes()) == 4


def test_a_cluster_without_it_has_metrics_when_it_needs_none() -> None:
    core, metrics = begin(required=False)
    advance(core, 32)
    assert len(metrics.nodes()) == 4
    core.client("test").create("deployments.apps", {**server(), "spec": {**server()["spec"], "replicas": 0}})
    with pytest.raises(MetricsUnavailable):
        metrics.nodes()


def test_an_unready_server_does_not_answer() -> None:
    core, metrics = begin(required=True)
    core.client("test").create("deployments.apps", server())
    advance(core, 62)
    running(core, core.storage.objects("pods", "kube-system")[0], ready=False)
    advance(core, 1)
    with pytest.raises(MetricsUnavailable):
        metrics.nodes()


@pytest.mark.parametrize("value", [0, 1, 999, 1000, 150_000_000, 150_007_160, 2_000_000_000])
def test_nanocores_are_canonical(value: int) -> None:
    text = module.nano_text(value)
    assert parse(text) == parse(f"{value}n")
    assert canonical(text) == text


@pytest.mark.parametrize("value", [0, 1, 1023, 4096, 5 * MIB, 1024 * MIB, 1536 * MIB, 3 * 1024**4])
def test_bytes_are_canonical(value: int) -> None:
    text = module.byte_text(value)
    assert parse(text) == value


@pytest.mark.parametrize(("value", "expected"), [(14.987, "14.987s"), (15.0, "15s"), (10.5, "10.5s"), (14.99999, "15s")])
def test_windows(value: float, expected: str) -> None:
    assert module.duration_text(value) == expected


def test_ten_thousand_pods() -> None:
    core, metrics = begin()
    add_pods(core, 10_000)
    advance(core, 31)
    times = []
    gc.disable()  # when it walks the whole store is chance
    for _ in range(4):
        begun = time.process_time()
        advance(core, 15)
        scraped = time.process_time()
        assert len(metrics.pods(None)) == 10_000
        asked = time.process_time()
        metrics.nodes()
        metrics.pods(None)
        times.append((scraped - begun, asked - scraped, time.process_time() - asked))
    gc.enable()
    assert min(one[0] for one in times) < 0.02
    assert min(one[1] for one in times) < 0.25  # 0.08 on a machine of its own
    assert min(one[2] for one in times) < 0.1
