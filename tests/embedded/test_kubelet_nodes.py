"""Nodes: leases, status, images, standing still, pods that run already, synthetic pods."""

from __future__ import annotations

import time

import pytest

from embedded.kubelet_stage import APP, NODE, WEB, Stage
from kubepane_embedded.clock import VirtualClock, parse_stamp
from kubepane_embedded.core import Core
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.meta import clone
from kubepane_embedded.nodes import add_nodes, add_pods
from kubepane_embedded.seed import Seed

LEASES = "leases.coordination.k8s.io"
STOPPED = {"metadata": {"annotations": {"sim.kubepane.io/kubelet": "stopped"}}}
GOING = {"metadata": {"annotations": {"sim.kubepane.io/kubelet": None}}}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def renewed(stage: Stage, node: str = NODE) -> float:
    """Seconds since a node's lease was renewed."""
    lease = stage.core.storage.read(LEASES, "kube-node-lease", node)
    assert lease is not None
    return (stage.clock.now() - parse_stamp(lease["spec"]["renewTime"])).total_seconds()


def test_every_node_has_a_lease_that_is_renewed(stage: Stage) -> None:
    stage.run(100)
    leases = stage.core.storage.objects(LEASES, "kube-node-lease")
    assert len(leases) == 3
    lease = next(one for one in leases if one["metadata"]["name"] == NODE)
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseDurationSeconds"]) == (NODE, 40)
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"
    assert renewed(stage) < 10.5


def test_cordoning_is_told_once_and_its_end_too(stage: Stage) -> None:
    stage.run(20)
    for cordoned, reason in ((True, "NodeNotSchedulable"), (False, "NodeSchedulable")):
        stage.user.patch("nodes", "", NODE, {"spec": {"unschedulable": cordoned or None}})
        stage.run(60)
        assert stage.messages(reason, NODE) == [f"Node {NODE} status is now: {reason}"]


def test_node_status_is_written_every_five_minutes_only(stage: Stage) -> None:
    stage.run(1)
    first = stage.core.storage.read("nodes", "", NODE)
    stage.run(280)
    assert stage.core.storage.read("nodes", "", NODE) is first
    stage.run(40)
    second = stage.core.storage.read("nodes", "", NODE)
    assert first is not None
    assert second is not None
    ready = next(one for one in second["status"]["conditions"] if one["type"] == "Ready")
    assert ready["lastHeartbeatTime"] > ready["lastTransitionTime"]
    assert second["status"]["capacity"] == first["status"]["capacity"]


def test_images_of_a_node(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(20)
    node = stage.core.storage.read("nodes", "", NODE)
    assert node is not None
    assert node["status"]["images"] == [{"names": ["docker.io/traefik/whoami:v1.10"], "sizeBytes": 2_900_000}]


def test_node_that_comes_later_gets_ready_and_runs_pods(stage: Stage) -> None:
    stage.user.create("nodes", {"metadata": {"name": "later"}, "spec": {"podCIDR": "10.244.9.0/24"}})
    stage.pod(nodeName="later", containers=[{"name": "c", "image": WEB}])
    stage.run(10)
    assert stage.status()["podIP"] == "10.244.9.2"
    assert stage.status()["hostIP"].startswith("172.18.1.")
    node = stage.core.storage.read("nodes", "", "later")
    assert node is not None
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "True"
    assert node["status"]["allocatable"]["pods"] == "110"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.35.4+embedded"
    assert ("Normal", "Starting", "Starting kubelet.") in stage.events("later")
    assert ("Normal", "NodeReady", "Node later status is now: NodeReady") in stage.events("later")
    assert ("Normal", "NodeHasSufficientMemory", "Node later status is now: NodeHasSufficientMemory") in stage.events("later")


def test_stopped_node_does_nothing(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 2}
    stage.pod(containers=[{"name": "c", "image": APP, "readinessProbe": probe}])
    stage.run(30)
    stage.user.patch("nodes", "", NODE, STOPPED)
    stage.run(1)
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": {"sim.kubepane.io/probe-readiness": "503"}}})
    stage.pod("q", containers=[{"name": "c", "image": WEB}])
    stage.run(120)
    assert renewed(stage) > 100
    assert renewed(stage, "kubepane-worker2") < 11
    assert stage.condition("Ready")["status"] == "True"
    assert stage.status("q")["phase"] == "Pending"
    stage.user.delete("pods", "default", "p")
    stage.run(60)
    assert not stage.gone()


def test_stopped_node_goes_on(stage: Stage) -> None:
    stage.box("while true; do date; sleep 5; done")
    stage.run(20)
    stage.user.patch("nodes", "", NODE, STOPPED)
    stage.run(1)
    lines = len(stage.log())
    stage.run(60)
    assert len(stage.log()) == lines
    node = stage.core.storage.read("nodes", "", NODE)
    assert node is not None
    unknown = [{**one, "status": "Unknown"} for one in node["status"]["conditions"]]
    stage.user.patch_status("nodes", "", NODE, {"conditions": unknown})
    stage.user.patch("nodes", "", NODE, GOING)
    stage.run(21)
    assert renewed(stage) < 11
    assert 4 <= len(stage.log()) - lines <= 6
    node = stage.core.storage.read("nodes", "", NODE)
    assert node is not None
    assert all(one["status"] != "Unknown" for one in node["status"]["conditions"])
    assert ("Normal", "NodeReady", f"Node {NODE} status is now: NodeReady") in stage.events(NODE)


def test_node_that_is_gone_takes_its_workers_along(stage: Stage) -> None:
    stage.box("while true; do date; sleep 5; done")
    stage.run(20)
    stage.user.delete("nodes", "", NODE)
    revision = stage.read()["metadata"]["resourceVersion"]
    stage.run(100)
    assert stage.read()["metadata"]["resourceVersion"] == revision
    assert not stage.kubelets._workers


def running_core() -> Core:
    """A core with a pod that kubelets of another life have brought to running."""
    stage = Stage()
    probe = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 2}
    stage.pod(containers=[{"name": "c", "image": APP, "readinessProbe": probe, "livenessProbe": {**probe, "initialDelaySeconds": 10}}])
    stage.run(30)
    core = Core(VirtualClock(), Seed(2))
    add_nodes(core, 2)
    core.clock.advance(30)  # type: ignore[attr-defined]
    created = core.client("user").create("pods", {**clone(stage.read()), "metadata": {"name": "p", "namespace": "default"}})
    core.client("kubelet").update_status("pods", {**created, "status": clone(stage.status())})
    return core


