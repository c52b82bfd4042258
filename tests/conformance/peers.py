"""The clusters that conformance is asked of: the embedded one, and whatever a kubeconfig leads to."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.door import Door

Object = dict[str, Any]
QUICK: Object = {"terminationGracePeriodSeconds": 1}
SPEED = 10.0
"""Cluster seconds per second of the embedded one."""


class Peer:
    """One cluster: raw requests, kubectl, and what it can do.

    Args:
        name: Of the kind of cluster, for messages.
        kubeconfig: The only thing known of it.
    """

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self.door = Door(kubeconfig)
        nodes = self.door.get("/api/v1/nodes")["items"]
        self.has_kubelet = bool(nodes) and all("kwok.x-k8s.io/node" not in node["metadata"].get("annotations", {}) for node in nodes)
        self.is_simulated = bool(nodes) and all(node["status"]["nodeInfo"]["osImage"] == "Simulated node" for node in nodes)
        self.has_metrics = self.door("GET", "/apis/metrics.k8s.io/v1beta1").code == 200
        self.nodes = [node["metadata"]["name"] for node in nodes]
        self.tainted = [node["metadata"]["name"] for node in nodes if node["spec"].get("taints")]

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Real kubectl, whatever comes of it."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


class Space:
    """A fresh namespace of a peer; paths in it by plural name."""

    def __init__(self, peer: Peer, name: str) -> None:
        self.peer = peer
        self.door = peer.door
        self.name = name

    def core(self, plural: str, name: str = "") -> str:
        """A path of the core group."""
        return f"/api/v1/namespaces/{self.name}/{plural}{f'/{name}' if name else ''}"

    def path(self, group: str, plural: str, name: str = "") -> str:
        """A path of a named group: `apps/v1`."""
        return f"/apis/{group}/namespaces/{self.name}/{plural}{f'/{name}' if name else ''}"

    def apps(self, plural: str, name: str = "") -> str:
        """A path of apps/v1."""
        return self.path("apps/v1", plural, name)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints in this namespace; it must succeed."""
        done = self.peer.kubectl("--namespace", self.name, *arguments, stdin=stdin)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def pods(self, selector: str = "") -> list[Object]:
        """Pods, by name."""
        found: list[Object] = self.door.get(self.core("pods") + (f"?labelSelector={selector}" if selector else ""))["items"]
        return found

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of the events about an object."""
        found = self.door.get(self.core("events") + f"?fieldSelector=involvedObject.name%3D{name}")["items"]
        return [(event["type"], event["reason"], event["message"]) for event in found]

    def told(self, name: str, reason: str) -> list[str]:
        """The messages of the events of a reason about an object, waited for: they are written a little later than what they tell."""
        found: list[str] = until(lambda: [message for _, why, message in self.events(name) if why == reason])
        return found


def until(found: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What is found, as soon as there is something; AssertionError when there is nothing in time."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return value


def container(**more: Any) -> Object:
    """A container."""
    return {"name": "c", "image": "registry.k8s.io/pause:3.10", **more}


def template(labels: dict[str, str], annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod template."""
    return {
        "metadata": {"labels": labels, **({"annotations": annotations} if annotations else {})},
        "spec": {**QUICK, "containers": [container()], **spec},
    }


def workload(name: str, replicas: int, **spec: Any) -> Object:
    """A Deployment, ReplicaSet or StatefulSet."""
    labels = {"app": name}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels), **spec}}


def pod(name: str, **spec: Any) -> Object:
    """A pod."""
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": {**QUICK, "containers": [container()], **spec}}


def condition(obj: Object, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition, empty where it is absent."""
    for one in (obj.get("status") or {}).get("conditions") or []:
        if one["type"] == kind:
            return one["status"], one.get("reason", ""), one.get("message", "")
    return "", "", ""


def is_ready(obj: Object) -> bool:
    """Whether a node or a pod says so."""
    return condition(obj, "Ready")[0] == "True"
