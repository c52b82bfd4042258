"""Help made from the action table, and the log of what the program did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

from kubepane.actions import MOVES, Action
from kubepane.cluster.journal import Journal
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line
from kubepane_widgets.textcard import TextCard

_GLYPHS = (
    ("ok", "ok", "ready"), ("busy", "accent", "working"), ("wait", "warn", "waiting"), ("warn", "warn", "look"), ("bad", "bad", "broken"),
    ("done", "muted", "finished"),
    ("sync", "accent", "syncing"), ("again", "stale", "reconnecting"), ("poll", "accent", "polling"), ("off", "muted", "none"),
)  # fmt: skip


def help_card(actions: Iterable[Action], dim: Callable[[Action], bool]) -> TextCard:
    """All keys that work here, by group, those that cannot be used now dimmed."""
    return TextCard("Help", lambda cells: _help(list(actions), dim, cells), cells=80)


def _help(actions: list[Action], dim: Callable[[Action], bool], cells: int) -> list[Line]:
    lines: list[Line] = []
    for group, members in groupby(actions, key=lambda a: a.group):
        lines.append([(group, "bold")])
        for action in members:
            keys = "1–8" if action.name == "pane" else action.key
            lines.append([(f"  {keys:<8}", "muted" if dim(action) else "accent"), (action.title, "muted" if dim(action) else "fg")])
        lines.append([])
    lines += [[("Move", "bold")], *[[(f"  {keys:<14}", "accent"), (what, "fg")] for keys, what in MOVES], []]
    lines.append([("Signs", "bold")])
    for at in range(0, len(_GLYPHS), 5):
        lines.append(
            [("  ", "fg"), *[span for name, tone, what in _GLYPHS[at : at + 5] for span in ((f"{G[name]} ", tone), (f"{what:<13}", "soft"))]]
        )
    lines.append([("  ━━╸──╌╌╌ ", "fg"), ("used, requested, limit    ", "soft"), ("■◧□· ", "fg"), ("ready, starting, pending, to come", "soft")])
    return lines


def journal_card(journal: Journal) -> TextCard:
    """The newest lines of the log, the newest first."""
    return TextCard("Log", lambda cells: _journal(journal), cells=110)


def _journal(journal: Journal) -> list[Line]:
    lines: list[Line] = [
        [(f"{line.at.astimezone():%H:%M:%S} ", "muted"), (f"{line.subject}  ", "soft"), (line.text, "fg")] for line in reversed(list(journal))
    ]
    return lines or [[("nothing yet", "muted")]]
