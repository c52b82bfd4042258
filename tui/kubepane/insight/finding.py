"""What a rule says: how bad, why in one clause, and the evidence. Explanations are lists of these, most important first."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Level(IntEnum):
    """How an object is doing; the order is that of "worst first". The names are those of the look's glyphs."""

    BAD = 0  # broken: will not get better by itself
    WAIT = 1  # waiting for something that somebody must do
    BUSY = 2  # working on it
    WARN = 3  # works, but look
    OK = 4
    DONE = 5  # finished
    OFF = 6  # nothing to say: paused, scaled to zero, suspended

    @property
    def glyph(self) -> str:
        """The name of its glyph in the palette."""
        return self.name.lower()


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One fact that a finding stands on.

    Attributes:
        object: `kind/name`, or `kind/namespace/name` where the namespace is another than that of the explained object.
        field: the path of the field, as `spec.taints`, or `metadata.labels[app]`.
        value: what is there, as text.
    """

    object: str
    field: str
    value: str


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One cause.

    Attributes:
        level: how bad.
        clause: the cause in one clause, lower case, cause first: `taint dedicated=chatapp:NoSchedule on 3 nodes`.
        evidence: what it stands on, the deciding one first.
        next: what to do, in the imperative; "" when there is nothing.
    """

    level: Level
    clause: str
    evidence: tuple[Evidence, ...] = ()
    next: str = ""


def worst(findings: list[Finding]) -> Finding | None:
    """The one to show where there is room for one: the worst, the first of equals."""
    return min(findings, key=lambda f: f.level, default=None)
