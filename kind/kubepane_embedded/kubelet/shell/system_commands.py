"""env, hostname, date, sleep, id, ps and others about the system."""

from __future__ import annotations

from datetime import datetime

from kubepane_embedded.kubelet.settings import DURATION, UNITS
from kubepane_embedded.kubelet.shell.effects import FOREVER, Command, Context, Output, Sleep, Steps, complain, say


def _env(shell: Context, arguments: list[str]) -> Steps:
    yield Output(1, "".join(f"{name}={value}\n" for name, value in shell.variables.items()))
    return 0


def _printenv(shell: Context, arguments: list[str]) -> Steps:
    if not arguments:
        return (yield from _env(shell, []))
    found = [shell.variables[name] for name in arguments if name in shell.variables]
    if found:
        yield Output(1, "\n".join(found) + "\n")
    return 0 if len(found) == len(arguments) else 1


def _hostname(shell: Context, arguments: list[str]) -> Steps:
    return (yield from say(shell.around.address if "-i" in arguments else shell.around.hostname))


def _date(shell: Context, arguments: list[str]) -> Steps:
    pattern = next((one[1:] for one in arguments if one.startswith("+")), "")
    return (yield from say(_moment(shell.around.now(), pattern or "%a %b %e %H:%M:%S UTC %Y")))


def _moment(now: datetime, pattern: str) -> str:
    known = {"s": str(int(now.timestamp())), "N": f"{now.microsecond * 1000:09d}", "F": now.strftime("%Y-%m-%d"), "T": now.strftime("%H:%M:%S")}
    parts = pattern[:200].split("%")
    text = parts[0]
    for part in parts[1:]:
        code = part[:1]
        text += (known[code] if code in known else now.strftime("%" + code) if code in "YmdHMSyjaAbBepZz" and code else "%" + code) + part[1:]
    return text


def _sleep(shell: Context, arguments: list[str]) -> Steps:
    total = 0.0
    for argument in arguments:
        found = DURATION.fullmatch(argument.replace("d", "h"))
        if argument in ("infinity", "inf"):
            total = FOREVER
        elif found is None:
            return (yield from complain(f"sleep: invalid number '{argument}'"))
        else:
            total += float(found[1]) * UNITS[found[2] or "s"] * (24 if argument.endswith("d") else 1)
    if not arguments:
        return (yield from complain("sleep: missing operand"))
    yield Sleep(min(total, FOREVER))
    return 0


def _false(shell: Context, arguments: list[str]) -> Steps:
    return 1
    yield Sleep(0)


def _id(shell: Context, arguments: list[str]) -> Steps:
    user = shell.around.image.user
    if "-u" in arguments:
        return (yield from say(str(user)))
    name = "root" if user == 0 else "app"
    return (yield from say(f"uid={user}({name}) gid={user}({name}) groups={user}({name})"))


def _whoami(shell: Context, arguments: list[str]) -> Steps:
    return (yield from say("root" if shell.around.image.user == 0 else "app"))


def _uname(shell: Context, arguments: list[str]) -> Steps:
    whole = f"Linux {shell.around.hostname} 6.12.0-simulated #1 SMP x86_64 GNU/Linux"
    parts = {"-r": "6.12.0-simulated", "-n": shell.around.hostname, "-m": "x86_64", "-a": whole}
    return (yield from say(parts.get(next(iter(arguments), ""), "Linux")))


def _ps(shell: Context, arguments: list[str]) -> Steps:
    command = " ".join(shell.around.argv)
    return (yield from say(f"PID   USER     TIME  COMMAND\n    1 root      0:00 {command}"))


def _nproc(shell: Context, arguments: list[str]) -> Steps:
    return (yield from say("4"))


def _kill(shell: Context, arguments: list[str]) -> Steps:
    """Only process 1 is there to be ended."""
    if "1" in arguments:
        shell.around.later(0.05, lambda: shell.around.exit(137 if "-9" in arguments else 143))
        return 0
    return (yield from complain("kill: can't kill pid: No such process"))


def _which(shell: Context, arguments: list[str]) -> Steps:
    return (yield from say(f"/bin/{arguments[0]}")) if arguments else 1


SYSTEM_COMMANDS: dict[str, Command] = {
    "env": _env,
    "printenv": _printenv,
    "hostname": _hostname,
    "date": _date,
    "sleep": _sleep,
    "false": _false,
    "id": _id,
    "whoami": _whoami,
    "uname": _uname,
    "ps": _ps,
    "nproc": _nproc,
    "kill": _kill,
    "which": _which,
}
