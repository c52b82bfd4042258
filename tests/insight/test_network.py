from datetime import datetime
from typing import Any

import pytest

from builders import make, pod, put
from clusters import live, refuse, replay
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import labels, network
from kubepane.insight.coverage import Coverage
from kubepane.insight.finding import Level
from kubepane.insight.reach import allows_dns, directions
from recordings import age_fits, recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])
DNS = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def policy(**spec: Any) -> r.NetworkPolicy:
    obj: r.NetworkPolicy = make(k.NETWORKPOLICIES, "p", spec={"podSelector": {"matchLabels": {"app": "mysql"}}} | spec)
    return obj


def said(p: r.NetworkPolicy, dns_blocked: bool | None = None) -> str:
    s = network.sentence(p, dns_blocked)
    return f"{s.subject} {'←' if s.arrow == 'from' else '→'} {s.peers}  {s.rest}".rstrip()


def test_policies_read_as_the_server_prints_them() -> None:
    stores, table = replay("storage-and-network"), SEEN["networkpolicies"]
    assert len(table["rows"]) == 3
    for cells in table["rows"]:
        found = stores.networkpolicies.named("st-try", cells[0])
        assert found is not None
        assert [found.metadata.name, labels.text(found.spec.pod_selector), cells[2]] == cells
        assert age_fits(found.metadata.creation_timestamp, cells[2], AT, slack=2)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "chatapp"}}}], "ports": [{"port": 3306}]}]}, "mysql:3306 ← app=chatapp  only"),
        (
            {"policyTypes": ["Ingress", "Egress"], "egress": [DNS], "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "chatapp"}}}], "ports": [{"port": 3306}]}]},
            "mysql:3306 ← app=chatapp  only, DNS out allowed",
        ),
        ({"ingress": []}, "mysql ← nobody"),
        ({}, "mysql ← nobody"),
        ({"ingress": [{}]}, "mysql ← anyone"),
        ({"ingress": [{"ports": [{"port": "http"}]}]}, "mysql:http ← anyone"),
        ({"podSelector": {}, "ingress": []}, "shop/* ← nobody"),
        ({"podSelector": {"matchLabels": {"tier": "db"}}}, "tier=db ← nobody"),
        ({"podSelector": {"matchLabels": {"app": "a", "tier": "db"}}}, "app=a,tier=db ← nobody"),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["b", "a"]}]}}, "app in (a,b) ← nobody"),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, "mysql ← pods of this namespace  only"),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, "mysql ← all namespaces  only"),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}]}]}, "mysql ← namespace web  only"),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "x"}}}]}]},
         "mysql ← app=x in namespaces with team=a  only"),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}]}}]}]},
         "mysql ← namespaces a, b  only"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}, "mysql ← 10.0.0.0/8 except 10.1.0.0/16  only"),
        ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 1}]}, {"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": 2}]}]},
         "mysql ← app=a on 1, app=b on 2  only"),
        ({"ingress": [{"ports": [{"port": 8000, "endPort": 8010}, {"protocol": "UDP", "port": 53}, {"protocol": "SCTP"}]}]}, "mysql:8000-8010,53/UDP,*/SCTP ← anyone"),
        ({"policyTypes": ["Egress"], "egress": [DNS]}, "mysql → all namespaces:53/UDP,53  only, DNS out allowed"),
        ({"policyTypes": ["Egress"], "egress": []}, "mysql → nobody  no DNS out"),
        ({"policyTypes": ["Egress"], "egress": [{}]}, "mysql → anyone"),
        ({"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}, "mysql ← anyone  all out allowed"),
        ({"policyTypes": ["Ingress", "Egress"], "egress": [DNS, {"to": [{"ipBlock": {"cidr": "1.2.3.0/24"}}], "ports": [{"port": 443}]}]},
         "mysql ← nobody  out only to 1.2.3.0/24:443, DNS out allowed"),
    ],
)  # fmt: skip
def test_a_policy_in_one_line(spec: dict[str, Any], sentence: str) -> None:
    assert said(policy(**spec)) == sentence


def test_what_dns_does_depends_on_the_other_policies() -> None:
    deny = policy(podSelector={}, policyTypes=["Ingress", "Egress"])
    assert said(deny) == "shop/* ← nobody  nothing out, no DNS out"
    assert said(deny, True) == "shop/* ← nobody  nothing out, blocks DNS"
    assert said(deny, False) == "shop/* ← nobody  nothing out, DNS by another policy"


@pytest.mark.parametrize(
    ("spec", "closed"),
    [
        ({}, (True, False)),
        ({"egress": [{}]}, (True, True)),
        ({"policyTypes": ["Ingress"]}, (True, False)),
        ({"policyTypes": ["Egress"]}, (False, True)),
        ({"policyTypes": ["Ingress", "Egress"]}, (True, True)),
        ({"policyTypes": []}, (True, False)),
    ],
)
def test_directions(spec: dict[str, Any], closed: tuple[bool, bool]) -> None:
    assert directions(policy(**spec)) == closed


