"""Who reaches whom once the NetworkPolicies hold: every pair of pods that matters, evaluated."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from kubepane.cluster import kinds as k, resources as r
from kubepane.insight import labels, network
from kubepane.insight.reach import allows_dns, directions, selects
from manifests.whole import only, own, templates, whole

LABELS = {obj["metadata"]["name"]: template["metadata"]["labels"] for obj, template in templates([*whole("story"), *whole("load")])}


class Peer(NamedTuple):
    """A pod: where it is, and its labels."""

    namespace: str
    labels: dict[str, str]


CHATAPP, MYSQL, LOAD = (Peer("chatapp", LABELS[name]) for name in ("chatapp", "mysql", "chatapp-load"))
DNS = Peer("kube-system", {"k8s-app": "kube-dns"})
OTHER = Peer("kube-system", {"k8s-app": "metrics-server"})
TWIN = Peer("elsewhere", LABELS["chatapp"])
BARE = Peer("chatapp", {})


def decoded(obj: dict[str, Any]) -> r.NetworkPolicy:
    found = k.decode(k.NETWORKPOLICIES, msgspec.json.encode({**obj, "metadata": {**obj["metadata"], "uid": "1"}}))
    assert isinstance(found, r.NetworkPolicy)
    return found


def policies(*names: str) -> list[r.NetworkPolicy]:
    return [decoded(obj) for name in names for obj in own(name) if obj["kind"] == "NetworkPolicy"]


def is_meant(peer: r.PolicyPeer, pod: Peer, home: str) -> bool:
    assert not peer.ip_block
    if peer.namespace_selector is None:
        if pod.namespace != home:
            return False
    elif not labels.matches(peer.namespace_selector, {"kubernetes.io/metadata.name": pod.namespace}):
        return False
    return peer.pod_selector is None or labels.matches(peer.pod_selector, pod.labels)


def open_way(held: list[r.NetworkPolicy], one: Peer, other: Peer, port: int, protocol: str, outward: bool) -> bool:
    """Whether `one` lets `other` in (or, outward, goes to it)."""
    about = [p for p in held if p.metadata.namespace == one.namespace and labels.matches(p.spec.pod_selector, one.labels) and directions(p)[outward]]
    for p in about:
        for rule in (p.spec.egress if outward else p.spec.ingress) or ():
            peers = rule.to if outward else rule.from_
            fits = not rule.ports or any((q.protocol or "TCP") == protocol and q.port in (None, port) for q in rule.ports)
            if fits and (not peers or any(is_meant(peer, other, one.namespace) for peer in peers)):
                return True
    return not about


def reaches(held: list[r.NetworkPolicy], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    return open_way(held, source, target, port, protocol, True) and open_way(held, target, source, port, protocol, False)


@pytest.mark.parametrize(
    ("source", "target", "port", "protocol", "expected"),
    [
        (CHATAPP, MYSQL, 3306, "TCP", True),
        (CHATAPP, MYSQL, 33060, "TCP", False),
        (CHATAPP, MYSQL, 3306, "UDP", False),
        (LOAD, MYSQL, 3306, "TCP", False),
        (BARE, MYSQL, 3306, "TCP", False),
        (OTHER, MYSQL, 3306, "TCP", False),
        (TWIN, MYSQL, 3306, "TCP", False),  # same labels, another namespace
        (MYSQL, MYSQL, 3306, "TCP", False),
        (MYSQL, DNS, 53, "UDP", True),
        (MYSQL, DNS, 53, "TCP", True),
        (MYSQL, DNS, 9153, "TCP", False),
        (MYSQL, OTHER, 53, "UDP", False),
        (MYSQL, Peer("chatapp", DNS.labels), 53, "UDP", False),  # same label, but not in kube-system
        (MYSQL, CHATAPP, 8080, "TCP", False),
        (LOAD, CHATAPP, 8080, "TCP", True),
        (OTHER, CHATAPP, 8080, "TCP", True),
        (CHATAPP, DNS, 53, "UDP", True),
        (CHATAPP, OTHER, 443, "TCP", True),
        (TWIN, Peer("elsewhere", MYSQL.labels), 3306, "TCP", True),  # policies hold in their own namespace only
    ],
)
def test_only_chatapp_reaches_mysql(source: Peer, target: Peer, port: int, protocol: str, expected: bool) -> None:
    assert reaches(policies("policies"), source, target, port, protocol) is expected
    assert reaches([], source, target, port, protocol), "without a policy everybody reaches everybody"


def test_it_selects_mysqls_pods_and_no_others() -> None:
    (policy,) = policies("policies")
    pods = {
        name: k.decode(k.PODS, msgspec.json.encode({"metadata": {"name": name, "uid": name, "labels": theirs}})) for name, theirs in LABELS.items()
    }
    assert len(pods) == 3
    assert [name for name, pod in pods.items() if isinstance(pod, r.Pod) and selects(policy, pod)] == ["mysql"]
    assert allows_dns(policy)
    said = network.sentence(policy)
    assert f"{said.subject} ← {said.peers}  {said.rest}" == "mysql:3306 ← app.kubernetes.io/name=chatapp  only, DNS out allowed"


def test_closed_database_closes_it_for_chatapp_too() -> None:
    held = policies("faults/closed-database")
    assert not reaches(held, CHATAPP, MYSQL, 3306)
    assert reaches(held, MYSQL, DNS, 53, "UDP")


def test_no_dns_leaves_the_database_but_not_its_name() -> None:
    held = policies("policies", "faults/no-dns")
    assert reaches(held, CHATAPP, MYSQL, 3306)
    assert not reaches(held, CHATAPP, DNS, 53, "UDP")
    assert reaches(held, LOAD, CHATAPP, 8080)
    assert not allows_dns(policies("faults/no-dns")[0])


def test_the_port_is_the_one_that_mysql_listens_on() -> None:
    ((_, template),) = [t for t in templates(whole("mysql")) if t[0]["metadata"]["name"] == "mysql"]
    listening = {p["containerPort"] for c in template["spec"]["containers"] for p in c["ports"]}
    policy = only(whole("policies"), "NetworkPolicy", "mysql")
    assert {p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"]} == listening == {3306}
