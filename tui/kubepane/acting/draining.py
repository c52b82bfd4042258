"""Draining nodes: what would go, what stays and what a PodDisruptionBudget holds, then a cordon and the evictions, node after node.

kubectl: pkg/cmd/drain, pkg/drain. DaemonSet pods always stay; what kubectl does with --ignore-daemonsets is what is done and said here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from kubepane.acting.evicting import Drainage, Going, named, pods_on, step
from kubepane.acting.nodes import cordon_step, cordoned, pod_lines
from kubepane.acting.plan import Carry, Danger, Intent, Means, Need, Plan, Progress, Read, Scene, Unfit, Verb, reviewed
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import NotFound, Refused, TooManyRequests
from kubepane.cluster.writing import Outcome, Raw, Ref, Rehearsal, Step, uid_of
from kubepane.insight.evictions import NEEDS, STAYS, Fate, Hold, Leave, daemonset_of, fate, holds
from kubepane.views.command import words
from kubepane_widgets.lines import Line

BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
MOST_GRACE = 86_400  # seconds


class _Budgets(msgspec.Struct):
    items: tuple[r.Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of the nodes.

    Attributes:
        pods: of each node, in the order of the targets.
        budgets: all of them, None when they may not be read.
        gone: DaemonSets that pods belong to and that are not there any more.
    """

    pods: tuple[tuple[r.Pod, ...], ...]
    budgets: tuple[r.Budget, ...] | None
    gone: frozenset[tuple[str, str]] = frozenset()


async def gather(read: Read, intent: Intent, nodes: Sequence[Raw]) -> Found:
    """Reads the pods of the nodes, whatever namespaces are shown, and what protects them."""
    pods = tuple([await pods_on(read, ref.name) for ref in intent.targets])
    owners = {found for of_node in pods for pod in of_node if (found := daemonset_of(pod)) is not None}
    gone = frozenset([owner for owner in sorted(owners) if not await _is_there(read, owner)])
    try:
        budgets = msgspec.json.decode(await read(BUDGETS), type=_Budgets).items
    except Refused:
        return Found(pods, None, gone)
    return Found(pods, budgets, gone)


async def _is_there(read: Read, daemonset: tuple[str, str]) -> bool:
    """Whether a DaemonSet is there; one that may not be read is taken to be, then its pods stay."""
    try:
        await read(f"{k.DAEMONSETS.path(daemonset[0])}/{daemonset[1]}")
    except NotFound:
        return False
    except Refused:
        return True
    return True


# ---- the plan ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Course:
    """One node and what becomes of its pods."""

    node: Ref
    cordon: Step | None
    fates: tuple[tuple[r.Pod, Fate], ...]

    def of(self, *wanted: Fate) -> list[r.Pod]:
        """The pods with these fates, by name."""
        return sorted((pod for pod, its in self.fates if its in wanted), key=lambda pod: (pod.metadata.namespace, pod.metadata.name))


def drain(intent: Intent, nodes: Sequence[Raw], scene: Scene) -> Plan:
    """Cordons the nodes and evicts their pods; `args`: `data` and `force` as in `Leave`, `grace` seconds or None for the pods' own."""
    leave, grace = Leave(bool(intent.args.get("data")), bool(intent.args.get("force"))), intent.args.get("grace")
    found: Found = scene.gathered
    courses = [_course(ref, node, pods, leave, found) for ref, node, pods in zip(intent.targets, nodes, found.pods, strict=True)]
    _refuse(courses, leave, found)
    evictions = _evictions(courses, grace)
    cordons = tuple(course.cordon for course in courses if course.cordon is not None)
    steps = (*cordons, *(each for of_node in evictions.values() for each in of_node))
    going = [pod for course in courses for pod in course.of(Fate.GOES)]
    lost = _lost(going, found)
    what = f"node {courses[0].node.name}" if len(courses) == 1 else f"{len(courses)} nodes"
    return Plan(
        intent,
        title=f"Drain {what}",
        button=f"Drain {what}, evict {len(going)}",
        steps=steps,
        lines=tuple(_preview(courses, holds(going, found.budgets or ()))),
        danger=Danger.DELETES if lost else Danger.EVICTS,
        warnings=(*lost, *_unknown(found)),
        needs=_needs(cordons, going),
        undo=Intent("uncordon", tuple(each.about for each in cordons)) if cordons else None,
        kubectl=_kubectl(scene.context, intent),
        pane="nodes",
        touched=tuple(uid_of(node) for node in nodes),
        review=_reviewed,
        carry=_carry(courses, evictions),
    )


