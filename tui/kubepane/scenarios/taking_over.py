"""Takes over what `kubectl apply` put on the objects of a set: a server-side apply leaves another manager's fields where they are.

kubectl does the same before its own server-side apply. client-go: util/csaupgrade.
"""

from __future__ import annotations

from typing import Any

from kubepane.acting.applied import MANAGER
from kubepane.acting.plan import Intent, Plan
from kubepane.cluster.api import JSON_PATCH
from kubepane.cluster.writing import Raw, Ref, Request, Step, revision_of

KUBECTL = "kubectl-client-side-apply"


def plan(applied: Plan) -> Plan:
    """The plan that must come before applying; without steps where `kubectl apply` has touched nothing of it."""
    steps = tuple(_step(step.about, step.raw) for step in applied.steps if step.raw is not None and any(map(_of_kubectl, _managed(step.raw))))
    title = f"Take over from kubectl apply: {applied.title}"
    return Plan(Intent("take_over", tuple(step.about for step in steps)), title, title, steps, ())


def _managed(raw: Raw) -> list[dict[str, Any]]:
    return list((raw.get("metadata") or {}).get("managedFields") or [])


def _of_kubectl(entry: dict[str, Any]) -> bool:
    return entry.get("manager") == KUBECTL and entry.get("operation") == "Update"


def _step(ref: Ref, raw: Raw) -> Step:
    def request(now: Raw) -> Request:
        kept = [entry for entry in _managed(now) if entry.get("manager") != MANAGER]
        fields = [{**entry, "manager": MANAGER, "operation": "Apply"} if _of_kubectl(entry) else entry for entry in kept]
        changes = [
            {"op": "test", "path": "/metadata/uid", "value": ref.uid},
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": revision_of(now)},
        ]
        return Request("PATCH", ref.path, changes, {}, JSON_PATCH)

    return Step(ref, "taken over from kubectl apply", raw, request, holds=lambda now: not any(map(_of_kubectl, _managed(now or {}))))
