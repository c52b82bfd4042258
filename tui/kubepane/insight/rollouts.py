"""Rollouts of Deployments, StatefulSets and DaemonSets: how far, which pods of the old and the new revision, until when.

Sources: pkg/controller/deployment/util/deployment_util.go (FindNewReplicaSet, DeploymentTimedOut), pkg/controller/deployment/progress.go,
pkg/controller/daemon/util (IsPodUpdated), pkg/controller/statefulset/stateful_set_utils.go (getStatefulSetMaxUnavailable).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.finding import Level
from kubepane.insight.members import Group, State, members
from kubepane.insight.rollout_status import TIMED_OUT, Verdict, condition, daemonset_status, deployment_status, fenceposts, scaled, statefulset_status

Rolled = r.Deployment | r.StatefulSet | r.DaemonSet
FINISHED = "NewReplicaSetAvailable"
_NO_DEADLINE = 2**31 - 1
HASH = "pod-template-hash"


class Side(msgspec.Struct, frozen=True, gc=False):
    """The pods of one revision.

    Attributes:
        name: the hash of its pods' template: `7c9f8d6b54`; "" when not known.
        revision: its number, 0 when not known.
        wanted: pods that its controller wants of it now.
        ready, starting, pending: pods by state; of what no pod list is held, `starting` is all that is not ready.
        available: ready for minReadySeconds; -1 when not known of this side alone.
        busy: pods that are on their way without a fault.
        worst: uid of a pod in the worst state, "" when all are well or none is known.
        level: how bad that pod is; OK when all are well or none is known.
    """

    name: str = ""
    revision: int = 0
    wanted: int = 0
    ready: int = 0
    starting: int = 0
    pending: int = 0
    available: int = -1
    busy: int = 0
    worst: str = ""
    level: Level = Level.OK

    @property
    def pods(self) -> int:
        """Pods that there are."""
        return self.ready + self.starting + self.pending


class Phase(Enum):
    """What a workload is going through."""

    STEADY = "steady"  # all pods wanted are of one template and available
    ROLLING = "rolling"  # from one template to another, or for the first time
    SCALING = "scaling"  # pods of the same template are still to come
    DEGRADED = "degraded"  # all pods are there, some are not available


class Rollout(msgspec.Struct, frozen=True, gc=False):
    """One workload's rollout.

    Attributes:
        verdict: kubectl's word on it.
        phase: what is going on.
        desired: pods wanted in all.
        new: the pods of the current template; all pods where revisions cannot be told apart.
        old: the pods of earlier templates, None when there are none.
        strategy: `RollingUpdate`, `Recreate`, `OnDelete`.
        surge, unavailable: pods allowed above and missing below `desired`, percentages resolved.
        kept: old pods that a StatefulSet's partition keeps as they are.
        available: pods available in all.
        paused: a Deployment's rollout is held by its spec.
        timed_out: its progress deadline has passed; the server says so, no clock is asked.
        expires: when the deadline passes, None when there is none or nothing is going on.
        deadline: its length in seconds, 0 for none.
        failure: why a ReplicaSet could not create pods (quota, admission), "" when it could.
        finished: when the last rollout was complete, None when that is not known.
        took: seconds from the new ReplicaSet's creation to that; None after a rollback, whose start is written nowhere.
    """

    verdict: Verdict
    phase: Phase
    desired: int
    new: Side
    old: Side | None = None
    strategy: str = ""
    surge: int = 0
    unavailable: int = 0
    kept: int = 0
    available: int = 0
    paused: bool = False
    timed_out: bool = False
    expires: datetime | None = None
    deadline: int = 0
    failure: str = ""
    finished: datetime | None = None
    took: float | None = None

    @property
    def needed(self) -> int:
        """Pods that must stay available."""
        return max(0, self.desired - self.unavailable)


def deadline_left(rollout: Rollout, now: datetime) -> float | None:
    """Seconds until the progress deadline passes; never below 0; None when none runs."""
    return None if rollout.expires is None else max(0.0, (rollout.expires - now).total_seconds())


# ---- from the stores -----------------------------------------------------------------------------------------------------


def of(obj: Rolled, stores: Stores) -> Rollout:
    """The rollout of a Deployment, StatefulSet or DaemonSet."""
    if isinstance(obj, r.Deployment):
        return _deployment(obj, stores)
    return _statefulset(obj, stores) if isinstance(obj, r.StatefulSet) else _daemonset(obj, stores)


def replicasets(d: r.Deployment, stores: Stores) -> tuple[r.ReplicaSet | None, list[r.ReplicaSet]]:
    """The ReplicaSet of a Deployment's template (None while it does not exist yet), and the others, newest revision first.

    The controller writes the template's revision on both; the visible part of the templates must agree as well, for while a
    rollout is paused the revision is still that of the ReplicaSet before.
    """
    owned = sorted(stores.replicasets.by("owner", d.metadata.uid), key=revision, reverse=True)
    mine, spec = revision(d), d.spec
    new = None
    for rs in owned:
        if mine and revision(rs) == mine and rs.spec.template.spec == spec.template.spec:
            held = bool(spec.paused) and d.status.updated_replicas < rs.status.replicas
            new = None if held else rs
            break
    return new, [rs for rs in owned if rs is not new]


def revision(obj: r.Object) -> int:
    """`deployment.kubernetes.io/revision` of a Deployment or ReplicaSet, 0 for none."""
    notes = obj.metadata.annotations
    return int(notes.revision) if notes and notes.revision.isdecimal() else 0


def _deployment(d: r.Deployment, stores: Stores) -> Rollout:
    status, spec = d.status, d.spec
    desired = 1 if spec.replicas is None else spec.replicas
    new, others = replicasets(d, stores)
    old = [rs for rs in others if rs.status.replicas or rs.spec.replicas]
    if new is None and not others:  # ReplicaSets are not there yet, or may not be read: all pods are one side
        side = Side(revision=revision(d), wanted=desired, ready=status.ready_replicas, starting=max(0, status.replicas - status.ready_replicas),
                    available=status.available_replicas)  # fmt: skip
    else:
        side = _side(new, stores) if new is not None else Side()
    rolling = spec.strategy.rolling_update
    surge, unavailable = fenceposts(rolling.max_surge, rolling.max_unavailable, desired) if rolling else (0, desired)
    if desired == 0:
        unavailable = 0
    verdict = deployment_status(d)
    progressing = condition(status.conditions, "Progressing")
    failure = condition(status.conditions, "ReplicaFailure")
    finished, took = _finished(d, new, others, progressing)
    return Rollout(
        verdict=verdict,
        phase=_phase(d, verdict, progressing, bool(old)),
        desired=desired,
        new=side,
        old=_together([_side(rs, stores) for rs in old]),
        strategy=spec.strategy.type,
        surge=surge,
        unavailable=unavailable,
        available=status.available_replicas,
        paused=bool(spec.paused),
        timed_out=verdict.failed,
        expires=_expires(d, verdict, progressing),
        deadline=_deadline(d),
        failure=failure.message if failure and failure.status == "True" else "",
        finished=finished,
        took=took,
    )


def _phase(d: r.Deployment, verdict: Verdict, progressing: r.DeploymentCondition | None, old: bool) -> Phase:
    if verdict.done:
        return Phase.STEADY
    if old or (progressing is not None and progressing.reason != FINISHED):
        return Phase.ROLLING
    behind = d.metadata.generation > d.status.observed_generation or d.status.updated_replicas < (d.spec.replicas or 0)
    return Phase.SCALING if behind else Phase.DEGRADED


def _deadline(d: r.Deployment) -> int:
    seconds = d.spec.progress_deadline_seconds
    return 0 if seconds is None or seconds >= _NO_DEADLINE else seconds


def _expires(d: r.Deployment, verdict: Verdict, progressing: r.DeploymentCondition | None) -> datetime | None:
    """A deadline runs from the last progress; not while paused, and not once the last rollout was complete (scaling has none)."""
    seconds = _deadline(d)
    if verdict.done or verdict.failed or not seconds or d.spec.paused or progressing is None:
        return None
    if progressing.reason in (FINISHED, TIMED_OUT) or progressing.last_update_time is None:
        return None
    return progressing.last_update_time + timedelta(seconds=seconds)


def _finished(
    d: r.Deployment, new: r.ReplicaSet | None, others: list[r.ReplicaSet], progressing: r.DeploymentCondition | None
) -> tuple[datetime | None, float | None]:
    if progressing is None or progressing.reason != FINISHED or progressing.last_update_time is None:
        return None, None
    end, start = progressing.last_update_time, new.metadata.creation_timestamp if new else None
    if start is None or any((o.metadata.creation_timestamp or start) > start for o in others):
        return end, None
    return end, max(0.0, (end - start).total_seconds())


def _side(rs: r.ReplicaSet, stores: Stores) -> Side:
    name = (rs.metadata.labels or {}).get(HASH, "") or rs.metadata.name.rpartition("-")[2]
    wanted, status = rs.spec.replicas or 0, rs.status
    group = next(iter(members(stores).of(rs.metadata.uid).values()), None) if stores.pods.freshness.complete else None
    if group is None:
        return Side(name=name, revision=revision(rs), wanted=wanted, ready=status.ready_replicas,
                    starting=max(0, status.replicas - status.ready_replicas), available=status.available_replicas)  # fmt: skip
    return _grouped([group], name, revision(rs), wanted, status.available_replicas)


def _grouped(groups: list[Group], name: str, number: int, wanted: int, available: int) -> Side:
    ready, starting, pending = (sum(g[state] for g in groups) for state in (State.READY, State.STARTING, State.PENDING))
    level, uid = min((w for g in groups if (w := g.worst()) is not None), default=(Level.OK, ""))
    busy = sum(len(g.unwell.get(Level.BUSY, ())) for g in groups)
    return Side(name, number, wanted, ready, starting, pending, available, busy, uid, level)


def _together(sides: list[Side]) -> Side | None:
    """Several old revisions as one, under the name of the newest."""
    if len(sides) < 2:
        return sides[0] if sides else None
    first = sides[0]
    level, uid = min((s.level, s.worst) for s in sides)
    total = {name: sum(getattr(s, name) for s in sides) for name in ("wanted", "ready", "starting", "pending", "available", "busy")}
    return Side(name=first.name, revision=first.revision, worst=uid, level=level, **total)


def _statefulset(s: r.StatefulSet, stores: Stores) -> Rollout:
    status, spec = s.status, s.spec
    desired = 1 if spec.replicas is None else spec.replicas
    rolling = spec.update_strategy.rolling_update
    keep = min(desired, rolling.partition or 0) if rolling else 0
    changing = bool(status.update_revision) and status.update_revision != status.current_revision
    new_hash = hash_of(status.update_revision)
    groups = members(stores).of(s.metadata.uid) if stores.pods.freshness.complete else {}
    old: Side | None = None
    if groups:
        mine = [g for key, g in groups.items() if hash_of(key) == new_hash or not changing]
        rest = [g for key, g in groups.items() if hash_of(key) != new_hash and changing and g.active]
        new = _grouped(mine, new_hash, 0, desired - keep if changing else desired, -1)
        old = _grouped(rest, hash_of(status.current_revision), 0, keep, -1) if rest else None
    else:
        new = Side(name=new_hash, wanted=desired, ready=status.ready_replicas, starting=max(0, status.replicas - status.ready_replicas),
                   available=status.available_replicas)  # fmt: skip
    unavailable = scaled(rolling.max_unavailable, desired, up=False) if rolling else 1  # StatefulSets round down, DaemonSets up
    verdict = statefulset_status(s)
    settled = verdict.done and status.ready_replicas >= desired and (not changing or keep > 0)
    return Rollout(
        verdict=verdict,
        phase=_pods_phase(settled, changing, status.replicas < desired),
        desired=desired,
        new=new,
        old=old,
        strategy=spec.update_strategy.type,
        unavailable=min(desired, max(1, unavailable)),
        kept=keep if changing else 0,
        available=status.available_replicas,
    )


def _pods_phase(settled: bool, changing: bool, missing: bool) -> Phase:
    if settled:
        return Phase.STEADY
    return Phase.ROLLING if changing else Phase.SCALING if missing else Phase.DEGRADED


def hash_of(name: str) -> str:
    """`6d9c947bc9` of a ControllerRevision's name `mysql-6d9c947bc9`."""
    return name.rpartition("-")[2]


