"""Whether the API server answers at all: one probe for all watches (rule R29).

A watch that hears nothing cannot tell a quiet cluster from a dead link, and fifteen watches that each find out by trying would
be a storm. So one monitor asks `/livez`, at once when a watch is in doubt; while there is no answer all watches hold, and
the first answer sends all of them off together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from enum import Enum
from random import Random

from kubepane.cluster.clock import Clock, Instant, instant
from kubepane.cluster.errors import BadConfig, ClusterError, NotKubernetes, Refused
from kubepane.cluster.journal import Journal
from kubepane.cluster.pace import Pace
from kubepane.cluster.reflector import GATEWAY, SPREAD
from kubepane.cluster.requests import Requests

REGULAR = 15.0  # a server that is told to stop leaves its open watches mute: only a probe notices
HASTY = (1.0, 2.0, 3.2)  # seconds between probes while there is no answer; the last again and again: 20 a minute
TIMEOUT, HASTY_TIMEOUT = 10.0, 5.0
DOWN_AFTER = 2  # failed probes
HOLD = 30.0  # a watch tries by itself after so long, whatever the probe says
TICK = 2.0
NOTHING = 1e-6
SLEPT = 30.0  # a gap in time that means the machine, or this process, was asleep
FALSE_ALARMS = 2  # after so many the probe closes no more watches: here `/livez` is what does not work
WINDOWS = ((10.0, 5), (60.0, 20))


class Link(Enum):
    """The state of the way to the API server."""

    UP = "up"
    DOUBTFUL = "doubtful"  # one probe found no answer
    DOWN = "down"


class LinkMonitor:
    """Probes the server and tells everybody who waits for it.

    Attributes:
        state: UP until proved otherwise.
        since: when the link was lost, None while it is up.
        why: what the last failed probe said.
        degraded: the server answers but says it is unwell, and how; "" when it is well.
    """

    def __init__(self, requests: Requests, clock: Clock, random: Random, journal: Journal, log: logging.Logger) -> None:
        self._requests, self._clock, self._random, self._journal, self._log = requests, clock, random, journal, log
        self.state = Link.UP
        self.since: datetime | None = None
        self.why = ""
        self.degraded = ""
        self._failures = 0
        self._false_alarms = 0
        self._pace = Pace(WINDOWS)
        self._seen = instant(clock)
        self._due = self._seen.mono + REGULAR
        self._doubt = asyncio.Event()
        self._back = asyncio.Event()
        self._cuts: list[Callable[[str], None]] = []

    # ---- for watches

    def on_loss(self, cut: Callable[[str], None]) -> Callable[[], None]:
        """`cut` is called with the reason when all streams must be closed; calling the result ends that."""
        self._cuts.append(cut)
        return lambda: self._cuts.remove(cut)

    def doubt(self) -> None:
        """A request found no answer: probe now."""
        self._doubt.set()

    def heard(self) -> None:
        """The server has answered a request."""
        if self._failures:
            if self.state is Link.DOWN:
                self._false_alarms += 1
            self._restored()

    async def pause(self, seconds: float, *, hold: bool) -> bool:
        """Waits; with `hold` also as long as the server does not answer, and no longer than until it does again.

        Returns:
            Whether the link came back meanwhile.
        """
        if not hold:
            await asyncio.sleep(seconds)
            return False
        began = self._clock.monotonic()
        while True:
            waited = self._clock.monotonic() - began
            rest = seconds - waited
            if rest <= NOTHING and self._failures:
                rest = max(seconds, HOLD) - waited
            if rest <= NOTHING:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._back.wait()
                await asyncio.sleep(self._random.random() * SPREAD)
                return True

    # ---- probing

    async def run(self) -> None:
        """Probes until it is cancelled."""
        while True:
            try:
                await self._until_due()
                await self._probe()
            except Exception as fault:  # noqa: BLE001  a fault of ours must not end the probing
                self._log.exception("the link monitor failed")
                self._journal.write("link", f"the monitor failed: {type(fault).__name__}")
                await asyncio.sleep(REGULAR)

    async def _until_due(self) -> None:
        while True:
            now = instant(self._clock)
            self._notice_sleep(now)
            rest = 0.0 if self._doubt.is_set() and not self._failures else self._due - now.mono
            rest = max(rest, self._pace.pause(now.mono))
            if rest <= NOTHING:
                return
            if self._doubt.is_set():
                await asyncio.sleep(min(rest, TICK))
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(rest, TICK)):
                        await self._doubt.wait()

    def _notice_sleep(self, now: Instant) -> None:
        """A gap on either clock: on Linux the monotonic one stands still while the machine sleeps, the other does not."""
        gap = self._seen.until(now)
        self._seen = now
        if gap > SLEPT + TICK:
            self._journal.write("link", f"this machine slept for {gap:.0f} s")
            self._cut_all(f"this machine slept for {gap:.0f} s")
            self._doubt.set()

    async def _probe(self) -> None:
        self._pace.spend(self._clock.monotonic())
        self._due = self._clock.monotonic() + REGULAR
        try:
            await self._requests.get("/livez", timeout=HASTY_TIMEOUT if self._failures else TIMEOUT)
        except BadConfig as error:  # says nothing about the server
            self.why = str(error)
        except Refused as error:
            if error.status in GATEWAY:
                self._no_answer(error, cut=False)
            else:
                self.degraded = f"{error.status}" if error.status >= 500 else ""
                self._answered()
        except ClusterError as error:
            self._no_answer(error, cut=not isinstance(error, NotKubernetes))
        else:
            self.degraded = ""
            self._answered()
        finally:
            self._doubt.clear()  # whoever doubted meanwhile has the answer

    def _answered(self) -> None:
        self._false_alarms = 0
        if self._failures:
            self._restored()

    def _restored(self) -> None:
        self._failures = 0
        self._due = self._clock.monotonic() + REGULAR
        self._journal.write("link", "the server answers again")
        self.state, self.since, self.why = Link.UP, None, ""
        self._back.set()
        self._back = asyncio.Event()

    def _no_answer(self, error: ClusterError, *, cut: bool) -> None:
        pause = HASTY[min(self._failures, len(HASTY) - 1)]
        self._failures += 1
        self._due = self._clock.monotonic() + pause * (1 + self._random.random() / 20)
        self.why = str(error)
        if self._failures == 1:
            self.state, self.since = Link.DOUBTFUL, self._clock.now()
            self._journal.write("link", f"no answer: {error}")
        elif self._failures == DOWN_AFTER:
            self.state = Link.DOWN
            if cut and self._false_alarms < FALSE_ALARMS:
                self._cut_all(self.why)

    def _cut_all(self, why: str) -> None:
        for cut in list(self._cuts):
            cut(why)
