"""The Service `kubernetes`, with where the API server is: both come back when somebody takes them away.

Follows kubernetes/pkg/controlplane/controller/kubernetesservice/controller.go, which looks every ten seconds, and
controlplane/reconcilers/endpointsadapter.go.
"""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.furnishing import api_service
from kubepane_embedded.meta import Key, Object, key_of, labels_of
from kubepane_embedded.workqueue import WorkQueue

SERVICE: Key = ("default", "kubernetes")
SLICES = "endpointslices.discovery.k8s.io"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
PORT = {"name": "https", "port": 6443, "protocol": "TCP"}
EVERY = 10.0


class ApiServerService:
    """Keeps the Service, its Endpoints and its EndpointSlice.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-apiserver")
        self._queue = WorkQueue(core.clock, self._reconcile, "kubernetes service")

    def start(self) -> None:
        """Follow the three, and the nodes that the API server may run on."""
        for resource in ("services", "endpoints", SLICES):
            self._storage.subscribe(resource, self._later, lambda obj: [SERVICE] if key_of(obj) == SERVICE else [])
        self._storage.subscribe("nodes", self._later, lambda node: [SERVICE] if CONTROL_PLANE in labels_of(node) else [])
        self._queue.add(SERVICE)

    def _later(self, key: Key) -> None:
        self._queue.add_after(key, EVERY)

    def _reconcile(self, key: Key) -> None:
        if self._storage.read("services", *key) is None:
            self._client.create("services", api_service())
        addresses = self._addresses()
        if not addresses:
            return
        meta = {"name": key[1], "namespace": key[0]}
        subsets = [{"addresses": [{"ip": address} for address in addresses], "ports": [PORT]}]
        skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
        self._keep("endpoints", {"metadata": {**meta, "labels": skip}, "subsets": subsets})
        named = {"kubernetes.io/service-name": key[1]}
        ready = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
        self._keep(SLICES, {"metadata": {**meta, "labels": named}, "addressType": "IPv4", "endpoints": ready, "ports": [PORT]})

    def _keep(self, resource: str, wanted: Object) -> None:
        present = self._storage.read(resource, *SERVICE)
        if present is None:
            self._client.create(resource, wanted)
        elif any(present.get(name) != value for name, value in wanted.items() if name != "metadata"):
            self._client.update(resource, {**present, **{name: value for name, value in wanted.items() if name != "metadata"}})

    def _addresses(self) -> list[str]:
        nodes = [node for node in self._storage.objects("nodes") if CONTROL_PLANE in labels_of(node)]
        every = [one for node in nodes for one in (node.get("status") or {}).get("addresses") or []]
        return sorted(one["address"] for one in every if one.get("type") == "InternalIP")
