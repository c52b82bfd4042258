"""Chapter 5: who may talk to the database, and how a label too many closes it."""

from __future__ import annotations

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.network import explain_policy, sentence
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, delete


def _policy(stores: Stores, name: str = "mysql") -> r.NetworkPolicy | None:
    return stores.networkpolicies.named(facts.SPACE, name)


def _reads(policy: r.NetworkPolicy) -> str:
    said = sentence(policy)
    return f"{said.subject} {'←' if said.arrow == 'from' else '→'} {said.peers}  {said.rest}".rstrip()


def _open(here: Situation) -> Fact:
    policy = _policy(here.stores)
    if policy is None:
        return Fact(False, "networkpolicy mysql is not there")
    return Fact(not explain_policy(here.stores, policy), _reads(policy))


def _closed(here: Situation) -> Fact:
    policy = _policy(here.stores)
    found = explain_policy(here.stores, policy) if policy is not None else []
    return Fact(bool(found), found[0].clause if found else "the policy lets somebody in")


def _no_names(here: Situation) -> Fact:
    policy = _policy(here.stores, "chatapp")
    found = explain_policy(here.stores, policy) if policy is not None else []
    return Fact(any("DNS" in finding.clause for finding in found), found[0].clause if found else "nothing is said of DNS")


def _names(here: Situation) -> Fact:
    gone = _policy(here.stores, "chatapp") is None
    return Fact(gone, "ChatApp may go anywhere again" if gone else "networkpolicy chatapp is still there")


_MYSQL = Look("policies", lambda stores: facts.uid(_policy(stores)), "network", True)
_CHATAPP = Look("policies", lambda stores: facts.uid(_policy(stores, "chatapp")), "network", True)

CHAPTER = Chapter(
    name="policy",
    title="Who may reach MySQL",
    steps=(
        Step(
            "The policy in a sentence: only pods with ChatApp's label reach MySQL, on port 3306. MySQL itself may ask DNS, and nobody else.",
            _MYSQL,
            _open,
        ),
        Step(
            "One label is written wrong (faults/closed-database). Kubernetes takes it: it is a policy like any other. It lets in what no pod is.",
            _MYSQL,
            _closed,
            (apply("faults/closed-database"),),
        ),
        Step("The set policies is applied: ChatApp reaches its database again.", _MYSQL, _open, (apply("policies"),)),
        Step(
            "A policy for ChatApp's way out (faults/no-dns) names MySQL and forgets port 53: it could be reached, if its name were resolved.",
            _CHATAPP,
            _no_names,
            (apply("faults/no-dns"),),
        ),
        Step("The second policy goes. Whoever closes the way out must think of DNS.", _MYSQL, _names, (delete("faults/no-dns"),)),
    ),
    cure=(delete("faults/no-dns"), apply("policies")),
    closing="A policy is read for what it selects: labels that nobody has, and names that nobody resolves.",
    touches="changes NetworkPolicy mysql and adds one for chatapp: ChatApp loses its database for some seconds",
)
