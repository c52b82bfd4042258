"""Claims that wait for their first consumer: bound to a volume that is there, or provisioned on the chosen node."""

from __future__ import annotations

from typing import Any

from embedded.scheduling import NAMESPACE, Bench
from kubepane_embedded.controllers.volumes import PersistentVolumeController
from kubepane_embedded.meta import annotations_of, uid_of

SELECTED = "volume.kubernetes.io/selected-node"
TIMED_OUT = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'


def bench_with_class(provisioner: str, **more: Any) -> Bench:
    bench = Bench()
    PersistentVolumeController(bench.core).start()
    wanted = {"metadata": {"name": "slow"}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer", **more}
    bench.client.create("storageclasses.storage.k8s.io", wanted)
    return bench


def static() -> Bench:
    return bench_with_class("kubernetes.io/no-provisioner")


def affinity(node: str) -> dict[str, Any]:
    expressions = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}


def volume(bench: Bench, name: str, size: str = "1Gi", node: str = "kubepane-worker2", class_name: str = "slow") -> None:
    spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class_name, "nodeAffinity": affinity(node)}
    bench.client.create("persistentvolumes", {"metadata": {"name": name}, "spec": {**spec, "hostPath": {"path": "/d"}}})


def claim(bench: Bench, name: str, size: str = "1Gi") -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "slow", "resources": {"requests": {"storage": size}}}
    bench.client.create("persistentvolumeclaims", {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})


def pod(bench: Bench, name: str, *claims: str, **spec: Any) -> None:
    volumes = [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims]
    bench.pod(name, volumes=volumes, **spec)


def test_a_volume_that_is_there_is_bound_where_it_is() -> None:
    bench = static().start()
    volume(bench, "there")
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    assert bench.node_of("db") is None, "the claims come first"
    bench.clock.advance(1)
    assert bench.node_of("db") == "kubepane-worker2"
    bound = bench.read("data", "persistentvolumeclaims")
    reference = bench.read("there", "persistentvolumes", "")["spec"]["claimRef"]
    assert bound["spec"]["volumeName"] == "there"
    assert bound["status"]["phase"] == "Bound"
    assert (reference["kind"], reference["name"], reference["uid"]) == ("PersistentVolumeClaim", "data", uid_of(bound))
    assert annotations_of(bench.read("there", "persistentvolumes", "")) == {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert SELECTED not in annotations_of(bound)


def test_two_claims_of_a_pod_take_two_volumes_of_one_node() -> None:
    bench = static().start()
    volume(bench, "large", "3Gi")
    volume(bench, "small", "2Gi")
    volume(bench, "elsewhere", "1Gi", "kubepane-worker3")
    claim(bench, "much", "2Gi")
    claim(bench, "little")
    pod(bench, "db", "much", "little")
    bench.clock.advance(2)
    assert bench.node_of("db") == "kubepane-worker2"
    taken = [bench.read(name, "persistentvolumeclaims")["spec"]["volumeName"] for name in ("much", "little")]
    assert taken == ["large", "small"]


def test_a_volume_that_comes_lets_the_pod_in() -> None:
    bench = static().start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.advance(20)
    assert "3 node(s) didn't find available persistent volumes to bind" in bench.scheduled("db")["message"]
    volume(bench, "there")
    bench.clock.advance(2)
    assert bench.node_of("db") == "kubepane-worker2"


def test_a_claim_that_comes_lets_the_pod_in() -> None:
    bench = static().start()
    volume(bench, "there")
    pod(bench, "db", "data")
    bench.clock.advance(20)
    assert bench.scheduled("db")["message"] == '0/4 nodes are available: persistentvolumeclaim "data" not found. not found'
    claim(bench, "data")
    bench.clock.advance(2)
    assert bench.node_of("db") == "kubepane-worker2"


def provision(bench: Bench, name: str) -> None:
    """What an external provisioner does for a claim with a selected node: a volume that is kept for it."""
    asked = bench.read(name, "persistentvolumeclaims")
    node = annotations_of(asked)[SELECTED]
    reference = {"kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": name, "uid": uid_of(asked), "apiVersion": "v1"}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "slow", "nodeAffinity": affinity(node)}
    made = {"metadata": {"name": f"pvc-{name}"}, "spec": {**spec, "hostPath": {"path": "/d"}, "claimRef": reference}}
    bench.client.create("persistentvolumes", made)


