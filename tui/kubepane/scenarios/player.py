"""Plays chapters on a session: does what a step says, waits until it is so, leaves time to read, and cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from kubepane.acting.plan import Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.errors import ClusterError, Conflict
from kubepane.cluster.kinds import Kind
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Deed, Expectation, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply

KINDS: tuple[Kind, ...] = (
    k.PODS, k.NODES, k.DEPLOYMENTS, k.REPLICASETS, k.STATEFULSETS, k.JOBS, k.AUTOSCALERS, k.CLAIMS, k.VOLUMES, k.STORAGECLASSES, k.SERVICES,
    k.ENDPOINTSLICES, k.INGRESSES, k.INGRESSCLASSES, k.NETWORKPOLICIES, k.NAMESPACES,
)  # fmt: skip
LOOK_AGAIN = 0.1  # seconds between two looks at the stores
TRIES = 5  # of a deed while the cluster moves on
READY_WITHIN = 180.0  # cluster seconds until the story is up


class Phase(Enum):
    """What the player is at."""

    PREPARING = "preparing"
    DOING = "doing"
    WAITING = "waiting"
    READING = "reading"  # it has come true
    MISSED = "missed"  # it has not, in time
    CLEANING = "cleaning"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Reading:
    """How long a caption stays at least, in real seconds.

    Attributes:
        least: of the shortest.
        by_character: more for every character.
    """

    least: float = 3.5
    by_character: float = 0.04

    def seconds(self, text: str) -> float:
        """For this caption."""
        return self.least + self.by_character * len(text)


CALM, AT_ONCE = Reading(), Reading(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended: for tests, and for who plays without a screen."""

    chapter: str
    number: int
    fact: Fact


class Trouble(NamedTuple):
    """What was in the way of a deed.

    Attributes:
        text: in words.
        again: the cluster has moved on meanwhile (an HPA has scaled): it is planned anew.
    """

    text: str
    again: bool


