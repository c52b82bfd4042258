"""The commands that change a cluster: each previews, asks, and tells the outcome."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from kubepane.arguments.form import Parser, command, common
from kubepane.arguments.types import seconds, whole
from kubepane.cluster.options import Options


def _changer(commands: Any, name: str, what: str, example: str, timeout: float = 300.0) -> argparse.ArgumentParser:
    """A command that changes something: with a preview, a question, and the outcome."""
    parser = command(commands, name, what, example)
    parser.add_argument("--dry-run", action="store_true", help="preview only, checked by the server")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    waits = "wait so long for the effect, 300 by default, 0 for not at all" if timeout else "give up after so long, never by default"
    parser.add_argument("--timeout", type=seconds, default=timeout, metavar="S", help=waits)
    return parser


def _change(options: Options, given: argparse.Namespace, verb: str, targets: Sequence[str], **args: Any) -> int:
    from kubepane import changing  # the client library

    return changing.change(options, verb, targets, args, changing.Manner(given.dry_run, given.yes, given.timeout))


def _add_scale(commands: Any, name: str) -> None:
    parser = _changer(commands, name, "set the number of replicas of a workload", "kubepane scale deploy/chatapp 4 -n chatapp")
    parser.add_argument("object", metavar="KIND/NAME", help="a Deployment, StatefulSet or ReplicaSet")
    parser.add_argument("replicas", type=whole, metavar="N", help="pods wanted")
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
    parser.add_argument("--grace", type=whole, default=None, metavar="S", help="seconds a pod has to end, instead of its own")
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
        parser.add_argument("--to-revision", type=whole, default=0, metavar="N", help="the revision before, by default")
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
    parser = command(commands, name, "the bundled sets of manifests", "kubepane manifests show chatapp")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    listed = verbs.add_parser(
        "list", help="name and purpose of each", description="Name and purpose of each.", epilog="Example: kubepane manifests list"
    )
    listed.add_argument("--format", choices=("text", "json"), default="text", help="text by default")
    listed.set_defaults(run=_manifests_list)
    shown = verbs.add_parser("show", help="the YAML of a set", description="The YAML of a set.", epilog="Example: kubepane manifests show mysql")
    shown.add_argument("set", metavar="SET", help="its name")
    shown.set_defaults(run=_manifests_show)
    for verb in (listed, shown):
        common(verb)


def _manifests_list(options: Options, given: argparse.Namespace) -> int:
    from kubepane import sets  # the client library

    return sets.listed(given.format)


def _manifests_show(options: Options, given: argparse.Namespace) -> int:
    from kubepane import sets  # the client library

    return sets.show(given.set)


COMMANDS: dict[str, Callable[[Any, str], None]] = {
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
