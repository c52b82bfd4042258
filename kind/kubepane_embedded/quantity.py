"""Quantities as the server stores them: parsed exactly, written in canonical form (apimachinery/pkg/api/resource)."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

FORM = re.compile(r"^([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]+)?$")
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
NAME_OF = {exponent: suffix for suffix, exponent in DECIMAL.items()}
BINARY_NAME = {exponent: suffix for suffix, exponent in BINARY.items()}
NANO = Fraction(1, 10**9)


@lru_cache(maxsize=4096)
def parse(text: str) -> Fraction:
    """The exact value; ValueError when it is no quantity."""
    found = FORM.match(text)
    if found is None or len(text) > 64:
        raise ValueError(text)
    sign, digits, suffix = found[1], found[2], found[3] or ""
    value = Fraction(digits if digits[0] != "." else "0" + digits)
    if suffix in BINARY:
        value *= 1 << BINARY[suffix]
    elif suffix[:1] in ("e", "E") and len(suffix) > 1:
        exponent = int(suffix[1:])
        if abs(exponent) > 100:
            raise ValueError(text)
        value *= Fraction(10) ** exponent
    else:
        value *= Fraction(10) ** DECIMAL[suffix]
    return -value if sign == "-" else value


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The form the server stores: `0.5` → `500m`, `1024Mi` → `1Gi`, `1500m` stays; ValueError when it is no quantity."""
    value = parse(text)
    found = FORM.match(text)
    suffix = (found[3] if found else "") or ""
    if suffix in BINARY and abs(value) >= 1024 and value.denominator == 1:
        return _binary(value.numerator)
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        mantissa, exponent = _decimal(value)
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return write(value)


def write(value: Fraction) -> str:
    """A value in decimal form (`1500m`, `2k`); rounded up to nanos."""
    mantissa, exponent = _decimal(value)
    return f"{mantissa}{NAME_OF[exponent]}"


def write_like(value: Fraction, pattern: str) -> str:
    """A value in the notation of another quantity: binary when that is."""
    binary = any(pattern.endswith(suffix) for suffix in BINARY)
    return _binary(value.numerator) if binary and abs(value) >= 1024 and value.denominator == 1 else write(value)


def _binary(value: int) -> str:
    shift = 0
    while value and value % 1024 == 0 and shift < 60:
        value //= 1024
        shift += 10
    return f"{value}{BINARY_NAME.get(shift, '')}"


def _decimal(value: Fraction) -> tuple[int, int]:
    """Mantissa and exponent (a multiple of 3), the largest exponent with a whole mantissa."""
    nanos = math.ceil(value / NANO)
    exponent = -9
    while nanos and nanos % 1000 == 0 and exponent < 18:
        nanos //= 1000
        exponent += 3
    return (nanos, exponent) if nanos else (0, 0)
