"""What every part of the API works on: store, kinds, clock and chance."""

from __future__ import annotations

from dataclasses import dataclass

from kubepane_embedded.clock import Clock
from kubepane_embedded.registry import Registry
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Storage


@dataclass
class World:
    """The state behind the API.

    Args:
        storage: Where objects are.
        registry: The served kinds.
        clock: Cluster time, for timestamps.
        seed: Chance, for names, uids and addresses.
    """

    storage: Storage
    registry: Registry
    clock: Clock
    seed: Seed
