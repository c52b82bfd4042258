"""Pane 2: workloads of all kinds in one table, with the lane of their rollout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.insight import rollouts, workload_cells, workloads
from kubepane.insight.ages import next_change
from kubepane.insight.finding import Level
from kubepane.insight.fleet import fleet
from kubepane.insight.members import controller, members
from kubepane.insight.rollouts import Rollout, Side
from kubepane.insight.workload_cells import Workload
from kubepane.insight.workloads import Assessment
from kubepane.views.lanes import lane
from kubepane.views.levels import SICK, TONE, dot
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Rank

OWN = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS, k.JOBS, k.CRONJOBS)
_FEW = 200  # waiting workloads that are looked at anew at every change of the nodes
_CREATED = ("FailedCreate", "SuccessfulCreate")
_WIDE = (
    Column("containers", "CONTAINERS", 10, 24, drop=8),
    Column("images", "IMAGES", 16, 48, drop=9, elide="mid"),
    Column("selector", "SELECTOR", 12, 40, drop=10),
)


class WorkloadsView(View):
    """One row a Deployment, StatefulSet, DaemonSet, Job or CronJob. Its pods and ReplicaSets are counted, never walked."""

    name: ClassVar[str] = "workloads"
    title: ClassVar[str] = "Workloads"
    number: ClassVar[int] = 2
    kinds: ClassVar[tuple[Kind, ...]] = (*OWN, k.REPLICASETS, k.PODS, k.EVENTS, k.NODES, k.CLAIMS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._pods = members(self.stores).listen()
        self.rolling: set[str] = set()
        self._held: dict[str, Assessment] = {}
        self._fresh: set[str] = set()  # changed, and not looked at since
        self._waiting: set[str] = set()  # for something that nodes or claims may bring
        self._epoch = 0  # of the nodes' picture that the reasons of pending pods were told from
        self._owners: dict[str, str] = {}  # of ReplicaSets and Jobs seen, by uid: what is gone names no owner any more

    def own_kinds(self) -> tuple[Kind, ...]:
        return OWN

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        keys = self._touched(kind, uids)
        for uid in keys:
            self._held.pop(uid, None)
            self.rolling.discard(uid)
            self._waiting.discard(uid)
        self._fresh |= keys
        return keys

    def _touched(self, kind: Kind, uids: set[str]) -> set[str]:
        if not uids and kind in (k.REPLICASETS, k.PODS):  # how far they can be trusted has changed, so what is counted has
            return {uid for own in OWN for uid in self.stores.of(own).uids()}
        if kind is k.REPLICASETS:
            return {owner for uid in uids if (owner := self._owner(uid, self.stores.replicasets.get(uid)))}
        if kind is k.PODS:
            found = {self._owners.get(owner, owner) for owner in self._pods.drain()}
            return found | self._waiting if self._moved() and len(self._waiting) <= _FEW else found
        if kind is k.EVENTS:
            events = (self.stores.events.get(uid) for uid in uids)
            about = {e.involved_object.uid for e in events if e is not None and e.reason in _CREATED}
            return {uid for uid in about if self.exists(uid)}
        if kind is k.NODES or kind is k.CLAIMS:
            return set(self._waiting)
        if kind is k.JOBS:
            return uids | {owner for uid in uids if (owner := self._owner(uid, self.stores.jobs.get(uid)))}
        return set(uids)

    def _moved(self) -> bool:
        """Whether a pod may fit on a node now that did not before, or the reverse."""
        epoch = fleet(self.stores).epoch
        moved, self._epoch = epoch != self._epoch, epoch
        return moved

    def _owner(self, uid: str, obj: r.Object | None) -> str:
        """The owner of a ReplicaSet or Job, also of one that has just gone."""
        if obj is None:
            return self._owners.pop(uid, "")
        owner = controller(obj.metadata.owner_references)
        if owner:
            self._owners[uid] = owner
        return owner

    def workload(self, uid: str) -> Workload | None:
        """The object of a row."""
        for kind in OWN:
            if (found := self.stores.of(kind).get(uid)) is not None:
                return found  # type: ignore[no-any-return]
        return None

    def assess(self, uid: str) -> Assessment | None:
        """How a workload is doing; computed once after each change."""
        found = self._held.get(uid)
        if found is None and (obj := self.workload(uid)) is not None:
            found = self._held[uid] = workloads.assess(obj, self.stores)
            if found.rolling:
                self.rolling.add(uid)
            if found.level <= Level.WAIT:
                self._waiting.add(uid)
        self._fresh.discard(uid)
        return found

    def exists(self, key: str) -> bool:
        return any(key in self.stores.of(kind) for kind in OWN)

    def rank(self, key: str) -> Rank:
        obj, found = self.workload(key), self.assess(key)
        if obj is None or found is None:
            return (Level.OFF, "", "")
        return (found.level, obj.metadata.namespace, workload_cells.short_name(obj))

    def namespace(self, key: str) -> str:
        obj = self.workload(key)
        return obj.metadata.namespace if obj else ""

    def labels(self, key: str) -> dict[str, str]:
        obj = self.workload(key)
        return (obj.metadata.labels or {}) if obj else {}

    def facts(self, now: datetime) -> list[str]:
        for uid in list(self._fresh):
            self.assess(uid)
        return [f"{len(self.rolling)} rolling"] if self.rolling else []

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        obj, found = self.workload(key), self.assess(key)
        if obj is None or found is None:
            return {"uid": "", "namespace": "", "name": ""}
        born, ro = obj.metadata.creation_timestamp, found.rollout
        return {
            "uid": key,
            "namespace": obj.metadata.namespace,
            "name": obj.metadata.name,
            "object": workload_cells.short_name(obj),
            "kind": type(obj).__name__,
            "level": found.level.glyph,
            "revision": revisions(ro),
            "revision_value": ro.new.revision if ro and ro.new.revision else None,
            **workload_cells.cells(obj, now),
            "ready_value": workload_cells.ready_share(obj),
            "age_value": None if born is None else (now - born).total_seconds(),
            "state": workloads.words(found, now)[0],
            "why": found.note if found.level in SICK else "",
            **({"rollout": _rollout(ro, now)} if ro else {}),
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        more = self.wide or width > 110
        return [
            Column("level", "", 1, 1, fixed=True),
            Column("namespace", "NAMESPACE", 9, 20 if more else 11, drop=3, elide="mid"),
            Column("name", "NAME", 15, 40 if more else 20, elide="mid", fixed=True),
            Column("revision", "REV", 5, 7, right=True, drop=4),
            Column("ready", "READY", 5, 9, right=True),
            *(
                [Column("up_to_date", "UP-TO-DATE", 10, 10, right=True, drop=6), Column("available", "AVAILABLE", 9, 9, right=True, drop=7)]
                if more
                else []
            ),
            *([Column("age", "AGE", 4, 5, right=True, drop=5)] if more else []),
            Column("lane", "OLD → NEW", 9, 12),
            *(_WIDE if self.wide else ()),
            Column("state", "STATE", 13, FLEX),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        columns = self.columns(width, height)
        obj, found = self.workload(key), self.assess(key)
        if obj is None or found is None:
            return Row([""] * len(columns))
        state, wait = workloads.words(found, now)
        quiet = "muted" if found.level in (Level.DONE, Level.OFF) else "fg"
        cells: dict[str, Any] = {
            "level": dot(found.level),
            "namespace": (obj.metadata.namespace, "muted"),
            "name": (workload_cells.short_name(obj), quiet),
            "revision": (revisions(found.rollout), "muted"),
            "ready": (workload_cells.ready_text(obj), quiet if found.level >= Level.OK else TONE[found.level]),
            "lane": lane(found),
            "state": (state, TONE[found.level] if found.level in SICK else "muted" if found.level >= Level.OK else "soft"),
        }
        shown = {column.key for column in columns} - cells.keys()
        if shown:
            texts = workload_cells.cells(obj, now)
            cells |= {name: (str(texts.get(name, "")), "muted") for name in shown}
        if "age" in shown:
            wait = min(wait, next_change(obj.metadata.creation_timestamp, now))
        note = found.note if found.level < Level.OK else ""
        return Row([cells[column.key] for column in columns], note, now.timestamp() + wait)

    def none(self) -> list[Line]:
        return [[("No workloads", "fg")]]


def revisions(ro: Rollout | None) -> str:
    """REV: `4`, while it rolls `3→4`; "" where revisions have no number."""
    if ro is None:
        return ""
    numbers = [str(side.revision) for side in (ro.old, ro.new) if side is not None and side.revision]
    return "→".join(numbers)


def _rollout(ro: Rollout, now: datetime) -> dict[str, Any]:
    left = rollouts.deadline_left(ro, now)
    return {
        "status": ro.verdict.text,
        "done": ro.verdict.done,
        "failed": ro.verdict.failed,
        "phase": ro.phase.value,
        "strategy": ro.strategy,
        "surge": ro.surge,
        "unavailable": ro.unavailable,
        "paused": ro.paused,
        "desired": ro.desired,
        "new": _side(ro.new),
        "old": _side(ro.old) if ro.old else None,
        "deadline_left": None if left is None else int(left),
        "took": None if ro.took is None else int(ro.took),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "revision": side.revision or None,
        "pods": side.pods,
        "ready": side.ready,
        "starting": side.starting,
        "pending": side.pending,
        "available": side.available if side.available >= 0 else None,
    }
