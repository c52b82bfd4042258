"""StatefulSets: order, identity, claims, rolling updates, history, status."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.fakekubelet import FakeKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.revisions import revision_hash
from kubepane_embedded.controllers.statefulset_claims import has_right_owners, right_owners
from kubepane_embedded.controllers.statefulsets import StatefulSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, is_deleting, key_of, labels_of, owner_reference, owners_of
from kubepane_embedded.podfacts import is_ready
from kubepane_embedded.seed import Seed

SETS = "statefulsets.apps"
CLAIMS = "persistentvolumeclaims"
REVISIONS = "controllerrevisions.apps"


@pytest.fixture
def kubelet(core: Core) -> FakeKubelet:
    StatefulSetController(core).start()
    return FakeKubelet(core)


def make(kubelet: FakeKubelet, replicas: int = 3, claims: bool = False, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "mysql"}}, "spec": {"containers": [{"name": "c", "image": "mysql:8"}]}}
    wanted = {"replicas": replicas, "serviceName": "mysql", "selector": {"matchLabels": {"app": "mysql"}}, "template": template, **spec}
    if claims:
        asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        wanted["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": asked}]
    created = kubelet.core.client("test").create(SETS, {"metadata": {"name": "mysql", "namespace": "default"}, "spec": wanted})
    kubelet.settle()
    return created


def change(kubelet: FakeKubelet, **spec: Any) -> None:
    kubelet.core.client("test").patch(SETS, "default", "mysql", {"spec": spec})
    kubelet.settle()


def set_image(kubelet: FakeKubelet, image: str) -> None:
    change(kubelet, template={"spec": {"containers": [{"name": "c", "image": image}]}})


def status(kubelet: FakeKubelet) -> dict[str, Any]:
    found: dict[str, Any] = kubelet.client.get(SETS, "default", "mysql")["status"]
    return found


def revisions(kubelet: FakeKubelet) -> dict[str, int]:
    return {key_of(one)[1]: one["revision"] for one in kubelet.core.storage.objects(REVISIONS, "default")}


def test_one_pod_after_the_other(kubelet: FakeKubelet) -> None:
    make(kubelet)
    for number in range(3):
        assert kubelet.names() == [f"mysql-{place}" for place in range(number + 1)]
        kubelet.run(f"mysql-{number}")
    name = next(iter(revisions(kubelet)))
    assert status(kubelet) == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": name,
        "updateRevision": name,
        "collisionCount": 0,
        "availableReplicas": 3,
    }
    assert kubelet.events("mysql")[0] == "SuccessfulCreate: Create Pod mysql-0 in StatefulSet mysql successful"
    revision = kubelet.core.storage.revision
    kubelet.settle(3600)
    assert kubelet.core.storage.revision == revision, "an idle set is written to"


def test_parallel_makes_and_deletes_all_at_once(kubelet: FakeKubelet) -> None:
    make(kubelet, podManagementPolicy="Parallel")
    assert kubelet.names() == ["mysql-0", "mysql-1", "mysql-2"]
    change(kubelet, replicas=0)
    kubelet.settle()
    assert kubelet.names() == []


def test_a_pod_has_name_number_and_revision(kubelet: FakeKubelet) -> None:
    make(kubelet, ordinals={"start": 5})
    pod = kubelet.client.get("pods", "default", "mysql-5")
    assert labels_of(pod) == {
        "app": "mysql",
        "apps.kubernetes.io/pod-index": "5",
        "controller-revision-hash": next(iter(revisions(kubelet))),
        "statefulset.kubernetes.io/pod-name": "mysql-5",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("mysql-5", "mysql")


def test_scaling_down_goes_from_the_top_and_waits(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    for name in kubelet.names():
        kubelet.bind(name, "node")
    change(kubelet, replicas=1)
    assert kubelet.names() == ["mysql-0", "mysql-1", "-mysql-2"]
    kubelet.remove("mysql-2")
    assert kubelet.names() == ["mysql-0", "-mysql-1"]
    kubelet.remove("mysql-1")
    assert status(kubelet)["replicas"] == 1
    assert kubelet.events("mysql")[-1] == "SuccessfulDelete: Delete Pod mysql-1 in StatefulSet mysql successful"


def test_scaling_down_waits_for_an_unready_pod_below(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    kubelet.status("mysql-0", "Running", ready=False)
    change(kubelet, replicas=1)
    assert kubelet.names() == ["mysql-0", "mysql-1", "mysql-2"]
    kubelet.run("mysql-0")
    assert kubelet.names() == ["mysql-0"]


def test_the_unready_one_goes_first_when_it_is_the_lowest_unready(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    kubelet.status("mysql-2", "Running", ready=False)
    change(kubelet, replicas=1)
    assert kubelet.names() == ["mysql-0"]


def test_two_unready_ones_beyond_the_size_wait_for_each_other(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    for name in ("mysql-1", "mysql-2"):
        kubelet.status(name, "Running", ready=False)
    change(kubelet, replicas=1)
    assert kubelet.names() == ["mysql-0", "mysql-1", "mysql-2"], "the first unready one is the only one that may go while it is unready"
    kubelet.run("mysql-2")
    assert kubelet.names() == ["mysql-0"]


def test_a_parallel_update_waits_for_the_one_above(kubelet: FakeKubelet) -> None:
    make(kubelet, podManagementPolicy="Parallel")
    kubelet.run_all()
    set_image(kubelet, "mysql:9")
    assert [pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()] == ["mysql:8", "mysql:8", "mysql:9"]
    kubelet.run("mysql-2")
    assert [pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()] == ["mysql:8", "mysql:9", "mysql:9"]


def test_an_update_is_counted_as_a_real_cluster_counts_it(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    seen: list[tuple[int, ...]] = []
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    kubelet.core.storage.watch(SETS, lambda change: seen.append(tuple(change.now.obj["status"].get(name, 0) for name in names)))
    set_image(kubelet, "mysql:9")
    assert list(dict.fromkeys(seen))[1:] == [(3, 3, 2, 0, 3), (2, 2, 2, 0, 2), (3, 2, 2, 1, 2)]


@pytest.mark.parametrize("code", [0, 1])
def test_an_ended_pod_is_made_again(kubelet: FakeKubelet, code: int) -> None:
    make(kubelet, 1)
    kubelet.run_all()
    uid = kubelet.pods()[0]["metadata"]["uid"]
    kubelet.exit("mysql-0", code)
    assert kubelet.names() == ["mysql-0"]
    assert kubelet.pods()[0]["metadata"]["uid"] != uid
    assert "SuccessfulDelete: Delete Pod mysql-0 in StatefulSet mysql successful" in kubelet.events("mysql")


def test_a_pod_counts_after_min_ready_seconds(kubelet: FakeKubelet) -> None:
    make(kubelet, 2, minReadySeconds=10)
    kubelet.run("mysql-0")
    kubelet.settle(9)
    assert (kubelet.names(), status(kubelet)["availableReplicas"]) == (["mysql-0"], 0)
    kubelet.settle(1)
    assert kubelet.names() == ["mysql-0", "mysql-1"]
    assert status(kubelet)["availableReplicas"] == 1


def test_claims_come_before_their_pod_and_stay(kubelet: FakeKubelet) -> None:
    make(kubelet, 2, claims=True)
    kubelet.run_all()
    claims = kubelet.core.storage.objects(CLAIMS, "default")
    assert [key_of(claim)[1] for claim in claims] == ["data-mysql-0", "data-mysql-1"]
    assert labels_of(claims[0]) == {"app": "mysql"}
    assert kubelet.pods()[1]["spec"]["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-mysql-1"}}
    assert kubelet.events("mysql")[:2] == [
        "SuccessfulCreate: Create Claim data-mysql-0 Pod mysql-0 in StatefulSet mysql success",
        "SuccessfulCreate: Create Pod mysql-0 in StatefulSet mysql successful",
    ]
    change(kubelet, replicas=0)
    kubelet.run_all()
    assert kubelet.core.storage.count(CLAIMS, "default") == 2
    assert not owners_of(claims[0])


def test_a_deleted_claim_holds_its_pod_back(kubelet: FakeKubelet) -> None:
    make(kubelet, 1, claims=True)
    client = kubelet.core.client("test")
    client.patch(CLAIMS, "default", "data-mysql-0", {"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}})
    client.delete(CLAIMS, "default", "data-mysql-0")
    kubelet.remove("mysql-0")
    assert kubelet.names() == []
    assert kubelet.events("mysql")[-1] == "FailedCreate: Create Pod mysql-0 in StatefulSet mysql failed error: pvc data-mysql-0 is being deleted"
    client.patch(CLAIMS, "default", "data-mysql-0", {"metadata": {"finalizers": None}})
    kubelet.settle(60)
    assert kubelet.names() == ["mysql-0"]


@pytest.mark.parametrize(
    ("deleted", "scaled", "owners", "owners_when_condemned"),
    [
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", ["StatefulSet"], ["StatefulSet"]),
        ("Retain", "Delete", [], ["Pod"]),
        ("Delete", "Delete", ["StatefulSet"], ["Pod"]),
    ],
)
def test_claims_are_owned_as_the_policy_says(
    kubelet: FakeKubelet, deleted: str, scaled: str, owners: list[str], owners_when_condemned: list[str]
) -> None:
    make(kubelet, 1, claims=True, persistentVolumeClaimRetentionPolicy={"whenDeleted": deleted, "whenScaled": scaled})
    kubelet.run_all()
    kubelet.bind("mysql-0", "node")

    def kinds() -> list[str]:
        return [owner["kind"] for owner in owners_of(kubelet.client.get(CLAIMS, "default", "data-mysql-0"))]

    assert kinds() == owners
    change(kubelet, replicas=0)
    assert kubelet.names() == ["-mysql-0"]
    assert kinds() == owners_when_condemned


def test_claims_of_others_are_left_alone(kubelet: FakeKubelet) -> None:
    stateful_set = make(kubelet, 1, claims=True, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Delete"})
    pod = kubelet.pods()[0]
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u", "controller": True}
    stale = {**owner_reference(stateful_set), "uid": "earlier"}
    for owners, fits in (([other], True), ([stale], True), ([other, owner_reference(stateful_set)], False), ([], False)):
        assert has_right_owners({"metadata": {"ownerReferences": owners}}, stateful_set, pod) is fits, owners
    assert right_owners({"metadata": {"ownerReferences": [other, owner_reference(stateful_set)]}}, stateful_set, pod) == [other]


def test_a_rolling_update_goes_from_the_top(kubelet: FakeKubelet) -> None:
    make(kubelet)
    kubelet.run_all()
    before = status(kubelet)["currentRevision"]
    set_image(kubelet, "mysql:9")
    after = status(kubelet)["updateRevision"]
    assert before != after
    for number in (2, 1, 0):
        made = {key_of(pod)[1]: pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()}
        assert made == {f"mysql-{place}": "mysql:9" if place >= number else "mysql:8" for place in range(3)}
        assert status(kubelet)["currentRevision"] == before
        kubelet.run(f"mysql-{number}")
    assert (status(kubelet)["currentRevision"], status(kubelet)["currentReplicas"]) == (after, 3)
    assert revisions(kubelet) == {before: 1, after: 2}


def test_the_partition_keeps_the_pods_below(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    kubelet.run_all()
    set_image(kubelet, "mysql:9")
    kubelet.run_all()
    assert [pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()] == ["mysql:8", "mysql:8", "mysql:9"]
    kubelet.remove("mysql-0")
    kubelet.run_all()
    assert [pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()] == ["mysql:8", "mysql:8", "mysql:9"]
    assert (status(kubelet)["currentReplicas"], status(kubelet)["updatedReplicas"]) == (2, 1)


def test_on_delete_waits_for_a_delete(kubelet: FakeKubelet) -> None:
    make(kubelet, updateStrategy={"type": "OnDelete"})
    kubelet.run_all()
    set_image(kubelet, "mysql:9")
    kubelet.run_all()
    assert {pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()} == {"mysql:8"}
    kubelet.remove("mysql-1")
    kubelet.run_all()
    assert [pod["spec"]["containers"][0]["image"] for pod in kubelet.pods()] == ["mysql:8", "mysql:9", "mysql:8"]


def test_going_back_takes_the_old_revision_up_again(kubelet: FakeKubelet) -> None:
    make(kubelet, 1)
    kubelet.run_all()
    first = status(kubelet)["currentRevision"]
    set_image(kubelet, "mysql:9")
    kubelet.run_all()
    set_image(kubelet, "mysql:8")
    kubelet.run_all()
    assert status(kubelet)["currentRevision"] == first
    assert revisions(kubelet)[first] == 3


def test_history_is_kept_to_its_limit(kubelet: FakeKubelet) -> None:
    make(kubelet, 1, revisionHistoryLimit=2)
    for number in range(5):
        set_image(kubelet, f"mysql:{10 + number}")
        kubelet.run_all()
    assert sorted(revisions(kubelet).values()) == [4, 5, 6]


def test_revisions_are_named_as_a_real_cluster_names_them() -> None:
    container = {
        "image": "registry.k8s.io/pause:3.10",
        "imagePullPolicy": "IfNotPresent",
        "name": "c",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "env": [{"name": "HTML", "value": "<a&b> é"}],
    }
    spec = {
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    template = {"$patch": "replace", "metadata": {"labels": {"app": "one"}}, "spec": spec}
    assert revision_hash({"spec": {"template": template}}, 0) == "5ddbbfd96d"


def test_an_orphan_of_the_name_is_adopted_and_no_other(kubelet: FakeKubelet) -> None:
    client = kubelet.core.client("test")
    for name in ("mysql-0", "other-0"):
        client.create(
            "pods",
            {"metadata": {"name": name, "namespace": "default", "labels": {"app": "mysql"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        )
    make(kubelet, 1)
    kubelet.run_all()
    assert [owner["kind"] for owner in owners_of(client.get("pods", "default", "mysql-0"))] == ["StatefulSet"]
    assert owners_of(client.get("pods", "default", "other-0")) == []
    assert labels_of(client.get("pods", "default", "mysql-0"))["statefulset.kubernetes.io/pod-name"] == "mysql-0"


def test_a_deleted_set_only_counts(kubelet: FakeKubelet) -> None:
    make(kubelet, 2)
    client = kubelet.core.client("test")
    client.delete(SETS, "default", "mysql", propagation="Foreground")
    kubelet.run("mysql-0")
    assert (kubelet.names(), status(kubelet)["readyReplicas"]) == (["mysql-0"], 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 4)),
        st.tuples(st.just("unready"), st.integers(0, 4)),
        st.tuples(st.just("fail"), st.integers(0, 4)),
        st.tuples(st.just("remove"), st.integers(0, 4)),
        st.tuples(st.just("scale"), st.integers(0, 5)),
        st.tuples(st.just("image"), st.integers(1, 3)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_no_pod_is_made_before_the_ones_below_are_ready(steps: list[tuple[str, int]]) -> None:
    core = Core(VirtualClock(), Seed(1))
    StatefulSetController(core).start()
    kubelet = FakeKubelet(core)
    make(kubelet)
    seen: set[str] = set()
    for action, number in steps:
        present = {key_of(pod)[1] for pod in kubelet.pods()}
        name = f"mysql-{number}"
        if action == "scale":
            change(kubelet, replicas=number)
        elif action == "image":
            set_image(kubelet, f"mysql:{number}")
        elif name in present:
            {
                "run": lambda name: kubelet.run(name),
                "unready": lambda name: kubelet.status(name, "Running", ready=False),
                "fail": lambda name: kubelet.exit(name, 1),
                "remove": lambda name: kubelet.remove(name),
            }[action](name)
        pods = {key_of(pod)[1]: pod for pod in kubelet.pods()}
        for name, pod in pods.items():
            uid = pod["metadata"]["uid"]
            below = [pods.get(f"mysql-{place}") for place in range(int(name[6:]))]
            assert uid in seen or all(one is not None and is_ready(one) and not is_deleting(one) for one in below), f"{name} came too early"
            seen.add(uid)
    kubelet.run_all()
    wanted = kubelet.client.get(SETS, "default", "mysql")["spec"]["replicas"]
    for name, pod in ((key_of(pod)[1], pod) for pod in kubelet.pods()):
        if not is_ready(pod):
            kubelet.run(name)
    kubelet.run_all()
    assert kubelet.names() == [f"mysql-{place}" for place in range(wanted)]
