"""Patches: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch; apply is in `apply.py`."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import jsonpatch

from kubepane_embedded import errors
from kubepane_embedded.conversion import from_storage
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.ownership import Owned, entries, from_entries
from kubepane_embedded.registry import Resource
from kubepane_embedded.schemas import root
from kubepane_embedded.storage import Stored
from kubepane_embedded.strategic import strategic_merge

MAX_STEPS = 10_000


class PatchType(enum.Enum):
    """The four media types of PATCH."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def merge(target: Any, patch: Any) -> Any:
    """A merge patch: objects merge, null deletes, everything else replaces. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(result.get(key), value)
        else:
            result[key] = value
    return result


def patch_value(present: Object, patch: Any, kind: PatchType, resource: Resource) -> Object:
    """The object after a patch; `present` is not changed. BadRequest or Invalid when it cannot be applied."""
    if kind is PatchType.JSON:
        if not isinstance(patch, list):
            raise errors.bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
        result = _json_patched(present, patch)
    elif not isinstance(patch, dict):
        raise errors.bad_request(f"error decoding patch: json: cannot unmarshal {_word(patch)} into Go value of type map[string]interface {{}}")
    elif kind is PatchType.MERGE:
        result = merge(present, patch)
    else:
        result = strategic_merge(present, patch, root(resource.api_version, resource.kind))
    if not isinstance(result, dict) or not isinstance(result.get("metadata", {}), dict):
        raise errors.rejected()
    return result


def _json_patched(present: Object, steps: list[Any]) -> Any:
    """A JSON patch; Invalid without a cause when a step does not apply, as the real server answers."""
    if len(steps) > MAX_STEPS:
        text = f"The allowed maximum operations in a JSON patch is {MAX_STEPS}, got {len(steps)}"
        raise errors.ApiError(413, "RequestEntityTooLarge", text, {})
    try:
        return jsonpatch.JsonPatch(steps).apply(clone(present))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, LookupError, TypeError, ValueError, AttributeError) as failed:
        raise errors.rejected() from failed


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"


def with_versions(obj: Object, managed: tuple[Owned, ...]) -> Object:
    """The object as a patch sees it: managedFields are there, as plain data."""
    shown = [{**entry, "fieldsV1": owned.tree()} for entry, owned in zip(entries(managed), managed, strict=True)]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": shown}} if shown else obj


def patched(resource: Resource, patch: Any, kind: PatchType) -> Callable[[Stored], tuple[Object, tuple[Owned, ...] | None]]:
    """A change for `Api.change`; a patch that touches managedFields sets the owners itself (kubectl does when it migrates)."""

    def change(old: Stored) -> tuple[Object, tuple[Owned, ...] | None]:
        present = with_versions(from_storage(resource, old.obj), old.managed)
        before = present["metadata"].get("managedFields")
        result = patch_value({**present, "metadata": dict(present["metadata"])}, patch, kind, resource)
        meta = result.get("metadata") or {}
        if not touches_version(patch, kind):
            result["metadata"] = {**meta, "resourceVersion": ""}
        after = meta.get("managedFields")
        return result, None if after == before or not after else from_entries(after)  # without any they stay, [{}] takes them away

    return change


def touches_version(patch: Any, kind: PatchType) -> bool:
    """Whether the patch sets metadata.resourceVersion, which then is a precondition."""
    if kind is PatchType.JSON:
        return any(isinstance(step, dict) and step.get("path") == "/metadata/resourceVersion" and step.get("op") != "test" for step in patch)
    meta = patch.get("metadata") if isinstance(patch, dict) else None
    return isinstance(meta, dict) and bool(meta.get("resourceVersion"))
