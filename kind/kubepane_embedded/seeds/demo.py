"""What happens in a demo without a key pressed: the story is applied, then visitors come and go."""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.seeds.story import add_story

FIRST_VISITORS = 25.0
"""Cluster seconds until the first load: the story is healthy by then."""
STAY = 240.0
AWAY = 480.0
"""Cluster seconds of load, and without: long enough for the HPA to come down again (300 s)."""
DEMAND = "500m"
ANNOTATION = "sim.kubepane.io/demand"


def play(core: Core) -> None:
    """Apply the story now and let its load come and go, on the cluster's clock."""
    add_story(core)
    core.clock.call_later(FIRST_VISITORS, lambda: _come(core))


def _come(core: Core) -> None:
    _demand(core, DEMAND)
    core.clock.call_later(STAY, lambda: _go(core))


def _go(core: Core) -> None:
    _demand(core, None)
    core.clock.call_later(AWAY, lambda: _come(core))


def _demand(core: Core, amount: str | None) -> None:
    """Offer that much work to the story's Service, unless somebody took the Service away."""
    if core.storage.read("services", "chatapp", "chatapp") is not None:
        core.client("visitors").patch("services", "chatapp", "chatapp", {"metadata": {"annotations": {ANNOTATION: amount}}})
