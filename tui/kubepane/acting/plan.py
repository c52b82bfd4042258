"""A plan: everything that one confirmation covers, in words and in requests, and how to see that it has worked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import Kind
from kubepane.cluster.requests import JSON
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Rehearsal, Step
from kubepane_widgets.lines import Line
from kubepane_widgets.palette import G


class Unfit(Exception):
    """What was asked makes no sense for this object; the message is for the user: `statefulset x is paused already`."""


class Malformed(Unfit):
    """What was typed is not of the form that is needed; the message names it."""


class Danger(Enum):
    """How much a plan may break; the value is the tone of its card."""

    CHANGES = "accent"
    EVICTS = "warn"  # running pods go
    DELETES = "bad"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a user asked for, before anything was looked up: the same from a key and from the command line.

    Attributes:
        verb: a key of `verbs.VERBS`.
        targets: the objects, with their uids where a row was under the cursor.
        args: what the verb needs beside them: `{"replicas": 4}`.
    """

    verb: str
    targets: tuple[Ref, ...]
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """A right that a plan needs, in RBAC's words."""

    verb: str
    resource: str
    namespace: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the effect of a plan is, seen in what the watches show.

    Attributes:
        done: whether it has come to its end.
        text: how far, or how it ended: `3 of 4 pods ready`.
        failed: whether that end is a bad one.
    """

    done: bool
    text: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What a planner may look at.

    Attributes:
        stores: what is held of the cluster; a planner asks their freshness before it concludes anything from an absence.
        now: the time.
        context: the context's name, for the kubectl command.
        gathered: what the verb's `gather` read.
    """

    stores: Stores
    now: datetime
    context: str = ""
    gathered: Any = None


class Read(Protocol):
    """What GETs a path: `Api.get`."""

    def __call__(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Awaitable[bytes]:
        """The body of the answer; raises a `ClusterError`."""
        ...


class Means(Protocol):
    """What a plan may use that carries itself out.

    Attributes:
        stores: what is held of the cluster.
        read: GETs a path.
        stopping: set when the user wants no more to be sent; what was sent is waited for and told.
    """

    @property
    def stores(self) -> Stores: ...

    @property
    def read(self) -> Read: ...

    @property
    def stopping(self) -> asyncio.Event: ...

    async def make(self, step: Step, before: Outcome | None = None) -> Outcome:
        """Makes a change beside others; `before` is what came of the same one the last time: the same again is not told again."""
        ...


Carry = Callable[[Means], AsyncGenerator[Outcome | Progress]]
"""Makes the changes of a plan whose steps wait for each other or for the cluster; its last word is a `Progress` that is done."""


def settled(stores: Stores, now: datetime) -> Progress:
    """The progress of a plan whose effect is complete with the change itself."""
    return Progress(True)


def reviewed(plan: Plan, rehearsals: Sequence[Rehearsal]) -> Plan:
    """What the dry run says, beside what the plan says: warnings, and refusals below its lines."""
    warnings = tuple(dict.fromkeys((*plan.warnings, *(text for each in rehearsals for text in each.warnings))))
    refusals = tuple((each.step.about, each.error) for each in rehearsals if each.error is not None)
    lines = [line for ref, error in refusals for line in refusal_lines(ref, error)]
    return replace(plan, lines=(*plan.lines, *lines), warnings=warnings, refusals=refusals)


def refusal_lines(ref: Ref, error: ClusterError) -> list[Line]:
    """A refusal below the lines of a plan."""
    return [[], [(f"{G['bad']} ", "bad"), (f"{ref}: the server would refuse it: {error}", "fg")]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one confirmation covers.

    Attributes:
        intent: what was asked.
        title: what will be done, with the object: `Scale deployment chatapp`.
        button: of the confirming button, with the count: `Scale to 4`.
        steps: the changes, in order.
        lines: the preview.
        warnings: what to know before: `hpa chatapp owns the replicas`.
        needs: the rights it takes.
        undo: what takes it back, None when nothing does.
        kubectl: the equivalent command, "" when there is none.
        pane: the pane that shows the effect.
        touched: uids of the objects that pane should show.
        progress: looks at the watches for the end of the effect, once the change itself is seen there.
        review: what the dry run makes of the plan: the one that is shown and confirmed. It may send less; without steps nothing is sent.
        refusals: what the server would refuse; nothing is sent then.
        instead: another intent that would get round the refusals, with the words of its button; it is shown anew.
        undone: what takes it back where that is known only from the outcomes.
        carry: carries the plan out where its steps do not simply follow one another.
        apart: its steps stand each for itself: that one is refused does not keep the others from being made.
    """

    intent: Intent
    title: str
    button: str
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    danger: Danger = Danger.CHANGES
    warnings: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    undo: Intent | None = None
    kubectl: str = ""
    pane: str = ""
    touched: tuple[str, ...] = ()
    progress: Callable[[Stores, datetime], Progress] = settled
    review: Callable[[Plan, Sequence[Rehearsal]], Plan] = reviewed
    refusals: tuple[tuple[Ref, ClusterError], ...] = ()
    instead: tuple[str, Intent] | None = None
    undone: Callable[[Sequence[Outcome]], Intent | None] | None = None
    carry: Carry | None = None
    apart: bool = False

    def taken_back_by(self, outcomes: Sequence[Outcome]) -> Intent | None:
        """What takes back as much of it as was done; None when nothing can."""
        if self.undone is not None:
            return self.undone(outcomes)
        if self.undo is None:
            return None
        done = {outcome.step.about.path for outcome in outcomes if outcome.end is End.DONE}
        targets = tuple(ref for ref in self.undo.targets if ref.path in done)
        return replace(self.undo, targets=targets) if targets else None


Planner = Callable[[Intent, Sequence[Raw], Scene], Plan]
"""Makes a plan from what the targets read like right now, in the order of `Intent.targets`; raises `Unfit`."""
Gather = Callable[[Read, Intent, Sequence[Raw]], Awaitable[Any]]
"""Reads what a planner needs beside the targets; given what GETs a path, the intent, and the targets."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be done to objects.

    Attributes:
        name: `scale`.
        kinds: what it acts on.
        needs: (verb, subresource) on the kind that RBAC must allow, for dimming before anything is asked.
        plan: makes the plan.
        several: whether it takes several objects at once.
        wants: kinds whose stores the planner or its progress reads.
        path: what is read of a target, instead of the object itself.
        gather: reads more before the plan is made, into `Scene.gathered`.
    """

    name: str
    kinds: tuple[Kind, ...]
    needs: tuple[str, str]
    plan: Planner
    several: bool = True
    wants: tuple[Kind, ...] = ()
    path: Callable[[Ref], str] = lambda ref: ref.path
    gather: Gather | None = None
