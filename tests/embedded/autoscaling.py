"""A small cluster for tests of the autoscaler and of load: real controllers, and nodes that have every pod ready in seconds."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.endpointslices import EndpointSliceController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, is_deleting, key_of, uid_of
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.podfacts import node_of, phase
from kubepane_embedded.seed import Seed

DEPLOYMENTS = "deployments.apps"
HPAS = "horizontalpodautoscalers.autoscaling"
SLICES = "endpointslices.discovery.k8s.io"
NAMESPACE = "shop"


def new_core(workers: int = 3) -> Core:
    """A core with nodes and the namespace `shop`."""
    core = Core(VirtualClock(), Seed(1))
    add_nodes(core, workers)
    core.client("test").create("namespaces", {"metadata": {"name": NAMESPACE}})
    return core


def advance(core: Core, seconds: float) -> None:
    """Let virtual time pass."""
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def running(core: Core, pod: Object, ready: bool = True) -> None:
    """Write what a kubelet writes once all containers of a pod run."""
    now = core.clock.stamp()
    started = (pod.get("status") or {}).get("startTime") or now
    kept = (pod.get("status") or {}).get("containerStatuses") or []
    states = kept or [
        {"name": one["name"], "image": one["image"], "imageID": "", "restartCount": 0, "ready": ready, "state": {"running": {"startedAt": now}}}
        for one in pod["spec"]["containers"]
    ]
    words = ("True" if ready else "False", "True")
    conditions = [{"type": kind, "status": word, "lastTransitionTime": now} for kind, word in zip(("Ready", "PodScheduled"), words, strict=True)]
    status = {"phase": "Running", "startTime": started, "containerStatuses": states, "conditions": conditions, "podIP": "10.244.1.9"}
    core.client("kubelet").patch_status("pods", *key_of(pod), status)


class Kubelets:
    """Binds every pod to a worker in turn, has it running at once and ready some seconds later, and takes it out when it is deleted."""

    def __init__(self, core: Core, ready_after: float = 6.0) -> None:
        self.core = core
        self.ready_after = ready_after
        self.client = core.client("kubelet")

    def start(self) -> None:
        """Follow pods."""
        self.core.storage.subscribe("pods", lambda key: self._soon(key))

    def _soon(self, key: Key) -> None:
        self.core.clock.call_soon(lambda: self._look(key))

    def _look(self, key: Key) -> None:
        pod = self.core.storage.read("pods", *key)
        if pod is None:
            return
        if is_deleting(pod):
            self.client.delete("pods", *key, grace=0)
        elif not node_of(pod):
            workers = [key_of(node)[1] for node in self.core.storage.objects("nodes") if not node["spec"].get("taints")]
            self.core.client("kube-scheduler").bind(*key, workers[self.core.storage.count("pods") % len(workers)])
        elif phase(pod) == "Pending":
            running(self.core, pod, ready=False)
            self.core.clock.call_later(self.ready_after, lambda: self._ready(key, uid_of(pod)))

    def _ready(self, key: Key, uid: str) -> None:
        pod = self.core.storage.read("pods", *key)
        if pod is not None and uid_of(pod) == uid and not is_deleting(pod):
            running(self.core, pod)


def workloads(core: Core, ready_after: float = 6.0) -> None:
    """Start what keeps Deployments' pods and Services' slices, on nodes that run everything."""
    parts = (DeploymentController(core), ReplicaSetController(core), EndpointSliceController(core), Kubelets(core, ready_after))
    for part in parts:
        part.start()


def deployment(
    name: str, replicas: int = 1, cpu: str | None = "200m", limit: str | None = "400m", image: str = "mrsinghdocker/chatapp:k8s"
) -> Object:
    """A Deployment of one container."""
    resources: dict[str, Any] = {"requests": {"cpu": cpu, "memory": "256Mi"}} if cpu else {}
    resources |= {"limits": {"cpu": limit}} if limit else {}
    container = {"name": "app", "image": image, "ports": [{"containerPort": 8080}], "resources": resources}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def service(name: str, **annotations: str) -> Object:
    """A Service of a Deployment; annotations of the simulation with `_` for `-`."""
    notes = {f"sim.kubepane.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    meta = {"name": name, "namespace": NAMESPACE, **({"annotations": notes} if notes else {})}
    return {"metadata": meta, "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}}


def ingress(name: str, **annotations: str) -> Object:
    """An Ingress to a Service of the same name."""
    backend = {"service": {"name": name, "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    meta = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    return {"metadata": meta, "spec": {"rules": [rule]}}


def hpa(name: str, most: int = 4, percent: int = 50, **more: Any) -> Object:
    """An HPA of a Deployment of the same name, on CPU."""
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most, "metrics": metrics, **more}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def conditions(obj: Object) -> dict[str, tuple[str, str]]:
    """Type → status and reason."""
    return {one["type"]: (one["status"], one["reason"]) for one in (obj.get("status") or {}).get("conditions") or []}


def events(core: Core, kind: str = "HorizontalPodAutoscaler") -> list[tuple[str, str, int]]:
    """(reason, message, count) of events about a kind, oldest first."""
    found = [one for one in core.storage.objects("events") if one["involvedObject"]["kind"] == kind]
    found.sort(key=lambda one: (one["firstTimestamp"], int(one["metadata"]["resourceVersion"])))
    return [(one["reason"], one["message"], one["count"]) for one in found]
