"""How fast an HPA may follow its metrics: stabilisation windows, scaling policies, and the least and most replicas.

Follows pkg/controller/podautoscaler/horizontal.go (normalizeDesiredReplicas and normalizeDesiredReplicasWithBehaviors). Pure: what was
recommended and done before is in a `History`, the time is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LEAST_STEP = 4
"""Replicas that may always be reached at once without a behavior; above it, twice the present number."""

HIGHER = "recent recommendations were higher than current one, applying the highest recent recommendation"
LOWER = "recent recommendations were lower than current one, applying the lowest recent recommendation"
SAME = "recommended size matches current size"
WITHIN = "the desired count is within the acceptable range"
TOO_FAST_UP = "the desired replica count is increasing faster than the maximum scale rate"
TOO_FAST_DOWN = "the desired replica count is decreasing faster than the maximum scale rate"
TOO_MANY = "the desired replica count is more than the maximum replica count"
TOO_FEW = "the desired replica count is less than the minimum replica count"


class Noted(NamedTuple):
    """A recommendation, or by how much was scaled, and when (cluster seconds)."""

    replicas: int
    time: float


class Said(NamedTuple):
    """Reason and message of a condition."""

    reason: str
    message: str


class Decision(NamedTuple):
    """What to scale to, and what the conditions AbleToScale and ScalingLimited say."""

    replicas: int
    able: Said
    limit: Said
    limited: bool


@dataclass(slots=True)
class History:
    """What one HPA was recommended, and what was done."""

    recommendations: list[Noted] = field(default_factory=list)
    ups: list[Noted] = field(default_factory=list)
    downs: list[Noted] = field(default_factory=list)

    def begin(self, replicas: int, now: float) -> None:
        """The size that was found first counts as a recommendation: an HPA that starts scales nothing down at once."""
        if not self.recommendations:
            self.recommendations.append(Noted(replicas, now))

    def scaled(self, behavior: dict[str, Any] | None, before: int, after: int, now: float) -> None:
        """Remember a change for the policies of a behavior; the latest outdated entry is replaced."""
        if behavior is None:
            return
        entries, rules = (self.ups, behavior["scaleUp"]) if after > before else (self.downs, behavior["scaleDown"])
        longest = max((policy.get("periodSeconds") or 0 for policy in rules.get("policies") or []), default=0)
        _note(entries, Noted(abs(after - before), now), now - longest)


def _note(entries: list[Noted], new: Noted, cutoff: float) -> None:
    """Put an entry in the place of the last one that is older than the cutoff, or at the end."""
    outdated = [index for index, entry in enumerate(entries) if entry.time < cutoff]
    if outdated:
        entries[outdated[-1]] = new
    else:
        entries.append(new)


class Wanted(NamedTuple):
    """What there is and what is asked for."""

    current: int
    desired: int
    least: int
    most: int


def decide(wanted: Wanted, behavior: dict[str, Any] | None, history: History, now: float, window: float) -> Decision:
    """What to scale to; notes the recommendation in the history.

    Args:
        wanted: Present, desired, least and most replicas.
        behavior: `spec.behavior` with the server's defaults, or None.
        history: Of this HPA.
        now: Cluster seconds.
        window: Stabilisation of scaling down where the behavior names none.
    """
    if behavior is None:
        return _plain(wanted, history, now, window)
    stable, said = stabilized(wanted, behavior, history, now, window)
    able = said if stable != wanted.desired else Said("ReadyForNewScale", SAME)
    replicas, limit = rated(wanted._replace(desired=stable), behavior, history, now)
    return Decision(replicas, able, limit, replicas != stable)


def _plain(wanted: Wanted, history: History, now: float, window: float) -> Decision:
    """Without a behavior: the highest recommendation of the window, at most twice the size (or 4), within least and most."""
    cutoff = now - window
    stable = max([wanted.desired, *(one.replicas for one in history.recommendations if one.time >= cutoff)])
    _note(history.recommendations, Noted(wanted.desired, now), cutoff)
    able = Said("ScaleDownStabilized", HIGHER) if stable != wanted.desired else Said("ReadyForNewScale", SAME)
    replicas, limit = clamped(wanted._replace(desired=stable))
    return Decision(replicas, able, limit, replicas != stable)


def clamped(wanted: Wanted) -> tuple[int, Said]:
    """The desired count within least, most and the rate of growth (convertDesiredReplicasWithRules)."""
    fastest = max(2 * wanted.current, LEAST_STEP)
    most, limit = (fastest, Said("ScaleUpLimit", TOO_FAST_UP)) if wanted.most > fastest else (wanted.most, Said("TooManyReplicas", TOO_MANY))
    if wanted.desired < wanted.least:
        return wanted.least, Said("TooFewReplicas", TOO_FEW)
    if wanted.desired > most:
        return most, limit
    return wanted.desired, Said("DesiredWithinRange", WITHIN)


def stabilized(wanted: Wanted, behavior: dict[str, Any], history: History, now: float, window: float) -> tuple[int, Said]:
    """The present count moved no further than all recommendations of the windows agree (stabilizeRecommendationWithBehaviors)."""
    up_cutoff = now - (behavior["scaleUp"].get("stabilizationWindowSeconds") or 0)
    down_window = behavior["scaleDown"].get("stabilizationWindowSeconds")
    down_cutoff = now - (window if down_window is None else down_window)
    recent = history.recommendations
    low = min([wanted.desired, *(one.replicas for one in recent if one.time > up_cutoff)])
    high = max([wanted.desired, *(one.replicas for one in recent if one.time > down_cutoff)])
    stable = min(max(wanted.current, low), high)
    _note(recent, Noted(wanted.desired, now), min(up_cutoff, down_cutoff))
    said = Said("ScaleUpStabilized", LOWER) if wanted.desired >= wanted.current else Said("ScaleDownStabilized", HIGHER)
    return stable, said


def rated(wanted: Wanted, behavior: dict[str, Any], history: History, now: float) -> tuple[int, Said]:
    """The desired count within least, most and what the policies allow (convertDesiredReplicasWithBehaviorRate)."""
    if wanted.desired > wanted.current:
        fastest = max(up_limit(wanted.current, history, behavior["scaleUp"], now), wanted.current)
        most, limit = (fastest, Said("ScaleUpLimit", TOO_FAST_UP)) if wanted.most > fastest else (wanted.most, Said("TooManyReplicas", TOO_MANY))
        if wanted.desired > most:
            return most, limit
    elif wanted.desired < wanted.current:
        fastest = min(down_limit(wanted.current, history, behavior["scaleDown"], now), wanted.current)
        least, limit = (fastest, Said("ScaleDownLimit", TOO_FAST_DOWN)) if wanted.least < fastest else (wanted.least, Said("TooFewReplicas", TOO_FEW))
        if wanted.desired < least:
            return least, limit
    return wanted.desired, Said("DesiredWithinRange", WITHIN)


def up_limit(current: int, history: History, rules: dict[str, Any], now: float) -> int:
    """The most that the policies of scaling up allow (calculateScaleUpLimitWithScalingRules)."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    allowed = []
    for policy in rules.get("policies") or []:
        start = _at_start(current, history, policy.get("periodSeconds") or 0, now)
        value = policy.get("value") or 0
        allowed.append(start + value if policy.get("type") == "Pods" else math.ceil(start * (1 + value / 100)))
    if not allowed:
        return current
    return min(allowed) if rules.get("selectPolicy") == "Min" else max(allowed)


def down_limit(current: int, history: History, rules: dict[str, Any], now: float) -> int:
    """The least that the policies of scaling down allow (calculateScaleDownLimitWithBehaviors)."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    allowed = []
    for policy in rules.get("policies") or []:
        start = _at_start(current, history, policy.get("periodSeconds") or 0, now)
        value = policy.get("value") or 0
        allowed.append(start - value if policy.get("type") == "Pods" else int(start * (1 - value / 100)))
    if not allowed:
        return current
    return max(allowed) if rules.get("selectPolicy") == "Min" else min(allowed)


def _at_start(current: int, history: History, period: float, now: float) -> int:
    """How many replicas there were when a policy's period began."""
    cutoff = now - period
    added = sum(one.replicas for one in history.ups if one.time > cutoff)
    taken = sum(one.replicas for one in history.downs if one.time > cutoff)
    return current - added + taken
