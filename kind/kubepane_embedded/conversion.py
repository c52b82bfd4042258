"""Between the served versions and the stored one: HPA autoscaling/v1 and v2, Event events.k8s.io/v1 and core/v1.

Rules: kubernetes/pkg/apis/autoscaling/v1/conversion.go and pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
EVENT_NAMES = (
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
)


def is_converted(resource: Resource) -> bool:
    """Whether this version differs from the stored one."""
    return (resource.group, resource.version) in (("autoscaling", "v1"), ("events.k8s.io", "v1"))


def from_storage(resource: Resource, obj: Object) -> Object:
    """A stored object in the version of the resource; the argument is not changed."""
    if not is_converted(resource):
        return obj
    if resource.group == "autoscaling":
        return _to_v1(obj)
    return _renamed(obj, [(new, old) for new, old in EVENT_NAMES], "events.k8s.io/v1")


def to_storage(resource: Resource, obj: Object) -> Object:
    """An object of the resource's version as it is stored; the argument is not changed."""
    if not is_converted(resource):
        return obj
    if resource.group == "autoscaling":
        return _to_v2(obj)
    return _renamed(obj, [(old, new) for new, old in EVENT_NAMES], "v1")


def _renamed(obj: Object, names: list[tuple[str, str]], version: str) -> Object:
    """Fields under their new names: (new, old) pairs."""
    back = {old: new for new, old in names}
    return {**{back.get(key, key): value for key, value in obj.items()}, "apiVersion": version}


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _decode(text: Any) -> Any:
    try:
        return msgspec.json.decode(str(text))
    except msgspec.DecodeError:
        return None


def _to_v1(obj: Object) -> Object:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    meta = dict(obj["metadata"])
    notes = dict(meta.get("annotations") or {})
    shown_spec = {name: spec[name] for name in ("scaleTargetRef", "minReplicas", "maxReplicas") if name in spec}
    others = []
    for metric in spec.get("metrics") or []:
        target = (metric.get("resource") or {}).get("target") or {}
        if (metric.get("resource") or {}).get("name") == "cpu" and target.get("averageUtilization") is not None:
            shown_spec["targetCPUUtilizationPercentage"] = target["averageUtilization"]
        else:
            others.append(metric)
    shown = {name: status[name] for name in ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas") if name in status}
    shown.setdefault("currentReplicas", 0)
    shown.setdefault("desiredReplicas", 0)
    for metric in status.get("currentMetrics") or []:
        current = (metric.get("resource") or {}).get("current") or {}
        if (metric.get("resource") or {}).get("name") == "cpu" and current.get("averageUtilization") is not None:
            shown["currentCPUUtilizationPercentage"] = current["averageUtilization"]
    if others:
        notes[METRICS] = _encode(others)
    if spec.get("behavior"):
        notes[BEHAVIOR] = _encode(spec["behavior"])
    if status.get("conditions"):
        notes[CONDITIONS] = _encode(status["conditions"])
    if status.get("currentMetrics"):
        notes[CURRENT] = _encode(status["currentMetrics"])
    if notes:
        meta["annotations"] = notes
    return {"kind": obj["kind"], "apiVersion": "autoscaling/v1", "metadata": meta, "spec": shown_spec, "status": shown}


def _to_v2(obj: Object) -> Object:
    spec, meta = dict(obj.get("spec") or {}), dict(obj.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    metrics: list[Any] = []
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}})
    more = _decode(notes.pop(METRICS, "null"))
    if isinstance(more, list):
        metrics += [metric for metric in more if isinstance(metric, dict)]
    behavior = _decode(notes.pop(BEHAVIOR, "null"))
    for name in (CONDITIONS, CURRENT):
        notes.pop(name, None)
    if metrics:
        spec["metrics"] = metrics
    if isinstance(behavior, dict):
        spec["behavior"] = behavior
    if notes:
        meta["annotations"] = notes
    else:
        meta.pop("annotations", None)
    status = {name: value for name, value in (obj.get("status") or {}).items() if name != "currentCPUUtilizationPercentage"}
    return {**obj, "apiVersion": "autoscaling/v2", "metadata": meta, "spec": spec, "status": status}
