"""Trees as lines."""

from __future__ import annotations

from hypothesis import given, strategies as st

from kubepane_widgets.tree import DEEPEST, Node, branches, draw


def texts(roots: list[Node]) -> list[str]:
    return ["".join(part for part, _ in line) for line in draw(roots)]


def node(name: str, *children: Node) -> Node:
    return Node([(name, "fg")], list(children))


def test_branches_end_where_their_siblings_do() -> None:
    tree = node("a", node("b", node("c"), node("d")), node("e", node("f")))
    assert texts([tree, node("g")]) == ["a", "├ b", "│ ├ c", "│ └ d", "└ e", "  └ f", "g"]


def test_a_circle_is_drawn_once_and_left() -> None:
    a, b = node("a"), node("b")
    a.children, b.children = [b], [a]
    assert texts([a]) == ["a", "└ b", "  └ a"]


def test_a_chain_that_has_no_end_is_cut() -> None:
    deep = node("end")
    for n in range(500):
        deep = node(str(n), deep)
    lines = texts([deep])
    assert len(lines) <= DEEPEST + 3
    assert lines[-1].endswith("…")


@given(st.lists(st.integers(0, 4), max_size=12))
def test_a_flat_tree_has_the_branches_of_a_nested_one(jumps: list[int]) -> None:
    depths: list[int] = []
    for jump in jumps:
        depths.append(min(jump, depths[-1] + 1) if depths else 0)
    roots: list[Node] = []
    path: list[Node] = []
    for n, depth in enumerate(depths):
        made = node(str(n))
        (path[depth - 1].children if depth else roots).append(made)
        path[depth:] = [made]
    assert [branch + str(n) for n, branch in enumerate(branches(depths))] == texts(roots)


def test_branches_of_any_depths_do_not_fail() -> None:
    assert branches([3, 0, -1, 99]) == ["    └ ", "", "", "  " * (DEEPEST - 1) + "└ "]
