"""Names of new objects: given, or generated from `generateName` with a random suffix."""

from __future__ import annotations

from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource
from kubepane_embedded.world import World

MAX_PREFIX = 58
"""63 characters less the suffix (apiserver/pkg/storage/names)."""


def generate(world: World, resource: Resource, namespace: str, meta: dict[str, Any]) -> None:
    """Fill `metadata.name` from `generateName`; tries again when the name is taken."""
    prefix = meta.get("generateName")
    if meta.get("name") or not prefix:
        return
    if not isinstance(prefix, str):
        raise errors.bad_request("metadata.generateName must be a string")
    for _ in range(8):
        meta["name"] = prefix[:MAX_PREFIX] + world.seed.suffix()
        if world.storage.stored(resource.storage, namespace, meta["name"]) is None:
            return


def check_name(obj: Object, name: str) -> None:
    """An update's body names the object that the path names (endpoints/handlers/rest.go, checkName)."""
    given = obj["metadata"].get("name")
    if not given:
        raise errors.bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if given != name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
