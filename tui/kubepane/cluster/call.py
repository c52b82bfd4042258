"""One request, as it is handed from the door to the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of the server, and how long it may take.

    Attributes:
        path: below the server's address, percent-encoded.
        headers: its own ones, without the credentials.
        body: sent as JSON, None for none.
        total: seconds until the whole answer must have been read, None for no limit.
        head: seconds to wait for the head of the answer, None for no limit of its own.
        silence: seconds without a byte after which it is given up, the wait for the answer's head included; None for no limit.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    total: float | None = None
    head: float | None = None
    silence: float | None = None
