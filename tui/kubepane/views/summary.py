"""The Summary of one object: what it is, how it is doing, why, and what to do. Lines made from facts and findings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.insight.ages import age
from kubepane.insight.finding import Finding, Level
from kubepane.insight.relations import Related
from kubepane.views.levels import TONE
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line, width
from kubepane_widgets.text import clean

_HIDDEN = ("uid", "namespace", "name", "why", "level", "labels")


def lines(kind: Kind, obj: Object, facts: Mapping[str, Any], findings: Sequence[Finding], now: datetime, cells: int) -> list[Line]:
    """The whole summary.

    Args:
        kind, obj: what it is about.
        facts: its record, by column key; keys that end in `_value` are left out.
        findings: the explanation, most important first; empty for a healthy object.
        now: the time.
        cells: the width that long texts are broken at.
    """
    meta = obj.metadata
    out: list[Line] = [[(kind.kind, "muted"), (" ", "fg"), (f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name, "bold")], []]
    out += explanation(findings, cells)
    out.append([])
    out += _pairs([(_label(k), _text(v)) for k, v in facts.items() if _shown(k, v)], cells)
    out += (
        [[], *_pairs([("created", f"{meta.creation_timestamp:%Y-%m-%d %H:%M:%S} UTC, {age(meta.creation_timestamp, now)} ago")], cells)]
        if meta.creation_timestamp
        else []
    )
    if meta.deletion_timestamp:
        out += _pairs([("deleted", f"{age(meta.deletion_timestamp, now)} ago, finalizers: {', '.join(meta.finalizers or ()) or 'none'}")], cells)
    if meta.labels:
        out += [[], [("labels", "muted")], *[[("  ", "fg"), (k, "soft"), ("=", "faint"), (v, "fg")] for k, v in sorted(meta.labels.items())]]
    return out


def from_facts(facts: Mapping[str, Any]) -> list[Finding]:
    """What the row itself says is wrong: for kinds whose rules stand in their rows (workloads, autoscalers)."""
    return [Finding(Level[str(facts["level"]).upper()], str(facts["why"]))] if facts.get("why") and facts.get("level") else []


def explanation(findings: Sequence[Finding], cells: int) -> list[Line]:
    """The findings with their evidence and what to do; for none, that nothing is known to be wrong."""
    if not findings:
        return [[(f"{G['ok']} ", "ok"), ("nothing is known to be wrong", "soft")]]
    out: list[Line] = []
    for finding in findings:
        mark = G.get(finding.level.glyph, G["dot"])
        out += _wrapped([(f"{mark} ", TONE[finding.level])], finding.clause, "fg", cells)
        for fact in finding.evidence:
            out += _wrapped([("    ", "fg"), (fact.object, "soft"), (f"  {fact.field}  ", "muted")], fact.value, "fg", cells)
        if finding.next:
            out += _wrapped([("  do  ", "accent")], finding.next, "fg", cells)
    return out


def tree(related: Sequence[Related]) -> list[Line]:
    """The related objects as a tree, the object itself standing out."""
    out: list[Line] = []
    for i, item in enumerate(related):
        last = not any(later.depth == item.depth for later in _siblings(related[i + 1 :], item.depth))
        lead = "".join("  " for _ in range(item.depth - 1)) + ("" if not item.depth else "└ " if last else "├ ")
        state = "" if item.obj is not None or not item.kind else "  (not held)"
        line: Line = [(lead, "faint")]
        if item.how:
            line.append((f"{item.how} ", "muted"))
        line += [(f"{item.kind.lower()}/" if item.kind else "", "soft"), (item.name, "bold" if item.here else "fg"), (state, "muted")]
        out.append(line)
    return out


def _siblings(rest: Iterable[Related], depth: int) -> Iterable[Related]:
    for item in rest:
        if item.depth < depth:
            return
        yield item


def _shown(key: str, value: Any) -> bool:
    return not key.endswith(("_value", "_percent")) and key not in _HIDDEN and not isinstance(value, dict) and value not in (None, "", [])


def _label(key: str) -> str:
    return key.replace("_", " ")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _pairs(pairs: Sequence[tuple[str, str]], cells: int) -> list[Line]:
    size = max((len(name) for name, _ in pairs), default=0)
    return [line for name, text in pairs for line in _wrapped([(name.ljust(size) + "  ", "muted")], text, "fg", cells)]


def _wrapped(lead: Line, text: str, tone: str, cells: int) -> list[Line]:
    """The text behind its lead, broken between words under itself."""
    indent = width(lead)
    rows = textwrap.wrap(clean(text), max(16, cells - indent)) or [""]
    return [[*lead, (rows[0], tone)], *[[(" " * indent, "fg"), (row, tone)] for row in rows[1:]]]


def yaml_line(text: str) -> Line:
    """A line of YAML: the key in context tone, the value plain."""
    body = text.lstrip(" -")
    lead = text[: len(text) - len(body)]
    key, colon, value = body.partition(":")
    if not colon or " " in key or (value and not value.startswith(" ")):
        return [(text, "fg")]
    return [(lead, "muted"), (key + colon, "soft"), (value, "fg")]
