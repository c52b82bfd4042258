"""Simulated kubelets on the real control plane: the process and the API server die and come back, and no status is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.peers import is_ready
from controlplane.conftest import require
from controlplane.waiting import until
from kubepane_controlplane.plane import ControlPlane

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
Object = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
NODES = 3


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Simulated nodes, a metrics-server that asks them; at the end nothing that they wrote may have been refused."""
    require()
    with ControlPlane(0, simulated=NODES) as running:
        until(lambda: len(ready_nodes(running)) == NODES, 60, "nodes")
        yield running
        log = (running.folder / "kubelets.log").read_text(encoding="utf-8")
    assert [line for line in log.splitlines() if "refused: " in line or "Traceback" in line] == []


def read(plane: ControlPlane, path: str) -> Object:
    status, body = plane.get(path)
    return json.loads(body) if status == 200 else {}


def ready_nodes(plane: ControlPlane) -> list[str]:
    return [node["metadata"]["name"] for node in read(plane, "/api/v1/nodes").get("items", []) if is_ready(node)]


def create(plane: ControlPlane, name: str, image: str = "nginx:1.27", **container: Any) -> str:
    """Create a pod; its path."""
    until(lambda: plane.get("/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": image, "readinessProbe": probe, **container}]}
    plane.create(PODS, {"metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
    return f"{PODS}/{name}"


def test_what_runs_outlives_its_kubelets(plane: ControlPlane) -> None:
    path = create(plane, "lasting")
    until(lambda: is_ready(read(plane, path)), what="a ready pod")
    before = read(plane, path)["status"]
    plane.parts["kubelets"].kill()
    meanwhile = create(plane, "meanwhile")
    doomed = create(plane, "doomed")
    until(lambda: read(plane, doomed).get("spec", {}).get("nodeName"), what="a bound pod")
    plane.delete(doomed)
    plane.restart("kubelets")
    until(lambda: is_ready(read(plane, meanwhile)), what="a pod that came while no kubelet ran")
    until(lambda: plane.get(doomed)[0] == 404, what="the end of a pod that was deleted meanwhile")
    after = read(plane, path)["status"]
    assert after["containerStatuses"] == before["containerStatuses"]
    assert (after["podIP"], is_ready(read(plane, path))) == (before["podIP"], True)


@pytest.mark.parametrize("part", ["kube-apiserver", "etcd"])
def test_kubelets_go_on_when_the_server_is_back(plane: ControlPlane, part: str) -> None:
    lasting = create(plane, f"beside-{part}")
    until(lambda: is_ready(read(plane, lasting)), what="a ready pod")
    before = read(plane, lasting)["status"]["containerStatuses"]
    plane.parts[part].kill()
    plane.restart(part)
    path = create(plane, f"after-{part}")
    until(lambda: is_ready(read(plane, path)), 60, f"a ready pod after {part} was killed")
    assert read(plane, lasting)["status"]["containerStatuses"] == before


def test_an_older_state_of_etcd_is_taken_as_it_is(plane: ControlPlane) -> None:
    kept = create(plane, "kept")
    until(lambda: is_ready(read(plane, kept)), what="a ready pod")
    saved = plane.save()
    lost = create(plane, "lost")
    until(lambda: is_ready(read(plane, lost)), 60, "a ready pod")
    plane.restore(saved)
    path = create(plane, "newer")
    until(lambda: is_ready(read(plane, path)), 60, "a pod after the restore")
    assert plane.get(lost)[0] == 404
    assert is_ready(read(plane, kept))
    plane.delete(kept)
    until(lambda: plane.get(kept)[0] == 404, 60, "the end of a pod after the restore")


def test_a_stopped_kubelet_is_noticed_and_its_return_too(plane: ControlPlane) -> None:
    path = create(plane, "on-the-node")
    until(lambda: is_ready(read(plane, path)), what="a ready pod")
    node = read(plane, path)["spec"]["nodeName"]
    plane.annotate(f"/api/v1/nodes/{node}", {"sim.kubepane.io/kubelet": "stopped"})
    until(lambda: node not in ready_nodes(plane), 90, "NotReady")
    reasons = {one["reason"] for one in read(plane, f"/api/v1/nodes/{node}")["status"]["conditions"] if one["type"] == "Ready"}
    assert reasons == {"NodeStatusUnknown"}
    plane.annotate(f"/api/v1/nodes/{node}", {"sim.kubepane.io/kubelet": None})
    until(lambda: node in ready_nodes(plane), 30, "Ready again")


def test_the_real_metrics_server_says_what_load_costs(plane: ControlPlane) -> None:
    create(plane, "worker", resources={"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}})
    service = {"metadata": {"name": "worker", "annotations": {"sim.kubepane.io/demand": "800m"}}}
    plane.create("/api/v1/namespaces/default/services", {**service, "spec": {"selector": {"app": "worker"}, "ports": [{"port": 80}]}})
    figures = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/worker"

    def used() -> int:
        containers = read(plane, figures).get("containers") or [{"usage": {"cpu": "0n"}}]
        return int(containers[0]["usage"]["cpu"].removesuffix("n"))

    until(lambda: 250_000_000 <= used() <= 310_000_000, 90, "the limit of 300 millicores, which the load exceeds")
