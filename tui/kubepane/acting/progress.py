"""How far the effect of a change is, from what the watches show."""

from __future__ import annotations

from collections.abc import Sequence

from kubepane.acting.plan import Progress
from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.insight import rollouts

Workload = r.Deployment | r.StatefulSet | r.DaemonSet | r.ReplicaSet


def _ready(obj: Workload) -> int:
    return obj.status.number_ready if isinstance(obj, r.DaemonSet) else obj.status.ready_replicas


def scaled(refs: Sequence[Ref], wanted: int, stores: Stores) -> Progress:
    """Workloads on their way to a number of ready pods."""
    for ref in refs:
        obj = stores.of(ref.kind).named(ref.namespace, ref.name)
        if obj is None:
            return Progress(True, f"{ref} is gone", failed=True)
        assert isinstance(obj, r.Deployment | r.StatefulSet | r.ReplicaSet)
        ready, seen = _ready(obj), obj.status.observed_generation >= obj.metadata.generation
        if obj.spec.replicas != wanted:
            return Progress(True, f"{ref} wants {obj.spec.replicas} replicas now: something else has set them", failed=True)
        if not seen or ready != wanted or obj.status.replicas != wanted:
            if isinstance(obj, r.Deployment) and rollouts.of(obj, stores).timed_out:
                return Progress(True, f"{ready} of {wanted} ready, and its progress deadline has passed", failed=True)
            return Progress(False, f"{ref.name}: {ready} of {wanted} ready")
    return Progress(True, f"{wanted} of {wanted} ready")


def rolled_out(refs: Sequence[Ref], stores: Stores) -> Progress:
    """Workloads on their way to their newest template."""
    text = ""
    for ref in refs:
        obj = stores.of(ref.kind).named(ref.namespace, ref.name)
        if obj is None:
            return Progress(True, f"{ref} is gone", failed=True)
        assert isinstance(obj, r.Deployment | r.StatefulSet | r.DaemonSet)
        verdict = rollouts.of(obj, stores).verdict
        if verdict.failed or not verdict.done:
            return Progress(verdict.failed, verdict.text, verdict.failed)
        text = verdict.text
    return Progress(True, text)
