"""Claims in use and bound volumes stay until nobody needs them: the two protection controllers.

Follows pkg/controller/volume/pvcprotection and pkg/controller/volume/pvprotection. The finalizers are put on by admission.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.volumebinding import CLAIMS, VOLUMES, phase_of
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, finalizers_of, is_deleting, key_of
from kubepane_embedded.podfacts import node_of
from kubepane_embedded.podindexes import claims_of, index_pods_by_claim, pods_using
from kubepane_embedded.workqueue import WorkQueue

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


class ClaimProtection:
    """Lets a deleted claim go once no pod on a node names it; pods that have completed count as long as they are there.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._sync, "pvc-protection")

    def start(self) -> None:
        """Follow claims, and pods that name deleted ones."""
        index_pods_by_claim(self._storage)
        self._storage.subscribe(CLAIMS, self._queue.add)
        self._storage.subscribe("pods", self._queue.add, self._waiting_claims)
        for claim in self._storage.objects(CLAIMS):
            self._queue.add(key_of(claim))

    def _waiting_claims(self, pod: Object) -> Iterable[Key]:
        namespace = key_of(pod)[0]
        for name in claims_of(pod):
            claim = self._storage.read(CLAIMS, namespace, name)
            if claim is not None and is_deleting(claim):
                yield namespace, name

    def _sync(self, key: Key) -> None:
        claim = self._storage.read(CLAIMS, *key)
        if claim is not None:
            used = any(node_of(pod) for pod in pods_using(self._storage, *key))
            _settle(self._client, CLAIMS, claim, CLAIM_FINALIZER, used)


class VolumeProtection:
    """Lets a deleted volume go once it is not bound.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._sync, "pv-protection")

    def start(self) -> None:
        """Follow volumes."""
        self._storage.subscribe(VOLUMES, self._queue.add)
        for volume in self._storage.objects(VOLUMES):
            self._queue.add(key_of(volume))

    def _sync(self, key: Key) -> None:
        volume = self._storage.read(VOLUMES, *key)
        if volume is not None:
            _settle(self._client, VOLUMES, volume, VOLUME_FINALIZER, phase_of(volume) == "Bound")


def _settle(client: Client, resource: str, obj: Object, finalizer: str, used: bool) -> None:
    """Take the finalizer off a deleted object that is unused; put it on one that lacks it."""
    present = finalizers_of(obj)
    if is_deleting(obj) and finalizer in present and not used:
        kept = [one for one in present if one != finalizer]
        client.patch(resource, *key_of(obj), {"metadata": {"finalizers": kept or None}})
    elif not is_deleting(obj) and finalizer not in present:
        client.patch(resource, *key_of(obj), {"metadata": {"finalizers": [*present, finalizer]}})
