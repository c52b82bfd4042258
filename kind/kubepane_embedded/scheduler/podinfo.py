"""A pod as the scheduler sees it: what it asks for and what it is, read once per version of its spec."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from kubepane_embedded.meta import Key, Object, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import is_finished, node_of
from kubepane_embedded.scheduler.demand import MISSING, Amounts, requests_of
from kubepane_embedded.scheduler.node_selection import NodeRequirement, required_of
from kubepane_embedded.scheduler.pod_terms import PodTerms, terms_of

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - how Kubernetes writes "any", nothing is opened
DEFAULT_SCHEDULER = "default-scheduler"


class HostPort(NamedTuple):
    """A port that a pod takes on its node."""

    address: str
    protocol: str
    port: int

    def collides(self, other: HostPort) -> bool:
        """Whether both cannot be on one node."""
        if (self.port, self.protocol) != (other.port, other.protocol):
            return False
        return self.address == other.address or ANY_ADDRESS in (self.address, other.address)


class Claim(NamedTuple):
    """A claim that a pod's volume uses."""

    name: str
    ephemeral: bool


class PodInfo:
    """One pod. `object` is the newest version; `node` is where it is bound or assumed to be."""

    def __init__(self, pod: Object, node: str = "") -> None:
        self.object = pod
        self.key: Key = key_of(pod)
        self.namespace, self.name = self.key
        self.uid = uid_of(pod)
        self.node = node or node_of(pod)
        self.labels = labels_of(pod)
        self.deleting = is_deleting(pod)
        self.generation = pod["metadata"].get("generation")
        self.resized = _resize_state(pod)

    @property
    def spec(self) -> dict[str, Any]:
        """The pod's spec."""
        found: dict[str, Any] = self.object.get("spec") or {}
        return found

    @property
    def counts(self) -> bool:
        """Whether it holds a place on a node."""
        return bool(self.node) and not is_finished(self.object)

    @property
    def priority(self) -> int:
        """spec.priority."""
        return self.spec.get("priority") or 0

    @property
    def tolerations(self) -> list[dict[str, Any]]:
        """spec.tolerations, never None."""
        return self.spec.get("tolerations") or []

    @property
    def gates(self) -> list[str]:
        """Names of the gates that keep it from being scheduled."""
        return [gate.get("name", "") for gate in self.spec.get("schedulingGates") or []]

    @cached_property
    def requests(self) -> Amounts:
        """What it asks for."""
        return requests_of(self.object)

    @cached_property
    def weighed(self) -> Amounts:
        """What it counts for in scores: containers without requests are not free."""
        return requests_of(self.object, MISSING)

    @cached_property
    def terms(self) -> PodTerms:
        """Pod affinity and anti-affinity."""
        return terms_of(self.object)

    @cached_property
    def required(self) -> NodeRequirement:
        """nodeSelector and required node affinity."""
        return required_of(self.object)

    @cached_property
    def ports(self) -> tuple[HostPort, ...]:
        """Host ports of containers and sidecars."""
        sidecars = [one for one in self.spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
        containers = [*(self.spec.get("containers") or []), *sidecars]
        ports = [port for container in containers for port in container.get("ports") or [] if port.get("hostPort")]
        return tuple(HostPort(one.get("hostIP") or ANY_ADDRESS, one.get("protocol") or "TCP", one["hostPort"]) for one in ports)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Claims of its volumes; an ephemeral volume's claim is named after pod and volume."""
        found = []
        for volume in self.spec.get("volumes") or []:
            if volume.get("persistentVolumeClaim"):
                found.append(Claim(volume["persistentVolumeClaim"].get("claimName") or "", False))
            elif volume.get("ephemeral"):
                found.append(Claim(f"{self.name}-{volume.get('name')}", True))
        return tuple(found)

    def is_same_for_scheduling(self, other: PodInfo) -> bool:
        """Whether another version of the pod weighs the same: it differs in status at most."""
        if self.uid != other.uid or self.node != other.node or self.counts != other.counts or self.deleting != other.deleting:
            return False
        if self.generation is None or self.generation != other.generation:
            return False
        return self.labels == other.labels and self.resized == other.resized


def _resize_state(pod: Object) -> list[Any]:
    """What containers really have, which counts while a resize is under way."""
    status = pod.get("status") or {}
    return [(one.get("resources"), one.get("allocatedResources")) for one in status.get("containerStatuses") or [] if one.get("resources")]
