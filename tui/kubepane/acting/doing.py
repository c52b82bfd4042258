"""From an intent to its end: read, plan, rehearse, send, and watch until the effect is there. The same for keys and command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress

import msgspec

from kubepane.acting import revisions
from kubepane.acting.plan import Intent, Plan, Progress, Scene, Unfit
from kubepane.acting.revisions import Revision
from kubepane.acting.verbs import VERBS
from kubepane.cluster.errors import ClusterError, Conflict, NotFound
from kubepane.cluster.session import Session
from kubepane.cluster.writer import Writer
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Rehearsal, Step, uid_of

NAMED = 3  # objects named in a line
READ_AGAIN = 3  # times that a plan is made anew because an object was changed before its dry run
LOOK_AGAIN = 0.25  # seconds between looks at the stores while something is followed


async def prepare(session: Session, intent: Intent) -> Plan:
    """Reads the targets and plans.

    Raises:
        Unfit: it makes no sense for these objects, or one of them is gone or another by now.
        ClusterError: they could not be read.
    """
    verb = VERBS[intent.verb]
    raws = await asyncio.gather(*(_read(session, ref, verb.path(ref)) for ref in intent.targets))
    fixed = tuple(Ref(ref.kind, ref.namespace, ref.name, uid_of(raw) or ref.uid) for ref, raw in zip(intent.targets, raws, strict=True))
    settled = Intent(intent.verb, fixed, intent.args)
    assert session.api is not None
    gathered = await verb.gather(session.api.get, settled, raws) if verb.gather is not None else None
    return verb.plan(settled, raws, Scene(session.stores, session.clock.now(), session.context, gathered))


async def history(session: Session, ref: Ref) -> tuple[tuple[Revision, ...], int]:
    """The templates that a workload had, newest first, and the number of the present one.

    Raises:
        Unfit: the workload is gone.
        ClusterError: they could not be read.
    """
    raw = await _read(session, ref, ref.path)
    assert session.api is not None
    kept = await revisions.revisions(session.api.get, ref, raw)
    return kept, revisions.current(ref, raw, kept)


async def _read(session: Session, ref: Ref, path: str) -> Raw:
    if session.api is None:
        raise ClusterError("not connected")
    try:
        raw = msgspec.json.decode(await session.api.get(path), type=dict)
    except NotFound:
        raise Unfit(f"there is no {ref}") from None
    if ref.uid and uid_of(raw) != ref.uid:
        raise Unfit(f"{ref} was deleted, and another one has its name now")
    return raw


async def rehearse(session: Session, plan: Plan) -> Plan:
    """The plan after the dry run of every step: what is shown and confirmed. In read-only mode nothing is sent, not even that."""
    assert session.writer is not None
    if session.options.read_only:
        return plan
    rehearsals = await _rehearsals(session.writer, plan)
    for _ in range(READ_AGAIN):
        if not any(_outdated(each.error) for each in rehearsals):
            break
        plan = await prepare(session, plan.intent)
        rehearsals = await _rehearsals(session.writer, plan)
    return plan.review(plan, rehearsals)


async def _rehearsals(writer: Writer, plan: Plan) -> list[Rehearsal]:
    return [await writer.rehearse(step) if step.rehearsable else Rehearsal(step) for step in plan.steps]


def _outdated(error: ClusterError | None) -> bool:
    """Whether an object was changed since it was read for the plan; nothing is confirmed yet, so it can be read again."""
    return isinstance(error, Conflict) and not error.causes


class Hands:
    """What a plan does with its own hands: see `plan.Means`."""

    def __init__(self, session: Session, stopping: asyncio.Event) -> None:
        assert session.api is not None
        assert session.writer is not None
        self.stores, self.read, self.stopping = session.stores, session.api.get, stopping
        self._writer = session.writer

    async def make(self, step: Step, before: Outcome | None = None) -> Outcome:
        """One change, beside others."""
        return await self._writer.perform_beside(step, before)


async def carry_out(session: Session, plan: Plan, stopping: asyncio.Event) -> AsyncGenerator[Outcome | Progress]:
    """From the first request to the end of the effect.

    Args:
        stopping: set to send no more and to wait no longer: what was sent is told all the same.

    Yields:
        Every outcome, and how far the effect is each time that it reads differently; the last word is a `Progress` that is done.
    """
    if plan.carry is not None:
        async with aclosing(plan.carry(Hands(session, stopping))) as words:
            async for each in words:
                yield each
        return
    outcomes: list[Outcome] = []
    async for outcome in perform(session, plan, stopping):
        outcomes.append(outcome)
        yield outcome
    if len(outcomes) < len(plan.steps) or not all(outcome.good for outcome in outcomes):
        yield Progress(True, unfinished(plan, outcomes), failed=True)
        return
    async for progress in follow(session, plan, outcomes, stopping):
        yield progress


async def perform(session: Session, plan: Plan, stopping: asyncio.Event) -> AsyncIterator[Outcome]:
    """Sends the steps in order.

    It ends after the first that is not good, for the later ones were confirmed together with it. Where each stands for itself, only a
    cluster that does not answer any more ends it.
    """
    assert session.writer is not None
    for step in plan.steps:
        if stopping.is_set():
            return
        outcome = await session.writer.perform(step)
        yield outcome
        if not outcome.good and (not plan.apart or outcome.end in (End.LOST, End.UNKNOWN)):
            return


def unfinished(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """What was done of a plan and what was not, and why."""
    bad = [outcome for outcome in outcomes if not outcome.good]
    if len(plan.steps) == 1 and bad:
        return bad[0].text
    parts = [f"{len(outcomes) - len(bad)} of {len(plan.steps)} done"]
    parts += [f"{outcome.step.about.name} not: {outcome.text}" for outcome in bad[:NAMED]]
    if len(bad) > NAMED:
        parts.append(f"{len(bad) - NAMED} more not")
    if left := [step.about.name for step in plan.steps[len(outcomes) :]]:
        parts.append(f"not tried: {', '.join(left[:NAMED])}" + (f" and {len(left) - NAMED} more" if len(left) > NAMED else ""))
    return "; ".join(parts)


async def follow(session: Session, plan: Plan, outcomes: Sequence[Outcome], stopping: asyncio.Event) -> AsyncIterator[Progress]:
    """How far the effect is, each time that it reads differently, until its end, or until nobody wants to wait for that."""
    said = None
    while True:
        progress = look(session, plan, outcomes)
        if stopping.is_set() and not progress.done:
            progress = Progress(True, f"not finished: {progress.text}", failed=True)
        if progress != said:
            said = progress
            yield progress
        if progress.done:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN):
                await stopping.wait()


def look(session: Session, plan: Plan, outcomes: Sequence[Outcome]) -> Progress:
    """How far the effect is now: nothing counts before the watch has brought the change itself."""
    for outcome in outcomes:
        if not _seen(session, outcome):
            return Progress(False, "waiting for the watch to show it")
    return plan.progress(session.stores, session.clock.now())


def _seen(session: Session, outcome: Outcome) -> bool:
    """Whether the watch has come as far as this change: at its revision, or past the object's end. Where none can show it, the answer counts."""
    ref = outcome.step.about
    if not session.watches_kind(ref.kind):
        return True
    store = session.stores.of(ref.kind)
    held = store.get(ref.uid) if ref.uid else store.named(ref.namespace, ref.name)
    if held is None:
        created = outcome.step.raw is None and outcome.end is End.DONE  # what was just made comes yet
        return outcome.end is End.SAME or (store.freshness.complete and not created)
    if not outcome.revision:
        return outcome.end is End.SAME or held.metadata.deletion_timestamp is not None
    return int(held.metadata.resource_version or 0) >= int(outcome.revision)
