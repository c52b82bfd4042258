"""What a drain means for each pod of a node: which go, which stay and why, and which PodDisruptionBudget holds one back.

Sources: kubectl pkg/drain/filters.go (the filters, in its order), pkg/registry/core/pod/storage/eviction.go (what a budget forbids).
A pod that is being deleted already goes by itself: it is waited for, and needs no leave of anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import Enum

import msgspec

from kubepane.cluster import resources as r
from kubepane.insight import labels

_FINISHED = ("Succeeded", "Failed")


class Fate(Enum):
    """What a drain does with a pod; the value says why it stays or may not go."""

    GOES = "evicted"
    GOING = "being deleted already"
    DAEMON = "a DaemonSet would make them anew here"
    MIRROR = "static pods of the kubelet"
    DATA = "data in an emptyDir would be lost"
    ALONE = "nothing would make them anew"
    ORPHAN = "their DaemonSet is gone"


STAYS = (Fate.DAEMON, Fate.MIRROR)
NEEDS = {Fate.DATA: "--delete-emptydir-data", Fate.ALONE: "--force", Fate.ORPHAN: "--force"}
"""The option without which the whole node is not drained."""


class Leave(msgspec.Struct, frozen=True):
    """What the user gave leave for.

    Attributes:
        data: emptyDir data may be lost.
        force: pods that nobody makes anew may go.
    """

    data: bool = False
    force: bool = False


def daemonset_of(pod: r.Pod) -> tuple[str, str] | None:
    """Namespace and name of the DaemonSet that a pod belongs to."""
    owner = _controller(pod)
    if owner is None or owner.kind != "DaemonSet" or owner.api_version not in ("", "apps/v1"):
        return None
    return pod.metadata.namespace, owner.name


def _controller(pod: r.Pod) -> r.OwnerReference | None:
    return next((owner for owner in pod.metadata.owner_references or () if owner.controller), None)


def fate(pod: r.Pod, leave: Leave, gone: Collection[tuple[str, str]] = ()) -> Fate:
    """What a drain does with a pod.

    Args:
        gone: DaemonSets, as `daemonset_of` gives them, that are known not to be there any more.
    """
    finished = pod.status.phase in _FINISHED
    daemonset = daemonset_of(pod)
    if daemonset is not None and not finished and daemonset not in gone:
        return Fate.DAEMON
    notes = pod.metadata.annotations
    if notes is not None and notes.mirror:
        return Fate.MIRROR
    if pod.metadata.deletion_timestamp is not None:
        return Fate.GOING
    if finished:
        return Fate.GOES
    if daemonset is not None and not leave.force:
        return Fate.ORPHAN
    if not leave.data and any(volume.empty_dir is not None for volume in pod.spec.volumes or ()):
        return Fate.DATA
    if not leave.force and _controller(pod) is None:
        return Fate.ALONE
    return Fate.GOES


# ---- budgets -------------------------------------------------------------------------------------------------------------------


def guards(pod: r.Pod, budgets: Iterable[r.Budget]) -> tuple[r.Budget, ...]:
    """The budgets that protect a pod: none for one that is pending, done or going already."""
    if pod.status.phase in ("Pending", *_FINISHED) or pod.metadata.deletion_timestamp is not None:
        return ()
    here = pod.metadata.namespace
    return tuple(one for one in budgets if one.metadata.namespace == here and labels.matches(one.spec.selector, pod.metadata.labels))


class Hold(msgspec.Struct, frozen=True):
    """Pods of a node that a budget does not let go all at once.

    Attributes:
        budgets: the one; several that protect the same pods forbid their eviction for ever.
        pods: the pods that it protects.
        allowed: how many of them may go now.
    """

    budgets: tuple[r.Budget, ...]
    pods: tuple[r.Pod, ...]
    allowed: int


def holds(pods: Iterable[r.Pod], budgets: Sequence[r.Budget]) -> tuple[Hold, ...]:
    """The budgets that do not let all of these pods go now, by namespace and name."""
    found: dict[tuple[str, ...], tuple[tuple[r.Budget, ...], list[r.Pod]]] = {}
    for pod in pods:
        guarding = guards(pod, budgets)
        if len(guarding) > 1 or (guarding and not _lets_broken_go(guarding[0], pod)):
            names = (pod.metadata.namespace, *(one.metadata.name for one in guarding))
            found.setdefault(names, (guarding, []))[1].append(pod)
    every = [
        Hold(guarding, tuple(held), 0 if len(guarding) > 1 else guarding[0].status.disruptions_allowed)
        for _, (guarding, held) in sorted(found.items())
    ]
    return tuple(one for one in every if one.allowed < len(one.pods))


def _lets_broken_go(budget: r.Budget, pod: r.Pod) -> bool:
    """Whether a pod that is not ready may go although the budget is used up (unhealthyPodEvictionPolicy)."""
    if any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or ()):
        return False
    status = budget.status
    return budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" or status.current_healthy >= status.desired_healthy > 0
