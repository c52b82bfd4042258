"""`python -m kubepane_controlplane build|up|run`: build the binaries, run a control plane until interrupted, or for as long as a command runs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from kubepane_controlplane import building, load
from kubepane_controlplane.plane import ControlPlane, NotReady

CANNOT = 3


def say(text: str) -> None:
    """A line on standard error; standard output is for the kubeconfig's path."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m kubepane_controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build what is missing into the cache")
    commands.add_parser("built", help="end with 0 when nothing is missing in the cache, else with 1")
    run = commands.add_parser("run", help="run a command beside a control plane; KUBEPANE_TEST_KUBECONFIG leads the command to it")
    run.add_argument("program", nargs="+", metavar="COMMAND", help="the command with its arguments, after --")
    up = commands.add_parser("up", help="run until interrupted; the first line printed is the kubeconfig's path")
    up.add_argument("--dir", type=Path, help="where its state lives (a temporary folder, removed at the end)")
    up.add_argument("--nodes", type=int, help="KWOK nodes, the first a control-plane node (4; none beside simulated ones)")
    up.add_argument("--simulated", type=int, default=0, metavar="N", help="nodes with simulated kubelets: probes, images, crashes, logs, load")
    up.add_argument("--pods", type=int, default=0, help="so many pods, in Deployments of a hundred")
    up.add_argument("--churn", type=float, default=0.0, metavar="N", help="so many changes a second, for ten minutes at most")
    up.add_argument("--audit", action="store_true", help="write every request of a client to audit.log")
    up.add_argument("--no-metrics", action="store_true", help="without metrics-server")
    return parser


def up(given: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    nodes = given.nodes if given.nodes is not None else 0 if given.simulated else 4
    with ControlPlane(nodes, given.simulated, not given.no_metrics, given.audit, folder=given.dir) as plane:
        sys.stdout.write(f"{plane.kubeconfig}\n")
        sys.stdout.flush()
        if given.pods:
            load.add_pods(plane, given.pods)
        if given.churn:
            threading.Thread(target=load.churn, args=(plane, given.churn, 600.0), daemon=True).start()
        stop.wait()
    return 0


def run(program: list[str]) -> int:
    """Run a command while a control plane is there; its exit code. An interrupt is the command's: the control plane ends after it."""
    with ControlPlane(0, simulated=4) as plane:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        environment = {**os.environ, "KUBEPANE_TEST_KUBECONFIG": str(plane.kubeconfig)}
        return subprocess.run(program, env=environment, check=False).returncode  # noqa: S603 - what the user asked for


def main() -> int:
    """Entry point; returns the exit code."""
    given = arguments().parse_args()
    try:
        if given.command == "build":
            sys.stdout.write(f"{building.build(say)}\n")
            return 0
        if given.command == "built":
            return 0 if building.is_built() else 1
        return run(given.program) if given.command == "run" else up(given)
    except (building.CannotBuild, NotReady) as error:
        say(f"cannot: {error}")
        return CANNOT


if __name__ == "__main__":
    sys.exit(main())
