"""What a DaemonSet asks for: which nodes, what its pods get in addition, how an update goes (pkg/controller/daemon/util, daemon_controller.go)."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubepane_embedded.controllers.deployment_facts import scaled
from kubepane_embedded.controllers.podcontrol import pod_from
from kubepane_embedded.controllers.revisions import POD_HASH
from kubepane_embedded.meta import Object, annotations_of, key_of, labels_of
from kubepane_embedded.podfacts import node_of
from kubepane_embedded.scheduler.node_selection import NodeRequirement, required_of
from kubepane_embedded.tolerations import tolerating

GENERATION = "deprecated.daemonset.template.generation"
POD_GENERATION = "pod-template-generation"
NODE_NAME = "metadata.name"
NODE_TAINTS = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
"""What every daemon tolerates; on the host's network also that the node has none."""


def template_spec(daemon_set: Object) -> dict[str, Any]:
    """spec.template.spec."""
    found: dict[str, Any] = daemon_set["spec"]["template"].get("spec") or {}
    return found


def daemon_tolerations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The tolerations of a template with those of every daemon; one that is there already stays in its place."""
    taints = [*NODE_TAINTS, *([("node.kubernetes.io/network-unavailable", "NoSchedule")] if spec.get("hostNetwork") else [])]
    found = list(spec.get("tolerations") or [])
    for key, effect in taints:
        wanted = {"key": key, "operator": "Exists", "effect": effect}
        place = next((place for place, one in enumerate(found) if _same_toleration(one, wanted)), None)
        if place is None:
            found.append(wanted)
        else:
            found[place] = wanted
    return found


def _same_toleration(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all((one.get(part) or "") == (other.get(part) or "") for part in ("key", "effect", "operator", "value"))


class Placement(NamedTuple):
    """Which nodes a DaemonSet is for."""

    node_name: str
    requirement: NodeRequirement
    tolerations: list[dict[str, Any]]

    @classmethod
    def of(cls, daemon_set: Object) -> Placement:
        """What the pod template says about nodes."""
        spec = template_spec(daemon_set)
        return cls(spec.get("nodeName") or "", required_of({"spec": spec}), daemon_tolerations(spec))

    def judge(self, node: Object) -> tuple[bool, bool]:
        """Whether a daemon is to start on a node, and whether one that is there may stay (NodeShouldRunDaemonPod)."""
        if self.node_name not in ("", key_of(node)[1]) or not self.requirement.matches(node):
            return False, False
        taints = (node.get("spec") or {}).get("taints") or []
        refused = {taint.get("effect") for taint in taints if tolerating(self.tolerations, taint) is None}
        return not refused & {"NoSchedule", "NoExecute"}, "NoExecute" not in refused


def template_generation(daemon_set: Object) -> str | None:
    """The number that the server gives to each template, None when it cannot be read."""
    text = annotations_of(daemon_set).get(GENERATION)
    return text if text is not None and text.lstrip("-").isdigit() else None


def daemon_pod(daemon_set: Object, digest: str, node: str) -> Object:
    """A daemon for one node: the scheduler finds no other for it."""
    pod = pod_from(daemon_set["spec"]["template"], daemon_set)
    labels = pod["metadata"].setdefault("labels", {})
    generation = template_generation(daemon_set)
    if generation is not None:
        labels[POD_GENERATION] = generation
    labels[POD_HASH] = digest
    spec = pod["spec"]
    spec["tolerations"] = daemon_tolerations(spec)
    affinity = spec["affinity"] = spec.get("affinity") or {}
    nodes = affinity["nodeAffinity"] = affinity.get("nodeAffinity") or {}
    terms = [{"matchFields": [{"key": NODE_NAME, "operator": "In", "values": [node]}]}]
    nodes["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    return pod


def target_of(pod: Object) -> str | None:
    """The node that a daemon is on or meant for, None when it does not say (GetTargetNodeName)."""
    if node_of(pod):
        return node_of(pod)
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for one in term.get("matchFields") or []:
            if one.get("key") == NODE_NAME and one.get("operator") == "In":
                values = one.get("values") or []
                return str(values[0]) if len(values) == 1 else None
    return None


def is_updated(daemon_set: Object, pod: Object, digest: str) -> bool:
    """Whether a daemon has the present template."""
    labels, generation = labels_of(pod), template_generation(daemon_set)
    return labels.get(POD_HASH) == digest or (generation is not None and labels.get(POD_GENERATION) == generation)


def by_age(pod: Object) -> tuple[bool, str, str]:
    """Bound daemons first, then the oldest."""
    meta = pod["metadata"]
    return (not node_of(pod), meta.get("creationTimestamp") or "", meta["name"])


def strategy_of(daemon_set: Object) -> tuple[str, dict[str, Any]]:
    """Type and rolling update parameters of the update strategy."""
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    return strategy.get("type") or "RollingUpdate", strategy.get("rollingUpdate") or {}


def max_surge(daemon_set: Object, nodes: int) -> int:
    """How many nodes may have a second daemon during an update."""
    kind, rolling = strategy_of(daemon_set)
    return scaled(rolling.get("maxSurge"), nodes, round_up=True) if kind == "RollingUpdate" else 0


def max_unavailable(daemon_set: Object, nodes: int) -> int:
    """How many nodes may be without an available daemon during an update; one when neither that nor a surge is allowed."""
    kind, rolling = strategy_of(daemon_set)
    allowed = scaled(rolling.get("maxUnavailable"), nodes, round_up=True) if kind == "RollingUpdate" else 0
    return 1 if nodes and not allowed and not max_surge(daemon_set, nodes) else allowed


def minimum_ready(daemon_set: Object) -> int:
    """spec.minReadySeconds, 0 when absent."""
    return int(daemon_set["spec"].get("minReadySeconds") or 0)
