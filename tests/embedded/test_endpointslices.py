"""Addresses behind Services: as a real 1.35.4 wrote them, and with as few writes as upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.conftest import recording
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.endpoints import EndpointsController
from kubepane_embedded.controllers.endpointslices import SLICES, EndpointSliceController
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.mirroring import MirroringController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.nodes import add_nodes, add_pods

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


@pytest.fixture
def cluster(core: Core) -> Core:
    add_nodes(core, 3)
    core.client("test").delete("services", "default", "kubernetes")
    for part in (GarbageCollector, EndpointSliceController, EndpointsController, MirroringController):
        part(core).start()
    advance(core)
    return core


def advance(core: Core, seconds: float = 0.0) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def service(core: Core, name: str = "web", **spec: Any) -> Object:
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}}
    return core.client("test").create("services", body)


def pod(core: Core, name: str, ip: str, node: str = "kubepane-worker", ready: bool = True, **meta: Any) -> None:
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}]}
    core.client("test").create("pods", {"metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}, **meta}, "spec": spec})
    running(core, name, ip, ready)


def running(core: Core, name: str, ip: str, ready: bool = True) -> None:
    now = core.clock.stamp()
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": now}]
    core.client("kubelet").patch_status("pods", "default", name, {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions})


def slices(core: Core) -> list[Object]:
    return core.storage.objects(SLICES, "default")


def told(core: Core) -> list[tuple[str, bool, bool, bool]]:
    """(address, ready, serving, terminating) of all endpoints."""
    states = [endpoint for piece in slices(core) for endpoint in piece["endpoints"] or []]
    return sorted((one["addresses"][0], *(one["conditions"][name] for name in ("ready", "serving", "terminating"))) for one in states)


def legacy(core: Core, name: str = "web") -> list[Object]:
    found = core.storage.read("endpoints", "default", name)
    assert found is not None
    return found.get("subsets") or []


def normal(obj: Object) -> Any:
    meta = {key: value for key, value in obj["metadata"].items() if key in ("labels", "generateName", "ownerReferences")}
    annotations = {key: value for key, value in (obj["metadata"].get("annotations") or {}).items() if key != TRIGGER}
    meta |= {"annotations": annotations} if annotations else {}
    meta |= {"name": obj["metadata"]["name"]} if obj["kind"] == "Endpoints" else {}
    return plain({"metadata": meta} | {part: obj[part] for part in ("kind", "addressType", "endpoints", "ports", "subsets") if part in obj})


def plain(value: Any) -> Any:
    """Without uids, lists in one order: a real server sorts by hash."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "uid"}
    return ordered(value) if isinstance(value, list) else value


def ordered(values: list[Any]) -> list[Any]:
    return sorted((plain(value) for value in values), key=lambda value: json.dumps(value, sort_keys=True))


def test_odd_services_as_on_a_real_server(cluster: Core) -> None:
    recorded = recording("endpoints")
    client = cluster.client("test")
    for name in ("worker-1", "worker-2", "worker-3"):
        client.create("nodes", {"metadata": {"name": name}})
    for obj in recorded["applied"]:
        storage = {"Service": "services", "Endpoints": "endpoints", "Pod": "pods"}[obj["kind"]]
        body = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}
        if obj["kind"] == "Pod":
            body["spec"] = {**obj["spec"], "nodeName": recorded["pods"][obj["metadata"]["name"]]["node"]}
        client.create(storage, body)
        advance(cluster)
    for name, facts in recorded["pods"].items():
        running(cluster, name, facts["ip"])
        advance(cluster, 1)
        if facts["ready"] == "False":
            running(cluster, name, facts["ip"], ready=False)
        if facts["deleting"]:
            client.delete("pods", "default", name)
        advance(cluster, 1)
    found = [*cluster.storage.objects("endpoints", "default"), *slices(cluster)]
    assert ordered([normal(obj) for obj in found]) == ordered(recorded["found"])


