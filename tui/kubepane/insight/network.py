"""NetworkPolicies in words: which pods they select, who may reach those, where those may go, and whether DNS still works.

Source: k8s.io/api networking/v1 and the NetworkPolicy documentation: policies only add; a pod is isolated in a direction as
soon as any policy that selects it lists that direction; pods on the host network are outside of it all.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import labels
from kubepane.insight.coverage import Coverage
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.reach import allows_dns, directions
from kubepane.insight.unseen import ailing, unseen

NAMESPACE_NAME = "kubernetes.io/metadata.name"
_NAMES = ("app", "app.kubernetes.io/name", "k8s-app", "app.kubernetes.io/instance", "name")
_SYSTEM = "kube-"
_PEERS_LOOKED_AT = 2_000  # pods of a namespace compared with a peer, when somebody asks


class Sentence(msgspec.Struct, frozen=True, gc=False):
    """A policy in one line: `mysql:3306 ← app=chatapp  only, DNS out allowed`.

    Attributes:
        subject: who it is about, with the ports where all rules agree: `mysql:3306`, `shop/*`.
        arrow: `from` where it says who may come in, `to` where it only says where they may go.
        peers: those others, in words; "nobody" for none.
        rest: the end of the sentence.
    """

    subject: str
    arrow: str
    peers: str
    rest: str


class Openness(msgspec.Struct, frozen=True, gc=False):
    """A namespace with pods that no policy shields from whoever comes.

    Attributes:
        namespace: its name.
        open, total: pods that are open, and all that policies can be about.
        policies: how many NetworkPolicies it has.
        finding: in words.
    """

    namespace: str
    open: int
    total: int
    policies: int
    finding: Finding


def openness(stores: Stores, namespace: str, coverage: Coverage) -> Openness:
    """How open a namespace is; those of Kubernetes itself are not accused of it."""
    opened, total = coverage.open(namespace), coverage.total(namespace)
    policies = stores.networkpolicies.count("namespace", namespace)
    of = _pods(opened) if opened == total else f"{opened:,} of {_pods(total)}"
    evidence = (Evidence(f"namespace/{namespace}", "networkpolicies", str(policies)),)
    level = Level.OFF if namespace.startswith(_SYSTEM) else Level.WARN
    clause = f"{of}, {'no policy selects them' if policies else 'no policy'}"
    return Openness(
        namespace, opened, total, policies, Finding(level, clause, evidence, "deny by a NetworkPolicy for all pods, then allow what is needed")
    )


def sentence(policy: r.NetworkPolicy, dns_blocked: bool | None = None) -> Sentence:
    """What a policy means, in one line.

    Args:
        policy: the policy.
        dns_blocked: whether pods that it selects cannot resolve names, all policies taken together; None where that is not known.
    """
    inward, outward = directions(policy)
    name = subject(policy)
    if inward:
        rules = policy.spec.ingress or ()
        peers, common = _together([(sources(rule.from_), ports(rule)) for rule in rules])
        parts = [_only(peers), _outward(policy, dns_blocked) if outward else ""]
        return Sentence(f"{name}{common}", "from", peers, ", ".join(p for p in parts if p))
    if outward:
        rules = policy.spec.egress or ()
        peers, common = _together([(sources(rule.to), ports(rule)) for rule in rules])
        parts = [_only(peers), "" if peers == "anyone" and not common else _dns(policy, dns_blocked)]
        return Sentence(name, "to", f"{peers}{common}", ", ".join(p for p in parts if p))
    return Sentence(name, "from", "anyone", "limits nothing")


def subject(policy: r.NetworkPolicy) -> str:
    """The selected pods in a word: the value of a well-known label, `namespace/*` for all, else the selector."""
    selector = policy.spec.pod_selector
    wanted = selector.match_labels or {}
    if not wanted and not selector.match_expressions:
        return f"{policy.metadata.namespace}/*"
    if len(wanted) == 1 and not selector.match_expressions:
        ((key, value),) = wanted.items()
        if key in _NAMES:
            return value
    return labels.text(selector)


def sources(peers: Iterable[r.PolicyPeer] | None) -> str:
    """Peers of one rule in words: `app=chatapp`, `app=prometheus in namespace monitoring`, `10.0.0.0/8 except 10.1.0.0/16`."""
    given = tuple(peers or ())
    return _listed([peer(p) for p in given]) if given else "anyone"


def peer(p: r.PolicyPeer) -> str:
    """One peer in words."""
    if p.ip_block:
        gaps = f" except {', '.join(p.ip_block.except_)}" if p.ip_block.except_ else ""
        return f"{p.ip_block.cidr}{gaps}"
    who = labels.text(p.pod_selector) if p.pod_selector and not _empty(p.pod_selector) else ""
    if p.namespace_selector is None:
        return who or "pods of this namespace"
    where = _namespaces(p.namespace_selector)
    return f"{who} in {where}" if who else where


def ports(rule: r.PolicyRule) -> str:
    """Ports of one rule: `3306`, `53/UDP`, `8000-8010`, `http`; "" for all."""
    return ",".join(_port(p) for p in rule.ports or ())


def explain_policy(stores: Stores, policy: r.NetworkPolicy, coverage: Coverage | None = None) -> list[Finding]:
    """What there is to say about a policy, the most important first; nothing for one that is well.

    Args:
        stores: what is known of the cluster.
        policy: the policy.
        coverage: what is counted already; without it the pods of the namespace are looked through.
    """
    if coverage is None:
        coverage = Coverage(stores)
        for pod in stores.pods.by("namespace", policy.metadata.namespace):
            coverage.pod(pod.metadata.uid)
    findings = [verdict(stores, policy, coverage)]
    findings += [f for f in (_nobody(stores, policy, p) for p in _inward_peers(policy)) if f]
    return ailing(findings)


def verdict(stores: Stores, policy: r.NetworkPolicy, coverage: Coverage) -> Finding:
    """The most important thing about a policy; cheap, for it is asked at every change."""
    here = f"networkpolicy/{policy.metadata.name}"
    text = labels.text(policy.spec.pod_selector)
    chosen = coverage.selected(policy.metadata.uid)
    selector = Evidence(here, "spec.podSelector", text if text != "<none>" else "all pods of the namespace")
    if not chosen:
        if doubt := unseen(stores.pods):
            return Finding(Level.OFF, f"could not look: {doubt}", (selector,))
        return Finding(
            Level.WARN,
            f"selects no pod ({text if text != '<none>' else 'the namespace has none'})",
            (selector,),
            "correct spec.podSelector, or start the pods",
        )
    blocked = coverage.without_dns(policy.metadata.uid)
    if blocked:
        clause = f"blocks DNS for {_pods(blocked)}: names cannot be resolved"
        out, common = _together([(sources(rule.to), ports(rule)) for rule in policy.spec.egress or ()])
        evidence = (Evidence(here, "spec.egress", f"{out}{common}"), selector)
        return Finding(Level.WARN, clause, evidence, "allow UDP and TCP port 53 to the pods of kube-dns in namespace kube-system")
    return Finding(Level.OK, f"selects {_pods(chosen)}", (selector,))


# ---- words


def _only(peers: str) -> str:
    return "" if peers in ("anyone", "nobody") else "only"


def _outward(policy: r.NetworkPolicy, dns_blocked: bool | None) -> str:
    rules = policy.spec.egress or ()
    dns = _dns(policy, dns_blocked)
    to, common = _together([(sources(rule.to), ports(rule)) for rule in rules if not _only_dns(rule)])
    if to == "anyone" and not common:
        return "all out allowed"
    if to == "nobody":
        return dns if allows_dns(policy) else f"nothing out, {dns}"
    return f"out only to {to}{common}, {dns}"


def _dns(policy: r.NetworkPolicy, blocked: bool | None) -> str:
    if blocked:
        return "blocks DNS"
    if allows_dns(policy):
        return "DNS out allowed"
    return "no DNS out" if blocked is None else "DNS by another policy"


def _only_dns(rule: r.PolicyRule) -> bool:
    return bool(rule.ports) and all(p.port in (53, 5353, "dns", "dns-tcp") for p in rule.ports or ())


def _together(rules: list[tuple[str, str]]) -> tuple[str, str]:
    """Peers of all rules and their common ports; where the ports differ they stand with their peers.

    Args:
        rules: (peers, ports) of each rule.

    Returns:
        The peers, and `:3306` or "".
    """
    common = {ports for _, ports in rules}
    if len(common) == 1:
        text = common.pop()
        return _listed([peers for peers, _ in rules]), f":{text}" if text else ""
    return _listed([f"{peers} on {ports}" if ports else peers for peers, ports in rules]), ""


def _port(p: r.PolicyPort) -> str:
    number = "*" if p.port is None else f"{p.port}-{p.end_port}" if p.end_port else str(p.port)
    return number if (p.protocol or "TCP") == "TCP" else f"{number}/{p.protocol}"


def _namespaces(selector: r.Selector) -> str:
    if _empty(selector):
        return "all namespaces"
    wanted = selector.match_labels or {}
    if list(wanted) == [NAMESPACE_NAME] and not selector.match_expressions:
        return f"namespace {wanted[NAMESPACE_NAME]}"
    for e in selector.match_expressions or ():
        if e.key == NAMESPACE_NAME and e.operator == "In" and not wanted and len(selector.match_expressions or ()) == 1:
            return f"namespaces {', '.join(e.values or ())}"
    return f"namespaces with {labels.text(selector)}"


def _listed(parts: list[str]) -> str:
    """`a, b or c`-like: joined by commas; "anyone" swallows the rest, no part at all is nobody."""
    if "anyone" in parts:
        return "anyone"
    return ", ".join(dict.fromkeys(parts)) or "nobody"


def _empty(selector: r.Selector) -> bool:
    return not selector.match_labels and not selector.match_expressions


def _pods(n: int) -> str:
    return f"{n:,} pod{'' if n == 1 else 's'}"


# ---- on demand


def _inward_peers(policy: r.NetworkPolicy) -> list[r.PolicyPeer]:
    return [p for rule in policy.spec.ingress or () for p in rule.from_ or ()]


def _nobody(stores: Stores, policy: r.NetworkPolicy, p: r.PolicyPeer) -> Finding | None:
    """A peer of the same namespace that matches no pod: a typing error, or not started yet."""
    if p.pod_selector is None or p.namespace_selector is not None or p.ip_block or unseen(stores.pods):
        return None
    for n, pod in enumerate(stores.pods.by("namespace", policy.metadata.namespace)):
        if n >= _PEERS_LOOKED_AT or labels.matches(p.pod_selector, pod.metadata.labels):
            return None
    text = labels.text(p.pod_selector)
    evidence = (Evidence(f"networkpolicy/{policy.metadata.name}", "spec.ingress[].from[].podSelector", text),)
    return Finding(Level.WARN, f"lets {text} in, but no pod has these labels", evidence, "correct the selector, or start the pods")
