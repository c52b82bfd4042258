"""Bodies in Kubernetes' protobuf: what kubectl sends for its imperative `create` commands. Answers are always JSON.

Envelope: `k8s\\0` + runtime.Unknown (apimachinery/pkg/runtime/serializer/protobuf). Field numbers come from `wire.json`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import msgspec

from kubepane_embedded import errors
from kubepane_embedded.clock import micro_stamp, stamp
from kubepane_embedded.meta import Object
from kubepane_embedded.schemas import ANY, Field, root

MAGIC = b"k8s\x00"
DEPTH = 100


class Malformed(Exception):
    """Bytes that are no message of the expected type."""


@lru_cache(maxsize=1)
def _wire() -> dict[str, str]:
    table: dict[str, str] = msgspec.json.decode(resources.files("kubepane_embedded").joinpath("wire.json").read_bytes())
    return table


@cache
def _numbers(name: str) -> dict[int, str]:
    words = _wire().get(name, "").split()
    return {int(number): field for number, field in zip(words[::2], words[1::2], strict=True)}


def decode(data: bytes, api_version: str, kind: str) -> Object:
    """A protobuf body as an object; BadRequest when it is none, UnsupportedMediaType for a kind without a table."""
    if not data.startswith(MAGIC):
        raise errors.bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        given_version, given_kind, raw = _envelope(data[len(MAGIC) :])
        field = root(given_version or api_version, given_kind or kind)
        if field.kind != "object" or field.type_name not in _wire():
            text = f"protobuf is not read here for {given_version}, Kind={given_kind}; use kubectl apply -f"
            raise errors.unsupported_media(text)
        obj = _message(raw, field.type_name, field.type_name, 0)
    except Malformed as wrong:
        raise errors.bad_request(f"unable to decode protobuf: {wrong}") from None
    return {"apiVersion": given_version or api_version, "kind": given_kind or kind, **obj}


def _envelope(data: bytes) -> tuple[str, str, bytes]:
    """(apiVersion, kind, raw) of runtime.Unknown {typeMeta = 1, raw = 2}."""
    version, kind, raw = "", "", b""
    for number, _, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            for part, _, text in _fields(value):
                if isinstance(text, bytes):
                    version, kind = (_text(text), kind) if part == 1 else (version, _text(text)) if part == 2 else (version, kind)
        elif number == 2 and isinstance(value, bytes):
            raw = value
    return version, kind, raw


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("illegal tag 0")
        value: int | bytes
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at : at + size], at + size
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise Malformed(f"illegal wire type {wire}")
        if at > len(data):
            raise Malformed("unexpected EOF")
        yield number, wire, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("unexpected EOF" if at >= len(data) else "integer overflow")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("invalid UTF-8") from None


def _message(data: bytes, wire_name: str, type_name: str, depth: int) -> Object:
    """A message; `type_name` is the JSON type whose fields it fills (the parent's, for messages shown in place).

    Protobuf writes the zeros that JSON leaves out.
    """
    if depth > DEPTH:
        raise Malformed("exceeded max depth")
    numbers = _numbers(wire_name)
    known = Field("object", type_name=type_name).type
    result: Object = {}
    for number, wire, value in _fields(data):
        name = numbers.get(number)
        if name is None:
            continue
        if name.startswith("*"):
            result.update(_message(_bytes(value), name[1:], type_name, depth + 1))
            continue
        field = known.fields.get(name, ANY) if known else ANY
        if field.kind == "list" and field.item is not None:
            result.setdefault(name, []).extend(_items(value, wire, field.item, depth))
        elif field.kind == "map" and field.item is not None:
            result.setdefault(name, {}).update([_entry(_bytes(value), field.item, depth)])
        else:
            result[name] = _value(value, field, depth)
    return {name: value for name, value in result.items() if value or not (known and known.fields.get(name, ANY).left_out)}


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise Malformed("wrong wire type")
    return value


def _items(value: int | bytes, wire: int, item: Field, depth: int) -> list[Any]:
    if wire == 2 and item.kind == "scalar" and item.word in "ilb":  # packed
        found, at, data = [], 0, _bytes(value)
        while at < len(data):
            number, at = _varint(data, at)
            found.append(_value(number, item, depth))
        return found
    return [_value(value, item, depth)]


def _entry(data: bytes, item: Field, depth: int) -> tuple[str, Any]:
    key, value = "", None
    for number, _, part in _fields(data):
        if number == 1:
            key = _text(_bytes(part))
        elif number == 2:
            value = _holder(_bytes(part)) if item.kind == "list" else _value(part, item, depth)
    return key, "" if value is None and item.kind == "scalar" else value


def _holder(data: bytes) -> list[str]:
    """A message that holds a list of texts (ExtraValue)."""
    return [_text(_bytes(one)) for _, _, one in _fields(data)]


def _value(value: int | bytes, field: Field, depth: int) -> Any:
    if field.kind == "object":
        return _message(_bytes(value), field.type_name, field.type_name, depth + 1)
    if field.kind == "any":
        return _raw(_bytes(value))
    if field.word == "b":
        return bool(value)
    if field.word in ("i", "l"):
        if not isinstance(value, int):
            raise Malformed("wrong wire type")
        return value - (1 << 64) if value >= 1 << 63 else value
    return _special(_bytes(value), field.word)


def _special(data: bytes, word: str) -> Any:
    if word == "s":
        return _text(data)
    if word == "y":
        return base64.b64encode(data).decode()
    if word == "f":
        if len(data) != 8:
            raise Malformed("wrong wire type")
        return struct.unpack("<d", data)[0]
    parts = {number: value for number, _, value in _fields(data)}
    if word == "q":
        return _text(_bytes(parts.get(1, b"0")))
    if word == "o":
        number = parts.get(2, 0)
        return _text(_bytes(parts.get(3, b""))) if parts.get(1) == 1 else _signed(number)
    if word in ("t", "u"):
        return _time(parts, word)
    return f"{int(parts.get(1, 0)) / 1e9:g}s"


def _signed(number: int | bytes) -> int:
    if not isinstance(number, int):
        raise Malformed("wrong wire type")
    return number - (1 << 64) if number >= 1 << 63 else number


def _time(parts: dict[int, int | bytes], word: str) -> str | None:
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        raise Malformed("wrong wire type")
    if seconds == 0 and nanos == 0:
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        raise Malformed("time out of range") from None
    return stamp(moment) if word == "t" else micro_stamp(moment)


def _raw(data: bytes) -> Any:
    """RawExtension, FieldsV1, JSON: {raw = 1}."""
    raw = next((value for number, _, value in _fields(data) if number == 1), b"")
    try:
        return msgspec.json.decode(_bytes(raw)) if raw else None
    except msgspec.DecodeError:
        raise Malformed("invalid JSON in a raw value") from None
