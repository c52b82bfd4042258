"""Server-side apply of many objects: each rehearsed on the server, shown as create, change or same, and sent as it was shown.

kubectl: `apply --server-side` (pkg/cmd/apply); ours sends the uid and resourceVersion that were shown, and for what is to be created
resourceVersion 1, which the server takes only while nothing is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from kubepane.acting import applied, arriving, discovery, hazards
from kubepane.acting.applied import MANAGER, Held
from kubepane.acting.discovery import Name, Read
from kubepane.acting.plan import Danger, Intent, Malformed, Need, Plan, Scene, Verb
from kubepane.acting.sources import Source
from kubepane.cluster import kinds as k
from kubepane.cluster.api import APPLY_PATCH
from kubepane.cluster.errors import NotFound, Refused
from kubepane.cluster.kinds import Kind
from kubepane.cluster.writing import Outcome, Raw, Ref, Rehearsal, Request, Step, preconditions, uid_of
from kubepane.views.command import words
from kubepane_widgets.lines import Line
from kubepane_widgets.palette import G

MOST_LINES = 60  # of one object's diff
_NOT_THERE = {"resourceVersion": "1"}  # no object has ever had it, and what is not there needs none


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the cluster of what is to be applied, in the same order.

    Attributes:
        refs: the objects.
        live: how they read now, None where there are none.
        fresh: namespaces that are yet to be created, by an object of the same source.
    """

    refs: tuple[Ref, ...]
    live: tuple[Raw | None, ...]
    fresh: frozenset[str]


# ---- looking -------------------------------------------------------------------------------------------------------------------


def intent(source: Source, namespace: str, taken: Mapping[Ref, tuple[Held, ...]] | None = None) -> Intent:
    """To apply a source.

    Args:
        namespace: of objects that name none.
        taken: fields that are taken over from other managers, as they were shown.
    """
    return Intent("apply", (), {"source": source, "namespace": namespace, "taken": dict(taken or {})})


def spaces(source: Source, namespace: str) -> tuple[str, ...]:
    """The namespaces that objects of a source may be in."""
    found: set[str] = set()
    for obj in source.objects:
        kind, meta = discovery.own(discovery.name_of(obj)), obj["metadata"]
        if kind is k.NAMESPACES:
            found.add(str(meta["name"]))
        elif kind is None or kind.namespaced:
            found.add(str(meta.get("namespace") or namespace))
    return tuple(sorted(found))


def refs_of(objects: Sequence[Raw], served: Mapping[Name, Kind], namespace: str) -> tuple[Ref, ...]:
    """The objects by kind, namespace and name.

    Raises:
        Malformed: two are the same, or one names a namespace and has none.
        Unfit: a kind is not served.
    """
    refs: list[Ref] = []
    for obj in objects:
        kind = served.get(discovery.name_of(obj))
        if kind is None:
            raise discovery.missing(discovery.name_of(obj), objects)
        given = str(obj["metadata"].get("namespace") or "")
        if given and not kind.namespaced:
            raise Malformed(f"{kind.kind} {obj['metadata']['name']} is in no namespace: take metadata.namespace out")
        refs.append(Ref(kind, (given or namespace) if kind.namespaced else "", str(obj["metadata"]["name"])))
    twice = [ref for ref, count in Counter(refs).items() if count > 1]
    if twice:
        raise Malformed(f"{twice[0]} is there twice")
    return tuple(refs)


async def read_one(read: Read, ref: Ref) -> Raw | None:
    """An object, None where it is not there.

    Raises:
        ClusterError: it could not be read.
    """
    try:
        return msgspec.json.decode(await read(ref.path), type=dict)
    except NotFound:
        return None


async def gather(read: Read, asked: Intent, raws: Sequence[Raw]) -> Found:
    """Finds the kinds, and reads what is there already."""
    objects = asked.args["source"].objects
    served = await discovery.kinds(read, map(discovery.name_of, objects))
    refs = refs_of(objects, served, asked.args["namespace"])
    own = [ref for ref in refs if ref.kind is k.NAMESPACES]
    there = await asyncio.gather(*(read_one(read, ref) for ref in own))
    fresh = frozenset(ref.name for ref, live in zip(own, there, strict=True) if live is None)
    known = dict(zip(own, there, strict=True))

    async def present(ref: Ref) -> Raw | None:
        return known[ref] if ref in known else None if ref.namespace in fresh else await read_one(read, ref)

    return Found(refs, tuple(await asyncio.gather(*map(present, refs))), fresh)


