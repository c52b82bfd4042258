"""What is told about requests as they happen: warnings of the server, and every attempt to change something."""

from __future__ import annotations

import msgspec


class Warned(msgspec.Struct, frozen=True):
    """One Warning header of an answer: a deprecated API, an unknown field."""

    method: str
    path: str
    text: str


class Change(msgspec.Struct, frozen=True):
    """One request that was meant to change something, and what came of it. Holds no body, which may be a secret.

    Attributes:
        status: the HTTP code, None when no answer came: whether it happened is then unknown, unless it was `stopped`.
        error: why it failed, "" when it did not.
        stopped: read-only mode kept it from being sent.
        seconds: how long it took.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int | None
    error: str
    stopped: bool
    seconds: float


def ignore(_: object) -> None:
    """Listens to nothing."""
