"""Who owns which fields (`metadata.managedFields`), kept beside the object in a compact, shared form.

An object of 10,000 pods carries the same few field sets; each is kept once as JSON bytes. Shapes: KEP-555, sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from kubepane_embedded.meta import Object

FieldSet = dict[str, Any]
"""A FieldsV1 tree: `f:name`, `k:{…}`, `v:…` and `.`, each with a tree below."""

_shared: dict[bytes, bytes] = {}
_SHARED_LIMIT = 20_000


class Owned(NamedTuple):
    """One entry of managedFields; `fields` is the FieldsV1 tree as JSON."""

    manager: str
    operation: str
    version: str
    time: str
    fields: bytes
    subresource: str = ""

    def tree(self) -> FieldSet:
        """The fields as a fresh tree."""
        decoded: FieldSet = msgspec.json.decode(self.fields)
        return decoded


def pack(fields: FieldSet) -> bytes:
    """A field set as JSON bytes, equal ones sharing memory."""
    encoded = msgspec.json.encode(fields, order="sorted")
    if len(_shared) > _SHARED_LIMIT:
        _shared.clear()
    return _shared.setdefault(encoded, encoded)


def entries(managed: tuple[Owned, ...]) -> list[dict[str, Any]]:
    """managedFields as the API shows it; `fieldsV1` stays encoded (msgspec.Raw)."""
    shown = []
    for owned in managed:
        entry: dict[str, Any] = {"manager": owned.manager, "operation": owned.operation, "apiVersion": owned.version}
        if owned.time:
            entry["time"] = owned.time
        entry |= {"fieldsType": "FieldsV1", "fieldsV1": msgspec.Raw(owned.fields)}
        if owned.subresource:
            entry["subresource"] = owned.subresource
        shown.append(entry)
    return shown


def from_entries(shown: list[dict[str, Any]]) -> tuple[Owned, ...]:
    """managedFields of a request body back into the kept form."""
    return tuple(
        Owned(
            entry.get("manager") or "",
            entry.get("operation") or "Update",
            entry.get("apiVersion") or "",
            entry.get("time") or "",
            pack(entry.get("fieldsV1") or {}),
            entry.get("subresource") or "",
        )
        for entry in shown
        if entry
    )


def with_managed(obj: Object, managed: tuple[Owned, ...]) -> Object:
    """The object with managedFields, for encoding: kind, apiVersion and metadata first; shares everything else."""
    meta = {**obj["metadata"], "managedFields": entries(managed)} if managed else obj["metadata"]
    rest = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "metadata")}
    return {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": meta, **rest}
