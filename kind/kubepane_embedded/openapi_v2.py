"""/openapi/v2 without definitions: kubectl reads it before it sends a `kind: List`, and validates nothing that it does not find there.

The kinds are described in /openapi/v3, and the server itself validates every object that it is sent.
"""

from __future__ import annotations

import msgspec

INFO = {"title": "Kubernetes", "version": "v1.35.4+embedded", "description": "A simulated cluster: its kinds are described in /openapi/v3."}
JSON = "application/json"
PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_SERVED = {
    JSON: JSON,
    "application/*": JSON,
    "*/*": JSON,
    PROTOBUF: PROTOBUF,
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf": PROTOBUF,
}


def media(accept: str) -> str | None:
    """The first media type in Accept that is served, None when none is."""
    asked = (clause.partition(";")[0].strip() for clause in (accept or JSON).split(","))
    return next((_SERVED[name] for name in asked if name in _SERVED), None)


def document(media_type: str) -> bytes:
    """The document as JSON, or as gnostic's `openapi.v2.Document` (swagger = 1, info = 2, paths = 8)."""
    if media_type == JSON:
        return msgspec.json.encode({"swagger": "2.0", "info": INFO, "paths": {}, "definitions": {}})
    info = b"".join(_text(number, value) for number, value in enumerate(INFO.values(), 1))
    return _text(1, "2.0") + _bytes(2, info) + _bytes(8, b"")


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    """One length-delimited field; everything here is shorter than 16 KiB."""
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + value
