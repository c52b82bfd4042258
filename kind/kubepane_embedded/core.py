"""Everything of the cluster below HTTP: one store, its registry, and the one door for reads and writes."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubepane_embedded.api import Api
from kubepane_embedded.client import Client
from kubepane_embedded.clock import Clock, PacedClock
from kubepane_embedded.furnishing import furnish_cluster, furnish_new
from kubepane_embedded.registry import Registry, default_registry
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Storage


@dataclass(slots=True)
class Core:
    """Everything below HTTP: usable in a test without a server or a loop.

    Args:
        clock: Cluster time; `VirtualClock` in tests.
        seed: Chance.
    """

    clock: Clock = field(default_factory=PacedClock)
    seed: Seed = field(default_factory=Seed)
    registry: Registry = field(default_factory=default_registry)
    storage: Storage = field(default_factory=Storage)
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.api = Api(self.storage, self.registry, self.clock, self.seed)
        self.api.created.append(lambda resource, obj: furnish_new(self.api, resource, obj))
        furnish_cluster(self.api)

    def client(self, name: str) -> Client:
        """The API as a control-plane part sees it: `client("kube-scheduler")`."""
        return Client.of(self.api, name)
