"""Bindings and footer from the action table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from textual.binding import Binding, BindingType

from kubepane.actions import Action
from kubepane_widgets.lines import Line, width


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """Textual's bindings for these actions; their ids are the action names, so that a keymap can move them."""
    out: list[BindingType] = []
    for action in actions:
        if action.name == "pane":
            out += [Binding(key, f"pane('{key}')", show=False, id=f"pane-{key}") for key in action.keys]
        elif action.keys:
            out.append(Binding(",".join(action.keys), action.name, action.title, show=False, id=action.name))
    return out


@cache
def of_pane(actions: tuple[Action, ...], pane: str) -> tuple[Action, ...]:
    """Those that work on a pane: where two have the same key, the pane's own one."""
    own = sorted((a for a in actions if not a.panes or pane in a.panes), key=lambda a: not a.panes)
    kept = {a.name for i, a in enumerate(own) if not any(set(a.keys) & set(before.keys) for before in own[:i])}
    return tuple(a for a in actions if a.name in kept)


def footer(actions: Iterable[Action], cells: int, dim: Callable[[Action], bool]) -> Line:
    """As many keys as fit, the most important ones, in the table's order of ranks.

    Args:
        actions: those that apply to what has the focus.
        cells: the room.
        dim: whether an action cannot be done now.
    """
    line: Line = []
    ranked = sorted((a for a in actions if a.rank), key=lambda a: a.rank)
    must = [a for a in ranked if a.name == "help"]
    room = cells - sum(width(_entry(a, False)) for a in must)
    shown: list[Action] = []
    for action in ranked:
        size = width(_entry(action, False))
        if action in must:
            shown.append(action)
        elif size <= room:
            shown.append(action)
            room -= size
    for action in shown:
        line += _entry(action, dim(action))
    return line


def _entry(action: Action, dim: bool) -> Line:
    return [(action.key, "faint" if dim else "accent"), (f" {action.label}  ", "muted")]
