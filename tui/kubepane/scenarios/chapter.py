"""A chapter: captioned steps, each with what is done, what it waits for, and where to look."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kubepane.acting.plan import Plan
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.session import Session
from kubepane.cluster.stores import Stores


class Situation(NamedTuple):
    """What an expectation may look at: the same facts that the panes show."""

    stores: Stores
    metrics: Metrics
    now: datetime


class Fact(NamedTuple):
    """What an expectation found.

    Attributes:
        true: whether it has come true.
        text: how it reads now: `3 of 4 ready`.
    """

    true: bool
    text: str = ""


Expectation = Callable[[Situation], Fact]
Deed = Callable[[Session], AsyncGenerator[Plan]]
"""Plans of what a step does, each made when those before it are done; none when it is so already."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where a step is seen.

    Attributes:
        pane: its name.
        at: the uid of the row that matters, "" while there is none.
        layout: the layout that shows the pane best.
        zoomed: whether it needs the whole screen.
    """

    pane: str
    at: Callable[[Stores], str] = lambda stores: ""
    layout: str = "overview"
    zoomed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One caption, and what happens under it.

    Attributes:
        says: the caption.
        look: where to look.
        expects: what must come true before the chapter goes on.
        deeds: what is done first.
        otherwise: what is said when it has not come true in time.
        within: cluster seconds that it may take.
    """

    says: str
    look: Look
    expects: Expectation
    deeds: tuple[Deed, ...] = ()
    otherwise: str = "This is not how it should be; X explains the row, and the next step goes on all the same."
    within: float = 90.0


@dataclass(frozen=True, slots=True)
class Chapter:
    """One story of trouble and cure.

    Attributes:
        name: as `--scenario` takes it.
        title: a few words.
        steps: in order.
        cure: what leaves the cluster as it was before; done at the end, and when the chapter is left early.
        closing: the sentence at the end.
        touches: what it changes on a cluster that is not simulated, for the question before.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    cure: tuple[Deed, ...]
    closing: str
    touches: str
