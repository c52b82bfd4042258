"""The commands that look at a cluster and change nothing."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from typing import Any

from kubepane.arguments.form import command
from kubepane.arguments.types import PANES, pane, seconds, size, speed
from kubepane.cluster.options import Options


def _add_run(commands: Any, name: str) -> None:
    parser = command(commands, name, "the dashboard on the current context", "kubepane run --context prod -n shop --read-only")
    parser.set_defaults(run=_run)


def _run(options: Options, given: argparse.Namespace) -> int:
    gc.disable()  # while modules load and the first lists arrive nothing becomes garbage; `app.run` turns it on again
    from kubepane.app import run  # Textual: only where something is drawn

    return run(options)


def _add_snapshot(commands: Any, name: str) -> None:
    parser = command(
        commands,
        name,
        "one correct frame of the panes, without a terminal",
        "kubepane snapshot pods nodes --format json | jq '.panes.pods.rows[].status'",
    )
    parser.add_argument("panes", nargs="*", metavar="PANE", type=pane, help=f"panes to show, all by default: {', '.join(PANES)}")
    parser.add_argument("--format", choices=("text", "json", "svg"), default="text", help="text by default")
    parser.add_argument("--size", type=size, default=(120, 40), metavar="WxH", help="size of the frame for text and svg, 120x40 by default")
    parser.add_argument("--wait", type=seconds, default=10.0, metavar="S", help="wait at most so many seconds for the lists to be complete")
    parser.set_defaults(run=_snapshot)


def _snapshot(options: Options, given: argparse.Namespace) -> int:
    from kubepane.snapshot import snapshot  # the client library

    return snapshot(options, tuple(given.panes) or PANES, given.format, given.size, given.wait)


def _add_doctor(commands: Any, name: str) -> None:
    parser = command(commands, name, "what works, what does not, and what to do", "kubepane doctor --context prod")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    parser.set_defaults(run=_doctor)


def _doctor(options: Options, given: argparse.Namespace) -> int:
    from kubepane.doctor import doctor  # the client library

    return doctor(options, given.format)


def _add_why(commands: Any, name: str) -> None:
    parser = command(commands, name, "why an object does not work, with the evidence", "kubepane why pod/chatapp-0 -n chatapp --format json")
    parser.add_argument("object", metavar="KIND/NAME", help="the object")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    parser.set_defaults(run=_why)


def _why(options: Options, given: argparse.Namespace) -> int:
    from kubepane.asking import why  # the client library

    return why(options, given.object, given.format)


def _add_wait(commands: Any, name: str) -> None:
    parser = command(commands, name, "wait for a rollout, an HPA or a claim", "kubepane wait rollout/chatapp -n chatapp --timeout 120")
    parser.add_argument("object", metavar="rollout/NAME|hpa/NAME|pvc/NAME", help="what to wait for")
    parser.add_argument("--timeout", type=seconds, default=300.0, metavar="S", help="seconds, 300 by default")
    parser.set_defaults(run=_wait)


def _wait(options: Options, given: argparse.Namespace) -> int:
    from kubepane.asking import wait  # the client library

    return wait(options, given.object, given.timeout)


def _add_record(commands: Any, name: str) -> None:
    parser = command(commands, name, "record what the watches bring, to be replayed", "kubepane record rollout.kubepane -n shop")
    parser.add_argument("file", metavar="FILE", help="the file to make (0600); no Secret and no environment value is in it")
    parser.add_argument("--seconds", type=seconds, default=0.0, metavar="S", help="end by itself after so many seconds")
    parser.set_defaults(run=_record)


def _record(options: Options, given: argparse.Namespace) -> int:
    from kubepane.replaying import record  # the client library

    return record(options, given.file, given.seconds)


def _add_replay(commands: Any, name: str) -> None:
    parser = command(commands, name, "the dashboard on a recording", "kubepane replay rollout.kubepane --speed 4")
    parser.add_argument("file", metavar="FILE", help="what kubepane record made")
    parser.add_argument("--speed", type=speed, default=1.0, metavar="N", help="seconds of the recording per second, 1 by default")
    parser.set_defaults(run=_replay)


def _replay(options: Options, given: argparse.Namespace) -> int:
    from kubepane.replaying import play  # the client library

    return play(options, given.file, given.speed)


COMMANDS: dict[str, Callable[[Any, str], None]] = {
    "run": _add_run,
    "snapshot": _add_snapshot,
    "why": _add_why,
    "wait": _add_wait,
    "doctor": _add_doctor,
    "record": _add_record,
    "replay": _add_replay,
}
