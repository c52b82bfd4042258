"""The templates that a workload had before: ReplicaSets of a Deployment, ControllerRevisions of the others, as the API has them.

Sources: kubectl pkg/polymorphichelpers/{history,rollback}.go.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubepane.acting.plan import Read, Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.writing import Raw, Ref, uid_of

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"


class Revision(msgspec.Struct, frozen=True):
    """One template that a workload had.

    Attributes:
        number: as kubectl counts them.
        name: of the object that keeps it.
        template: the pod template, without the label that the Deployment controller adds.
        patch: what a ControllerRevision holds: a strategic merge patch of the workload; None for a ReplicaSet.
        cause: its change-cause annotation, "" for none.
        created: when that object was made, as the API says it.
    """

    number: int
    name: str
    template: Raw
    patch: Raw | None = None
    cause: str = ""
    created: str = ""

    @property
    def images(self) -> list[str]:
        """The images of its containers."""
        return [str(one.get("image") or "") for one in (self.template.get("spec") or {}).get("containers") or []]


async def revisions(read: Read, ref: Ref, workload: Raw) -> tuple[Revision, ...]:
    """All that are kept, newest first.

    Raises:
        ClusterError: they could not be read.
    """
    base = "/apis/apps/v1/namespaces/"
    plural = "replicasets" if ref.kind is k.DEPLOYMENTS else "controllerrevisions"
    items = msgspec.json.decode(await read(f"{base}{ref.namespace}/{plural}"), type=dict).get("items") or []
    mine = [one for one in items if _owned(one, uid_of(workload))]
    found = [_of_replicaset(one) if plural == "replicasets" else _of_history(one) for one in mine]
    return tuple(sorted((one for one in found if one.number), key=lambda one: -one.number))


def _owned(one: Raw, uid: str) -> bool:
    owners = (one.get("metadata") or {}).get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _meta(one: Raw) -> tuple[str, dict[str, Any], str]:
    meta = one.get("metadata") or {}
    return str(meta.get("name") or ""), meta.get("annotations") or {}, str(meta.get("creationTimestamp") or "")


def _of_replicaset(one: Raw) -> Revision:
    name, notes, created = _meta(one)
    number = str(notes.get(REVISION) or "")
    return Revision(int(number) if number.isdigit() else 0, name, plain((one.get("spec") or {}).get("template") or {}), None, _cause(notes), created)


def _of_history(one: Raw) -> Revision:
    name, notes, created = _meta(one)
    data = one.get("data") or {}
    template = {key: value for key, value in ((data.get("spec") or {}).get("template") or {}).items() if key != "$patch"}
    return Revision(int(one.get("revision") or 0), name, template, data, _cause(notes), created)


def _cause(notes: dict[str, Any]) -> str:
    return str(notes.get(CAUSE) or "")


def plain(template: Raw) -> Raw:
    """A pod template as a user wrote it: without the hash label."""
    meta = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    if labels or "labels" in meta:
        meta["labels"] = labels
    return {**template, "metadata": meta}


def current(ref: Ref, workload: Raw, kept: tuple[Revision, ...]) -> int:
    """The number of the revision that the workload has now; 0 when it cannot be told."""
    if ref.kind is k.DEPLOYMENTS:
        number = str(((workload.get("metadata") or {}).get("annotations") or {}).get(REVISION) or "")
        return int(number) if number.isdigit() else 0
    return kept[0].number if kept else 0


def chosen(kept: tuple[Revision, ...], here: int, wanted: int) -> Revision:
    """The revision to go back to: the wanted one, or with 0 the one before the present.

    Raises:
        Unfit: there is no such revision.
    """
    for one in kept:
        if one.number == wanted or (not wanted and one.number != here):
            return one
    numbers = ", ".join(str(one.number) for one in kept) or "none"
    raise Unfit(f"there is no revision {wanted or 'before this one'}; kept: {numbers}")
