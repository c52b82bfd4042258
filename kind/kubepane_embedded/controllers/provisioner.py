"""Dynamic provisioning: makes volumes for claims that ask a known provisioner, and deletes them when they are released.

Follows sig-storage-lib-external-provisioner (controller.go), which the provisioners of `provisioners.KNOWN` are built on. Left out: the
helper pods that make and remove the directories; their time is kept.
"""

from __future__ import annotations

from kubepane_embedded.backend import Backend
from kubepane_embedded.controllers.provisioners import KNOWN, Provisioner, Refused
from kubepane_embedded.controllers.volumebinding import CLAIMS, VOLUMES, index_unbound_claims, phase_of, unbound_claims
from kubepane_embedded.controllers.volumereclaim import PROVISIONED_BY
from kubepane_embedded.controllers.volumes import PROVISIONER, SELECTED_NODE
from kubepane_embedded.errors import ApiError
from kubepane_embedded.faults import asked
from kubepane_embedded.meta import Key, Object, annotations_of, is_deleting, key_of, uid_of
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.storageclasses import CLASSES, class_name, waits_for_consumer
from kubepane_embedded.workqueue import WorkQueue

FIRST_RETRY, LAST_RETRY, TRIES = 15.0, 1000.0, 15
WORK_SECONDS = (1.5, 3.5)
"""How long making or deleting a volume takes."""


