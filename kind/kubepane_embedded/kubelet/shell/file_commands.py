"""ls, pwd, mkdir, rm, touch, cp, test: what concerns files."""

from __future__ import annotations

from kubepane_embedded.kubelet.files import DiskFull, ReadOnly
from kubepane_embedded.kubelet.shell.effects import Command, Context, Output, Sleep, Steps, complain, say


def _ls(shell: Context, arguments: list[str]) -> Steps:
    options = "".join(one[1:] for one in arguments if one.startswith("-"))
    files, status = shell.around.files, 0
    for name in [one for one in arguments if not one.startswith("-")] or ["."]:
        path = shell.path(name)
        if files.read(path) is not None:
            names = [name]
        elif files.is_folder(path) or (path.count("/") == 1 and path[1:] in files.names("/")):
            names = files.names(path)
        else:
            status = yield from complain(f"ls: {name}: No such file or directory")
            continue
        if "l" in options:
            names = [_long(shell, path, one) for one in names]
        if names:
            yield Output(1, "\n".join(names) + "\n")
    return status


def _long(shell: Context, path: str, name: str) -> str:
    text = shell.around.files.read(path if path.endswith("/" + name) or name == path else f"{path.rstrip('/')}/{name}")
    moment = shell.around.now().strftime("%b %e %H:%M")
    kind, size = ("drwxr-xr-x", 4096) if text is None else ("-rw-r--r--", len(text.encode()))
    return f"{kind}    1 root     root     {size:>9} {moment} {name}"


def _pwd(shell: Context, arguments: list[str]) -> Steps:
    return (yield from say(shell.folder))


def _mkdir(shell: Context, arguments: list[str]) -> Steps:
    for name in arguments:
        if not name.startswith("-"):
            shell.around.files.make_folder(shell.path(name))
    return 0
    yield Sleep(0)


def _rm(shell: Context, arguments: list[str]) -> Steps:
    options = "".join(one[1:] for one in arguments if one.startswith("-"))
    status = 0
    for name in [one for one in arguments if not one.startswith("-")]:
        try:
            if not shell.around.files.remove(shell.path(name)) and "f" not in options:
                status = yield from complain(f"rm: can't remove '{name}': No such file or directory")
        except ReadOnly:
            status = yield from complain(f"rm: can't remove '{name}': Read-only file system")
    return status


def _put(shell: Context, command: str, name: str, text: str) -> Steps:
    try:
        shell.around.files.write(shell.path(name), text)
    except ReadOnly:
        return (yield from complain(f"{command}: {name}: Read-only file system"))
    except DiskFull:
        return (yield from complain(f"{command}: {name}: No space left on device"))
    return 0


def _touch(shell: Context, arguments: list[str]) -> Steps:
    status = 0
    for name in [one for one in arguments if not one.startswith("-")]:
        text = shell.around.files.read(shell.path(name))
        if text is None:
            status = (yield from _put(shell, "touch", name, "")) or status
    return status


def _set(command: str) -> Command:
    """chown and chmod: owners and modes are not kept, so nothing changes but what the command says of missing files."""

    def run(shell: Context, arguments: list[str]) -> Steps:
        names = [one for one in arguments if not one.startswith("-")][1:]
        if not names:
            return (yield from complain(f"{command}: usage: {command} [-R] WHAT FILE..."))
        status = 0
        for name in names:
            path = shell.path(name)
            if shell.around.files.read(path) is None and not shell.around.files.is_folder(path):
                status = yield from complain(f"{command}: {name}: No such file or directory")
        return status

    return run


def _cp(shell: Context, arguments: list[str]) -> Steps:
    names = [one for one in arguments if not one.startswith("-")]
    if len(names) != 2:
        return (yield from complain("cp: usage: cp SOURCE DEST"))
    text = shell.around.files.read(shell.path(names[0]))
    if text is None:
        return (yield from complain(f"cp: can't stat '{names[0]}': No such file or directory"))
    folder = shell.around.files.is_folder(shell.path(names[1]))
    target = f"{names[1].rstrip('/')}/{names[0].rpartition('/')[2]}" if folder else names[1]
    return (yield from _put(shell, "cp", target, text))


def _test(shell: Context, arguments: list[str]) -> Steps:
    words = arguments[:-1] if arguments[-1:] == ["]"] else arguments
    negated = bool(words) and words[0] == "!"
    holds = _holds(shell, words[1:] if negated else words)
    if holds is None:
        return (yield from complain(f"sh: {' '.join(words[:1])}: unknown operand", 2))
    return int(holds == negated)


def _holds(shell: Context, words: list[str]) -> bool | None:
    for operator, combine in (("-o", any), ("-a", all)):
        if operator in words[1:-1]:
            at = words.index(operator, 1)
            parts = [_holds(shell, words[:at]), _holds(shell, words[at + 1 :])]
            return None if None in parts else combine(bool(part) for part in parts)
    if len(words) == 3:
        return _compared(words[0], words[1], words[2])
    if len(words) == 2:
        return _unary(shell, words[0], words[1])
    return bool(words and words[0]) if len(words) < 2 else None


def _unary(shell: Context, operator: str, value: str) -> bool | None:
    files, path = shell.around.files, shell.path(value)
    if operator in ("-f", "-r", "-e", "-s", "-w", "-x") and files.read(path) is not None:
        return operator != "-s" or bool(files.read(path))
    if operator in ("-d", "-e", "-r", "-w", "-x"):
        return files.is_folder(path)
    known = {"-z": not value, "-n": bool(value), "-f": False, "-s": False, "!": not value}
    return known.get(operator)


def _compared(left: str, operator: str, right: str) -> bool | None:
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    if not (left.lstrip("-").isdigit() and right.lstrip("-").isdigit()):
        return None
    one, two = int(left), int(right)
    return {"-eq": one == two, "-ne": one != two, "-lt": one < two, "-le": one <= two, "-gt": one > two, "-ge": one >= two}.get(operator)


FILE_COMMANDS: dict[str, Command] = {
    "ls": _ls,
    "pwd": _pwd,
    "mkdir": _mkdir,
    "rm": _rm,
    "touch": _touch,
    "cp": _cp,
    "chown": _set("chown"),
    "chmod": _set("chmod"),
    "chgrp": _set("chgrp"),
    "test": _test,
    "[": _test,
}
