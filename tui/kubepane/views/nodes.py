"""Pane 3: nodes with their taints in full, and what is requested and used of what they can allocate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.insight import nodes, quantities
from kubepane.insight.ages import UNKNOWN, age, next_change
from kubepane.insight.finding import Level, worst
from kubepane.insight.nodes import Load, Requested
from kubepane.views.levels import SICK, TONE, dot
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Column, Row, Wide
from kubepane_widgets.lines import Line, gauge
from kubepane_widgets.order import Rank
from kubepane_widgets.text import clean

LEAD = "  └ taint "
_INLINE = 110  # cells of a pane from which on taints may stand in their node's row
_OTHERS = 76  # what the other columns need then
_MORE = (
    Column("roles", "ROLES", 6, 20, drop=5),
    Column("age", "AGE", 4, 5, right=True, drop=4),
    Column("version", "VERSION", 7, 20, drop=6),
)
_WIDE = (
    Column("internal_ip", "INTERNAL-IP", 11, 39, drop=7),
    Column("external_ip", "EXTERNAL-IP", 11, 39, drop=8),
    Column("os_image", "OS-IMAGE", 8, 32, drop=9),
    Column("kernel_version", "KERNEL-VERSION", 14, 28, drop=10),
    Column("container_runtime", "CONTAINER-RUNTIME", 17, 28, drop=11),
)


class NodesView(View):
    """One row a node. Taints stand in the row where it is wide enough, else on lines below it where there is room.

    Such a line is a row of its own that cannot be selected, with the key `uid/taints` (`uid/taints/1` and so on where they need
    several); whether it exists depends on the pane's size: see `reshape`.
    """

    name: ClassVar[str] = "nodes"
    title: ClassVar[str] = "Nodes"
    number: ClassVar[int] = 3
    shows_usage: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = (k.NODES, k.PODS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.requested = Requested(self.stores.pods)
        self._levels: dict[str, Level] = {}
        self._below: dict[str, int] = {}  # lines that the taints of a node need below it, for tainted ones
        self._lengths: dict[str, int] = {}  # cells that the taints of a node need in one line
        self._size = (FLEX, FLEX)
        self._longest = 0
        self._inline = True
        self._under = False

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        if kind is k.PODS:
            if not uids:  # how far the sums can be trusted has changed
                return set(self.stores.nodes.uids())
            found = [node for name in self.requested.touched() if (node := self.stores.nodes.named("", name)) is not None]
            return [node.metadata.uid for node in found]
        keys: set[str] = set()
        for uid in uids:
            before = self._below.get(uid, 0)
            self._note(uid)
            keys.update(self._keys(uid, max(before, self._below.get(uid, 0))))
        keys.update(self._turn())
        return keys

    def reshape(self, width: int, height: int) -> Iterable[str]:
        if (width, height) == self._size:
            return ()
        keys: set[str] = set()
        if width != self._size[0]:
            self._size = (width, height)
            for uid, before in list(self._below.items()):
                self._note(uid)
                if self._below.get(uid) != before:
                    keys.update(self._keys(uid, max(before, self._below.get(uid, 0))))
        self._size = (width, height)
        keys.update(self._turn())
        return keys

    def _note(self, uid: str) -> None:
        node = self.stores.nodes.get(uid)
        if node is None:
            for held in (self._levels, self._below, self._lengths):
                held.pop(uid, None)
            return
        self._levels[uid] = nodes.level(node)
        if node.spec.taints:
            self._below[uid] = len(self._lines(node))
            self._lengths[uid] = len(clean(", ".join(nodes.taints(node))))
        else:
            self._below.pop(uid, None)
            self._lengths.pop(uid, None)

    def _lines(self, node: r.Node) -> list[str]:
        """The taints of a node on as few lines as the pane's width allows."""
        room, lines = self._size[0] - len(LEAD), [""]
        for text in map(clean, nodes.taints(node)):
            if len(text) > room:
                text = text.replace(nodes.ROLE, "…/")
            if lines[-1] and len(lines[-1]) + 2 + len(text) > room:
                lines.append("")
            lines[-1] += (", " if lines[-1] else "") + text
        return lines

    def _turn(self) -> list[str]:
        """Whether taints stand below from now on; all such keys when that has changed."""
        width, height = self._size
        self._longest = max(self._lengths.values(), default=0)
        self._inline = width > _INLINE and self._longest <= width - _OTHERS
        under = not self._inline and height > len(self._levels) + sum(self._below.values())
        if under == self._under:
            return []
        self._under = under
        return [key for uid, n in self._below.items() for key in self._keys(uid, n) if key != uid]

    @staticmethod
    def _keys(uid: str, lines: int) -> list[str]:
        return [uid, *(f"{uid}/taints{f'/{i}' if i else ''}" for i in range(lines))]

    @staticmethod
    def _split(key: str) -> tuple[str, int | None]:
        """The node's uid, and which line of its taints the key stands for; None for the node itself."""
        uid, _, rest = key.partition("/")
        return uid, None if not rest else int(rest.rpartition("/")[2]) if rest.count("/") else 0

    def exists(self, key: str) -> bool:
        uid, line = self._split(key)
        return uid in self.stores.nodes and (line is None or (self._under and line < self._below.get(uid, 0)))

    def rank(self, key: str) -> Rank:
        uid, line = self._split(key)
        node = self.stores.nodes.get(uid)
        below = 0 if line is None else -line - 1 if self.descending else line + 1
        return (nodes.level(node) if node else Level.OFF, node.metadata.name if node else "", below)

    def beside(self, key: str) -> bool:
        return "/" in key

    def labels(self, key: str) -> dict[str, str]:
        node = self.stores.nodes.get(self._split(key)[0])
        return (node.metadata.labels or {}) if node else {}

    def facts(self, now: datetime) -> list[str]:
        down = sum(level is Level.BAD for level in self._levels.values())
        tainted = len(self._below)
        return [*([f"{down} not ready"] if down else []), *([f"{tainted} tainted"] if tainted else [])]

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        node = self.stores.nodes.get(self._split(key)[0])
        if node is None:
            return {"uid": "", "name": ""}
        info, name = node.status.node_info, node.metadata.name
        have, asked, used = nodes.allocatable(node), self._asked(name), self.world.metrics.nodes.get(name)
        found = worst(nodes.findings(node))
        return {
            "uid": node.metadata.uid,
            "name": name,
            "level": nodes.level(node).glyph,
            "status": nodes.status(node),
            "roles": nodes.roles(node),
            "age": age(node.metadata.creation_timestamp, now),
            "age_value": (now - node.metadata.creation_timestamp).total_seconds() if node.metadata.creation_timestamp else None,
            "version": info.kubelet_version,
            "internal_ip": nodes.address(node, "InternalIP"),
            "external_ip": nodes.address(node, "ExternalIP"),
            "os_image": info.os_image or UNKNOWN,
            "kernel_version": info.kernel_version or UNKNOWN,
            "container_runtime": info.container_runtime_version or UNKNOWN,
            "pods": f"{asked.pods}/{have.pods}" if asked else UNKNOWN,
            "pods_value": asked.pods if asked else None,
            **_resource("cpu", used.cpu if used else None, asked.cpu if asked else None, have.cpu, quantities.cpu_text),
            **_resource("memory", used.memory if used else None, asked.memory if asked else None, have.memory, quantities.memory_text),
            "taints": nodes.taints(node),
            "pressure": nodes.pressures(node),
            "why": found.clause if found else "",
        }

    def value(self, key: str, column: str, now: datetime) -> Any:
        """CPU and MEM sort by what is used of the node, not by how large it is."""
        record = self.record(key, now)
        if column in ("cpu", "memory"):
            return record[f"{column}_percent"]
        if column == "taints":
            return ", ".join(record["taints"])
        return record.get(f"{column}_value", record.get(column))

    def columns(self, width: int, height: int) -> Sequence[Column]:
        bars, inline = _bars(width, not self._under), width > _INLINE
        more = inline or self.wide
        taints = self._longest if self._inline and inline else 0
        return [
            Column("level", "", 1, 1, fixed=True),
            Column("name", "NAME", 12, 40 if inline else 18, elide="mid", fixed=True),
            Column("status", "STATUS", 6, 24 if inline else 14, drop=3),
            *(_MORE if more else ()),
            *(_WIDE if self.wide else ()),
            Column("pods", "PODS", 4, 9, right=True, drop=2),
            Column("cpu", " CPU", 5 + bars, 5 + bars),
            Column("memory", " MEM", 5 + bars, 5 + bars),
            Column("rest", "", 0, FLEX) if self._under else Column("taints", "TAINTS", max(28, taints), FLEX, elide="mid"),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        uid, line = self._split(key)
        node = self.stores.nodes.get(uid)
        columns = self.columns(width, height)
        if node is None:
            return Row([""] * len(columns), selectable=False)
        if line is not None:
            lines = self._lines(node)
            spans: Line = [(LEAD if not line else " " * len(LEAD), "muted"), (lines[line] if line < len(lines) else "", "fg")]
            return Row([Wide(spans), *[""] * (len(columns) - 1)], selectable=False)
        cells = self._cells(node, now, width)
        shown = {column.key for column in columns}
        born = node.metadata.creation_timestamp
        expires = now.timestamp() + next_change(born, now) if "age" in shown else float("inf")
        return Row([cells[column.key] for column in columns], self._reason(node), expires)

    def _cells(self, node: r.Node, now: datetime, width: int) -> dict[str, Any]:
        level, name, info = nodes.level(node), node.metadata.name, node.status.node_info
        have, asked, used = nodes.allocatable(node), self._asked(name), self.world.metrics.nodes.get(name)
        status = ",".join(nodes.pressures(node)) if level is Level.WARN and not node.spec.unschedulable else nodes.status(node)
        taints, bars = nodes.taints(node), _bars(width, not self._under)
        return {
            "level": dot(level),
            "name": name,
            "status": (status, TONE[level] if level in SICK else "soft"),
            "roles": (nodes.roles(node), "muted"),
            "age": (age(node.metadata.creation_timestamp, now), "muted"),
            "version": (info.kubelet_version, "muted"),
            "internal_ip": (nodes.address(node, "InternalIP"), "muted"),
            "external_ip": (nodes.address(node, "ExternalIP"), "muted"),
            "os_image": (info.os_image or UNKNOWN, "muted"),
            "kernel_version": (info.kernel_version or UNKNOWN, "muted"),
            "container_runtime": (info.container_runtime_version or UNKNOWN, "muted"),
            "pods": (f"{asked.pods}/{have.pods}" if asked and width > 66 and have.pods else str(asked.pods) if asked else "–", "soft"),
            "cpu": _use(used.cpu if used else None, asked.cpu if asked else 0, have.cpu, bars),
            "memory": _use(used.memory if used else None, asked.memory if asked else 0, have.memory, bars),
            "rest": "",
            "taints": (_short(taints, width) or "none", "fg" if taints else "muted"),
        }

    def _asked(self, name: str) -> Load | None:
        """What the pods of a node request; None where not all pods are seen: a part of a sum is no sum."""
        return self.requested.of(name) if self.stores.pods.freshness.whole else None

    def _reason(self, node: r.Node) -> str:
        found, taints = nodes.findings(node), nodes.taints(node)
        parts = [f.clause for f in found] + ([f"taint {', '.join(taints)}"] if taints else [])
        return " · ".join(parts)

    def none(self) -> list[Line]:
        return [[("No nodes", "fg")]]


def _bars(width: int, taints: bool) -> int:
    """Cells of the bar behind a percentage; −1 where only the number fits. A column of taints needs the room for itself."""
    wide, medium = (70, 64) if taints else (66, 56)
    return 8 if width > wide else 5 if width > medium else -1


def _use(used: int | None, asked: int, have: int, bars: int) -> Line:
    """Percent used, then a bar: used, requested, allocatable. Without a sample only what is requested is known."""
    share = None if used is None else nodes.share(used, have)
    number = "  – " if share is None else f"{share:3d}%"
    text = (f"{number} " if bars > 0 else number, "fg" if share is not None else "muted")
    return [text, *gauge(used or 0, asked, have, bars)] if bars > 0 else [text]


def _resource(name: str, used: int | None, asked: int | None, have: int, text: Any) -> dict[str, Any]:
    return {
        name: UNKNOWN if used is None else text(used),
        f"{name}_value": used,
        f"{name}_percent": None if used is None else nodes.share(used, have),
        f"{name}_requested": UNKNOWN if asked is None else text(asked),
        f"{name}_requested_percent": None if asked is None else nodes.share(asked, have),
        f"{name}_allocatable": text(have),
    }


def _short(taints: list[str], width: int) -> str:
    """Taints for one cell; where there is little room the well-known prefix goes."""
    joined = ", ".join(taints)
    return joined if width > _INLINE else joined.replace(nodes.ROLE, "…/")