def _daemonset(d: r.DaemonSet, stores: Stores) -> Rollout:
    status, spec = d.status, d.spec
    desired = status.desired_number_scheduled
    generation = d.metadata.annotations.template_generation if d.metadata.annotations else ""
    number = int(generation) if generation.isdecimal() else 0
    groups = members(stores).of(d.metadata.uid) if stores.pods.freshness.complete else {}
    old: Side | None = None
    if groups:
        fresh = {key for key, g in groups.items() if not number or g.generation == number}
        mine = [g for key, g in groups.items() if key in fresh]
        rest = [(g.generation, key, g) for key, g in groups.items() if key not in fresh and g.active]
        new = _grouped(mine, next(iter(fresh), ""), number, desired, status.number_available if not rest else -1)
        if rest:
            before, key, _ = max(rest)
            old = _grouped([g for _, _, g in rest], key, before, 0, -1)
    else:
        new = Side(revision=number, wanted=desired, ready=status.number_ready,
                   starting=max(0, status.current_number_scheduled - status.number_ready), available=status.number_available)  # fmt: skip
    rolling = spec.update_strategy.rolling_update
    surge = scaled(rolling.max_surge, desired, up=True) if rolling else 0
    unavailable = scaled(rolling.max_unavailable, desired, up=True) if rolling else 0
    if not surge and not unavailable and desired:
        unavailable = 1
    verdict = daemonset_status(d)
    settled = verdict.done and status.number_available >= desired
    return Rollout(
        verdict=verdict,
        phase=_pods_phase(settled, old is not None, status.current_number_scheduled < desired),
        desired=desired,
        new=new,
        old=old,
        strategy=spec.update_strategy.type,
        surge=surge,
        unavailable=unavailable,
        available=status.number_available,
    )
