"""What the simulated kubelets and the load model need of a cluster: its time, its chance, a store to read, a way to write.

`core.Core` and `client.Client` are that in-process. Over HTTP, against a real API server, `kubepane_controlplane.kubelets` is.
"""

from __future__ import annotations

from typing import Any, Protocol

from kubepane_embedded.clock import Clock
from kubepane_embedded.meta import Object
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Storage


class Writer(Protocol):
    """The API as one component sees it; every write raises `ApiError` as the API server says it. See `client.Client`."""

    clock: Clock
    seed: Seed
    storage: Storage

    def create(self, resource: str, obj: Object) -> Object:
        """Create; the namespace is the object's own."""

    def update_status(self, resource: str, obj: Object) -> Object:
        """Replace the status; the object's resourceVersion is a precondition (409 Conflict)."""

    def patch(self, resource: str, namespace: str, name: str, patch: Any) -> Object:
        """Merge-patch."""

    def delete(self, resource: str, namespace: str, name: str, grace: int | None = None, *, uid: str | None = None) -> bool:
        """Delete; True when it is gone at once. `grace=0` is how the kubelet takes a pod out for good."""


class Backend(Protocol):
    """A cluster to simulate on."""

    clock: Clock
    seed: Seed
    storage: Storage

    def client(self, name: str) -> Writer:
        """The API as a part sees it: `client("kubelet")`."""
