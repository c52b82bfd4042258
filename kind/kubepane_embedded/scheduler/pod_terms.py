"""Terms of pod affinity and anti-affinity: which pods they mean, in which topology (kube-scheduler/framework/types.go)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kubepane_embedded.meta import Object, key_of, labels_of
from kubepane_embedded.selectors import LabelSelector, Requirement

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class PodTerm(NamedTuple):
    """One term; `weight` is 0 for required ones."""

    topology: str
    selector: LabelSelector
    namespaces: frozenset[str]
    namespace_selector: LabelSelector
    weight: int = 0

    def means(self, namespace: str, labels: dict[str, str], namespace_labels: dict[str, str]) -> bool:
        """Whether a pod with these labels, in a namespace with those, is meant."""
        if namespace not in self.namespaces and not self.namespace_selector.matches(namespace_labels):
            return False
        return self.selector.matches(labels)


class PodTerms(NamedTuple):
    """All terms of a pod."""

    required: tuple[PodTerm, ...] = ()
    required_anti: tuple[PodTerm, ...] = ()
    preferred: tuple[PodTerm, ...] = ()
    preferred_anti: tuple[PodTerm, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is any term at all."""
        return bool(self.required or self.required_anti or self.preferred or self.preferred_anti)


NONE = PodTerms()


def terms_of(pod: Object) -> PodTerms:
    """The terms of a pod's spec."""
    affinity = (pod.get("spec") or {}).get("affinity") or {}
    near, far = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not near and not far:
        return NONE
    return PodTerms(
        _required(pod, near.get(REQUIRED) or []),
        _required(pod, far.get(REQUIRED) or []),
        _preferred(pod, near.get(PREFERRED) or []),
        _preferred(pod, far.get(PREFERRED) or []),
    )


def _required(pod: Object, terms: Iterable[dict[str, Any]]) -> tuple[PodTerm, ...]:
    return tuple(_term(pod, term, 0) for term in terms)


def _preferred(pod: Object, terms: Iterable[dict[str, Any]]) -> tuple[PodTerm, ...]:
    return tuple(_term(pod, term.get("podAffinityTerm") or {}, term.get("weight") or 0) for term in terms if term.get("weight"))


def _term(pod: Object, term: dict[str, Any], weight: int) -> PodTerm:
    namespaces = frozenset(term.get("namespaces") or ())
    if not namespaces and term.get("namespaceSelector") is None:
        namespaces = frozenset((key_of(pod)[0],))
    selector = _with_own_labels(LabelSelector.of(term.get("labelSelector")), pod, term)
    return PodTerm(term.get("topologyKey") or "", selector, namespaces, LabelSelector.of(term.get("namespaceSelector")), weight)


def _with_own_labels(selector: LabelSelector, pod: Object, term: dict[str, Any]) -> LabelSelector:
    """matchLabelKeys and mismatchLabelKeys, as the API server of the real thing merges them into the selector."""
    labels = labels_of(pod)
    more = [Requirement(key, "In", (labels[key],)) for key in term.get("matchLabelKeys") or [] if key in labels]
    more += [Requirement(key, "NotIn", (labels[key],)) for key in term.get("mismatchLabelKeys") or [] if key in labels]
    return LabelSelector((*selector.requirements, *more), selector.nothing) if more else selector
