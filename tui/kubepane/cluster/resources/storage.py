"""Claims, volumes and storage classes."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Condition, Labels, Object, Ref, Resources, Selector, Struct
from kubepane.cluster.resources.pods import NodeSelector


class ClaimSpec(Struct, frozen=True):
    access_modes: tuple[str, ...] | None = None
    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str | None = None
    volume_attributes_class_name: str | None = None
    resources: Resources = Resources()
    selector: Selector | None = None


class ClaimStatus(Struct, frozen=True):
    phase: str = ""
    access_modes: tuple[str, ...] | None = None
    capacity: Labels | None = None
    conditions: tuple[Condition, ...] | None = None


class Claim(Object, frozen=True):
    """PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class VolumeNodeAffinity(Struct, frozen=True):
    required: NodeSelector | None = None


class VolumeHandle(Struct, frozen=True):
    """Where a volume's data is, for the sources that can say it: hostPath, local, nfs, csi."""

    path: str = ""
    server: str = ""
    driver: str = ""


class PersistentVolumeSpec(Struct, frozen=True):
    capacity: Labels | None = None
    access_modes: tuple[str, ...] | None = None
    claim_ref: Ref | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    volume_mode: str | None = None
    volume_attributes_class_name: str | None = None
    node_affinity: VolumeNodeAffinity | None = None
    host_path: VolumeHandle | None = None
    local: VolumeHandle | None = None
    nfs: VolumeHandle | None = None
    csi: VolumeHandle | None = None


class PersistentVolumeStatus(Struct, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""


class PersistentVolume(Object, frozen=True):
    spec: PersistentVolumeSpec = PersistentVolumeSpec()
    status: PersistentVolumeStatus = PersistentVolumeStatus()


class StorageClass(Object, frozen=True):
    provisioner: str = ""
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None
    allow_volume_expansion: bool | None = None
