"""Objects as they are named on a command line: `deploy/chatapp`, `node/worker-1`."""

from __future__ import annotations

from collections.abc import Sequence

from kubepane.acting.plan import Malformed
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.writing import Ref

SHORT = {
    "po": k.PODS, "no": k.NODES, "ev": k.EVENTS, "deploy": k.DEPLOYMENTS, "rs": k.REPLICASETS, "sts": k.STATEFULSETS, "ds": k.DAEMONSETS,
    "cj": k.CRONJOBS, "hpa": k.AUTOSCALERS, "pvc": k.CLAIMS, "pv": k.VOLUMES, "sc": k.STORAGECLASSES, "svc": k.SERVICES, "ing": k.INGRESSES,
    "netpol": k.NETWORKPOLICIES, "sa": k.SERVICEACCOUNTS, "cm": k.CONFIGMAPS, "ns": k.NAMESPACES,
}  # fmt: skip


def kind_named(word: str) -> Kind | None:
    """The kind by any name that kubectl takes: `po`, `pod`, `pods`, `deployments.apps`; None when it is none of ours."""
    wanted = word.lower()
    for kind in KINDS:
        if wanted in (kind.plural, kind.kind.lower(), kind.resource):
            return kind
    return SHORT.get(wanted)


def named(text: str, namespace: str, among: Sequence[Kind] = ()) -> Ref:
    """The object that `KIND/NAME` means.

    Args:
        text: as it was typed.
        namespace: where namespaced objects are looked for.
        among: the kinds that make sense here; all when empty.

    Raises:
        Malformed: it is not of that form, or of no kind that makes sense here.
    """
    word, slash, name = text.partition("/")
    kind = kind_named(word)
    possible = " or ".join(each.kind.lower() for each in among or KINDS)
    if not slash or not name or "/" in name:
        raise Malformed(f"{text!r} is not of the form KIND/NAME, as {(among or KINDS)[0].kind.lower()}/chatapp")
    if kind is None:
        raise Malformed(f"there is no kind {word!r} here; it can be {possible}")
    if among and kind not in among:
        raise Malformed(f"that cannot be done to a {kind.kind.lower()}; it can be {possible}")
    return Ref(kind, namespace if kind.namespaced else "", name)


def namespace_of(names: Sequence[str]) -> str:
    """The one namespace that objects named on a command line are in.

    Raises:
        Malformed: several were given.
    """
    if len(names) > 1:
        raise Malformed(f"-n names {len(names)} namespaces; an object is in one")
    return names[0] if names else "default"
