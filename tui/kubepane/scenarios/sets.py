"""Plans for a whole bundled set: applied by server-side apply in its order, deleted in the reverse one."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from kubepane.acting.plan import Intent, Plan
from kubepane.cluster.api import APPLY_PATCH, JSON_PATCH
from kubepane.cluster.errors import NotFound
from kubepane.cluster.kinds import BY_KIND
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Raw, Ref, Request, Step, preconditions, uid_of
from kubepane_manifests.catalogue import find

MANAGER = "kubepane"
KUBECTL = "kubectl-client-side-apply"


async def applied(session: Session, name: str) -> Plan:
    """A plan that makes every object of a set as the set says."""
    found = find(name).objects()
    raws = await asyncio.gather(*(_read(session, ref_of(obj)) for obj in found))
    steps = [step for obj, raw in zip(found, raws, strict=True) for step in _applying(ref_of(obj), obj, raw)]
    return _plan(name, "Apply", steps)


async def deleted(session: Session, name: str) -> Plan:
    """A plan that deletes every object of a set that is there."""
    refs = [ref_of(obj) for obj in reversed(find(name).objects())]
    raws = await asyncio.gather(*(_read(session, ref) for ref in refs))
    return _plan(name, "Delete", [_deleting(ref, raw) for ref, raw in zip(refs, raws, strict=True) if raw is not None])


def ref_of(obj: Raw) -> Ref:
    """The object that a manifest is about."""
    meta = obj["metadata"]
    return Ref(BY_KIND[obj["kind"]], meta.get("namespace") or "", meta["name"])


def _plan(name: str, verb: str, steps: list[Step]) -> Plan:
    title = f"{verb} {name}"
    return Plan(Intent(verb.lower(), tuple(step.about for step in steps), {"set": name}), title, title, tuple(steps), ())


async def _read(session: Session, ref: Ref) -> Raw | None:
    assert session.api is not None
    try:
        return msgspec.json.decode(await session.api.get(ref.path), type=dict)
    except NotFound:
        return None


def _applying(ref: Ref, obj: Raw, raw: Raw | None) -> list[Step]:
    """The step that applies an object; before it the one that takes over what `kubectl apply` put there, or it would stay for ever."""
    fixed = Ref(ref.kind, ref.namespace, ref.name, uid_of(raw))

    def request(now: Raw) -> Request:
        meta = {**obj["metadata"], **(preconditions(now) if now else {})}
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        return Request("PATCH", ref.path, {**obj, "metadata": meta}, query, APPLY_PATCH)

    takes_over = [_taking_over(fixed, raw)] if raw is not None and _of_kubectl(raw) else []
    return [*takes_over, Step(fixed, "applied", raw, request)]


def _managed(raw: Raw) -> list[dict[str, Any]]:
    return list((raw.get("metadata") or {}).get("managedFields") or [])


def _of_kubectl(raw: Raw) -> bool:
    return any(entry.get("manager") == KUBECTL and entry.get("operation") == "Update" for entry in _managed(raw))


def _taking_over(ref: Ref, raw: Raw) -> Step:
    """client-go: util/csaupgrade."""

    def request(now: Raw) -> Request:
        fields = [
            {**entry, "manager": MANAGER, "operation": "Apply"} if entry.get("manager") == KUBECTL and entry.get("operation") == "Update" else entry
            for entry in _managed(now)
            if entry.get("manager") != MANAGER
        ]
        changes = [
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": preconditions(now)["resourceVersion"]},
        ]
        return Request("PATCH", ref.path, changes, {}, JSON_PATCH)

    return Step(ref, "taken over from kubectl apply", raw, request)


def _deleting(ref: Ref, raw: Raw) -> Step:
    def request(now: Raw) -> Request:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": {"uid": uid_of(now)}}
        return Request("DELETE", ref.path, body)

    return Step(Ref(ref.kind, ref.namespace, ref.name, uid_of(raw)), "deleted", raw, request, holds=lambda now: now is None)
