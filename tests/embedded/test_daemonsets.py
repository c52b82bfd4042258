"""DaemonSets: which nodes, what their pods get, updates, history, status, failed daemons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.fakekubelet import FakeKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.daemonset_facts import target_of
from kubepane_embedded.controllers.daemonsets import DaemonSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, annotations_of, key_of, labels_of
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.podfacts import is_ready
from kubepane_embedded.seed import Seed

SETS = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"
WORKERS = ["kubepane-worker", "kubepane-worker2", "kubepane-worker3"]
NO_SCHEDULE = {"key": "k", "effect": "NoSchedule"}
NO_EXECUTE = {"key": "k", "effect": "NoExecute"}


@pytest.fixture
def kubelet(core: Core) -> FakeKubelet:
    add_nodes(core, 3)
    DaemonSetController(core).start()
    return FakeKubelet(core)


def make(kubelet: FakeKubelet, pod: dict[str, Any] | None = None, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "log"}}, "spec": {"containers": [{"name": "c", "image": "log:1"}], **(pod or {})}}
    wanted = {"selector": {"matchLabels": {"app": "log"}}, "template": template, **spec}
    created = kubelet.core.client("test").create(SETS, {"metadata": {"name": "log", "namespace": "default"}, "spec": wanted})
    kubelet.settle()
    return created


def set_image(kubelet: FakeKubelet, image: str) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
    kubelet.core.client("test").patch(SETS, "default", "log", patch)
    kubelet.settle()


def taint(kubelet: FakeKubelet, node: str, *taints: dict[str, str]) -> None:
    kubelet.client.patch("nodes", "", node, {"spec": {"taints": list(taints) or None}})
    kubelet.settle()


def status(kubelet: FakeKubelet) -> dict[str, Any]:
    found: dict[str, Any] = kubelet.client.get(SETS, "default", "log")["status"]
    return found


def nodes(kubelet: FakeKubelet) -> list[str]:
    return sorted(target_of(pod) or "" for pod in kubelet.pods())


def start_all(kubelet: FakeKubelet) -> None:
    """Bind every daemon where it belongs, and run it."""
    for pod in kubelet.pods():
        if not pod["spec"].get("nodeName"):
            kubelet.bind(key_of(pod)[1], str(target_of(pod)))
    kubelet.run_all()


def images(kubelet: FakeKubelet) -> dict[str, str]:
    return {str(target_of(pod)): pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()}


def test_one_pod_for_every_node_without_a_taint(kubelet: FakeKubelet) -> None:
    make(kubelet)
    assert nodes(kubelet) == WORKERS
    counts = {"currentNumberScheduled": 3, "desiredNumberScheduled": 3, "numberMisscheduled": 0, "updatedNumberScheduled": 3, "observedGeneration": 1}
    assert status(kubelet) == {**counts, "numberReady": 0, "numberUnavailable": 3}
    start_all(kubelet)
    assert status(kubelet) == {**counts, "numberReady": 3, "numberAvailable": 3}
    revision = kubelet.core.storage.revision
    kubelet.settle(3600)
    assert kubelet.core.storage.revision == revision, "an idle set is written to"


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ({"nodeSelector": {"kubernetes.io/hostname": "kubepane-worker2"}}, WORKERS[1:2]),
        ({"nodeName": "kubepane-worker3"}, WORKERS[2:]),
        ({"tolerations": [{"operator": "Exists"}]}, ["kubepane-control-plane", *WORKERS]),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": WORKERS[:1]}]}
                            ]
                        }
                    }
                },
                "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule", "operator": "Exists"}],
            },
            ["kubepane-control-plane", *WORKERS[1:]],
        ),
    ],
)
def test_only_where_the_template_fits(kubelet: FakeKubelet, pod: dict[str, Any], expected: list[str]) -> None:
    make(kubelet, pod)
    assert nodes(kubelet) == expected
    assert status(kubelet)["desiredNumberScheduled"] == len(expected)


@pytest.mark.parametrize("host_network", [False, True])
def test_a_daemon_tolerates_what_ails_its_node(kubelet: FakeKubelet, host_network: bool) -> None:
    own = {"key": "mine", "operator": "Exists"}
    make(
        kubelet,
        {
            "hostNetwork": host_network,
            "tolerations": [own, {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"}],
        },
    )
    pod = kubelet.pods()[0]
    found = [(one["key"], one.get("effect")) for one in pod["spec"]["tolerations"]]
    assert found == [
        ("mine", None),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
        *([("node.kubernetes.io/network-unavailable", "NoSchedule")] if host_network else []),
    ]
    assert labels_of(pod)["pod-template-generation"] == "1"
    assert labels_of(pod)["controller-revision-hash"] == labels_of(kubelet.core.storage.objects(REVISIONS, "default")[0])["controller-revision-hash"]


def test_nodes_come_and_change(kubelet: FakeKubelet) -> None:
    make(kubelet)
    start_all(kubelet)
    taint(kubelet, "kubepane-worker", NO_SCHEDULE)
    kubelet.core.client("test").patch(SETS, "default", "log", {"metadata": {"labels": {"a": "b"}}})
    kubelet.settle()
    assert not any(name.startswith("-") for name in kubelet.names()), "NoSchedule drove a running daemon out"
    kubelet.client.create("nodes", {"metadata": {"name": "late"}})
    kubelet.settle()
    assert "late" not in nodes(kubelet), "a new node is not ready"
    taint(kubelet, "late")
    assert nodes(kubelet) == ["kubepane-worker", "kubepane-worker2", "kubepane-worker3", "late"]
    counts = status(kubelet)
    assert (counts["desiredNumberScheduled"], counts["currentNumberScheduled"], counts["numberMisscheduled"]) == (3, 3, 1)
    assert not any(name.startswith("-") for name in kubelet.names())
    taint(kubelet, "kubepane-worker", NO_EXECUTE)
    kubelet.run_all()
    assert nodes(kubelet) == ["kubepane-worker2", "kubepane-worker3", "late"]
    taint(kubelet, "kubepane-worker")
    assert nodes(kubelet)[0] == "kubepane-worker"


def test_heartbeats_of_nodes_are_not_looked_at(kubelet: FakeKubelet, monkeypatch: pytest.MonkeyPatch) -> None:
    make(kubelet)
    looks: list[str] = []

    def look(_: object, node: str) -> list[Object]:
        looks.append(node)
        return []

    monkeypatch.setattr("kubepane_embedded.controllers.daemonsets.pods_on", look)
    for node in WORKERS:
        kubelet.client.patch_status("nodes", "", node, {"phase": "Running"})
    kubelet.settle(60)
    assert looks == []


def test_a_daemon_for_a_node_that_is_gone_is_deleted(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.client.delete("nodes", "", "kubepane-worker")
    kubelet.core.client("test").patch(SETS, "default", "log", {"metadata": {"labels": {"a": "b"}}})
    kubelet.settle()
    assert nodes(kubelet) == WORKERS[1:]


def test_failed_daemons_are_made_again_ever_more_slowly(kubelet: FakeKubelet) -> None:
    make(kubelet, {"nodeName": "kubepane-worker"})
    name = kubelet.names()[0]
    kubelet.exit(name, 1)
    assert name not in kubelet.names()
    assert f"FailedDaemonPod: Found failed daemon pod default/{name} on node kubepane-worker, will try to kill it" in kubelet.events("log")
    for seconds in (1, 2, 4):
        name = kubelet.names()[0]
        kubelet.exit(name, 1)
        kubelet.settle(seconds - 0.5)
        assert kubelet.names() == [name]
        kubelet.settle(0.5)
        assert kubelet.names() != [name]


def test_a_succeeded_daemon_is_made_again_at_once(kubelet: FakeKubelet) -> None:
    make(kubelet, {"nodeName": "kubepane-worker"})
    name = kubelet.names()[0]
    kubelet.exit(name, 0)
    assert f"SucceededDaemonPod: Found succeeded daemon pod default/{name} on node kubepane-worker, will try to delete it" in kubelet.events("log")
    assert kubelet.names() != [name]
    assert len(kubelet.names()) == 1


def test_an_update_replaces_one_after_the_other(kubelet: FakeKubelet) -> None:
    make(kubelet)
    start_all(kubelet)
    set_image(kubelet, "log:2")
    for updated in range(3):
        gone = next(pod for pod in kubelet.pods() if pod["metadata"].get("deletionTimestamp"))
        assert status(kubelet).get("updatedNumberScheduled", 0) == updated
        kubelet.remove(key_of(gone)[1])
        fresh = next(pod for pod in kubelet.pods() if not pod["spec"].get("nodeName"))
        kubelet.bind(key_of(fresh)[1], str(target_of(fresh)))
        assert sum(is_ready(pod) for pod in kubelet.pods()) == 2
        kubelet.run(key_of(fresh)[1])
    assert set(images(kubelet).values()) == {"log:2"}
    assert annotations_of(kubelet.client.get(SETS, "default", "log"))["deprecated.daemonset.template.generation"] == "2"


def test_a_surge_starts_the_new_before_the_old_goes(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    start_all(kubelet)
    set_image(kubelet, "log:2")
    for _ in range(3):
        assert len(kubelet.names()) == 4
        assert not any(name.startswith("-") for name in kubelet.names())
        fresh = next(pod for pod in kubelet.pods() if not pod["spec"].get("nodeName"))
        kubelet.bind(key_of(fresh)[1], str(target_of(fresh)))
        kubelet.run(key_of(fresh)[1])
        gone = next(pod for pod in kubelet.pods() if pod["metadata"].get("deletionTimestamp"))
        assert target_of(gone) == target_of(fresh)
        kubelet.remove(key_of(gone)[1])
    assert set(images(kubelet).values()) == {"log:2"}
    assert len(kubelet.names()) == 3


def test_a_surge_does_not_wait_for_an_old_one_that_serves_nobody(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    start_all(kubelet)
    set_image(kubelet, "log:2")
    fresh = next(pod for pod in kubelet.pods() if not pod["spec"].get("nodeName"))
    old = next(pod for pod in kubelet.pods() if pod["spec"].get("nodeName") == target_of(fresh))
    kubelet.status(key_of(old)[1], "Running", ready=False)
    assert f"-{key_of(old)[1]}" in kubelet.names()
    assert key_of(fresh)[1] in kubelet.names()


def test_a_surge_keeps_daemons_of_left_nodes_while_they_are_needed(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    start_all(kubelet)
    for node in WORKERS[:2]:
        taint(kubelet, node, NO_SCHEDULE)
    wanted = next(pod for pod in kubelet.pods() if target_of(pod) == WORKERS[2])
    kubelet.status(key_of(wanted)[1], "Running", ready=False)
    set_image(kubelet, "log:2")
    left = [pod for pod in kubelet.pods() if target_of(pod) in WORKERS[:2]]
    assert sorted(bool(pod["metadata"].get("deletionTimestamp")) for pod in left) == [False, True]


def test_revisions_of_living_pods_are_kept_beyond_the_limit(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "OnDelete"}, revisionHistoryLimit=0)
    start_all(kubelet)
    for image in ("log:2", "log:3"):
        set_image(kubelet, image)
    assert sorted(one["revision"] for one in kubelet.core.storage.objects(REVISIONS, "default")) == [1, 3]


def test_on_delete_waits_for_a_delete(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "OnDelete"})
    start_all(kubelet)
    set_image(kubelet, "log:2")
    assert set(images(kubelet).values()) == {"log:1"}
    kubelet.remove(kubelet.names()[0])
    assert sorted(images(kubelet).values()) == ["log:1", "log:1", "log:2"]
    assert status(kubelet)["updatedNumberScheduled"] == 1


def test_going_back_takes_the_old_revision_up_again(kubelet: FakeKubelet) -> None:
    make(kubelet, revisionHistoryLimit=1)
    for image in ("log:2", "log:3", "log:1"):
        set_image(kubelet, image)
    assert sorted(one["revision"] for one in kubelet.core.storage.objects(REVISIONS, "default")) == [3, 4]


def test_of_two_equal_revisions_one_stays(kubelet: FakeKubelet) -> None:
    make(kubelet)
    only = kubelet.core.storage.objects(REVISIONS, "default")[0]
    meta = {**only["metadata"], "name": "log-copy", "labels": {"app": "log", "controller-revision-hash": "copy"}}
    for part in ("uid", "resourceVersion", "creationTimestamp"):
        del meta[part]
    kubelet.core.client("test").create(REVISIONS, {**only, "metadata": meta, "revision": 5})
    kubelet.core.client("test").patch(SETS, "default", "log", {"metadata": {"labels": {"a": "b"}}})
    kubelet.settle()
    assert [key_of(one)[1] for one in kubelet.core.storage.objects(REVISIONS, "default")] == ["log-copy"]
    assert {labels_of(pod)["controller-revision-hash"] for pod in kubelet.pods()} == {"copy"}


def test_a_set_that_selects_everything_is_left_alone(kubelet: FakeKubelet) -> None:
    made = make(kubelet)
    everything = {**made, "spec": {**made["spec"], "selector": {}}}
    kubelet.core.storage.put(SETS, {**everything, "metadata": dict(made["metadata"])})
    kubelet.settle()
    assert kubelet.events("log")[-1] == "SelectingAll: This daemon set is selecting all pods. A non-empty selector is required."


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(0, 2),
    st.lists(st.tuples(st.sampled_from(["run", "unready", "remove", "bind"]), st.integers(0, 9)), max_size=30),
)
def test_an_update_never_takes_more_than_it_may(unavailable: int, surge: int, steps: list[tuple[str, int]]) -> None:
    core = Core(VirtualClock(), Seed(1))
    add_nodes(core, 3)
    DaemonSetController(core).start()
    kubelet = FakeKubelet(core)
    surge = 0 if unavailable else max(surge, 1)
    make(kubelet, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}})
    start_all(kubelet)
    set_image(kubelet, "log:2")
    broken: set[str] = set()
    for action, number in steps:
        pods = kubelet.pods()
        pod = pods[number % len(pods)]
        name, node = key_of(pod)[1], str(target_of(pod))
        going = bool(pod["metadata"].get("deletionTimestamp"))
        if action == "remove" and going:
            kubelet.remove(name)
        elif action == "bind" and not pod["spec"].get("nodeName"):
            kubelet.bind(name, node)
        elif action == "run" and not going:
            kubelet.run(name)
            broken.discard(node)
        elif action == "unready" and not going and is_ready(pod):
            kubelet.status(name, "Running", ready=False)
            broken.add(node)
        on = [str(target_of(pod)) for pod in kubelet.pods() if not pod["metadata"].get("deletionTimestamp")]
        assert all(on.count(name) <= (2 if surge else 1) for name in WORKERS)
        serving = {str(target_of(pod)) for pod in kubelet.pods() if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")}
        assert len(set(WORKERS) - serving - broken) <= unavailable
    for _ in range(12):
        start_all(kubelet)
        for pod in kubelet.pods():
            if not is_ready(pod):
                kubelet.run(key_of(pod)[1])
    assert images(kubelet) == dict.fromkeys(WORKERS, "log:2")
    assert len(kubelet.pods()) == 3
