"""Whether a pod's requests fit, and which node suits them best: plugins noderesources (fit, least allocated, balanced allocation)."""

from __future__ import annotations

from kubepane_embedded.scheduler.demand import Amounts
from kubepane_embedded.scheduler.framework import MAX_SCORE, Cycle, Prepared, Rejection
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo

SCORED = ("cpu", "memory")
NATIVE = ("cpu", "memory", "ephemeral-storage")
"""Told in this order; other resources follow."""


def shortage(requests: Amounts, allocatable: Amounts, requested: Amounts, count: int) -> Rejection | None:
    """What is missing for one more pod; the rejection is not resolvable where even an empty node would be too small."""
    reasons = ["Too many pods"] if count + 1 > allocatable.get("pods", 0) else []
    resolvable = True
    for name in (*NATIVE, *(name for name in requests if name not in NATIVE)):
        wanted = requests.get(name, 0)
        if wanted > 0 and wanted > allocatable.get(name, 0) - requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and wanted <= allocatable.get(name, 0)
    return Rejection(tuple(reasons), resolvable) if reasons else None


def node_resources_fit(cycle: Cycle) -> Prepared:
    """Requests must fit into what is allocatable and not yet requested."""
    requests = cycle.pod.requests
    return Prepared(lambda node: shortage(requests, node.allocatable, node.requested, node.count))


def fits_when_empty(pod: PodInfo, node: NodeInfo) -> bool:
    """Whether a node without any pod would be large enough."""
    return shortage(pod.requests, node.allocatable, {}, 0) is None


def score_least_allocated(cycle: Cycle, nodes: list[NodeInfo]) -> list[int]:
    """More free CPU and memory is better."""
    return [_free_share(node, cycle.pod.weighed) for node in nodes]


def _free_share(node: NodeInfo, weighed: Amounts) -> int:
    shares = []
    for name in SCORED:
        capacity = node.allocatable.get(name, 0)
        if capacity:
            used = node.weighed.get(name, 0) + weighed.get(name, 0)
            shares.append((capacity - used) * MAX_SCORE // capacity if used <= capacity else 0)
    return sum(shares) // len(shares) if shares else 0


def score_balance(cycle: Cycle, nodes: list[NodeInfo]) -> list[int] | None:
    """CPU and memory used to a like share is better; pods that ask for neither do not count."""
    requests = cycle.pod.requests
    if not any(requests.get(name) for name in SCORED):
        return None
    return [_balance(node, requests) for node in nodes]


def _balance(node: NodeInfo, requests: Amounts) -> int:
    shares = [
        min(1.0, (node.requested.get(name, 0) + requests.get(name, 0)) / node.allocatable[name]) for name in SCORED if node.allocatable.get(name)
    ]
    deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
    return int((1 - deviation) * MAX_SCORE)
