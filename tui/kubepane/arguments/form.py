"""What all commands share: the parser, the common options, the exit code of wrong usage."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from kubepane.arguments.types import namespace
from kubepane.exits import USAGE


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def common(parser: argparse.ArgumentParser) -> None:
    """Adds the options that every command takes."""
    option = parser.add_argument_group("common options").add_argument
    option("--kubeconfig", metavar="FILE", default="", help="kubeconfig to use instead of KUBECONFIG and ~/.kube/config")
    option("--context", metavar="NAME", default="", help="context to use instead of the current one")
    option("-n", "--namespace", metavar="NAME", action="append", default=[], type=namespace, help="only this namespace; may be repeated")
    option("-A", "--all-namespaces", action="store_true", help="all namespaces")
    option("--as", dest="as_user", metavar="USER", default="", help="impersonate this user")
    option("--as-group", dest="as_group", metavar="GROUP", action="append", default=[], help="impersonate this group; may be repeated")
    option("--read-only", action="store_true", help="send no request that changes anything")
    option("--low-bandwidth", action="store_true", help="fewer frames, for slow links")
    option("--ascii", action="store_true", help="no character beyond ASCII")
    option("--no-color", action="store_true", help="no colour (NO_COLOR in the environment does the same)")
    option("--theme", metavar="NAME", default="", help="colour theme: kubepane-dark, kubepane-light or one of Textual's")
    option("--log-file", metavar="FILE", default="", help="write the journal to this file as well (0600)")
    option("--config", metavar="FILE", default="", help="configuration file instead of ~/.config/kubepane/config.yaml")


def command(commands: Any, name: str, what: str, example: str) -> argparse.ArgumentParser:
    """Adds a command, with an example below its help."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", epilog=f"Example: {example}")
    common(parser)
    return parser
