"""What every namespace must hold comes back when somebody deletes it: ServiceAccount `default` and ConfigMap `kube-root-ca.crt`.

Follows kubernetes/pkg/controller/serviceaccount/serviceaccounts_controller.go and certificates/rootcacertpublisher/publisher.go. New
namespaces are furnished at once, see `furnishing`.
"""

from __future__ import annotations

from functools import partial

from kubepane_embedded.controllers.podcontrol import is_terminating_namespace
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.furnishing import CA_NAME, namespace_furniture
from kubepane_embedded.meta import Key, Object, is_deleting, key_of
from kubepane_embedded.workqueue import WorkQueue

NAMES = {"serviceaccounts": "default", "configmaps": CA_NAME}


class FurnitureController:
    """Puts back what is missing, and the data of a CA bundle that was changed.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._reconcile, "serviceaccount-controller")

    def start(self) -> None:
        """Follow the two; look into every namespace once."""
        for resource, name in NAMES.items():
            self._storage.subscribe(resource, self._queue.add, partial(_namespace_of, name))
        for namespace in self._storage.objects("namespaces"):
            self._queue.add(key_of(namespace))

    def _reconcile(self, key: Key) -> None:
        namespace = self._storage.read("namespaces", *key)
        if namespace is None or is_deleting(namespace):
            return
        for resource, wanted in namespace_furniture(key[1]):
            present = self._storage.read(resource, *key_of(wanted))
            if present is None:
                self._create(resource, wanted)
            elif present.get("data") != wanted.get("data"):
                self._client.update(resource, {**present, "data": wanted["data"]})

    def _create(self, resource: str, wanted: Object) -> None:
        try:
            self._client.create(resource, wanted)
        except ApiError as refusal:
            if not is_terminating_namespace(refusal):
                raise


def _namespace_of(name: str, obj: Object) -> list[Key]:
    namespace, found = key_of(obj)
    return [("", namespace)] if found == name else []
