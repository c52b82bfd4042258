"""Volumes of a pod: whether they can be mounted, and what is in them (pkg/kubelet/volumemanager, pkg/volume/*)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kubepane_embedded.kubelet.environment import NAMED, Environment, contents
from kubepane_embedded.kubelet.files import Disk, Mount
from kubepane_embedded.meta import Object, finalizers_of, is_deleting, key_of, uid_of
from kubepane_embedded.storage import Storage

Part = dict[str, Any]
SOURCES = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName")}


class MountFailed(Exception):
    """Why a volume cannot be set up."""


class Problem(NamedTuple):
    """Why a pod waits for a volume: the message of its FailedMount event, and whether the kubelet could not even find what to mount."""

    message: str
    unprocessed: bool


def claim_of(pod: Object, volume: Part) -> str:
    """The claim that a volume means, "" when it means none."""
    if volume.get("ephemeral"):
        return f"{key_of(pod)[1]}-{volume.get('name')}"
    return (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""


def problems(storage: Storage, pod: Object) -> Iterator[Problem]:
    """What keeps a pod's volumes from being mounted, in the order of the volumes."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    lost = [(volume["name"], trouble) for volume in volumes if (trouble := _claim_trouble(storage, pod, volume))]
    if lost:
        names = " ".join(name for name, _ in lost)
        every = " ".join(volume["name"] for volume in volumes)
        reasons = "; ".join(trouble for _, trouble in lost)
        text = f"unmounted volumes=[{every}], unattached volumes=[], failed to process volumes=[{names}]: {reasons}"
        yield Problem(f"Unable to attach or mount volumes: {text}", True)
    for volume in volumes:
        try:
            payload(storage, pod, volume)
        except MountFailed as failure:
            yield Problem(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {failure}', False)


def _claim_trouble(storage: Storage, pod: Object, volume: Part) -> str:
    """Why a claim cannot be used (desired_state_of_world_populator.go), "" when it can or there is none."""
    name = claim_of(pod, volume)
    if not name:
        return ""
    namespace = key_of(pod)[0]
    claim = storage.read("persistentvolumeclaims", namespace, name)
    return f"error processing PVC {namespace}/{name}: {trouble}" if (trouble := _unusable(storage, claim, name)) else ""


def _unusable(storage: Storage, claim: Object | None, name: str) -> str:
    if claim is None:
        return f'failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found'
    if is_deleting(claim) and "kubernetes.io/pvc-protection" not in finalizers_of(claim):
        return "PVC is being deleted"
    if (claim.get("status") or {}).get("phase") != "Bound":
        return "PVC is not bound"
    volume_name = (claim.get("spec") or {}).get("volumeName") or ""
    if not volume_name:
        return "PVC has empty pvc.Spec.VolumeName"
    volume = storage.read("persistentvolumes", "", volume_name)
    if volume is None:
        return f'failed to fetch PV {volume_name} from API server: persistentvolumes "{volume_name}" not found'
    reference = (volume.get("spec") or {}).get("claimRef")
    if not reference:
        return f"found PV object {volume_name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
    if reference.get("uid") != uid_of(claim):
        uids = f"pv.Spec.ClaimRef.UID {reference.get('uid') or ''} does not point to claim.UID {uid_of(claim)}"
        return f"found PV object {volume_name} but its {uids}"
    return ""


def payload(storage: Storage, pod: Object, volume: Part) -> Disk:
    """The files of a ConfigMap, Secret, projected or downward volume now; {} for the others; raises MountFailed."""
    for field, (kind, naming) in SOURCES.items():
        if volume.get(field):
            return _keyed(storage, pod, kind, volume[field], naming)
    if volume.get("downwardAPI"):
        return _downward(storage, pod, volume["downwardAPI"].get("items") or [])
    if volume.get("projected"):
        return _projected(storage, pod, volume["projected"].get("sources") or [])
    return {}


def _keyed(storage: Storage, pod: Object, kind: str, source: Part, naming: str) -> Disk:
    name = source.get(naming) or ""
    obj = storage.read(f"{NAMED[kind]}s", key_of(pod)[0], name)
    if obj is None:
        if source.get("optional"):
            return {}
        raise MountFailed(f'{NAMED[kind]} "{name}" not found')
    known = contents(kind, obj)
    if not source.get("items"):
        return known
    found: Disk = {}
    for item in source["items"]:
        key = item.get("key") or ""
        if key in known:
            found[item.get("path") or key] = known[key]
        elif not source.get("optional"):
            lead = "configmap references non-existent config key" if kind == "ConfigMap" else "references non-existent secret key"
            raise MountFailed(f"{lead}: {key}")
    return found


def _downward(storage: Storage, pod: Object, items: list[Part]) -> Disk:
    found: Disk = {}
    for item in items:
        environment = Environment(storage, pod, {}, (pod.get("status") or {}).get("podIP") or "", "")
        reference = item.get("fieldRef")
        text = environment.field(reference.get("fieldPath") or "") if reference else environment.resource(item.get("resourceFieldRef") or {})
        found[item.get("path") or ""] = text
    return found


def _projected(storage: Storage, pod: Object, sources: list[Part]) -> Disk:
    found: Disk = {}
    failures: list[str] = []
    for source in sources:
        try:
            found.update(_source(storage, pod, source))
        except MountFailed as failure:
            failures.append(str(failure))
    if failures:
        raise MountFailed(failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")
    return found


def _source(storage: Storage, pod: Object, source: Part) -> Disk:
    if source.get("configMap"):
        return _keyed(storage, pod, "ConfigMap", source["configMap"], "name")
    if source.get("secret"):
        return _keyed(storage, pod, "Secret", source["secret"], "name")
    if source.get("downwardAPI"):
        return _downward(storage, pod, source["downwardAPI"].get("items") or [])
    if source.get("serviceAccountToken"):
        return {source["serviceAccountToken"].get("path") or "token": "simulated\n"}
    return {}


class Volumes:
    """What is written into volumes, for as long as they live: emptyDirs with their pod, claims' volumes for good."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._disks: dict[tuple[str, str], Disk] = {}

    def forget(self, uid: str) -> None:
        """A pod is gone, and with it what was in its emptyDirs."""
        for place in [place for place in self._disks if place[0] == uid]:
            del self._disks[place]

    def mounts(self, pod: Callable[[], Object], container: Part) -> list[Mount]:
        """The mounts of a container; `pod` gives its newest state (mounted ConfigMaps follow changes)."""
        volumes = {volume.get("name"): volume for volume in (pod().get("spec") or {}).get("volumes") or []}
        found = []
        for mount in container.get("volumeMounts") or []:
            volume = volumes.get(mount.get("name"))
            if volume is not None:
                found.append(self._mount(pod, volume, mount))
        return found

    def _mount(self, pod: Callable[[], Object], volume: Part, mount: Part) -> Mount:
        path, sub_path = (mount.get("mountPath") or "/").rstrip("/") or "/", (mount.get("subPath") or "").strip("/")
        if any(volume.get(field) for field in (*SOURCES, "downwardAPI", "projected")):
            return Mount(path, lambda: self._read(pod(), volume), None, sub_path)
        disk = self._disks.setdefault(self._place(pod(), volume), {})
        return Mount(path, lambda: disk, None if mount.get("readOnly") else disk, sub_path)

    def _read(self, pod: Object, volume: Part) -> Disk:
        try:
            return payload(self._storage, pod, volume)
        except MountFailed:
            return {}

    def _place(self, pod: Object, volume: Part) -> tuple[str, str]:
        claim = claim_of(pod, volume)
        if not claim:
            return (uid_of(pod), volume.get("name") or "")
        obj = self._storage.read("persistentvolumeclaims", key_of(pod)[0], claim) or {}
        return ("", (obj.get("spec") or {}).get("volumeName") or claim)
