"""Chapter 3: a claim and its volume find each other, or do not."""

from __future__ import annotations

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import claims, rollouts
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, delete

CLAIM, VOLUME, POD = "data-mysql-0", "mysql-pv", "mysql-0"


def _claim(stores: Stores) -> r.Claim | None:
    return stores.claims.named(facts.SPACE, CLAIM)


def _volume(stores: Stores) -> r.PersistentVolume | None:
    return stores.volumes.named("", VOLUME)


def _bound(here: Situation) -> Fact:
    claim, volume = _claim(here.stores), _volume(here.stores)
    if claim is None or not claims.truly_bound(claim, volume):
        return Fact(False, f"claim {CLAIM} is {claims.phase(claim) if claim else 'not there'}")
    return Fact(True, f"{CLAIM} → {VOLUME} and {VOLUME} → {facts.SPACE}/{CLAIM}")


def _gone(here: Situation) -> Fact:
    left = [
        name
        for name, obj in ((POD, here.stores.pods.named(facts.SPACE, POD)), (CLAIM, _claim(here.stores)), (VOLUME, _volume(here.stores)))
        if obj is not None
    ]
    return Fact(not left, f"still there: {', '.join(left)}" if left else "pod, claim and volume are gone")


def _unbound(here: Situation) -> Fact:
    chain = claims.chain(here.stores, facts.SPACE, CLAIM)
    pod = here.stores.pods.named(facts.SPACE, POD)
    waits = chain.claim is not None and chain.claim.status.phase == "Pending" and pod is not None and not pod.spec.node_name
    return Fact(waits and bool(chain.broken), f"{CLAIM}: {chain.finding.clause}")


def _up(here: Situation) -> Fact:
    obj = facts.mysql(here.stores)
    verdict = rollouts.of(obj, here.stores).verdict if obj is not None else None
    bound = _bound(here)
    if not bound.true or verdict is None:
        return Fact(False, bound.text)
    return Fact(verdict.done and obj is not None and obj.status.ready_replicas > 0, f"bound; {verdict.text}")


_CLAIM = Look("storage", lambda stores: facts.uid(_claim(stores)), "storage")
_AFTER = "The server has not let go of it yet: the storage pane says what holds it."

CHAPTER = Chapter(
    name="claim",
    title="A claim that finds no volume",
    steps=(
        Step(
            "mysql-0 mounts the claim data-mysql-0, and claim and volume name each other: spec.volumeName one way, spec.claimRef the other.",
            _CLAIM,
            _bound,
        ),
        Step(
            "The database is deleted. Its StatefulSet takes the claim along (whenDeleted: Delete), and nothing is left of the volume.",
            _CLAIM,
            _gone,
            (delete("mysql"),),
            _AFTER,
            within=120.0,
        ),
        Step(
            "It comes back with a typing mistake: the volume's class is manuel, the claim asks for manual. Nothing is refused; all of it waits.",
            _CLAIM,
            _unbound,
            (apply("faults/unbound-claim"),),
        ),
        Step(
            "The set mysql is applied: the class is right, the claim binds by itself, the pod is scheduled and starts. Nobody restarted anything.",
            _CLAIM,
            _up,
            (apply("mysql"),),
            within=150.0,
        ),
    ),
    cure=(apply("mysql"),),
    closing="A chain breaks at one link, and the pane shows which: pod → claim → class → volume → node.",
    touches="deletes statefulset mysql with its claim and volume mysql-pv, and makes them anew: what the database held is gone",
)
