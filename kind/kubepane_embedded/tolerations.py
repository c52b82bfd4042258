"""Taints and what tolerates them (component-helpers/scheduling/corev1/helpers.go, api/core/v1/toleration.go)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Taint = dict[str, Any]
Toleration = dict[str, Any]


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration covers one taint: an empty key with Exists covers all keys, an empty effect all effects."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def tolerating(tolerations: Iterable[Toleration], taint: Taint) -> Toleration | None:
    """The first toleration that covers a taint, or None."""
    return next((one for one in tolerations if tolerates(one, taint)), None)


def same_taint(one: Taint, other: Taint) -> bool:
    """Whether two taints are the same one: key and effect are what counts (Taint.MatchTaint)."""
    return one.get("key") == other.get("key") and one.get("effect") == other.get("effect")
