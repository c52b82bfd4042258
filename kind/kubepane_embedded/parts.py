"""The moving parts of the cluster: what runs beside the API server (controllers, scheduler, kubelets, load, metrics).

A part is made with the core and started once. It follows the store (`Storage.subscribe`), works through `WorkQueue`s on the cluster's
clock and writes through `Core.client(name)`. Nothing here needs an event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from kubepane_embedded.core import Core
from kubepane_embedded.runtime import MetricsSource, PodRuntime


class Part(Protocol):
    """Something that runs beside the API server."""

    def start(self) -> None:
        """Subscribe, look at everything once, and schedule what repeats."""


@dataclass(slots=True)
class Parts:
    """All parts of one cluster, and the two that the API server asks itself."""

    running: list[Part] = field(default_factory=list)
    runtime: PodRuntime | None = None
    metrics: MetricsSource | None = None


Assembly = Callable[[Core], Parts]
"""Makes the parts for a core."""


def no_parts(core: Core) -> Parts:
    """An API server alone: objects are stored, nothing happens to them."""
    return Parts()
