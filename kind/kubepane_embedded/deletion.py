"""What a DELETE does: preconditions, grace, finalizers, propagation.

Follows apiserver/pkg/registry/rest/delete.go, generic/registry/store.go and the strategies of pods and namespaces.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.clock import Clock, parse_stamp, stamp
from kubepane_embedded.meta import Object, clone, finalizers_of, is_deleting
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import DeleteOptions

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


def check_preconditions(resource: Resource, obj: Object, options: DeleteOptions) -> None:
    """409 when uid or resourceVersion of the request differ."""
    meta = obj["metadata"]
    if options.uid and options.uid != meta["uid"]:
        raise errors.conflict(
            resource.group,
            resource.kind,
            meta["name"],
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated",
        )
    if options.revision and options.revision != meta["resourceVersion"]:
        raise errors.conflict(
            resource.group,
            resource.kind,
            meta["name"],
            f"the ResourceVersion in the precondition ({options.revision}) does not match the ResourceVersion in record "
            f"({meta['resourceVersion']}). The object might have been modified",
        )


def is_finished(resource: Resource, obj: Object) -> bool:
    """Whether a deleted object waits for nobody any more: no finalizers, grace over (or never given)."""
    if finalizers_of(obj):
        return False
    if resource.storage == "namespaces":
        return not (obj.get("spec") or {}).get("finalizers")
    return not obj["metadata"].get("deletionGracePeriodSeconds")


def plan(resource: Resource, obj: Object, options: DeleteOptions, clock: Clock) -> Object | None:
    """The object as it stays after this DELETE (deletionTimestamp set), or None when it goes at once."""
    grace = _grace(resource, obj, options)
    after = clone(obj)
    finalizers = _finalizers(resource, obj, options)
    if finalizers:
        after["metadata"]["finalizers"] = finalizers
    else:
        after["metadata"].pop("finalizers", None)
    if is_deleting(obj):
        _shorten(after["metadata"], options.grace if resource.storage == "pods" else None, clock)
    else:
        _begin(resource, after, grace, clock)
    return None if is_finished(resource, after) else after


def _begin(resource: Resource, after: Object, grace: int, clock: Clock) -> None:
    meta = after["metadata"]
    meta["deletionTimestamp"] = stamp(clock.now() + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if resource.storage == "namespaces":
        del meta["deletionGracePeriodSeconds"]
        after["status"] = {**(after.get("status") or {}), "phase": "Terminating"}
    elif meta.get("generation"):
        meta["generation"] += 1


def _shorten(meta: dict[str, Any], asked: int | None, clock: Clock) -> None:
    """A second DELETE may only shorten the grace; it counts from the first one."""
    present = meta.get("deletionGracePeriodSeconds") or 0
    if asked is None or asked >= present:
        return
    begun = parse_stamp(meta["deletionTimestamp"]) - timedelta(seconds=present)
    meta["deletionTimestamp"] = stamp(max(begun + timedelta(seconds=asked), begun))
    meta["deletionGracePeriodSeconds"] = max(asked, 0)


def _grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    if resource.storage != "pods":
        return 0
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return max(options.grace, 0)
    given = spec.get("terminationGracePeriodSeconds")
    return 30 if given is None else max(int(given), 1)


def _finalizers(resource: Resource, obj: Object, options: DeleteOptions) -> list[str]:
    """Finalizers after the wish for dependents: orphan, foreground, or neither."""
    present = finalizers_of(obj)
    propagation = options.propagation
    if propagation is None and resource.storage == "jobs.batch" and not (ORPHAN in present or FOREGROUND in present):
        propagation = "Orphan"
    if propagation is None:
        return present
    kept = [finalizer for finalizer in present if finalizer not in (ORPHAN, FOREGROUND)]
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(propagation)
    return [*kept, wanted] if wanted else kept
