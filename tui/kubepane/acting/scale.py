"""Scaling: through the scale subresource, with the resourceVersion that was read, and a word about who owns the number.

kubectl: a PATCH of `/scale` without precondition (pkg/cmd/scale); ours: the PUT that `--current-replicas` uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubepane.acting import progress
from kubepane.acting.plan import Intent, Malformed, Need, Plan, Scene, Verb
from kubepane.cluster import kinds as k
from kubepane.cluster.writing import Raw, Ref, Request, Step, revision_of, uid_of
from kubepane.views.command import words
from kubepane_widgets.lines import Line

MOST = 10_000
SCALED = (k.DEPLOYMENTS, k.STATEFULSETS, k.REPLICASETS)


def replicas_of(scale: Raw | None) -> int:
    """spec.replicas of a Scale, 0 when absent."""
    return int(((scale or {}).get("spec") or {}).get("replicas") or 0)


def plan(intent: Intent, scales: Sequence[Raw], scene: Scene) -> Plan:
    """Scales every target to `args["replicas"]`."""
    wanted = int(intent.args["replicas"])
    if not 0 <= wanted <= MOST:
        raise Malformed(f"{wanted} is no number of replicas from 0 to {MOST}")
    steps = tuple(_step(ref, scale, wanted) for ref, scale in zip(intent.targets, scales, strict=True))
    warnings = [text for ref, scale in zip(intent.targets, scales, strict=True) for text in _warnings(ref, scale, wanted, scene)]
    before = {replicas_of(scale) for scale in scales}
    one = intent.targets[0]
    what = str(one) if len(steps) == 1 else f"{len(steps)} workloads"
    return Plan(
        intent,
        title=f"Scale {what}",
        button=f"Scale to {wanted}",
        steps=steps,
        lines=tuple(_line(step) for step in steps),
        warnings=tuple(warnings),
        needs=tuple(Need("update", ref.kind.resource, ref.namespace, "scale") for ref in intent.targets),
        undo=Intent("scale", intent.targets, {"replicas": before.pop()}) if len(before) == 1 else None,
        kubectl=words(scene.context, one.namespace, "scale", f"{one.kind.resource}/{one.name}", f"--replicas={wanted}") if len(steps) == 1 else "",
        pane="workloads",
        touched=tuple(uid_of(scale) for scale in scales),
        progress=lambda stores, now: progress.scaled(intent.targets, wanted, stores),
        apart=True,
    )


def _step(ref: Ref, scale: Raw, wanted: int) -> Step:
    path = f"{ref.path}/scale"

    def request(now: Raw) -> Request:
        meta = {"name": ref.name, "namespace": ref.namespace, "uid": uid_of(now), "resourceVersion": revision_of(now)}
        return Request("PUT", path, {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": {"replicas": wanted}})

    return Step(
        ref,
        f"replicas {replicas_of(scale)} → {wanted}",
        scale,
        request,
        premise=replicas_of,
        holds=lambda now: now is not None and replicas_of(now) == wanted,
        path=path,
    )


def _line(step: Step) -> Line:
    return [(str(step.about), "fg"), ("   ", "fg"), (step.says, "accent")]


def _warnings(ref: Ref, scale: Raw, wanted: int, scene: Scene) -> list[str]:
    owners = [
        f"hpa {hpa.metadata.name} owns this number ({hpa.spec.min_replicas or 1} to {hpa.spec.max_replicas}): it will set it anew"
        for hpa in scene.stores.autoscalers
        if hpa.metadata.namespace == ref.namespace and hpa.spec.scale_target_ref.kind == ref.kind.kind and hpa.spec.scale_target_ref.name == ref.name
    ]
    if not owners and not scene.stores.autoscalers.freshness.complete:
        owners = ["whether an HPA owns this number is not known: HPAs could not be read"]
    before = replicas_of(scale)
    if wanted == 0 and before > 0:
        owners.append("0 replicas: nothing of it will run")
    elif wanted > 10 * max(before, 1):
        owners.append(f"more than ten times as many as now ({before})")
    if wanted == before:
        owners.append(f"it has {before} already: nothing would change")
    return owners


VERB = Verb("scale", SCALED, ("update", "scale"), plan, wants=(k.AUTOSCALERS, *SCALED, k.PODS), path=lambda ref: f"{ref.path}/scale")
