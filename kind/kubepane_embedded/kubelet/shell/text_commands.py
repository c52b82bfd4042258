"""echo, printf, grep, head, tail, wc, seq, sort, tr."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from kubepane_embedded.kubelet.shell.effects import FOREVER, Command, Context, Effect, Output, Sleep, Steps, complain

ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\", "\\a": "\a", "\\0": "\0"}
ESCAPE = re.compile(r"\\[ntra0\\]")
NO_FILE = {"cat": "can't open '{}'", "tail": "can't open '{}'"}
"""How a command names a file that is not there, where it does not only say the name."""
FORMAT = re.compile(r"%(-?\d*)([sdqxc%])")


def unescaped(text: str) -> str:
    """Backslash sequences as characters."""
    return ESCAPE.sub(lambda found: ESCAPES[found[0]], text)


def inputs(shell: Context, names: list[str], command: str) -> Generator[Effect, Any, str | None]:
    """The text of the named files, or standard input; None when one is not there (said already)."""
    if not names or names == ["-"]:
        return (yield from shell.everything())
    found = []
    for name in names:
        text = shell.around.files.read(shell.path(name)) if name != "/dev/null" else ""
        if text is None:
            yield Output(2, f"{command}: {NO_FILE.get(command, '{}').format(name)}: No such file or directory\n")
            return None
        found.append(text)
    return "".join(found)


def _echo(shell: Context, arguments: list[str]) -> Steps:
    options = ""
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        options += arguments[0]
        arguments = arguments[1:]
    text = " ".join(arguments)
    yield Output(1, (unescaped(text) if "e" in options else text) + ("" if "n" in options else "\n"))
    return 0


def _printf(shell: Context, arguments: list[str]) -> Steps:
    if not arguments:
        return (yield from complain("printf: usage: printf FORMAT [ARG]...", 1))
    pattern, values = arguments[0], arguments[1:]
    for _ in range(1000):
        rest = list(values)

        def value(found: re.Match[str], rest: list[str] = rest) -> str:
            if found[2] == "%":
                return "%"
            text = rest.pop(0) if rest else ("0" if found[2] == "d" else "")
            width = int(found[1] or 0)
            return text.ljust(-width) if width < 0 else text.rjust(min(width, 200))

        yield Output(1, FORMAT.sub(value, unescaped(pattern)))
        if not rest or len(rest) == len(values):
            return 0
        values = rest
    return 0


def _cat(shell: Context, arguments: list[str]) -> Steps:
    names = [name for name in arguments if not name.startswith("-") or name == "-"]
    if not names and shell.piped is None:
        while (line := (yield from shell.line())) is not None:
            yield Output(1, line + "\n")
        return 0
    status = 0
    for name in names or ["-"]:
        if name != "-" and shell.around.files.is_folder(shell.path(name)):
            status = yield from complain("cat: read error: Is a directory")
            continue
        text = yield from inputs(shell, [name], "cat")
        if text is None:
            status = 1
        elif text:
            yield Output(1, text)
    return status


def _lines_wanted(arguments: list[str]) -> tuple[int, list[str]]:
    """The number of `-n 5`, `-n5` or `-5`, and the other arguments."""
    number, rest = 10, []
    given = iter(arguments)
    for argument in given:
        text = argument[1:].removeprefix("n") if argument.startswith("-") and argument != "-" else ""
        if argument == "-n":
            text = next(given, "")
        if text.lstrip("+").isdigit():
            number = int(text)
        else:
            rest.append(argument)
    return number, rest


def _head(shell: Context, arguments: list[str]) -> Steps:
    number, names = _lines_wanted(arguments)
    text = yield from inputs(shell, names, "head")
    if text is None:
        return 1
    yield Output(1, "".join(text.splitlines(keepends=True)[:number]))
    return 0


def _tail(shell: Context, arguments: list[str]) -> Steps:
    number, rest = _lines_wanted(arguments)
    follow = any(one in ("-f", "-F") for one in rest)
    names = [one for one in rest if one not in ("-f", "-F")]
    text = yield from inputs(shell, names, "tail")
    if text is None:
        return 1
    yield Output(1, "".join(text.splitlines(keepends=True)[-number:]))
    while follow:
        yield Sleep(FOREVER)
    return 0


def _grep(shell: Context, arguments: list[str]) -> Steps:
    options = "".join(one[1:] for one in arguments if one.startswith("-") and one != "-")
    rest = [one for one in arguments if not one.startswith("-") or one == "-"]
    if not rest:
        return (yield from complain("grep: usage: grep [-ivqcF] PATTERN [FILE]...", 2))
    text = yield from inputs(shell, rest[1:], "grep")
    if text is None:
        return 2
    pattern = rest[0][:200].lower() if "i" in options else rest[0][:200]
    found = [line for line in text.splitlines() if _matches(pattern, line.lower() if "i" in options else line) != ("v" in options)]
    if "c" in options:
        yield Output(1, f"{len(found)}\n")
    elif "q" not in options and found:
        yield Output(1, "\n".join(found) + "\n")
    return 0 if found else 1


def _matches(pattern: str, line: str) -> bool:
    """Whether a line has a text, at its begin (`^`) or end (`$`) if asked; `.*` between texts. No other patterns."""
    start, end = pattern.startswith("^"), pattern.endswith("$")
    at = 0
    texts = pattern.removeprefix("^").removesuffix("$").split(".*")
    for number, text in enumerate(texts):
        found = line.find(text.replace("\\", ""), at)
        if found < 0 or (start and number == 0 and found != 0):
            return False
        at = found + len(text.replace("\\", ""))
    return not end or at == len(line) or line.endswith(texts[-1])


def _wc(shell: Context, arguments: list[str]) -> Steps:
    options = "".join(one[1:] for one in arguments if one.startswith("-"))
    text = yield from inputs(shell, [one for one in arguments if not one.startswith("-")], "wc")
    if text is None:
        return 1
    counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text.encode())}
    shown = [str(counts[kind]) for kind in "lwc" if kind in options or not options]
    yield Output(1, " ".join(shown) + "\n")
    return 0


def _seq(shell: Context, arguments: list[str]) -> Steps:
    numbers = [int(one) for one in arguments if one.lstrip("-").isdigit()]
    if not numbers or len(numbers) != len(arguments) or len(numbers) > 3:
        return (yield from complain("seq: usage: seq [FIRST [INC]] LAST", 1))
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) > 2 else 1
    values = range(first, numbers[-1] + (1 if step > 0 else -1), step or 1)[:10_000]
    yield Output(1, "".join(f"{value}\n" for value in values))
    return 0


def _sort(shell: Context, arguments: list[str]) -> Steps:
    text = yield from inputs(shell, [one for one in arguments if not one.startswith("-")], "sort")
    if text is None:
        return 1
    lines = sorted(text.splitlines(), reverse="-r" in arguments)
    yield Output(1, "".join(f"{line}\n" for line in (dict.fromkeys(lines) if "-u" in arguments else lines)))
    return 0


def _tr(shell: Context, arguments: list[str]) -> Steps:
    text = yield from shell.everything()
    if len(arguments) == 2 and arguments[0] == "-d":
        text = text.translate({ord(char): None for char in unescaped(arguments[1])})
    elif len(arguments) == 2:
        ranges = {"a-z": "abcdefghijklmnopqrstuvwxyz", "A-Z": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
        source, target = (ranges.get(one, unescaped(one)) for one in arguments)
        text = text.translate({ord(char): target[min(number, len(target) - 1)] for number, char in enumerate(source)} if target else {})
    else:
        return (yield from complain("tr: usage: tr [-d] STRING1 [STRING2]", 1))
    yield Output(1, text)
    return 0


TEXT_COMMANDS: dict[str, Command] = {
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "head": _head,
    "tail": _tail,
    "grep": _grep,
    "wc": _wc,
    "seq": _seq,
    "sort": _sort,
    "tr": _tr,
}
