"""Which nodes a pod may go to by its selector and affinities, and why not to the others, in Kubernetes' words.

Sources: k8s.io/component-helpers/scheduling/corev1/nodeaffinity (terms are or'ed, what is in one term is and'ed; an empty term
matches nothing), the scheduler's InterPodAffinity plugin (existing pods' anti-affinity counts as well as one's own).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubepane.cluster import resources as r
from kubepane.cluster.store import Store
from kubepane.insight import labels

NAME_FIELD = "metadata.name"


def selector_misses(selector: Mapping[str, str] | None, node: Mapping[str, str]) -> list[str]:
    """The entries of a nodeSelector that a node's labels lack, as `disk=ssd`."""
    return [f"{k}={v}" for k, v in (selector or {}).items() if node.get(k) != v]


def matches(selector: r.NodeSelector | None, node: r.Node) -> bool:
    """Whether a node satisfies a required node affinity; no affinity is satisfied by all."""
    return selector is None or any(_term(term, node) for term in selector.node_selector_terms or ())


def _term(term: r.NodeSelectorTerm, node: r.Node) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    have = node.metadata.labels or {}
    return all(labels.satisfies(e, have) for e in term.match_expressions or ()) and all(
        f.key == NAME_FIELD and labels.satisfies(f, {NAME_FIELD: node.metadata.name}) for f in term.match_fields or ()
    )


def text(selector: r.NodeSelector | None) -> str:
    """A node affinity as one expression: `zone in (a,b),gpu or metadata.name=worker-1`."""
    terms = selector.node_selector_terms if selector else None
    return " or ".join(_term_text(t) for t in terms or ()) or "nothing"


def _term_text(term: r.NodeSelectorTerm) -> str:
    found = (*(term.match_expressions or ()), *(term.match_fields or ()))
    return ",".join(_requirement(e) for e in found) or "nothing"


def _requirement(e: r.Requirement) -> str:
    values = e.values or ()
    match e.operator:
        case "In" if len(values) == 1:
            return f"{e.key}={values[0]}"
        case "NotIn" if len(values) == 1:
            return f"{e.key}!={values[0]}"
        case "Gt" | "Lt":
            return f"{e.key}{'>' if e.operator == 'Gt' else '<'}{''.join(values)}"
    return labels.text(r.Selector(match_expressions=(e,)))


# ---- other pods ------------------------------------------------------------------------------------------------------------


def required_node(pod: r.Pod) -> r.NodeSelector | None:
    """The node affinity that must hold."""
    affinity = pod.spec.affinity
    return affinity.node_affinity.required if affinity and affinity.node_affinity else None


def required_near(pod: r.Pod) -> tuple[r.PodAffinityTerm, ...]:
    """The pods that must be near."""
    affinity = pod.spec.affinity
    return (affinity.pod_affinity.required if affinity and affinity.pod_affinity else None) or ()


def required_apart(pod: r.Pod) -> tuple[r.PodAffinityTerm, ...]:
    """The pods that must not be near."""
    affinity = pod.spec.affinity
    return (affinity.pod_anti_affinity.required if affinity and affinity.pod_anti_affinity else None) or ()


def means(term: r.PodAffinityTerm, home: str, pod: r.Pod, namespaces: Store[r.Namespace]) -> bool:
    """Whether an affinity term of a pod in namespace `home` is about this other pod.

    Args:
        term: the term.
        home: the namespace of the pod that has the term: meant where the term names none.
        pod: the other pod.
        namespaces: for a term with a namespaceSelector.
    """
    return _in_namespace(term, home, pod.metadata.namespace, namespaces) and labels.matches(term.label_selector, pod.metadata.labels)


def _in_namespace(term: r.PodAffinityTerm, home: str, namespace: str, namespaces: Store[r.Namespace]) -> bool:
    if term.namespaces and namespace in term.namespaces:
        return True
    if term.namespace_selector is not None:
        held = namespaces.named("", namespace)
        return labels.matches(term.namespace_selector, held.metadata.labels if held else None)
    return not term.namespaces and namespace == home


def domains(nodes: Iterable[r.Node], key: str) -> set[str]:
    """The values of a topology label on these nodes; nodes without it are in no domain."""
    return {value for node in nodes if (value := (node.metadata.labels or {}).get(key)) is not None}
