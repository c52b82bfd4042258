"""Pane 1: pods as kubectl prints them, what they use of what they may, and why the sick ones are sick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.cluster.metrics import Usage
from kubepane.insight import pods, quantities, why
from kubepane.insight.ages import age, next_change
from kubepane.insight.finding import Level
from kubepane.views.levels import TONE, dot
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import Cell, Column, Row, Wide
from kubepane_widgets.lines import Line, gauge
from kubepane_widgets.order import Rank

SICK = frozenset((Level.BAD, Level.WAIT, Level.BUSY, Level.WARN))
"""Levels with a reason to show; WARN cannot happen to a pod yet."""

_WIDE = (
    Column("nominated_node", "NOMINATED NODE", 14, 20, drop=10),
    Column("readiness_gates", "READINESS GATES", 6, 15, drop=9),
)
_BESIDE = (k.NODES, k.CLAIMS, k.VOLUMES, k.CONFIGMAPS, k.STORAGECLASSES)
"""Kinds that decide whether an unhealthy pod can be helped: any change of them may change its reason."""


class PodsView(View):
    """One row a pod; the key is its uid."""

    name: ClassVar[str] = "pods"
    title: ClassVar[str] = "Pods"
    number: ClassVar[int] = 1
    kinds: ClassVar[tuple[Kind, ...]] = (k.PODS, k.NODES, k.CLAIMS, k.VOLUMES, k.CONFIGMAPS, k.STORAGECLASSES, k.EVENTS)
    default_sort: ClassVar[str] = "worst first"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._levels: dict[str, Level] = {}  # of the pods that are not simply well
        self._count: Counter[Level] = Counter()

    # ---- which rows ----------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind is k.PODS:
            for uid in uids:
                self._note(uid)
            return uids
        sick = [uid for uid, level in self._levels.items() if level in SICK]
        if kind is k.EVENTS:
            about = {e.involved_object.uid for uid in uids if (e := self.stores.events.get(uid)) is not None}
            return about & self._levels.keys()
        return sick if kind in _BESIDE else ()

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
        return (self._levels.get(key, Level.OK), pod.metadata.namespace, pod.metadata.name)

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
        if key in self._levels:
            words += f"{pods.status(pod).status}\n{why.clause(pod, self.stores)}"
        else:
            words += state.phase
        return words.lower()

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
                return None if used is None else -(used.cpu if column == "cpu" else used.memory)
            case "restarts":
                return -pods.status(pod).restarts
        return super().value(key, column, now)

    def facts(self, now: datetime) -> list[str]:
        names = ((Level.BAD, "failing"), (Level.WAIT, "waiting"), (Level.BUSY, "starting"))
        return [f"{self._count[level]:,} {name}" for level, name in names if self._count[level] > 0]

    # ---- what they say -------------------------------------------------------------------------------------------------------

    def _used(self, pod: r.Pod) -> Usage | None:
        return self.world.metrics.pod(pod.metadata.namespace, pod.metadata.name)

    def record(self, key: str, now: datetime) -> Record:
        pod = self.stores.pods.get(key)
        if pod is None:
            return {"uid": "", "namespace": "", "name": ""}
        m, state, used, may = pod.metadata, pods.status(pod), self._used(pod), pods.bounds(pod)
        return {
            "uid": m.uid,
            "namespace": m.namespace,
            "name": m.name,
            "level": pods.level(pod).glyph,
            "ready": state.ready_text,
            "status": state.status,
            "restarts": state.restarts_text(now),
            "restarts_value": state.restarts,
            "age": age(m.creation_timestamp, now),
            "age_value": (now - m.creation_timestamp).total_seconds() if m.creation_timestamp else None,
            "cpu": quantities.cpu_text(used.cpu) if used else "",
            "cpu_value": used.cpu if used else None,
            "cpu_request_value": may.cpu_request,
            "cpu_limit_value": may.cpu_limit,
            "memory": quantities.memory_text(used.memory) if used else "",
            "memory_value": used.memory if used else None,
            "memory_request_value": may.memory_request,
            "memory_limit_value": may.memory_limit,
            "ip": pods.ip(pod),
            "node": pod.spec.node_name or pods.NONE,
            "nominated_node": pod.status.nominated_node_name or pods.NONE,
            "readiness_gates": pods.readiness_gates(pod),
            "why": why.clause(pod, self.stores) if m.uid in self._levels or pods.level(pod) in SICK else "",
            "labels": m.labels or {},
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        roomy = width >= 100
        return [
            Column("level", "", 1, 1, fixed=True),
            *self._lead(roomy),
            Column("name", "NAME", 20 if width < 84 else 22 if not roomy else 26, 34, elide="mid", fixed=True),
            Column("ready", "READY", 5, 5, right=True),
            Column("status", "STATUS", 9 if width < 96 else 16, 17),
            Column("restarts", "RESTARTS" if width > 140 else "RST", 3, 16 if self.wide else 8, right=True, drop=2),
            Column("age", "AGE", 4, 5, right=True),
            Column("cpu", "CPU", 5, 5, right=True),
            Column("cpu_bar", "of limit", 8, 9, drop=5),
            Column("memory", "MEM", 6, 6, right=True, drop=1),
            Column("memory_bar", "of limit", 8, 9, drop=7),
            Column("ip", "IP", 11, 15, drop=8),
            Column("node", "NODE", 11 if not roomy else 12, 18, drop=6, elide="mid"),
            *(_WIDE if self.wide else ()),
        ]

    def _lead(self, roomy: bool) -> list[Column]:
        return [Column("namespace", "NAMESPACE", 11 if roomy else 9, 14, drop=3)]

    def fields(self) -> tuple[str, ...]:
        return tuple(name for name in super().fields() if not name.endswith("_bar"))

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        pod = self.stores.pods.get(key)
        columns = self.columns(width, height)
        if pod is None:
            return Row([""] * len(columns), selectable=False)
        level, state = pods.level(pod), pods.status(pod)
        reason = why.clause(pod, self.stores) if level in SICK else ""
        cells = self._cells(pod, level, state, now)
        if reason and width >= 96:
            cells["cpu"] = Wide([(reason, "fg")], "node" if pod.spec.node_name else "")
        elif reason:
            cells["status"] = Wide([(state.status, TONE[level]), (f" {reason}", "fg")])
        due = min(next_change(pod.metadata.creation_timestamp, now), next_change(state.last_restart, now) if self.wide else float("inf"))
        return Row([cells[c.key] for c in columns], f"{state.status}: {reason}" if reason else "", now.timestamp() + due)

    def _cells(self, pod: r.Pod, level: Level, state: pods.PodStatusText, now: datetime) -> dict[str, Cell]:
        m, used, may = pod.metadata, self._used(pod), pods.bounds(pod)
        quiet = "muted" if level is Level.DONE else "fg"
        sick = level in SICK
        restarts = state.restarts_text(now) if self.wide else str(state.restarts)
        blank: Line = [("", "fg")]
        return {
            "level": dot(level),
            "namespace": (m.namespace, "muted"),
            "name": (m.name, quiet),
            "ready": (state.ready_text, TONE[level] if sick else "soft"),
            "status": (state.status, TONE[level] if sick else "muted" if level is Level.DONE else "soft"),
            "restarts": (restarts, "soft" if state.restarts else "muted"),
            "age": (age(m.creation_timestamp, now), "muted"),
            "cpu": (quantities.cpu_text(used.cpu) if used else "", quiet),
            "cpu_bar": gauge(used.cpu, may.cpu_request, may.cpu_limit, 8) if used else blank,
            "memory": (quantities.memory_text(used.memory) if used else "", quiet),
            "memory_bar": gauge(used.memory, may.memory_request, may.memory_limit, 8) if used else blank,
            "ip": (pod.status.pod_ip, "muted"),
            "node": (pod.spec.node_name, "muted"),
            "nominated_node": (pod.status.nominated_node_name or pods.NONE, "muted"),
            "readiness_gates": (pods.readiness_gates(pod), "muted"),
        }

    def none(self) -> list[Line]:
        return [[("No pods", "fg")]]


class GroupedPodsView(PodsView):
    """The pods of one workload, by the ReplicaSet (or other owner) that made them, the newest first."""

    default_sort: ClassVar[str] = "by ReplicaSet"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._workload = ""
        self._owners: dict[str, int] = {}  # uid of what owns the pods → its place, the newest first

    def choose(self, uid: str) -> None:
        """Shows the pods of the workload with this uid; none for ""."""
        self._workload = uid
        sets = sorted(self.stores.replicasets.by("owner", uid), key=lambda rs: -_born(rs)) if uid else []
        self._owners = {uid: 0} | {rs.metadata.uid: i + 1 for i, rs in enumerate(sets)}

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind is k.PODS and self._workload:
            self.choose(self._workload)
        return super().affected(kind, uids)

    def exists(self, key: str) -> bool:
        pod = self.stores.pods.get(key)
        return pod is not None and any(o.uid in self._owners for o in pod.metadata.owner_references or ()) and bool(self._workload)

    def rank(self, key: str) -> Rank:
        pod = self.stores.pods.get(key)
        if pod is None:
            return (0, Level.OFF, "", "")
        place = min((self._owners[o.uid] for o in pod.metadata.owner_references or () if o.uid in self._owners), default=0)
        return (place, *super().rank(key))

    def _lead(self, roomy: bool) -> list[Column]:
        return []


def _born(obj: r.Object) -> float:
    return obj.metadata.creation_timestamp.timestamp() if obj.metadata.creation_timestamp else 0.0
