"""What steps do: the verbs of `acting`, pointed at the objects of the story."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kubepane.acting import doing
from kubepane.acting.plan import Intent, Plan, Unfit
from kubepane.cluster.session import Session
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.scenarios import sets
from kubepane.scenarios.chapter import Deed

Targets = Callable[[Stores], Sequence[Ref]]


def verb(name: str, targets: Targets, **args: Any) -> Deed:
    """A verb of `acting.verbs` on the objects that are there; nothing where it makes no sense (any more)."""

    async def plans(session: Session) -> list[Plan]:
        found = tuple(targets(session.stores))
        try:
            return [await doing.prepare(session, Intent(name, found, args))] if found else []
        except Unfit:
            return []

    return plans


def apply(name: str) -> Deed:
    """Applies a bundled set."""

    async def plans(session: Session) -> list[Plan]:
        return [await sets.applied(session, name)]

    return plans


def delete(name: str) -> Deed:
    """Deletes a bundled set; what is not there is left alone."""

    async def plans(session: Session) -> list[Plan]:
        return [await sets.deleted(session, name)]

    return plans
