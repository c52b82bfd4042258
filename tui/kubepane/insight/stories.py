"""The story of one rollout: what was done, what is going on, what comes next. From events, conditions and pods; nothing is made up.

Source of "next": reconcileNewReplicaSet and reconcileOldReplicaSets of pkg/controller/deployment/rolling.go; the order of a
StatefulSet's pods is that of pkg/controller/statefulset (the highest ordinal first).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import events, pods, rollouts
from kubepane.insight.ages import duration
from kubepane.insight.finding import Level
from kubepane.insight.rollouts import Phase, Rolled, Rollout
from kubepane.insight.why import clause

NOW, NEXT = "now", "next"
_DONE = 12  # steps behind us that are told
_NOW = 12  # pods under way that are named
_SCALED = re.compile(r"Scaled (up|down) replica set (\S+) from (\d+) to (\d+)")
_RESCALED = re.compile(r"New size: (\d+); reason: (.*)")


class Step(msgspec.Struct, frozen=True, gc=False):
    """One line of the story.

    Attributes:
        key: unique in it; begins with the uid of the object it is about.
        level: done, under way, waiting, broken, or to come (OFF).
        at: when it was done, None for what is going on or comes next.
        when: `now` or `next`, "" for what is done.
        text: what it is.
    """

    key: str
    level: Level
    at: datetime | None
    when: str
    text: str


def story(obj: Rolled, ro: Rollout, stores: Stores) -> list[Step]:
    """The story of a workload's last rollout, in order."""
    new, old = _pods(obj, ro, stores)
    start = _start(obj, stores)
    done = [*_scalings(obj, stores, start), *_ready(new, start)]
    done.sort(key=lambda step: (step.at, step.key))
    return [*done[-_DONE:], *_now(new, old, ro, obj, stores), *_next(obj, ro, old)]


def _pods(obj: Rolled, ro: Rollout, stores: Stores) -> tuple[list[r.Pod], list[r.Pod]]:
    """The pods of the new and the old revision."""
    if isinstance(obj, r.Deployment):
        current, others = rollouts.replicasets(obj, stores)
        new = list(stores.pods.by("owner", current.metadata.uid)) if current else []
        return new, [pod for rs in others for pod in stores.pods.by("owner", rs.metadata.uid)]
    everything = list(stores.pods.by("owner", obj.metadata.uid))
    if ro.old is None:
        return everything, []
    new = [p for p in everything if rollouts.hash_of((p.metadata.labels or {}).get("controller-revision-hash", "")) == ro.new.name]
    fresh = {p.metadata.uid for p in new}
    return new, [p for p in everything if p.metadata.uid not in fresh]


def _start(obj: Rolled, stores: Stores) -> datetime | None:
    """When the last rollout began: its ReplicaSet was scaled up from 0, or made. None where nothing says so."""
    if not isinstance(obj, r.Deployment):
        return None
    new, _ = rollouts.replicasets(obj, stores)
    if new is None:
        return None
    found = new.metadata.creation_timestamp
    for event in stores.events.by("object", obj.metadata.uid):
        match = _SCALED.match(event.message)
        at = events.last_seen(event)
        if match and match[1] == "up" and match[2] == new.metadata.name and match[3] == "0" and at is not None and (found is None or at > found):
            found = at
    return found


def _scalings(obj: Rolled, stores: Stores, start: datetime | None) -> Iterator[Step]:
    if not isinstance(obj, r.Deployment):
        return
    new, _ = rollouts.replicasets(obj, stores)
    name = new.metadata.name if new else ""
    for event in stores.events.by("object", obj.metadata.uid):
        at = events.last_seen(event)
        if event.reason != "ScalingReplicaSet" or at is None or (start is not None and at < start):
            continue
        if (match := _SCALED.match(event.message)) is not None:
            side = "new" if match[2] == name else "old"
            what = (
                f"new ReplicaSet {rollouts.hash_of(name)} made, 0 → {match[4]}"
                if side == "new" and match[3] == "0"
                else f"{side} ReplicaSet {match[3]} → {match[4]}"
            )
            yield Step(f"{event.metadata.uid}/event", Level.DONE, at, "", what)
    path = f"{obj.metadata.namespace}/Deployment/{obj.metadata.name}"
    for scaler in stores.autoscalers.by("target", path):
        yield from _rescales(scaler, stores, start)


def _rescales(scaler: r.Autoscaler, stores: Stores, start: datetime | None) -> Iterator[Step]:
    for event in stores.events.by("object", scaler.metadata.uid):
        at, match = events.last_seen(event), _RESCALED.match(event.message)
        if match and at is not None and (start is None or at >= start):
            yield Step(f"{event.metadata.uid}/event", Level.DONE, at, "", f"HPA set {match[1]} replicas: {match[2]}")