class ExternalProvisioner:
    """All known provisioners, each silent where it would be absent.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Backend) -> None:
        self._core = core
        self._storage = core.storage
        self._client = core.client("local-path-provisioner")
        self._seed = core.seed.fork()
        self._recorders: dict[str, Recorder] = {}
        self._working: set[str] = set()
        self._failures: dict[str, int] = {}
        self._claims = WorkQueue(core.clock, self._sync_claim, "provision")
        self._volumes = WorkQueue(core.clock, self._sync_volume, "delete-volumes")

    def start(self) -> None:
        """Follow claims, volumes, and classes that change."""
        index_unbound_claims(self._storage)
        self._storage.subscribe(CLASSES, self._class_changed)
        for resource, queue in ((CLAIMS, self._claims), (VOLUMES, self._volumes)):
            self._storage.subscribe(resource, queue.add)
            for obj in self._storage.objects(resource):
                queue.add(key_of(obj))

    def _class_changed(self, key: Key) -> None:
        for claim in unbound_claims(self._storage):
            if class_name(claim) == key[1]:
                self._claims.add(key_of(claim))

    def _recorder(self, provisioner: str) -> Recorder:
        """Events come from `rancher.io/local-path_<pod>_<uuid>`."""
        if provisioner not in self._recorders:
            host = KNOWN[provisioner].host
            pods = [key_of(pod)[1] for pod in self._storage.objects("pods", "local-path-storage") if key_of(pod)[1].startswith(f"{host}-")]
            name = f"{provisioner}_{next(iter(pods), host)}_{self._seed.uid()}"
            self._recorders[provisioner] = Recorder(self._client, name)
        return self._recorders[provisioner]

    # making

    def _asked(self, claim: Object) -> tuple[str, Object] | None:
        """The provisioner and class that are to make a volume for a claim now, or None."""
        name = annotations_of(claim).get(PROVISIONER) or ""
        found = self._storage.read(CLASSES, "", class_name(claim))
        if claim["spec"].get("volumeName") or name not in KNOWN or found is None or found.get("provisioner") != name:
            return None
        if waits_for_consumer(self._storage, claim) and not annotations_of(claim).get(SELECTED_NODE):
            return None
        return None if self._storage.read(VOLUMES, "", f"pvc-{uid_of(claim)}") else (name, found)

    def _sync_claim(self, key: Key) -> None:
        claim = self._storage.read(CLAIMS, *key)
        wanted = self._asked(claim) if claim is not None else None
        if claim is None or wanted is None or uid_of(claim) in self._working:
            return
        name, storage_class = wanted
        if _fault(claim, storage_class) == "never":
            return
        if claim["spec"].get("volumeMode") == "Block":
            self._recorder(name).event(claim, WARNING, "ProvisioningFailed", f"{name} does not support block volume provisioning")
        elif self._node_is_gone(claim):
            self._reschedule(claim, name)
        else:
            self._begin(claim, name)

    def _begin(self, claim: Object, name: str) -> None:
        namespace, its = key_of(claim)
        text = f'External provisioner is provisioning volume for claim "{namespace}/{its}"'
        self._recorder(name).event(claim, NORMAL, "Provisioning", text)
        uid = uid_of(claim)
        self._working.add(uid)
        self._core.clock.call_later(self._seed.uniform(*WORK_SECONDS), lambda: self._finish(key_of(claim), uid))

    def _finish(self, key: Key, uid: str) -> None:
        self._working.discard(uid)
        claim = self._storage.read(CLAIMS, *key)
        wanted = self._asked(claim) if claim is not None and uid_of(claim) == uid else None
        if claim is None or wanted is None:
            self._failures.pop(uid, None)
            return
        name, storage_class = wanted
        try:
            self._make(claim, KNOWN[name], storage_class)
        except (Refused, ApiError) as why:
            self._fail(claim, name, str(why))

    def _make(self, claim: Object, provisioner: Provisioner, storage_class: Object) -> None:
        """Create the volume with its reference to the claim; the controller does the rest of the binding."""
        if _fault(claim, storage_class) == "fail":
            raise Refused(f"failed to create volume pvc-{uid_of(claim)}: asked to fail by annotation sim.kubepane.io/provision")
        node = self._storage.read("nodes", "", annotations_of(claim).get(SELECTED_NODE) or "")
        volume = provisioner.volume(claim, storage_class, node)
        namespace, name = key_of(claim)
        reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": namespace, "name": name, "uid": uid_of(claim)}
        volume["spec"] |= {
            "claimRef": {**reference, "resourceVersion": claim["metadata"]["resourceVersion"]},
            "storageClassName": class_name(claim),
        }
        volume["metadata"]["annotations"][PROVISIONED_BY] = storage_class["provisioner"]
        self._client.create(VOLUMES, volume)
        text = f"Successfully provisioned volume {volume['metadata']['name']}"
        self._recorder(storage_class["provisioner"]).event(claim, NORMAL, "ProvisioningSucceeded", text)
        self._failures.pop(uid_of(claim), None)

    def _fail(self, claim: Object, name: str, why: str) -> None:
        """Say it, and try again later and later, a limited number of times."""
        text = f'failed to provision volume with StorageClass "{class_name(claim)}": {why}'
        self._recorder(name).event(claim, WARNING, "ProvisioningFailed", text)
        uid = uid_of(claim)
        failures = self._failures[uid] = self._failures.get(uid, 0) + 1
        if failures < TRIES:
            self._working.add(uid)
            self._core.clock.call_later(min(FIRST_RETRY * 2.0 ** (failures - 1), LAST_RETRY), lambda: self._again(key_of(claim), uid))

    def _again(self, key: Key, uid: str) -> None:
        self._working.discard(uid)
        self._claims.add(key)

    def _node_is_gone(self, claim: Object) -> bool:
        node = annotations_of(claim).get(SELECTED_NODE)
        return bool(node) and self._storage.read("nodes", "", node or "") is None

    def _reschedule(self, claim: Object, name: str) -> None:
        """The chosen node does not exist: ask the scheduler for another."""
        node = annotations_of(claim)[SELECTED_NODE]
        self._recorder(name).event(claim, WARNING, "ProvisioningFailed", f'nodes "{node}" not found')
        self._client.patch(CLAIMS, *key_of(claim), {"metadata": {"annotations": {SELECTED_NODE: None}}})

    # deleting

    def _sync_volume(self, key: Key) -> None:
        volume = self._storage.read(VOLUMES, *key)
        if volume is None or not self._is_deletable(volume) or uid_of(volume) in self._working:
            return
        uid = uid_of(volume)
        self._working.add(uid)
        self._core.clock.call_later(self._seed.uniform(*WORK_SECONDS), lambda: self._delete(key, uid))

    def _is_deletable(self, volume: Object) -> bool:
        released = phase_of(volume) == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        return released and not is_deleting(volume) and annotations_of(volume).get(PROVISIONED_BY) in KNOWN

    def _delete(self, key: Key, uid: str) -> None:
        self._working.discard(uid)
        volume = self._storage.read(VOLUMES, *key)
        if volume is not None and uid_of(volume) == uid and self._is_deletable(volume):
            try:
                self._client.delete(VOLUMES, *key, uid=uid)
            except ApiError:
                self._volumes.retry(key)


def _fault(claim: Object, storage_class: Object) -> str | None:
    """`fail` or `never`, asked for on the claim or on its class."""
    return asked(claim, "provision") or asked(storage_class, "provision")
