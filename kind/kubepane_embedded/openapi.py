"""/openapi/v3, made from the schema table: what kubectl explain, apply and validation read.

A PATCH operation lists `fieldValidation`, so that kubectl asks for strict validation; it lists no request body, so that client-side
apply uses kubectl's own merge keys. Descriptions are the first sentences of the real ones (`words.txt`).
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Registry, Resource
from kubepane_embedded.schemas import Field, Type, root, type_named

PREFIXES = (
    ("meta.v1.", "io.k8s.apimachinery.pkg.apis."),
    ("apiextensions.v1.", "io.k8s.apiextensions-apiserver.pkg.apis."),
    ("metrics.", "io.k8s.metrics.pkg.apis."),
)
SCALARS: dict[str, dict[str, Any]] = {
    "s": {"type": "string"},
    "i": {"type": "integer", "format": "int32"},
    "l": {"type": "integer", "format": "int64"},
    "f": {"type": "number", "format": "double"},
    "b": {"type": "boolean"},
    "y": {"type": "string", "format": "byte"},
}
NAMED = {
    "q": ("io.k8s.apimachinery.pkg.api.resource.Quantity", {"oneOf": [{"type": "string"}, {"type": "number"}]}),
    "o": ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
    "t": ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", {"type": "string", "format": "date-time"}),
    "u": ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", {"type": "string", "format": "date-time"}),
    "d": ("io.k8s.apimachinery.pkg.apis.meta.v1.Duration", {"type": "string"}),
}


@cache
def _words() -> dict[str, list[str]]:
    """Type → its first sentence, then its fields' in the order of the schema table."""
    text = resources.files("kubepane_embedded").joinpath("words.txt").read_bytes()
    words: dict[str, list[str]] = msgspec.json.decode(zlib.decompress(base64.b64decode(text)))
    return words


def full_name(name: str) -> str:
    """`io.k8s.api.core.v1.Pod` for `core.v1.Pod`."""
    for short, prefix in PREFIXES:
        if name.startswith(short):
            return prefix + name
    return "io.k8s.api." + name


class OpenApi:
    """The documents, made when asked for and kept."""

    def __init__(self, registry: Registry, base: str = "") -> None:
        self._registry = registry
        self._base = base
        self._kept: dict[str, bytes] = {}

    def index(self) -> bytes:
        """/openapi/v3: where the document of each group version is."""
        paths = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                paths[name] = {"serverRelativeURL": f"{self._base}/openapi/v3/{name}?hash={_hash(name)}"}
        return msgspec.json.encode({"paths": paths})

    def document(self, name: str) -> bytes | None:
        """/openapi/v3/<name>, or None."""
        if name not in self._kept:
            parts = name.split("/")
            group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else tuple(parts[1:]) if len(parts) == 3 else ("?", "?")
            served = self._registry.served(group, version)
            if not served:
                return None
            self._kept[name] = msgspec.json.encode(_document(served))
        return self._kept[name]


@cache
def _hash(name: str) -> str:
    """Changes with the table: clients keep documents by it."""
    return hashlib.sha256(repr((name, "1.35.4")).encode()).hexdigest().upper()


def _document(served: list[Resource]) -> Object:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for resource in served:
        field = root(resource.api_version, resource.kind)
        if field.type is None:
            continue
        gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        _add(field.type, schemas)
        schemas[full_name(field.type.name)] = {**schemas[full_name(field.type.name)], "x-kubernetes-group-version-kind": [gvk]}
        paths.update(_paths(resource, gvk, full_name(field.type.name)))
    info = {"title": "Kubernetes", "version": "v1.35.4+embedded"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _paths(resource: Resource, gvk: dict[str, str], name: str) -> dict[str, Any]:
    base = f"{resource.path}/namespaces/{{namespace}}" if resource.namespaced else resource.path
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    ok = {"200": {"description": "OK", "content": content}}
    options = [{"name": text, "in": "query", "schema": {"type": "string"}} for text in ("dryRun", "fieldManager", "fieldValidation")]

    def operation(action: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
        return {"responses": ok, "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk}

    single = {"get": operation("get", [])}
    if "patch" in resource.verbs:
        single |= {"patch": operation("patch", options), "put": operation("put", options)}
    several = {"get": operation("list", [])}
    if "create" in resource.verbs:
        several["post"] = operation("post", options)
    return {f"{base}/{resource.plural}": several, f"{base}/{resource.plural}/{{name}}": single}


def _add(found: Type, schemas: dict[str, Any]) -> None:
    """A type and everything below it."""
    name = full_name(found.name)
    if name in schemas:
        return
    own, *sentences = _words().get(found.name) or [""]
    shown: dict[str, Any] = {**_described(own), "type": "object"}
    schemas[name] = shown
    by_field = dict(zip(found.fields, sentences, strict=False))
    shown["properties"] = {
        field_name: {**_described(by_field.get(field_name, "")), **_schema(field, schemas), **_marks(field)}
        for field_name, field in found.fields.items()
    }
    if found.required:
        shown["required"] = found.required
    if found.atomic:
        shown["x-kubernetes-map-type"] = "atomic"


def _described(sentence: str) -> dict[str, str]:
    return {"description": sentence + "."} if sentence else {}


def _schema(field: Field, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.kind == "object":
        below = type_named(field.type_name)
        if below is None:
            return {"type": "object"}
        _add(below, schemas)
        return {"allOf": [{"$ref": f"#/components/schemas/{full_name(field.type_name)}"}]}
    if field.kind == "list" and field.item is not None:
        return {"type": "array", "items": _schema(field.item, schemas)}
    if field.kind == "map" and field.item is not None:
        return {"type": "object", "additionalProperties": _schema(field.item, schemas)}
    if field.word in NAMED:
        name, schema = NAMED[field.word]
        schemas.setdefault(name, schema)
        return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
    return dict(SCALARS.get(field.word, {"type": "object"}))


def _marks(field: Field) -> dict[str, Any]:
    marks: dict[str, Any] = {}
    if field.list_keys:
        marks |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(field.list_keys)}
    elif field.is_set:
        marks["x-kubernetes-list-type"] = "set"
    elif field.atomic:
        marks["x-kubernetes-list-type" if field.kind == "list" else "x-kubernetes-map-type"] = "atomic"
    if field.merge_key:
        marks["x-kubernetes-patch-merge-key"] = field.merge_key
    strategies = [word for word, on in (("merge", field.merges), ("retainKeys", field.retain_keys)) if on]
    if strategies:
        marks["x-kubernetes-patch-strategy"] = ",".join(strategies)
    return marks
