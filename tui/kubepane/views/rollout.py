"""The rollout lane: one workload's old and new pods, how far it is, and its story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane.insight import rollouts, stories, workload_cells
from kubepane.insight.ages import age, duration, next_change
from kubepane.insight.finding import Level
from kubepane.insight.rollouts import Phase, Rollout, Side
from kubepane.insight.stories import Step
from kubepane.views.lanes import bar
from kubepane.views.levels import dot
from kubepane.views.view import Record, View, World
from kubepane.views.workloads import WorkloadsView
from kubepane_widgets.columns import FLEX, Cell, Column, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Rank

_ROLLED = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS)
_TELLING = (k.EVENTS, k.AUTOSCALERS)
_LEGEND: Line = [(" " * 16, "fg")]
for _glyph, _tone, _word in (("█", "ok", " ready  "), ("▓", "accent", " starting  "), ("▒", "warn", " pending  "), ("░", "faint", " to come")):
    _LEGEND += [(_glyph, _tone), (_word, "muted")]


class RolloutView(View):
    """The story of one rollout as rows, its numbers above them.

    It shows the workload that was chosen, else the worst one that is rolling.
    """

    name: ClassVar[str] = "rollout"
    title: ClassVar[str] = "Rollout"
    number: ClassVar[int] = 2
    kinds: ClassVar[tuple[Kind, ...]] = (*WorkloadsView.kinds, k.AUTOSCALERS)
    default_sort: ClassVar[str] = ""
    counted: ClassVar[bool] = False

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.all = WorkloadsView(world)
        self._chosen = ""
        self._shown = ""
        self._steps: dict[str, tuple[int, Step]] = {}

    def own_kinds(self) -> tuple[Kind, ...]:
        return _ROLLED

    def choose(self, uid: str) -> Iterable[str]:
        """Shows this workload, "" for the worst one that is rolling; one without rollouts (a Job) counts as none.

        Returns:
            Keys of the rows that come and go.
        """
        self._chosen = uid
        return self._tell() if self._current() != self._shown else ()

    @property
    def shown(self) -> str:
        """The uid of the workload whose rollout is told, "" for none."""
        return self._current()

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        changed = set(self.all.affected(kind, uids)) if kind in WorkloadsView.kinds else set()
        current = self._current()
        if current == self._shown and current not in changed and not (kind in _TELLING and self._tells(kind, uids)):
            return ()
        return self._tell()

    def _tells(self, kind: Kind, uids: set[str]) -> bool:
        """Whether these events, or autoscalers, belong to the story that is shown."""
        obj = self._workload()
        if obj is None:
            return False
        path = f"{obj.metadata.namespace}/{type(obj).__name__}/{obj.metadata.name}"
        scalers = {a.metadata.uid for a in self.stores.autoscalers.by("target", path)}
        if kind is k.AUTOSCALERS:
            return not scalers.isdisjoint(uids)
        if any(f"{uid}/event" in self._steps for uid in uids):
            return True
        found = (self.stores.events.get(uid) for uid in uids)
        return any(e is not None and (e.involved_object.uid == self._shown or e.involved_object.uid in scalers) for e in found)

    def _current(self) -> str:
        if self._chosen and self._rolled(self._chosen) is not None:
            return self._chosen
        self.all.facts(datetime.min)  # looks at what has changed
        return min(self.all.rolling, key=self.all.rank, default="")

    def _rolled(self, uid: str) -> rollouts.Rolled | None:
        obj = self.all.workload(uid)
        return obj if isinstance(obj, r.Deployment | r.StatefulSet | r.DaemonSet) else None

    def _workload(self) -> rollouts.Rolled | None:
        return self._rolled(self._shown)

    def _rollout(self) -> Rollout | None:
        found = self.all.assess(self._shown) if self._shown else None
        return found.rollout if found else None

    def _tell(self) -> set[str]:
        """Reads the story anew; the keys of both the old one and the new one."""
        before = set(self._steps)
        self._shown = self._current()
        obj, ro = self._workload(), self._rollout()
        told = stories.story(obj, ro, self.stores) if obj is not None and ro is not None else []
        self._steps = {step.key: (i, step) for i, step in enumerate(told)}
        return before | set(self._steps)

    def exists(self, key: str) -> bool:
        return key in self._steps

    def rank(self, key: str) -> Rank:
        return (self._steps[key][0] if key in self._steps else -1,)

    def object(self, key: str) -> tuple[Kind, Object] | None:
        """The pod a line is about, else the workload."""
        uid = key.partition("/")[0]
        if (pod := self.stores.pods.get(uid)) is not None:
            return k.PODS, pod
        obj = self._workload()
        return (k.BY_KIND[type(obj).__name__], obj) if obj is not None else None

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def facts(self, now: datetime) -> list[str]:
        self.all.facts(now)  # looks at what has changed
        obj, rolling = self._workload(), len(self.all.rolling)
        name = [f"{obj.metadata.namespace}/{obj.metadata.name}"] if obj else []
        if self._shown in self.all.rolling:
            return [*name, f"1 of {rolling} rolling"]
        return [*name, *([f"{rolling} rolling"] if rolling else [])]

    def record(self, key: str, now: datetime) -> Record:
        obj = self._workload()
        if key not in self._steps or obj is None:
            return {"uid": "", "namespace": "", "name": ""}
        step = self._steps[key][1]
        return {
            "uid": key.partition("/")[0],
            "namespace": obj.metadata.namespace,
            "name": obj.metadata.name,
            "object": workload_cells.short_name(obj),
            "level": step.level.glyph,
            "when": step.when or age(step.at, now),
            "text": step.text,
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return [Column("level", "", 1, 1), Column("when", "", 5, 5, right=True), Column("gap", "", 1, 1), Column("text", "", 10, FLEX)]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        if key not in self._steps:
            return Row(["", "", "", ""])
        step = self._steps[key][1]
        wait = next_change(step.at, now)
        ro = self._rollout()
        if step.when and ro is not None and ro.expires is not None:
            wait = 1.0 - now.timestamp() % 1.0  # the deadline above counts down
        quiet = step.level in (Level.DONE, Level.OFF)
        cells: list[Cell] = [dot(step.level), (step.when or age(step.at, now), "muted"), "", (step.text, "soft" if quiet else "fg")]
        return Row(cells, step.text, now.timestamp() + wait)

    def head(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        obj, ro = self._workload(), self._rollout()
        if obj is None or ro is None:
            return []
        title, numbers = _title(obj, ro), _numbers(ro, now)
        sides = _sides(ro, width)
        if height >= 14:
            image = _images(obj, self.stores)
            return [title, *([image] if image else []), [], *sides, _LEGEND, [], numbers, []]
        return [title, *sides, numbers] if height >= 7 else [title, numbers]

    def none(self) -> list[Line]:
        return [[("No rollout is going on", "fg")]] if not self._shown else [[("Nothing to tell of this rollout", "fg")]]


def _title(obj: rollouts.Rolled, ro: Rollout) -> Line:
    line: Line = [(workload_cells.short_name(obj), "bold")]
    if ro.new.revision:
        before = f"{ro.old.revision} → " if ro.old and ro.old.revision else ""
        line += [("  revision ", "muted"), (f"{before}{ro.new.revision}", "fg")]
    line.append((f"  {ro.strategy}" if ro.strategy else "", "muted"))
    if ro.strategy == "RollingUpdate":
        if not isinstance(obj, r.StatefulSet):
            line += [("  surge ", "muted"), (str(ro.surge), "fg")]
        line += [("  unavailable ", "muted"), (str(ro.unavailable), "fg")]
    if ro.paused:
        line.append(("  paused", "warn"))
    return line


def _images(obj: rollouts.Rolled, stores: Stores) -> Line:
    """`image a → b` of the first container whose image changed, else the first container's image."""
    new = {c.name: c.image for c in obj.spec.template.spec.containers or ()}
    old = _old_images(obj, stores)
    for name, image in new.items():
        if old.get(name, image) != image:
            return [("image ", "muted"), (old[name], "soft"), (" → ", "muted"), (image, "fg")]
    first = next(iter(new.values()), "")
    return [("image ", "muted"), (first, "soft")] if first else []


