"""What one NetworkPolicy does, as yes and no: whom it selects, which directions it closes, whether it lets DNS out."""

from __future__ import annotations

from kubepane.cluster import resources as r
from kubepane.insight import labels

_KUBE_SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
_KUBE_DNS = {"k8s-app": "kube-dns"}
_DNS_PORTS = (53, 5353, "dns")  # the Service's, what some distributions' pods listen on, the container port's name


def selects(policy: r.NetworkPolicy, pod: r.Pod) -> bool:
    """Whether a policy of the pod's namespace is about this pod."""
    return labels.matches(policy.spec.pod_selector, pod.metadata.labels)


def directions(policy: r.NetworkPolicy) -> tuple[bool, bool]:
    """Whether it isolates its pods inward, and outward; an unset policyTypes means Ingress, and Egress where it has such rules."""
    types = policy.spec.policy_types
    if not types:
        return True, bool(policy.spec.egress)
    return "Ingress" in types, "Egress" in types


def allows_dns(policy: r.NetworkPolicy) -> bool:
    """Whether its egress rules let name look-ups reach the cluster's DNS, as far as a policy can be judged without the network.

    Counts as allowed: UDP port 53 to everybody, to all namespaces, to kube-system, or to an address block (it may hold the
    DNS Service or a node-local cache: the benefit of the doubt).
    """
    return any(_udp_53(rule) and _reaches_dns(rule, policy.metadata.namespace) for rule in policy.spec.egress or ())


def _udp_53(rule: r.PolicyRule) -> bool:
    if not rule.ports:
        return True
    for p in rule.ports:
        if p.protocol != "UDP":
            continue
        if p.port is None or p.port in _DNS_PORTS:
            return True
        if isinstance(p.port, int) and p.end_port and p.port <= 53 <= p.end_port:
            return True
    return False


def _reaches_dns(rule: r.PolicyRule, namespace: str) -> bool:
    return not rule.to or any(_is_dns(p, namespace) for p in rule.to)


def _is_dns(p: r.PolicyPeer, namespace: str) -> bool:
    if p.ip_block:
        return True
    if p.pod_selector is not None and not labels.matches(p.pod_selector, _KUBE_DNS) and not _by_another_name(p.pod_selector):
        return False
    if p.namespace_selector is None:
        return namespace == "kube-system"
    return labels.matches(p.namespace_selector, _KUBE_SYSTEM) or _by_another_name(p.namespace_selector)


def _by_another_name(selector: r.Selector) -> bool:
    """A selector by labels that we cannot know of the cluster's DNS: it is not accused."""
    known = {*_KUBE_SYSTEM, *_KUBE_DNS}
    keys = {*(selector.match_labels or {}), *(e.key for e in selector.match_expressions or ())}
    text = " ".join([*(selector.match_labels or {}).values(), *(v for e in selector.match_expressions or () for v in e.values or ())])
    return not keys & known and any(word in text for word in ("dns", "kube-system", "system"))
