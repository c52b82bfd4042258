"""What steps do: the verbs of `acting`, pointed at the objects of the story."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

from kubepane.acting import applying, doing, removing, sources
from kubepane.acting.plan import Intent, Plan, Unfit
from kubepane.acting.sources import Source
from kubepane.cluster.session import Session
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.scenarios import taking_over
from kubepane.scenarios.chapter import Deed

Targets = Callable[[Stores], Sequence[Ref]]
SPACE = "chatapp"  # of objects that name no namespace


def verb(name: str, targets: Targets, **args: Any) -> Deed:
    """A verb of `acting.verbs` on the objects that are there; nothing where it makes no sense (any more)."""

    async def plans(session: Session) -> AsyncGenerator[Plan]:
        found = tuple(targets(session.stores))
        try:
            plan = await doing.prepare(session, Intent(name, found, args)) if found else None
        except Unfit:
            return
        if plan is not None:
            yield plan

    return plans


def apply(name: str) -> Deed:
    """Applies a bundled set: without the number of pods where an HPA owns it, and with all else that others manage."""

    async def plans(session: Session) -> AsyncGenerator[Plan]:
        source = sources.bundled(name)
        plan = await doing.prepare(session, applying.intent(source, SPACE))
        before = taking_over.plan(plan)
        if before.steps:
            yield before
            plan = await doing.prepare(session, applying.intent(source, SPACE))
        plan = await doing.rehearse(session, plan)
        if plan.instead is not None:
            plan = await _rehearsed(session, applying.intent(_without_numbers(source), SPACE))
        if plan.instead is not None:
            plan = await _rehearsed(session, plan.instead[1])
        yield plan

    return plans


async def _rehearsed(session: Session, intent: Intent) -> Plan:
    return await doing.rehearse(session, await doing.prepare(session, intent))


def _without_numbers(source: Source) -> Source:
    """The same without `spec.replicas`: what is not applied stays with whoever owns it."""
    slim = [
        {**obj, "spec": {key: value for key, value in obj["spec"].items() if key != "replicas"}} if "spec" in obj else obj for obj in source.objects
    ]
    return replace(source, objects=tuple(slim))


def delete(name: str) -> Deed:
    """Deletes a bundled set; what is not there is left alone."""

    async def plans(session: Session) -> AsyncGenerator[Plan]:
        yield await doing.prepare(session, removing.intent(sources.bundled(name), SPACE))

    return plans
