"""The command line: what was asked for, one line on stderr when it cannot be done, and the exit code.

Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 cannot reach the cluster, 4 refused, 130 interrupted.
Textual is imported only by the commands that draw, so that `--help` and `--version` answer at once.
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from kubepane import __version__
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.options import Options
from kubepane.kindcluster import arguments as kind_arguments

DONE, NO, USAGE, UNREACHABLE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130
PANES = ("pods", "workloads", "nodes", "events", "hpa", "storage", "ingress", "policies")


class _Parser(argparse.ArgumentParser):
    """argparse, but an error is one line that says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


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
    parser = _Parser(
        prog="kubepane",
        description="A terminal dashboard for watching a Kubernetes cluster and acting on it.",
        epilog="Without a command: the dashboard on the current context.  Example: kubepane -n shop",
    )
    parser.add_argument("--version", action="version", version=f"kubepane {__version__}")
    _common(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for name, add in COMMANDS.items():
        add(commands, name)
    return parser


_VALUED = {"--kubeconfig", "--context", "-n", "--namespace", "--as", "--as-group", "--theme", "--log-file", "--config"}


def _common(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument_group("common options").add_argument
    option("--kubeconfig", metavar="FILE", default="", help="kubeconfig to use instead of KUBECONFIG and ~/.kube/config")
    option("--context", metavar="NAME", default="", help="context to use instead of the current one")
    option("-n", "--namespace", metavar="NAME", action="append", default=[], type=_namespace, help="only this namespace; may be repeated")
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


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace name (lower case letters, digits and -)")
    return text


def _pane(text: str) -> str:
    if text not in PANES:
        raise argparse.ArgumentTypeError(f"no pane {text!r}: {', '.join(PANES)}")
    return text


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or not (1 <= int(match[1]) <= 1000 and 1 <= int(match[2]) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: WIDTHxHEIGHT, as 120x40")
    return int(match[1]), int(match[2])


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds


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


# ---- commands ------------------------------------------------------------------------------------------------------------


def _command(commands: Any, name: str, what: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", epilog=f"Example: {example}")
    _common(parser)
    return parser


def _add_run(commands: Any, name: str) -> None:
    parser = _command(commands, name, "the dashboard on the current context", "kubepane run --context prod -n shop --read-only")
    parser.set_defaults(run=_run)


def _run(options: Options, given: argparse.Namespace) -> int:
    gc.disable()  # while modules load and the first lists arrive nothing becomes garbage; `app.run` turns it on again
    from kubepane.app import run  # Textual: only where something is drawn

    return run(options)


def _add_snapshot(commands: Any, name: str) -> None:
    parser = _command(
        commands,
        name,
        "one correct frame of the panes, without a terminal",
        "kubepane snapshot pods nodes --format json | jq '.panes.pods.rows[].status'",
    )
    parser.add_argument("panes", nargs="*", metavar="PANE", type=_pane, help=f"panes to show, all by default: {', '.join(PANES)}")
    parser.add_argument("--format", choices=("text", "json", "svg"), default="text", help="text by default")
    parser.add_argument("--size", type=_size, default=(120, 40), metavar="WxH", help="size of the frame for text and svg, 120x40 by default")
    parser.add_argument("--wait", type=_seconds, default=10.0, metavar="S", help="wait at most so many seconds for the lists to be complete")
    parser.set_defaults(run=_snapshot)


def _snapshot(options: Options, given: argparse.Namespace) -> int:
    from kubepane.snapshot import snapshot  # the client library

    return snapshot(options, tuple(given.panes) or PANES, given.format, given.size, given.wait)


def _add_doctor(commands: Any, name: str) -> None:
    parser = _command(commands, name, "what works, what does not, and what to do", "kubepane doctor --context prod")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    parser.set_defaults(run=_doctor)


def _doctor(options: Options, given: argparse.Namespace) -> int:
    from kubepane.doctor import doctor  # the client library

    return doctor(options, given.format)


def _add_why(commands: Any, name: str) -> None:
    parser = _command(commands, name, "why an object does not work, with the evidence", "kubepane why pod/chatapp-0 -n chatapp --format json")
    parser.add_argument("object", metavar="KIND/NAME", help="the object")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    parser.set_defaults(run=_why)


def _why(options: Options, given: argparse.Namespace) -> int:
    from kubepane.asking import why  # the client library

    return why(options, given.object, given.format)


def _add_wait(commands: Any, name: str) -> None:
    parser = _command(commands, name, "wait for a rollout, an HPA or a claim", "kubepane wait rollout/chatapp -n chatapp --timeout 120")
    parser.add_argument("object", metavar="rollout/NAME|hpa/NAME|pvc/NAME", help="what to wait for")
    parser.add_argument("--timeout", type=_seconds, default=300.0, metavar="S", help="seconds, 300 by default")
    parser.set_defaults(run=_wait)


def _wait(options: Options, given: argparse.Namespace) -> int:
    from kubepane.asking import wait  # the client library

    return wait(options, given.object, given.timeout)


def _add_record(commands: Any, name: str) -> None:
    parser = _command(commands, name, "record what the watches bring, to be replayed", "kubepane record rollout.kubepane -n shop")
    parser.add_argument("file", metavar="FILE", help="the file to make (0600); no Secret and no environment value is in it")
    parser.add_argument("--seconds", type=_seconds, default=0.0, metavar="S", help="end by itself after so many seconds")
    parser.set_defaults(run=_record)


def _record(options: Options, given: argparse.Namespace) -> int:
    from kubepane.replaying import record  # the client library

    return record(options, given.file, given.seconds)


def _add_replay(commands: Any, name: str) -> None:
    parser = _command(commands, name, "the dashboard on a recording", "kubepane replay rollout.kubepane --speed 4")
    parser.add_argument("file", metavar="FILE", help="what kubepane record made")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="N", help="seconds of the recording per second, 1 by default")
    parser.set_defaults(run=_replay)


def _replay(options: Options, given: argparse.Namespace) -> int:
    from kubepane.replaying import play  # the client library

    return play(options, given.file, given.speed)


def _add_demo(commands: Any, name: str) -> None:
    parser = _command(commands, name, "the story on a simulated cluster: no cluster, no Docker, no network", "kubepane demo --scenario hpa")
    parser.add_argument("--speed", type=_watchable, default=1.0, metavar="N", help="cluster seconds per second, 1 by default, 10 at most")
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
        return _wrong(f"demo: there is no scenario {given.scenario!r}: {', '.join(CHAPTERS)}, all, or list")
    if given.here:
        return staging.here(options, chosen(given.scenario)) if given.scenario else _wrong("demo: --here plays a scenario: name one with --scenario")
    if options.kubeconfig or options.context:
        return _wrong("demo: this is a simulated cluster; --here plays a scenario on the one that the kubeconfig names")
    from kubepane import simulation  # the simulated cluster

    return simulation.demo(options, given.speed, given.seed, chosen(given.scenario) if given.scenario else ())


def _wrong(text: str) -> int:
    sys.stderr.write(f"kubepane {text}\n")
    return USAGE


def _add_cluster(commands: Any, name: str) -> None:
    parser = _command(commands, name, "the simulated cluster alone, for kubectl and tests", "kubepane cluster serve --port 8001 --story")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    what = "serve until interrupted; the first line printed is the path of the kubeconfig"
    serve = verbs.add_parser("serve", help=what, description=what[0].upper() + what[1:] + ".", epilog="Example: kubepane cluster serve --pods 2000")
    serve.add_argument("--port", type=_whole, default=0, metavar="N", help="port on 127.0.0.1, any free one by default")
    serve.add_argument("--kubeconfig", metavar="FILE", default=argparse.SUPPRESS, help="where to write it (0600), a temporary file by default")
    serve.add_argument("--speed", type=_speed, default=1.0, metavar="N", help="cluster seconds per second, 1 by default")
    serve.add_argument("--seed", type=int, default=1, metavar="N", help="same seed and same requests, same objects")
    serve.add_argument("--nodes", type=_whole, default=3, metavar="N", help="worker nodes beside the control plane, 3 by default")
    serve.add_argument("--pods", type=_whole, default=0, metavar="N", help="so many synthetic running pods, for load tests")
    serve.add_argument("--story", action="store_true", help="with the bundled story applied and healthy")
    serve.set_defaults(run=_serve)


def _add_kind(commands: Any, name: str) -> None:
    kind_arguments.add(_command(commands, name, kind_arguments.WHAT, kind_arguments.EXAMPLE), _Parser)


def _serve(options: Options, given: argparse.Namespace) -> int:
    from kubepane import simulation  # the simulated cluster

    return simulation.serve(given.speed, given.seed, given.nodes, given.pods, given.story, given.port, options.kubeconfig)


def _changer(commands: Any, name: str, what: str, example: str, timeout: float = 300.0) -> argparse.ArgumentParser:
    """A command that changes something: with a preview, a question, and the outcome."""
    parser = _command(commands, name, what, example)
    parser.add_argument("--dry-run", action="store_true", help="preview only, checked by the server")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    waits = "wait so long for the effect, 300 by default, 0 for not at all" if timeout else "give up after so long, never by default"
    parser.add_argument("--timeout", type=_seconds, default=timeout, metavar="S", help=waits)
    return parser


def _change(options: Options, given: argparse.Namespace, verb: str, targets: Sequence[str], **args: Any) -> int:
    from kubepane import changing  # the client library

    return changing.change(options, verb, targets, args, changing.Manner(given.dry_run, given.yes, given.timeout))


def _add_scale(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "set the number of replicas of a workload", "kubepane scale deploy/chatapp 4 -n chatapp")
    parser.add_argument("object", metavar="KIND/NAME", help="a Deployment, StatefulSet or ReplicaSet")
    parser.add_argument("replicas", type=_whole, metavar="N", help="pods wanted")
    parser.set_defaults(run=lambda options, given: _change(options, given, "scale", [given.object], replicas=given.replicas))


def _add_taint(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "put a taint on a node", "kubepane taint node/worker dedicated=chatapp:NoSchedule --dry-run")
    parser.add_argument("object", metavar="node/NAME", nargs="+", help="the nodes")
    parser.add_argument("taint", metavar="KEY[=VALUE]:EFFECT", help="the effect is NoSchedule, PreferNoSchedule or NoExecute")
    parser.set_defaults(run=lambda options, given: _change(options, given, "taint", given.object, taint=given.taint))


def _add_untaint(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "take a taint off a node", "kubepane untaint node/worker dedicated:NoSchedule")
    parser.add_argument("object", metavar="node/NAME", nargs="+", help="the nodes")
    parser.add_argument("taint", metavar="KEY[:EFFECT]", help="all taints of that key, or only those of one effect")
    parser.set_defaults(run=_untaint)


def _untaint(options: Options, given: argparse.Namespace) -> int:
    key, _, effect = given.taint.partition(":")
    return _change(options, given, "untaint", given.object, key=key, effect=effect)


def _add_on_nodes(commands: Any, name: str) -> None:
    what = {"cordon": "keep new pods off a node", "uncordon": "let new pods on a node again"}[name]
    parser = _changer(commands, name, what, f"kubepane {name} node/worker")
    parser.add_argument("object", metavar="node/NAME", nargs="+", help="the nodes")
    parser.set_defaults(run=lambda options, given: _change(options, given, name, given.object))


def _add_drain(commands: Any, name: str) -> None:
    parser = _changer(
        commands, name, "keep new pods off a node and evict those that it has", "kubepane drain node/worker --delete-emptydir-data", 0.0
    )
    parser.add_argument("object", metavar="node/NAME", nargs="+", help="the nodes, drained one after another; DaemonSet pods stay")
    parser.add_argument("--delete-emptydir-data", action="store_true", help="evict pods with an emptyDir too: what it holds is lost")
    parser.add_argument("--force", action="store_true", help="evict pods without a controller too: nothing makes them anew")
    parser.add_argument("--grace", type=_whole, default=None, metavar="S", help="seconds a pod has to end, instead of its own")
    parser.add_argument("--ignore-daemonsets", action="store_true", help="as it is in any case: taken so that kubectl's words work")
    parser.set_defaults(run=_drain)


def _drain(options: Options, given: argparse.Namespace) -> int:
    return _change(options, given, "drain", given.object, data=given.delete_emptydir_data, force=given.force, grace=given.grace)


def _add_on_workloads(commands: Any, name: str) -> None:
    what = {
        "restart": "replace all pods of a workload, a few at a time",
        "pause": "hold the rollout of a Deployment",
        "resume": "let the rollout of a Deployment go on",
        "undo": "go back to the template before, or to that of a revision",
    }[name]
    parser = _changer(commands, name, what, f"kubepane {name} deploy/chatapp -n chatapp")
    parser.add_argument("object", metavar="KIND/NAME", nargs="+", help="the workloads")
    if name == "undo":
        parser.add_argument("--to-revision", type=_whole, default=0, metavar="N", help="the revision before, by default")
    parser.set_defaults(run=_on_workloads, verb=name)


def _on_workloads(options: Options, given: argparse.Namespace) -> int:
    args = {"revision": given.to_revision} if given.verb == "undo" else {}
    return _change(options, given, given.verb, given.object, **args)


def _add_apply(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "apply a bundled set of manifests or a path, with the diff first", "kubepane apply chatapp --dry-run")
    parser.add_argument("what", metavar="SET|PATH", help="a bundled set, a file, a folder, or - for standard input")
    parser.add_argument("--force-conflicts", action="store_true", help="take over fields that others manage; the preview says which and whose")
    parser.set_defaults(run=_apply)


def _apply(options: Options, given: argparse.Namespace) -> int:
    from kubepane import changing, sets  # the client library

    return sets.apply(options, given.what, changing.Manner(given.dry_run, given.yes, given.timeout, given.force_conflicts))


def _add_delete(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "delete the objects of a bundled set, or of a path", "kubepane delete faults/no-dns")
    parser.add_argument("what", metavar="SET|PATH", help="what was applied")
    parser.set_defaults(run=_delete)


def _delete(options: Options, given: argparse.Namespace) -> int:
    from kubepane import changing, sets  # the client library

    return sets.delete(options, given.what, changing.Manner(given.dry_run, given.yes, given.timeout))


def _add_manifests(commands: Any, name: str) -> None:
    parser = _command(commands, name, "the bundled sets of manifests", "kubepane manifests show chatapp")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    listed = verbs.add_parser(
        "list", help="name and purpose of each", description="Name and purpose of each.", epilog="Example: kubepane manifests list"
    )
    listed.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    listed.set_defaults(run=_manifests_list)
    shown = verbs.add_parser("show", help="the YAML of a set", description="The YAML of a set.", epilog="Example: kubepane manifests show mysql")
    shown.add_argument("set", metavar="SET", help="its name")
    shown.set_defaults(run=_manifests_show)
    for verb in (listed, shown):
        _common(verb)


def _manifests_list(options: Options, given: argparse.Namespace) -> int:
    from kubepane import sets  # the client library

    return sets.listed(given.format)


def _manifests_show(options: Options, given: argparse.Namespace) -> int:
    from kubepane import sets  # the client library

    return sets.show(given.set)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 65535")
    return int(text)


def _speed(text: str, most: float = 1000) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed from 0.1 to {most:g}")
    return speed


def _watchable(text: str) -> float:
    return _speed(text, 10)


COMMANDS: dict[str, Callable[[Any, str], None]] = {
    "run": _add_run,
    "demo": _add_demo,
    "snapshot": _add_snapshot,
    "why": _add_why,
    "wait": _add_wait,
    "doctor": _add_doctor,
    "record": _add_record,
    "replay": _add_replay,
    "cluster": _add_cluster,
    "kind": _add_kind,
    "scale": _add_scale,
    "restart": _add_on_workloads,
    "undo": _add_on_workloads,
    "pause": _add_on_workloads,
    "resume": _add_on_workloads,
    "taint": _add_taint,
    "untaint": _add_untaint,
    "cordon": _add_on_nodes,
    "uncordon": _add_on_nodes,
    "drain": _add_drain,
    "apply": _add_apply,
    "delete": _add_delete,
    "manifests": _add_manifests,
}
