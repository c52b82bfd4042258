"""Binding a pod's waiting claims on the node that was chosen (AssumePodVolumes and BindPodVolumes in volumebinding/binder.go).

A volume that is there is referred to the claim, a claim to be provisioned gets the annotation `selected-node`; then the volume controller
is waited for, looking once a second as upstream does.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.volumebinding import BOUND_BY_CONTROLLER, CLAIMS, VOLUMES
from kubepane_embedded.controllers.volumematch import is_bound_to, matches_node
from kubepane_embedded.meta import Object, annotations_of, key_of, labels_of, uid_of
from kubepane_embedded.scheduler.framework import PodVolumes
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.scheduler.volumes import SELECTED_NODE, is_fully_bound

TIMEOUT_SECONDS = 600.0
POLL_SECONDS = 1.0
TIMED_OUT = "context deadline exceeded"
NO_TERM = "no matching NodeSelectorTerms"


class BindingFailed(Exception):
    """The claims will not be bound this way; the pod has to be scheduled again."""


class VolumeBinder:
    """Writes decisions about volumes and tells whether they have come true.

    Args:
        client: Who writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._storage = client.storage

    def write(self, volumes: PodVolumes, node: str) -> None:
        """Write what was decided; `ApiError` when it is refused."""
        for volume, claim in volumes.static:
            patch = _reference_patch(volume, claim)
            if patch:
                self._client.patch(VOLUMES, "", key_of(volume)[1], patch)
        for claim in volumes.dynamic:
            if annotations_of(claim).get(SELECTED_NODE) != node:
                self._client.patch(CLAIMS, *key_of(claim), {"metadata": {"annotations": {SELECTED_NODE: node}}})

    def are_bound(self, pod: PodInfo, volumes: PodVolumes, node: str) -> bool:
        """Whether all claims are bound; `BindingFailed` when they cannot become so any more."""
        found = self._storage.read("nodes", "", node)
        if found is None:
            raise BindingFailed(f'failed to get node "{node}": node "{node}" not found')
        present = self._storage.read("pods", *pod.key)
        if present is None or uid_of(present) != pod.uid:
            raise BindingFailed(f'pod does not exist any more: pod "{pod.name}" not found')
        static = [self._is_static_bound(*pair, found) for pair in volumes.static]
        return all(static) and all(self._is_provisioned(claim, found) for claim in volumes.dynamic)

    def _is_static_bound(self, volume: Object, claim: Object, node: Object) -> bool:
        name = key_of(volume)[1]
        present = self._storage.read(VOLUMES, "", name)
        if present is None:
            raise BindingFailed(f'failed to check binding: could not find v1.PersistentVolume "{name}"')
        _check_place(present, node)
        if not (present["spec"].get("claimRef") or {}).get("uid"):
            raise BindingFailed(f'ClaimRef got reset for pv "{name}"')
        return is_fully_bound(self._claim(claim, "failed to check binding"))

    def _is_provisioned(self, claim: Object, node: Object) -> bool:
        present = self._claim(claim, "failed to check provisioning pvc")
        name, annotations = key_of(claim)[1], annotations_of(present)
        if not annotations:
            raise BindingFailed(f'selectedNode annotation reset for PVC "{name}"')
        if annotations.get(SELECTED_NODE) != key_of(node)[1]:
            raise BindingFailed(f'provisioning failed for PVC "{name}"')
        volume = self._storage.read(VOLUMES, "", present["spec"].get("volumeName") or "")
        if volume is None:
            return False
        _check_place(volume, node)
        return is_fully_bound(present)

    def _claim(self, claim: Object, doing: str) -> Object:
        namespace, name = key_of(claim)
        present = self._storage.read(CLAIMS, namespace, name)
        if present is None:
            raise BindingFailed(f'{doing}: could not find v1.PersistentVolumeClaim "{namespace}/{name}"')
        return present


def _check_place(volume: Object, node: Object) -> None:
    if not matches_node(volume, labels_of(node)):
        raise BindingFailed(f'pv "{key_of(volume)[1]}" node affinity doesn\'t match node "{key_of(node)[1]}": {NO_TERM}')


def _reference_patch(volume: Object, claim: Object) -> dict[str, Any]:
    """What makes a volume refer to its claim (volume.GetBindVolumeToClaim)."""
    patch: dict[str, Any] = {}
    reference = volume["spec"].get("claimRef") or {}
    namespace, name = key_of(claim)
    if (reference.get("namespace"), reference.get("name"), reference.get("uid")) != (namespace, name, uid_of(claim)):
        wanted = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid_of(claim), "apiVersion": "v1"}
        patch["spec"] = {"claimRef": {**wanted, "resourceVersion": claim["metadata"]["resourceVersion"]}}
    if not is_bound_to(volume, claim) and BOUND_BY_CONTROLLER not in annotations_of(volume):
        patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
    if patch:
        patch.setdefault("metadata", {})["resourceVersion"] = volume["metadata"]["resourceVersion"]
    return patch
