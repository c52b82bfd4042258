"""Names of new objects: given, or generated from `generateName` with a random suffix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubepane_embedded import errors
from kubepane_embedded.registry import Resource

if TYPE_CHECKING:
    from kubepane_embedded.api import Api

MAX_PREFIX = 58
"""63 characters less the suffix (apiserver/pkg/storage/names)."""


def generate(api: Api, resource: Resource, namespace: str, meta: dict[str, Any]) -> None:
    """Fill `metadata.name` from `generateName`; tries again when the name is taken."""
    prefix = meta.get("generateName")
    if meta.get("name") or not prefix:
        return
    if not isinstance(prefix, str):
        raise errors.bad_request("metadata.generateName must be a string")
    for _ in range(8):
        meta["name"] = prefix[:MAX_PREFIX] + api.seed.suffix()
        if api.storage.stored(resource.storage, namespace, meta["name"]) is None:
            return
