"""Pod affinity and anti-affinity, required and preferred (plugin interpodaffinity)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from kubepane_embedded.scheduler.framework import MAX_SCORE, NOTHING, Cycle, Prepared, Rejection
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.pod_terms import PodTerm
from kubepane_embedded.scheduler.podinfo import PodInfo

NO_COMPANY = Rejection(("node(s) didn't match pod affinity rules",))
BAD_COMPANY = Rejection(("node(s) didn't match pod anti-affinity rules",), resolvable=True)
UNWELCOME = Rejection(("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)
HARD_WEIGHT = 1
"""What a required affinity of a running pod weighs for a pod that it means."""

Domain = tuple[str, str]
"""A topology key and its value."""


def meets(cycle: Cycle, terms: Iterable[PodTerm], pod: PodInfo) -> bool:
    """Whether a pod is meant by all of some terms; no terms mean nobody."""
    listed = tuple(terms)
    labels = cycle.cache.namespace_labels(pod.namespace)
    return bool(listed) and all(term.means(pod.namespace, pod.labels, labels) for term in listed)


def _candidates(node: NodeInfo, terms: Iterable[PodTerm]) -> list[PodInfo]:
    """Pods of a node that terms could mean: with plain namespaces only those of them."""
    listed = tuple(terms)
    if any(not term.namespace_selector.nothing for term in listed):
        return [pod for space in list(node.pods.values()) for pod in space.values()]
    named = {namespace for term in listed for namespace in term.namespaces}
    return [pod for namespace in named for pod in node.in_namespace(namespace)]


def inter_pod_affinity(cycle: Cycle) -> Prepared:
    """Required terms of the pod, and required anti-affinity of the pods that are there."""
    terms = cycle.pod.terms
    unwelcome = _existing_anti_affinity(cycle)
    if not unwelcome and not terms.required and not terms.required_anti:
        return NOTHING
    near = _near(cycle, terms.required)
    far = _far(cycle, terms.required_anti)
    alone = not near and meets(cycle, terms.required, cycle.pod)

    def test(node: NodeInfo) -> Rejection | None:
        if not _has_company(node, terms.required, near, alone):
            return NO_COMPANY
        if any(far.get((term.topology, node.labels.get(term.topology, "")), 0) for term in terms.required_anti if term.topology in node.labels):
            return BAD_COMPANY
        if any(unwelcome.get(domain, 0) for domain in node.labels.items()):
            return UNWELCOME
        return None

    return Prepared(test)


def _has_company(node: NodeInfo, terms: tuple[PodTerm, ...], near: Counter[Domain], alone: bool) -> bool:
    """Whether all terms find a pod; the first of a group that means itself may start anywhere (`alone`)."""
    if any(term.topology not in node.labels for term in terms):
        return False
    return alone or all(near[term.topology, node.labels[term.topology]] > 0 for term in terms)


def _existing_anti_affinity(cycle: Cycle) -> Counter[Domain]:
    pod = cycle.pod
    labels = cycle.cache.namespace_labels(pod.namespace)
    found: Counter[Domain] = Counter()
    for node in cycle.nodes:
        for other in node.averse.values():
            for term in other.terms.required_anti:
                if term.topology in node.labels and term.means(pod.namespace, pod.labels, labels):
                    found[term.topology, node.labels[term.topology]] += 1
    return found


def _near(cycle: Cycle, terms: tuple[PodTerm, ...]) -> Counter[Domain]:
    found: Counter[Domain] = Counter()
    for node in cycle.nodes if terms else ():
        count = sum(meets(cycle, terms, pod) for pod in _candidates(node, terms))
        for term in terms:
            if count and term.topology in node.labels:
                found[term.topology, node.labels[term.topology]] += count
    return found


def _far(cycle: Cycle, terms: tuple[PodTerm, ...]) -> Counter[Domain]:
    found: Counter[Domain] = Counter()
    for node in cycle.nodes if terms else ():
        for pod in _candidates(node, terms):
            for term in terms:
                if term.topology in node.labels and meets(cycle, (term,), pod):
                    found[term.topology, node.labels[term.topology]] += 1
    return found


def score_affinity(cycle: Cycle, nodes: list[NodeInfo]) -> list[int] | None:
    """Preferred terms of the pod, and terms of running pods that mean it."""
    weights: dict[str, Counter[str]] = defaultdict(Counter)
    terms = cycle.pod.terms
    own = (*terms.preferred, *terms.preferred_anti)
    for node in cycle.nodes:
        pods = _candidates(node, own) if own else ()
        for other in pods:
            _weigh(cycle, weights, terms.preferred, other, node, 1)
            _weigh(cycle, weights, terms.preferred_anti, other, node, -1)
        for other in node.affine.values():
            hard = tuple(term._replace(weight=HARD_WEIGHT) for term in other.terms.required)
            _weigh(cycle, weights, (*hard, *other.terms.preferred), cycle.pod, node, 1)
            _weigh(cycle, weights, other.terms.preferred_anti, cycle.pod, node, -1)
    if not weights:
        return None
    scores = [sum(found[node.labels[key]] for key, found in weights.items() if key in node.labels) for node in nodes]
    least, most = min(scores), max(scores)
    return [int(MAX_SCORE * ((score - least) / (most - least))) if most > least else 0 for score in scores]


def _weigh(cycle: Cycle, weights: dict[str, Counter[str]], terms: Iterable[PodTerm], pod: PodInfo, node: NodeInfo, sign: int) -> None:
    """Add the weights of the terms that mean a pod to the topology of the node where the other side runs."""
    for term in terms:
        if term.topology in node.labels and meets(cycle, (term,), pod):
            weights[term.topology][node.labels[term.topology]] += sign * term.weight
