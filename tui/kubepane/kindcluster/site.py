"""What every command stands on: the programs, the engine, the records, the clock, and where to write."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from kubepane.cluster.clock import Clock, SystemClock
from kubepane.kindcluster import ownership
from kubepane.kindcluster.engine import Container, Engine, choose
from kubepane.kindcluster.ownership import Owner, Record, Records, Verdict
from kubepane.kindcluster.programs import Programs
from kubepane.kindcluster.progress import Progress
from kubepane.kindcluster.trouble import REFUSED, Trouble


class Time(Clock, Protocol):
    """The clock, and patience."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class MachineTime(SystemClock):
    """The machine's own."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a command works."""

    programs: Programs
    records: Records
    time: Time
    progress: Progress


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a cluster's name.

    Attributes:
        engine: the engine that was asked.
        containers: nodes of that name.
        record: what kubepane remembers of it.
        verdict: whose it is.
    """

    engine: Engine
    containers: list[Container]
    record: Record | None
    verdict: Verdict

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.verdict.owner


def find(site: Site, name: str) -> Found:
    """Looks for a cluster of this name, with the engine that it was made with when that is known."""
    record = site.records.load(name)
    engine = choose(site.programs, record.engine if record else "")
    if record and record.engine != engine.name:
        record = None  # made with an engine that is not installed any more
    containers = engine.containers(name)
    return Found(engine, containers, record, ownership.judge(record, containers))


def not_ours(name: str, found: Found) -> Trouble:
    """Why a cluster is left alone."""
    return Trouble(
        f"the cluster {name} is not kubepane's: {found.verdict.why}",
        f"take another --name; if it is yours, `kind delete cluster --name {name}` removes it",
        REFUSED,
    )