# ---- planning ------------------------------------------------------------------------------------------------------------------


def plan(asked: Intent, raws: Sequence[Raw], scene: Scene) -> Plan:
    """All objects, before the server was asked what an apply would do to them."""
    source, found, taken = asked.args["source"], scene.gathered, asked.args["taken"]
    steps = tuple(
        _step(ref, body, live, ref.namespace not in found.fresh, taken.get(ref, ()))
        for ref, body, live in zip(found.refs, source.objects, found.live, strict=True)
    )
    touched = [step.about for step in steps]
    more = ["--force-conflicts"] if taken else []
    return Plan(
        asked,
        title=f"Apply {source.title}",
        button=f"Apply {_objects(len(steps))}",
        steps=steps,
        lines=tuple(_headed(step, "is there" if step.raw else "is not there yet", "soft") for step in steps),
        danger=Danger.EVICTS if taken else Danger.CHANGES,
        warnings=(*source.notes, *hazards.of(source.objects)),
        needs=tuple(need for step in steps for need in _needs(step)),
        kubectl=words(scene.context, "", "apply", "--server-side", "--field-manager", MANAGER, *more, *source.kubectl) if source.kubectl else "",
        pane="workloads" if any(ref.kind in arriving.ROLLED for ref in touched) else "",
        touched=tuple(ref.uid for ref in touched if ref.uid),
        review=partial(review, taken),
    )


def _needs(step: Step) -> Iterator[Need]:
    """An apply that creates needs two rights."""
    for verb in ("patch",) if step.raw is not None else ("create", "patch"):
        yield Need(verb, step.about.kind.resource, step.about.namespace)


def _step(ref: Ref, body: Raw, live: Raw | None, rehearsable: bool, taken: Sequence[Held], rehearsed: Raw | None = None) -> Step:
    """One object; `rehearsed` is what the dry run made of it."""
    query = {"fieldManager": MANAGER, "force": "true" if taken else "false", "fieldValidation": "Strict"}
    over = f", {_fields(len(taken))} taken over" if taken else ""
    space = {"namespace": ref.namespace} if ref.namespace else {}

    def request(present: Raw) -> Request:
        meta = {**body["metadata"], **space, **(preconditions(present) if present else _NOT_THERE)}
        return Request("PATCH", ref.path, {**body, "metadata": meta}, query, APPLY_PATCH)

    return Step(
        Ref(ref.kind, ref.namespace, ref.name, uid_of(live)),
        f"changed{over}" if live else "created",
        live,
        request,
        premise=applied.plain,
        holds=lambda now: applied.holds(now, body, rehearsed),
        rehearsable=rehearsable,
    )


# ---- what the dry run says -----------------------------------------------------------------------------------------------------


def review(taken: Mapping[Ref, tuple[Held, ...]], before: Plan, rehearsals: Sequence[Rehearsal]) -> Plan:
    """The plan with only those objects that would change, each with what would, below what the server refuses."""
    source, namespace = before.intent.args["source"], before.intent.args["namespace"]
    sent: list[Step] = []
    refused, changed, same = list[Line](), list[Line](), list[Line]()
    held: dict[Ref, tuple[Held, ...]] = {}
    for each, body in zip(rehearsals, source.objects, strict=True):
        step, ref = each.step, replace(each.step.about, uid="")
        diff = applied.diff(step.raw, each.result) if step.raw is not None and each.error is None else []
        if clash := applied.conflicts(each.error):
            held[ref] = clash
        if goes := each.error is None and (step.raw is None or bool(diff) or ref in taken):
            sent.append(_step(ref, body, step.raw, step.rehearsable, taken.get(ref, ()), each.result))
        (refused if each.error is not None else changed if goes else same).extend(_told(each, diff, taken.get(ref, ())))
    refusals = tuple((each.step.about, each.error) for each in rehearsals if each.error is not None)
    warnings = (f"{each.step.about}: {text}" for each in rehearsals for text in each.warnings)
    return replace(
        before,
        button=f"Apply {_objects(len(sent))}",
        steps=tuple(sent),
        lines=(_summed(sent, refusals, len(rehearsals)), [], *refused, *changed, *same),
        warnings=tuple(dict.fromkeys((*before.warnings, *warnings))),
        refusals=refusals,
        instead=_instead(source, namespace, held, refusals),
        undone=_undone(source, sent),
        progress=lambda stores, now: arriving.arrived([step.about for step in sent], stores, now),
    )


