"""When a CronJob should have run last, and when it is to be looked at next (pkg/controller/cronjob/utils.go, cronjob_controllerv2.go)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from typing import NamedTuple

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.cronschedule import CronError, Every, Schedule, load_zone, parse
from kubepane_embedded.meta import Object

PADDING = timedelta(milliseconds=100)
"""Added to the next time, for clocks that do not agree."""
MANY = 100
TOO_CLOSE = "time difference between two schedules is less than 1 second"


class Missed(NamedTuple):
    """The last time before now, None when there is none; what it is reckoned from; about how many times were missed."""

    since: datetime
    last: datetime | None
    times: int = 0


def zone_of(cron_job: Object) -> tzinfo:
    """spec.timeZone, UTC when absent; CronError when it is not known."""
    return load_zone(cron_job["spec"].get("timeZone"))


def schedule_of(cron_job: Object) -> Schedule | Every:
    """spec.schedule in the CronJob's time zone; CronError when it cannot be read."""
    text = cron_job["spec"].get("schedule") or ""
    try:
        zone = zone_of(cron_job)
    except CronError:
        zone = UTC
    return parse(text, zone)


def missed(cron_job: Object, schedule: Schedule | Every, now: datetime, with_deadline: bool) -> Missed:
    """The most recent time that has not been used (mostRecentScheduleTime); CronError for a schedule without times."""
    since = parse_stamp((cron_job.get("status") or {}).get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"])
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    if with_deadline and deadline is not None:
        since = max(since, now - timedelta(seconds=deadline))
    first = schedule.next(since)
    if first is not None and now < first:
        return Missed(since, None)
    second = schedule.next(first) if first is not None else None
    if first is not None and second is not None and now < second:
        return Missed(since, first)
    if first is None or second is None or (second - first).total_seconds() < 1:
        raise CronError(TOO_CLOSE)
    between = second - first
    count = (now - first) // between + 1
    last: datetime | None = None
    moment = schedule.next(first + (count - 2) * between)
    while moment is not None and moment <= now:
        last, moment = moment, schedule.next(moment)
    return Missed(since, last, count)


def seconds_to_next(cron_job: Object, schedule: Schedule | Every, now: datetime) -> float | None:
    """Seconds until the CronJob is to be looked at again, None when its times are over (nextScheduleTimeDuration)."""
    try:
        found = missed(cron_job, schedule, now, with_deadline=False)
        base = found.last or (now if found.times else found.since)
    except CronError:
        base = now
    following = schedule.next(base)
    return max(0.0, (following + PADDING - now).total_seconds()) if following is not None else None


def rfc3339(moment: datetime, zone: tzinfo) -> str:
    """A time in a zone, as annotations carry it: `2026-01-01T09:00:00+01:00`, `…Z` in UTC."""
    text = moment.astimezone(zone).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def rfc1123z(moment: datetime) -> str:
    """A time as events tell it: `Thu, 01 Jan 2026 08:00:00 +0000`."""
    return format_datetime(moment.astimezone(UTC))
