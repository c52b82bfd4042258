"""The persistent volume controller: which claim gets which volume, and what becomes of volumes whose claim is gone.

Follows pkg/controller/volume/persistentvolume/pv_controller.go. As there, a volume that comes late is found by the look at
everything every 15 seconds, and events about claims that still wait are repeated then.
"""

from __future__ import annotations

from kubepane_embedded.controllers.volumebinding import BIND_COMPLETED, CLAIMS, VOLUMES, Binding, phase_of
from kubepane_embedded.controllers.volumematch import find_volume, is_bound_to, same_volume_mode, why_unfit
from kubepane_embedded.controllers.volumereclaim import PROVISIONED_BY, Reclaim
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, annotations_of, key_of, uid_of
from kubepane_embedded.podfacts import is_finished, node_of
from kubepane_embedded.podindexes import index_pods_by_claim, pods_using
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.storageclasses import CLASSES, class_name, default_class, says_class, waits_for_consumer
from kubepane_embedded.workqueue import WorkQueue

RESYNC_SECONDS = 15.0
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLD_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
NO_VOLUME = "no persistent volumes available for this claim and no storage class is set"
NO_CONSUMER = "waiting for first consumer to be created before binding"
LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
LOST_VOLUME = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. "
    "If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)


class PersistentVolumeController:
    """Binds claims and volumes, keeps their phases, asks for provisioning and reclaims; the plugins are left to `provisioner`.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "persistentvolume-controller")
        self._binding = Binding(self._client)
        self._reclaim = Reclaim(self._client, self._recorder, self._binding)
        self._claims = WorkQueue(core.clock, self._sync_claim, "claims")
        self._volumes = WorkQueue(core.clock, self._sync_volume, "volumes")

    def start(self) -> None:
        """Follow claims and volumes."""
        index_pods_by_claim(self._storage)
        self._storage.add_index(CLAIMS, "volume", lambda claim: filter(None, [claim["spec"].get("volumeName")]))
        self._storage.add_index(VOLUMES, "claim", _claim_of)
        self._storage.subscribe(CLAIMS, self._claims.add)
        self._storage.subscribe(VOLUMES, self._volumes.add)
        self._look_at_all()
        self._core.clock.call_later(RESYNC_SECONDS, self._resync)

    def _resync(self) -> None:
        self._core.clock.call_later(RESYNC_SECONDS, self._resync)
        self._look_at_all()

    def _look_at_all(self) -> None:
        for resource, queue in ((CLAIMS, self._claims), (VOLUMES, self._volumes)):
            for obj in self._storage.objects(resource):
                queue.add(key_of(obj))

    # claims

    def _sync_claim(self, key: Key) -> None:
        claim = self._storage.read(CLAIMS, *key)
        for volume in self._storage.find(VOLUMES, "claim", "/".join(key)):
            if claim is None or volume["spec"]["claimRef"].get("uid") not in (None, "", uid_of(claim)):
                self._volumes.add(key_of(volume))
        if claim is None:
            return
        if BIND_COMPLETED in annotations_of(claim):
            self._sync_bound(claim)
        elif claim["spec"].get("volumeName"):
            self._sync_named(claim, claim["spec"]["volumeName"])
        else:
            self._sync_unbound(claim)

    def _sync_unbound(self, claim: Object) -> None:
        """The claim takes what it can get."""
        waits = waits_for_consumer(self._storage, claim)
        volume = find_volume(claim, self._storage.objects(VOLUMES), waits)
        if volume is not None:
            self._binding.bind(volume, claim)
        elif not self._assign_class(claim):
            self._without_volume(claim, waits)

    def _without_volume(self, claim: Object, waits: bool) -> None:
        if waits and SELECTED_NODE not in annotations_of(claim):
            self._say_waiting(claim)
        elif class_name(claim):
            self._provision(claim)
            return
        else:
            self._recorder.event(claim, NORMAL, "FailedBinding", NO_VOLUME)
        self._binding.set_claim_phase(claim, "Pending", None)

    def _assign_class(self, claim: Object) -> bool:
        """Give the default class to a claim that names none, also when the class came later than the claim."""
        chosen = None if says_class(claim) else default_class(self._storage)
        if chosen is None:
            return False
        self._client.patch(CLAIMS, *key_of(claim), {"spec": {"storageClassName": chosen["metadata"]["name"]}})
        return True

    def _say_waiting(self, claim: Object) -> None:
        pods = [pod for pod in pods_using(self._storage, *key_of(claim)) if not node_of(pod) and not is_finished(pod)]
        names = [key_of(pod)[1] for pod in pods]
        if not names:
            self._recorder.event(claim, NORMAL, "WaitForFirstConsumer", NO_CONSUMER)
            return
        who = f"pod {names[0]}" if len(names) == 1 else f"pods {','.join(names)}"
        self._recorder.event(claim, NORMAL, "WaitForPodScheduled", f"waiting for {who} to be scheduled")

    def _provision(self, claim: Object) -> None:
        """Ask the external provisioner of the class by annotation; there is none inside."""
        name = class_name(claim)
        found = self._storage.read(CLASSES, "", name)
        if found is None:
            self._recorder.event(claim, WARNING, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
            return
        provisioner = found.get("provisioner") or ""
        if provisioner.startswith("kubernetes.io/"):
            self._recorder.event(claim, WARNING, "ProvisioningFailed", f"no volume plugin matched name: {provisioner}")
            return
        if annotations_of(claim).get(PROVISIONER) != provisioner:
            marks = {OLD_PROVISIONER: provisioner, PROVISIONER: provisioner}
            claim = self._client.patch(CLAIMS, *key_of(claim), {"metadata": {"annotations": marks}})
        self._recorder.event(claim, NORMAL, "ExternalProvisioning", EXTERNAL.format(provisioner))

    def _sync_named(self, claim: Object, name: str) -> None:
        """The claim asks for one volume."""
        volume = self._storage.read(VOLUMES, "", name)
        if volume is None:
            self._binding.set_claim_phase(claim, "Pending", None)
        elif is_bound_to(volume, claim):
            self._binding.bind(volume, claim)
        elif volume["spec"].get("claimRef"):
            self._refuse(claim, "FailedBinding", f'volume "{name}" already bound to a different claim.')
        elif why := why_unfit(volume, claim):
            self._refuse(claim, "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
        else:
            self._binding.bind(volume, claim)

    def _refuse(self, claim: Object, reason: str, message: str) -> None:
        self._recorder.event(claim, WARNING, reason, message)
        self._binding.set_claim_phase(claim, "Pending", None)

    def _sync_bound(self, claim: Object) -> None:
        """The claim was bound before; it is lost when the other side is gone."""
        name = claim["spec"].get("volumeName") or ""
        volume = self._storage.read(VOLUMES, "", name)
        if not name:
            self._lose(claim, "ClaimLost", LOST_REFERENCE)
        elif volume is None:
            self._lose(claim, "ClaimLost", LOST_VOLUME)
        elif not volume["spec"].get("claimRef") or volume["spec"]["claimRef"].get("uid") == uid_of(claim):
            self._binding.bind(volume, claim)
        else:
            self._lose(claim, "ClaimMisbound", MISBOUND)

    def _lose(self, claim: Object, reason: str, message: str) -> None:
        if phase_of(claim) != "Lost":
            self._recorder.event(self._binding.set_claim_phase(claim, "Lost", None), WARNING, reason, message)

    # volumes

    def _sync_volume(self, key: Key) -> None:
        volume = self._storage.read(VOLUMES, *key)
        if volume is None:
            for loser in self._storage.find(CLAIMS, "volume", key[1]):
                self._claims.add(key_of(loser))
            return
        reference = volume["spec"].get("claimRef")
        if not reference or not reference.get("uid"):
            self._binding.set_volume_phase(volume, "Available")
            return
        claim = self._storage.read(CLAIMS, reference.get("namespace") or "", reference.get("name") or "")
        if claim is None or uid_of(claim) != reference["uid"]:
            self._release(volume)
        elif claim["spec"].get("volumeName") == volume["metadata"]["name"]:
            self._binding.set_volume_phase(volume, "Bound")
        elif not claim["spec"].get("volumeName"):
            self._hand_over(volume, claim)
        else:
            self._bound_elsewhere(volume)

    def _hand_over(self, volume: Object, claim: Object) -> None:
        """The volume is the claim's already; the claim's own look finishes it."""
        if same_volume_mode(claim, volume):
            self._claims.add(key_of(claim))
            return
        mine, its = volume["metadata"]["name"], claim["metadata"]["name"]
        why = "due to incompatible volumeMode."
        self._recorder.event(volume, WARNING, "VolumeMismatch", f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{its}" {why}')
        self._recorder.event(claim, WARNING, "VolumeMismatch", f'Cannot bind PersistentVolume "{mine}" to requested PersistentVolumeClaim {why}')

    def _bound_elsewhere(self, volume: Object) -> None:
        """The claim took another volume: one made for it is not needed any more, any other is free again."""
        made = PROVISIONED_BY in annotations_of(volume)
        if made and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._release(volume)
        else:
            self._binding.unbind(volume)

    def _release(self, volume: Object) -> None:
        if phase_of(volume) not in ("Released", "Failed"):
            volume = self._binding.set_volume_phase(volume, "Released")
        self._reclaim(volume)


def _claim_of(volume: Object) -> list[str]:
    reference = volume["spec"].get("claimRef")
    return [f"{reference.get('namespace')}/{reference.get('name')}"] if reference else []
