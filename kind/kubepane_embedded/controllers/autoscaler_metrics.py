"""The metrics of an HPA: read, turned into a replica count, and told in its status.

Follows pkg/controller/podautoscaler/horizontal.go (computeStatusFor…) and metrics/client.go. There are no custom and no external metrics
in this cluster: those fail in the words of a cluster that has no such API.
"""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.controllers import autoscaler_replicas as arithmetic
from kubepane_embedded.controllers.autoscaler_replicas import NotComputable, Patience, Proposal, Sample, Tolerances, milli
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.quantity import parse, write, write_like
from kubepane_embedded.runtime import MetricsSource, MetricsUnavailable
from kubepane_embedded.selectors import LabelSelector

NO_CUSTOM = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
NO_EXTERNAL = "unable to fetch metrics from external metrics API: the server could not find the requested resource (get {}.external.metrics.k8s.io)"
ABSENT = "the server could not find the requested resource (get pods.metrics.k8s.io)"
UNAVAILABLE = "the server is currently unable to handle the request (get pods.metrics.k8s.io)"
DURATION = re.compile(r"([0-9.]+)(h|ms|m|s)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class MetricFailed(Exception):
    """A metric without an answer.

    Args:
        reason: Of the event and the condition ScalingActive.
        message: Of both.
        outer: What the error about all metrics says.
    """

    def __init__(self, reason: str, message: str, outer: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.outer = outer


class Target(NamedTuple):
    """What is scaled: its replicas, its pods, and how they are judged."""

    replicas: int
    namespace: str
    selector: LabelSelector
    pods: list[Object]
    tolerances: Tolerances
    patience: Patience
    now: datetime


class Answer(NamedTuple):
    """What one metric says: replicas, its name in sentences, its entry of currentMetrics."""

    replicas: int
    name: str
    status: dict[str, Any]


def answer(metric: dict[str, Any], target: Target, source: MetricsSource | None) -> Answer:
    """Compute one metric of `spec.metrics`; raises MetricFailed."""
    kind = metric.get("type")
    if kind == "Resource":
        return _resource(metric.get("resource") or {}, target, source)
    if kind == "ContainerResource":
        return _container(metric.get("containerResource") or {}, target, source)
    if kind == "Pods":
        name = _identifier(metric.get("pods"))[0]
        message = f"unable to get metric {name}: {NO_CUSTOM}"
        raise MetricFailed("FailedGetPodsMetric", message, f"failed to get pods metric value: {message}")
    if kind == "Object":
        raise _no_object(metric.get("object") or {}, target.namespace)
    if kind == "External":
        raise _no_external(metric.get("external") or {}, target.namespace)
    message = f'unknown metric source type "{kind or ""}"'
    raise MetricFailed("InvalidMetricSourceType", message, message)


def _resource(spec: dict[str, Any], target: Target, source: MetricsSource | None) -> Answer:
    name = spec.get("name") or ""
    try:
        proposal, said, current = _computed(name, "", spec.get("target") or {}, target, source)
    except NotComputable as why:
        raise MetricFailed("FailedGetResourceMetric", str(why), f"failed to get {name} resource metric value: {why}") from None
    return Answer(proposal.replicas, said, {"type": "Resource", "resource": {"name": name, "current": current}})


def _container(spec: dict[str, Any], target: Target, source: MetricsSource | None) -> Answer:
    name, container = spec.get("name") or "", spec.get("container") or ""
    try:
        proposal, said, current = _computed(name, container, spec.get("target") or {}, target, source)
    except NotComputable as why:
        outer = f"failed to get {container} container metric value: {why}"
        raise MetricFailed("FailedGetContainerResourceMetric", str(why), outer) from None
    status = {"name": name, "current": current, "container": container}
    return Answer(proposal.replicas, said, {"type": "ContainerResource", "containerResource": status})


def _computed(
    resource: str,
    container: str,
    goal: dict[str, Any],
    target: Target,
    source: MetricsSource | None,
) -> tuple[Proposal, str, dict[str, Any]]:
    """Proposal, name for sentences, and `current` (computeStatusForResourceMetricGeneric)."""
    if goal.get("averageValue") is not None:
        try:
            samples, groups = _grouped(resource, container, target, source)
            amount = milli(str(goal["averageValue"]))
            found = arithmetic.by_average(target.replicas, samples, groups, amount, target.tolerances)
        except NotComputable as why:
            raise NotComputable(f"failed to get {resource} usage: {why}") from None
        return found, f"{resource} resource", {"averageValue": _quantity(resource, found.average)}
    percent = goal.get("averageUtilization")
    if percent is None:
        text = "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
        raise NotComputable(text)
    try:
        samples, groups = _grouped(resource, container, target, source)
        requests = lambda: arithmetic.requests_of(target.pods, container, resource)  # noqa: E731 - asked for only once samples are there
        found = arithmetic.by_utilization(target.replicas, samples, groups, requests, percent, target.tolerances)
    except NotComputable as why:
        raise NotComputable(f"failed to get {resource} utilization: {why}") from None
    said = f"{resource} {'container ' if container else ''}resource utilization (percentage of request)"
    return found, said, {"averageValue": _quantity(resource, found.average), "averageUtilization": found.percent}


def _grouped(resource: str, container: str, target: Target, source: MetricsSource | None) -> tuple[dict[str, Sample], arithmetic.Groups]:
    samples = read(source, target.namespace, target.selector, resource, container)
    if not target.pods:
        raise NotComputable("no pods returned by selector while calculating replica count")
    return samples, arithmetic.group(target.pods, samples, resource, target.now, target.patience)


def read(source: MetricsSource | None, namespace: str, selector: LabelSelector, resource: str, container: str) -> dict[str, Sample]:
    """Pod → usage of a resource, of all its containers or of one, from the resource metrics API (GetResourceMetric)."""
    failed = f"unable to get metrics for resource {resource}: "
    if source is None:
        raise NotComputable(f"{failed}unable to fetch metrics from resource metrics API: {ABSENT}")
    try:
        found = [obj for obj in source.pods(namespace) if selector.matches_object(obj)]
    except MetricsUnavailable:
        raise NotComputable(f"{failed}unable to fetch metrics from resource metrics API: {UNAVAILABLE}") from None
    except ApiError as refusal:
        raise NotComputable(f"{failed}unable to fetch metrics from resource metrics API: {refusal}") from None
    if not found:
        raise NotComputable(f"{failed}no metrics returned from resource metrics API")
    samples = ((key_of(obj)[1], _sample(obj, resource, container)) for obj in found)
    return {name: sample for name, sample in samples if sample is not None}


def _sample(obj: Object, resource: str, container: str) -> Sample | None:
    """None when the pod's metrics lack the container or, in any container, the resource."""
    measured = [one for one in obj.get("containers") or [] if not container or one.get("name") == container]
    amounts = [(one.get("usage") or {}).get(resource) for one in measured]
    if not amounts or any(text is None for text in amounts):
        return None
    return Sample(sum(milli(str(text)) for text in amounts), parse_stamp(obj["timestamp"]), seconds(obj.get("window") or ""))


def seconds(duration: str) -> float:
    """A Go duration (`14.987s`, `1m30s`) in seconds."""
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(duration))


def _quantity(resource: str, amount: int) -> str:
    """Milli-units as the status shows them: memory in Ki, Mi … where it is whole bytes (buildQuantity)."""
    value = Fraction(amount, 1000)
    return write_like(value, "1Ki") if resource == "memory" else write(value)


def _identifier(spec: dict[str, Any] | None) -> tuple[str, dict[str, Any] | None]:
    metric = (spec or {}).get("metric") or {}
    return metric.get("name") or "", metric.get("selector")


def _no_object(spec: dict[str, Any], namespace: str) -> MetricFailed:
    described, goal = spec.get("describedObject") or {}, spec.get("target") or {}
    name = _identifier(spec)[0]
    # kind, namespace, name and error stand in this order in the real sentence too
    message = f"unable to get metric {name}: {described.get('kind')} on {namespace} {described.get('name')}/{NO_CUSTOM}"
    inner = message
    if goal.get("type") == "AverageValue" and goal.get("averageValue") is not None:
        inner = f"failed to get {name} object metric: {message}"
    elif goal.get("type") != "Value" or goal.get("value") is None:
        message = inner = "invalid object metric source: neither a value target nor an average value target was set"
    return MetricFailed("FailedGetObjectMetric", message, f"failed to get object metric value: {inner}")


def _no_external(spec: dict[str, Any], namespace: str) -> MetricFailed:
    goal = spec.get("target") or {}
    name, selector = _identifier(spec)
    message = f"unable to get external metric {namespace}/{name}/{selector_text(selector)}: {NO_EXTERNAL.format(name)}"
    if goal.get("averageValue") is not None:
        inner = f"failed to get {name} external metric: {message}"
    elif goal.get("value") is not None:
        inner = f"failed to get external metric {name}: {message}"
    else:
        message = inner = "invalid external metric source: neither a value target nor an average value target was set"
    return MetricFailed("FailedGetExternalMetric", message, f"failed to get {name} external metric value: {inner}")


def selector_text(selector: dict[str, Any] | None) -> str:
    """A LabelSelector as Go prints it with %+v."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{term.get('key')},Operator:{term.get('operator')},Values:[{' '.join(term.get('values') or [])}],}},"
        for term in selector.get("matchExpressions") or []
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"


def tolerances(behavior: dict[str, Any] | None, default: float) -> Tolerances:
    """Tolerances of an HPA: its behavior's own where it has them (HPAConfigurableTolerance, on by default since 1.35)."""
    down = ((behavior or {}).get("scaleDown") or {}).get("tolerance")
    up = ((behavior or {}).get("scaleUp") or {}).get("tolerance")
    return Tolerances(default if down is None else float(parse(str(down))), default if up is None else float(parse(str(up))))
