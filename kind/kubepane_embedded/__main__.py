"""`python -m kubepane_embedded serve`: the embedded cluster alone, for kubectl and tests."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from kubepane_embedded.clock import PacedClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.nodes import add_nodes, add_pods


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m kubepane_embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until interrupted; the first line printed is the kubeconfig's path")
    serve.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (any free one)")
    serve.add_argument("--kubeconfig", type=Path, help="where to write the kubeconfig (a temporary file)")
    serve.add_argument("--speed", type=float, default=1.0, help="how many times as fast as real time")
    serve.add_argument("--seed", type=int, default=1, help="same seed and same requests, same objects")
    serve.add_argument("--nodes", type=int, default=3, help="worker nodes beside the control plane")
    serve.add_argument("--pods", type=int, default=0, help="synthetic pods for load tests")
    return parser


async def serve(options: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    cluster = EmbeddedCluster(PacedClock(options.speed), options.seed, port=options.port, kubeconfig=options.kubeconfig)
    add_nodes(cluster.core, options.nodes)
    add_pods(cluster.core, options.pods)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        path = await cluster.start()
    except OSError as error:
        print(f"cannot serve: {error}", file=sys.stderr)  # noqa: T201 - a command line's answer
        return 3
    print(path, flush=True)  # noqa: T201 - the first line is the kubeconfig's path
    await stop.wait()
    await cluster.stop()
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = arguments().parse_args(argv)
    if options.speed <= 0 or options.nodes < 0 or options.pods < 0:
        print("--speed must be above 0, --nodes and --pods not below 0", file=sys.stderr)  # noqa: T201
        return 2
    return asyncio.run(serve(options))


if __name__ == "__main__":
    sys.exit(main())
