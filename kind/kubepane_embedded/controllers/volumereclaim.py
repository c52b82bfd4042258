"""What becomes of a volume whose claim is gone: kept, deleted, or failed.

Follows `reclaimVolume` and `doDeleteVolume` of pkg/controller/volume/persistentvolume/pv_controller.go and the deleter of
pkg/volume/hostpath. Left out: recycling of hostPath and NFS volumes, which needs a pod of its own; they stay Released.
"""

from __future__ import annotations

import re

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.volumebinding import VOLUMES, Binding, phase_of
from kubepane_embedded.meta import Object, annotations_of, is_deleting
from kubepane_embedded.recorder import WARNING, Recorder

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
MIGRATED_TO = "pv.kubernetes.io/migrated-to"
HOST_PATHS = re.compile(r"/tmp/.+")  # noqa: S108 - what the deleter of hostPath volumes is allowed to delete
RECYCLED = ("hostPath", "nfs")


class Reclaim:
    """Does what a released volume's reclaim policy says.

    Args:
        client: Who deletes.
        recorder: Where events about volumes go.
        binding: Who writes phases.
    """

    def __init__(self, client: Client, recorder: Recorder, binding: Binding) -> None:
        self._client = client
        self._recorder = recorder
        self._binding = binding

    def __call__(self, volume: Object) -> None:
        """Reclaim a volume that is released."""
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if MIGRATED_TO in annotations_of(volume) or policy == "Retain":
            return
        if policy == "Delete":
            self._delete(volume)
        elif policy != "Recycle":
            self._fail(volume, "VolumeUnknownReclaimPolicy", "Volume has unrecognized PersistentVolumeReclaimPolicy")
        elif not any(volume["spec"].get(source) for source in RECYCLED):
            self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")

    def _delete(self, volume: Object) -> None:
        provisioner = annotations_of(volume).get(PROVISIONED_BY) or ""
        name, spec = volume["metadata"]["name"], volume["spec"]
        if provisioner.startswith("kubernetes.io/"):
            self._fail(volume, "VolumeFailedDelete", f"no volume plugin matched name: {provisioner}")
        elif provisioner or spec.get("csi"):
            return  # whoever made it deletes it
        elif not spec.get("hostPath"):
            which = "no deletable volume plugin matched" if spec.get("nfs") else "no volume plugin matched"
            why = f'error getting deleter volume plugin for volume "{name}": {which}'
            self._fail(volume, "VolumeFailedDelete", why)
        elif HOST_PATHS.search(spec["hostPath"].get("path") or "") is None:
            why = f"host_path deleter only supports /tmp/.+ but received provided {spec['hostPath'].get('path')}"
            self._fail(volume, "VolumeFailedDelete", why)
        elif not is_deleting(volume):
            self._client.delete(VOLUMES, "", name)

    def _fail(self, volume: Object, reason: str, message: str) -> None:
        if phase_of(volume) != "Failed":
            self._recorder.event(self._binding.set_volume_phase(volume, "Failed", message), WARNING, reason, message)
