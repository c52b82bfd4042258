"""Resource quantities: `250m`, `1Gi`, `1e3`. Parsed exactly, printed as kubectl top prints them.

Source: k8s.io/apimachinery pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_FORM = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")
_SCALE = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


@lru_cache(maxsize=8192)
def parse(text: str) -> Decimal | None:
    """The value of a quantity in its base unit (cores, bytes, pieces); None when the text is not a quantity."""
    match = _FORM.fullmatch(text)
    if match is None or len(text) > 64:
        return None
    sign, number, exponent, suffix = match.groups()
    if exponent and abs(int(exponent[1:])) > 100:
        return None
    value = Decimal(number) * (Decimal(10) ** int(exponent[1:]) if exponent else _SCALE[suffix or ""])
    return -value if sign == "-" else value


def millicores(text: str) -> int:
    """CPU in thousandths of a core, rounded up as the API server does; 0 for what is not a quantity."""
    value = parse(text)
    return 0 if value is None else _up(value * 1000)


def size(text: str) -> int:
    """A size in bytes, rounded up; 0 for what is not a quantity."""
    value = parse(text)
    return 0 if value is None else _up(value)


def cpu_text(thousandths: float) -> str:
    """`371m`."""
    return f"{int(thousandths)}m"


def memory_text(number_of_bytes: float) -> str:
    """`268Mi`, as kubectl top: whole mebibytes, rounded down; from 10,000 on in gibibytes so that a column stays narrow."""
    mebi = int(number_of_bytes) >> 20
    return f"{mebi}Mi" if mebi < 10_000 else f"{mebi / 1024:.0f}Gi" if mebi >= 102_400 else f"{mebi / 1024:.1f}Gi"


def _up(value: Decimal) -> int:
    whole = int(value)
    return whole + 1 if value > whole else whole
