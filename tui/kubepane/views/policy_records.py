"""The rows of the Policies pane as JSON: each sort of row has its own keys beside those that all rows have."""

from __future__ import annotations

from datetime import datetime

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import labels, network
from kubepane.insight.ages import age
from kubepane.insight.configuration import Injection
from kubepane.insight.coverage import Coverage
from kubepane.insight.network import Openness
from kubepane.insight.reach import directions
from kubepane.insight.rights import Grant
from kubepane.insight.unseen import unseen
from kubepane.views.view import Record


def record(stores: Stores, fact: r.NetworkPolicy | Openness | Grant | Injection, coverage: Coverage, now: datetime) -> Record:
    """What is special to a row; `kind` says which sort it is: networkpolicy, open, access, configuration."""
    if isinstance(fact, r.NetworkPolicy):
        return _policy(fact, coverage, now)
    if isinstance(fact, Openness):
        return {"kind": "open", "name": fact.namespace, "open": fact.open, "pods": fact.total, "policies": fact.policies}
    if isinstance(fact, Grant):
        return {"kind": "access", "name": fact.account, "serviceaccount": fact.account, "role": fact.role, "verbs": fact.rights}
    return _injection(stores, fact)


def _policy(policy: r.NetworkPolicy, coverage: Coverage, now: datetime) -> Record:
    created, uid = policy.metadata.creation_timestamp, policy.metadata.uid
    inward, outward = directions(policy)
    return {
        "kind": "networkpolicy",
        "name": policy.metadata.name,
        "pod_selector": labels.text(policy.spec.pod_selector),
        "age": age(created, now),
        "age_value": (now - created).total_seconds() if created else None,
        "policy_types": [word for word, closed in (("Ingress", inward), ("Egress", outward)) if closed],
        "ingress": [_rule(x, x.from_) for x in policy.spec.ingress or ()] if inward else None,
        "egress": [_rule(x, x.to) for x in policy.spec.egress or ()] if outward else None,
        "pods": coverage.selected(uid),
        "pods_without_dns": coverage.without_dns(uid),
    }


def _rule(rule: r.PolicyRule, peers: tuple[r.PolicyPeer, ...] | None) -> Record:
    return {"ports": network.ports(rule) or "*", "peers": network.sources(peers)}


def _injection(stores: Stores, fact: Injection) -> Record:
    held = unseen(stores.configmaps if fact.source.kind == "ConfigMap" else stores.secrets)
    return {
        "kind": "configuration",
        "name": fact.source.name,
        "object": fact.source.kind,
        "exists": True if fact.held is not None else None if held else False,
        "keys": list(fact.keys),
        "all_keys": fact.whole,
        "used_by": list(fact.users),
        "missing": list(fact.missing),
    }