def _old_images(obj: rollouts.Rolled, stores: Stores) -> dict[str, str]:
    """Images by container of the revision before; only Deployments keep its template where we see it."""
    if not isinstance(obj, r.Deployment):
        return {}
    _, others = rollouts.replicasets(obj, stores)
    before = next((rs for rs in others if rs.spec.replicas or rs.status.replicas), None)
    return {c.name: c.image for c in before.spec.template.spec.containers or ()} if before else {}


def _sides(ro: Rollout, width: int) -> list[Line]:
    room = max(8, min(60, width - 62))
    most = max(ro.desired, ro.new.pods, ro.old.pods if ro.old else 0)
    lines: list[Line] = []
    if ro.old is not None:
        lines.append([("old ", "muted"), (f"{ro.old.name[:10]:<10}  ", "soft"), *_old_bar(ro.old, most, room), *_counts(ro.old)])
    lines.append([("new ", "accent"), (f"{ro.new.name[:10]:<10}  ", "fg"), *bar(ro.new, most, room), *_counts(ro.new)])
    return lines


def _old_bar(side: Side, most: int, room: int) -> Line:
    part = round(side.pods / most * room) if most else 0
    return [("█" * part, "muted"), ("░" * (room - part), "faint")]


def _counts(side: Side) -> Line:
    available = f"   {side.available} available" if side.available >= 0 else ""
    return [(f"  {side.pods} {'pod ' if side.pods == 1 else 'pods'}", "fg"), (f"   {side.ready} ready{available}", "soft")]


def _numbers(ro: Rollout, now: datetime) -> Line:
    total = ro.new.pods + (ro.old.pods if ro.old else 0)
    over = total - ro.desired
    line: Line = [
        (f"{total} pod{'' if total == 1 else 's'}", "fg"),
        (f" = {ro.desired} wanted" + (f" + {over} surge" if over > 0 else f" − {-over} missing" if over < 0 else ""), "soft"),
    ]
    line += [(f"     {ro.available} available", "fg"), (f" {'≥' if ro.available >= ro.needed else '<'} {ro.needed} needed", "soft")]
    left = rollouts.deadline_left(ro, now)
    if ro.timed_out:
        line += [("     past its deadline", "bad"), (f" of {duration(ro.deadline)}", "muted")]
    elif left is not None:
        line += [("     deadline ", "muted"), (duration(left), "fg"), (f" of {duration(ro.deadline)} left", "muted")]
    elif ro.phase is Phase.STEADY and ro.took is not None:
        line += [("     done in ", "muted"), (duration(ro.took), "fg")]
    return line
