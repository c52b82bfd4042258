"""Adding the tolerations that a workload's pending pods lack: one more in its template for each taint that alone keeps them away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubepane.acting import differing, progress
from kubepane.acting.nodes import parse
from kubepane.acting.plan import Intent, Need, Plan, Scene, Unfit, Verb
from kubepane.acting.rollouts import ROLLED, template_of
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.api import STRATEGIC_PATCH
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Request, Step, preconditions, uid_of
from kubepane.insight import relations, scheduling
from kubepane_widgets.lines import Line

Tolerations = list[dict[str, Any]]


def lacking(pod: r.Pod, stores: Stores) -> list[str]:
    """The taints, as `key=value:effect`, that alone keep a pending pod off nodes that would take it; those of control planes left out."""
    verdict = scheduling.verdict(pod, stores)
    if pod.spec.node_name or verdict.fits:
        return []
    found = [
        reason.what
        for name, reasons in sorted(verdict.reasons.items())
        if name not in verdict.control_planes and all(reason.kind == scheduling.TAINT for reason in reasons)
        for reason in reasons
    ]
    return list(dict.fromkeys(found))


def workload_of(pod: r.Pod, stores: Stores) -> Ref | None:
    """The workload whose template a pod is made from, None when it has none that can be changed."""
    for kind_name, name, _ in reversed(relations.owner_chain(stores, pod)):
        kind = k.BY_KIND.get(kind_name)
        if kind in ROLLED and kind is not None:
            return Ref(kind, pod.metadata.namespace, name)
    return None


def tolerations_of(raw: Raw | None) -> Tolerations:
    """spec.template.spec.tolerations, never None."""
    return list((template_of(raw).get("spec") or {}).get("tolerations") or [])


def tolerate(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Adds a toleration for each of `args["taints"]` (`KEY[=VALUE]:EFFECT`) to the template of the one target."""
    ref, raw = intent.targets[0], raws[0]
    wanted = [_toleration(str(text)) for text in intent.args["taints"]]
    if not wanted:
        raise Unfit(f"no taint keeps the pods of {ref} away")

    def added(before: Tolerations) -> Tolerations:
        return [*before, *(one for one in wanted if one not in before)]

    if added(tolerations_of(raw)) == tolerations_of(raw):
        raise Unfit(f"{ref} tolerates that already")

    def request(now: Raw) -> Request:
        change = {"metadata": preconditions(now), "spec": {"template": {"spec": {"tolerations": added(tolerations_of(now))}}}}
        return Request("PATCH", ref.path, change, {}, STRATEGIC_PATCH)

    says = "tolerates " + ", ".join(str(text) for text in intent.args["taints"])
    step = Step(ref, says, raw, request, tolerations_of, lambda now: now is not None and added(tolerations_of(now)) == tolerations_of(now))
    told = differing.lines({"tolerations": tolerations_of(raw)}, {"tolerations": added(tolerations_of(raw))})
    lines: list[Line] = [[(str(ref), "fg"), ("   ", "fg"), (says, "accent")], [], *told]
    return Plan(
        intent,
        title=f"Add a toleration to {ref}",
        button="Add toleration" if len(wanted) == 1 else f"Add {len(wanted)} tolerations",
        steps=(step,),
        lines=tuple(lines),
        warnings=("its pods are replaced: the template changes",),
        needs=(Need("patch", ref.kind.resource, ref.namespace),),
        undo=Intent("undo", (ref,), {"revision": 0}),
        pane="workloads",
        touched=(uid_of(raw),),
        progress=lambda stores, now: progress.rolled_out(intent.targets, stores),
    )


def _toleration(text: str) -> dict[str, Any]:
    taint = parse(text)
    if taint.value:
        return {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect}
    return {"key": taint.key, "operator": "Exists", "effect": taint.effect}


VERB = Verb("tolerate", ROLLED, ("patch", ""), tolerate, several=False, wants=(*ROLLED, k.REPLICASETS, k.PODS, k.NODES))
