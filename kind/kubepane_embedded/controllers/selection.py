"""Which pods a set of labels selects, and which selectors a pod's labels satisfy, found by index instead of by looking at everything."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.meta import Key, Object, key_of, labels_of
from kubepane_embedded.storage import Storage

BY_LABEL = "label"
BY_SELECTOR = "selector"


def _value(namespace: str, key: str, value: str) -> str:
    return f"{namespace}\0{key}\0{value}"


def _labels(obj: Object) -> Iterable[str]:
    namespace = key_of(obj)[0]
    return [_value(namespace, key, value) for key, value in labels_of(obj).items()]


def _service_selector(service: Object) -> Iterable[str]:
    """A Service is found by the first of its labels: a pod that it selects must have that one."""
    selector = (service.get("spec") or {}).get("selector") or {}
    namespace = key_of(service)[0]
    return [_value(namespace, key, selector[key]) for key in sorted(selector)[:1]]


def index_labels(storage: Storage) -> None:
    """Keep what `labelled` and `services_of` need."""
    storage.add_index("pods", BY_LABEL, _labels)
    storage.add_index("services", BY_SELECTOR, _service_selector)


def labelled(storage: Storage, namespace: str, labels: dict[str, str]) -> list[Object]:
    """Pods of a namespace that have all these labels; none for an empty map."""
    if not labels:
        return []
    rarest = min(labels.items(), key=lambda pair: storage.count_found("pods", BY_LABEL, _value(namespace, *pair)))
    candidates = storage.find("pods", BY_LABEL, _value(namespace, *rarest))
    return [pod for pod in candidates if labels.items() <= labels_of(pod).items()]


def services_of(storage: Storage, pod: Object) -> list[Key]:
    """Keys of the Services of the pod's namespace that select it."""
    labels = labels_of(pod)
    found = (service for value in _labels(pod) for service in storage.find("services", BY_SELECTOR, value))
    return [key_of(service) for service in found if service["spec"]["selector"].items() <= labels.items()]
