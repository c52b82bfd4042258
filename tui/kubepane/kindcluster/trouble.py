"""Why a command stopped: what is so, what to do next, and the exit code."""

from __future__ import annotations

DONE, NO, CANNOT, REFUSED, INTERRUPTED = 0, 1, 3, 4, 130


class Trouble(Exception):
    """A command cannot go on.

    Attributes:
        what: what is so, in a clause.
        do: what to do next.
        code: the exit code: 1 not running or not ready, 3 a tool or the engine is missing, 4 refused.
        said: what a program said about it, "" when none was asked.
    """

    def __init__(self, what: str, do: str, code: int = NO, said: str = "") -> None:
        super().__init__(what)
        self.what, self.do, self.code, self.said = what, do, code, said

    def __str__(self) -> str:
        return f"{self.what}; {self.do}" + (f" ({self.said})" if self.said else "")
