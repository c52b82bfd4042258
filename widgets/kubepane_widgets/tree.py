"""Trees as lines: `├ └ │` before what each node says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kubepane_widgets.lines import Line

DEEPEST = 32  # levels drawn; what lies deeper is named by a line of its own


@dataclass(slots=True)
class Node:
    """A node of a tree.

    Attributes:
        line: what it says.
        children: the nodes below it, in order.
    """

    line: Line
    children: list[Node] = field(default_factory=list)


def draw(roots: Sequence[Node], tone: str = "faint") -> list[Line]:
    """A tree, one line a node; roots stand without a branch.

    A node that is its own ancestor is drawn once more and not followed: an owner chain may be a circle.
    """
    out: list[Line] = []
    for root in roots:
        out.append(list(root.line))
        out += _below(root, "", tone, (id(root),))
    return out


def _below(node: Node, before: str, tone: str, above: tuple[int, ...]) -> Iterable[Line]:
    if len(above) > DEEPEST and node.children:
        yield [(before + "└ ", tone), ("…", "muted")]
        return
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1
        yield [(before + ("└ " if last else "├ "), tone), *child.line]
        if id(child) not in above:
            yield from _below(child, before + ("  " if last else "│ "), tone, (*above, id(child)))


def branches(depths: Sequence[int]) -> list[str]:
    """The branch before each line of a tree that is given flat, by depth, parents before their children: 0 is a root.

    For tables whose rows are the nodes: the text goes in front of the name.
    """
    out: list[str] = []
    open_: list[bool] = []  # by depth: whether a sibling follows further down
    for depth in reversed(depths):
        level = max(0, min(depth, DEEPEST))
        open_ = (open_ + [False] * (level + 1 - len(open_)))[: level + 1]
        if level:
            out.append("".join("│ " if more else "  " for more in open_[1:level]) + ("├ " if open_[level] else "└ "))
            open_[level] = True
        else:
            out.append("")
    out.reverse()
    return out
