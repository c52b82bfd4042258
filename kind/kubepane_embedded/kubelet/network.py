"""Who answers at a name or address: Services by their ready endpoints, pods by their address. No packets, only answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from kubepane_embedded.meta import Object, labels_of
from kubepane_embedded.storage import Storage

SLICES = "endpointslices.discovery.k8s.io"
DOMAIN = "svc.cluster.local"
REFUSED = "refused"
UNKNOWN_HOST = "unknown host"
UNREACHABLE = "unreachable"


class Listener(Protocol):
    """What may answer at an address."""

    def listens(self, port: int) -> bool:
        """Whether somebody takes connections there."""

    def http(self, port: int, path: str, agent: str) -> int | None:
        """The status of a GET; None when it speaks something else."""

    def credentials(self, port: int) -> dict[str, str] | None:
        """User → password of a database at that port; None when there is none."""


class Destination(NamedTuple):
    """Where a name leads: an address, its port there, and who listens (None: nobody that is simulated here)."""

    address: str
    port: int
    listener: Listener | None


class Answer(NamedTuple):
    """What a connection gave: an HTTP status, or why there was none."""

    status: int = 0
    failure: str = ""
    address: str = ""


def index_slices_by_service(storage: Storage) -> None:
    """Keep the index `service` of EndpointSlices: `namespace/name`."""

    def services(slice_: Object) -> list[str]:
        name = labels_of(slice_).get("kubernetes.io/service-name")
        return [f"{slice_['metadata'].get('namespace')}/{name}"] if name else []

    storage.add_index(SLICES, "service", services)


class Network:
    """The cluster's names and addresses.

    Args:
        storage: Where Services and EndpointSlices are read.
        listener_at: Who listens at a pod's address, None when nobody here.
    """

    def __init__(self, storage: Storage, listener_at: Callable[[str], Listener | None]) -> None:
        index_slices_by_service(storage)
        self._storage = storage
        self._listener_at = listener_at

    def lookup(self, namespace: str, host: str) -> list[str]:
        """Addresses of a name as cluster DNS gives them; an address is its own; [] when there is no such name."""
        if _is_address(host):
            return [host]
        service = self._service(namespace, host)
        if service is None:
            return []
        address = (service.get("spec") or {}).get("clusterIP") or ""
        if address and address != "None":
            return [address]
        return [found for found, _ in self._endpoints(service, None)]

    def connect(self, namespace: str, host: str, port: int) -> Destination | str:
        """Where a connection ends up, or why it does not (one of the words above)."""
        service = self._service(namespace, host)
        if service is not None:
            return self._through(service, port)
        if not _is_address(host):
            return UNKNOWN_HOST
        listener = self._listener_at(host)
        if listener is None:
            return UNREACHABLE
        return Destination(host, port, listener) if listener.listens(port) else REFUSED

    def get(self, namespace: str, host: str, port: int, path: str, agent: str) -> Answer:
        """An HTTP GET."""
        found = self.connect(namespace, host, port)
        if isinstance(found, str):
            return Answer(failure=found)
        if found.listener is None:
            return Answer(200, address=found.address)
        status = found.listener.http(found.port, path, agent)
        return Answer(status, address=found.address) if status is not None else Answer(failure=REFUSED, address=found.address)

    def _through(self, service: Object, port: int) -> Destination | str:
        headless = (service.get("spec") or {}).get("clusterIP") == "None"
        wanted = None if headless else port
        ports = [one for one in (service.get("spec") or {}).get("ports") or [] if one.get("port") == port]
        if not headless and not ports:
            return UNREACHABLE
        name = None if wanted is None else ports[0].get("name") or ""
        ready = self._endpoints(service, name)
        if not ready:
            return UNKNOWN_HOST if headless else REFUSED
        address, there = ready[0]
        there = port if headless else there
        listener = self._listener_at(address)
        if listener is not None and not listener.listens(there):
            return REFUSED
        return Destination(address, there, listener)

    def _endpoints(self, service: Object, port: str | None) -> list[tuple[str, int]]:
        """Ready addresses with the number of the named port."""
        meta = service["metadata"]
        found = []
        for slice_ in self._storage.find(SLICES, "service", f"{meta.get('namespace')}/{meta['name']}"):
            numbers = [one.get("port") or 0 for one in slice_.get("ports") or [] if port is None or (one.get("name") or "") == port]
            if not numbers and port is not None:
                continue
            for endpoint in slice_.get("endpoints") or []:
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    found += [(address, numbers[0] if numbers else 0) for address in endpoint.get("addresses") or []]
        return found

    def _service(self, namespace: str, host: str) -> Object | None:
        """The Service of a name (`db`, `db.shop`, `db.shop.svc`, with the cluster's domain) or of a cluster address."""
        if _is_address(host):
            services = self._storage.objects("services")
            return next((one for one in services if host in ((one.get("spec") or {}).get("clusterIPs") or ())), None)
        name = host.rstrip(".").removesuffix("." + DOMAIN).removesuffix(".svc")
        parts = name.split(".")
        if len(parts) > 3 or not parts[0]:
            return None
        if len(parts) == 3:  # a pod of a StatefulSet: answered by its Service
            parts = parts[1:]
        return self._storage.read("services", parts[1] if len(parts) == 2 else namespace, parts[0])


def _is_address(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