UDP = [{"port": 53, "protocol": "UDP"}]
KUBE_SYSTEM = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({}, True),
        (DNS, True),
        ({"ports": UDP}, True),
        ({"ports": [{"port": 53}]}, False),  # TCP alone
        ({"ports": [{"port": 53, "protocol": "TCP"}]}, False),
        ({"ports": [{"port": "dns", "protocol": "UDP"}]}, True),
        ({"ports": [{"port": 50, "endPort": 60, "protocol": "UDP"}]}, True),
        ({"ports": [{"port": 54, "endPort": 60, "protocol": "UDP"}]}, False),
        ({"ports": [{"protocol": "UDP"}]}, True),
        ({"ports": [{"port": 443}]}, False),
        ({"ports": UDP, "to": [{"podSelector": {}}]}, False),  # only this namespace
        ({"ports": UDP, "to": [{"namespaceSelector": KUBE_SYSTEM}]}, True),
        ({"ports": UDP, "to": [{"namespaceSelector": KUBE_SYSTEM, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}, True),
        ({"ports": UDP, "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "coredns"}}}]}, False),
        ({"ports": UDP, "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "node-local-dns"}}}]}, True),
        ({"ports": UDP, "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}, False),
        ({"ports": UDP, "to": [{"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}]}, True),
        ({"ports": UDP, "to": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]}, False),
        ({"ports": UDP, "to": [{"ipBlock": {"cidr": "10.96.0.10/32"}}]}, True),
    ],
)
def test_whether_dns_gets_out(rule: dict[str, Any], allowed: bool) -> None:
    assert allows_dns(policy(policyTypes=["Egress"], egress=[rule])) is allowed


# ---- verdicts


def counted(stores: Stores) -> Coverage:
    coverage = Coverage(stores)
    for p in stores.pods:
        coverage.pod(p.metadata.uid)
    return coverage


def verdict(stores: Stores, name: str) -> tuple[Level, str]:
    found = stores.networkpolicies.named("shop", name)
    assert found is not None
    finding = network.verdict(stores, found, counted(stores))
    return finding.level, finding.clause


def test_verdicts() -> None:
    stores = live()
    put(stores, k.NETWORKPOLICIES, "deny", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    put(stores, k.NETWORKPOLICIES, "typo", spec={"podSelector": {"matchLabels": {"app": "wbe"}}})
    assert verdict(stores, "deny") == (Level.WARN, "selects no pod (the namespace has none)")
    pod(stores, "web", labels={"app": "web"})
    pod(stores, "db", labels={"app": "db"})
    assert verdict(stores, "typo") == (Level.WARN, "selects no pod (app=wbe)")
    assert verdict(stores, "deny") == (Level.WARN, "blocks DNS for 2 pods: names cannot be resolved")
    put(stores, k.NETWORKPOLICIES, "dns", spec={"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [DNS]})
    assert verdict(stores, "deny") == (Level.WARN, "blocks DNS for 1 pod: names cannot be resolved")
    assert verdict(stores, "dns") == (Level.OK, "selects 1 pod")
    put(stores, k.NETWORKPOLICIES, "dns", spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [DNS]})
    assert verdict(stores, "deny") == (Level.OK, "selects 2 pods")
    refuse(stores, k.PODS)
    assert verdict(stores, "typo") == (Level.OFF, "could not look: may not list pods")


def test_a_peer_that_nobody_is() -> None:
    stores = live()
    pod(stores, "db", labels={"app": "mysql"})
    found = put(stores, k.NETWORKPOLICIES, "p", spec={
        "podSelector": {"matchLabels": {"app": "mysql"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "chatapp"}}}]}],
    })  # fmt: skip
    told = network.explain_policy(stores, found)
    assert [(f.level, f.clause) for f in told] == [(Level.WARN, "lets app=chatapp in, but no pod has these labels")]
    pod(stores, "chat", labels={"app": "chatapp"})
    assert network.explain_policy(stores, found) == []


def test_how_open_a_namespace_is() -> None:
    stores = live()
    for i in range(3):
        pod(stores, f"p{i}", labels={"app": str(i)})
        pod(stores, f"s{i}", "kube-system")

    def clause(namespace: str) -> tuple[Level, str]:
        found = network.openness(stores, namespace, counted(stores))
        return found.finding.level, found.finding.clause

    assert clause("shop") == (Level.WARN, "3 pods, no policy")
    assert clause("kube-system") == (Level.OFF, "3 pods, no policy")
    put(stores, k.NETWORKPOLICIES, "p", spec={"podSelector": {"matchLabels": {"app": "1"}}})
    assert clause("shop") == (Level.WARN, "2 of 3 pods, no policy selects them")


@pytest.mark.parametrize(
    "peer",
    [
        {"ipBlock": {"cidr": "10.0.0.0/8"}},
        {"namespaceSelector": {"matchLabels": {"a": "b"}}},
        {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"app": "nobody"}}},
    ],
)
def test_peers_that_are_not_in_this_namespace_are_not_missed(peer: dict[str, Any]) -> None:
    stores = live()
    pod(stores, "db", labels={"app": "mysql"})
    found = put(stores, k.NETWORKPOLICIES, "p", spec={"podSelector": {"matchLabels": {"app": "mysql"}}, "ingress": [{"from": [peer]}]})
    assert network.explain_policy(stores, found) == []


def test_no_peer_is_missed_where_pods_may_not_be_listed() -> None:
    stores = live()
    refuse(stores, k.PODS)
    found = put(stores, k.NETWORKPOLICIES, "p", spec={"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]})
    assert [f.clause for f in network.explain_policy(stores, found)] == ["could not look: may not list pods"]
