"""The kubectl command that does or shows the same, quoted for a shell."""

from __future__ import annotations

import re
import shlex

from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")


def kubectl(verb: str, kind: Kind, obj: Object, context: str, *more: str) -> str:
    """`kubectl --context c -n ns get deployments.apps/name -o yaml`.

    Raises:
        ValueError: the name or namespace holds what Kubernetes does not allow there; such a name is not put on a command line.
    """
    meta = obj.metadata
    for name in (meta.name, meta.namespace):
        if name and not _PLAIN.fullmatch(name):
            raise ValueError("the name is no valid Kubernetes name")
    target = meta.name if verb == "logs" and kind.plural == "pods" else f"{kind.resource}/{meta.name}"
    return words(context, meta.namespace, verb, target, *more)


def words(context: str, namespace: str, *more: str) -> str:
    """`kubectl --context c -n ns …`, each word quoted where a shell needs it."""
    start = ["kubectl", *(["--context", context] if context else []), *(["-n", namespace] if namespace else [])]
    return shlex.join([*start, *more])