def test_life_of_a_pod(cluster: Core) -> None:
    service(cluster)
    advance(cluster)
    (empty,) = slices(cluster)
    assert (empty["endpoints"], empty["ports"], empty["metadata"]["generation"]) == (None, None, 1)
    assert empty["metadata"]["annotations"] == {TRIGGER: "2026-01-01T08:00:00Z"}
    advance(cluster, 5)
    pod(cluster, "a", "10.244.1.2", ready=False)
    advance(cluster)
    assert told(cluster) == [("10.244.1.2", False, False, False)]
    assert slices(cluster)[0]["metadata"]["name"] == empty["metadata"]["name"]  # the placeholder was filled
    advance(cluster, 5)
    running(cluster, "a", "10.244.1.2")
    advance(cluster)
    assert told(cluster) == [("10.244.1.2", True, True, False)]
    assert slices(cluster)[0]["metadata"]["annotations"] == {TRIGGER: "2026-01-01T08:00:10Z"}
    client = cluster.client("kubelet")
    client.delete("pods", "default", "a")
    advance(cluster)
    assert told(cluster) == [("10.244.1.2", False, True, True)]
    assert "annotations" not in slices(cluster)[0]["metadata"]
    assert legacy(cluster) == []
    client.delete("pods", "default", "a", grace=0)
    advance(cluster)
    assert [piece["endpoints"] for piece in slices(cluster)] == [None]


