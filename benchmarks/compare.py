#!/usr/bin/env python3
"""kubepane beside the other terminal programs that are installed, in one run on the cluster of KUBECONFIG: figures, ratios, bounds.

    loadpods.py 2000 && compare.py            all that are found
    compare.py --only kubepane,sofka --rounds 3 --json FILE

Machines differ and load spoils figures: compare only within one run, and leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from apiserver import ApiServer
from ptyscreen import Terminal
from terminal import Plan, Program, Result, measure, unsettled

ROOT = Path(__file__).resolve().parents[1]
OWN = {"PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ("tui", "widgets", "kind"))}
EMPTY = "from textual.app import App; from textual.widgets import Static\nclass A(App):\n    def compose(self): yield Static('ready')\nA().run()"
PROGRAMS = {
    "kubepane": Program("kubepane", [sys.executable, "-m", "kubepane", "run", "-A"], unfinished="syncing", env=OWN),
    "sofka": Program("sofka", ["sofka", "-A"]),
    "k9s": Program("k9s", ["k9s", "-A", "--splashless", "-c", "pods"]),
}
PAINTS = 5
PAINT_BOUND = 2.5


@dataclass(frozen=True)
class Line:
    """One line of the report.

    Attributes:
        title: what is measured.
        path: where it stands in a result.
        unit: for the reader.
        bounds: pods → the most that kubepane may take; those of the next smaller number of pods hold, infinite for none.
    """

    title: str
    path: str
    unit: str
    bounds: dict[int, float]

    def bound(self, pods: int) -> float | None:
        """The bound for so many pods."""
        fitting = [n for n in self.bounds if pods >= n]
        bound = self.bounds[max(fitting)] if fitting else inf
        return None if bound == inf else bound


LINES = (
    Line("first byte", "first_byte_s", "s", {}),
    Line("first rows", "rows_s", "s", {2000: 0.7, 10_000: inf}),
    Line("complete", "complete_s", "s", {10_000: 1.8}),
    Line("memory, settled", "rss_mib", "MiB", {2000: 110, 10_000: 150}),
    Line("memory, after churn", "rss_after_mib", "MiB", {}),
    Line("CPU until settled", "cpu_to_settled_s", "s", {}),
    Line("idle: to the terminal", "idle.bytes_s", "B/s", {0: 1000}),
    Line("idle: CPU", "idle.cpu_pct", "%", {2000: 0.5, 10_000: inf}),
    Line("idle: key, median", "key_idle.p50_ms", "ms", {0: 8}),
    Line("idle: key, 95 %", "key_idle.p95_ms", "ms", {}),
    Line("lone change, median", "lag.p50_ms", "ms", {0: 30}),
    Line("lone change, worst", "lag.max_ms", "ms", {0: 100}),
    Line("churn reached", "churn.rate", "/s", {}),
    Line("churn: to the terminal", "churn.bytes_s", "B/s", {2000: 800, 10_000: inf}),
    Line("churn: CPU", "churn.cpu_pct", "%", {2000: 6, 10_000: inf}),
    Line("churn: key, median", "key_churn.p50_ms", "ms", {}),
    Line("churn: key, 95 %", "key_churn.p95_ms", "ms", {0: 25}),
    Line("visible changes reached", "visible.rate", "/s", {}),
    Line("visible: to the terminal", "visible.bytes_s", "B/s", {0: 3000}),
)


def value(result: Result, path: str) -> float | None:
    """A figure by its dotted path, None where it was not measured."""
    found: Any = result
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


def middle(rounds: list[Any]) -> Any:
    """One result out of several: medians of the numbers, of everything else the last; a figure that some rounds lack is taken from the others."""
    there = [each for each in rounds if each is not None]
    if there and all(isinstance(each, dict) for each in there):
        return {key: middle([each.get(key) for each in there]) for key in there[-1]}
    if there and all(isinstance(each, int | float) and not isinstance(each, bool) for each in there):
        return statistics.median(there)
    return there[-1] if there else None


def measure_all(programs: list[Program], plan: Plan, rounds: int) -> list[Result]:
    """The programs in turn, round after round, so that what else the machine does meets all of them alike."""
    found: dict[str, list[Result]] = {program.name: [] for program in programs}
    for turn in range(rounds):
        for program in programs:
            print(f"round {turn + 1} of {rounds}: {program.name}; load average {os.getloadavg()[0]:.1f}", file=sys.stderr)
            found[program.name].append(measure(program, plan))
    return [middle(results) for results in found.values()]


def paint(program: Program) -> float | None:
    """Seconds from exec to the first text on the screen: the median of a few starts."""
    times = []
    for _ in range(PAINTS):
        terminal = Terminal(program.argv, 160, 50, program.env)
        try:
            seen = terminal.wait(lambda p: any(line.strip() for line in p.lines), 20.0)
        finally:
            terminal.close()
        if seen:
            times.append(seen - terminal.start)
    return statistics.median(times) if times else None


def report(results: list[Result], show: Callable[[str], None]) -> int:
    """Prints the table; gives how many bounds kubepane exceeds."""
    own, others = results[0], results[1:]
    pods, over = int(own["pods"]), 0
    show(f"\n{pods:,} pods   {'':13}" + "".join(f"{r['name']:>12}" + (f"{'':>8}" if r is not own else "") for r in results) + f"{'bound':>9}")
    for line in LINES:
        mine, bound = value(own, line.path), line.bound(pods) if own["name"] == "kubepane" else None
        missed = bound is not None and (mine is None or mine > bound)
        over += missed
        cells = _cell(mine, 12) + "".join(_cell(v := value(r, line.path), 12) + _ratio(mine, v) for r in others)
        show(f"{line.title:24}{line.unit:>4}{cells}" + (f"{bound:>9g}{'  OVER' if missed else ''}" if bound is not None else ""))
    return over


def report_paint(mine: float | None, empty: float | None, show: Callable[[str], None]) -> bool:
    """Prints how the first paint compares with an empty Textual app's; gives whether that is over the bound."""
    if not mine or not empty:
        show("\nfirst paint: not measured")
        return True
    over = mine > PAINT_BOUND * empty
    show(f"\nfirst paint {mine:.3f} s, an empty Textual app's {empty:.3f} s: ×{mine / empty:.2f}, bound ×{PAINT_BOUND}{'  OVER' if over else ''}")
    return over