def test_running_pods_are_taken_over_without_a_word() -> None:
    core = running_core()
    before = core.storage.read("pods", "default", "p")
    kubelets = Kubelets(core, Logbook(core.clock), lambda pod, container: 0)
    kubelets.start()
    core.clock.advance(60)  # type: ignore[attr-defined]
    assert core.storage.read("pods", "default", "p") is before
    assert [one["reason"] for one in core.storage.objects("events", "default") if one["involvedObject"]["kind"] == "Pod"] == []
    assert kubelets._workers
    other = {"nodeName": NODE, "containers": [{"name": "c", "image": WEB}]}
    core.client("user").create("pods", {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "q", "namespace": "default"}, "spec": other})
    core.clock.advance(10)  # type: ignore[attr-defined]
    late = core.storage.read("pods", "default", "q")
    assert late is not None
    assert before is not None
    assert late["status"]["podIP"] != before["status"]["podIP"]
    core.client("user").patch("pods", "default", "p", {"metadata": {"annotations": {"sim.kubepane.io/probe-liveness": "503"}}})
    core.clock.advance(30)  # type: ignore[attr-defined]
    after = core.storage.read("pods", "default", "p")
    assert after is not None
    assert after["status"]["containerStatuses"][0]["restartCount"] == 1
    core.client("user").delete("pods", "default", "p")
    core.clock.advance(30)  # type: ignore[attr-defined]
    assert core.storage.read("pods", "default", "p") is None


def test_synthetic_pods_cost_nothing_and_can_be_deleted() -> None:
    core = Core(VirtualClock(), Seed(1))
    add_nodes(core, 3)
    add_pods(core, 2000)
    kubelets = Kubelets(core, Logbook(core.clock), lambda pod, container: 0)
    kubelets.start()
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(1)
    revision = core.storage.read("pods", "load", "load-00000")
    begun = time.process_time()
    core.clock.advance(60)
    assert time.process_time() - begun < 0.5
    assert core.storage.read("pods", "load", "load-00000") is revision
    assert not kubelets._workers
    assert revision is not None
    journal = kubelets.log(revision, "pause", False)
    assert journal is not None
    assert journal.lines() == []
    core.client("user").delete("pods", "load", "load-00000")
    core.clock.advance(1)
    assert core.storage.read("pods", "load", "load-00000") is None


def test_same_seed_same_objects() -> None:
    def objects() -> list[object]:
        stage = Stage()
        stage.box("exit 1")
        stage.pod("q", containers=[{"name": "c", "image": APP}])
        stage.run(60)
        return [stage.core.storage.objects(kind) for kind in ("pods", "events", "nodes")]

    assert objects() == objects()


def test_quarter_of_an_hour_of_ten_pods_is_cheap() -> None:
    stage = Stage()
    probe = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 5}
    probes = {"startupProbe": {**probe, "failureThreshold": 30}, "livenessProbe": probe, "readinessProbe": probe}
    for number in range(10):
        stage.pod(f"p{number}", containers=[{"name": "c", "image": APP, "resources": {"limits": {"memory": "512Mi"}}, **probes}])
    revision = stage.core.storage.revision
    begun = time.process_time()
    stage.run(900)
    assert time.process_time() - begun < 1.0
    assert stage.core.storage.revision - revision < 600
