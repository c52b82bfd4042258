"""One pod as a row: its columns, its cells, and its facts as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from kubepane.cluster import resources as r
from kubepane.cluster.metrics import Usage
from kubepane.insight import pods, quantities
from kubepane.insight.ages import age
from kubepane.insight.finding import Level
from kubepane.insight.pods import PodStatusText
from kubepane.views.levels import TONE, dot
from kubepane.views.view import Record
from kubepane_widgets.columns import Cell, Column, Wide
from kubepane_widgets.lines import gauge

ROOMY = 96  # cells from which the reason has room beside the STATUS column
_BAR = 8
_NAMESPACE = (Column("namespace", "NAMESPACE", 9, 14, drop=3), Column("namespace", "NAMESPACE", 10, 14, drop=3))
_WIDE = (
    Column("nominated_node", "NOMINATED NODE", 14, 20, drop=10),
    Column("readiness_gates", "READINESS GATES", 6, 15, drop=9),
)


@lru_cache(maxsize=64)
def columns(width: int, *, wide: bool, namespaces: bool) -> Sequence[Column]:
    """The columns for a pane of so many cells inside.

    Args:
        width: of the pane.
        wide: those of -o wide too.
        namespaces: with a column for them.
    """
    roomy = width >= 100
    return (
        Column("level", "", 1, 1, fixed=True),
        *(_NAMESPACE[roomy : roomy + 1] if namespaces else ()),
        Column("name", "NAME", 20 if width < 84 else 26 if roomy else 22, 34, elide="mid", fixed=True),
        Column("ready", "READY", 5, 5, right=True),
        Column("status", "STATUS", 9 if width < ROOMY else 16, 17),
        Column("restarts", "RESTARTS" if width > 140 else "RST", 3, 16 if wide else 8, right=True, drop=2),
        Column("age", "AGE", 5, 5, right=True),
        Column("cpu", "CPU", 5, 5, right=True),
        Column("cpu_bar", "of limit", 8, 9, drop=5),
        Column("memory", "MEM", 6, 6, right=True, drop=1),
        Column("memory_bar", "of limit", 8, 9, drop=7),
        Column("ip", "IP", 11, 39 if wide else 12, drop=8),
        Column("node", "NODE", 12 if roomy else 11, 18, drop=6, elide="mid"),
        *(_WIDE if wide else ()),
    )


def cells(pod: r.Pod, state: PodStatusText, used: Usage | None, reason: str, now: datetime, *, width: int, wide: bool) -> dict[str, Cell]:
    """The cells by column. The reason of a sick pod runs over what a sick pod has no use for: its usage, and narrower all that follows."""
    level, may = pods.level(pod), pods.bounds(pod)
    found = _facts(pod, level, state, now, wide=wide)
    quiet, blank = "muted" if level is Level.DONE else "fg", [("", "fg")]
    found["cpu"] = (quantities.cpu_text(used.cpu) if used else "", quiet)
    found["cpu_bar"] = gauge(used.cpu, may.cpu_request, may.cpu_limit, _BAR) if used else blank
    found["memory"] = (quantities.memory_text(used.memory) if used else "", quiet)
    found["memory_bar"] = gauge(used.memory, may.memory_request, may.memory_limit, _BAR) if used else blank
    if reason and width >= ROOMY:
        found["cpu"] = Wide([(reason, "fg")], "node" if pod.spec.node_name else "")
    elif reason:
        found["status"] = Wide([(state.status, TONE[level]), (f" {reason}", "fg")])
    return found


def _facts(pod: r.Pod, level: Level, state: PodStatusText, now: datetime, *, wide: bool) -> dict[str, Cell]:
    m, address = pod.metadata, pods.ip(pod)
    quiet = "muted" if level is Level.DONE else "fg"
    tone = TONE[level] if level < Level.OK else ""
    return {
        "level": dot(level),
        "namespace": (m.namespace, "muted"),
        "name": (m.name, quiet),
        "ready": (state.ready_text, tone or "soft"),
        "status": (state.status, tone or ("muted" if level is Level.DONE else "soft")),
        "restarts": (state.restarts_text(now) if wide else str(state.restarts), "soft" if state.restarts else "muted"),
        "age": (age(m.creation_timestamp, now), "muted"),
        "ip": ("" if address == pods.NONE else address, "muted"),
        "node": (pod.spec.node_name, "muted"),
        "nominated_node": (pod.status.nominated_node_name or pods.NONE, "muted"),
        "readiness_gates": (pods.readiness_gates(pod), "muted"),
    }


def record(pod: r.Pod, used: Usage | None, reason: str, now: datetime) -> Record:
    """The facts in kubectl's words, and the numbers behind them."""
    m, state, may, level = pod.metadata, pods.status(pod), pods.bounds(pod), pods.level(pod)
    return {
        "uid": m.uid,
        "namespace": m.namespace,
        "name": m.name,
        "level": level.name.lower(),
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
        "why": reason,
        "labels": m.labels or {},
    }
