"""Objects that nobody controls, found by their labels: what a workload may adopt, and which workloads may adopt a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubepane_embedded.meta import Key, Object, controller_of, key_of, labels_of
from kubepane_embedded.podfacts import SYNTHETIC
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.storage import Storage

INDEX = "orphans"


def index_orphans(storage: Storage, resource: str) -> None:
    """Make `orphans` work for a resource; asking twice is harmless."""
    storage.add_index(resource, INDEX, _places)


def orphans(storage: Storage, resource: str, namespace: str, selector: LabelSelector) -> list[Object]:
    """Objects of the namespace without a controller that the selector matches."""
    found = storage.find(resource, INDEX, _widest(namespace, selector))
    return [obj for obj in found if selector.matches_object(obj)]


def adopters(storage: Storage, resource: str) -> Callable[[Object], Iterable[Key]]:
    """For `Storage.subscribe`: maps an object without a controller to the workloads of `resource` whose `spec.selector` matches it."""

    def keys(obj: Object) -> Iterable[Key]:
        if controller_of(obj) is not None or not labels_of(obj) or SYNTHETIC in labels_of(obj):
            return ()
        namespace = key_of(obj)[0]
        workloads = storage.objects(resource, namespace)
        return [key_of(one) for one in workloads if LabelSelector.of((one.get("spec") or {}).get("selector")).matches_object(obj)]

    return keys


def _places(obj: Object) -> Iterable[str]:
    labels = labels_of(obj)
    if controller_of(obj) is not None or SYNTHETIC in labels:
        return
    namespace = key_of(obj)[0]
    yield f"{namespace}/"
    for key, value in labels.items():
        yield f"{namespace}/{key}={value}"


def _widest(namespace: str, selector: LabelSelector) -> str:
    """The place in the index that holds all an object must have to be selected, as narrow as one label makes it."""
    for term in selector.requirements:
        if term.operator == "In" and len(term.values) == 1:
            return f"{namespace}/{term.key}={term.values[0]}"
    return f"{namespace}/"
