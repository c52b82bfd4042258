"""Bodies of requests: JSON, YAML or protobuf into objects, with unknown and duplicate fields found and types checked.

Words follow k8s.io/apimachinery/pkg/runtime/serializer/json and sigs.k8s.io/json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import yaml

from kubepane_embedded import errors
from kubepane_embedded.meta import Object
from kubepane_embedded.quantity import parse
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.schemas import Field, root

LIMIT = 3 * 1024 * 1024
DEPTH = 200
INDEX = re.compile(r"\[[^\]]*\]")
WORDS = {"s": "string", "i": "int32", "l": "int64", "f": "float64", "b": "bool", "y": "[]uint8"}
QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class Duplicates(list[str]):
    """Names of fields that stand twice in one object."""


def parse_json(data: bytes, duplicates: Duplicates | None = None) -> Any:
    """JSON text as data; raises ValueError with Go's wording. Duplicate keys are noted."""
    noted = duplicates if duplicates is not None else Duplicates()

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            names = [name for name, _ in items]
            noted.extend(sorted({name for name in names if names.count(name) > 1}))
        return found

    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    except UnicodeDecodeError:
        raise ValueError("invalid UTF-8") from None
    except json.JSONDecodeError as wrong:
        raise ValueError(_go_words(wrong)) from None
    if _depth(value) > DEPTH:
        raise ValueError("exceeded max depth")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


def _go_words(wrong: json.JSONDecodeError) -> str:
    """encoding/json's message for the same fault."""
    at = wrong.doc[wrong.pos : wrong.pos + 1]
    if not at:
        return "unexpected end of JSON input"
    shown = at.encode("unicode_escape").decode().replace("\\x", "\\u00") if not at.isprintable() or at == "\\" else at
    if "property name" in wrong.msg:
        return f"invalid character '{shown}' looking for beginning of object key string"
    if "Extra data" in wrong.msg:
        return f"invalid character '{shown}' after top-level value"
    if "':'" in wrong.msg:
        return f"invalid character '{shown}' after object key"
    if "',' delimiter" in wrong.msg:
        return f"invalid character '{shown}' after object key:value pair"
    return f"invalid character '{shown}' looking for beginning of value"


def _depth(value: Any) -> int:
    """How deep data is nested, without recursion."""
    level, depth = [value], 0
    while level and depth <= DEPTH:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [part for part in item.values() if isinstance(part, (dict, list))]
            elif isinstance(item, list):
                below += [part for part in item if isinstance(part, (dict, list))]
        level, depth = below, depth + 1
    return depth


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as Kubernetes reads it: no aliases that blow up, times stay text."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse_yaml(data: bytes) -> Any:
    """YAML text (or JSON, which is YAML) as JSON data; raises ValueError."""
    try:
        if b"&" in data and data.count(b"*") > 100:
            raise ValueError("too many aliases")
        value = yaml.load(data, _Loader)  # noqa: S506 - a safe loader
        return json.loads(json.dumps(value))
    except (yaml.YAMLError, TypeError, RecursionError, UnicodeDecodeError) as wrong:
        raise ValueError(f"error converting YAML to JSON: yaml: {str(wrong).splitlines()[0] if str(wrong) else 'invalid'}") from None


def read_object(data: bytes, media: str, resource: Resource, options: WriteOptions, proto: Callable[[bytes], Object]) -> Object:
    """A body of POST or PUT as an object of the resource's version; BadRequest when it is none."""
    duplicates = Duplicates()
    if media.startswith("application/vnd.kubernetes.protobuf"):
        return proto(data)
    try:
        value = parse_yaml(data) if "yaml" in media else parse_json(data, duplicates)
    except ValueError as wrong:
        text = data[:40].decode("utf-8", "replace")
        more = f"({text})" if len(data) <= 40 else f"({text} ...)"
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; json parse error: {wrong} {more}"
        ) from None
    if not isinstance(value, dict):
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; json parse error: json: "
            f"cannot unmarshal {json_word(value)} into Go value of type struct {{ APIVersion string; Kind string }}"
        )
    check_kind(value, resource.api_version, resource.kind)
    return check_fields(value, resource.api_version, resource.kind, options, duplicates)


def check_kind(value: Object, api_version: str, kind: str) -> None:
    """The body must be of the kind that the path serves; missing apiVersion and kind are filled in."""
    given_version, given_kind = value.get("apiVersion") or api_version, value.get("kind") or kind
    if given_kind != kind:
        group, _, version = str(given_version).rpartition("/")
        text = (
            f'{given_kind} in version "{version}" cannot be handled as a {kind}: converting ({group}.{given_kind}) to (.{kind}): unknown conversion'
        )
        raise errors.bad_request(text)
    if given_version != api_version:
        raise errors.bad_request(f"the API version in the data ({given_version}) does not match the expected API version ({api_version})")
    value["apiVersion"], value["kind"] = api_version, kind


def check_fields(value: Object, api_version: str, kind: str, options: WriteOptions, duplicates: Duplicates) -> Object:
    """Check types; unknown and duplicate fields are dropped silently, with a warning, or refused (fieldValidation)."""
    unknown: list[str] = []
    version = api_version.rpartition("/")[2]
    try:
        cleaned: Object = _clean(value, root(api_version, kind), "", "", unknown)
    except WrongType as wrong:
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {wrong}') from None
    faults = [f'duplicate field "{_locate(name, value)}"' for name in duplicates] + [f'unknown field "{path}"' for path in sorted(unknown)]
    if faults and options.validation == "Strict":
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {", ".join(faults)}')
    if options.validation == "Warn":
        options.warnings += faults
    return cleaned


