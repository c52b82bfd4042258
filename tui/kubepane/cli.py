"""The command line: what was asked for, one line on stderr when it cannot be done, and the exit code.

Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 cannot reach the cluster, 4 refused, 130 interrupted.
Textual is imported only by the commands that draw, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from kubepane import __version__
from kubepane.arguments import changes, simulated, watching
from kubepane.arguments.form import Parser, common
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.options import Options
from kubepane.exits import INTERRUPTED, NO, USAGE

COMMANDS = {**watching.COMMANDS, **simulated.COMMANDS, **changes.COMMANDS}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the arguments, those of the process by default.

    Returns:
        The exit code.
    """
    given = _parser().parse_args(_command_first(list(sys.argv[1:] if argv is None else argv)))
    run: Callable[[Options, argparse.Namespace], int] = given.run
    try:
        return run(_options(given), given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BadConfig as error:
        sys.stderr.write(f"kubepane: {error}\n")
        return USAGE
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away: nobody is left to tell
        return NO


def _command_first(words: list[str]) -> list[str]:
    """The command in front of the options that stand before it; without a command it is `run`."""
    takes_value = False
    for at, word in enumerate(words):
        if not takes_value and not word.startswith("-"):
            return [word, *words[:at], *words[at + 1 :]]
        if not takes_value and word in ("-h", "--help", "--version"):
            return words
        takes_value = not takes_value and word in _VALUED
    return ["run", *words]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="kubepane",
        description="A terminal dashboard for watching a Kubernetes cluster and acting on it.",
        epilog="Without a command: the dashboard on the current context.  Example: kubepane -n shop",
    )
    parser.add_argument("--version", action="version", version=f"kubepane {__version__}")
    common(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name, add in COMMANDS.items():
        add(commands, name)
    return parser


_VALUED = {"--kubeconfig", "--context", "-n", "--namespace", "--as", "--as-group", "--theme", "--log-file", "--config"}


def _options(given: argparse.Namespace) -> Options:
    return Options(
        kubeconfig=given.kubeconfig,
        context=given.context,
        namespaces=tuple(dict.fromkeys(given.namespace)),
        all_namespaces=given.all_namespaces,
        as_user=given.as_user,
        as_groups=tuple(given.as_group),
        read_only=given.read_only,
        low_bandwidth=given.low_bandwidth,
        ascii=given.ascii,
        no_color=given.no_color,
        theme=given.theme,
        log_file=given.log_file,
        config=given.config,
    )
