"""EndpointSlices of one Service port, counted as kube-proxy and kubectl describe count them.

Source: k8s.io/api discovery/v1 (the meaning of null), kubectl pkg/describe (describeBackendV1, formatEndpointSlices),
pkg/proxy/endpointslicecache.go (an endpoint may stand in several slices).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from kubepane.cluster import resources as r


class Condition(IntEnum):
    """How one endpoint is; where slices differ about it, the first of these counts."""

    READY = 0
    NO_PORT = 1  # ready, but no container has the port that the Service sends to
    TERMINATING = 2
    NOT_READY = 3


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One endpoint.

    Attributes:
        name: the pod's, or the address where it is no pod.
        uid: the pod's, "" where it is no pod.
        address: its first address.
        node: the node it is on, "" if not said.
        condition: how it is.
        port: the number it is reached at, 0 where there is none or any.
    """

    name: str
    uid: str
    address: str
    node: str
    condition: Condition
    port: int


class Endpoints(msgspec.Struct, frozen=True, gc=False):
    """The endpoints of one Service port.

    Attributes:
        all: every endpoint once: ready ones first, then by name.
        ready: those that get traffic.
        terminating: those on their way out.
        not_ready: those that are not ready.
        without_port: those that are ready and yet get none, for they lack the port.
    """

    all: tuple[Endpoint, ...] = ()
    ready: int = 0
    terminating: int = 0
    not_ready: int = 0
    without_port: int = 0

    @property
    def total(self) -> int:
        """Those that are there to stay."""
        return self.ready + self.not_ready + self.without_port


def endpoints(slices: Iterable[r.EndpointSlice], port: r.ServicePort | None) -> Endpoints:
    """Counts the endpoints of a Service port over all slices, each endpoint once.

    Args:
        slices: all slices of the Service.
        port: the Service's port; a slice has it under the same name, whatever its number. None for a Service without ports.
    """
    found: dict[str, Endpoint] = {}
    for part in slices:
        has, number = _port(part, port)
        for endpoint in part.endpoints or ():
            seen = _endpoint(endpoint, has, number)
            key = seen.uid or seen.address
            old = found.get(key)
            if old is None or _order(seen) < _order(old):
                found[key] = seen
    ordered = tuple(sorted(found.values(), key=lambda e: (e.condition is not Condition.READY, e.name, e.address)))
    counts = [0, 0, 0, 0]
    for e in ordered:
        counts[e.condition] += 1
    return Endpoints(ordered, counts[Condition.READY], counts[Condition.TERMINATING], counts[Condition.NOT_READY], counts[Condition.NO_PORT])


def _order(e: Endpoint) -> tuple[Condition, str, bool, int]:
    """Which of several entries for one endpoint counts: the best, whatever the order of the slices."""
    return e.condition, e.address, not e.port, e.port


def port_of(service: r.Service, wanted: r.BackendPort) -> r.ServicePort | None:
    """The Service's port that a backend means, by number or by name."""
    for port in service.spec.ports or ():
        if (wanted.number and port.port == wanted.number) or (wanted.name and port.name == wanted.name):
            return port
    return None


def _port(part: r.EndpointSlice, port: r.ServicePort | None) -> tuple[bool, int]:
    """Whether a slice has the port, and the number behind it."""
    if port is None:
        return True, 0
    for p in part.ports or ():
        if (p.name or "") == port.name and (p.protocol or "TCP") == (port.protocol or "TCP"):
            return True, p.port or 0
    return False, 0


def _endpoint(endpoint: r.Endpoint, has_port: bool, number: int) -> Endpoint:
    conditions, ref = endpoint.conditions, endpoint.target_ref
    address = (endpoint.addresses or ("",))[0]
    if conditions.ready is not False:  # null counts as ready
        condition = Condition.READY if has_port else Condition.NO_PORT
    else:
        condition = Condition.TERMINATING if conditions.terminating else Condition.NOT_READY
    name, uid = (ref.name or address, ref.uid) if ref else (address, "")
    return Endpoint(name, uid, address, endpoint.node_name or "", condition, number if has_port else 0)
