#!/usr/bin/env python3
"""Measures a terminal program on the cluster of KUBECONFIG: start, memory, CPU, bytes, keys, and how late a change is seen.

    terminal.py [OPTIONS] -- PROGRAM ARG...

The load pods must be there (loadpods.py). Prints one JSON object; times are seconds or milliseconds as their names say.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from apiserver import ApiServer
from loadpods import FIRST_POD, FIRST_SPACE
from ptyscreen import Link, Picture, Terminal

FIRST_ROWS = 25  # rows that every program shows at 160x50
Result = dict[str, Any]
Sight = Callable[[Picture], tuple[object, ...]]


@dataclass(frozen=True)
class Program:
    """What is started and how it is told apart from others.

    Attributes:
        name: for the report.
        argv: the command.
        keys: typed after the start; `~` is a pause of half a second.
        down, up: keys that move the cursor by one row.
        unfinished: while this stands on the screen, a count on it is not final.
        env: additions to the environment.
    """

    name: str
    argv: list[str]
    keys: str = ""
    down: str = "j"
    up: str = "k"
    unfinished: str = ""
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How it is measured.

    Attributes:
        columns, rows: size of the terminal.
        needle: text that only rows have.
        limit: seconds to wait for rows and for the complete count.
        settle: seconds from complete to the first measurement of memory.
        window: seconds in which bytes and CPU are counted, idle and under churn.
        presses: keys pressed for a latency.
        events: lone changes made for a lag.
        churn: status changes a second; 0 for none.
        visible: status changes a second among the pods that stand first, after the churn; 0 for none.
        link: (bytes a second, round trip in seconds) of a slow line; None for none.
    """

    columns: int = 160
    rows: int = 50
    needle: str = "load-"
    limit: float = 60.0
    settle: float = 8.0
    window: float = 15.0
    presses: int = 30
    events: int = 12
    churn: float = 100.0
    visible: float = 10.0
    link: tuple[float, float] | None = None


def unsettled(home: str) -> dict[str, str]:
    """The environment of a program with nobody's own settings, and no traces in them."""
    return {f"XDG_{kind}_HOME": home for kind in ("CONFIG", "DATA", "STATE", "CACHE")}


