"""Writing that a claim and a volume belong together, on both sides, and their phases.

Follows `bind`, `unbindVolume`, `updateClaimStatus` and `updateVolumePhase` of pkg/controller/volume/persistentvolume/pv_controller.go.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.volumematch import is_bound_to
from kubepane_embedded.meta import Object, annotations_of, key_of, uid_of
from kubepane_embedded.quantity import parse
from kubepane_embedded.storage import Storage

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


def index_unbound_claims(storage: Storage) -> None:
    """Keep the index `unbound` of claims: `yes` for those whose binding is not complete."""
    storage.add_index(CLAIMS, "unbound", lambda claim: () if BIND_COMPLETED in annotations_of(claim) else ("yes",))


def unbound_claims(storage: Storage) -> list[Object]:
    """Claims whose binding is not complete."""
    return storage.find(CLAIMS, "unbound", "yes")


def phase_of(obj: Object) -> str:
    """status.phase of a claim or volume."""
    return (obj.get("status") or {}).get("phase") or ""


class Binding:
    """Two-sided binding; every write is left out when it would change nothing.

    Args:
        client: Who writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def bind(self, volume: Object, claim: Object) -> None:
        """Bind both, volume first; what a refusal leaves half done is finished by the next look."""
        volume = self._refer(volume, claim)
        volume = self.set_volume_phase(volume, "Bound")
        claim = self._name(claim, volume)
        self.set_claim_phase(claim, "Bound", volume)

    def _refer(self, volume: Object, claim: Object) -> Object:
        """The volume's side: claimRef."""
        reference = volume["spec"].get("claimRef") or {}
        patch: dict[str, Any] = {}
        namespace, name = key_of(claim)
        if (reference.get("namespace"), reference.get("name"), reference.get("uid")) != (namespace, name, uid_of(claim)):
            version = claim["metadata"]["resourceVersion"]
            wanted = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid_of(claim), "apiVersion": "v1"}
            patch["spec"] = {"claimRef": {**dict.fromkeys(reference), **wanted, "resourceVersion": version}}
        if not is_bound_to(volume, claim) and BOUND_BY_CONTROLLER not in annotations_of(volume):
            patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
        return self._client.patch(VOLUMES, "", volume["metadata"]["name"], patch) if patch else volume

    def _name(self, claim: Object, volume: Object) -> Object:
        """The claim's side: volumeName."""
        annotations, patch = annotations_of(claim), {}
        marks: dict[str, str] = {}
        if claim["spec"].get("volumeName") != volume["metadata"]["name"]:
            patch["spec"] = {"volumeName": volume["metadata"]["name"]}
            if BOUND_BY_CONTROLLER not in annotations:
                marks[BOUND_BY_CONTROLLER] = "yes"
        if BIND_COMPLETED not in annotations:
            marks[BIND_COMPLETED] = "yes"
        if marks:
            patch["metadata"] = {"annotations": marks}
        return self._client.patch(CLAIMS, *key_of(claim), patch) if patch else claim

    def unbind(self, volume: Object) -> None:
        """Let go of a claim that is bound elsewhere; a volume that a person kept for it stays kept, without uid."""
        if BOUND_BY_CONTROLLER in annotations_of(volume):
            patch: dict[str, Any] = {"spec": {"claimRef": None}, "metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}}
        else:
            patch = {"spec": {"claimRef": {"uid": None}}}
        volume = self._client.patch(VOLUMES, "", volume["metadata"]["name"], patch)
        self.set_volume_phase(volume, "Available")

    def set_volume_phase(self, volume: Object, phase: str, message: str = "") -> Object:
        """Set a volume's phase and message when the phase is another."""
        if phase_of(volume) == phase:
            return volume
        return self._client.patch_status(VOLUMES, "", volume["metadata"]["name"], {"phase": phase, "message": message or None})

    def set_claim_phase(self, claim: Object, phase: str, volume: Object | None) -> Object:
        """Set a claim's phase, and the volume's modes and size when it is becoming bound; without a volume they are taken out."""
        status = claim.get("status") or {}
        wanted = {"phase": phase, **(_cleared(status) if volume is None else _taken(status, phase, volume))}
        patch = {key: value for key, value in wanted.items() if status.get(key) != value}
        return self._client.patch_status(CLAIMS, *key_of(claim), patch) if patch else claim


def _cleared(status: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("accessModes", "capacity", "currentVolumeAttributesClassName") if status.get(name) is not None]
    return dict.fromkeys(names)


def _taken(status: dict[str, Any], phase: str, volume: Object) -> dict[str, Any]:
    """What a claim's status takes over; the size only while the phase changes, as a resize may differ on purpose later."""
    found: dict[str, Any] = {"accessModes": volume["spec"].get("accessModes")}
    if status.get("phase") == phase:
        return found
    size = (volume["spec"].get("capacity") or {}).get("storage")
    present = (status.get("capacity") or {}).get("storage")
    if size is not None and (present is None or parse(present) != parse(size)):
        found["capacity"] = dict(volume["spec"]["capacity"])
    if status.get("phase") == "Pending" and volume["spec"].get("volumeAttributesClassName"):
        found["currentVolumeAttributesClassName"] = volume["spec"]["volumeAttributesClassName"]
    return found
