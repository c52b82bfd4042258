"""The Service `kubernetes` and its endpoints are there, and come back."""

from __future__ import annotations

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.apiserver_service import SERVICE, SLICES, ApiServerService
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object
from kubepane_embedded.nodes import add_nodes


def advance(core: Core, seconds: float) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def read(core: Core, resource: str) -> Object:
    found = core.storage.read(resource, *SERVICE)
    assert found is not None
    return found


def test_where_the_api_server_is_and_that_it_comes_back(core: Core) -> None:
    add_nodes(core, 2)
    ApiServerService(core).start()
    advance(core, 1)
    assert read(core, "endpoints")["subsets"] == [
        {"addresses": [{"ip": "172.18.0.2"}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
    ]
    assert read(core, SLICES)["endpoints"] == [{"addresses": ["172.18.0.2"], "conditions": {"ready": True}}]
    client = core.client("test")
    for resource in ("services", "endpoints", SLICES):
        client.delete(resource, *SERVICE)
    advance(core, 11)
    assert read(core, "services")["spec"]["clusterIP"] == "10.96.0.1"
    client.patch("endpoints", *SERVICE, {"subsets": None})
    advance(core, 11)
    assert read(core, "endpoints")["subsets"]
    revision = core.storage.revision
    advance(core, 100)
    assert core.storage.revision == revision, "nothing to do, nothing written"
