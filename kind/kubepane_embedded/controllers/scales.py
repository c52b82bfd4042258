"""How many pods the controllers behind some pods want in all (disruption.go, getExpectedScale and its finders)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.meta import Object, controller_of, key_of, uid_of
from kubepane_embedded.registry import Registry
from kubepane_embedded.storage import Storage


def expected_pods(storage: Storage, registry: Registry, pods: list[Object]) -> int:
    """The sum of the scales of all controllers of these pods, each counted once; pods without controller count nothing.

    ValueError, in the real controller's words, when a controller is gone or has no scale.
    """
    scales: dict[str, int] = {}
    seen: set[str] = set()
    for pod in pods:
        reference = controller_of(pod)
        if reference is None or reference.get("uid") in seen:
            continue
        seen.add(reference.get("uid") or "")
        found = _scale(storage, registry, reference, key_of(pod)[0])
        if found is None:
            raise ValueError(f'found no controllers for pod "{key_of(pod)[1]}"')
        scales[found[0]] = found[1]
    return sum(scales.values())


def _scale(storage: Storage, registry: Registry, reference: dict[str, Any], namespace: str) -> tuple[str, int] | None:
    """(uid, replicas) of a controller; of the Deployment behind a ReplicaSet."""
    version, kind = reference.get("apiVersion") or "", reference.get("kind") or ""
    served = registry.of_kind(version, kind)
    if served is None:
        raise ValueError(f'no matches for kind "{kind}" in version "{version}"')
    if served.subresource("scale") is None:
        raise ValueError(f"{served.id} does not implement the scale subresource")
    owner = storage.read(served.storage, namespace if served.namespaced else "", reference.get("name") or "")
    if owner is None or uid_of(owner) != reference.get("uid"):
        return None
    above = controller_of(owner)
    if served.storage == "replicasets.apps" and above is not None and above.get("kind") == "Deployment":
        owner = storage.read("deployments.apps", namespace, above.get("name") or "") or owner
    replicas = (owner.get("spec") or {}).get("replicas")
    return uid_of(owner), 1 if replicas is None else int(replicas)