def test_a_claim_is_provisioned_on_the_chosen_node() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    node = annotations_of(bench.read("data", "persistentvolumeclaims"))[SELECTED]
    assert node.startswith("kubepane-worker")
    bench.clock.advance(5)
    assert bench.node_of("db") is None
    provision(bench, "data")
    bench.clock.advance(1)
    assert bench.node_of("db") == node
    assert bench.events("db") == []


def test_a_pod_on_its_way_holds_its_place() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    request = [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": "3"}}}]
    pod(bench, "db", "data", containers=request)
    bench.clock.settle()
    node = annotations_of(bench.read("data", "persistentvolumeclaims"))[SELECTED]
    here = {"kubernetes.io/hostname": node}
    bench.pod("other", "2", nodeSelector=here)
    bench.clock.advance(5)
    assert bench.node_of("other") is None
    bench.client.delete("pods", NAMESPACE, "db", grace=0)
    bench.clock.advance(2)
    assert bench.node_of("other") == node


def test_a_silent_provisioner_is_given_up_after_ten_minutes() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.advance(599)
    assert bench.events("db") == []
    bench.clock.advance(1)
    (event,) = bench.events("db")
    assert event["message"] == TIMED_OUT
    assert (bench.scheduled("db")["reason"], bench.scheduled("db")["message"]) == ("SchedulerError", TIMED_OUT)
    provision(bench, "data")
    bench.clock.advance(10)
    assert bench.node_of("db") == annotations_of(bench.read("data", "persistentvolumeclaims"))[SELECTED]


def test_a_provisioner_that_fails_takes_the_node_back() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    bench.client.patch("persistentvolumeclaims", NAMESPACE, "data", {"metadata": {"annotations": {SELECTED: None, "other": "x"}}})
    bench.clock.advance(1)
    assert bench.events("db")[0]["message"] == 'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"'
    bench.clock.advance(5)
    assert SELECTED in annotations_of(bench.read("data", "persistentvolumeclaims")), "another node is chosen"


def test_topologies_of_the_class_limit_the_nodes() -> None:
    expressions = [{"key": "disk", "values": ["ssd", "nvme"]}]
    bench = bench_with_class("example.com/p", allowedTopologies=[{"matchLabelExpressions": expressions}]).start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    assert bench.why("db") == (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't find available persistent volumes to bind"
    )
    bench.client.patch("nodes", "", "kubepane-worker3", {"metadata": {"labels": {"disk": "nvme"}}})
    bench.clock.settle()
    assert annotations_of(bench.read("data", "persistentvolumeclaims"))[SELECTED] == "kubepane-worker3"


def test_a_pod_deleted_on_its_way_ends_the_waiting() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    bench.client.delete("pods", NAMESPACE, "db", grace=0)
    bench.clock.advance(700)
    (event,) = bench.events("db")
    assert event["message"] == 'running PreBind plugin "VolumeBinding": binding volumes: pod does not exist any more: pod "db" not found'


def test_a_new_pod_of_that_name_is_placed_anew() -> None:
    bench = bench_with_class("example.com/p").start()
    claim(bench, "data")
    pod(bench, "db", "data")
    bench.clock.settle()
    bench.client.delete("pods", NAMESPACE, "db", grace=0)
    bench.pod("db", nodeSelector={"nobody": "here"})
    provision(bench, "data")
    bench.clock.advance(10)
    assert bench.node_of("db") is None
    assert bench.why("db") == "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't match Pod's node affinity/selector"
