"""A core with nodes and a running scheduler, and short ways to ask for pods."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.nodes import add_nodes, node_object
from kubepane_embedded.podfacts import condition
from kubepane_embedded.scheduler.scheduler import Scheduler
from kubepane_embedded.seed import Seed

NAMESPACE = "odd"


class Bench:
    """A cluster of one tainted control plane and some workers (4 CPU each), with a scheduler."""

    def __init__(self, workers: int = 3, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.core = Core(self.clock, Seed(seed))
        self.client = self.core.client("tester")
        self.kubelet = self.core.client("kubelet")
        if workers:
            add_nodes(self.core, workers)
        self.client.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.scheduler = Scheduler(self.core)

    def start(self) -> Bench:
        self.scheduler.start()
        self.clock.settle()
        return self

    def add_node(self, name: str, labels: dict[str, str] | None = None, taints: list[Any] | None = None, **allocatable: str) -> None:
        node = node_object(name, 9, self.clock.stamp())
        node["metadata"]["labels"].update(labels or {})
        node["status"]["allocatable"].update(allocatable)
        self.client.create("nodes", node)
        self.client.patch("nodes", "", name, {"spec": {"taints": taints}})

    def pod(self, name: str, cpu: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Object:
        """Create a pod; `cpu` is what its container asks for."""
        resources = {"requests": {"cpu": cpu}} if cpu else {}
        spec.setdefault("containers", [{"name": "c", "image": "nginx", "resources": resources}])
        spec.setdefault("terminationGracePeriodSeconds", 0)
        return self.client.create("pods", {"metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {}}, "spec": spec})

    def read(self, name: str, resource: str = "pods", namespace: str = NAMESPACE) -> Object:
        found = self.core.storage.read(resource, namespace, name)
        assert found is not None
        return found

    def node_of(self, name: str) -> str | None:
        found: str | None = self.read(name)["spec"].get("nodeName")
        return found

    def scheduled(self, name: str) -> dict[str, Any]:
        """The condition PodScheduled."""
        return condition(self.read(name), "PodScheduled") or {}

    def why(self, name: str) -> str | None:
        """The reasons of an unschedulable pod, without what comes after them."""
        message: str | None = self.scheduled(name).get("message")
        return message.partition(". ")[0] if message else message

    def events(self, name: str, reason: str = "FailedScheduling") -> list[Object]:
        found = [one for one in self.core.storage.objects("events", NAMESPACE) if one["involvedObject"]["name"] == name]
        return [one for one in found if one["reason"] == reason]

    def put(self, resource: str, obj: Object) -> Object:
        """Create an object with its status, as a recording has it; a fresh uid."""
        wanted = clone(obj)
        status = wanted.get("status")
        created = self.client.create(resource, wanted)
        if status is None:
            return created
        return self.client.patch_status(resource, created["metadata"].get("namespace") or "", created["metadata"]["name"], status)

    def finish(self, name: str) -> None:
        self.kubelet.patch_status("pods", NAMESPACE, name, {"phase": "Succeeded"})