class Player:
    """Plays chapters once.

    Args:
        session: the cluster; its `want` must include `KINDS` while this plays.
        chapters: in order.
        changed: called when the caption reads differently.
        show: called with where to look, and with the uid of the row once it is there.
        reading: how long captions stay.
        look_again: seconds between two looks.

    Attributes:
        chapter, number: where it is; the number counts from 1, 0 before the first step.
        phase, fact: how far the step is.
        problem: what of it could not be done, "" for nothing.
        ended: how every step ended.
        problems: all that could not be done so far.
    """

    def __init__(
        self,
        session: Session,
        chapters: Sequence[Chapter],
        changed: Callable[[], None] = lambda: None,
        show: Callable[[Look, str], None] = lambda look, uid: None,
        reading: Reading = CALM,
        look_again: float = LOOK_AGAIN,
    ) -> None:
        self._session, self.chapters = session, tuple(chapters)
        self.changed, self.show = changed, show
        self._reading, self._look_again = reading, look_again
        self.chapter, self.number = self.chapters[0], 0
        self.phase, self.fact, self.problem = Phase.PREPARING, Fact(False), ""
        self.ended: list[Ended] = []
        self.problems: list[str] = []
        self._skip = asyncio.Event()
        self._left = False

    # ---- from outside

    @property
    def step(self) -> Step | None:
        """The step that is on, None before the first and after the last."""
        return self.chapter.steps[self.number - 1] if 0 < self.number <= len(self.chapter.steps) else None

    @property
    def over(self) -> bool:
        """Whether it is done with everything, cleaning included."""
        return self.phase is Phase.OVER

    def go_on(self) -> None:
        """Goes on with the next step now."""
        self._skip.set()

    def leave(self) -> None:
        """Cleans up and ends; what the present step sends is sent to its end."""
        self._left = True
        self._skip.set()

    # ---- playing

    async def play(self) -> None:
        """Plays to the end."""
        for chapter in self.chapters:
            if self._left:
                break
            await self._play(chapter)
        self._turn(Phase.OVER)

    async def _play(self, chapter: Chapter) -> None:
        self.chapter, self.number = chapter, 0
        self._turn(Phase.PREPARING)
        if await self._prepared():
            for self.number, step in enumerate(chapter.steps, 1):
                if self._left:
                    break
                await self._step(step)
        self._turn(Phase.CLEANING)
        await self._do(chapter.cure)
        if not self._left:
            self.number = len(chapter.steps) + 1
            self._turn(Phase.READING)
            await self._read(chapter.closing, self._now())

    async def _prepared(self) -> bool:
        """Whether the story is up; it is applied where it is not."""
        await self._comes_true(self._known, READY_WITHIN, lambda: None)
        if facts.chatapp(self._session.stores) is None or facts.mysql(self._session.stores) is None:
            await self._do((apply("story"),))
        return await self._comes_true(facts.healthy, READY_WITHIN, lambda: None)

    def _known(self, here: Situation) -> Fact:
        fresh = [here.stores.of(kind).freshness for kind in (k.DEPLOYMENTS, k.STATEFULSETS, k.NODES)]
        return Fact(all(one.complete for one in fresh), "reading the cluster")

    async def _step(self, step: Step) -> None:
        begun = self._now()
        self.problem, self.fact = "", Fact(False)
        shown = self._shows(step.look)
        self._turn(Phase.DOING)
        await self._do(step.deeds)
        self._turn(Phase.WAITING)
        true = not self._left and await self._comes_true(step.expects, step.within, shown)
        self.ended.append(Ended(self.chapter.name, self.number, self.fact))
        self._turn(Phase.READING if true else Phase.MISSED)
        await self._read(step.says if true else step.says + step.otherwise, begun, lambda: self._refresh(step, shown))

    def _shows(self, look: Look) -> Callable[[], None]:
        """Points at the pane now; what it returns points at the row when that appears or is another one."""
        shown: list[str] = []

        def again() -> None:
            uid = look.at(self._session.stores)
            if not shown or (uid and uid != shown[-1]):
                shown.append(uid)
                self.show(look, uid)

        again()
        return again

    def _refresh(self, step: Step, shown: Callable[[], None]) -> None:
        shown()
        self._found(step.expects(self._situation()))

    async def _do(self, deeds: Sequence[Deed]) -> None:
        try:
            for deed in deeds:
                for _ in range(TRIES):
                    said = await self._once(deed)
                    if said is None or not said.again:
                        break
                if said is not None:
                    self._failed(said.text)
        except (Unfit, ClusterError) as error:
            self._failed(str(error))

    async def _once(self, deed: Deed) -> Trouble | None:
        """Does a deed as it is planned now; what was in the way."""
        assert self._session.writer is not None
        async with aclosing(deed(self._session)) as plans:
            async for plan in plans:
                for ref, error in plan.refusals:
                    return Trouble(f"{ref}: the server would refuse it: {error}", isinstance(error, Conflict))
                for step in plan.steps:
                    outcome = await self._session.writer.perform(step)
                    if not outcome.good:
                        return Trouble(f"{outcome.step.about}: {outcome.text}", outcome.end is End.CHANGED)
        return None

    def _failed(self, text: str) -> None:
        self.problem = text
        self.problems.append(text)
        self.changed()

    async def _comes_true(self, expects: Expectation, within: float, shown: Callable[[], None]) -> bool:
        until = self._session.clock.now().timestamp() + within
        self._skip.clear()
        while True:
            shown()
            self._found(expects(self._situation()))
            if self.fact.true:
                return True
            if self._skip.is_set() or self._left or self._session.clock.now().timestamp() > until:
                return False
            await self._nap(self._look_again)

    async def _read(self, text: str, begun: float, refresh: Callable[[], None] = lambda: None) -> None:
        """Leaves the caption on for as long as it takes to read it."""
        until = begun + self._reading.seconds(text)
        if not self._left:
            self._skip.clear()
        while self._now() < until and not self._skip.is_set():
            refresh()
            await self._nap(min(self._look_again, max(0.0, until - self._now())))

    async def _nap(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._skip.wait()
        except TimeoutError:
            return

    # ---- telling

    def _situation(self) -> Situation:
        return Situation(self._session.stores, self._session.metrics, self._session.clock.now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _found(self, fact: Fact) -> None:
        if fact != self.fact:
            self.fact = fact
            self.changed()

    def _turn(self, phase: Phase) -> None:
        self.phase = phase
        self.changed()
