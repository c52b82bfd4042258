"""What a running command asks of whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeAlias

from kubepane_embedded.kubelet.processes import Surroundings


class Output(NamedTuple):
    """Text for standard output (1) or standard error (2)."""

    descriptor: int
    text: str


class Sleep(NamedTuple):
    """Go on after so many seconds."""

    seconds: float


class Input(NamedTuple):
    """A line of standard input is wanted: answered with it, or with None at the end."""


class Dialogue(NamedTuple):
    """A shell has no program but its standard input: answered with its exit status by who has a terminal for it, else with None."""

    shell: Any


Effect: TypeAlias = Output | Sleep | Input | Dialogue
Steps: TypeAlias = Generator[Effect, Any, int]
"""A running command; its value is the exit status."""
FOREVER = 1e9


class Context(Protocol):
    """The shell as its commands see it."""

    around: Surroundings
    variables: dict[str, str]
    folder: str
    piped: str | None
    """What comes through a pipe or from a file, None when standard input is that of the process."""

    def path(self, name: str) -> str:
        """An absolute path."""

    def line(self) -> Generator[Effect, Any, str | None]:
        """The next line of standard input, None at the end."""

    def everything(self) -> Generator[Effect, Any, str]:
        """All of standard input."""


Command: TypeAlias = Callable[[Context, list[str]], Steps]
"""A command: its arguments without its name."""


def say(text: str, status: int = 0) -> Steps:
    """A line on standard output."""
    yield Output(1, text + "\n")
    return status


def complain(text: str, status: int = 1) -> Steps:
    """A line on standard error."""
    yield Output(2, text + "\n")
    return status
