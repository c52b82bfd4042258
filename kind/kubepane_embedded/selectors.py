"""Label selectors (text and `LabelSelector` objects) and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object, labels_of
from kubepane_embedded.registry import Resource


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: `operator` is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether a set of labels satisfies the term (NotIn is true where the key is absent)."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        if self.operator in ("Exists", "DoesNotExist"):
            return (value is not None) == (self.operator == "Exists")
        return _is_beyond(value, self.operator, self.values)

    def __str__(self) -> str:
        if self.operator == "Exists":
            return self.key
        if self.operator == "DoesNotExist":
            return f"!{self.key}"
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        word = {"In": "in", "NotIn": "notin", "Gt": ">", "Lt": "<"}[self.operator]
        return f"{self.key} {word} ({','.join(sorted(self.values))})"


def _is_beyond(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Terms that must all hold. Without terms it matches everything, unless `nothing`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether a set of labels is selected."""
        return not self.nothing and all(term.matches(labels) for term in self.requirements)

    def matches_object(self, obj: Object) -> bool:
        """Whether an object's labels are selected."""
        return self.matches(labels_of(obj))

    def __str__(self) -> str:
        return ",".join(str(term) for term in sorted(self.requirements, key=lambda term: term.key))

    @classmethod
    def of(cls, selector: dict[str, Any] | None) -> LabelSelector:
        """From a `LabelSelector` object; None selects nothing, {} everything (metav1.LabelSelectorAsSelector)."""
        if selector is None:
            return cls(nothing=True)
        terms = [Requirement(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
        expressions = selector.get("matchExpressions") or []
        terms += [Requirement(part.get("key") or "", part.get("operator") or "", tuple(part.get("values") or ())) for part in expressions]
        return cls(tuple(sorted(terms, key=lambda term: term.key)))

    @classmethod
    def of_map(cls, labels: dict[str, str] | None) -> LabelSelector:
        """From a plain map as Services have it; empty selects nothing."""
        if not labels:
            return cls(nothing=True)
        return cls(tuple(Requirement(key, "In", (value,)) for key, value in sorted(labels.items())))


FieldTest = Callable[[Object], bool]
METADATA = ("metadata.name", "metadata.namespace")
EVENT = tuple(f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"))
REGARDING = tuple(f"regarding.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"))
FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "services": ("spec.type", "spec.clusterIP"),
    "namespaces": ("status.phase",),
    "jobs.batch": ("status.successful",),
    "replicasets.apps": (),
    "events": (*EVENT, "reason", "type", "source", "reportingComponent"),
    "certificatesigningrequests": ("spec.signerName",),
}
OWN_FIELDS = frozenset({"pods", "nodes", "secrets", "services", "namespaces", "events", "certificatesigningrequests"})
"""Kinds with a conversion of field labels of their own, which says no in other words."""
REGARDING_FIELDS = (*REGARDING, "reportingController", "reason", "type")


def parse_fields(resource: Resource, text: str) -> list[FieldTest]:
    """A `fieldSelector` parameter as tests on stored objects; BadRequest for fields the kind does not offer."""
    tests = []
    for part in text.split(","):
        if not part.strip():
            continue
        found = re.match(r"^([^=!]*)(!=|==|=)(.*)$", part.strip())
        if found is None:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        tests.append(_field_test(resource, found[1], found[2] == "!=", found[3]))
    return tests


def _field_test(resource: Resource, field: str, negated: bool, wanted: str) -> FieldTest:
    offered = REGARDING_FIELDS if resource.group == "events.k8s.io" else FIELDS.get(resource.storage, ())
    if field not in METADATA and field not in offered:
        if resource.storage == "jobs.batch":
            raise errors.bad_request(f'field label "{field}" not supported for Job')
        if resource.storage in OWN_FIELDS:
            raise errors.bad_request(f"field label not supported: {field}")
        raise errors.bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    steps = _steps(field)

    def test(obj: Object) -> bool:
        return (_text(obj, steps) == wanted) != negated

    return test


def _steps(field: str) -> tuple[str, ...]:
    """Where a selectable field is in the stored object."""
    renamed = {
        "reportingController": ("reportingComponent",),
        "source": ("source", "component"),
        "status.successful": ("status", "succeeded"),
        "status.podIPs": ("status", "podIPs", "0", "ip"),
    }
    if field in renamed:
        return renamed[field]
    if field.startswith("regarding."):
        return ("involvedObject", field.partition(".")[2])
    return tuple(field.split("."))


def _step(value: Any, step: str) -> Any:
    if isinstance(value, list):
        return value[0] if value else None
    return value.get(step) if isinstance(value, dict) else None


def _text(obj: Any, steps: tuple[str, ...]) -> str:
    value = obj
    for step in steps:
        value = _step(value, step)
    if isinstance(value, bool) or (steps[-1] in ("unschedulable", "hostNetwork") and value is None):
        return "true" if value else "false"
    if value is None:
        return "0" if steps[-1] == "succeeded" else ""
    return str(value)
