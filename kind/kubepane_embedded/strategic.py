"""Strategic merge patch, by the table of merge keys (apimachinery/pkg/util/strategicpatch/patch.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import clone
from kubepane_embedded.schemas import ANY, Field

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
REMOVE = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"
Part = dict[str, Any]


def strategic_merge(present: Any, patch: Part, field: Field) -> Part:
    """The object after the patch; neither argument is changed. BadRequest for a patch that cannot be understood."""
    original: Part = present if isinstance(present, dict) else {}
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return clone({key: value for key, value in patch.items() if key != DIRECTIVE})  # type: ignore[no-any-return]
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise errors.bad_request(f"Unknown patch type found: {directive}")
    result = dict(original)
    retained = patch.get(RETAIN)
    if isinstance(retained, list):
        result = {key: value for key, value in result.items() if key in retained}
    orders = {key[len(ORDER) :]: value for key, value in patch.items() if key.startswith(ORDER)}
    removals = {key[len(REMOVE) :]: value for key, value in patch.items() if key.startswith(REMOVE)}
    for key, gone in removals.items():
        if isinstance(result.get(key), list) and isinstance(gone, list):
            result[key] = [item for item in result[key] if item not in gone]
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_key(result, key, value, _below(field, key), orders.get(key))
    for key, order in orders.items():
        if key not in patch and isinstance(result.get(key), list) and isinstance(order, list):
            result[key] = _ordered(result[key], result[key], order, _below(field, key))
    return result


def go_map(value: Any) -> str:
    """A value as Go's %v prints it: `map[spec:map[replica:3]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_map(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _below(field: Field, key: str) -> Field:
    if field.kind == "object" and field.type:
        return field.type.fields.get(key, ANY)
    return field.item or ANY if field.kind == "map" else ANY


def _merge_key(result: Part, key: str, value: Any, field: Field, order: Any) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        present = result.get(key)
        merged = strategic_merge(present, value, field)
        if value.get(DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            result[key] = merged
    elif isinstance(value, list) and field.kind == "list" and field.merges:
        present = result.get(key)
        result[key] = _merge_list(present if isinstance(present, list) else [], value, field, order)
    else:
        result[key] = clone(value)


def _merge_list(present: list[Any], patch: list[Any], field: Field, order: Any) -> list[Any]:
    if not field.merge_key:
        merged = [*present, *(item for item in patch if item not in present)]
        return _ordered(merged, patch, order, field) if isinstance(order, list) else merged
    if any(not isinstance(item, dict) for item in patch):
        raise errors.bad_request("error decoding patch: list of maps expected")
    if any(item.get(DIRECTIVE) == "replace" for item in patch):
        return [clone(item) for item in patch if DIRECTIVE not in item]
    merged = [item for item in present if isinstance(item, dict)]
    item_field = field.item or ANY
    for part in patch:
        merged = _merge_item(merged, part, field.merge_key, item_field)
    return _ordered(merged, patch, order, field) if isinstance(order, list) else merged


def _merge_item(merged: list[Part], part: Part, key: str, field: Field) -> list[Part]:
    if key not in part:
        raise errors.ApiError(500, "", f"map: {go_map(part)} does not contain declared merge key: {key}")
    wanted = part[key]
    if part.get(DIRECTIVE) == "delete":
        return [item for item in merged if item.get(key) != wanted]
    for index, item in enumerate(merged):
        if item.get(key) == wanted:
            return [*merged[:index], strategic_merge(item, part, field), *merged[index + 1 :]]
    return [*merged, strategic_merge({}, part, field)]


def _ordered(merged: list[Any], patch: list[Any], order: list[Any], field: Field) -> list[Any]:
    """Items in the order of `$setElementOrder`; those of the server alone keep their place relative to their neighbours."""

    def identity(item: Any) -> Any:
        return item.get(field.merge_key) if field.merge_key and isinstance(item, dict) else item

    places = {_hashable(identity(item)): place for place, item in enumerate(order)}
    known = sorted((item for item in merged if _hashable(identity(item)) in places), key=lambda item: places[_hashable(identity(item))])
    foreign = [(index, item) for index, item in enumerate(merged) if _hashable(identity(item)) not in places]
    result = list(known)
    for index, item in foreign:
        before = [other for other in merged[:index] if _hashable(identity(other)) in places]
        place = max((result.index(other) + 1 for other in before), default=0)
        while place < len(result) and _hashable(identity(result[place])) not in places:
            place += 1
        result.insert(place, item)
    return result


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, (dict, list)) else value