def clean_object(value: Object, api_version: str, kind: str) -> tuple[Object, list[str]]:
    """The object without unknown fields, and their paths; WrongType when something has another type."""
    unknown: list[str] = []
    cleaned: Object = _clean(value, root(api_version, kind), "", "", unknown)
    return cleaned, sorted(unknown)


def unknown_fields(value: Object, api_version: str, kind: str) -> tuple[Object, list[str]]:
    """The object without unknown fields, and their paths; BadRequest for a wrong type."""
    try:
        return clean_object(value, api_version, kind)
    except WrongType as wrong:
        raise errors.bad_request(f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}: {wrong}') from None


def _locate(name: str, value: Any, path: str = "") -> str:
    """Where a duplicate field stands (the decoder knows only its name): the first place with that name."""
    if isinstance(value, dict):
        if name in value:
            return f"{path}{name}"
        for key, part in value.items():
            found = _locate(name, part, f"{path}{key}.")
            if found:
                return found
    elif isinstance(value, list):
        for index, part in enumerate(value):
            found = _locate(name, part, f"{path[:-1]}[{index}].")
            if found:
                return found
    return "" if path else name


class WrongType(Exception):
    """A value of the wrong JSON type, in Go's words."""


def json_word(value: Any) -> str:
    """Go's word for a JSON type."""
    if isinstance(value, bool):
        return "bool"
    return {str: "string", dict: "object", list: "array", type(None): "null"}.get(type(value), "number")


def _go_type(field: Field) -> str:
    if field.kind == "scalar":
        return WORDS.get(field.word, "string")
    if field.kind == "list":
        return "[]" + _go_type(field.item) if field.item else "[]interface {}"
    if field.kind == "map":
        return "map[string]" + _go_type(field.item) if field.item else "map[string]interface {}"
    parts = field.type_name.split(".")
    return ".".join(parts[-2:]) if parts[-1] else "interface {}"


def _wrong(value: Any, field: Field, struct: str, path: str) -> WrongType:
    word = json_word(value)
    if word == "number" and isinstance(value, (int, float)):
        word = f"number {value}" if field.kind == "scalar" and field.word in "il" else "number"
    plain = INDEX.sub("", path)
    return WrongType(f"json: cannot unmarshal {word} into Go struct field {struct}.{plain} of type {_go_type(field)}")


def _clean(value: Any, field: Field, struct: str, path: str, unknown: list[str]) -> Any:
    """The value without unknown fields; nulls of optional fields are dropped as Go's zero values are."""
    if value is None or field.kind == "any":
        return value
    if field.kind == "scalar":
        return _clean_scalar(value, field, struct, path)
    if field.kind == "list":
        if not isinstance(value, list):
            raise _wrong(value, field, struct, path)
        item = field.item
        return [_element(part, item, struct, f"{path}[{index}]", unknown) for index, part in enumerate(value)] if item else value
    if not isinstance(value, dict):
        raise _wrong(value, field, struct, path)
    if field.kind == "map":
        item = field.item
        return {key: _element(part, item, struct, f"{path}[{key}]", unknown) for key, part in value.items()} if item else value
    return _clean_object(value, field, path, unknown)


def _element(value: Any, item: Field, struct: str, path: str, unknown: list[str]) -> Any:
    """An item of a list or map: null is Go's zero value there."""
    if value is not None:
        return _clean(value, item, struct, path, unknown)
    if item.kind in ("object", "map"):
        return {}
    if item.kind == "list":
        return []
    return None if item.kind == "any" else {"i": 0, "l": 0, "f": 0, "b": False, "q": "0"}.get(item.word, "")


def _clean_object(value: dict[str, Any], field: Field, path: str, unknown: list[str]) -> dict[str, Any]:
    found = field.type
    if found is None:
        return value
    struct = found.name.rpartition(".")[2]
    result = {}
    for key, part in value.items():
        here = f"{path}.{key}" if path else key
        below = found.fields.get(key)
        if below is None:
            unknown.append(here)
        elif part is not None:
            result[key] = _clean(part, below, struct, here, unknown)
    return result


def _clean_scalar(value: Any, field: Field, struct: str, path: str) -> Any:
    word = field.word
    if word in ("i", "l"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong(value, field, struct, path)
        whole = int(value)
        bits = 31 if word == "i" else 63
        if whole != value or not -(1 << bits) <= whole < 1 << bits:
            raise _wrong(value, field, struct, path)
        return whole
    if word == "b":
        if not isinstance(value, bool):
            raise _wrong(value, field, struct, path)
    elif word == "f":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong(value, field, struct, path)
    elif word in ("q", "o"):
        if isinstance(value, (bool, dict, list)):
            raise _wrong(value, field, struct, path)
        return _checked_quantity(str(value)) if word == "q" else value
    elif not isinstance(value, str):
        raise _wrong(value, field, struct, path)
    return _checked_text(value, word)


def _checked_quantity(text: str) -> str:
    try:
        parse(text)
    except ValueError:
        raise WrongType(QUANTITY_RULE) from None
    return text


def _checked_text(value: Any, word: str) -> Any:
    if word == "t" and isinstance(value, str) and (len(value) < 19 or value[4:5] != "-" or "T" not in value):
        raise WrongType(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"')
    return value
