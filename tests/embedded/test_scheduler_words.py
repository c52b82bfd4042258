"""What the scheduler says, against recordings of a real 1.35.4: every case is a pod, with what was around it, and the server's sentence."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.conftest import recording
from embedded.scheduling import NAMESPACE, Bench
from kubepane_embedded.meta import Object, clone

WORLD: dict[str, Any] = recording("scheduling")
RECORDED: dict[str, Any] = recording("failed_scheduling")
RESOURCES = {
    "StorageClass": "storageclasses.storage.k8s.io",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}


def add_nodes(bench: Bench) -> None:
    for node in WORLD["nodes"]:
        bench.put("nodes", node)
        bench.client.patch("nodes", "", node["metadata"]["name"], {"spec": {"taints": node["spec"].get("taints")}})


def add_objects(bench: Bench) -> None:
    for obj in WORLD["objects"]:
        wanted = clone(obj)
        going = wanted["metadata"].pop("deletionTimestamp", None)
        bench.put(RESOURCES[obj["kind"]], wanted)
        if going:
            bench.client.delete(RESOURCES[obj["kind"]], NAMESPACE, obj["metadata"]["name"])


def add_pods(bench: Bench, without: str) -> None:
    """The pods that were there, and those of the other cases that had been bound."""
    for pod in WORLD["present"]:
        bench.client.create("pods", clone(pod))
    for name, case in WORLD["cases"].items():
        if case["node"] and name != without:
            pod = clone(case["pod"])
            pod["spec"]["nodeName"] = case["node"]
            bench.client.create("pods", pod)


def ephemeral_claim(bench: Bench, pod: Object) -> None:
    """What the controller of ephemeral volumes makes for a pod."""
    for volume in pod["spec"].get("volumes") or []:
        if "ephemeral" in volume:
            meta = pod["metadata"]
            owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}
            name = f"{meta['name']}-{volume['name']}"
            claim = {"metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner]}}
            bench.client.create("persistentvolumeclaims", {**claim, **clone(volume["ephemeral"]["volumeClaimTemplate"])})


@pytest.mark.parametrize("name", WORLD["cases"])
def test_says_what_the_real_scheduler_says(name: str) -> None:
    bench, case = Bench(workers=0), WORLD["cases"][name]
    add_nodes(bench)
    add_objects(bench)
    add_pods(bench, name)
    bench.start()
    ephemeral_claim(bench, bench.client.create("pods", clone(case["pod"])))
    bench.clock.settle()
    found = bench.scheduled(name)
    assert {key: found[key] for key in case["condition"]} == case["condition"]
    assert bool(bench.node_of(name)) == bool(case["node"])


def situation(name: str, bench: Bench) -> None:
    """What surrounded the pods of the older recording: one tainted control plane, three workers."""
    workers = [node["metadata"]["name"] for node in bench.core.storage.objects("nodes")][1:]
    taint = [{"key": "team", "value": "x", "effect": "NoSchedule"}]
    tainted = {"taint-all": workers, "mixed-cordon-taint-cpu": workers[:1], "mixed-taint-selector": workers[:1]}
    cordoned = {"cordon-all": workers, "mixed-cordon-taint-cpu": workers[1:2]}
    for node in tainted.get(name, []):
        bench.client.patch("nodes", "", node, {"spec": {"taints": taint}})
    for node in cordoned.get(name, []):
        bench.client.patch("nodes", "", node, {"spec": {"unschedulable": True}})


@pytest.mark.parametrize(
    ("name", "cpu", "spec"),
    [
        ("taint-all", "", {}),
        ("cordon-all", "", {}),
        ("mixed-cordon-taint-cpu", "100", {}),
        ("mixed-taint-selector", "", {"nodeSelector": {"kubernetes.io/hostname": "kubepane-worker"}}),
        ("priority", "100", {"priorityClassName": "system-node-critical"}),
    ],
)
def test_cordons_and_taints_in_the_real_words(name: str, cpu: str, spec: dict[str, Any]) -> None:
    bench = Bench()
    situation(name, bench)
    bench.start()
    bench.pod(name, cpu, **spec)
    bench.clock.settle()
    assert bench.scheduled(name)["message"] == RECORDED["messages"][name]


def test_the_event_has_the_shape_of_the_real_one() -> None:
    bench = Bench().start()
    pod = bench.pod("cpu", "100")
    bench.clock.settle()
    (event,) = bench.events("cpu")
    real = RECORDED["event"]
    assert event.keys() - {"kind", "apiVersion"} == real.keys() - {"kind", "apiVersion"}
    for key in ("reason", "message", "source", "firstTimestamp", "lastTimestamp", "type", "action", "reportingComponent"):
        assert event[key] == real[key], key
    assert event["involvedObject"].keys() == real["involvedObject"].keys()
    assert event["involvedObject"]["resourceVersion"] == pod["metadata"]["resourceVersion"]
    assert event["reportingInstance"] == "default-scheduler-kubepane-control-plane"
    assert event["eventTime"] == "2026-01-01T08:00:00.000000Z"
    assert bench.scheduled("cpu").keys() == RECORDED["condition"].keys()


def test_a_bound_pod_has_one_event() -> None:
    bench = Bench(workers=1).start()
    bench.pod("web")
    bench.clock.advance(400)
    (event,) = bench.events("web", "Scheduled")
    assert (event["type"], event["action"]) == ("Normal", "Binding")
    assert event["message"] == "Successfully assigned odd/web to kubepane-worker"
    assert bench.scheduled("web") == {
        "type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": "2026-01-01T08:00:00Z",
    }  # fmt: skip


def test_no_nodes_at_all() -> None:
    bench = Bench(workers=0).start()
    bench.pod("web")
    bench.clock.settle()
    assert bench.scheduled("web")["message"] == "no nodes available to schedule pods"
    assert bench.scheduled("web")["reason"] == "Unschedulable"


def test_a_long_sentence_is_cut_in_the_event_only() -> None:
    bench = Bench().start()
    wanted = {f"example.com/{'x' * 40}-{number}": "1" for number in range(25)}
    resources = {"requests": wanted, "limits": wanted}
    bench.pod("long", containers=[{"name": "c", "image": "nginx", "resources": resources}])
    bench.clock.settle()
    (event,) = bench.events("long")
    whole = bench.scheduled("long")["message"]
    assert len(whole) > 1024
    assert len(event["message"]) == 1024
    assert event["message"] == whole[:1020] + " ..."
