"""Whether a kubelet is alive: what was last heard of each node, and the conditions of one that has fallen silent.

Follows `tryUpdateNodeHealth` of pkg/controller/nodelifecycle/node_lifecycle_controller.go, with the periods of 1.35.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.meta import Object
from kubepane_embedded.podfacts import condition
from kubepane_embedded.storage import Storage

LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
GRACE_SECONDS = 50.0
"""Silence after which a node is Unknown (it was 40 before 1.32)."""
STARTUP_GRACE_SECONDS = 60.0
"""The same for a node that has never said how it is."""
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
SILENT = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER_HEARD = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


@dataclass(slots=True)
class Heard:
    """The last sign of life of one node.

    Args:
        when: Cluster seconds.
        heartbeat: The Ready condition's time then, None when it had no such condition.
        renewed: The Lease's renewTime then, "" when it had none.
    """

    when: float
    heartbeat: str | None
    renewed: str = ""


class NodeHealth:
    """What was heard of all nodes.

    Args:
        client: Who writes.
        storage: Where Leases are read.
    """

    def __init__(self, client: Client, storage: Storage) -> None:
        self._client = client
        self._storage = storage
        self._heard: dict[str, Heard] = {}

    def forget(self, name: str) -> None:
        """The node is gone."""
        self._heard.pop(name, None)

    def excuse_all(self) -> None:
        """Count every node as heard now, when the controller itself could have been cut off."""
        for heard in self._heard.values():
            heard.when = self._client.clock.seconds()

    def check(self, node: Object) -> Object:
        """Listen; returns the node, with unknown conditions when it has been silent for too long."""
        ready = condition(node, "Ready")
        heard = self._listen(node, ready)
        grace = STARTUP_GRACE_SECONDS if ready is None else GRACE_SECONDS
        if self._client.clock.seconds() - heard.when < grace:  # a real clock is always a little past the exact second
            return node
        return self._lost(node)

    def _listen(self, node: Object, ready: dict[str, Any] | None) -> Heard:
        name, now = node["metadata"]["name"], self._client.clock.seconds()
        heartbeat = (ready or {}).get("lastHeartbeatTime") or "" if ready is not None else None
        heard = self._heard.get(name)
        if heard is None:
            born = parse_stamp(node["metadata"]["creationTimestamp"])
            since = now if ready is not None else now - (self._client.clock.now() - born).total_seconds()
            heard = self._heard[name] = Heard(since, heartbeat)
        elif heartbeat != heard.heartbeat:
            heard.when, heard.heartbeat = now, heartbeat
        lease = self._storage.read(LEASES, LEASE_NAMESPACE, name)
        renewed = ((lease or {}).get("spec") or {}).get("renewTime") or ""
        if renewed > heard.renewed:
            heard.when, heard.renewed = now, renewed
        return heard

    def _lost(self, node: Object) -> Object:
        """All conditions that the kubelet keeps become Unknown; a node that is so already is not written again."""
        ready = condition(node, "Ready")
        if ready is not None and ready.get("status") == "Unknown":
            return node
        present = (node.get("status") or {}).get("conditions") or []
        known = {one.get("type") for one in present}
        changed = [self._unknown(one) if one.get("type") in WATCHED else one for one in present]
        changed += [self._never(node, kind) for kind in WATCHED if kind not in known]
        return self._client.patch_status("nodes", "", node["metadata"]["name"], {"conditions": changed})

    def _unknown(self, one: dict[str, Any]) -> dict[str, Any]:
        if one.get("status") == "Unknown":
            return one
        reason, message = SILENT
        return {**one, "status": "Unknown", "reason": reason, "message": message, "lastTransitionTime": self._client.clock.stamp()}

    def _never(self, node: Object, kind: str) -> dict[str, Any]:
        reason, message = NEVER_HEARD
        times = {"lastHeartbeatTime": node["metadata"]["creationTimestamp"], "lastTransitionTime": self._client.clock.stamp()}
        return {"type": kind, "status": "Unknown", "reason": reason, "message": message, **times}
