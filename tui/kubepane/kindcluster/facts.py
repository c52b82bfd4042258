"""What the cluster says of itself, as facts: nodes, add-ons, and why something does not run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubepane.cluster.redaction import one_line
from kubepane.kindcluster.plan import INGRESSES, MARK, WORKLOADS

Object = Mapping[str, Any]
KINDS = "nodes,daemonsets.apps,deployments.apps,pods,apiservices.apiregistration.k8s.io,validatingwebhookconfigurations.admissionregistration.k8s.io"
READY, STARTING, ABSENT = "ready", "starting", "absent"
METRICS = "v1beta1.metrics.k8s.io"
WEBHOOK = "ingress-nginx-admission"


@dataclass(frozen=True, slots=True)
class Node:
    """A node, whether it is ready, and why it is not."""

    name: str
    ready: bool
    why: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Addon:
    """An add-on.

    Attributes:
        name: its folder in `kind/addons`.
        state: `ready`, `starting` or `absent`.
        text: how far it is: "calico-node 1 of 4".
    """

    name: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    nodes: tuple[Node, ...]
    addons: Mapping[str, Addon]

    @property
    def nodes_ready(self) -> bool:
        """There are nodes, and every one is ready."""
        return bool(self.nodes) and all(node.ready for node in self.nodes)

    @property
    def ingress(self) -> str:
        """The ingress controller that is installed, "" when none is."""
        return next((name for name in INGRESSES.values() if name and self.addons[name].state != ABSENT), "")

    @property
    def nodes_text(self) -> str:
        """How many nodes are ready."""
        return f"{sum(node.ready for node in self.nodes)} of {len(self.nodes)} nodes ready"


def read(items: Iterable[Object]) -> Facts:
    """The facts of the objects of `KINDS`."""
    by_kind: dict[str, list[Object]] = {}
    for item in items:
        by_kind.setdefault(str(item.get("kind")), []).append(item)
    nodes = sorted((_node(item) for item in by_kind.get("Node", ())), key=lambda node: node.name)
    return Facts(tuple(nodes), {name: _addon(name, by_kind) for name in WORKLOADS})


def _node(item: Object) -> Node:
    meta = item.get("metadata") or {}
    ready = _condition(item, "Ready")
    mark = (meta.get("labels") or {}).items() >= MARK.items()
    return Node(
        str(meta.get("name")), ready.get("status") == "True", one_line(str(ready.get("message") or "its kubelet has not reported"), 120), mark
    )


def _addon(name: str, by_kind: Mapping[str, list[Object]]) -> Addon:
    found = [(part, _find(by_kind, *part)) for part in WORKLOADS[name]]
    if all(item is None for _, item in found):
        return Addon(name, ABSENT, "not installed")
    wants = [text for part, item in found if (text := _workload(part[2], item))]
    if name == "metrics-server" and not wants:
        wants = _metrics(by_kind)
    if name == "ingress-nginx" and not wants:
        wants = _webhook(by_kind)
    if not wants:
        return Addon(name, READY, READY)
    spaces = {part[1] for part in WORKLOADS[name]}
    starts = tuple(part[2] for part in WORKLOADS[name])
    troubles = [text for pod in by_kind.get("Pod", ()) if _meta(pod, "namespace") in spaces and (text := _stuck(pod, starts))]
    return Addon(name, STARTING, ", ".join([*wants, *troubles[:1]]))


def _find(by_kind: Mapping[str, list[Object]], kind: str, namespace: str, name: str) -> Object | None:
    found = (item for item in by_kind.get(kind, ()) if (_meta(item, "namespace"), _meta(item, "name")) == (namespace, name))
    return next(found, None)


def _meta(item: Object, key: str) -> str:
    return str((item.get("metadata") or {}).get(key) or "")


def _workload(name: str, item: Object | None) -> str:
    """What is missing of a workload, "" when nothing is: kubectl's rollout_status.go."""
    if item is None:
        return f"{name} not there yet"
    status: Object = item.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int((item.get("metadata") or {}).get("generation") or 0):
        return f"{name} not looked at yet"
    if item.get("kind") == "DaemonSet":
        want, have = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
        new = int(status.get("updatedNumberScheduled") or 0)
        return "" if 0 < want <= min(have, new) else f"{name} {min(have, new)} of {want}"
    replicas = (item.get("spec") or {}).get("replicas")
    want = 1 if replicas is None else int(replicas)
    have = min(int(status.get("availableReplicas") or 0), int(status.get("updatedReplicas") or 0))
    return "" if have >= want else f"{name} {have} of {want}"


def _metrics(by_kind: Mapping[str, list[Object]]) -> list[str]:
    service = _find(by_kind, "APIService", "", METRICS)
    available = _condition(service or {}, "Available")
    if available.get("status") == "True":
        return []
    return [one_line(f"{METRICS}: {available.get('reason') or 'not registered yet'}", 120)]


def _webhook(by_kind: Mapping[str, list[Object]]) -> list[str]:
    """Until a Job of its release has put the CA in, Ingresses are refused."""
    found = _find(by_kind, "ValidatingWebhookConfiguration", "", WEBHOOK)
    hooks = (found or {}).get("webhooks") or ()
    trusted = all((hook.get("clientConfig") or {}).get("caBundle") for hook in hooks)
    return [] if trusted else ["its admission webhook has no certificate yet"]


def _condition(item: Object, kind: str) -> Object:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if isinstance(one, Mapping) and one.get("type") == kind), {})


def _stuck(pod: Object, starts: tuple[str, ...]) -> str:
    """Why a pod's container waits, when that is an error and not just its turn."""
    name = _meta(pod, "name")
    if not name.startswith(starts):
        return ""
    status: Object = pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting: Object = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{name} {one_line(str(waiting['reason']), 40)}: {one_line(str(waiting.get('message') or ''), 160)}".rstrip(": ")
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        return f"{name} {one_line(str(placed.get('reason') or 'Pending'), 40)}: {one_line(str(placed.get('message') or ''), 160)}".rstrip(": ")
    return ""
