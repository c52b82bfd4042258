"""A node's Lease and status (pkg/kubelet/kubelet_node_status.go, component-helpers/apimachinery/lease)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import Clock
from kubepane_embedded.errors import ApiError
from kubepane_embedded.kubelet.kubelet import Kubelet
from kubepane_embedded.meta import Object, owner_reference
from kubepane_embedded.nodes import CONDITIONS, node_object
from kubepane_embedded.recorder import NORMAL

LEASES, NAMESPACE = "leases.coordination.k8s.io", "kube-node-lease"
INTERVAL = 10.0
"""Seconds between two renewals of the lease, lengthened by up to 4 %."""
DURATION = 40
REPORT = 300.0
"""Seconds after which the status is written though nothing has changed."""
IMAGES = 50
"""Images that a status names at most (nodeStatusMaxImages)."""
Part = dict[str, Any]


class Heartbeat:
    """Tells the API that a node is alive, until it is stopped.

    Args:
        kubelet: The node's kubelet.
        clock: Cluster time.
    """

    def __init__(self, kubelet: Kubelet, clock: Clock) -> None:
        self._kubelet = kubelet
        self._clock = clock
        self._client = kubelet.shared.client
        self._reported = 0.0
        self._cordoned = False
        self._ended = False

    def start(self) -> None:
        """Report at once, then go on."""
        node = self._kubelet.node()
        if node is not None:
            self._kubelet.recorder.event(node, NORMAL, "Starting", "Starting kubelet.")
        self.beat()

    def end(self) -> None:
        """The node is gone."""
        self._ended = True

    def beat(self) -> None:
        """Renew the lease; write the status when it is due or has changed."""
        if self._ended:
            return
        node = self._kubelet.node()
        if node is not None and not self._kubelet.time.stopped:
            try:
                self._renew(node)
                self._say_cordoned(node)
                self.report(node)
            except ApiError:
                pass  # the next beat tries again
        self._kubelet.time.later(self._kubelet.shared.seed.jitter(INTERVAL, 0.04), self.beat)

    def _renew(self, node: Object) -> None:
        now = self._clock.micro_stamp()
        if self._client.storage.read(LEASES, NAMESPACE, self._kubelet.name) is not None:
            self._client.patch(LEASES, NAMESPACE, self._kubelet.name, {"spec": {"renewTime": now}})
            return
        owner = owner_reference(node, controller=False)
        meta = {"name": self._kubelet.name, "namespace": NAMESPACE, "ownerReferences": [owner]}
        spec = {"holderIdentity": self._kubelet.name, "leaseDurationSeconds": DURATION, "renewTime": now}
        self._client.create(LEASES, {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": meta, "spec": spec})

    def _say_cordoned(self, node: Object) -> None:
        """An event when the node was cordoned or uncordoned (pkg/kubelet/kubelet_node_status.go, recordNodeSchedulableEvent)."""
        cordoned = bool((node.get("spec") or {}).get("unschedulable"))
        if cordoned != self._cordoned:
            self._cordoned = cordoned
            word = "NodeNotSchedulable" if cordoned else "NodeSchedulable"
            self._kubelet.recorder.event(node, NORMAL, word, f"Node {self._kubelet.name} status is now: {word}")

    def report(self, node: Object) -> None:
        """Write the node's status when it is due or has changed."""
        before = node.get("status") or {}
        status = self._status(node, before)
        due = self._clock.seconds() - self._reported >= REPORT
        if not due and _without_beats(status) == _without_beats(before):
            return
        self._reported = self._clock.seconds()
        self._client.update_status("nodes", {**node, "status": status})
        for kind, reason in _turned(before, status):
            word = "NodeReady" if kind == "Ready" else reason.replace("Kubelet", "Node", 1)
            self._kubelet.recorder.event(node, NORMAL, word, f"Node {self._kubelet.name} status is now: {word}")

    def _status(self, node: Object, before: Part) -> Part:
        now = self._clock.stamp()
        fresh = node_object(self._kubelet.name, 0, now)["status"]
        status: Part = {**{key: value for key, value in fresh.items() if key not in ("conditions", "addresses")}, **_filled(before)}
        if not status.get("addresses"):
            status["addresses"] = self._addresses()
        status["conditions"] = _conditions(before.get("conditions") or [], now)
        present = self._kubelet.puller.present
        images: list[Part] = [{"names": [name], "sizeBytes": size} for name, size in present.items()]
        images += [one for one in before.get("images") or [] if not present.keys() & set(one.get("names") or [])]
        if images:
            status["images"] = sorted(images, key=lambda one: (-int(one.get("sizeBytes") or 0), str(one.get("names"))))[:IMAGES]
        return status

    def _addresses(self) -> list[Part]:
        """An address for a node that was made without one."""
        number = 2 + self._kubelet.shared.seed.below(250)
        return [{"type": "InternalIP", "address": f"172.18.1.{number}"}, {"type": "Hostname", "address": self._kubelet.name}]


def _filled(before: Part) -> Part:
    """What a status says already: empty parts do not count."""
    filled = {key: value for key, value in before.items() if value and key != "conditions"}
    if not (before.get("nodeInfo") or {}).get("kubeletVersion"):
        filled.pop("nodeInfo", None)
    if not ((before.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port"):
        filled.pop("daemonEndpoints", None)
    return filled


def _conditions(before: list[Part], now: str) -> list[Part]:
    """The kubelet's own conditions, healthy; others' as they are."""
    own = {kind for kind, _, _, _ in CONDITIONS}
    found = [one for one in before if one.get("type") not in own]
    for kind, status, reason, message in CONDITIONS:
        old = next((one for one in before if one.get("type") == kind), {})
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        fresh = {"type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": since or now, "reason": reason, "message": message}
        found.append(fresh)
    return found


def _turned(before: Part, after: Part) -> list[tuple[str, str]]:
    """Conditions whose status is another now, with their reason."""
    old = {one.get("type"): one.get("status") for one in before.get("conditions") or []}
    return [(one["type"], one.get("reason") or "") for one in after["conditions"] if old.get(one["type"]) != one["status"]]


def _without_beats(status: Part) -> Part:
    conditions = [{key: value for key, value in one.items() if key != "lastHeartbeatTime"} for one in status.get("conditions") or []]
    return {**status, "conditions": sorted(conditions, key=lambda one: str(one.get("type")))}
