"""Deleting a set: those of its objects that are there, by uid, in the reverse order of applying, namespaces last; followed until they are gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubepane.acting import arriving, discovery
from kubepane.acting.applying import read_one, refs_of
from kubepane.acting.deleting import step_for
from kubepane.acting.discovery import Read
from kubepane.acting.plan import Danger, Intent, Need, Plan, Progress, Scene, Verb
from kubepane.acting.sources import Source
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Step, uid_of
from kubepane.views.command import words
from kubepane_widgets.lines import Line

_COUNTED: tuple[Kind, ...] = (
    k.PODS, k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS, k.JOBS, k.CRONJOBS, k.CLAIMS, k.SERVICES, k.INGRESSES, k.CONFIGMAPS,
)  # fmt: skip
_FURNITURE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}  # every namespace has them


@dataclass(frozen=True, slots=True)
class Present:
    """What is there of what is to be deleted, in the order of deleting.

    Attributes:
        there: the objects.
        gone: those that are not there.
        others: those whose name another object has by now.
    """

    there: tuple[tuple[Ref, Raw], ...]
    gone: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def intent(source: Source, namespace: str) -> Intent:
    """To delete the objects of a source; `namespace` is that of objects that name none."""
    return Intent("delete_set", (), {"name": source.title, "source": source, "namespace": namespace})


async def gather(read: Read, asked: Intent, raws: Sequence[Raw]) -> Present:
    """Reads what is there: of a source by name, of what an apply created by uid."""
    refs, absent = await _refs(read, asked)
    backwards = [ref for spaces in (False, True) for ref in reversed(refs) if (ref.kind is k.NAMESPACES) is spaces]
    live = await asyncio.gather(*(read_one(read, ref) for ref in backwards))
    found = list(zip(backwards, live, strict=True))
    return Present(
        tuple((ref, raw) for ref, raw in found if raw is not None and ref.uid in ("", uid_of(raw))),
        (*absent, *(str(ref) for ref, raw in found if raw is None)),
        tuple(str(ref) for ref, raw in found if raw is not None and ref.uid not in ("", uid_of(raw))),
    )


async def _refs(read: Read, asked: Intent) -> tuple[Sequence[Ref], tuple[str, ...]]:
    """The objects, and the names of those of kinds that the server has not got."""
    if "refs" in asked.args:
        return asked.args["refs"], ()
    objects = asked.args["source"].objects
    served = await discovery.kinds(read, map(discovery.name_of, objects))
    known = [obj for obj in objects if discovery.name_of(obj) in served]
    unknown = tuple(f"{obj['kind'].lower()} {obj['metadata']['name']}" for obj in objects if discovery.name_of(obj) not in served)
    return refs_of(known, served, asked.args["namespace"]), unknown


def plan(asked: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """Deletes what is there of it; without anything there the plan has no steps."""
    found: Present = scene.gathered
    steps = tuple(step_for(ref, raw) for ref, raw in found.there)
    name = asked.args["name"]
    what = f"{len(steps)} object{'' if len(steps) == 1 else 's'}"
    source = asked.args.get("source")
    return Plan(
        asked,
        title=f"Delete {name}",
        button=f"Delete {what}",
        steps=steps,
        lines=tuple(_lines(found, what)),
        danger=Danger.DELETES,
        warnings=tuple(_warnings(found, scene.stores)),
        needs=tuple(Need("delete", step.about.kind.resource, step.about.namespace) for step in steps),
        kubectl=words(scene.context, "", "delete", *source.kubectl) if source is not None and source.kubectl else "",
        progress=lambda stores, now: progress(steps, stores, now),
    )


def _lines(found: Present, what: str) -> Iterator[Line]:
    if not found.there:
        yield [("nothing to delete: ", "fg"), ("none of it is there", "muted")]
    else:
        yield [(f"{what} to delete", "bad")]
        yield []
    yield from ([("- ", "bad"), (f"{ref}", "fg")] for ref, _ in found.there)
    yield from ([("  ", "fg"), (f"{name}   is not there", "muted")] for name in found.gone)
    yield from ([("  ", "fg"), (f"{name}   is another one by now: it stays", "warn")] for name in found.others)


def _warnings(found: Present, stores: Stores) -> Iterator[str]:
    uids = {uid_of(raw) for _, raw in found.there}
    for ref, raw in found.there:
        if (raw.get("metadata") or {}).get("deletionTimestamp"):
            yield f"{ref} is being deleted already"
        if ref.kind is k.NAMESPACES:
            yield from _with_it(ref.name, uids, stores)
        if ref.kind is k.VOLUMES:
            yield f"{ref}: its data stays where it is, but no claim finds it any more"


def _with_it(namespace: str, uids: set[str], stores: Stores) -> Iterator[str]:
    """What else goes with a namespace."""
    others: Counter[str] = Counter()
    for kind in _COUNTED:
        for obj in stores.of(kind):
            meta = obj.metadata
            if meta.namespace == namespace and meta.uid not in uids and (kind.kind, meta.name) not in _FURNITURE:
                others[kind.kind.lower()] += 1
    counted = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(others.items()))
    yield f"namespace {namespace}: everything in it goes" + (f"; not listed above: {counted}" if counted else "")
    unseen = [kind.plural for kind in _COUNTED if not stores.of(kind).freshness.known]
    if unseen:
        yield f"what else is in namespace {namespace} is not known: {', '.join(unseen)} could not be looked at"


def progress(steps: Sequence[Step], stores: Stores, now: datetime) -> Progress:
    """How many are gone, as far as their kinds are watched; the others went with the server's answer."""
    followed = [step.about for step in steps if step.about.kind in KINDS]
    left = [ref for ref in followed if stores.of(ref.kind).get(ref.uid) is not None]
    if not left:
        return Progress(True, "it is gone" if len(steps) == 1 else f"all {len(steps)} are gone")
    return Progress(False, f"{len(steps) - len(left)} of {len(steps)} gone; {left[0]} is terminating")


VERB = Verb("delete_set", (), ("delete", ""), plan, wants=tuple(dict.fromkeys((*arriving.WANTS, *_COUNTED))), gather=gather)