def _instead(source: Source, namespace: str, held: Mapping[Ref, tuple[Held, ...]], refusals: Sequence[Any]) -> tuple[str, Intent] | None:
    """The way round conflicts, where nothing else is refused."""
    if not held or len(held) < len(refusals):
        return None
    return f"Take over {_fields(sum(map(len, held.values())))}", intent(source, namespace, held)


def _undone(source: Source, sent: Sequence[Step]) -> Any:
    """What takes an apply back that has only created objects: they are deleted, by the uids that they got."""

    def undone(outcomes: Sequence[Outcome]) -> Intent | None:
        made = [Ref(one.step.about.kind, one.step.about.namespace, one.step.about.name, one.uid) for one in outcomes if one.uid]
        if any(step.raw is not None for step in sent) or not made:
            return None
        return Intent("delete_set", (), {"name": f"what applying {source.title} created", "refs": tuple(made)})

    return undone


def _told(each: Rehearsal, diff: Sequence[Line], taken: Sequence[Held]) -> Iterator[Line]:
    """An object: what becomes of it, and below that how it changes, or whose fields are in the way."""
    step, clash = each.step, applied.conflicts(each.error)
    if clash:
        yield _headed(step, f"{_fields(len(clash))} of others in the way", "bad")
        yield from ([(f"    {one.field}", "fg"), (f"  {one.manager}", "warn")] for one in clash)
    elif each.error is not None:
        yield _headed(step, f"the server would refuse it: {_words(each.error)}", "bad")
    elif step.raw is None:
        yield _headed(step, "create" if step.rehearsable else "create   new namespace: not rehearsed", "ok")
    else:
        yield _headed(step, "change" if diff or taken else "same", "accent" if diff or taken else "muted")
        yield from ([(f"    takes {one.field}", "fg"), (f" from {one.manager}", "warn")] for one in taken)
        yield from ([("    ", "fg"), *line] for line in diff[:MOST_LINES])
        if len(diff) > MOST_LINES:
            yield [(f"    and {len(diff) - MOST_LINES} more lines", "muted")]


def _headed(step: Step, says: str, tone: str) -> Line:
    sign = {"ok": "+", "accent": "~", "bad": G["bad"], "muted": "=", "soft": " "}[tone]
    return [(f"{sign} ", tone), (f"{step.about}   ", "soft" if tone == "muted" else "fg"), (says, tone)]


def _words(error: Any) -> str:
    """A refusal; the server's one without a reason is that of a field which it does not know (research live-1.35, 0.3)."""
    text = str(error)
    return text.split(": ", 1)[-1] if isinstance(error, Refused) and error.status == 500 and "field not declared" in text else text


def _summed(sent: Sequence[Step], refusals: Sequence[Any], total: int) -> Line:
    made, refused = sum(step.raw is None for step in sent), len(refusals)
    counts = [(made, "to create", "ok"), (len(sent) - made, "to change", "accent"), (total - len(sent) - refused, "as they are", "muted")]
    line: Line = [
        span for count, text, tone in (*counts, (refused, "refused", "bad")) if count for span in ((f"{count} {text}", tone), ("   ", "fg"))
    ]
    return line if sent or refused else [("nothing to change: ", "fg"), (f"all {_objects(total)} are so already", "muted")]


def _fields(count: int) -> str:
    return f"{count} field{'' if count == 1 else 's'}"


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"


VERB = Verb("apply", (), ("patch", ""), plan, wants=arriving.WANTS, gather=gather)
