"""The node lifecycle controller: graces, zones, labels, and that a quiet cluster is written by nobody."""

from __future__ import annotations

import pytest

from embedded.nodeobjects import add_node, keep_alive, pod_on, renew, report, run_pod, taint_keys
from embedded.volumeobjects import advance, said
from kubepane_embedded.controllers.nodehealth import NodeHealth
from kubepane_embedded.controllers.nodelifecycle import NodeLifecycle
from kubepane_embedded.core import Core
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.podfacts import condition

LOST = ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]


@pytest.fixture
def cluster(core: Core) -> Core:
    """A node `n` that only the test speaks for, beside one that is always well."""
    NodeLifecycle(core).start()
    add_node(core, "n")
    add_node(core, "well")
    keep_alive(core, "well")
    advance(core)
    return core


def status_of(core: Core, name: str, kind: str = "Ready") -> str:
    """The status of a node's condition."""
    return str((condition(core.client("test").get("nodes", "", name), kind) or {}).get("status"))


def test_a_new_nodes_taint_goes_once_it_is_ready(core: Core) -> None:
    NodeLifecycle(core).start()
    core.client("kubelet").create("nodes", {"metadata": {"name": "n"}})
    assert taint_keys(core, "n") == ["node.kubernetes.io/not-ready:NoSchedule"]
    report(core, "n")
    advance(core)
    assert taint_keys(core, "n") == []


def test_a_cordoned_node_is_tainted_with_the_time(cluster: Core) -> None:
    cluster.client("test").patch("nodes", "", "n", {"spec": {"unschedulable": True}})
    advance(cluster)
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": cluster.clock.stamp()}
    assert cluster.client("test").get("nodes", "", "n")["spec"]["taints"] == [taint]
    cluster.client("test").patch("nodes", "", "n", {"spec": {"unschedulable": None}})
    advance(cluster)
    assert taint_keys(cluster, "n") == []


def test_pressures_and_the_network_are_taints(cluster: Core) -> None:
    report(cluster, "n", DiskPressure="True", PIDPressure="True", Ready="False")
    advance(cluster)
    wanted = ["disk-pressure", "not-ready", "pid-pressure"]
    assert sorted(taint_keys(cluster, "n")) == [f"node.kubernetes.io/{key}:NoSchedule" for key in wanted]


def test_a_persons_taints_are_left_alone(cluster: Core) -> None:
    own = [{"key": "mine", "effect": "NoSchedule"}, {"key": "mine", "effect": "NoExecute"}]
    cluster.client("test").patch("nodes", "", "n", {"spec": {"taints": own, "unschedulable": True}})
    advance(cluster, 1)
    cluster.client("test").patch("nodes", "", "n", {"spec": {"unschedulable": None}})
    advance(cluster, 10)
    assert cluster.client("test").get("nodes", "", "n")["spec"]["taints"] == own


def test_a_quiet_cluster_is_written_by_nobody(cluster: Core) -> None:
    keep_alive(cluster, "n")
    advance(cluster, 6)
    before = cluster.storage.revision
    advance(cluster, 120)
    leases = 2 * 12
    assert cluster.storage.revision - before == leases


