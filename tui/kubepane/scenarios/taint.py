"""Chapter 1: workers are kept for ChatApp, and ChatApp does not know it."""

from __future__ import annotations

from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, verb

TAINT = f"{facts.KEY}=chatapp:NoSchedule"


def _waiting(stores: Stores) -> str:
    """The pod that finds no node, else the newest one."""
    found = facts.pods(stores)
    return facts.uid(next((pod for pod in found if facts.kept_away(pod, stores)), found[0] if found else None))


def _workers(stores: Stores) -> list[Ref]:
    return facts.refs(k.NODES, facts.workers(stores))


def _deployment(stores: Stores) -> list[Ref]:
    return facts.refs(k.DEPLOYMENTS, [facts.chatapp(stores)])


def _tainted(here: Situation) -> Fact:
    kept, of = len(facts.tainted(here.stores)), len(facts.workers(here.stores))
    return Fact(0 < kept == of, f"{kept} of {of} workers have {TAINT}")


def _pending(here: Situation) -> Fact:
    for pod in facts.pods(here.stores):
        if facts.kept_away(pod, here.stores):
            return Fact(True, f"{pod.metadata.name}: {facts.cause(pod, here.stores)}")
    return Fact(False, "no pod is Pending yet")


def _free(here: Situation) -> Fact:
    kept = len(facts.tainted(here.stores))
    return Fact(kept == 0, f"{kept} workers are still tainted" if kept else "no worker is tainted")


_NODE = Look("nodes", lambda stores: facts.uid(next(iter(facts.workers(stores)), None)))
_UNTAINT = verb("untaint", lambda stores: facts.refs(k.NODES, facts.tainted(stores)), key=facts.KEY, effect="")

CHAPTER = Chapter(
    name="taint",
    title="A taint, a pod that finds no node, a toleration",
    steps=(
        Step(
            f"All workers get the taint {TAINT}: they are kept for pods that tolerate it. Pods that run already do not feel it.",
            _NODE,
            _tainted,
            (verb("taint", _workers, taint=TAINT),),
        ),
        Step(
            "ChatApp is restarted (r). Its new pod tolerates nothing, so it stays Pending, and its row names the taint. The old pods serve on.",
            Look("pods", _waiting),
            _pending,
            (verb("restart", _deployment),),
        ),
        Step(
            "The set tolerations is applied: the same Deployment, with a toleration in its template. Its pods may go to the workers.",
            Look("pods", _waiting),
            facts.rolled_out,
            (apply("tolerations"),),
            within=150.0,
        ),
        Step(
            "The taint goes (T on a node). A toleration that nothing asks for does no harm: it lets pods in, it does not pull them.",
            _NODE,
            _free,
            (_UNTAINT,),
        ),
    ),
    cure=(_UNTAINT, apply("chatapp")),
    closing="Pending names its cause. Either the pods tolerate the taint, or the taint goes.",
    touches="taints all worker nodes dedicated=chatapp:NoSchedule for a minute, restarts deployment chatapp",
)
