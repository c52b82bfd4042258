"""The commands that bring a cluster of their own."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from kubepane.arguments.form import Parser, command
from kubepane.arguments.types import speed, watchable, whole
from kubepane.cluster.options import Options
from kubepane.exits import USAGE, sorry
from kubepane.kindcluster import arguments as kind_arguments


def _add_demo(commands: Any, name: str) -> None:
    parser = command(commands, name, "the story on a simulated cluster: no cluster, no Docker, no network", "kubepane demo --scenario hpa")
    parser.add_argument("--speed", type=watchable, default=1.0, metavar="N", help="cluster seconds per second, 1 by default, 10 at most")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same names and addresses")
    parser.add_argument("--scenario", metavar="NAME", default="", help="play a chapter: a name, all for one after another, or list")
    parser.add_argument("--here", action="store_true", help="play it on the cluster that the kubeconfig names, after asking: it changes that cluster")
    parser.set_defaults(run=_demo)


def _demo(options: Options, given: argparse.Namespace) -> int:
    from kubepane import staging  # the chapters read views and insight
    from kubepane.scenarios.book import CHAPTERS, chosen

    if given.scenario == "list":
        return staging.listed()
    if given.scenario not in ("", "all", *CHAPTERS):
        return sorry(f"demo: there is no scenario {given.scenario!r}: {', '.join(CHAPTERS)}, all, or list", USAGE)
    if given.here:
        if not given.scenario:
            return sorry("demo: --here plays a scenario: name one with --scenario", USAGE)
        return staging.here(options, chosen(given.scenario))
    if options.kubeconfig or options.context:
        return sorry("demo: this is a simulated cluster; --here plays a scenario on the one that the kubeconfig names", USAGE)
    from kubepane import simulation  # the simulated cluster

    return simulation.demo(options, given.speed, given.seed, chosen(given.scenario) if given.scenario else ())


def _add_cluster(commands: Any, name: str) -> None:
    parser = command(commands, name, "the simulated cluster alone, for kubectl and tests", "kubepane cluster serve --port 8001 --story")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    what = "serve until interrupted; the first line printed is the path of the kubeconfig"
    serve = verbs.add_parser("serve", help=what, description=what[0].upper() + what[1:] + ".", epilog="Example: kubepane cluster serve --pods 2000")
    serve.add_argument("--port", type=whole, default=0, metavar="N", help="port on 127.0.0.1, any free one by default")
    serve.add_argument("--kubeconfig", metavar="FILE", default=argparse.SUPPRESS, help="where to write it (0600), a temporary file by default")
    serve.add_argument("--speed", type=speed, default=1.0, metavar="N", help="cluster seconds per second, 1 by default")
    serve.add_argument("--seed", type=int, default=1, metavar="N", help="same seed and same requests, same objects")
    serve.add_argument("--nodes", type=whole, default=3, metavar="N", help="worker nodes beside the control plane, 3 by default")
    serve.add_argument("--pods", type=whole, default=0, metavar="N", help="so many synthetic running pods, for load tests")
    serve.add_argument("--story", action="store_true", help="with the bundled story applied and healthy")
    serve.set_defaults(run=_serve)


def _add_kind(commands: Any, name: str) -> None:
    kind_arguments.add(command(commands, name, kind_arguments.WHAT, kind_arguments.EXAMPLE), Parser)


def _serve(options: Options, given: argparse.Namespace) -> int:
    from kubepane import simulation  # the simulated cluster

    return simulation.serve(given.speed, given.seed, given.nodes, given.pods, given.story, given.port, options.kubeconfig)


COMMANDS: dict[str, Callable[[Any, str], None]] = {
    "demo": _add_demo,
    "cluster": _add_cluster,
    "kind": _add_kind,
}
