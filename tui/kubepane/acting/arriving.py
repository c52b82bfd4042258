"""How far objects are that were applied: workloads rolled out, claims bound, no Job failed; and which of them is in the way and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubepane.acting.plan import Progress
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.insight import claims, jobs, rollouts
from kubepane.insight.explain import explain
from kubepane.insight.finding import Level
from kubepane.insight.rollout_status import TIMED_OUT

ROLLED: tuple[Kind, ...] = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS)
FOLLOWED: tuple[Kind, ...] = (*ROLLED, k.JOBS, k.CLAIMS)
WANTS: tuple[Kind, ...] = (*FOLLOWED, k.PODS, k.REPLICASETS, k.NODES, k.VOLUMES, k.STORAGECLASSES, k.EVENTS, k.NAMESPACES)


def arrived(refs: Sequence[Ref], stores: Stores, now: datetime) -> Progress:
    """The progress of all of these together: bad as soon as one of them is, good when all are."""
    followed = [ref for ref in refs if ref.kind in FOLLOWED]
    waiting: list[str] = []
    for ref in followed:
        one = _of(ref, stores, now)
        if one.failed:
            return Progress(True, f"{ref}: {one.text}", failed=True)
        if not one.done:
            waiting.append(f"{ref}: {one.text}")
    if waiting:
        return Progress(False, f"{len(followed) - len(waiting)} of {len(followed)} ready; {waiting[0]}")
    if not followed:
        return Progress(True, "done")
    return Progress(True, f"{followed[0]} is ready" if len(followed) == 1 else f"all {len(followed)} are ready")


def _of(ref: Ref, stores: Stores, now: datetime) -> Progress:
    store = stores.of(ref.kind)
    obj = store.named(ref.namespace, ref.name)
    match obj:
        case None if store.freshness.complete:
            return Progress(True, "is gone", failed=True)
        case None:
            return Progress(False, "it cannot be seen yet")
        case r.Claim():
            return _claim(obj, stores, now)
        case r.Job():
            failure = jobs.failure(obj)
            return Progress(True, failure, failed=bool(failure))
        case _:
            return _workload(obj, stores, now)


def _workload(obj: Object, stores: Stores, now: datetime) -> Progress:
    assert isinstance(obj, r.Deployment | r.StatefulSet | r.DaemonSet)
    verdict = rollouts.of(obj, stores).verdict
    if verdict.done:
        return Progress(True, verdict.text)
    cause = _cause(obj, stores, now)
    if verdict.failed:
        return Progress(True, f"its progress deadline has passed{f': {cause}' if cause else ''}", failed=True)
    return Progress(False, cause or verdict.text.rpartition("rollout to finish: ")[2])  # the object is named already


def _claim(claim: r.Claim, stores: Stores, now: datetime) -> Progress:
    if claim.status.phase == "Bound":
        return Progress(True, "bound")
    if claim.status.phase == "Lost":
        return Progress(True, _cause(claim, stores, now) or "its volume is lost", failed=True)
    name = claims.class_of(claim)
    storage = stores.storageclasses.named("", name) if name else None
    if (
        storage is not None
        and storage.volume_binding_mode == claims.WAIT_FOR_CONSUMER
        and not list(stores.pods.by("claim", f"{claim.metadata.namespace}/{claim.metadata.name}"))
    ):
        return Progress(True, "waits for the first pod that uses it")
    return Progress(False, _cause(claim, stores, now) or "not bound yet")


def _cause(obj: Object, stores: Stores, now: datetime) -> str:
    """What keeps it from being well, "" when nothing known does; that its deadline has passed is no cause."""
    found = [one for one in explain(obj, stores, now) if one.level <= Level.WAIT and all(fact.value != TIMED_OUT for fact in one.evidence)]
    return found[0].clause if found else ""