def _course(ref: Ref, node: Raw, pods: Sequence[r.Pod], leave: Leave, found: Found) -> Course:
    cordon = None if cordoned(node) else cordon_step(ref, node, True)
    return Course(ref, cordon, tuple((pod, fate(pod, leave, found.gone)) for pod in pods))


def _refuse(courses: Sequence[Course], leave: Leave, found: Found) -> None:
    """As kubectl, a node is drained whole or not at all.

    Raises:
        Unfit: some pods may not go without an option.
    """
    pods = [pod for course in courses for pod in course.of(*NEEDS)]
    lacking = [_lacks(its, wanting) for its, wanting in _wanting(pods, leave, found).items()]
    if lacking:
        raise Unfit(f"nothing was done: {'; '.join(lacking)}")


def _lacks(its: Fate, pods: Sequence[r.Pod]) -> str:
    return f"{its.value}: {named(_paths(pods))} ({NEEDS[its]} lets {'it' if len(pods) == 1 else f'all {len(pods)}'} go)"


def _paths(pods: Sequence[r.Pod]) -> list[str]:
    return [f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods]


def _evictions(courses: Sequence[Course], grace: int | None) -> dict[str, list[Step]]:
    """The evictions of each node. Of each namespace the first is tried out: the others would be answered the same, but for budgets."""
    seen: set[str] = set()
    found: dict[str, list[Step]] = {}
    for course in courses:
        steps = found[course.node.name] = []
        for pod in course.of(Fate.GOES):
            steps.append(step(pod, grace, rehearsable=pod.metadata.namespace not in seen))
            seen.add(pod.metadata.namespace)
    return found


def _reviewed(plan: Plan, rehearsals: Sequence[Rehearsal]) -> Plan:
    """A budget that is used up is no refusal: it is waited for."""
    return reviewed(plan, [replace(each, error=None) if isinstance(each.error, TooManyRequests) else each for each in rehearsals])


# ---- the preview ---------------------------------------------------------------------------------------------------------------


def _preview(courses: Sequence[Course], held: Sequence[Hold]) -> list[Line]:
    lines: list[Line] = []
    for course in courses:
        lines += [[], [(course.node.name, "bold"), ("   ", "fg"), (course.cordon.says if course.cordon else "is cordoned already", "accent")]]
        lines += pod_lines(course.of(Fate.GOES), "would be evicted", "bad") or [[("nothing to evict", "soft")]]
        lines += pod_lines(course.of(Fate.GOING), Fate.GOING.value, "soft")
        for its in STAYS:
            lines += _staying(course.of(its), its)
    for each in held:
        lines += [[], *_hold_lines(each)]
    return lines[1:]


def _staying(pods: Sequence[r.Pod], its: Fate) -> list[Line]:
    if not pods:
        return []
    return [
        [],
        [(f"{len(pods)} stay{'s' if len(pods) == 1 else ''}: ", "bold"), (f"{named([pod.metadata.name for pod in pods])}", "soft")],
        [(f"  {its.value}", "muted")],
    ]


def _hold_lines(held: Hold) -> list[Line]:
    names = " and ".join(one.metadata.name for one in held.budgets)
    pods = named([pod.metadata.name for pod in held.pods])
    if len(held.budgets) > 1:
        return [
            [(f"PDBs {names} ", "bold"), ("both protect ", "bad"), (pods, "fg")],
            [("  the server evicts no pod that two budgets protect", "muted")],
        ]
    status = held.budgets[0].status
    allowed = f"lets {held.allowed} of {len(held.pods)} go now" if held.allowed else "lets none go now"
    counts = f"{status.current_healthy} healthy of {status.desired_healthy} needed"
    return [
        [(f"PDB {names} ", "bold"), (f"{allowed}: ", "warn"), (pods, "fg")],
        [(f"  {counts}; the others wait for it, as long as it takes", "muted")],
    ]


