"""Takes the limits off the door for requests: no hand is as fast as a test."""

from __future__ import annotations

import pytest

from kubepane.cluster import api
from kubepane.cluster.budget import Budget

RATE = 100_000


def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests a second as there are."""
    monkeypatch.setattr(api, "CHANGES", RATE)
    defaults = Budget.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "rate", float(RATE))
