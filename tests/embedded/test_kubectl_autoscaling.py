"""Unmodified kubectl on autoscaling and metrics: autoscale, get and describe hpa, top, and metrics that are away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from embedded.autoscaling import NAMESPACE, deployment, service, workloads
from embedded.test_kubectl import KUBECTL, Kubectl
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.controllers.autoscaler import HpaController
from kubepane_embedded.core import Core
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.metrics import Metrics
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.parts import Parts

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")


class Workloads:
    """The controllers and nodes of `autoscaling.workloads` as one part."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def start(self) -> None:
        workloads(self.core)


def assembly(core: Core) -> Parts:
    add_nodes(core, 2)
    core.client("test").create("namespaces", {"metadata": {"name": NAMESPACE}})
    demand = Demand(core)
    usage = Usage(core, demand)
    metrics = Metrics(core, usage, required=False)
    return Parts([demand, usage, metrics, HpaController(core, metrics), Workloads(core)], metrics=metrics)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServedCluster, Kubectl]]:
    path = tmp_path_factory.mktemp("kubectl") / "kubeconfig"
    with ServedCluster(EmbeddedCluster(VirtualClock(), parts=assembly, kubeconfig=path)) as cluster:
        yield cluster, Kubectl(path)


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_story_as_kubectl_shows_it(served: tuple[ServedCluster, Kubectl]) -> None:
    cluster, kubectl = served
    shop = f"--namespace={NAMESPACE}"
    for obj, kind, version in ((deployment("chatapp"), "Deployment", "apps/v1"), (service("chatapp"), "Service", "v1")):
        kubectl("apply", "-f", "-", stdin=json.dumps({"kind": kind, "apiVersion": version, **obj}))
    assert "metrics not available yet" in kubectl.fails("top", "nodes")
    kubectl("autoscale", "deployment", "chatapp", "--min=1", "--max=4", "--cpu-percent=50", shop)
    cluster.advance(16)
    described = kubectl("describe", "hpa", "chatapp", shop)
    assert "FailedGetResourceMetric" in described
    assert "FailedComputeMetricsReplicas" in described
    kubectl("annotate", "service", "chatapp", "sim.kubepane.io/demand=500m", shop)
    cluster.advance(120)
    assert words(kubectl("get", "hpa", shop))[1][:7] == ["chatapp", "Deployment/chatapp", "cpu:", "66%/50%", "1", "4", "4"]
    described = kubectl("describe", "hpa", "chatapp", shop)
    assert "resource cpu on pods  (as a percentage of request):  66% (13" in described
    assert "4 current / 4 desired" in described
    assert "TooManyReplicas" in described
    assert "New size: 4; reason: cpu resource utilization (percentage of request) above target" in described
    top = words(kubectl("top", "pods", "--no-headers", shop))
    assert len(top) == 4
    assert all(132 <= int(cpu.removesuffix("m")) <= 135 and 180 <= int(memory.removesuffix("Mi")) <= 187 for _, cpu, memory in top)
    assert words(kubectl("top", "pod", top[0][0], "--no-headers", shop)) == [top[0]]
    assert words(kubectl("top", "pod", "--containers", "--no-headers", shop))[0][1] == "app"
    nodes = words(kubectl("top", "nodes"))
    assert nodes[0] == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert 690 < sum(int(node[1].removesuffix("m")) for node in nodes[1:]) < 725
    assert "window" in json.loads(kubectl("get", "podmetrics", top[0][0], "-o", "json", shop))


def test_metrics_that_are_away(served: tuple[ServedCluster, Kubectl]) -> None:
    cluster, kubectl = served
    cluster.advance(40)
    assert "kubepane-worker" in kubectl("top", "nodes")
    meta = {"name": "metrics-server", "namespace": "kube-system", "labels": {"k8s-app": "metrics-server"}}
    body = {"kind": "Deployment", "apiVersion": "apps/v1", **deployment("metrics-server", 0), "metadata": meta}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    away = "Error from server (ServiceUnavailable): the server is currently unable to handle the request (get nodes.metrics.k8s.io)\n"
    assert kubectl.fails("top", "nodes") == away