def _lost(pods: Sequence[r.Pod], found: Found) -> list[str]:
    """What goes and does not come back."""
    return [f"{its.value}: {named(_paths(lost))}" for its, lost in _wanting(pods, Leave(), found).items()]


def _wanting(pods: Sequence[r.Pod], leave: Leave, found: Found) -> dict[Fate, list[r.Pod]]:
    """The pods that want an option more than `leave`, by what they want; one may want two."""
    wanting: dict[Fate, list[r.Pod]] = {its: [] for its in NEEDS}
    for pod in pods:
        for its in dict.fromkeys((fate(pod, leave, found.gone), fate(pod, Leave(True, leave.force), found.gone))):
            if its in wanting:
                wanting[its].append(pod)
    return {its: those for its, those in wanting.items() if those}


def _unknown(found: Found) -> list[str]:
    return [] if found.budgets is not None else ["which PodDisruptionBudgets hold pods back is not known: they may not be listed"]


def _needs(cordons: Sequence[Step], pods: Sequence[r.Pod]) -> tuple[Need, ...]:
    spaces = dict.fromkeys(pod.metadata.namespace for pod in pods)
    return (*((Need("patch", k.NODES.resource),) if cordons else ()), *(Need("create", k.PODS.resource, space, "eviction") for space in spaces))


def _kubectl(context: str, intent: Intent) -> str:
    args: dict[str, Any] = dict(intent.args)
    more = ["--ignore-daemonsets", *(["--delete-emptydir-data"] if args.get("data") else []), *(["--force"] if args.get("force") else [])]
    grace = [] if args.get("grace") is None else [f"--grace-period={args['grace']}"]
    return words(context, "", "drain", *(ref.name for ref in intent.targets), *more, *grace)


# ---- carrying it out -----------------------------------------------------------------------------------------------------------


def _carry(courses: Sequence[Course], evictions: dict[str, list[Step]]) -> Carry:
    async def carry(means: Means) -> AsyncGenerator[Outcome | Progress]:
        for course in courses:
            if course.cordon is not None:
                outcome = await means.make(course.cordon)
                yield outcome
                if not outcome.good:
                    yield Progress(True, f"{course.node.name} could not be cordoned: {outcome.text}; nothing was evicted", failed=True)
                    return
        done: list[str] = []
        for number, course in enumerate(courses):
            last = number == len(courses) - 1
            async for each in Drainage(means, course.node.name, _going(course, evictions[course.node.name]), _stays(course)).run():
                if not isinstance(each, Progress):
                    yield each
                    continue
                told = _placed(each, course, courses, done, last)
                yield told
                if told.done:
                    return
            done.append(course.node.name)

    return carry


def _placed(each: Progress, course: Course, courses: Sequence[Course], done: Sequence[str], last: bool) -> Progress:
    """The progress of one node as that of all."""
    if len(courses) == 1:
        return each
    text = f"{course.node.name}, {len(done) + 1} of {len(courses)}: {each.text}"
    if each.done and each.failed:
        left = [one.node.name for one in courses[len(done) + 1 :]]
        text += (f"; drained: {named(done)}" if done else "") + (f"; cordoned, not drained: {named(left)}" if left else "")
    return Progress(each.done and (each.failed or last), text, each.failed)


def _going(course: Course, steps: Sequence[Step]) -> list[Going]:
    asked = [Going(each.about.uid, f"{each.about.namespace}/{each.about.name}", each) for each in steps]
    return asked + [Going(pod.metadata.uid, f"{pod.metadata.namespace}/{pod.metadata.name}", None) for pod in course.of(Fate.GOING)]


def _stays(course: Course) -> set[str]:
    return {pod.metadata.uid for pod in course.of(*STAYS)}


VERB = Verb("drain", (k.NODES,), ("patch", ""), drain, wants=(k.NODES, k.PODS), gather=gather)
