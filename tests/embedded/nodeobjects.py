"""Nodes with a heartbeat for tests of the node controllers."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.core import Core

Object = dict[str, Any]
LEASES = "leases.coordination.k8s.io"
CONDITIONS = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "KubeletHasInsufficientMemory"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "KubeletHasDiskPressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "KubeletHasInsufficientPID"),
    "Ready": ("KubeletNotReady", "KubeletReady"),
}


def report(core: Core, name: str, **states: str) -> None:
    """A kubelet's status: all is well but what is given (`Ready="False"`, `MemoryPressure="True"`)."""
    now = core.clock.stamp()
    wanted = {kind: states.get(kind, "True" if kind == "Ready" else "False") for kind in CONDITIONS}
    conditions = [
        {"type": kind, "status": status, "reason": CONDITIONS[kind][status == "True"], "lastHeartbeatTime": now, "lastTransitionTime": now}
        for kind, status in wanted.items()
    ]
    core.client("kubelet").patch_status("nodes", "", name, {"conditions": conditions})


def renew(core: Core, name: str) -> None:
    """Renew a node's Lease, or make it."""
    client = core.client("kubelet")
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": core.clock.micro_stamp()}
    if core.storage.read(LEASES, "kube-node-lease", name) is None:
        client.create(LEASES, {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec})
    else:
        client.patch(LEASES, "kube-node-lease", name, {"spec": spec})


def add_node(core: Core, name: str, **spec: Any) -> None:
    """A node that has just said it is ready."""
    core.client("kubelet").create("nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}}, "spec": spec})
    report(core, name)


def keep_alive(core: Core, name: str) -> None:
    """Renew a node's Lease every ten seconds from now on."""
    renew(core, name)
    core.clock.call_later(10, lambda: keep_alive(core, name))


def pod_on(name: str, node: str, tolerations: list[Object] | None = None) -> Object:
    """A pod that is bound to a node."""
    spec: Object = {"nodeName": node, "containers": [{"name": "c", "image": "nginx"}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec | ({"tolerations": tolerations} if tolerations else {})}


def run_pod(core: Core, pod: Object) -> None:
    """Create a pod that runs and is ready."""
    core.client("test").create("pods", pod)
    ready = [{"type": "Ready", "status": "True"}]
    core.client("kubelet").patch_status("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], {"phase": "Running", "conditions": ready})


def taint_keys(core: Core, name: str) -> list[str]:
    """A node's taints as `key:effect`."""
    taints = core.client("test").get("nodes", "", name)["spec"].get("taints") or []
    return [f"{taint['key']}:{taint['effect']}" for taint in taints]
