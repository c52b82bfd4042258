"""Durations and times as kubectl's tables write them (apimachinery/pkg/util/duration, pkg/api/meta/table)."""

from __future__ import annotations

from datetime import datetime

from kubepane_embedded.clock import parse_stamp

UNKNOWN = "<unknown>"


def human(seconds: float) -> str:
    """HumanDuration: `36s`, `2m56s`, `5h4m`, `3d2h`, `104d`, `2y3d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = whole // 3600
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _pair(years, "y", days % 365, "d") if days < 2920 else f"{years}y"


def _pair(many: int, unit: str, rest: int, small: str) -> str:
    return f"{many}{unit}{rest}{small}" if rest else f"{many}{unit}"


def since(stamp: str | None, now: datetime) -> str:
    """Time since a timestamp, `<unknown>` when there is none."""
    moment = moment_of(stamp)
    return human((now - moment).total_seconds()) if moment else UNKNOWN


def moment_of(stamp: str | None) -> datetime | None:
    """A timestamp as a datetime; None when absent or unreadable."""
    if not stamp:
        return None
    try:
        return parse_stamp(stamp)
    except ValueError:
        return None
