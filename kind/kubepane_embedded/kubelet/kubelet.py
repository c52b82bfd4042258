"""The kubelet of one node: what its pods' workers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubepane_embedded.backend import Writer
from kubepane_embedded.kubelet.addresses import Addresses
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.kubelet.memorywatch import MemoryWatch
from kubepane_embedded.kubelet.network import Network
from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.pulling import Puller
from kubepane_embedded.kubelet.volumes import Volumes
from kubepane_embedded.meta import Key, Object
from kubepane_embedded.recorder import Recorder
from kubepane_embedded.seed import Seed


@dataclass(slots=True)
class Shared:
    """What all kubelets share.

    Args:
        client: The API, as kubelets.
        seed: Chance of their own.
        logbook: Where containers' output goes.
        memory: Bytes that a container uses now.
        volumes: What is written into volumes.
        network: Who answers where.
        watch: Looks after memory limits.
        look: Look at a pod after so many seconds.
    """

    client: Writer
    seed: Seed
    logbook: Logbook
    volumes: Volumes
    network: Network
    watch: MemoryWatch
    look: Callable[[Key, float], None]


@dataclass(slots=True)
class Kubelet:
    """One node's kubelet."""

    name: str
    shared: Shared
    recorder: Recorder
    time: NodeTime
    puller: Puller
    addresses: Addresses
    uids: set[str] = field(default_factory=set)
    """Of the pods that it looks after."""

    def node(self) -> Object | None:
        """The Node object, None when it is gone."""
        return self.shared.client.storage.read("nodes", "", self.name)

    def address(self) -> str:
        """The node's internal address, "" when it has none."""
        status: dict[str, Any] = (self.node() or {}).get("status") or {}
        found = (one.get("address") for one in status.get("addresses") or [] if one.get("type") == "InternalIP")
        return next(found, None) or ""


def kubelet_of(node: Object, shared: Shared) -> Kubelet:
    """A kubelet for a node."""
    name = node["metadata"]["name"]
    clock = shared.client.clock
    spec = node.get("spec") or {}
    return Kubelet(
        name,
        shared,
        Recorder(shared.client, "kubelet", name),
        NodeTime(clock),
        Puller(clock.seconds, shared.seed.fork()),
        Addresses(spec.get("podCIDR") or next(iter(spec.get("podCIDRs") or []), "")),
    )
