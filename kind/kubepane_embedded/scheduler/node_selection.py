"""Which nodes a node selector or node affinity names (component-helpers/scheduling/corev1/nodeaffinity)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kubepane_embedded.meta import Object, key_of, labels_of
from kubepane_embedded.selectors import Requirement


class Field(NamedTuple):
    """One requirement on a node's name."""

    operator: str
    name: str

    def matches(self, name: str) -> bool:
        """Whether a node of that name is meant."""
        return (self.name == name) == (self.operator == "In")


class Term(NamedTuple):
    """Labels and names that must all fit; `never` when the term cannot be understood."""

    labels: tuple[Requirement, ...]
    fields: tuple[Field, ...]
    never: bool = False

    def matches(self, name: str, labels: dict[str, str]) -> bool:
        """Whether a node fits."""
        return not self.never and all(one.matches(labels) for one in self.labels) and all(one.matches(name) for one in self.fields)


def parse_term(term: dict[str, Any] | None) -> Term | None:
    """A NodeSelectorTerm; None when it is empty, which selects nothing."""
    expressions = (term or {}).get("matchExpressions") or []
    fields = (term or {}).get("matchFields") or []
    if not expressions and not fields:
        return None
    broken = any(one.get("operator") not in ("In", "NotIn") or len(one.get("values") or ()) != 1 for one in fields)
    names = () if broken else tuple(Field(one["operator"], one["values"][0]) for one in fields)
    labels = tuple(Requirement(one.get("key") or "", one.get("operator") or "", tuple(one.get("values") or ())) for one in expressions)
    return Term(labels, names, broken)


class NodeSelector(NamedTuple):
    """Terms of which one must fit; None means no limit."""

    terms: tuple[Term, ...] | None = None

    def matches(self, node: Object) -> bool:
        """Whether a node is selected."""
        if self.terms is None:
            return True
        name, labels = key_of(node)[1], labels_of(node)
        return any(term.matches(name, labels) for term in self.terms)

    @classmethod
    def of(cls, selector: dict[str, Any] | None) -> NodeSelector:
        """From a NodeSelector object; None has no limit."""
        if selector is None:
            return cls()
        parsed = (parse_term(term) for term in selector.get("nodeSelectorTerms") or [])
        return cls(tuple(term for term in parsed if term is not None))


class NodeRequirement(NamedTuple):
    """What a pod demands of its node: nodeSelector and required node affinity."""

    labels: tuple[tuple[str, str], ...]
    affinity: NodeSelector

    @property
    def asks_nothing(self) -> bool:
        """Whether any node will do."""
        return not self.labels and self.affinity.terms is None

    def matches(self, node: Object) -> bool:
        """Whether a node will do."""
        if self.labels:
            present = labels_of(node)
            if any(present.get(key) != value for key, value in self.labels):
                return False
        return self.affinity.matches(node)


def required_of(pod: Object) -> NodeRequirement:
    """The node requirement of a pod."""
    spec = pod.get("spec") or {}
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    selector = tuple((spec.get("nodeSelector") or {}).items())
    return NodeRequirement(selector, NodeSelector.of(affinity.get("requiredDuringSchedulingIgnoredDuringExecution")))


def preferred_of(pod: Object) -> list[tuple[int, Term]]:
    """Weighted terms of preferred node affinity."""
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    asked: Iterable[dict[str, Any]] = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    parsed = ((one.get("weight") or 0, parse_term(one.get("preference"))) for one in asked)
    return [(weight, term) for weight, term in parsed if weight and term is not None]


def names_in(terms: Iterable[dict[str, Any]]) -> set[str] | None:
    """The node names that required terms are limited to by `metadata.name`; None when they are not limited."""
    found: set[str] = set()
    seen = False
    for term in terms:
        own: set[str] | None = None
        for one in term.get("matchFields") or []:
            if one.get("key") == "metadata.name" and one.get("operator") == "In":
                values = set(one.get("values") or ())
                own = values if own is None else own & values
        if own is None:
            return None
        found |= own
        seen = True
    return found if seen else None
