"""Pane 5: HorizontalPodAutoscalers, and the chart of the one under the cursor with its arithmetic in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import Kind
from kubepane.insight import hpa, scaling
from kubepane.insight.ages import age, next_change
from kubepane.insight.finding import Level
from kubepane.insight.hpa import Assessment
from kubepane.insight.scaling import Hold
from kubepane.views import cockpit
from kubepane.views.levels import SICK, TONE, dot
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.lines import Line, fit
from kubepane_widgets.order import Rank

_TARGETS = (k.DEPLOYMENTS, k.STATEFULSETS, k.REPLICASETS)


ROOMY = 76  # cells from which on whole words fit; below that the line under the chart has them
_BRIEF = {"not looked at yet": "new", "its pods are not ready yet": "pods unready"}


def briefly(state: str) -> str:
    """STATE in twelve cells: `down ≤ 4m12s` without the number that the sum below it says."""
    return state.rpartition(", ")[2].replace("down in", "down") if state.startswith("wants ") else _BRIEF.get(state, state)


class AutoscalersView(View):
    """One row an HPA; below the rows the chart of the HPA under the cursor, as large as the pane allows."""

    name: ClassVar[str] = "hpa"
    title: ClassVar[str] = "HPA"
    number: ClassVar[int] = 5
    shows_usage: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = (k.AUTOSCALERS, *_TARGETS, k.PODS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._held: dict[str, Assessment] = {}
        self._waiting: set[str] = set()  # for metrics: their cause may lie in their pods
        self._names: dict[str, str] = {}  # of targets seen, by uid: a deleted object has no name any more
        self._chart = cockpit.Chart()

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind is k.PODS:
            keys = set(self._waiting)
        elif kind is k.AUTOSCALERS:
            keys = set(uids)
        else:
            keys = self._scalers(kind, uids)
        for uid in keys:
            self._held.pop(uid, None)
            self._waiting.discard(uid)
            if uid in self.stores.autoscalers:
                self._assess(uid)
        return keys

    def _scalers(self, kind: Kind, uids: set[str]) -> set[str]:
        if not uids:  # how far they can be trusted has changed: what is missing may be said to be missing now
            return set(self.stores.autoscalers.uids())
        keys: set[str] = set()
        for uid in uids:
            obj = self.stores.of(kind).get(uid)
            if obj is not None:
                path = f"{obj.metadata.namespace}/{kind.kind}/{obj.metadata.name}"
                if self.stores.autoscalers.count("target", path):
                    self._names[uid] = path
            else:
                path = self._names.pop(uid, "")
            keys.update(a.metadata.uid for a in self.stores.autoscalers.by("target", path))
        return keys

    def _assess(self, uid: str) -> Assessment | None:
        found = self._held.get(uid)
        if found is None and (a := self.stores.autoscalers.get(uid)) is not None:
            found = self._held[uid] = hpa.assess(a, self.stores)
            if found.level is Level.WAIT:
                self._waiting.add(uid)
        return found

    def exists(self, key: str) -> bool:
        return key in self.stores.autoscalers

    def rank(self, key: str) -> Rank:
        a, found = self.stores.autoscalers.get(key), self._assess(key)
        return (found.level if found else Level.OFF, a.metadata.namespace if a else "", a.metadata.name if a else "")

    def namespace(self, key: str) -> str:
        a = self.stores.autoscalers.get(key)
        return a.metadata.namespace if a else ""

    def labels(self, key: str) -> dict[str, str]:
        a = self.stores.autoscalers.get(key)
        return (a.metadata.labels or {}) if a else {}

    def facts(self, now: datetime) -> list[str]:
        full = sum(found.at_max for found in self._held.values())
        blind = sum(found.level is Level.BAD for found in self._held.values())
        return [*([f"{full} at max"] if full else []), *([f"{blind} broken"] if blind else [])]

    def aside(self, now: datetime) -> Line:
        metrics = self.world.metrics
        if metrics.freshness.state in (State.FORBIDDEN, State.ABSENT):
            return [(" · no metrics", "warn")]
        return [(f" · cpu {age(metrics.sampled_at, now)} ago", "muted")] if metrics.sampled_at else []

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        a, found = self.stores.autoscalers.get(key), self._assess(key)
        if a is None or found is None:
            return {"uid": "", "namespace": "", "name": ""}
        born, best, spec = a.metadata.creation_timestamp, found.sums.best, a.spec
        return {
            "uid": key,
            "namespace": a.metadata.namespace,
            "name": a.metadata.name,
            "level": found.level.glyph,
            "reference": hpa.reference(a),
            "targets": hpa.targets(a),
            "targets_value": best.current / best.target if best and best.current is not None and best.target else None,
            "minpods": "<unset>" if spec.min_replicas is None else str(spec.min_replicas),
            "minpods_value": 1 if spec.min_replicas is None else spec.min_replicas,
            "maxpods": spec.max_replicas,
            "replicas": a.status.current_replicas,
            "age": age(born, now),
            "age_value": None if born is None else (now - born).total_seconds(),
            "state": self._state(a, found, now)[0],
            "desired": a.status.desired_replicas,
            "wanted": found.sums.wanted,
            "why": found.finding.clause if found.finding else "",
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        more = self.wide or width > 110
        return [
            Column("level", "", 1, 1, fixed=True),
            *([Column("namespace", "NAMESPACE", 9, 14, drop=5)] if more else []),
            *([Column("name", "NAME", 10, 24, elide="mid", drop=4)] if self.wide else []),
            Column("reference", "REFERENCE", 14, 34 if more else 20, elide="mid", fixed=True),
            Column("targets", "TARGETS", 13, 40 if width > ROOMY else 17),
            Column("minpods", "MIN", 3, 7, right=True),
            Column("maxpods", "MAX", 3, 5, right=True),
            Column("replicas", "REPLICAS" if width > ROOMY else "REPL", 4, 8, right=True),
            Column("age", "AGE", 4, 5, right=True, drop=3),
            Column("state", "STATE", 12, FLEX),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        columns = self.columns(width, height)
        a, found = self.stores.autoscalers.get(key), self._assess(key)
        if a is None or found is None:
            return Row([""] * len(columns))
        state, wait = self._state(a, found, now)
        brief = width <= ROOMY
        tone = TONE[found.level] if found.level in SICK else "fg"
        cells: dict[str, Any] = {
            "level": dot(found.level),
            "namespace": (a.metadata.namespace, "muted"),
            "name": a.metadata.name,
            "reference": hpa.short_reference(a),
            "targets": (hpa.targets(a).replace(": ", " ").replace("<unknown>", "?" if brief else "<unknown>"), tone),
            "minpods": "<unset>" if a.spec.min_replicas is None else str(a.spec.min_replicas),
            "maxpods": str(a.spec.max_replicas),
            "replicas": str(a.status.current_replicas),
            "age": (age(a.metadata.creation_timestamp, now), "muted"),
            "state": (briefly(state) if brief else state, "muted" if state == "steady" else "soft"),
        }
        expires = now.timestamp() + min(wait, next_change(a.metadata.creation_timestamp, now))
        note = found.finding.clause if found.finding else found.sums.best.sum_text if found.sums.best else ""
        return Row([cells[column.key] for column in columns], note, expires)

    def _state(self, a: r.Autoscaler, found: Assessment, now: datetime) -> tuple[str, float]:
        """STATE, and the seconds until it reads differently."""
        if found.level is not Level.OK:
            return found.text, float("inf")
        held = self._hold(a, found)
        if held.state != "window":
            return found.text, float("inf")
        wait = 1.0 - now.timestamp() % 1.0 if held.until else float("inf")
        return f"wants {held.wanted}, {cockpit.countdown(held, now)}", wait

    def _hold(self, a: r.Autoscaler, found: Assessment) -> Hold:
        return scaling.hold(a, found.sums, self.world.metrics.scales(a.metadata.uid))

    # ---- the chart -----------------------------------------------------------------------------------------------------------

    def tail(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        a = self.stores.autoscalers.get(cursor) if cursor else None
        found = self._assess(cursor) if cursor else None
        if a is None or found is None:
            return []
        rows = min(len(self.stores.autoscalers), 3, max(1, height - 5))
        seen = cockpit.Seen(a, found, self._hold(a, found), self.world.metrics.scales(a.metadata.uid))
        if height < 6:
            return [fit(cockpit.caption(seen, now), width)]
        if height < cockpit.LARGE:
            return [*self._chart.curve(seen, now, width, height - rows - 2), fit(cockpit.caption(seen, now), width)]
        return cockpit.large(seen, self._chart, now, width, height - rows - 1)

    def none(self) -> list[Line]:
        return [[("No HorizontalPodAutoscaler", "fg")]]