def test_a_silent_node_is_lost_after_its_grace(cluster: Core) -> None:
    advance(cluster, 49)
    assert status_of(cluster, "n") == "True"
    advance(cluster, 6)
    assert [status_of(cluster, "n", kind) for kind in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")] == ["Unknown"] * 4
    assert sorted(taint_keys(cluster, "n")) == LOST
    assert status_of(cluster, "well") == "True"


def test_leases_alone_keep_a_node_alive(cluster: Core) -> None:
    keep_alive(cluster, "n")
    advance(cluster, 600)
    assert status_of(cluster, "n") == "True"


def test_a_node_that_never_spoke_has_a_minute(core: Core) -> None:
    NodeLifecycle(core).start()
    add_node(core, "well")
    keep_alive(core, "well")
    core.client("test").create("nodes", {"metadata": {"name": "mute"}})
    advance(core, 58)
    assert status_of(core, "mute") == "None"
    advance(core, 5)
    ready = condition(core.client("test").get("nodes", "", "mute"), "Ready") or {}
    assert (ready["status"], ready["reason"], ready["message"]) == ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.")


def test_a_lost_node_comes_back(cluster: Core) -> None:
    advance(cluster, 60)
    report(cluster, "n")
    renew(cluster, "n")
    advance(cluster, 5)
    assert taint_keys(cluster, "n") == []
    texts = [(reason, message) for _, reason, message in said(cluster, "n")]
    assert texts == [
        ("RegisteredNode", "Node n event: Registered Node n in Controller"),
        ("NodeNotReady", "Node n status is now: NodeNotReady"),
    ]


def test_pods_of_a_lost_node_are_not_ready(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n"))
    run_pod(cluster, pod_on("q", "well"))
    advance(cluster, 60)
    pods = {name: condition(cluster.client("test").get("pods", "default", name), "Ready") or {} for name in "pq"}
    assert (pods["p"]["status"], pods["q"]["status"]) == ("False", "True")
    assert said(cluster, "p") == [("Warning", "NodeNotReady", "Node is not ready")]


def test_lost_nodes_are_tainted_ten_seconds_apart(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in ("a", "b", "w1", "w2"):
        add_node(core, name)
    for name in ("w1", "w2"):
        keep_alive(core, name)
    advance(core, 51)
    assert [LOST[0] in taint_keys(core, name) for name in "ab"] == [True, False]
    advance(core, 7)
    assert LOST[0] not in taint_keys(core, "b")
    advance(core, 3)
    assert LOST[0] in taint_keys(core, "b")


def test_a_taint_of_the_wrong_kind_is_swapped_without_waiting(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in ("a", "b", "w1", "w2"):
        add_node(core, name)
    for name in "ab":
        report(core, name, Ready="False")
    advance(core, 1)
    assert "node.kubernetes.io/not-ready:NoExecute" in taint_keys(core, "a")
    report(core, "a", Ready="Unknown")
    advance(core, 5)
    assert sorted(taint_keys(core, "a")) == LOST
    assert taint_keys(core, "b") == ["node.kubernetes.io/not-ready:NoSchedule"]


def test_when_the_last_nodes_fall_silent_the_first_ones_are_let_be(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in "ab":
        add_node(core, name)
    advance(core, 30)
    renew(core, "b")
    advance(core, 30)
    assert LOST[0] in taint_keys(core, "a")
    advance(core, 30)
    assert [taint_keys(core, name) for name in "ab"] == [[LOST[1]]] * 2


def test_the_first_node_that_is_back_buys_time_for_the_others(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in "ab":
        add_node(core, name)
        report(core, name, Ready="False")
    advance(core, 41)
    report(core, "b")
    keep_alive(core, "b")
    advance(core, 40)
    assert status_of(core, "a") == "False"
    advance(core, 20)
    assert status_of(core, "a") == "Unknown"


def test_reports_alone_keep_a_node_alive(cluster: Core) -> None:
    for _ in range(10):
        advance(cluster, 40)
        report(cluster, "n")
    assert "NodeNotReady" not in [reason for _, reason, _ in said(cluster, "n")]


def test_an_excused_node_has_its_whole_grace_again(core: Core) -> None:
    health = NodeHealth(core.client("kube-controller-manager"), core.storage)
    add_node(core, "n")
    node = core.client("test").get("nodes", "", "n")
    health.check(node)
    advance(core, 45)
    health.excuse_all()
    advance(core, 45)
    assert health.check(node) is node
    advance(core, 6)
    assert health.check(node) is not node


def test_when_all_nodes_fall_silent_at_once_nothing_is_driven_away(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in "abc":
        add_node(core, name)
    advance(core, 120)
    assert [taint_keys(core, name) for name in "abc"] == [[LOST[1]]] * 3
    report(core, "a")
    renew(core, "a")
    keep_alive(core, "a")
    advance(core, 30)
    assert [LOST[0] in taint_keys(core, name) for name in "abc"] == [False, True, True]


def test_most_of_a_small_zone_lost_stops_the_tainting(core: Core) -> None:
    NodeLifecycle(core).start()
    for name in "abcd":
        add_node(core, name)
    keep_alive(core, "d")
    advance(core, 200)
    assert [LOST[0] in taint_keys(core, name) for name in "abcd"] == [False] * 4


def test_labels_of_old_follow_the_new_ones(cluster: Core) -> None:
    cluster.client("test").patch("nodes", "", "n", {"metadata": {"labels": {"kubernetes.io/arch": "arm64", "beta.kubernetes.io/os": "plan9"}}})
    advance(cluster)
    labels = cluster.client("test").get("nodes", "", "n")["metadata"]["labels"]
    assert (labels["beta.kubernetes.io/os"], labels["beta.kubernetes.io/arch"]) == ("linux", "arm64")


def test_seed_nodes_without_a_kubelet_keep_their_grace(core: Core) -> None:
    add_nodes(core, 2)
    NodeLifecycle(core).start()
    advance(core, 45)
    assert {status_of(core, node["metadata"]["name"]) for node in core.storage.objects("nodes")} == {"True"}
