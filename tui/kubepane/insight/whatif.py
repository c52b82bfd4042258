"""What a change to a node's taints would do to pods, before it is made.

Rules: NoExecute deletes pods that do not tolerate it, after their tolerationSeconds where they have some; NoSchedule leaves running
pods where they are, but new ones stay away (pkg/controller/tainteviction, TaintToleration).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import scheduling, taints
from kubepane.insight.nodes import taint as taint_text

_FINISHED = ("Succeeded", "Failed")


class Eviction(msgspec.Struct, frozen=True, gc=False):
    """A pod that a NoExecute taint would delete.

    Attributes:
        after: seconds until then; 0 for at once.
    """

    pod: r.Pod
    after: int = 0


class TaintEffect(msgspec.Struct, frozen=True):
    """What putting a taint on nodes would do.

    Attributes:
        evicted: pods that would go.
        strangers: pods that would stay, but that would not be put there again.
        tolerating: pods on those nodes that do not mind.
    """

    evicted: tuple[Eviction, ...] = ()
    strangers: tuple[r.Pod, ...] = ()
    tolerating: int = 0


def tainting(nodes: Iterable[str], taint: r.Taint, stores: Stores) -> TaintEffect:
    """What this taint would do on these nodes."""
    evicted: list[Eviction] = []
    strangers: list[r.Pod] = []
    tolerating = 0
    for name in nodes:
        for pod in stores.pods.by("node", name):
            if pod.status.phase in _FINISHED or pod.metadata.deletion_timestamp is not None:
                continue
            given = [one for one in pod.spec.tolerations or () if taints.tolerates(one, taint)]
            if taint.effect == "NoExecute" and (wait := _wait(given)) is not None:
                evicted.append(Eviction(pod, wait))
            elif not given and taints.keeps_away(taint):
                strangers.append(pod)
            else:
                tolerating += 1
    return TaintEffect(tuple(evicted), tuple(strangers), tolerating)


def _wait(given: Sequence[r.Toleration]) -> int | None:
    """Seconds that a pod with these matching tolerations may stay under NoExecute; None for ever (getMinTolerationTime)."""
    if not given:
        return 0
    limits = [one.toleration_seconds for one in given if one.toleration_seconds is not None]
    return max(0, min(limits)) if limits else None


def untainting(nodes: Iterable[str], removed: Iterable[r.Taint], stores: Stores) -> tuple[r.Pod, ...]:
    """Pending pods that would fit on one of these nodes once the taints are gone: nothing else keeps them away."""
    texts = {taint_text(taint) for taint in removed}
    names = tuple(nodes)
    return tuple(pod for pod in _waiting(stores) if _would_fit(pod, names, texts, stores))


def _would_fit(pod: r.Pod, nodes: tuple[str, ...], texts: set[str], stores: Stores) -> bool:
    reasons = scheduling.verdict(pod, stores).reasons
    return any(name in reasons and all(one.kind == scheduling.TAINT and one.what in texts for one in reasons[name]) for name in nodes)


def uncordoning(nodes: Iterable[str], stores: Stores) -> tuple[r.Pod, ...]:
    """Pending pods that would fit on one of these nodes once they take pods again."""
    names = tuple(nodes)
    found = []
    for pod in _waiting(stores):
        reasons = scheduling.verdict(pod, stores).reasons
        if any(name in reasons and all(one.kind == scheduling.CORDON for one in reasons[name]) for name in names):
            found.append(pod)
    return tuple(found)


def _waiting(stores: Stores) -> Iterable[r.Pod]:
    """Pods without a node."""
    return [pod for pod in stores.pods.by("node", "") if pod.status.phase not in _FINISHED and pod.metadata.deletion_timestamp is None]
