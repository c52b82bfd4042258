"""Creating and deleting pods for an owner, with the events that upstream writes (pkg/controller/controller_utils.go)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubepane_embedded.client import Client
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, clone, controller_of, key_of, owner_reference
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder


def controlled_by(kind: str) -> Callable[[Object], Iterable[Key]]:
    """For `Storage.subscribe`: maps an object to the key of its controlling owner when that is of a kind."""

    def keys(obj: Object) -> Iterable[Key]:
        owner = controller_of(obj)
        return ((key_of(obj)[0], owner["name"]),) if owner is not None and owner.get("kind") == kind else ()

    return keys


def pod_from(template: Object, owner: Object, name: str = "") -> Object:
    """A pod as a pod template asks for it; without a name the server makes one from the owner's."""
    meta = template.get("metadata") or {}
    owner_namespace, owner_name = key_of(owner)
    wanted = {key: clone(meta[key]) for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    wanted |= {"name": name} if name else {"generateName": f"{owner_name[:243]}-"}
    wanted |= {"namespace": owner_namespace, "ownerReferences": [owner_reference(owner)]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": wanted, "spec": clone(template.get("spec") or {})}


def is_terminating_namespace(refusal: ApiError) -> bool:
    """Whether a create was refused because its namespace is going: no event is written then."""
    causes = (refusal.details or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


class PodControl:
    """Pods of one controller.

    Args:
        client: Who acts.
        recorder: Where events about the owners go.
    """

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def create(self, owner: Object, pod: Object) -> Object:
        """Create a pod for its owner (`pod_from`); the refusal is told as FailedCreate and raised again."""
        try:
            created = self._client.create("pods", pod)
        except ApiError as refusal:
            if not is_terminating_namespace(refusal):
                self._recorder.event(owner, WARNING, "FailedCreate", f"Error creating: {refusal}")
            raise
        self._recorder.event(owner, NORMAL, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return created

    def delete(self, owner: Object, pod: Object) -> None:
        """Delete a pod; one that is gone already is well."""
        namespace, name = key_of(pod)
        try:
            self._client.delete("pods", namespace, name)
        except ApiError as refusal:
            if refusal.code == 404:
                return
            self._recorder.event(owner, WARNING, "FailedDelete", f"Error deleting: {refusal}")
            raise
        self._recorder.event(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {name}")
