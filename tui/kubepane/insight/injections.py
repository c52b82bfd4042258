"""Who takes keys from which ConfigMap or Secret, kept up as workloads and pods change, never by a scan of all pods."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane.cluster import resources as r
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import BY_KIND, Kind
from kubepane.cluster.stores import Stores
from kubepane.insight.configuration import Complaint, Source, Use, complaints, uses

_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")
_REFUSED = (State.FORBIDDEN, State.ABSENT)


class Injections:
    """Uses by ConfigMap and Secret. A pod whose workload is held counts through the workload's template alone."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._by_source: dict[Source, dict[str, list[tuple[str, Use]]]] = {}
        self._by_user: dict[str, tuple[Source, ...]] = {}
        self._told: dict[Source, dict[str, list[tuple[str, Complaint]]]] = {}
        self._tellers: dict[str, tuple[Source, ...]] = {}

    def sources(self) -> Iterable[Source]:
        """All ConfigMaps and Secrets that somebody takes from, or misses."""
        return {*self._by_source, *self._told}

    def users(self, source: Source) -> list[tuple[str, Use]]:
        """(workload, use) of all that take from it; the workload as `deployment/web`."""
        return [use for part in self._by_source.get(source, {}).values() for use in part]

    def told(self, source: Source) -> list[tuple[str, Complaint]]:
        """(pod, complaint) of what kubelets miss in it."""
        return [told for part in self._told.get(source, {}).values() for told in part]

    def workload(self, kind: Kind, uid: str) -> set[Source]:
        """Takes in what a workload is now, or that it is gone; the ConfigMaps and Secrets that it takes or took from."""
        obj: r.Object | None = self._stores.of(kind).get(uid)
        spec = template(obj) if obj is not None and not self._covered(obj) else None
        return self._put(uid, f"{kind.kind.lower()}/{obj.metadata.name}" if obj else "", obj.metadata.namespace if obj else "", spec)

    def pod(self, uid: str) -> set[Source]:
        """Takes in what a pod is now, or that it is gone; the ConfigMaps and Secrets that this is about."""
        pod = self._stores.pods.get(uid)
        touched = self._listen(uid, pod)
        if pod is None:
            return touched | self._put(uid, "", "", None)
        if uid in self._by_user or self._covered(pod):  # what a pod takes never changes while it lives
            return touched
        return touched | self._put(uid, f"pod/{pod.metadata.name}", pod.metadata.namespace, pod.spec)

    def _covered(self, obj: r.Object) -> bool:
        """Whether its owner's template says the same."""
        for owner in obj.metadata.owner_references or ():
            if owner.controller and owner.kind in _TEMPLATES:
                return self._stores.of(BY_KIND[owner.kind]).freshness.state not in _REFUSED
        return False

    def _put(self, uid: str, who: str, namespace: str, spec: r.PodSpec | None) -> set[Source]:
        old = self._by_user.pop(uid, ())
        for source in old:
            _remove(self._by_source, source, uid)
        if spec is None:
            return set(old)
        for use in uses(namespace, spec):
            self._by_source.setdefault(use.source, {}).setdefault(uid, []).append((who, use))
            self._by_user[uid] = (*self._by_user.get(uid, ()), use.source)
        return {*old, *self._by_user.get(uid, ())}

    def _listen(self, uid: str, pod: r.Pod | None) -> set[Source]:
        old = self._tellers.pop(uid, ())
        for source in old:
            _remove(self._told, source, uid)
        found = complaints(pod) if pod is not None else []
        if not found or pod is None:
            return set(old)
        for complaint in found:
            self._told.setdefault(complaint.source, {}).setdefault(uid, []).append((pod.metadata.name, complaint))
        self._tellers[uid] = tuple({c.source for c in found})
        return {*old, *self._tellers[uid]}


def template(obj: r.Object) -> r.PodSpec | None:
    """The pod spec that a workload makes pods from; None for what is no workload."""
    if isinstance(obj, r.CronJob):
        return obj.spec.job_template.spec.template.spec
    if isinstance(obj, (r.Deployment, r.StatefulSet, r.DaemonSet, r.ReplicaSet, r.Job)):
        return obj.spec.template.spec
    return None


def _remove(
    index: dict[Source, dict[str, list[tuple[str, Use]]]] | dict[Source, dict[str, list[tuple[str, Complaint]]]], source: Source, uid: str
) -> None:
    held = index.get(source)
    if held is not None:
        held.pop(uid, None)
        if not held:
            del index[source]
