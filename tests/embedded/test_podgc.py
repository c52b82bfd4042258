"""Pods that no kubelet will ever end are ended by the pod garbage collector."""

from __future__ import annotations

import pytest

from embedded.nodeobjects import add_node, pod_on, report, run_pod
from embedded.volumeobjects import advance
from kubepane_embedded.controllers.podgc import PodGarbageCollector
from kubepane_embedded.core import Core
from kubepane_embedded.podfacts import condition


@pytest.fixture
def cluster(core: Core) -> Core:
    PodGarbageCollector(core).start()
    add_node(core, "n")
    run_pod(core, pod_on("p", "n"))
    return core


def is_there(core: Core, name: str) -> bool:
    return core.storage.read("pods", "default", name) is not None


def test_pods_of_a_node_that_is_gone_go_after_a_quarantine(cluster: Core) -> None:
    advance(cluster, 60)
    cluster.client("test").delete("nodes", "", "n")
    advance(cluster, 41)
    assert is_there(cluster, "p")
    advance(cluster, 39)
    assert not is_there(cluster, "p")


def test_a_node_that_comes_back_in_time_keeps_its_pods(cluster: Core) -> None:
    cluster.client("test").delete("nodes", "", "n")
    advance(cluster, 50)
    add_node(cluster, "n")
    advance(cluster, 200)
    assert is_there(cluster, "p")


def test_an_orphan_says_why_it_failed(cluster: Core) -> None:
    cluster.client("test").patch("pods", "default", "p", {"metadata": {"finalizers": ["example.com/wait"]}})
    cluster.client("test").delete("nodes", "", "n")
    advance(cluster, 80)
    pod = cluster.client("test").get("pods", "default", "p")
    found = condition(pod, "DisruptionTarget") or {}
    assert (pod["status"]["phase"], found["reason"], found["message"]) == ("Failed", "DeletionByPodGC", "PodGC: node no longer exists")


def test_a_pod_for_a_node_that_never_was(cluster: Core) -> None:
    cluster.client("test").create("pods", pod_on("lone", "nowhere"))
    advance(cluster, 81)
    assert not is_there(cluster, "lone")
    assert is_there(cluster, "p")


def test_a_pod_that_was_there_before_the_collector(core: Core) -> None:
    core.client("test").create("pods", pod_on("lone", "nowhere"))
    PodGarbageCollector(core).start()
    advance(core, 81)
    assert not is_there(core, "lone")


def test_pods_stuck_on_a_node_out_of_service(cluster: Core) -> None:
    cluster.client("test").delete("pods", "default", "p")
    taint = [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}]
    cluster.client("test").patch("nodes", "", "n", {"spec": {"taints": taint}})
    advance(cluster, 25)
    assert is_there(cluster, "p")
    report(cluster, "n", Ready="Unknown")
    advance(cluster, 21)
    assert not is_there(cluster, "p")


def test_a_deleted_pod_that_was_never_placed(cluster: Core) -> None:
    pod = {"metadata": {"name": "w", "namespace": "default", "finalizers": ["example.com/wait"]}, "spec": pod_on("w", "")["spec"]}
    cluster.client("test").create("pods", pod)
    cluster.client("test").delete("pods", "default", "w")
    advance(cluster, 21)
    assert cluster.client("test").get("pods", "default", "w")["status"]["phase"] == "Failed"


def test_pods_of_a_load_test_stay(core: Core) -> None:
    pod = pod_on("load", "unknown")
    pod["metadata"]["labels"] = {"kubepane.io/synthetic": "true"}
    PodGarbageCollector(core).start()
    run_pod(core, pod)
    advance(core, 200)
    assert is_there(core, "load")
