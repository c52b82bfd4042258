"""Rollouts: restart, pause, resume, and back to a template that was there before.

kubectl: pkg/polymorphichelpers (objectrestarter, objectpauser, rollback); ours carry uid and resourceVersion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kubepane.acting import differing, progress, revisions
from kubepane.acting.plan import Intent, Need, Plan, Progress, Read, Scene, Unfit, Verb, settled
from kubepane.acting.revisions import Revision
from kubepane.cluster import kinds as k
from kubepane.cluster.api import MERGE_PATCH, STRATEGIC_PATCH
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Request, Step, preconditions
from kubepane.views.command import words
from kubepane_widgets.lines import Line

ROLLED: tuple[Kind, ...] = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS)
RESTARTED = "kubectl.kubernetes.io/restartedAt"
MOST_LINES = 200  # of a diff in a preview


def template_of(raw: Raw | None) -> Raw:
    """spec.template, never None."""
    return dict(((raw or {}).get("spec") or {}).get("template") or {})


def _paused(raw: Raw | None) -> bool:
    return bool(((raw or {}).get("spec") or {}).get("paused"))


def _restarted(raw: Raw | None) -> str:
    return str(((template_of(raw).get("metadata") or {}).get("annotations") or {}).get(RESTARTED) or "")


def _plan(
    intent: Intent, verb: str, steps: Sequence[Step], scene: Scene, lines: Sequence[Line], follow: Callable[[Stores, datetime], Progress], *more: str
) -> Plan:
    """What all rollout verbs share."""
    one = steps[0].about
    what = str(one) if len(steps) == 1 else f"{len(steps)} workloads"
    targets = [f"{step.about.kind.resource}/{step.about.name}" for step in steps]
    same = len({step.about.namespace for step in steps}) == 1
    return Plan(
        intent,
        title=f"{verb.capitalize()} {what}",
        button=f"{verb.capitalize()} {what if len(steps) > 1 else one.name}",
        steps=tuple(steps),
        lines=tuple(lines),
        needs=tuple(Need("patch", step.about.kind.resource, step.about.namespace) for step in steps),
        kubectl=words(scene.context, one.namespace, "rollout", verb, *targets, *more) if same else "",
        pane="workloads",
        touched=tuple(step.about.uid for step in steps),
        progress=follow,
        apart=True,
    )


def _says(steps: Sequence[Step]) -> list[Line]:
    return [[(str(step.about), "fg"), ("   ", "fg"), (step.says, "accent")] for step in steps]


# ---- restart -------------------------------------------------------------------------------------------------------------------


def restart(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Replaces all pods, a few at a time, by an annotation on the template."""
    now = scene.now.astimezone().isoformat(timespec="seconds")

    def step(ref: Ref, raw: Raw) -> Step:
        if _paused(raw):
            raise Unfit(f"{ref} is paused: a restart would wait for ever; resume it first")

        def request(present: Raw) -> Request:
            change = {"metadata": preconditions(present), "spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}
            return Request("PATCH", ref.path, change, {}, STRATEGIC_PATCH)

        return Step(ref, "all its pods are replaced", raw, request, template_of, lambda seen: _restarted(seen) == now)

    steps = [step(ref, raw) for ref, raw in zip(intent.targets, raws, strict=True)]
    return _plan(intent, "restart", steps, scene, _says(steps), lambda stores, _: progress.rolled_out(intent.targets, stores))


# ---- pause and resume ----------------------------------------------------------------------------------------------------------


def _pausing(intent: Intent, raws: Sequence[Raw], scene: Scene, verb: str) -> Plan:
    wanted = verb == "pause"

    def step(ref: Ref, raw: Raw) -> Step:
        if _paused(raw) == wanted:
            raise Unfit(f"{ref} is {'paused' if wanted else 'not paused'} already")

        def request(present: Raw) -> Request:
            return Request("PATCH", ref.path, {"metadata": preconditions(present), "spec": {"paused": wanted or None}}, {}, MERGE_PATCH)

        says = "changes of its template start no rollout" if wanted else "its rollout goes on"
        return Step(ref, says, raw, request, _paused, lambda seen: seen is not None and _paused(seen) == wanted)

    steps = [step(ref, raw) for ref, raw in zip(intent.targets, raws, strict=True)]
    follow = settled if wanted else lambda stores, _: progress.rolled_out(intent.targets, stores)
    return _plan(intent, verb, steps, scene, _says(steps), follow)


def pause(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Holds the rollout where it is."""
    plan = _pausing(intent, raws, scene, "pause")
    return replace(plan, undo=Intent("resume", intent.targets))


def resume(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Lets the rollout go on."""
    plan = _pausing(intent, raws, scene, "resume")
    return replace(plan, undo=Intent("pause", intent.targets))


# ---- undo ----------------------------------------------------------------------------------------------------------------------


async def history(read: Read, intent: Intent, raws: Sequence[Raw]) -> list[tuple[Revision, ...]]:
    """The revisions of every target."""
    return [await revisions.revisions(read, ref, raw) for ref, raw in zip(intent.targets, raws, strict=True)]


def undo(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Back to the template of revision `args["revision"]`, or of the one before."""
    wanted = int(intent.args.get("revision") or 0)
    steps: list[Step] = []
    lines: list[Line] = []
    back: list[int] = []
    for ref, raw, kept in zip(intent.targets, raws, scene.gathered, strict=True):
        if _paused(raw):
            raise Unfit(f"{ref} is paused: it cannot go back before it is resumed")
        here = revisions.current(ref, raw, kept)
        target = revisions.chosen(kept, here, wanted)
        if target.number == here:
            raise Unfit(f"{ref} is at revision {here} already")
        told = differing.lines(revisions.plain(template_of(raw)), target.template)
        if not told:
            raise Unfit(f"{ref}: the template of revision {target.number} is the present one")
        back.append(here)
        says = f"back from revision {here or '?'} to {target.number}" + (f" ({target.cause})" if target.cause else "")
        steps.append(_back(ref, raw, target, says))
        lines += [[(str(ref), "fg"), ("   ", "fg"), (says, "accent")], [], *told[:MOST_LINES]]
    plan = _plan(
        intent,
        "undo",
        steps,
        scene,
        lines,
        lambda stores, _: progress.rolled_out(intent.targets, stores),
        *([f"--to-revision={wanted}"] if wanted else []),
    )
    return replace(plan, undo=Intent("undo", intent.targets, {"revision": back[0]}) if len(set(back)) == 1 and back[0] else None)


def _back(ref: Ref, raw: Raw, target: Revision, says: str) -> Step:
    def request(present: Raw) -> Request:
        meta: dict[str, Any] = preconditions(present)
        if target.patch is not None:
            return Request("PATCH", ref.path, {**target.patch, "metadata": meta}, {}, STRATEGIC_PATCH)
        change = differing.merge_patch(template_of(present), target.template)
        if target.cause:
            meta["annotations"] = {revisions.CAUSE: target.cause}
        return Request("PATCH", ref.path, {"metadata": meta, "spec": {"template": change}}, {}, MERGE_PATCH)

    def there(seen: Raw | None) -> bool:
        return seen is not None and not differing.lines(revisions.plain(template_of(seen)), target.template)

    return Step(ref, says, raw, request, template_of, there)


_WANTS = (*ROLLED, k.REPLICASETS, k.PODS)
VERBS = (
    Verb("restart", ROLLED, ("patch", ""), restart, wants=_WANTS),
    Verb("pause", (k.DEPLOYMENTS,), ("patch", ""), pause, wants=_WANTS),
    Verb("resume", (k.DEPLOYMENTS,), ("patch", ""), resume, wants=_WANTS),
    Verb("undo", ROLLED, ("patch", ""), undo, wants=_WANTS, gather=history),
)