def _cell(number: float | None, width: int) -> str:
    return f"{'–' if number is None else f'{number:,.3g}' if number < 100 else f'{number:,.0f}':>{width}}"


def _ratio(mine: float | None, other: float | None) -> str:
    return f"{f'×{mine / other:.2f}' if mine is not None and other else '':>8}"


def chosen(only: str) -> list[Program]:
    """The programs that are asked for and there; says which are not."""
    programs = []
    for name in only.split(",") if only else PROGRAMS:
        if name not in PROGRAMS:
            raise SystemExit(f"{name} is not known here: {', '.join(PROGRAMS)}")
        if shutil.which(PROGRAMS[name].argv[0]):
            programs.append(PROGRAMS[name])
        else:
            print(f"skipped {name}: not on PATH", file=sys.stderr)
    return programs


def skipped() -> str:
    """Why nothing can be measured, "" when it can."""
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG names no test cluster"
    try:
        if not ApiServer().count("/api/v1/namespaces/aaa-bench/pods"):
            return "the cluster has no load pods: run benchmarks/loadpods.py 2000"
    except OSError as error:
        return f"the cluster does not answer: {error}"
    return ""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME,…", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--quick", action="store_true", help="shorter windows, fewer keys: less sure")
    parser.add_argument("--rounds", type=int, default=1, help="measure all so many times, in turn, and take medians")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if reason := skipped():
        print(f"skipped the comparison in a terminal: {reason}")
        return 0
    plan = Plan(window=5, settle=4, presses=15, events=6) if given.quick else Plan()
    with tempfile.TemporaryDirectory() as home:
        programs = [replace(program, env={**program.env, **unsettled(home)}) for program in chosen(given.only)]
        results = measure_all(programs, plan, given.rounds)
        mine, empty = paint(PROGRAMS["kubepane"]), paint(Program("empty", [sys.executable, "-c", EMPTY]))
    over = report(results, print) if results else 0
    over += report_paint(mine, empty, print)
    if given.json:
        given.json.write_text(
            json.dumps({"results": results, "paint_s": {"kubepane": mine, "empty Textual app": empty}}, indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
    print(f"\n{over} bounds exceeded" if results and results[0]["name"] == "kubepane" else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
