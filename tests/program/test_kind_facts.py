"""What is read from a cluster's objects: only what is really ready counts as ready."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubepane.kindcluster import contexts, facts, plan
from kubepane.kindcluster.engine import _container
from kubepane.kindcluster.plan import Wanted
from kubepane_manifests import places


def deployment(name: str, namespace: str, **status: Any) -> dict[str, Any]:
    full = {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1, **status}
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "generation": 2}, "spec": {"replicas": 1}, "status": full}


def daemons(**status: Any) -> dict[str, Any]:
    full = {"observedGeneration": 2, "desiredNumberScheduled": 4, "numberAvailable": 4, "updatedNumberScheduled": 4, **status}
    return {"kind": "DaemonSet", "metadata": {"name": "calico-node", "namespace": "kube-system", "generation": 2}, "status": full}


CONTROLLERS = deployment("calico-kube-controllers", "kube-system")
METRICS = deployment("metrics-server", "kube-system")
NGINX = deployment("ingress-nginx-controller", "ingress-nginx")


@pytest.mark.parametrize(
    ("addon", "items", "state", "text"),
    [
        ("calico", [], "absent", "not installed"),
        ("calico", [daemons(), CONTROLLERS], "ready", "ready"),
        ("calico", [daemons()], "starting", "calico-kube-controllers not there yet"),
        ("calico", [daemons(numberAvailable=1), CONTROLLERS], "starting", "calico-node 1 of 4"),
        ("calico", [daemons(updatedNumberScheduled=2), CONTROLLERS], "starting", "calico-node 2 of 4"),
        ("calico", [daemons(desiredNumberScheduled=0, numberAvailable=0), CONTROLLERS], "starting", "calico-node 0 of 0"),
        ("calico", [daemons(observedGeneration=1), CONTROLLERS], "starting", "calico-node not looked at yet"),
        ("calico", [daemons(), deployment("calico-kube-controllers", "kube-system", availableReplicas=None)], "starting", "calico-kube-controllers 0 of 1"),
        ("calico", [{"kind": "DaemonSet", "metadata": {"name": "calico-node", "namespace": "other"}}], "absent", "not installed"),
        ("metrics-server", [METRICS], "starting", "v1beta1.metrics.k8s.io: not registered yet"),
        (
            "metrics-server",
            [METRICS, {"kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"}, "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}}],
            "starting",
            "v1beta1.metrics.k8s.io: MissingEndpoints",
        ),
        ("ingress-nginx", [NGINX], "ready", "ready"),
        (
            "ingress-nginx",
            [NGINX, {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "ingress-nginx-admission"}, "webhooks": [{"clientConfig": {}}]}],
            "starting",
            "its admission webhook has no certificate yet",
        ),
        (
            "ingress-nginx",
            [NGINX, {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "ingress-nginx-admission"}, "webhooks": [{"clientConfig": {"caBundle": "QQ=="}}]}],
            "ready",
            "ready",
        ),
        ("traefik", [{"kind": "Deployment", "metadata": {"name": "traefik", "namespace": "traefik"}}], "starting", "traefik 0 of 1"),
    ],
)  # fmt: skip
def test_add_ons(addon: str, items: list[dict[str, Any]], state: str, text: str) -> None:
    assert facts.read(items).addons[addon] == facts.Addon(addon, state, text)


def pod(**status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "calico-node-x1", "namespace": "kube-system"}, "status": status}


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (pod(containerStatuses=[{"state": {"waiting": {"reason": "PodInitializing"}}}]), ""),
        (pod(containerStatuses=[{"state": {"running": {}}}]), ""),
        (pod(initContainerStatuses=[{"state": {"waiting": {"reason": "ErrImagePull", "message": "dial tcp:\ni/o timeout"}}}]), "calico-node-x1 ErrImagePull: dial tcp: i/o timeout"),
        (pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes"}]), "calico-node-x1 Unschedulable: 0/4 nodes"),
        ({**pod(containerStatuses=[{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]), "metadata": {"name": "etcd", "namespace": "kube-system"}}, ""),
    ],
)  # fmt: skip
def test_why_an_add_on_does_not_start(one: dict[str, Any], text: str) -> None:
    found = facts.read([daemons(numberAvailable=0), CONTROLLERS, one]).addons["calico"].text
    assert found == ", ".join(["calico-node 0 of 4", *([text] if text else [])])


def test_nodes() -> None:
    ready = {"kind": "Node", "metadata": {"name": "b", "labels": plan.MARK}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    new = {"kind": "Node", "metadata": {"name": "a"}}
    found = facts.read([ready, new])
    assert [(node.name, node.ready, node.why if not node.ready else "", node.ours) for node in found.nodes] == [
        ("a", False, "its kubelet has not reported", False),
        ("b", True, "", True),
    ]
    assert not found.nodes_ready
    assert found.nodes_text == "1 of 2 nodes ready"
    assert not facts.read([]).nodes_ready, "no nodes are not ready nodes"
    assert facts.read([ready]).nodes_ready


def test_the_table_of_workloads_is_that_of_the_folders() -> None:
    assert sorted(plan.WORKLOADS) == sorted(path.name for path in (places.KIND / "addons").iterdir())
    assert sorted(name for name in plan.INGRESSES.values() if name) == ["ingress-nginx", "traefik"]


def test_workers_share_nothing_in_the_configuration() -> None:
    config = plan.configuration(Wanted(workers=3))
    before = copy.deepcopy(config)
    config["nodes"][1]["labels"]["x"] = "y"
    assert config["nodes"][2] == before["nodes"][2]
    assert "*" not in plan.text(before)
    assert len(plan.configuration(Wanted())["nodes"]) == 4
    assert len(plan.configuration(Wanted(workers=0))["nodes"]) == 1


def test_the_file_that_kind_writes_to(tmp_path: Any) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    home = {"HOME": str(tmp_path)}
    both = {**home, "KUBECONFIG": f"{first}:{second}:"}
    assert contexts.written("", home) == tmp_path / ".kube" / "config"
    assert contexts.written("", both) == second, "none exists: the last"
    second.touch()
    first.touch()
    assert contexts.written("", both) == first
    assert contexts.written("mine", both).name == "mine"
    for broken in ("", "[]", "{", "clusters: 5", "clusters: [5]", "clusters: [{name: x, cluster: 5}]", "contexts: {a: b}"):
        first.write_text(broken)
        assert not contexts.holds("", both, "{}")


def test_lines_of_the_engines() -> None:
    one = _container("abc\tweb\trunning\t0.0.0.0:80-81->8080-8081/tcp, [::]:80-81->8080-8081/tcp, 127.0.0.1:53->53/udp, 6443/tcp")
    assert one.ports == {80: 8080, 81: 8081}
    assert _container("abc\tweb").state == ""
