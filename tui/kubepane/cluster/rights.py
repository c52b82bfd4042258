"""Which kinds may be seen in the namespaces that are tried because the whole cluster may not be seen (rule R30).

One SelfSubjectRulesReview a namespace says it for all kinds, where trying each would cost hundreds of refused requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum

from kubepane.cluster.access import Access, Rules
from kubepane.cluster.kinds import Kind

AGAIN = 120.0  # seconds until the rules are asked for again: rights may be given at any time


class Right(Enum):
    """Whether a kind may be seen in a namespace."""

    UNKNOWN = "unknown"  # the review is on its way
    PERHAPS = "perhaps"  # worth trying
    NONE = "none"  # neither list nor watch


class Rights:
    """The rules of some namespaces, kept up to date.

    Args:
        changed: called when an answer differs from what was known.
    """

    def __init__(self, access: Access, changed: Callable[[], None]) -> None:
        self._access = access
        self._changed = changed
        self._names: tuple[str, ...] = ()
        self._rules: dict[str, Rules | None] = {}
        self._wake = asyncio.Event()

    def ask(self, names: Iterable[str]) -> None:
        """These are the namespaces that matter."""
        names = tuple(names)
        if names != self._names:
            self._names = names
            self._rules = {name: rules for name, rules in self._rules.items() if name in names}
            self._wake.set()

    def of(self, kind: Kind, namespace: str) -> Right:
        """Whether the kind may be seen there."""
        if namespace not in self._rules:
            return Right.UNKNOWN
        rules = self._rules[namespace]
        if rules is None:  # it could not be found out
            return Right.PERHAPS
        denied = rules.allow("list", kind) is False and rules.allow("watch", kind) is False
        return Right.NONE if denied else Right.PERHAPS

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            self._wake.clear()
            await asyncio.gather(*(self._review(name) for name in self._names), return_exceptions=True)
            try:
                async with asyncio.timeout(AGAIN if self._names else None):
                    await self._wake.wait()
            except TimeoutError:
                self._access.forget()

    async def _review(self, name: str) -> None:
        known = name in self._rules
        rules = await self._access.rules(name)
        if name in self._names and (not known or (rules is not None and rules != self._rules[name])):
            self._rules[name] = rules
            self._changed()
