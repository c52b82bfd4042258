"""The parts of a shell program."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class ShellSyntaxError(Exception):
    """A program that cannot be read; the text is what the shell says after `sh: `."""


class Piece(NamedTuple):
    """A part of a word.

    Args:
        kind: `text`, `variable`, `command` (a program in `$(…)`) or `sum` (`$((…))`).
        text: The text, name, program or expression.
        quoted: Whether it is kept in one piece.
        operator: `:-`, `-`, `:=`, `:+`, `:?`, `#` … of `${NAME…}`.
        operand: What follows the operator.
    """

    kind: str
    text: str
    quoted: bool = False
    operator: str = ""
    operand: str = ""


Word: TypeAlias = tuple[Piece, ...]


class Redirect(NamedTuple):
    """`>`, `>>`, `<` or `>&` of a file descriptor."""

    descriptor: int
    operator: str
    target: Word


class Simple(NamedTuple):
    """A command with its words, after assignments."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


class Pipe(NamedTuple):
    """Commands that read each other's output."""

    commands: tuple[Node, ...]
    negated: bool


class Chain(NamedTuple):
    """`first && second || third`."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


class Many(NamedTuple):
    """Commands one after another; True for those in the background."""

    items: tuple[tuple[Node, bool], ...]


class Loop(NamedTuple):
    """`while` or `until`."""

    condition: Node
    body: Node
    until: bool


class For(NamedTuple):
    """`for name in words`."""

    name: str
    words: tuple[Word, ...]
    body: Node


class If(NamedTuple):
    """`if`, `elif`, `else`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


class Group(NamedTuple):
    """`{ …; }` or `( … )`, or a compound command with redirections."""

    body: Node
    subshell: bool
    redirects: tuple[Redirect, ...]


class Function(NamedTuple):
    """`name() command`."""

    name: str
    body: Node


Node: TypeAlias = Simple | Pipe | Chain | Many | Loop | For | If | Group | Function
NOTHING = Many(())
