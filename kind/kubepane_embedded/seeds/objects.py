"""Objects from YAML into a cluster, as `kubectl apply` would leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from kubepane_embedded.api import Api
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.requests import ADMIN, WriteOptions

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl-client-side-apply"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str) -> list[Object]:
    """The objects of a YAML stream, empty documents left out."""
    return [document for document in yaml.load_all(text, Loader=LOADER) if document]


def apply(api: Api, objects: Iterable[Object]) -> list[Object]:
    """Create objects in the order given, each with the annotation that lets `kubectl apply` change it later.

    Raises:
        ApiError: One is refused; those before it are there.
        KeyError: A kind is not served.
    """
    return [_create(api, obj) for obj in objects]


def _create(api: Api, obj: Object) -> Object:
    resource = api.registry.of_kind(obj["apiVersion"], obj["kind"])
    if resource is None:
        raise KeyError(f"{obj['apiVersion']} {obj['kind']}")
    wanted = clone(obj)
    meta = wanted.setdefault("metadata", {})
    if resource.namespaced:
        meta.setdefault("namespace", "default")
    noted = clone(wanted)
    noted["metadata"].setdefault("annotations", {})
    meta.setdefault("annotations", {})[LAST_APPLIED] = _as_go(noted) + "\n"
    return api.create(ADMIN, resource, meta.get("namespace", ""), wanted, WriteOptions(manager=MANAGER)).obj


def _as_go(obj: Object) -> str:
    """JSON byte for byte as kubectl writes it, or the first `kubectl apply` finds a difference in this annotation alone."""
    text = json.dumps(obj, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
