"""Answers that a real API server of Kubernetes 1.35.4 gave, for tests that compare with its own words."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.insight.ages import age

_FOLDER = Path(__file__).with_name("recorded")


@cache
def recorded(name: str) -> Any:
    """The JSON of `recorded/<name>.json`."""
    return msgspec.json.decode((_FOLDER / f"{name}.json").read_bytes())


def objects(kind: Kind, items: list[Any]) -> list[Any]:
    """The items of a list, decoded as the program does it."""
    return [k.decode(kind, msgspec.json.encode(item)) for item in items]


def age_fits(then: datetime | None, cell: str, now: datetime, slack: int = 1) -> bool:
    """Whether the server may have printed this age: list and Table were recorded within a second of one another."""
    return cell in {age(then, now + timedelta(seconds=s)) for s in range(-slack, slack + 1)}
