"""How long a Job waits after failed pods: 10 s, doubled with each, to 10 min; a success ends it (pkg/controller/job/backoff_utils.go)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from kubepane_embedded.controllers.job_facts import ended_at
from kubepane_embedded.meta import Object

FIRST = 10.0
LIMIT = 600.0


class BackoffRecord(NamedTuple):
    """Failures since the last success, and when the last of them was."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: list[Object], failed: list[Object]) -> BackoffRecord:
        """The record with pods that have ended since."""
        ends = sorted(map(ended_at, failed))
        if not succeeded:
            return BackoffRecord(self.failures + len(ends), ends[-1]) if ends else self
        success = max(map(ended_at, succeeded))
        later = [end for end in ends if end > success]
        return BackoffRecord(len(later), later[-1] if later else None)

    def left(self, now: datetime) -> float:
        """Seconds until the next pod may be made."""
        return time_left(self.failures, self.last, now)


def time_left(failures: int, last: datetime | None, now: datetime) -> float:
    """Seconds left of the wait after so many failures."""
    if failures <= 0 or last is None:
        return 0.0
    wait = min(FIRST * 2.0 ** min(failures - 1, 10), LIMIT)
    return max(0.0, wait - (now - last).total_seconds())
