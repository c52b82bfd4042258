"""How an answer looks: plain objects, PartialObjectMetadata or a Table, chosen by the Accept header; and watch lines of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kubepane_embedded import errors, tables
from kubepane_embedded.conversion import from_storage, is_converted
from kubepane_embedded.listing import Page
from kubepane_embedded.meta import Object
from kubepane_embedded.ownership import with_managed
from kubepane_embedded.registry import Resource
from kubepane_embedded.storage import Change, Stored

ENCODER = msgspec.json.Encoder()
INITIAL_END = "k8s.io/initial-events-end"
ACCEPTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a resource. `kind` is object, partial or table; `include` as in TableOptions."""

    resource: Resource
    kind: str = "object"
    include: str = "Metadata"

    @property
    def printer(self) -> str:
        """The printer's name."""
        return tables.key_of_resource(self.resource)


def choose(resource: Resource, accept: str, query: Mapping[str, str]) -> View:
    """The first media type in Accept that is served; NotAcceptable when none is."""
    for clause in accept.split(",") if accept else ["application/json"]:
        media, *parameters = (part.strip() for part in clause.split(";"))
        if media not in ("application/json", "application/*", "*/*", "application/yaml"):
            continue
        options = dict(part.partition("=")[::2] for part in parameters)
        wanted = options.get("as", "")
        if not wanted:
            return View(resource)
        if options.get("g") != "meta.k8s.io" or options.get("v") not in ("v1", "v1beta1"):
            continue
        if wanted == "Table":
            return View(resource, "table", _include(query))
        if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return View(resource, "partial")
    raise errors.ApiError(406, "NotAcceptable", f"only the following media types are accepted: {ACCEPTED}")


def _include(query: Mapping[str, str]) -> str:
    include = query.get("includeObject", "") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        cause = f"Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.bad_request(f"unrecognized includeObject value: {cause}")
    return include


def shown(view: View, stored: Stored) -> Object:
    """The object in the served version, managedFields as encoded parts."""
    return with_managed(from_storage(view.resource, stored.obj), stored.managed)


def object_json(view: View, stored: Stored, now: datetime) -> bytes:
    """One object as JSON."""
    if view.kind == "table":
        row = tables.row(view.printer, stored.obj, now, view.include, shown(view, stored))
        return ENCODER.encode(tables.table(view.printer, [row], {"resourceVersion": stored.obj["metadata"].get("resourceVersion", "")}))
    if view.kind == "partial":
        return ENCODER.encode(tables.partial(shown(view, stored)))
    return ENCODER.encode(shown(view, stored)) if is_converted(view.resource) else stored.json


def list_json(view: View, page: Page, now: datetime) -> Iterator[bytes]:
    """A list as pieces of JSON, made as they are taken: a long list never stands in memory as a whole."""
    resource = view.resource
    if view.kind == "table":
        head = tables.table(view.printer, [], page.meta)
        rows = (ENCODER.encode(tables.row(view.printer, row.obj, now, view.include, shown(view, row))) for row in page.rows)
        return _pieces({name: value for name, value in head.items() if name != "rows"}, "rows", rows)
    if view.kind == "partial":
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": page.meta}
        return _pieces(head, "items", (ENCODER.encode(tables.partial(shown(view, row))) for row in page.rows))
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": page.meta}
    skipped = len(f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",')
    return _pieces(head, "items", (b"{" + object_json(view, row, now)[skipped:] for row in page.rows))


def _pieces(head: dict[str, Any], name: str, items: Iterable[bytes]) -> Iterator[bytes]:
    yield ENCODER.encode(head)[:-1] + f',"{name}":['.encode()
    separator = b""
    for item in items:
        yield separator + item
        separator = b","
    yield b"]}\n"


def event_line(view: View, kind: str, stored: Stored, now: datetime, first: bool) -> bytes:
    """One watch line; a Table carries its columns only in the first."""
    if view.kind == "table":
        row = tables.row(view.printer, stored.obj, now, view.include, shown(view, stored))
        meta = {"resourceVersion": stored.obj["metadata"].get("resourceVersion", "")}
        body = ENCODER.encode(tables.table(view.printer, [row], meta, first))
    else:
        body = object_json(view, stored, now)
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


def change_line(view: View, change: Change, kind: str, stored: Stored, now: datetime, first: bool) -> bytes:
    """The watch line of a change, made once for all watchers that see it the same way."""
    key = (view, kind, stored is change.now, first)
    line = change.frames.get(key)
    if line is None:
        line = change.frames[key] = event_line(view, kind, stored, now, first)
    return line


def bookmark_line(view: View, revision: int, initial_end: bool) -> bytes:
    """A BOOKMARK: an object with nothing but its resourceVersion."""
    meta: dict[str, Any] = {"resourceVersion": str(revision)}
    if initial_end:
        meta["annotations"] = {INITIAL_END: "true"}
    if view.kind == "object":
        body: Object = {"kind": view.resource.kind, "apiVersion": view.resource.api_version, "metadata": meta}
    else:
        body = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    if view.kind == "table":
        cells = [_empty(column) for column in tables.definitions(view.printer)]
        rows = [{"cells": cells, "object": None if view.include == "None" else body}]
        body = tables.table(view.printer, rows, {"resourceVersion": str(revision)}, False)
    return b'{"type":"BOOKMARK","object":' + ENCODER.encode(body) + b"}\n"


def _empty(column: dict[str, Any]) -> Any:
    return {"integer": 0, "boolean": False}.get(column["type"], "")


def error_line(error: errors.ApiError) -> bytes:
    """An ERROR: the last line of a watch that cannot go on."""
    return b'{"type":"ERROR","object":' + ENCODER.encode(error.status()) + b"}\n"
