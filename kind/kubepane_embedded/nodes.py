"""Nodes of a seed cluster, and synthetic pods for load tests."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.podfacts import SYNTHETIC

CONTROL_PLANE = "control-plane"
CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
CAPACITY = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"}
IMAGE = "registry.k8s.io/pause:3.10"


def node_object(name: str, number: int, now: str, control_plane: bool = False, pods: str = "110") -> Object:
    """A node as its kubelet would register it, ready."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    spec: dict[str, Any] = {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]}
    if control_plane:
        labels |= {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        labels["ingress-ready"] = "true"  # as kind/cluster.yaml labels the node whose ports 80 and 443 are mapped
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    conditions = [
        {"type": kind, "status": status, "reason": reason, "message": text, "lastHeartbeatTime": now, "lastTransitionTime": now}
        for kind, status, reason, text in CONDITIONS
    ]
    capacity = {**CAPACITY, "pods": pods}
    info = {
        "architecture": "amd64",
        "bootID": "simulated",
        "containerRuntimeVersion": "simulated://1.0.0",
        "kernelVersion": "6.12.0-simulated",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.35.4+embedded",
        "machineID": name,
        "operatingSystem": "linux",
        "osImage": "Simulated node",
        "systemUUID": name,
    }
    addresses = [{"type": "InternalIP", "address": f"172.18.0.{2 + number}"}, {"type": "Hostname", "address": name}]
    endpoints = {"kubeletEndpoint": {"Port": 10250}}
    status = {"capacity": capacity, "allocatable": dict(capacity), "conditions": conditions, "addresses": addresses}
    status |= {"daemonEndpoints": endpoints, "nodeInfo": info}
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}


def add_nodes(core: Core, workers: int, pods: str = "110") -> None:
    """One control-plane node and so many workers, ready (the taint of a new node is taken off again)."""
    client = core.client("kubelet")
    for wanted in seed_nodes(workers, core.clock.stamp(), pods):
        created = client.create("nodes", wanted)
        taints = [taint for taint in created["spec"]["taints"] if taint["key"] != "node.kubernetes.io/not-ready"]
        client.patch("nodes", *key_of(created), {"spec": {"taints": taints or None}})


def seed_nodes(workers: int, now: str, pods: str = "110") -> list[Object]:
    """One control-plane node and so many workers, named as kind names them."""
    names = [("kubepane-control-plane", True), *((f"kubepane-worker{number or ''}", False) for number in _numbers(workers))]
    return [node_object(name, number, now, control_plane, pods) for number, (name, control_plane) in enumerate(names)]


def _numbers(workers: int) -> list[int]:
    """Worker numbers as kind names them: the first without, then 2, 3 …"""
    return [0, *range(2, workers + 1)] if workers else []


def add_pods(core: Core, count: int, namespace: str = "load") -> None:
    """Synthetic running pods, spread over the nodes; for load tests only."""
    if count <= 0:
        return
    client = core.client("kubelet")
    client.create("namespaces", {"metadata": {"name": namespace}})
    nodes = [node["metadata"]["name"] for node in core.storage.objects("nodes") if not (node["spec"].get("taints"))] or ["unknown"]
    for number in range(count):
        name = f"load-{number:05d}"
        pod = _pod(name, namespace, number, nodes[number % len(nodes)])
        client.create("pods", pod)
        client.update_status("pods", {**pod, "status": _status(number, core.clock.stamp())})


def _pod(name: str, namespace: str, number: int, node: str) -> Object:
    resources = {"requests": {"cpu": "1m", "memory": "1Mi"}}
    container = {"name": "pause", "image": IMAGE, "resources": resources}
    labels = {"app": f"load-{number % 20}", SYNTHETIC: "true"}
    spec = {"nodeName": node, "containers": [container], "automountServiceAccountToken": False}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec}


def _status(number: int, now: str) -> dict[str, Any]:
    address = f"10.{245 + number // 65536}.{number // 256 % 256}.{number % 256}"
    true = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    state = {
        "name": "pause",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "image": IMAGE,
        "imageID": IMAGE,
        "containerID": f"simulated://{number}",
        "state": {"running": {"startedAt": now}},
        "lastState": {},
    }
    return {
        "phase": "Running",
        "qosClass": "Burstable",
        "conditions": true,
        "containerStatuses": [state],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "172.18.0.3",
        "startTime": now,
    }
