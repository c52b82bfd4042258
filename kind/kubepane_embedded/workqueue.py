"""The queue in front of a level-triggered controller: keys once, retries with back-off, on the cluster's clock.

Follows client-go/util/workqueue: exponential back-off per key from 5 ms to 1000 s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubepane_embedded.clock import Clock, Timer
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key

log = logging.getLogger(__name__)
FIRST_RETRY = 0.005
LAST_RETRY = 1000.0


class WorkQueue:
    """Runs `reconcile(key)` soon after `add(key)`; a key waiting already is not added twice.

    A refusal (`ApiError`) or any other error puts the key back with back-off; a run without error resets it. Work runs one key at a
    time on the cluster's thread, never inside the write that caused it.
    """

    def __init__(self, clock: Clock, reconcile: Callable[[Key], None], name: str = "") -> None:
        self._clock = clock
        self._reconcile = reconcile
        self.name = name
        self._waiting: dict[Key, Timer] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Look at this key soon."""
        self.add_after(key, 0.0)

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at this key after cluster seconds, unless it is due earlier already."""
        when = self._clock.seconds() + seconds
        timer = self._waiting.get(key)
        if timer is not None:
            if timer.when <= when:
                return
            timer.cancel()
        self._waiting[key] = self._clock.call_at(when, lambda: self._work(key))

    def retry(self, key: Key) -> None:
        """Look again after a back-off that doubles with each failure."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(FIRST_RETRY * 2.0**failures, LAST_RETRY))

    def forget(self, key: Key) -> None:
        """Reset the back-off of a key."""
        self._failures.pop(key, None)

    def _work(self, key: Key) -> None:
        self._waiting.pop(key, None)
        failures = self._failures.get(key)
        try:
            self._reconcile(key)
        except ApiError as refusal:
            log.debug("%s %s: %s", self.name, key, refusal)
            self.retry(key)
            return
        except Exception:
            log.exception("%s failed on %s", self.name, key)
            self.retry(key)
            return
        if self._failures.get(key) == failures:  # a reconcile that asked for a retry itself keeps its back-off
            self.forget(key)
