"""Which taints a pod tolerates.

Source: Toleration.ToleratesTaint of k8s.io/api core/v1 (toleration.go, 1.35; Lt and Gt are of KEP-5471 and mean the taint's
value), and DoNotScheduleTaintsFilterFunc of k8s.io/component-helpers/scheduling/corev1: PreferNoSchedule keeps no pod away.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubepane.cluster.resources import Taint, Toleration

CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
STATES = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/memory-pressure": "low on memory",
    "node.kubernetes.io/disk-pressure": "low on disk",
    "node.kubernetes.io/pid-pressure": "low on process ids",
    "node.kubernetes.io/network-unavailable": "without network",
    "node.kubernetes.io/out-of-service": "out of service",
    "node.cloudprovider.kubernetes.io/uninitialized": "not yet set up by the cloud provider",
    "node.cloudprovider.kubernetes.io/shutdown": "shut down",
}
"""Taints that Kubernetes sets by itself to say how a node is: the words for it."""


def keeps_away(taint: Taint) -> bool:
    """Whether new pods that do not tolerate it stay away."""
    return taint.effect in ("NoSchedule", "NoExecute")


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration covers a taint. No effect covers all effects, no key with Exists all keys; no operator is Equal."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "Exists":
            return True
        case "" | "Equal":
            return toleration.value == taint.value
        case "Lt" | "Gt":
            return _compares(toleration, taint)
    return False


def _compares(toleration: Toleration, taint: Taint) -> bool:
    try:
        have, wanted = int(taint.value), int(toleration.value)
    except ValueError:
        return False
    return have < wanted if toleration.operator == "Lt" else have > wanted


def untolerated(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> list[Taint]:
    """The taints that keep a pod with these tolerations away, in the node's order."""
    given = tuple(tolerations)
    return [t for t in taints if keeps_away(t) and not any(tolerates(one, t) for one in given)]
