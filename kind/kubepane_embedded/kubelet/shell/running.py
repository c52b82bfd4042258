"""Runs a shell program, step by step, so that whoever drives it lets time pass and takes the output."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from kubepane_embedded.kubelet.files import DiskFull, ReadOnly, normal
from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.kubelet.shell.commands import COMMANDS
from kubepane_embedded.kubelet.shell.effects import FOREVER, Command, Dialogue, Effect, Input, Output, Sleep, Steps, complain
from kubepane_embedded.kubelet.shell.expanding import fields_of, text_of
from kubepane_embedded.kubelet.shell.parsing import parse
from kubepane_embedded.kubelet.shell.special import SPECIAL, LoopControl, ShellExit, ShellReturn
from kubepane_embedded.kubelet.shell.syntax import Chain, For, Function, If, Loop, Many, Node, Pipe, Redirect, ShellSyntaxError, Simple

BUSY = 100
"""Commands in a row without sleeping that take one second: an endless loop must not stop the cluster."""
CAPTURED = 256 * 1024
"""Characters kept of what goes through a pipe."""


class Shell:
    """One shell process in a container.

    Args:
        around: The container.
        name: What it calls itself in messages.
    """

    def __init__(self, around: Surroundings, name: str = "sh") -> None:
        self.around = around
        self.variables = dict(around.env)
        self.folder = "/"
        self.piped: str | None = None
        self.status = 0
        self.traps: dict[str, str] = {}
        self.parameters: list[str] = []
        self.functions: dict[str, Node] = {}
        self._zeroth = name
        self.name = name
        self._busy = 0
        self.strict = False

    def run(self, program: str) -> Steps:
        """Run a program; `exit` ends it."""
        try:
            node = parse(program)
            return (yield from self._node(node))
        except ShellExit as end:
            return end.status
        except LoopControl:
            return self.status
        except ShellSyntaxError as trouble:
            return (yield from complain(f"{self.name}: {trouble}", 2))
        except RecursionError:
            return (yield from complain(f"{self.name}: out of memory", 2))

    def line_of(self, program: str) -> Steps:
        """Run one line of an interactive shell: `exit` passes through to the caller as ShellExit."""
        try:
            self.status = yield from self._node(parse(program))
        except LoopControl:
            pass
        except RecursionError:
            self.status = yield from complain(f"{self.name}: out of memory", 2)
        except ShellSyntaxError as trouble:
            self.status = yield from complain(f"{self.name}: {trouble}", 2)
        return self.status

    # values (`expanding.Values`)

    def variable(self, name: str) -> str | None:
        """The value of a variable or parameter."""
        special = {"?": str(self.status), "$": "1", "#": str(len(self.parameters)), "@": " ".join(self.parameters), "*": " ".join(self.parameters)}
        if name in special:
            return special[name]
        if name.isdigit():
            return self._zeroth if name == "0" else next(iter(self.parameters[int(name) - 1 : int(name)]), None)
        return self.variables.get(name)

    def assign(self, name: str, value: str) -> None:
        """Set a variable."""
        self.variables[name] = value

    def substituted(self, program: str) -> Generator[Effect, Any, str]:
        """The output of `$(program)`."""
        found: list[str] = []
        self.status = yield from _captured(self._subshell(parse(program)), found)
        return "".join(found)

    # what commands use (`effects.Context`)

    def path(self, name: str) -> str:
        """An absolute path."""
        return normal(name, self.folder)

    def line(self) -> Generator[Effect, Any, str | None]:
        """The next line of standard input, None at the end."""
        if self.piped is None:
            found: str | None = yield Input()
            return found
        if not self.piped:
            return None
        line, _, self.piped = self.piped.partition("\n")
        return line

    def everything(self) -> Generator[Effect, Any, str]:
        """All of standard input."""
        if self.piped is not None:
            found, self.piped = self.piped, ""
            return found
        lines = []
        while (line := (yield Input())) is not None:
            lines.append(line + "\n")
        return "".join(lines)

    # nodes

    def _node(self, node: Node) -> Steps:
        if isinstance(node, Simple):
            self.status = yield from self._simple(node)
        elif isinstance(node, Many):
            yield from self._many(node)
        elif isinstance(node, Chain):
            self.status = yield from self._chain(node)
        elif isinstance(node, Pipe):
            self.status = yield from self._pipe(node)
        elif isinstance(node, If):
            self.status = yield from self._if(node)
        elif isinstance(node, Loop):
            self.status = yield from self._loop(node)
        elif isinstance(node, For):
            self.status = yield from self._for(node)
        elif isinstance(node, Function):
            self.functions[node.name], self.status = node.body, 0
        else:
            body = self._subshell(node.body) if node.subshell else self._node(node.body)
            self.status = yield from self._redirected(body, node.redirects)
        return self.status

    def _many(self, node: Many) -> Steps:
        for item, background in node.items:
            status = yield from self._node(item)
            if self.strict and status and not background and not isinstance(item, Chain):
                raise ShellExit(status)
        return self.status

    def _subshell(self, node: Node) -> Steps:
        variables, folder = dict(self.variables), self.folder
        try:
            return (yield from self._node(node))
        except ShellExit as end:
            return end.status
        finally:
            self.variables, self.folder = variables, folder

    def _chain(self, node: Chain) -> Steps:
        status = yield from self._node(node.first)
        for operator, following in node.rest:
            if (status == 0) == (operator == "&&"):
                status = yield from self._node(following)
        return status

    def _pipe(self, node: Pipe) -> Steps:
        before = self.piped
        status = 0
        for number, command in enumerate(node.commands):
            if number + 1 == len(node.commands):
                status = yield from self._node(command)
            else:
                found: list[str] = []
                yield from _captured(self._node(command), found)
                self.piped = "".join(found)
        self.piped = before
        return int(not status) if node.negated else status

    def _if(self, node: If) -> Steps:
        strict, self.strict = self.strict, False
        for condition, body in node.branches:
            holds = (yield from self._node(condition)) == 0
            if holds:
                self.strict = strict
                return (yield from self._node(body))
        self.strict = strict
        return (yield from self._node(node.otherwise)) if node.otherwise is not None else 0

    def _loop(self, node: Loop) -> Steps:
        status = 0
        strict = self.strict
        while True:
            self.strict = False
            holds = (yield from self._node(node.condition)) == 0
            self.strict = strict
            if holds == node.until:
                return status
            yield from self._tire()
            try:
                status = yield from self._node(node.body)
            except LoopControl as control:
                if not control.again:
                    return 0

    def _for(self, node: For) -> Steps:
        values: list[str] = []
        for word in node.words:
            values += yield from fields_of(self, word)
        status = 0
        for value in values:
            self.assign(node.name, value)
            yield from self._tire()
            try:
                status = yield from self._node(node.body)
            except LoopControl as control:
                if not control.again:
                    return 0
        return status

    def _tire(self) -> Generator[Effect, Any, None]:
        """Commands take time, too."""
        self._busy += 1
        if self._busy >= BUSY:
            self._busy = 0
            yield Sleep(1.0)

    def _simple(self, node: Simple) -> Steps:
        yield from self._tire()
        words: list[str] = []
        for word in node.words:
            words += yield from fields_of(self, word)
        assigned = {}
        for name, value in node.assignments:
            assigned[name] = yield from text_of(self, value)
        if not words:
            self.variables.update(assigned)
            return (yield from self._redirected(_nothing(self.status if not assigned else 0), node.redirects))
        before = dict(self.variables)
        self.variables.update(assigned)
        try:
            return (yield from self._redirected(self.command(words), node.redirects))
        finally:
            for name in assigned:
                _restore(self.variables, before, name)

    def command(self, words: list[str]) -> Steps:
        """Run one command by its words."""
        name, arguments = words[0], words[1:]
        if name in self.functions:
            return (yield from self._called(self.functions[name], arguments))
        special = SPECIAL.get(name)
        if special is not None:
            return (yield from special(self, arguments))
        if name in (":", "true"):
            return 0
        found = self.find(name)
        if found is None:
            problem = "not found" if "/" not in name or self.around.files.read(self.path(name)) is None else "Permission denied"
            return (yield from complain(f"{self.name}: {name}: {problem}", 127 if problem == "not found" else 126))
        return (yield from found(self, arguments))

    def _called(self, body: Node, arguments: list[str]) -> Steps:
        """A function with its own parameters."""
        before, self.parameters = self.parameters, arguments
        try:
            return (yield from self._node(body))
        except ShellReturn as end:
            return end.status
        finally:
            self.parameters = before

    def find(self, name: str) -> Command | None:
        """The command of a name or of a path in the usual folders."""
        folder, _, last = name.rpartition("/")
        if folder and folder not in ("/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"):
            return None
        if last in ("sh", "bash", "ash", "dash"):
            return self._inner
        command: Command | None = self.around.commands.get(last) or COMMANDS.get(last)
        return command

    def _inner(self, _: object, arguments: list[str]) -> Steps:
        """`sh -c program` inside a program."""
        inner = Shell(self.around, "sh")
        inner.variables, inner.folder, inner.piped = dict(self.variables), self.folder, self.piped
        return (yield from inner.main(arguments))

    def main(self, arguments: list[str]) -> Steps:
        """A shell with its command line: `-c program`, or its standard input."""
        options = ""
        while arguments and arguments[0].startswith("-") and len(arguments[0]) > 1:
            options += arguments[0][1:]
            arguments = arguments[1:]
        self.strict = "e" in options
        if "c" in options:
            if not arguments:
                return (yield from complain(f"{self.name}: -c requires an argument", 2))
            self._zeroth, self.parameters = next(iter(arguments[1:]), self.name), arguments[2:]
            return (yield from self.run(arguments[0]))
        if arguments:
            text = self.around.files.read(self.path(arguments[0]))
            if text is None:
                return (yield from complain(f"{self.name}: can't open '{arguments[0]}': No such file or directory", 2))
            self.parameters = arguments[1:]
            return (yield from self.run(text))
        if self.piped is None:
            status = yield Dialogue(self)
            if status is not None:
                return int(status)
        text = yield from self.everything()
        return (yield from self.run(text))

    # redirections

    def _redirected(self, steps: Steps, redirects: tuple[Redirect, ...]) -> Steps:
        if not redirects:
            return (yield from steps)
        before = self.piped
        places: dict[int, str | int] = {}
        for redirect in redirects:
            target = yield from text_of(self, redirect.target)
            if redirect.operator == "<":
                text = self.around.files.read(self.path(target)) if target != "/dev/null" else ""
                if text is None:
                    return (yield from complain(f"{self.name}: can't open {target}: no such file"))
                self.piped = text
            elif redirect.operator == ">&":
                places[redirect.descriptor] = places.get(int(target), int(target)) if target.isdigit() else self.path(target)
            else:
                places[redirect.descriptor] = self.path(target)
                if redirect.operator == ">" and not self._put(self.path(target), "", False):
                    return (yield from complain(f"{self.name}: can't create {target}: Read-only file system"))
        status = yield from self._routed(steps, places)
        self.piped = before
        return status

    def _routed(self, steps: Steps, places: dict[int, str | int]) -> Steps:
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                return int(end.value or 0)
            answer = None
            place = places.get(effect.descriptor) if isinstance(effect, Output) else None
            if not isinstance(effect, Output) or place is None:
                answer = yield effect
            elif isinstance(place, int):
                yield Output(place, effect.text)
            elif not self._put(place, effect.text, True):
                return (yield from complain("write error: No space left on device"))

    def _put(self, path: str, text: str, append: bool) -> bool:
        if path in ("/dev/null", "/dev/stdout", "/dev/stderr"):
            return True
        try:
            self.around.files.write(path, text, append)
        except (DiskFull, ReadOnly):
            return False
        return True


def _nothing(status: int) -> Steps:
    return status
    yield Sleep(FOREVER)


def _restore(variables: dict[str, str], before: dict[str, str], name: str) -> None:
    if name in before:
        variables[name] = before[name]
    else:
        variables.pop(name, None)


def _captured(steps: Steps, found: list[str]) -> Steps:
    """Run, keeping standard output; a writer that writes too much is ended as by a broken pipe."""
    size = 0
    answer: Any = None
    while True:
        try:
            effect = steps.send(answer)
        except StopIteration as end:
            return int(end.value or 0)
        answer = None
        if isinstance(effect, Output) and effect.descriptor == 1:
            found.append(effect.text)
            size += len(effect.text)
            if size > CAPTURED:
                steps.close()
                return 141
        else:
            answer = yield effect
