"""Where the API serves the kinds of the manifests."""

from __future__ import annotations

from kubepane_embedded.registry import Resource, default_registry
from kubepane_manifests.documents import Object

REGISTRY = default_registry()


def resource(obj: Object) -> Resource:
    """The served kind of an object."""
    found = REGISTRY.of_kind(obj["apiVersion"], obj["kind"])
    assert found is not None
    return found


def collection(obj: Object) -> str:
    """Where objects of its kind and namespace are created."""
    kind = resource(obj)
    namespace = obj["metadata"].get("namespace")
    assert bool(namespace) == kind.namespaced
    return f"{kind.path}/{f'namespaces/{namespace}/' if namespace else ''}{kind.plural}"
