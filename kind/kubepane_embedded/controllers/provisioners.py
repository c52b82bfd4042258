"""The external provisioners that the simulation knows: what they refuse, and what their volumes look like.

Follows rancher/local-path-provisioner (what Kind and k3s ship) and the hostPath provisioners of minikube and Docker Desktop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubepane_embedded.controllers.volumematch import modes_of
from kubepane_embedded.meta import Object, clone, key_of, labels_of, uid_of

HOSTNAME = "kubernetes.io/hostname"
NODE_MODES = {"ReadWriteOnce", "ReadWriteOncePod"}


class Refused(Exception):
    """Why a provisioner does not make a volume."""


@dataclass(frozen=True, slots=True)
class Provisioner:
    """One provisioner.

    Args:
        host: The pod it runs in, part of its name in events, unless the cluster has such a pod with a longer name.
        root: Directory of its volumes.
        on_node: Whether its volumes belong to the node that the scheduler has chosen.
    """

    host: str
    root: str
    on_node: bool

    def volume(self, claim: Object, storage_class: Object, node: Object | None) -> Object:
        """The volume for a claim, without what the controller adds; raises `Refused`."""
        if self.on_node:
            self._check(claim, node)
        namespace, name = key_of(claim)
        made = f"pvc-{uid_of(claim)}"
        path = f"{self.root}/{made}_{namespace}_{name}" if self.on_node else f"{self.root}/{namespace}/{name}"
        spec: dict[str, Any] = {
            "accessModes": list(claim["spec"]["accessModes"]),
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "hostPath": {"path": path, "type": "DirectoryOrCreate" if self.on_node else ""},
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "volumeMode": "Filesystem",
        }
        if storage_class.get("mountOptions"):
            spec["mountOptions"] = clone(storage_class["mountOptions"])
        volume: Object = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": made, "annotations": {}}, "spec": spec}
        if self.on_node and node is not None:
            _tie(volume, node)
        return volume

    def _check(self, claim: Object, node: Object | None) -> None:
        if claim["spec"].get("selector") is not None:
            raise Refused("claim.Spec.Selector is not supported")
        if not modes_of(claim) <= NODE_MODES:
            raise Refused("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes")
        if node is None:
            raise Refused("configuration error, no node was specified")


def _tie(volume: Object, node: Object) -> None:
    """Make a volume usable on one node only."""
    name = node["metadata"]["name"]
    term = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [labels_of(node).get(HOSTNAME) or name]}]}
    volume["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    volume["metadata"]["annotations"]["local.path.provisioner/selected-node"] = name


KNOWN: dict[str, Provisioner] = {
    "rancher.io/local-path": Provisioner("local-path-provisioner", "/var/local-path-provisioner", True),
    "k8s.io/minikube-hostpath": Provisioner("minikube", "/tmp/hostpath-provisioner", False),  # noqa: S108 - a path on a simulated node
    "docker.io/hostpath": Provisioner("storage-provisioner", "/var/lib/k8s-pvs", False),
}
"""By the name in a StorageClass; any other provisioner is absent, and its claims wait."""