def _ready(new: Iterable[r.Pod], start: datetime | None) -> Iterator[Step]:
    for pod in new:
        ready, born = pods.condition(pod.status, "Ready"), pod.metadata.creation_timestamp
        if ready is None or ready.status != "True" or ready.last_transition_time is None or born is None:
            continue
        at = ready.last_transition_time
        if start is None or at >= start:
            took = duration(max(0.0, (at - born).total_seconds()))
            yield Step(f"{pod.metadata.uid}/ready", Level.DONE, at, "", f"{pod.metadata.name} ready after {took}")


def _now(new: list[r.Pod], old: list[r.Pod], ro: Rollout, obj: Rolled, stores: Stores) -> Iterator[Step]:
    if ro.failure:
        yield Step(f"{obj.metadata.uid}/failure", Level.BAD, None, NOW, ro.failure)
    unwell = [(pods.level(pod), pod.metadata.name, pod) for pod in new if pod.metadata.deletion_timestamp is None]
    unwell = sorted((u for u in unwell if u[0] < Level.OK), key=lambda u: (-u[0], u[1]))
    for level, name, pod in unwell[:_NOW]:
        why = clause(pod, stores)
        status = f" {pods.status(pod).status}" if level is not Level.BUSY else ""
        yield Step(f"{pod.metadata.uid}/now", level, None, NOW, f"{name}{status}: {why}" if why else f"{name}{status or ' starting'}")
    if len(unwell) > _NOW:
        yield Step(f"{obj.metadata.uid}/more", Level.BUSY, None, NOW, f"and {len(unwell) - _NOW} more pods")
    leaving = sum(pod.metadata.deletion_timestamp is not None for pod in old)
    if leaving:
        yield Step(f"{obj.metadata.uid}/leaving", Level.BUSY, None, NOW, f"{leaving} old pod{'s' if leaving > 1 else ''} going")
    if ro.timed_out:
        yield Step(f"{obj.metadata.uid}/deadline", Level.BAD, None, NOW, f"no progress for {duration(ro.deadline)}: past its deadline")


def _next(obj: Rolled, ro: Rollout, old: list[r.Pod]) -> Iterator[Step]:
    text = following(obj, ro, old)
    if text:
        yield Step(f"{obj.metadata.uid}/next", Level.OFF, None, NEXT, text)


def following(obj: Rolled, ro: Rollout, old: list[r.Pod]) -> str:
    """What the controller does next, and what it waits for; "" when nothing is left to do."""
    if ro.phase is Phase.STEADY:
        return ""
    if ro.paused:
        return "nothing until it is resumed"
    if ro.strategy == "OnDelete":
        return "each old pod is renewed when somebody deletes it"
    if isinstance(obj, r.StatefulSet):
        return _next_ordinal(ro, old)
    if isinstance(obj, r.DaemonSet):
        return f"{ro.old.pods} more nodes, at most {max(ro.unavailable, ro.surge)} at a time" if ro.old and ro.old.pods else ""
    if ro.old is None or not ro.old.pods:
        missing = ro.desired - ro.available
        return f"done when {missing} more pod{'s are' if missing > 1 else ' is'} available" if missing > 0 else ""
    if ro.strategy == "Recreate":
        return f"new pods when {'all ' if ro.old.pods > 1 else 'the '}old one{'s have' if ro.old.pods > 1 else ' has'} gone"
    return _next_replicasets(ro)


def _next_replicasets(ro: Rollout) -> str:
    assert ro.old is not None
    new, old = ro.new, ro.old
    asked = new.wanted + old.wanted
    up = min(ro.desired - new.wanted, ro.desired + ro.surge - asked)
    if up > 0:
        return f"new ReplicaSet {new.wanted} → {new.wanted + up}"
    if not old.wanted:
        return ""
    down = asked - ro.needed - (new.wanted - max(0, new.available))
    if down > 0:
        return f"old ReplicaSet {old.wanted} → {old.wanted - min(down, old.wanted)}"
    more = 1 - down
    return f"old ReplicaSet {old.wanted} → {old.wanted - 1} once {more} more new pod{'s are' if more > 1 else ' is'} available"


def _next_ordinal(ro: Rollout, old: list[r.Pod]) -> str:
    held = len(old) - (ro.old.wanted if ro.old else 0)  # a partition keeps the lowest ordinals as they are
    waiting = sorted((_ordinal(p) for p in old if p.metadata.deletion_timestamp is None), reverse=True)[: max(0, held)]
    if not waiting:
        missing = ro.desired - ro.new.ready - (ro.old.ready if ro.old else 0)
        return f"done when {missing} more pod{'s are' if missing > 1 else ' is'} ready" if missing > 0 else ""
    name = next(p.metadata.name for p in old if _ordinal(p) == waiting[0])
    unready = ro.new.pods - ro.new.ready
    return f"{name} is replaced" + (" once the pods before it are ready" if unready else "")


def _ordinal(pod: r.Pod) -> int:
    tail = pod.metadata.name.rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0
