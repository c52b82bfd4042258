"""What chapters look for, read from stores and insight: the same facts that the panes show."""

from __future__ import annotations

from collections.abc import Iterable

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.insight import pods as podfacts, relations, rollouts, scheduling, why
from kubepane.insight.nodes import roles
from kubepane.scenarios.chapter import Fact, Situation

SPACE = "chatapp"
KEY = "dedicated"
CONTROL = "control-plane"

# ---- objects of the story ------------------------------------------------------------------------------------------------------


def chatapp(stores: Stores) -> r.Deployment | None:
    """The Deployment of ChatApp."""
    return stores.deployments.named(SPACE, "chatapp")


def mysql(stores: Stores) -> r.StatefulSet | None:
    """The StatefulSet of MySQL."""
    return stores.statefulsets.named(SPACE, "mysql")


def workers(stores: Stores) -> list[r.Node]:
    """The nodes that pods are meant for: all but control planes, or all where there are no others."""
    nodes = sorted(stores.nodes, key=lambda node: node.metadata.name)
    return [node for node in nodes if CONTROL not in roles(node)] or nodes


def tainted(stores: Stores) -> list[r.Node]:
    """The nodes with the chapter's taint."""
    return [node for node in workers(stores) if any(taint.key == KEY for taint in node.spec.taints or ())]


def pods(stores: Stores) -> list[r.Pod]:
    """ChatApp's pods, the newest first; those that are going are left out."""
    owner = chatapp(stores)
    found = relations.pods_of(stores, k.DEPLOYMENTS, owner) if owner is not None else []
    alive = [pod for pod in found if pod.metadata.deletion_timestamp is None]
    return sorted(alive, key=lambda pod: (str(pod.metadata.creation_timestamp), pod.metadata.name), reverse=True)


def uid(obj: r.Object | None) -> str:
    """The uid of an object, "" for none."""
    return obj.metadata.uid if obj is not None else ""


def refs(kind: Kind, objects: Iterable[r.Object | None]) -> list[Ref]:
    """These objects as targets of a verb."""
    return [Ref(kind, obj.metadata.namespace, obj.metadata.name, obj.metadata.uid) for obj in objects if obj is not None]


# ---- facts that several chapters wait for ----------------------------------------------------------------------------------------


def healthy(here: Situation) -> Fact:
    """The story is there and well: both workloads rolled out, the claim bound, no taint left."""
    for name, obj in (("mysql", mysql(here.stores)), ("chatapp", chatapp(here.stores))):
        if obj is None:
            return Fact(False, f"{name} is not there yet")
        verdict = rollouts.of(obj, here.stores).verdict
        if not verdict.done:
            return Fact(False, f"{name}: {_short(verdict.text)}")
    if tainted(here.stores):
        return Fact(False, f"{len(tainted(here.stores))} workers are tainted")
    return Fact(True, "ChatApp and MySQL are up")


def rolled_out(here: Situation) -> Fact:
    """ChatApp has only pods of its newest template, and all are ready."""
    obj = chatapp(here.stores)
    if obj is None:
        return Fact(False, "deployment chatapp is not there")
    verdict = rollouts.of(obj, here.stores).verdict
    return Fact(verdict.done, _short(verdict.text))


def _short(text: str) -> str:
    """kubectl's sentence on a rollout without what the caption says anyway."""
    return text.partition("rollout to finish: ")[2] or text


def kept_away(pod: r.Pod, stores: Stores) -> list[str]:
    """The chapter's taints that keep a pending pod away, as they are written."""
    if pod.spec.node_name:
        return []
    reasons = [reason for found in scheduling.verdict(pod, stores).reasons.values() for reason in found if reason.kind == scheduling.TAINT]
    return sorted({reason.what for reason in reasons if reason.what.startswith(KEY)})


def cause(pod: r.Pod, stores: Stores) -> str:
    """Why a pod is not well, as its row says it."""
    return why.clause(pod, stores) or podfacts.status(pod).status