def test_finished_pods_are_no_endpoints(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    advance(cluster)
    cluster.client("kubelet").patch_status("pods", "default", "a", {"phase": "Succeeded"})
    advance(cluster)
    assert told(cluster) == []


def test_labels_decide_and_may_change(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    advance(cluster)
    client = cluster.client("test")
    client.patch("pods", "default", "a", {"metadata": {"labels": {"app": "other"}}})
    advance(cluster)
    assert told(cluster) == []
    client.patch("services", "default", "web", {"spec": {"selector": {"app": "other"}}})
    advance(cluster)
    assert [address for address, *_ in told(cluster)] == ["10.244.1.2"]
    assert [one["ip"] for one in legacy(cluster)[0]["addresses"]] == ["10.244.1.2"]


def test_labels_of_the_service_are_mirrored(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    advance(cluster)
    cluster.client("test").patch("services", "default", "web", {"metadata": {"labels": {"team": "x"}}})
    advance(cluster)
    assert slices(cluster)[0]["metadata"]["labels"]["team"] == "x"
    endpoints = cluster.storage.read("endpoints", "default", "web")
    assert endpoints is not None
    assert endpoints["metadata"]["labels"] == {"team": "x", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def test_zone_of_the_node(cluster: Core) -> None:
    label = {"metadata": {"labels": {"topology.kubernetes.io/zone": "z1"}}}
    cluster.client("test").patch("nodes", "", "kubepane-worker", label)
    service(cluster, trafficDistribution="PreferSameZone")
    pod(cluster, "a", "10.244.1.2")
    advance(cluster)
    (endpoint,) = slices(cluster)[0]["endpoints"]
    assert (endpoint["zone"], endpoint["nodeName"], endpoint["hints"]) == ("z1", "kubepane-worker", {"forZones": [{"name": "z1"}]})


def test_pod_on_a_missing_node_waits_for_it(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2", node="later")
    advance(cluster, 1)
    assert told(cluster) == []
    cluster.client("test").create("nodes", {"metadata": {"name": "later"}})
    advance(cluster, 5)
    assert [address for address, *_ in told(cluster)] == ["10.244.1.2"]


def test_a_hundred_endpoints_a_slice(cluster: Core) -> None:
    service(cluster)
    for number in range(150):
        pod(cluster, f"p{number}", f"10.244.1.{number}")
    advance(cluster)
    assert sorted(len(piece["endpoints"]) for piece in slices(cluster)) == [50, 100]
    pod(cluster, "one-more", "10.244.2.1")
    before = {key_of(piece): piece["metadata"]["generation"] for piece in slices(cluster)}
    advance(cluster)
    grown = [piece for piece in slices(cluster) if piece["metadata"]["generation"] != before[key_of(piece)]]
    assert [len(piece["endpoints"]) for piece in grown] == [51]
    assert len(legacy(cluster)[0]["addresses"]) == 151


def test_pods_that_come_take_the_places_of_those_that_went(cluster: Core) -> None:
    service(cluster)
    for number in range(100):
        pod(cluster, f"p{number}", f"10.244.1.{number}")
    advance(cluster)
    cluster.client("kubelet").delete("pods", "default", "p7", grace=0)
    pod(cluster, "new", "10.244.2.1")
    advance(cluster)
    assert [len(piece["endpoints"]) for piece in slices(cluster)] == [100]


def test_slices_that_somebody_deleted_or_changed_come_back(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    advance(cluster)
    client = cluster.client("test")
    client.delete(SLICES, *key_of(slices(cluster)[0]))
    advance(cluster)
    assert len(told(cluster)) == 1
    client.patch(SLICES, *key_of(slices(cluster)[0]), {"endpoints": []})
    advance(cluster)
    assert len(told(cluster)) == 1


def test_everything_goes_with_the_service(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    service(cluster, "manual", selector=None)
    subsets = [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}]
    cluster.client("test").create("endpoints", {"metadata": {"name": "manual", "namespace": "default"}, "subsets": subsets})
    advance(cluster)
    assert len(slices(cluster)) == 2
    for name in ("web", "manual"):
        cluster.client("test").delete("services", "default", name)
    advance(cluster)
    assert slices(cluster) == []
    assert [key_of(one)[1] for one in cluster.storage.objects("endpoints", "default")] == []  # hand-made ones too


def test_mirrored_endpoints_follow(cluster: Core) -> None:
    service(cluster, "manual", selector=None)
    client = cluster.client("test")
    first = {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}]}
    client.create("endpoints", {"metadata": {"name": "manual", "namespace": "default"}, **first})
    advance(cluster)
    (before,) = slices(cluster)
    annotations = {"note": "n", TRIGGER: "2026-01-01T08:00:00Z"}
    client.patch("endpoints", "default", "manual", {"metadata": {"annotations": annotations}})
    client.patch("endpoints", "default", "manual", {"subsets": [{"notReadyAddresses": [{"ip": "192.0.2.2"}], "ports": [{"port": 2}]}]})
    advance(cluster)
    (after,) = slices(cluster)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["metadata"]["annotations"] == {"note": "n"}
    assert (after["ports"][0]["port"], after["endpoints"]) == (2, [{"addresses": ["192.0.2.2"], "conditions": {"ready": False}}])
    client.patch("endpoints", "default", "manual", {"subsets": [{"addresses": [{"ip": "192.0.2.3"}], "ports": [{"port": 2}]}]})
    advance(cluster)
    assert slices(cluster)[0]["endpoints"] == [{"addresses": ["192.0.2.3"], "conditions": {"ready": True}}]
    client.patch("endpoints", "default", "manual", {"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}})
    advance(cluster)
    assert slices(cluster) == []


def test_unready_beats_ready_and_over_capacity_is_cut(cluster: Core) -> None:
    service(cluster)
    for number in range(1003):
        pod(cluster, f"p{number}", f"10.244.{number // 250}.{number % 250}", ready=number > 4)
    advance(cluster)
    (subset,) = legacy(cluster)
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (998, 2)
    endpoints = cluster.storage.read("endpoints", "default", "web")
    assert endpoints is not None
    assert endpoints["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"
    before = cluster.storage.revision
    cluster.client("test").patch("pods", "default", "p900", {"metadata": {"annotations": {"a": "b"}}})
    advance(cluster, 60)
    assert cluster.storage.revision == before + 1


def test_nothing_is_written_when_nothing_changes(cluster: Core) -> None:
    service(cluster)
    pod(cluster, "a", "10.244.1.2")
    add_pods(cluster, 20)
    advance(cluster)
    before = cluster.storage.revision
    cluster.client("kubelet").patch_status("pods", "default", "a", {"message": "still here"})
    assert cluster.clock._heap == []
    advance(cluster, 3600)
    assert cluster.storage.revision == before + 1


def test_terminating_namespace_gets_no_new_slices(cluster: Core) -> None:
    client = cluster.client("test")
    client.create("namespaces", {"metadata": {"name": "going"}})
    client.create("services", {"metadata": {"name": "web", "namespace": "going"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 1}]}})
    client.delete("namespaces", "", "going")
    advance(cluster)
    assert cluster.storage.objects(SLICES, "going") == []
    assert cluster.clock._heap == []  # dropped, not retried
