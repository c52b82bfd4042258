"""Schedules of CronJobs: five fields or `@daily`, read and followed as the library of the real controller does (robfig/cron v3).

Cron libraries for Python know more (seconds, `L`, `#`, 7 for Sunday) and reckon otherwise where clocks change, so what a cluster would
refuse would run here; and their errors are not the texts that the API server sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h)")
YEARS = 5
"""How far ahead a time is looked for."""


class CronError(ValueError):
    """A schedule that cannot be read, in the words of robfig/cron."""


def load_zone(name: str | None) -> tzinfo:
    """A time zone by name, UTC for none; CronError when it is not known."""
    if name in (None, "", "UTC"):
        return UTC
    try:
        return ZoneInfo(str(name))
    except (OSError, ValueError, KeyError):
        raise CronError(f"unknown time zone {name}") from None


@dataclass(frozen=True, slots=True)
class Field:
    """The numbers that one field allows; `star` when it was left open."""

    numbers: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class Every:
    """`@every 1h30m`: an interval from the last time, in whole seconds."""

    seconds: int

    def next(self, after: datetime) -> datetime:
        """The first time after a moment."""
        return after.replace(microsecond=0) + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five fields, in a time zone."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        """The first time after a moment, as UTC; None when there is none within five years."""
        moment = after.astimezone(UTC).replace(microsecond=0) + SECOND
        limit = moment.astimezone(self.zone).year + YEARS
        moved = False
        while moment.astimezone(self.zone).year <= limit:
            step = self._step(moment, moved)
            if step is None:
                return moment
            moment, moved = step, True
        return None

    def _step(self, moment: datetime, moved: bool) -> datetime | None:
        """On to the next month, day, hour, minute or second: whichever is the first that does not fit; None when all do.

        `moved`: smaller parts were set to zero by an earlier step. Hours are real ones, so what clocks leave out or repeat is met as it
        comes. Like the library, a day whose midnight is left out may be passed over in zones east of Greenwich; unlike it, the day is
        looked at again when an hour was left out at midnight.
        """
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        if local.month not in self.month.numbers:
            first = local.replace(day=1) if moved else datetime(local.year, local.month, 1)
            return self._civil(first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1))
        if not self._is_day(local):
            return self._tomorrow(local if moved else datetime(local.year, local.month, local.day))
        if local.hour not in self.hour.numbers:
            return (moment if moved else self._civil(local.replace(minute=0, second=0))) + HOUR
        if local.minute not in self.minute.numbers:
            return moment.replace(second=0) + MINUTE
        return None if local.second == 0 else moment + SECOND * (60 - local.second)

    def _is_day(self, local: datetime) -> bool:
        day, weekday = local.day in self.day.numbers, local.isoweekday() % 7 in self.weekday.numbers
        return (day and weekday) if self.day.star or self.weekday.star else (day or weekday)

    def _tomorrow(self, local: datetime) -> datetime:
        """A day later; at midnight, or an hour away from it where clocks leave it out."""
        moment = self._civil(local + timedelta(days=1))
        hour = moment.astimezone(self.zone).hour
        return moment + HOUR * (24 - hour if hour > 12 else -hour)

    def _civil(self, local: datetime) -> datetime:
        """A local time as UTC, chosen as Go's time.Date does where clocks change."""
        naive = local.replace(tzinfo=UTC)
        return naive - self._offset(naive - self._offset(naive))

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()


def parse(text: str, zone: tzinfo = UTC) -> Schedule | Every:
    """A schedule, in a zone of its own when it begins with `TZ=`; raises CronError."""
    if not text:
        raise CronError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        name, _, text = text.partition("=")[2].partition(" ")
        try:
            zone = load_zone(name)
        except CronError as unknown:
            raise CronError(f"provided bad location {name}: {unknown}") from None
        text = text.strip()
    if text.startswith("@"):
        return _descriptor(text, zone)
    fields = text.split()
    if len(fields) != 5:
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minute, hour, day, month, weekday = fields
    months = {name: number + 1 for number, name in enumerate(MONTHS)}
    weekdays = {name: number for number, name in enumerate(DAYS)}
    return Schedule(
        _field(minute, 0, 59, {}),
        _field(hour, 0, 23, {}),
        _field(day, 1, 31, {}),
        _field(month, 1, 12, months),
        _field(weekday, 0, 6, weekdays),
        zone,
    )


def _descriptor(text: str, zone: tzinfo) -> Schedule | Every:
    if text in DESCRIPTORS:
        return parse(DESCRIPTORS[text], zone)
    if not text.startswith("@every "):
        raise CronError(f"unrecognized descriptor: {text}")
    duration = text.removeprefix("@every ")
    sign, size = (-1, duration[1:]) if duration.startswith("-") else (1, duration.removeprefix("+"))
    parts = _DURATION.findall(size)
    if size != "0" and (not parts or "".join(parts) != size):
        why = "missing unit in" if size[-1:].isdigit() and size.startswith("".join(parts)) else "invalid"
        raise CronError(f'failed to parse duration {text}: time: {why} duration "{duration}"')
    seconds = sum(float(part.rstrip("nuµmsh")) * UNITS[part.lstrip("0123456789.")] for part in parts)
    return Every(max(1, int(sign * seconds)))


def _field(text: str, low: int, high: int, names: dict[str, int]) -> Field:
    numbers: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        found, is_star = _range(part, low, high, names)
        numbers.update(found)
        star = star or is_star
    return Field(frozenset(numbers), star)


def _range(text: str, low: int, high: int, names: dict[str, int]) -> tuple[range, bool]:
    """One of `*`, `5`, `1-5`, `*/2`, `1-9/3`, `5/10` (from 5 to the highest)."""
    span, *steps = text.split("/")
    first, *rest = span.split("-")
    star = first in ("*", "?")
    if star:
        start, end = low, high
    else:
        start = _number(first, names)
        if len(rest) > 1:
            raise CronError(f"too many hyphens: {text}")
        end = _number(rest[0], names) if rest else start
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not rest:
        end = high
    if start < low:
        raise CronError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise CronError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step), star and step == 1


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise CronError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
