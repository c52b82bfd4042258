"""Deleted namespaces: their pods go first, then all the rest, then the namespace itself.

Follows kubernetes/pkg/controller/namespace (namespace_controller.go, deletion/namespaced_resources_deleter.go, status_condition_utils.go).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from kubepane_embedded.core import Core
from kubepane_embedded.deletion import FOREGROUND, ORPHAN
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, finalizers_of, is_deleting, key_of
from kubepane_embedded.podfacts import is_finished
from kubepane_embedded.workqueue import WorkQueue

FINALIZER = "kubernetes"
FIRST_LOOK = 5.0
"""Seconds between the wish and the first deletion, so that everybody has noticed (namespaceDeletionGracePeriod)."""
FINALIZER_SECONDS = 15
"""How long finalizers are assumed to take."""
FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


@dataclass(slots=True)
class Rest:
    """What is still in a namespace after everything was asked to go."""

    counts: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    seconds: int = 0
    """Estimate until it is gone."""

    def conditions(self) -> dict[str, tuple[str, str]]:
        """Conditions that are True: type → reason and message."""
        found = {}
        if self.refusals:
            text = f"Failed to delete all resource types, {len(self.refusals)} remaining: {', '.join(sorted(self.refusals))}"
            found["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
        if self.counts:
            text = ", ".join(sorted(f"{name} has {count} resource instances" for name, count in self.counts.items()))
            found["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {text}")
        if self.finalizers:
            text = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in self.finalizers.items()))
            text = f"Some content in the namespace has finalizers remaining: {text}"
            found["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
        return found


class NamespaceController:
    """Empties namespaces that are being deleted.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._registry = core.registry
        self._clock = core.clock
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._reconcile, "namespace-controller")
        stored = dict.fromkeys(item.storage for item in core.registry.resources if item.storage and item.namespaced)
        self._kinds = [name for name in stored if name != "pods"]

    def start(self) -> None:
        """Follow namespaces."""
        self._storage.subscribe("namespaces", self._notice)
        for namespace in self._storage.objects("namespaces"):
            self._notice(key_of(namespace))

    def _notice(self, key: Key) -> None:
        namespace = self._storage.read("namespaces", *key)
        if namespace is not None and is_deleting(namespace):
            self._queue.add_after(key, FIRST_LOOK)

    def _reconcile(self, key: Key) -> None:
        namespace = self._storage.read("namespaces", *key)
        if namespace is None or not is_deleting(namespace) or not (namespace.get("spec") or {}).get("finalizers"):
            return
        rest = self._empty_of("pods", key[1])
        told = rest
        if rest.counts:
            told = Rest(refusals=rest.refusals)  # upstream says nothing of the rest while pods remain
        else:
            for kind in self._kinds:
                _add(rest, self._empty_of(kind, key[1]))
        self._tell(key, told)
        if rest.seconds:
            self._queue.add_after(key, rest.seconds // 2 + 1)
        elif rest.counts or rest.refusals:
            self._queue.retry(key)
        else:
            self._finalize(key)

    def _empty_of(self, resource: str, namespace: str) -> Rest:
        """Ask everything of a kind to go; what remains."""
        rest = Rest()
        grace = 0
        if resource == "pods":
            running = (pod for pod in self._storage.objects("pods", namespace) if not is_finished(pod))
            grace = max(((pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 0 for pod in running), default=0)
        for obj in self._storage.objects(resource, namespace):
            if is_deleting(obj) and not {ORPHAN, FOREGROUND} & set(finalizers_of(obj)):
                continue  # asked already: a second wish would change nothing
            try:
                self._client.delete(resource, *key_of(obj), propagation="Background")
            except ApiError as refusal:
                if refusal.code != 404:
                    rest.refusals.append(str(refusal))
                    break
        left = self._storage.objects(resource, namespace)
        if left:
            served = self._registry.stored(resource)
            rest.counts[f"{served.plural}.{served.group}"] = len(left)
            rest.finalizers.update(finalizer for obj in left for finalizer in finalizers_of(obj))
            rest.seconds = grace or (FINALIZER_SECONDS if rest.finalizers else 0)
        return rest

    def _tell(self, key: Key, rest: Rest) -> None:
        namespace = self._storage.read("namespaces", *key)
        if namespace is None:
            return
        wanted = clone(namespace)
        status = wanted["status"] = wanted.get("status") or {}
        status["phase"] = "Terminating"
        bad = rest.conditions()
        present = {one["type"]: one for one in status.get("conditions") or []}
        for kind, fine in FINE.items():
            present[kind] = self._condition(kind, bad.get(kind), fine, present.get(kind))
        status["conditions"] = list(present.values())
        if wanted != namespace:
            self._client.update_status("namespaces", wanted)

    def _condition(self, kind: str, bad: tuple[str, str] | None, fine: tuple[str, str], before: dict[str, Any] | None) -> dict[str, Any]:
        status = "True" if bad else "False"
        reason, message = bad or fine
        same = before is not None and before.get("status") == status
        since = before["lastTransitionTime"] if same and before is not None else self._clock.stamp()
        return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}

    def _finalize(self, key: Key) -> None:
        """Let go of the namespace, unless others hold it too."""
        namespace = self._storage.read("namespaces", *key)
        if namespace is None:
            return
        wanted: Object = clone(namespace)
        wanted["spec"]["finalizers"] = [one for one in wanted["spec"]["finalizers"] if one != FINALIZER]
        self._client.finalize_namespace(wanted)


def _add(rest: Rest, more: Rest) -> None:
    rest.counts.update(more.counts)
    rest.finalizers.update(more.finalizers)
    rest.refusals += more.refusals
    rest.seconds = max(rest.seconds, more.seconds)