# ---- what the process costs ------------------------------------------------------------------------------------------------


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its children and what its ended children took."""
    total = 0.0
    for process in _tree(pid):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def rss_mib(pid: int) -> int:
    """Resident memory of a process and its children."""
    total = 0
    for process in _tree(pid):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return round(total / 2**20)


def spread(seconds: list[float]) -> Result:
    """Median, 95th percentile and maximum in milliseconds."""
    if not seconds:
        return {"count": 0}
    ordered = sorted(seconds)
    at = {"p50_ms": statistics.median(ordered), "p95_ms": ordered[max(0, round(len(ordered) * 0.95) - 1)], "max_ms": ordered[-1]}
    return {"count": len(ordered)} | {name: round(value * 1000, 1) for name, value in at.items()}


# ---- what is measured ------------------------------------------------------------------------------------------------------


def complete(picture: Picture, count: int, unfinished: str) -> bool:
    """The whole count stands on the screen, and nothing says that it is not final."""
    text = "\n".join(picture.lines)
    return bool(re.search(rf"(?<![\d,/]){count}(?![\d,])|(?<![\d,/]){count:,}(?![\d,])", text)) and not (unfinished and unfinished in text)


def measure_start(terminal: Terminal, program: Program, plan: Plan, pods: int) -> Result:
    """From exec to the first byte, the first painted text, the first rows, all of them, and the price of it."""
    painted = terminal.wait(lambda p: any(line.strip() for line in p.lines), plan.limit)
    for key in program.keys:
        time.sleep(0.5) if key == "~" else terminal.send(key)
    rows = terminal.wait(lambda p: any(plan.needle in line for line in p.lines), plan.limit)
    whole = terminal.wait(lambda p: complete(p, pods, program.unfinished), plan.limit) if rows else None
    time.sleep(plan.settle)
    since = {"first_byte_s": terminal.first or None, "painted_s": painted, "rows_s": rows, "complete_s": whole}
    result: Result = {name: round(at - terminal.start, 3) if at else None for name, at in since.items()}
    return result | {"rss_mib": rss_mib(terminal.pid), "cpu_to_settled_s": round(cpu_seconds(terminal.pid), 2)}


def measure_window(terminal: Terminal, seconds: float) -> Result:
    """Bytes a second to the terminal and share of a core."""
    written, used, start = terminal.written, cpu_seconds(terminal.pid), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - start
    return {"bytes_s": round((terminal.written - written) / took), "cpu_pct": round((cpu_seconds(terminal.pid) - used) / took * 100, 1)}


def measure_keys(terminal: Terminal, program: Program, go_on: Callable[[int], bool]) -> Result:
    """From a key that moves the cursor to the bytes that show it moved, as long as `go_on` of the count so far says.

    The cursor line is told by its background or mark, so that a changed cell is not taken for the answer; a program whose
    cursor has neither is judged by any change on the left of the screen.
    """
    see = grounds if answer(terminal, program.down, grounds, 2.0) is not None else cells
    times, lost = [], 0
    for press in itertools.takewhile(go_on, itertools.count()):
        time.sleep(random.uniform(0.1, 0.25))
        took = answer(terminal, program.up if press % 2 == 0 else program.down, see, 5.0)
        if took is None:
            lost += 1
        else:
            times.append(took)
    return spread(times) | {"lost": lost, "seen_by": "cursor line" if see is grounds else "any change"}


def answer(terminal: Terminal, key: str, see: Sight, limit: float) -> float | None:
    """Seconds from a key to a change of what is looked at."""
    before = terminal.look(see)
    pressed = terminal.send(key)
    came = terminal.wait(lambda p: see(p) != before, limit)
    return None if came is None else came - pressed


def shows(*words: str) -> Callable[[Picture], bool]:
    """Whether one line holds all these words."""
    return lambda p: any(all(word in line for word in words) for line in p.lines)


def grounds(picture: Picture) -> tuple[object, ...]:
    """The backgrounds and cursor marks below the header."""
    return tuple(picture.grounds[2:])


def cells(picture: Picture) -> tuple[object, ...]:
    """The left part of all lines below the header."""
    return tuple(picture.cells[2:])


def measure_lag(terminal: Terminal, server: ApiServer, events: int) -> Result:
    """From a change sent to the API server to the bytes that show it, one at a time."""
    times = []
    for number in range(701, 701 + events):  # three digits: no column is too narrow for it
        sent = time.perf_counter()
        server.restarts(FIRST_SPACE, FIRST_POD, number)
        seen = terminal.wait(shows(FIRST_POD[:7], str(number)), 15.0)
        if seen is not None:
            times.append(seen - sent)
        time.sleep(random.uniform(0.7, 2.0))
    return spread(times) | {"of": events}


class Churn:
    """churn.py in a process of its own, and how far it is."""

    def __init__(self, rate: float, first: int, kubeconfig: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("churn.py")), str(rate), "600", "--first", str(first)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "KUBECONFIG": kubeconfig})
        self.seen: list[tuple[float, int]] = []
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.seen.append((time.perf_counter(), int(line)))

    def rate(self, start: float) -> float:
        """Changes a second since then."""
        within = [s for s in self.seen if s[0] >= start]
        return round((within[-1][1] - within[0][1]) / (within[-1][0] - within[0][0]), 1) if len(within) > 1 else 0.0

    def stop(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def churning(rate: float, first: int, kubeconfig: str) -> Iterator[Churn]:
    """Churn for as long as the block takes, with five seconds to get going."""
    churn = Churn(rate, first, kubeconfig)
    try:
        time.sleep(5)
        yield churn
    finally:
        churn.stop()


def measure(program: Program, plan: Plan) -> Result:
    """Everything, in order; ends the program."""
    server = ApiServer()
    pods = server.count("/api/v1/pods")
    link = Link(*plan.link) if plan.link else None
    terminal = Terminal(program.argv, plan.columns, plan.rows, program.env, link)
    try:
        result: Result = {"name": program.name, "argv": program.argv, "pods": pods} | measure_start(terminal, program, plan, pods)
        if result["rows_s"] is None:
            return result | {"screen": terminal.text().splitlines(), "alive": terminal.alive}
        result["idle"] = measure_window(terminal, plan.window)
        result["key_idle"] = measure_keys(terminal, program, lambda press: press < plan.presses)
        result["lag"] = measure_lag(terminal, server, plan.events)
        if plan.churn:
            with churning(plan.churn, 0, server.path) as churn:
                start = time.perf_counter()
                result["churn"] = measure_window(terminal, plan.window)
                result["churn"]["rate"] = churn.rate(start)
                result["key_churn"] = measure_keys(terminal, program, lambda press: press < plan.presses)
            result["rss_after_mib"] = rss_mib(terminal.pid)
        if plan.visible:
            with churning(plan.visible, FIRST_ROWS, server.path) as churn:
                start = time.perf_counter()
                result["visible"] = measure_window(terminal, plan.window)
                result["visible"]["rate"] = churn.rate(start)
        return result | {"alive": terminal.alive, "screen": terminal.text().splitlines()}
    finally:
        terminal.close()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="")
    parser.add_argument("--size", default="160x50", metavar="WxH")
    parser.add_argument("--keys", default="", help="typed after the start, with Python's escapes; ~ is a pause of 0.5 s")
    parser.add_argument("--unfinished", default="", metavar="TEXT", help="while it stands on the screen, the list is not complete")
    for name in ("needle", "limit", "settle", "window", "presses", "events", "churn", "visible"):
        default = getattr(Plan(), name)
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--rate", type=float, default=0, metavar="BYTES", help="a slow link: bytes a second")
    parser.add_argument("--round-trip", type=float, default=0.1, metavar="S", help="its round trip")
    parser.add_argument("program", nargs="+")
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    named = {name: getattr(given, name) for name in ("needle", "limit", "settle", "window", "presses", "events", "churn", "visible")}
    plan = Plan(columns, rows, **named, link=(given.rate, given.round_trip) if given.rate else None)
    keys = given.keys.encode().decode("unicode_escape")
    result = measure(Program(given.name or given.program[0], given.program, keys, unfinished=given.unfinished), plan)
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0 if result["rows_s"] is not None else 1


if __name__ == "__main__":
    sys.exit(main())
