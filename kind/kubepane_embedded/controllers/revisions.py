"""ControllerRevisions: the kept pod templates of StatefulSets and DaemonSets (pkg/controller/history/controller_history.go)."""

from __future__ import annotations

import json
from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.claiming import claim
from kubepane_embedded.controllers.orphans import orphans
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, clone, controller_of, key_of, labels_of, owner_reference, uid_of
from kubepane_embedded.seed import ALPHABET
from kubepane_embedded.selectors import LabelSelector

REVISIONS = "controllerrevisions.apps"
HASH = "controller.kubernetes.io/hash"
POD_HASH = "controller-revision-hash"
"""Label of a pod: which revision it was made from."""
LONGEST_PREFIX = 223
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def template_patch(workload: Object) -> Object:
    """What a revision keeps: a strategic merge patch that puts the whole pod template back."""
    return {"spec": {"template": {**clone(workload["spec"]["template"]), "$patch": "replace"}}}


def template_of(revision: Object) -> Object:
    """The pod template that a revision keeps."""
    kept = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    return {name: value for name, value in kept.items() if name != "$patch"}


def at_revision(workload: Object, revision: Object) -> Object:
    """The workload with the template of a revision; shares everything with both."""
    return {**workload, "spec": {**workload["spec"], "template": template_of(revision)}}


def revision_hash(data: Object, collisions: int) -> str:
    """Hash of a revision's data, the same as a real cluster's: FNV-1 over Go's JSON, in letters that make no words."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = "".join(_ESCAPED.get(letter, letter) for letter in text) + str(collisions)
    digest = 2166136261
    for byte in text.encode():
        digest = (digest * 16777619) & 0xFFFFFFFF ^ byte
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(digest))


def number_of(revision: Object) -> int:
    """`revision`, 0 when absent."""
    return int(revision.get("revision") or 0)


def name_of(revision: Object) -> str:
    """The name of a revision, as status fields and StatefulSet pods carry it."""
    return key_of(revision)[1]


def _order(revision: Object) -> tuple[int, str, str]:
    meta = revision["metadata"]
    return (number_of(revision), meta.get("creationTimestamp") or "", meta["name"])


class History:
    """The revisions of workloads of one kind.

    Args:
        client: Who reads and writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def of(self, workload: Object) -> list[Object]:
        """Revisions that the workload controls, oldest first, after adopting matching orphans."""
        namespace = key_of(workload)[0]
        owned = [one for resource, one in self._client.storage.owned(uid_of(workload)) if resource == REVISIONS]
        mine = [one for one in owned if (controller_of(one) or {}).get("uid") == uid_of(workload)]
        free = orphans(self._client.storage, REVISIONS, namespace, LabelSelector.of(workload["spec"].get("selector")))
        return sorted(claim(self._client, REVISIONS, workload, [*mine, *free]), key=_order)

    def wanted(self, workload: Object, number: int, digest: str, label: str) -> Object:
        """A revision of the present template: labels of the template, annotations of the workload (NewControllerRevision)."""
        namespace, name = key_of(workload)
        labels = ((workload["spec"]["template"].get("metadata") or {}).get("labels") or {}) | {label: digest}
        meta: dict[str, Any] = {"name": f"{name[:LONGEST_PREFIX]}-{digest}", "namespace": namespace, "labels": labels}
        meta |= {"annotations": dict(workload["metadata"].get("annotations") or {}), "ownerReferences": [owner_reference(workload)]}
        patch = template_patch(workload)
        return {"kind": "ControllerRevision", "apiVersion": "apps/v1", "metadata": meta, "data": patch, "revision": number}

    def create(self, wanted: Object) -> Object | None:
        """Store a revision; the one that is there already when it keeps the same, None when its name is another's."""
        try:
            return self._client.create(REVISIONS, wanted)
        except ApiError as refusal:
            if refusal.reason != "AlreadyExists":
                raise
        present = self._client.get(REVISIONS, *key_of(wanted))
        return present if present.get("data") == wanted["data"] else None

    def renumber(self, revision: Object, number: int) -> Object:
        """Make a revision the newest again."""
        if number_of(revision) == number:
            return revision
        return self._client.patch(REVISIONS, *key_of(revision), {"revision": number})

    def label(self, revision: Object, label: str, value: str) -> Object:
        """Set a label that is missing."""
        if label in labels_of(revision):
            return revision
        return self._client.patch(REVISIONS, *key_of(revision), {"metadata": {"labels": {label: value}}})

    def delete(self, revision: Object) -> None:
        """Forget a revision; NotFound is an error as upstream."""
        self._client.delete(REVISIONS, *key_of(revision))
