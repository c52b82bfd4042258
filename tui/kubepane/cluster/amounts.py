"""Quantities of usage as exact integers, fast enough for 10,000 pods in one poll.

Source: k8s.io/apimachinery pkg/api/resource/quantity.go; kubectl top rounds CPU up to a thousandth of a core after summing.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

NANO = 10**9
_FACTORS = {
    "n": 1, "u": 10**3, "m": 10**6, "k": NANO * 10**3, "M": NANO * 10**6, "G": NANO * 10**9, "T": NANO * 10**12, "P": NANO * 10**15,
    "E": NANO * 10**18, "Ki": NANO << 10, "Mi": NANO << 20, "Gi": NANO << 30, "Ti": NANO << 40, "Pi": NANO << 50, "Ei": NANO << 60,
}  # fmt: skip
_FORM = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def nano(text: str) -> int | None:
    """A quantity in thousand-millionths of its unit, rounded up; None when the text is not a quantity."""
    if len(text) > 64 or not text.isascii():
        return None
    if text.isdecimal():
        return int(text) * NANO
    width = 2 if text.endswith("i") else 1
    factor = _FACTORS.get(text[-width:])
    if factor is not None and text[:-width].isdecimal():
        return int(text[:-width]) * factor
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    value = Decimal(number) * (Decimal(10) ** int(exponent) * NANO if exponent else _FACTORS[suffix] if suffix else NANO)
    return int(value.to_integral_value(ROUND_CEILING))


def up(nanos: int, unit: int) -> int:
    """Thousand-millionths in a coarser unit, rounded up."""
    return -(-nanos // unit)


def seconds(text: str) -> float:
    """A Go duration (`9.986s`, `1m30s`) in seconds, 0 when it is none."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)) if len(text) <= 64 else 0.0
