"""Label selectors: what they match and how kubectl prints them.

Source: k8s.io/apimachinery pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector, FormatLabelSelector), pkg/labels/selector.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubepane.cluster.resources import Requirement, Selector


def matches(selector: Selector | None, labels: Mapping[str, str] | None) -> bool:
    """Whether the labels satisfy a LabelSelector. An empty selector matches all, no selector matches none."""
    if selector is None:
        return False
    labels = labels or {}
    return all(labels.get(k) == v for k, v in (selector.match_labels or {}).items()) and all(
        satisfies(r, labels) for r in selector.match_expressions or ()
    )


def matches_map(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether the labels satisfy a plain map selector (Service, nodeSelector); an empty one matches nothing."""
    labels = labels or {}
    return bool(selector) and all(labels.get(k) == v for k, v in (selector or {}).items())


def satisfies(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy one expression; Gt and Lt are those of node selectors."""
    value, wanted = labels.get(requirement.key), requirement.values or ()
    match requirement.operator:
        case "In":
            return value is not None and value in wanted
        case "NotIn":
            return value is None or value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            try:
                left, right = int(value or ""), int(wanted[0])
            except (ValueError, IndexError):
                return False
            return left > right if requirement.operator == "Gt" else left < right
    return False


def text(selector: Selector | None) -> str:
    """A LabelSelector as kubectl prints it: `app=web,tier in (a,b)`; `<none>` for an empty one, `<error>` never."""
    if selector is None or not (selector.match_labels or selector.match_expressions):
        return "<none>"
    parts = [(k, f"{k}={v}") for k, v in (selector.match_labels or {}).items()]
    parts += [(r.key, _expression(r)) for r in selector.match_expressions or ()]
    return ",".join(t for _, t in sorted(parts))


def _expression(r: Requirement) -> str:
    values = ",".join(sorted(r.values or ()))
    forms = {"In": f"{r.key} in ({values})", "NotIn": f"{r.key} notin ({values})", "Exists": r.key, "DoesNotExist": f"!{r.key}"}
    return forms.get(r.operator, f"{r.key} {r.operator} {values}")
