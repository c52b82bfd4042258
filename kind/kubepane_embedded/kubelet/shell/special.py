"""Commands that change the shell itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kubepane_embedded.kubelet.shell.effects import Command, Context, Output, Sleep, Steps, complain


class ShellExit(Exception):
    """`exit`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class LoopControl(Exception):
    """`break` and `continue`."""

    def __init__(self, again: bool) -> None:
        super().__init__(again)
        self.again = again


class ShellReturn(Exception):
    """`return` of a function."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class ShellState(Context, Protocol):
    """The shell as these commands see it."""

    name: str
    status: int
    strict: bool
    traps: dict[str, str]

    def command(self, words: list[str]) -> Steps:
        """Run one command by its words."""

    def find(self, name: str) -> Command | None:
        """The command of a name or path."""


def _exit(shell: ShellState, arguments: list[str]) -> Steps:
    raise ShellExit(int(arguments[0]) % 256 if arguments and arguments[0].isdigit() else shell.status)
    yield Sleep(0)


def _return(shell: ShellState, arguments: list[str]) -> Steps:
    raise ShellReturn(int(arguments[0]) % 256 if arguments and arguments[0].isdigit() else shell.status)
    yield Sleep(0)


def _break(shell: ShellState, arguments: list[str]) -> Steps:
    raise LoopControl(False)
    yield Sleep(0)


def _continue(shell: ShellState, arguments: list[str]) -> Steps:
    raise LoopControl(True)
    yield Sleep(0)


def _cd(shell: ShellState, arguments: list[str]) -> Steps:
    target = shell.path(arguments[0] if arguments else shell.variables.get("HOME", "/"))
    if not shell.around.files.is_folder(target) and target.strip("/") not in shell.around.files.names("/"):
        return (yield from complain(f"{shell.name}: cd: can't cd to {arguments[0]}: No such file or directory", 2))
    shell.folder = target
    return 0


def _export(shell: ShellState, arguments: list[str]) -> Steps:
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals:
            shell.variables[name] = value
    return 0
    yield Sleep(0)


def _unset(shell: ShellState, arguments: list[str]) -> Steps:
    for name in arguments:
        shell.variables.pop(name, None)
    return 0
    yield Sleep(0)


def _set(shell: ShellState, arguments: list[str]) -> Steps:
    for argument in arguments:
        if argument[:1] in ("-", "+") and "e" in argument[1:]:
            shell.strict = argument.startswith("-")
    return 0
    yield Sleep(0)


def _trap(shell: ShellState, arguments: list[str]) -> Steps:
    for signal in arguments[1:]:
        shell.traps[signal.removeprefix("SIG")] = arguments[0]
    return 0
    yield Sleep(0)


def _exec(shell: ShellState, arguments: list[str]) -> Steps:
    if not arguments:
        return 0
    raise ShellExit((yield from shell.command(arguments)))


def _command(shell: ShellState, arguments: list[str]) -> Steps:
    """`command -v NAME` says what NAME is; `command NAME …` runs it."""
    names = [argument for argument in arguments if not argument.startswith("-")]
    if "-v" not in arguments:
        return (yield from shell.command(names)) if names else 0
    known = [name for name in names if name in SPECIAL or name in ("true", ":") or shell.find(name) is not None]
    if known:
        yield Output(1, "".join(f"{name}\n" for name in known))
    return 0 if known else 127


def _read(shell: ShellState, arguments: list[str]) -> Steps:
    line = yield from shell.line()
    names = [name for name in arguments if not name.startswith("-")] or ["REPLY"]
    parts = (line or "").split(None, len(names) - 1)
    for number, name in enumerate(names):
        shell.variables[name] = parts[number] if number < len(parts) else ""
    return 0 if line is not None else 1


def _wait(shell: ShellState, arguments: list[str]) -> Steps:
    """Nothing to wait for: background commands run in their place."""
    return 0
    yield Sleep(0)


SPECIAL: dict[str, Callable[[ShellState, list[str]], Steps]] = {
    "exit": _exit,
    "return": _return,
    "break": _break,
    "continue": _continue,
    "cd": _cd,
    "command": _command,
    "export": _export,
    "unset": _unset,
    "set": _set,
    "trap": _trap,
    "exec": _exec,
    "read": _read,
    "wait": _wait,
}
