"""What JSON leaves out of a Go value: empty lists and maps, and zero scalars that are no pointers. An object is stored without them."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource
from kubepane_embedded.schemas import Field, root

NULL_LISTS = {"Role": ("rules",), "ClusterRole": ("rules",), "EndpointSlice": ("endpoints", "ports")}
"""Lists without omitempty: empty or not sent, they are null."""
RAW = frozenset({"managedFields"})


def tidied(obj: Object, resource: Resource) -> Object:
    """The object as the server would write what it has read of it; the given one is not changed."""
    result: Object = _object(obj, root(resource.api_version, resource.kind))
    for name in NULL_LISTS.get(resource.kind, ()):
        result.setdefault(name, None)
    if resource.kind == "HorizontalPodAutoscaler" and resource.version == "v2" and isinstance(result.get("status"), dict):
        result["status"].setdefault("currentMetrics", None)
    return result


def _object(value: dict[str, Any], field: Field) -> dict[str, Any]:
    known = field.type.fields if field.type is not None else {}
    result = {}
    for name, part in value.items():
        below = known.get(name)
        if below is None or part is None or name in RAW:
            result[name] = part
        elif below.kind == "scalar":
            if not (below.left_out and part in ("", 0)):
                result[name] = part
        elif below.kind in ("list", "map"):
            if part:
                result[name] = _parts(part, below)
            elif below.required:
                result[name] = part
        else:
            result[name] = _object(part, below) if isinstance(part, dict) and below.kind == "object" else part
    return result


def _parts(value: Any, field: Field) -> Any:
    item = field.item
    if item is None or item.kind in ("scalar", "any"):
        return value
    if isinstance(value, list):
        return [_object(part, item) if isinstance(part, dict) and item.kind == "object" else part for part in value]
    return {key: _object(part, item) if isinstance(part, dict) and item.kind == "object" else part for key, part in value.items()}
