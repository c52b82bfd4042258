"""Whether an applied configuration fits the schema, in the words of structured-merge-diff (typed/{validate,helpers}.go).

Unlike a create, an apply knows no leniency: an unknown field is refused whatever fieldValidation says.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubepane_embedded import errors
from kubepane_embedded.fieldset import KEY_DEFAULTS
from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource
from kubepane_embedded.schemas import Field, root

NUMERIC, TEXT, BOOLEAN, ANY_SCALAR = "numeric (int or float)", "string", "boolean", "any scalar"


def check_typed(config: Object, resource: Resource) -> None:
    """Raise what the server says (500) when a configuration has unknown fields, other types, or a list item twice."""
    faults: list[str] = []
    _check(config, root(resource.api_version, resource.kind), "", faults)
    if faults:
        meta = config.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        version = resource.api_version if resource.group else f"/{resource.version}"
        what = f"failed to create typed patch object ({meta.get('namespace') or ''}/{meta.get('name') or ''}; {version}, Kind={resource.kind})"
        listed = faults[0] if len(faults) == 1 else "errors:" + "".join(f"\n  {fault}" for fault in faults)
        raise errors.ApiError(500, "", f"{what}: {listed}")


def _check(value: Any, field: Field, path: str, faults: list[str]) -> None:
    if value is None or field.kind == "any":
        return
    if field.kind == "scalar":
        _check_scalar(value, field, path, faults)
    elif field.kind == "list":
        if isinstance(value, list):
            _check_list(value, field, path, faults)
        else:
            faults.append(f"{path}: expected list, got &{{{go_plain(value)}}}")
    elif not isinstance(value, dict):
        faults.append(f"{path}: expected map, got &{{{go_plain(value)}}}")
    elif field.kind == "map":
        for key in sorted(value):
            if field.item:
                _check(value[key], field.item, f"{path}.{key}", faults)
    elif field.type is not None:
        known = field.type.fields
        for key in sorted(value if known else ()):
            if key in known:
                _check(value[key], known[key], f"{path}.{key}", faults)
            else:
                faults.append(f"{path}.{key}: field not declared in schema")


def _check_scalar(value: Any, field: Field, path: str, faults: list[str]) -> None:
    wanted = {"i": NUMERIC, "l": NUMERIC, "f": NUMERIC, "b": BOOLEAN, "q": ANY_SCALAR, "o": ANY_SCALAR}.get(field.word, TEXT)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted == NUMERIC and not number:
        faults.append(f"{path}: expected {wanted}, got {go_type(value)}")
    elif wanted == TEXT and not isinstance(value, str):
        faults.append(f"{path}: expected string, got &value.valueUnstructured{{Value:{go_syntax(value)}}}")
    elif wanted == BOOLEAN and not isinstance(value, bool):
        faults.append(f"{path}: expected boolean, got &{{{go_plain(value)}}}")
    elif wanted == ANY_SCALAR and isinstance(value, (dict, list)):
        faults.append(f"{path}: expected any scalar, got &{{{go_plain(value)}}}")


def _check_list(value: list[Any], field: Field, path: str, faults: list[str]) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        step = f"[{index}]"
        if field.list_keys:
            if not isinstance(item, dict):
                faults.append(f"{path}: element {index}: associative list with keys may not have non-map elements")
                continue
            step = _key(item, field)
        elif field.is_set:
            step = f"[={_shown(item)}]"
        if step in seen:
            faults.append(f"{path}: duplicate entries for key {step}")
            continue
        if field.list_keys or field.is_set:
            seen.add(step)
        if field.item is not None:
            _check(item, field.item, path + step, faults)


def _key(item: dict[str, Any], field: Field) -> str:
    parts = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in sorted(field.list_keys)}
    return "[" + ",".join(f"{key}={_shown(value)}" for key, value in parts.items() if value is not None) + "]"


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def go_plain(value: Any) -> str:
    """A value as `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_plain(part) for part in value) + "]"
    return {None: "<nil>", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def go_syntax(value: Any) -> str:
    """A value as `%#v` prints it."""
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f"{_shown(key)}:{go_syntax(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(go_syntax(part) for part in value) + "}"
    return "interface {}(nil)" if value is None else _shown(value)


def go_type(value: Any) -> str:
    """A value's type as `%T` prints it."""
    if isinstance(value, bool):
        return "bool"
    return "map[string]interface {}" if isinstance(value, dict) else "[]interface {}" if isinstance(value, list) else "string"
