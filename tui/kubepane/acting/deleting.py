"""Deleting objects: exactly those that were shown, by uid, with what goes with them counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from kubepane.acting.plan import Danger, Intent, Need, Plan, Progress, Scene, Verb
from kubepane.cluster.kinds import EVENTS, KINDS
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Request, Step, uid_of
from kubepane.insight import relations
from kubepane.views.command import words
from kubepane_widgets.lines import Line

DELETABLE = tuple(kind for kind in KINDS if kind is not EVENTS)
LISTED = 12


def delete(intent: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Deletes the targets and, in the background, what they own."""
    steps = tuple(step_for(ref, raw) for ref, raw in zip(intent.targets, raws, strict=True))
    names = [str(step.about) for step in steps]
    what = names[0] if len(names) == 1 else f"{len(names)} objects"
    lines: list[Line] = [[(name, "fg")] for name in names[:LISTED]]
    if len(names) > LISTED:
        lines.append([(f"and {len(names) - LISTED} more", "muted")])
    below = Counter(kind for step in steps for kind in _below(scene.stores, step.about.uid))
    if below:
        counted = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(below.items()))
        lines += [[], [("with them go ", "soft"), (counted, "warn")]]
    one = steps[0].about
    return Plan(
        intent,
        title=f"Delete {what}",
        button=f"Delete {what if len(names) > 1 else one.name}",
        steps=steps,
        lines=tuple(lines),
        danger=Danger.DELETES,
        warnings=tuple(text for ref, raw in zip(intent.targets, raws, strict=True) for text in _warnings(ref, raw)),
        needs=tuple(Need("delete", step.about.kind.resource, step.about.namespace) for step in steps),
        kubectl=_kubectl(scene.context, intent.targets),
        progress=lambda stores, now: _progress(steps, stores, now),
        apart=True,
    )


def step_for(ref: Ref, raw: Raw) -> Step:
    """Deletes this very object; what it owns goes in the background."""
    fixed = Ref(ref.kind, ref.namespace, ref.name, uid_of(raw))

    def request(present: Raw) -> Request:
        # the uid is what was shown; a change of its status meanwhile does not make it another object
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": {"uid": uid_of(present)}}
        return Request("DELETE", ref.path, body)

    return Step(fixed, "deleted", raw, request, holds=_is_going)


def _is_going(seen: Raw | None) -> bool:
    return seen is None or bool((seen.get("metadata") or {}).get("deletionTimestamp"))


def _below(stores: Stores, uid: str) -> Iterator[str]:
    for kind, obj in relations.owned(stores, uid):
        yield kind.kind.lower()
        yield from _below(stores, obj.metadata.uid)


def _warnings(ref: Ref, raw: Raw) -> Iterator[str]:
    meta = raw.get("metadata") or {}
    owner = next((one for one in meta.get("ownerReferences") or [] if one.get("controller")), None)
    if owner is not None:
        yield f"{owner.get('kind', '').lower()} {owner.get('name')} owns {ref.name} and will make another one"
    if meta.get("deletionTimestamp"):
        yield f"{ref} is being deleted already"
    waits = [text for text in meta.get("finalizers") or [] if not text.startswith("kubernetes.io/")]
    if waits:
        yield f"{ref.name} stays until {', '.join(waits)} let it go"


def _kubectl(context: str, refs: Sequence[Ref]) -> str:
    if len({ref.namespace for ref in refs}) > 1:
        return ""
    return words(context, refs[0].namespace, "delete", *(f"{ref.kind.resource}/{ref.name}" for ref in refs))


def _progress(steps: Sequence[Step], stores: Stores, now: datetime) -> Progress:
    left = [step.about for step in steps if stores.of(step.about.kind).get(step.about.uid) is not None]
    if not left:
        return Progress(True, "gone" if len(steps) == 1 else f"all {len(steps)} gone")
    return Progress(False, f"{left[0]} is terminating" if len(left) == 1 else f"{len(left)} of {len(steps)} are terminating")


VERB = Verb("delete", DELETABLE, ("delete", ""), delete)
