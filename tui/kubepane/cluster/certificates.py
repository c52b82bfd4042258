"""What a certificate says of its own lifetime, read from its DER without a cryptography package (RFC 5280, section 4.1)."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def expiry(pem: bytes) -> datetime | None:
    """When the first certificate of a PEM text expires, None when it cannot be told."""
    block = _BLOCK.search(pem)
    if block is None:
        return None
    try:
        der = base64.b64decode(b"".join(block[1].split()), validate=True)
        return _not_after(der)
    except (binascii.Error, ValueError, IndexError):
        return None


def _not_after(der: bytes) -> datetime:
    # Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version, serial, algorithm, issuer, validity SEQUENCE {…} … } … }
    _, certificate, _ = _element(der, 0)
    _, to_be_signed, _ = _element(certificate, 0)
    tag, _, at = _element(to_be_signed, 0)
    for _ in range(3 if tag == _VERSION else 2):  # serial (unless just read), algorithm, issuer
        _, _, at = _element(to_be_signed, at)
    tag, validity, _ = _element(to_be_signed, at)
    if tag != _SEQUENCE:
        raise ValueError("no validity where it belongs")
    _, _, at = _element(validity, 0)
    tag, value, _ = _element(validity, at)
    return _time(tag, value.decode("ascii"))


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the element at `at`."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError("an element is longer than what holds it")
    return tag, data[start : start + length], start + length


def _time(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:  # two digits of the year: 50–99 are 1950–1999
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
