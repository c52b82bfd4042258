"""Pane 1: pods as kubectl prints them, what they use of what they may, and why the sick ones are sick."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.metrics import Usage
from kubepane.insight import pods, why
from kubepane.insight.ages import next_change
from kubepane.insight.events import SHORT
from kubepane.insight.finding import Level
from kubepane.insight.fleet import fleet
from kubepane.views import pod_row
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import Column, Row, Wide
from kubepane_widgets.lines import Line, spread
from kubepane_widgets.order import Rank

SICK = frozenset((Level.BAD, Level.WAIT, Level.BUSY, Level.WARN))
"""Levels with a reason to show."""

_FEW = 500  # waiting pods that are looked at anew at every change of the nodes; of more, those on screen look for themselves
_LOOK_AGAIN = 10.0  # seconds after which they do


class PodsView(View):
    """One row a pod; the key is its uid."""

    name: ClassVar[str] = "pods"
    title: ClassVar[str] = "Pods"
    number: ClassVar[int] = 1
    shows_usage: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = (
        k.PODS, k.NODES, k.CLAIMS, k.VOLUMES, k.STORAGECLASSES, k.CONFIGMAPS, k.SECRETS, k.EVENTS,
    )  # fmt: skip
    default_sort: ClassVar[str] = "worst first"
    shows_namespace: ClassVar[bool] = True  # in a column of its own

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._levels: dict[str, Level] = {}  # of the pods that are not simply well
        self._count: Counter[Level] = Counter()
        self._epoch = 0  # of the nodes' picture that the reasons of pending pods were told from

    # ---- which rows ----------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind is k.PODS:
            for uid in uids:
                self._note(uid)
            return uids | self._waiting() if self._moved() and self._count[Level.WAIT] <= _FEW else uids
        if not self._levels:
            self._moved()
            return ()
        if not uids:  # how far this kind can be trusted has changed
            return self._sick()
        found: set[str] = set()
        for uid in uids:
            found |= self._concerned(kind, self.stores.of(kind).get(uid))
        return found

    def _concerned(self, kind: Kind, obj: r.Object | None) -> set[str]:
        """The sick pods whose reason may lie in this object; of one that has gone only its kind is known."""
        if kind is k.NODES and self._moved():
            return self._sick()
        match obj:
            case r.Event():
                return {obj.involved_object.uid} & self._sick()
            case r.Node():
                return self._known(self.stores.pods.by("node", obj.metadata.name))
            case r.Claim():
                return self._known(self.stores.pods.by("claim", f"{obj.metadata.namespace}/{obj.metadata.name}"))
            case r.ConfigMap() | r.Secret():
                return {uid for uid in self._sick() if self.namespace(uid) == obj.metadata.namespace}
        return set() if kind is k.EVENTS else self._sick() if kind in (k.CONFIGMAPS, k.SECRETS) else self._waiting()

    def _known(self, found: Iterable[r.Pod]) -> set[str]:
        return {uid for pod in found if self._levels.get(uid := pod.metadata.uid) in SICK}

    def _sick(self) -> set[str]:
        return {uid for uid, level in self._levels.items() if level in SICK}

    def _waiting(self) -> set[str]:
        return {uid for uid, level in self._levels.items() if level is Level.WAIT}

    def _moved(self) -> bool:
        """Whether a pod may fit now that did not before, or the reverse. Asked at every change, so that the picture never lags far."""
        epoch = fleet(self.stores).epoch
        moved, self._epoch = epoch != self._epoch, epoch
        return moved

    def _note(self, uid: str) -> None:
        """Keeps the count of the pods that are not well, so that nobody has to look through all of them."""
        pod = self.stores.pods.get(uid)
        level = None if pod is None else pods.level(pod)
        old = self._levels.pop(uid, None)
        if old is not None:
            self._count[old] -= 1
        if level is not None and level is not Level.OK:
            self._levels[uid] = level
            self._count[level] += 1

    def exists(self, key: str) -> bool:
        return key in self.stores.pods

    def rank(self, key: str) -> Rank:
        pod = self.stores.pods.get(key)
        if pod is None:
            return (Level.OFF, "", "")
        return (pods.level(pod), pod.metadata.namespace, pod.metadata.name)

    def namespace(self, key: str) -> str:
        pod = self.stores.pods.get(key)
        return pod.metadata.namespace if pod else ""

    def labels(self, key: str) -> dict[str, str]:
        pod = self.stores.pods.get(key)
        return (pod.metadata.labels or {}) if pod else {}

    def text(self, key: str, now: datetime) -> str:
        pod = self.stores.pods.get(key)
        if pod is None:
            return ""
        m, state = pod.metadata, pod.status
        words = f"{m.namespace}\n{m.name}\n{pod.spec.node_name}\n{state.pod_ip}\n"
        if (level := pods.level(pod)) is Level.OK:
            return f"{words}{state.phase}".lower()
        reason = why.clause(pod, self.stores, now) if level in SICK else ""
        return f"{words}{pods.status(pod).status}\n{reason}".lower()

    def value(self, key: str, column: str, now: datetime) -> Any:
        """The columns that one sorts thousands of pods by, without making whole records."""
        pod = self.stores.pods.get(key)
        if pod is None:
            return None
        match column:
            case "name":
                return pod.metadata.name
            case "namespace":
                return pod.metadata.namespace
            case "node":
                return pod.spec.node_name
            case "age":
                born = pod.metadata.creation_timestamp
                return -born.timestamp() if born else None
            case "cpu" | "memory":
                used = self._used(pod)
                return None if used is None else used.cpu if column == "cpu" else used.memory
            case "restarts":
                return pods.status(pod).restarts
        return super().value(key, column, now)

    def facts(self, now: datetime) -> list[str]:
        names = ((Level.BAD, "failing"), (Level.WAIT, "waiting"), (Level.BUSY, "not ready"))
        return [f"{self._count[level]:,} {name}" for level, name in names if self._count[level] > 0]

    def aside(self, now: datetime) -> Line:
        words = {State.ABSENT: "no metrics API", State.FORBIDDEN: "usage refused", State.FAILED: "usage failed"}
        said = words.get(self.world.metrics.freshness.state)
        return [(f" · {said}", "muted")] if said else []

    # ---- what they say -------------------------------------------------------------------------------------------------------

    def _used(self, pod: r.Pod) -> Usage | None:
        return self.world.metrics.pod(pod.metadata.namespace, pod.metadata.name)

    def record(self, key: str, now: datetime) -> Record:
        pod = self.stores.pods.get(key)
        if pod is None:
            return {"uid": "", "namespace": "", "name": ""}
        return pod_row.record(pod, self._used(pod), self._reason(pod, now), now)

    def _reason(self, pod: r.Pod, now: datetime) -> str:
        return why.clause(pod, self.stores, now) if pods.level(pod) in SICK else ""

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return pod_row.columns(width, wide=self.wide, namespaces=self.shows_namespace)

    def fields(self) -> tuple[str, ...]:
        return (*(name for name in super().fields() if not name.endswith("_bar")), "why")

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        pod = self.stores.pods.get(key)
        columns = self.columns(width, height)
        if pod is None:
            return Row([""] * len(columns), selectable=False)
        state, reason = pods.status(pod), self._reason(pod, now)
        cells = pod_row.cells(pod, state, self._used(pod), reason, now, width=width, wide=self.wide)
        return Row([cells[c.key] for c in columns], f"{state.status}: {reason}" if reason else "", now.timestamp() + self._due(pod, state, now))

    def _due(self, pod: r.Pod, state: pods.PodStatusText, now: datetime) -> float:
        """Seconds until the row may read differently by itself."""
        due = min(next_change(pod.metadata.creation_timestamp, now), next_change(state.last_restart, now) if self.wide else math.inf)
        if (end := pod.metadata.deletion_timestamp) is not None:  # from then on the reason tells since when
            due = min(due, next_change(end, now) if end <= now else (end - now).total_seconds())
        return min(due, _LOOK_AGAIN) if self._levels.get(pod.metadata.uid) is Level.WAIT else due

    def none(self) -> list[Line]:
        return [[("No pods", "fg")]]


class GroupedPodsView(PodsView):
    """The pods of one workload under a heading for each ReplicaSet (or other owner) that made them, the newest revision first.

    A heading is a row of its own that cannot be selected, with the key `uid/group`.
    """

    kinds: ClassVar[tuple[Kind, ...]] = (*PodsView.kinds, k.REPLICASETS, k.JOBS)
    default_sort: ClassVar[str] = "by ReplicaSet"
    shows_namespace: ClassVar[bool] = False

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.workload = ""
        self._owners: dict[str, int] = {}  # uid of what owns the pods → its place, the newest first

    def choose(self, uid: str) -> None:
        """Shows the pods of the workload with this uid; none for ""."""
        self.workload = uid
        self._owners = {owner: i for i, owner in enumerate(self._makers())}

    def _makers(self) -> list[str]:
        """What may own the workload's pods: its ReplicaSets or Jobs, the newest first, and itself."""
        if not self.workload:
            return []
        found = [*self.stores.replicasets.by("owner", self.workload), *self.stores.jobs.by("owner", self.workload)]
        return [*(o.metadata.uid for o in sorted(found, key=_newness, reverse=True)), self.workload]

    # ---- which rows ----------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind in (k.REPLICASETS, k.JOBS):
            before = self._owners
            self.choose(self.workload)
            moved = () if before == self._owners else [p.metadata.uid for uid in before | self._owners for p in self.stores.pods.by("owner", uid)]
            return {*moved, *self._headings(before), *self._headings(self._owners)}
        found = super().affected(kind, uids)
        return {*found, *self._headings(self._owners)} if kind is k.PODS else found

    @staticmethod
    def _headings(owners: Iterable[str]) -> list[str]:
        return [f"{uid}{_GROUP}" for uid in owners]

    def _place(self, key: str) -> int | None:
        """The place of a row's group, None for a row of another workload."""
        if key.endswith(_GROUP):
            uid = key.removesuffix(_GROUP)
            return self._owners.get(uid) if self.stores.pods.count("owner", uid) else None
        pod = self.stores.pods.get(key)
        owners = (pod.metadata.owner_references or ()) if pod else ()
        return min((self._owners[o.uid] for o in owners if o.uid in self._owners), default=None)

    def exists(self, key: str) -> bool:
        return self._place(key) is not None

    def rank(self, key: str) -> Rank:
        place = self._place(key) or 0
        return (place, 0) if self.beside(key) else (place, 1, *super().rank(key))

    def beside(self, key: str) -> bool:
        return key.endswith(_GROUP)

    def namespace(self, key: str) -> str:
        maker = self._maker(key)
        return maker[1].metadata.namespace if maker else super().namespace(key)

    def object(self, key: str) -> tuple[Kind, r.Object] | None:
        return self._maker(key) if self.beside(key) else super().object(key)

    def facts(self, now: datetime) -> list[str]:
        return []  # what is counted are all pods

    # ---- what they say -------------------------------------------------------------------------------------------------------

    def _maker(self, key: str) -> tuple[Kind, r.Object] | None:
        """The owner that a heading names."""
        uid = key.removesuffix(_GROUP)
        kinds = (k.REPLICASETS, k.STATEFULSETS, k.DAEMONSETS, k.JOBS) if self.beside(key) else ()
        return next(((kind, found) for kind in kinds if (found := self.stores.of(kind).get(uid)) is not None), None)

    def record(self, key: str, now: datetime) -> Record:
        maker = self._maker(key)
        if not self.beside(key) or maker is None:
            return super().record(key, now)
        m = maker[1].metadata
        ready, total = self._ready(m.uid)
        return {"uid": m.uid, "namespace": m.namespace, "name": m.name, "ready": f"{ready}/{total}", "labels": m.labels or {}}

    def text(self, key: str, now: datetime) -> str:
        return self.record(key, now).get("name", "").lower() if self.beside(key) else super().text(key, now)

    def _ready(self, owner: str) -> tuple[int, int]:
        found = list(self.stores.pods.by("owner", owner))
        return sum(pods.level(p) is Level.OK for p in found), len(found)

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        if not self.beside(key):
            return super().row(key, now, width, height)
        left = self._heading(key)
        ready, total = self._ready(key.removesuffix(_GROUP))
        line = spread(left, [(f" {ready}/{total} ready", "muted")], width, "─")
        return Row([Wide(line), *[""] * (len(self.columns(width, height)) - 1)], selectable=False)

    def _heading(self, key: str) -> Line:
        """`new rs/web-7c9f · revision 4`; new and old only where there are both."""
        maker = self._maker(key)
        if maker is None:
            return [("pods ", "soft")]
        kind, owner = maker
        places = [self._place(heading) for heading in self._headings(self._owners)]
        both = sum(place is not None for place in places) > 1
        age_of = ("new " if self._place(key) == 0 else "old ") if both and kind is k.REPLICASETS else ""
        revision = (owner.metadata.annotations or r.NO_ANNOTATIONS).revision
        return [(f"{age_of}{SHORT[kind.kind]}/{owner.metadata.name}{f' · revision {revision}' if revision else ''} ", "soft")]


_GROUP = "/group"


def _newness(owner: r.Object) -> tuple[int, float]:
    revision = (owner.metadata.annotations or r.NO_ANNOTATIONS).revision
    born = owner.metadata.creation_timestamp
    return (int(revision) if revision.isdecimal() else 0, born.timestamp() if born else 0.0)
