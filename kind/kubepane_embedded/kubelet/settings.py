"""Reading the words of faults and small settings: durations and what holds from when on."""

from __future__ import annotations

import re
from typing import NamedTuple

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str | None, default: float = 0.0) -> float:
    """`30s`, `1m30s`, `500ms` or a plain number of seconds; `default` for anything else."""
    found = DURATION.findall(text or "")
    if not found or "".join(number + unit for number, unit in found) != text:
        return default
    return sum(float(number) * UNITS[unit or "s"] for number, unit in found)


class Fault(NamedTuple):
    """`value[@after=duration]`."""

    value: str
    after: float


def fault_of(text: str | None) -> Fault | None:
    """The parts of a fault's annotation, or None without one."""
    if not text:
        return None
    value, _, rest = text.partition("@")
    return Fault(value.strip(), seconds_of(rest.strip().removeprefix("after="), 0.0))
