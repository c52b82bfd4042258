"""The caption of a chapter that is played: where it is, what to look at, and how far it has come true."""

from __future__ import annotations

from textwrap import wrap

from kubepane.scenarios.player import Phase, Player
from kubepane_widgets.lines import Line, spread
from kubepane_widgets.palette import G

MOST = 3  # lines of text
_SIGNS = {Phase.READING: ("done", "ok"), Phase.MISSED: ("bad", "bad")}
_WORDS = {
    Phase.PREPARING: "getting the story ready",
    Phase.DOING: "doing it",
    Phase.WAITING: "waiting for it",
    Phase.READING: "",
    Phase.MISSED: "this did not come true",
    Phase.CLEANING: "cleaning up",
}


def lines(player: Player, cells: int) -> list[Line]:
    """The caption; empty once all is over.

    Args:
        player: what is played.
        cells: the room.
    """
    if player.over:
        return []
    head: Line = [(f" {player.chapter.name} {_place(player)} ", "chip"), ("  ", "fg"), (player.chapter.title, "bold")]
    text = _text(player)
    body: list[Line] = [[("  ", "fg"), (line, "fg")] for line in wrap(text, max(20, cells - 4))[:MOST]]
    return [spread(head, [(_WORDS[player.phase], "accent")], cells), *body, *_fact(player)]


def _place(player: Player) -> str:
    count = len(player.chapter.steps)
    return f"{min(player.number, count)}/{count}"


def _text(player: Player) -> str:
    step = player.step
    if player.phase is Phase.CLEANING:
        return "All of it is put back as it was."
    if step is None:
        return player.chapter.closing if player.number else "The story must be up and well before the chapter begins."
    return f"{step.says} {step.otherwise}" if player.phase is Phase.MISSED else step.says


def _fact(player: Player) -> list[Line]:
    """How it reads in the cluster now, or what went wrong on the way there."""
    if player.problem:
        return [[(f"  {G['bad']} ", "bad"), (player.problem, "fg")]]
    if not player.fact.text or player.phase is Phase.CLEANING or (player.step is None and player.number):
        return []
    sign, tone = _SIGNS.get(player.phase, ("busy", "accent"))
    return [[(f"  {G[sign]} ", tone), (player.fact.text, "soft")]]
