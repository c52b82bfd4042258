"""A real cluster as the simulated kubelets see it (`kubepane_embedded.backend.Backend`)."""

from __future__ import annotations

from kubepane_controlplane.kubelets.mirror import Mirror
from kubepane_controlplane.kubelets.server import Server
from kubepane_controlplane.kubelets.writing import RemoteWriter, Requests
from kubepane_embedded.clock import Clock, PacedClock
from kubepane_embedded.registry import default_registry
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Storage

FOLLOWED = (
    "nodes",
    "pods",
    "services",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses.storage.k8s.io",
    "endpointslices.discovery.k8s.io",
    "ingresses.networking.k8s.io",
    "ingressclasses.networking.k8s.io",
    "deployments.apps",
    "leases.coordination.k8s.io",
)
"""What kubelets, load, provisioner and ingress controller read. Events are only written."""


class RemoteBackend:
    """Reads from a mirror, writes over HTTP, in real time.

    Args:
        server: The API server.
        seed: Chance.
    """

    def __init__(self, server: Server, seed: Seed) -> None:
        self.clock: Clock = PacedClock()
        self.seed = seed
        self.storage = Storage()
        self.registry = default_registry()
        self.mirror = Mirror(self.storage, FOLLOWED)
        self._requests = Requests(server)

    def client(self, name: str) -> RemoteWriter:
        """The API as a part sees it."""
        return RemoteWriter(self._requests, self.registry, self.mirror, self.clock, self.seed, name)

    def close(self) -> None:
        """Close the connection to the server."""
        self._requests.close()
