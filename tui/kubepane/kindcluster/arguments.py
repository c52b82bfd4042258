"""What `kubepane kind` takes on the command line. Light: the commands themselves are loaded when one is run."""

from __future__ import annotations

import argparse
import re

from kubepane.cluster.options import Options

MOST_WORKERS = 20
LONGEST_NAME = 50  # kind's own limit: the longest that leaves room for -control-plane in a host name
WHAT = "a Kind cluster with network, metrics and ingress: real containers on this machine"
EXAMPLE = "kubepane kind up --workers 2 --ingress traefik"


def add(parser: argparse.ArgumentParser, parser_class: type[argparse.ArgumentParser]) -> None:
    """Gives `kubepane kind` its three commands."""
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=parser_class)
    up = _verb(verbs, "up", "make the cluster, or what is missing of it", "kubepane kind up --http-port 8080 --https-port 8443")
    up.add_argument("--workers", type=_workers, metavar="N", help="worker nodes, 3 by default; each takes about 600 MB")
    up.add_argument(
        "--ingress", choices=("nginx", "traefik", "none"), help="ingress controller, nginx by default (retired: it gets no fixes any more)"
    )
    up.add_argument("--http-port", type=_port, metavar="N", help="port of this machine for HTTP, 80 by default")
    up.add_argument("--https-port", type=_port, metavar="N", help="port of this machine for HTTPS, 443 by default")
    up.add_argument("--timeout", type=_seconds, default=900.0, metavar="S", help="seconds that one step may take, 900 by default")
    up.add_argument("--dry-run", action="store_true", help="print the commands and the configuration, and do nothing")
    up.set_defaults(run=_up)
    down = _verb(verbs, "down", "remove the cluster; only one that kubepane made", "kubepane kind down --yes")
    down.add_argument("--yes", action="store_true", help="ask nothing")
    down.set_defaults(run=_down)
    status = _verb(verbs, "status", "what there is, whose it is, and whether it is ready", "kubepane kind status --format json")
    status.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    status.set_defaults(run=_status)


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", epilog=f"Example: {example}")
    parser.add_argument("--name", type=_name, default="kubepane", metavar="N", help="name of the cluster, kubepane by default")
    parser.add_argument("--kubeconfig", metavar="FILE", default=argparse.SUPPRESS, help="file for the context, the usual kubeconfig by default")
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help="no character beyond ASCII")
    parser.add_argument("--read-only", action="store_true", default=argparse.SUPPRESS, help="change nothing")
    return parser


def _name(text: str) -> str:
    if len(text) > LONGEST_NAME or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no cluster name (lower case letters, digits and -, at most {LONGEST_NAME})")
    return text


def _workers(text: str) -> int:
    return _number(text, 0, MOST_WORKERS)


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _seconds(text: str) -> float:
    return float(_number(text, 1, 7200))


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def _up(options: Options, given: argparse.Namespace) -> int:
    from kubepane.kindcluster import commands, plan  # YAML and the programs: only when asked for

    asked = plan.Wanted(given.name, given.workers, given.ingress, given.http_port, given.https_port, options.kubeconfig, given.timeout)
    return commands.up(options, asked, given.dry_run)


def _down(options: Options, given: argparse.Namespace) -> int:
    from kubepane.kindcluster import commands  # the programs: only when asked for

    return commands.down(options, given.name, given.yes)


def _status(options: Options, given: argparse.Namespace) -> int:
    from kubepane.kindcluster import commands  # the programs: only when asked for

    return commands.status(options, given.name, given.format)
