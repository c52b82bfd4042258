"""How controllers and the simulated kubelet use the API in-process: as a named user, through the same door as HTTP.

Resources are named by their place in the store: `pods`, `deployments.apps`, `horizontalpodautoscalers.autoscaling` …
(`registry.Resource.storage`). Objects are in the stored version (HPA: autoscaling/v2, Event: core/v1). What `get`, `list` and the
write verbs return is shared with the store: `clone` before changing.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded.api import Api
from kubepane_embedded.eviction import evict
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.patches import PatchType, patched
from kubepane_embedded.requests import DeleteOptions, User, WriteOptions, component
from kubepane_embedded.scale import read_scale, write_scale
from kubepane_embedded.selectors import LabelSelector


class Client:
    """The API as one component sees it. All verbs raise `ApiError` as the HTTP answers would say it.

    Args:
        api: The door.
        user: Who asks; see `requests.component`.
        manager: The field manager in managedFields (`kube-controller-manager`, `kubelet`, `kube-scheduler`).
    """

    def __init__(self, api: Api, user: User, manager: str) -> None:
        self.api = api
        self.user = user
        self.manager = manager
        self.clock = api.clock
        self.seed = api.seed
        self.storage = api.storage

    @classmethod
    def of(cls, api: Api, name: str) -> Client:
        """The client of a control-plane part by its plain name: `kube-scheduler` acts as user `system:kube-scheduler`."""
        return cls(api, component(f"system:{name}"), name)

    def _options(self) -> WriteOptions:
        return WriteOptions(manager=self.manager)

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """The object; NotFound when absent. Use `storage.read` where absence is normal."""
        return self.api.get(self.api.registry.stored(resource), namespace, name).obj

    def list(self, resource: str, namespace: str | None = None, selector: LabelSelector | None = None) -> list[Object]:
        """Objects of one namespace, or of all with None; optionally those that a selector matches."""
        found = self.storage.objects(resource, namespace)
        return found if selector is None else [obj for obj in found if selector.matches_object(obj)]

    def create(self, resource: str, obj: Object) -> Object:
        """Create; the namespace is the object's own."""
        return self.api.create(self.user, self.api.registry.stored(resource), key_of(obj)[0], obj, self._options()).obj

    def update(self, resource: str, obj: Object) -> Object:
        """Replace; the object's resourceVersion, when it has one, is a precondition (409 Conflict)."""
        namespace, name = key_of(obj)
        return self.api.update(self.user, self.api.registry.stored(resource), namespace, name, obj, self._options()).obj

    def update_status(self, resource: str, obj: Object) -> Object:
        """Replace the status (and nothing else that matters); resourceVersion as in `update`. A no-op writes nothing."""
        namespace, name = key_of(obj)
        return self.api.update(self.user, self.api.registry.stored(resource), namespace, name, obj, self._options(), "status").obj

    def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        kind: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> Object:
        """Patch with a merge patch (default), strategic merge patch or JSON patch; `subresource="status"` for the status."""
        served = self.api.registry.stored(resource)
        change = patched(served, patch, kind)
        return self.api.change(self.user, served, namespace, name, change, self._options(), subresource).obj

    def patch_status(self, resource: str, namespace: str, name: str, status: dict[str, Any]) -> Object:
        """Merge-patch the status: given keys replace, None deletes."""
        return self.patch(resource, namespace, name, {"status": status}, subresource="status")

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        grace: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
        revision: str | None = None,
    ) -> bool:
        """Delete; True when it is gone at once. `grace=0` is how the kubelet takes a pod out for good. NotFound when absent."""
        options = DeleteOptions(grace, propagation, uid, revision)
        _, gone = self.api.delete(self.user, self.api.registry.stored(resource), namespace, name, options)
        return gone

    def finalize_namespace(self, obj: Object) -> Object:
        """Replace `spec.finalizers` of a namespace (namespaces/finalize)."""
        served = self.api.registry.stored("namespaces")
        return self.api.finalize(self.user, served, key_of(obj)[1], obj, self._options()).obj

    def bind(self, namespace: str, name: str, node: str) -> None:
        """Bind a pod to a node (pods/binding): sets nodeName and the condition PodScheduled."""
        self.api.bind(self.user, namespace, name, {"target": {"kind": "Node", "name": node}}, self._options())

    def evict(self, namespace: str, name: str, grace: int | None = None, uid: str | None = None) -> None:
        """Evict a pod (pods/eviction): 429 when a PodDisruptionBudget forbids it."""
        evict(self.api, self.user, namespace, name, DeleteOptions(grace, None, uid))

    def scale(self, resource: str, namespace: str, name: str) -> Object:
        """The Scale of a workload: spec.replicas, status.replicas, status.selector (text)."""
        return read_scale(self.api, self.api.registry.stored(resource), namespace, name)

    def update_scale(self, resource: str, namespace: str, name: str, replicas: int) -> Object:
        """Set the number of replicas through the scale subresource, as the HPA controller does."""
        body = {"spec": {"replicas": replicas}}
        return write_scale(self.api, self.user, self.api.registry.stored(resource), namespace, name, lambda _: body, self._options())
