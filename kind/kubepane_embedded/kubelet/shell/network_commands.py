"""wget, curl, nc, nslookup: what others in the cluster answer."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, NamedTuple

from kubepane_embedded.kubelet.network import REFUSED, UNKNOWN_HOST, Answer
from kubepane_embedded.kubelet.shell.effects import Command, Context, Effect, Output, Sleep, Steps, complain

URL = re.compile(r"(?:(https?)://)?([^/:?]+)(?::(\d+))?(/.*)?")
REASONS = {200: "OK", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}
PATIENCE = 5.0
"""Seconds until a connection is given up when nobody answers."""


class Target(NamedTuple):
    """The parts of a URL."""

    host: str
    port: int
    path: str


def target_of(url: str) -> Target | None:
    """The parts of a URL, or None when it is none."""
    found = URL.fullmatch(url)
    if found is None:
        return None
    return Target(found[2], int(found[3] or (443 if found[1] == "https" else 80)) % 65536, found[4] or "/")


def _fetch(shell: Context, target: Target, agent: str) -> Generator[Effect, Any, Answer]:
    """A GET that takes its time when nobody answers, and follows redirects (which lead to a page of the same server)."""
    answer = shell.around.network.get(shell.around.namespace, target.host, target.port, target.path, agent)
    if answer.failure not in ("", UNKNOWN_HOST, REFUSED):
        yield Sleep(PATIENCE)
    return answer


def _options(arguments: list[str], with_value: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Options (with the values of those that have one) and the rest."""
    options: dict[str, str] = {}
    rest: list[str] = []
    given = iter(arguments)
    for argument in given:
        if argument in with_value:
            options[argument] = next(given, "")
        elif argument.startswith("-") and len(argument) > 1:
            name, _, value = argument.partition("=")
            options[name] = value
        else:
            rest.append(argument)
    return options, rest


def body_of(target: Target, answer: Answer) -> str:
    """What is shown of a page."""
    return f"<html><body>{answer.status} {target.path} from {answer.address}</body></html>\n"


def _wget(shell: Context, arguments: list[str]) -> Steps:
    options, rest = _options(arguments, ("-O", "-T", "-U", "-t"))
    target = target_of(rest[0]) if rest else None
    if target is None:
        return (yield from complain("wget: usage: wget [-q] [-O FILE] URL"))
    answer = yield from _fetch(shell, target, "Wget")
    address = next(iter(shell.around.network.lookup(shell.around.namespace, target.host)), target.host)
    if answer.failure == UNKNOWN_HOST:
        return (yield from complain(f"wget: bad address '{target.host}'"))
    quiet = any(name.startswith("-") and "q" in name for name in options if not name.startswith("--"))
    if not quiet:
        yield Output(2, f"Connecting to {target.host} ({address}:{target.port})\n")
    if answer.failure:
        why = "Connection refused" if answer.failure == REFUSED else "Host is unreachable"
        return (yield from complain(f"wget: can't connect to remote host ({address}): {why}"))
    if answer.status >= 400:
        return (yield from complain(f"wget: server returned error: HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}".rstrip()))
    place = options.get("-O", "") or next((name[-1] for name in options if name.endswith("O-")), "")
    if place == "-" or any(name.endswith("O-") for name in options):
        yield Output(1, body_of(target, answer))
    return 0


def _curl(shell: Context, arguments: list[str]) -> Steps:
    options, rest = _options(arguments, ("-o", "-w", "-H", "-m", "-X", "-A", "--max-time", "--connect-timeout", "--retry"))
    target = target_of(rest[0]) if rest else None
    if target is None:
        return (yield from complain("curl: (2) no URL specified", 2))
    answer = yield from _fetch(shell, target, "curl/8.16.0")
    quiet = any("s" in name and "S" not in name for name in options if name.startswith("-") and not name.startswith("--"))
    if answer.failure:
        code, text = 7, f"Failed to connect to {target.host} port {target.port} after 0 ms: Could not connect to server"
        if answer.failure == UNKNOWN_HOST:
            code, text = 6, f"Could not resolve host: {target.host}"
        return code if quiet else (yield from complain(f"curl: ({code}) {text}", code))
    if answer.status >= 400 and any("f" in name for name in options if not name.startswith("--") or name == "--fail"):
        return 22 if quiet else (yield from complain(f"curl: (22) The requested URL returned error: {answer.status}", 22))
    if any("I" in name or "i" in name for name in options if not name.startswith("--")):
        yield Output(1, f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}\n")
    if "-o" not in options:
        yield Output(1, body_of(target, answer))
    if "-w" in options:
        yield Output(1, options["-w"].replace("%{http_code}", str(answer.status)).replace("\\n", "\n"))
    return 0


def _nc(shell: Context, arguments: list[str]) -> Steps:
    _, rest = _options(arguments, ("-w",))
    if len(rest) < 2 or not rest[1].isdigit():
        return (yield from complain("nc: usage: nc [-z] [-w SEC] HOST PORT"))
    found = shell.around.network.connect(shell.around.namespace, rest[0], int(rest[1]) % 65536)
    if not isinstance(found, str):
        return 0
    if found == UNKNOWN_HOST:
        return (yield from complain(f"nc: bad address '{rest[0]}'"))
    return (yield from complain(f"nc: {rest[0]} ({rest[0]}:{rest[1]}): {'Connection refused' if found == REFUSED else 'Host is unreachable'}"))


def _nslookup(shell: Context, arguments: list[str]) -> Steps:
    if not arguments:
        return (yield from complain("nslookup: usage: nslookup HOST"))
    yield Output(1, "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n")
    name = arguments[0]
    addresses = shell.around.network.lookup(shell.around.namespace, name)
    if not addresses:
        yield Output(1, f"** server can't find {name}: NXDOMAIN\n\n")
        return 1
    parts = name.split(".")
    full = name if name.endswith("cluster.local") else f"{parts[0]}.{parts[1] if len(parts) > 1 else shell.around.namespace}.svc.cluster.local"
    yield Output(1, "".join(f"Name:\t{full}\nAddress: {address}\n" for address in addresses) + "\n")
    return 0


NETWORK_COMMANDS: dict[str, Command] = {"wget": _wget, "curl": _curl, "nc": _nc, "nslookup": _nslookup}
