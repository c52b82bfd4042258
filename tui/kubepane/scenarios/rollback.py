"""Chapter 6: an image that nobody has, a rollout that stalls, and the way back."""

from __future__ import annotations

from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import pods as podfacts, rollouts
from kubepane.insight.finding import Level
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, verb


def _deployment(stores: Stores) -> str:
    return facts.uid(facts.chatapp(stores))


def _sick(stores: Stores) -> str:
    found = facts.pods(stores)
    return facts.uid(next((pod for pod in found if podfacts.level(pod) is Level.BAD), found[0] if found else None))


def _stalled(here: Situation) -> Fact:
    obj = facts.chatapp(here.stores)
    if obj is None:
        return Fact(False, "deployment chatapp is not there")
    for pod in facts.pods(here.stores):
        if podfacts.status(pod).status in ("ErrImagePull", "ImagePullBackOff"):
            return Fact(True, f"{pod.metadata.name}: {facts.cause(pod, here.stores)}")
    return Fact(False, rollouts.of(obj, here.stores).verdict.text)


def _serves(here: Situation) -> Fact:
    obj = facts.chatapp(here.stores)
    ready, wanted = (obj.status.ready_replicas, obj.spec.replicas or 0) if obj is not None else (0, 0)
    return Fact(0 < wanted <= ready, f"{ready} of {wanted} ready, all of the old template")


_LANE = Look("rollout", _deployment, "rollout")

CHAPTER = Chapter(
    name="rollback",
    title="A bad image, and back",
    steps=(
        Step("One template, all pods ready, the rollout is complete.", _LANE, facts.rolled_out),
        Step(
            "An image with a typing mistake is applied (faults/bad-image). A new ReplicaSet, one new pod, and no registry that knows the image.",
            _LANE,
            _stalled,
            (apply("faults/bad-image"),),
        ),
        Step(
            "The rollout stands still and says why. Nothing old is taken away for it: maxUnavailable is 0, so users notice nothing.",
            Look("its-pods", _sick, "rollout"),
            _serves,
        ),
        Step(
            "Undo (U): back to the template before. The old ReplicaSet takes all the pods again, under a new revision number.",
            _LANE,
            facts.rolled_out,
            (verb("undo", lambda stores: facts.refs(k.DEPLOYMENTS, [facts.chatapp(stores)]), revision=0),),
        ),
    ),
    cure=(apply("chatapp"),),
    closing="A rollout is not taken back by itself, not even after its deadline: somebody must.",
    touches="rolls deployment chatapp to an image that does not exist, and back",
)
