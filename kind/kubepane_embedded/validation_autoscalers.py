"""Validation of HorizontalPodAutoscalers: target, metrics, behavior (kubernetes/pkg/apis/autoscaling/validation)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubepane_embedded.checks import Causes, forbidden_field, invalid_value, required, unsupported
from kubepane_embedded.meta import Object
from kubepane_embedded.quantity import parse
from kubepane_embedded.validation_kinds import checks

Part = dict[str, Any]
LONGEST_PERIOD = 1800
LONGEST_WINDOW = 3600
TARGETS = ("Utilization", "Value", "AverageValue")
POLICIES = ["Percent", "Pods"]
SELECTIONS = ["Disabled", "Max", "Min"]


@checks("horizontalpodautoscalers.autoscaling")
def _autoscaler(obj: Object) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if isinstance(least, int) and least < 1:
        causes.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if isinstance(least, int) and most < least:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    causes += _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", False)
    for index, metric in enumerate(spec.get("metrics") or []):
        causes += _metric(metric, f"spec.metrics[{index}]")
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        causes += _rules(rules, f"spec.behavior.{name}") if rules is not None else []
    return causes


def _reference(reference: Part, path: str, coreless: bool) -> Causes:
    """A reference to an object in any version of its group; `coreless` lets the group be left out."""
    causes: Causes = []
    for name in ("kind", "name"):
        value = reference.get(name) or ""
        causes += _segment(value, f"{path}.{name}") if value else [required(f"{path}.{name}")]
    version = reference.get("apiVersion") or ""
    if version.count("/") > 1:
        causes.append(invalid_value(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif not coreless and not version.rpartition("/")[0]:
        causes.append(invalid_value(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return causes


def _segment(value: str, path: str) -> Causes:
    """What goes into a URL as one step."""
    if value in (".", ".."):
        return [invalid_value(path, value, f"may not be '{value}'")]
    return [invalid_value(path, value, f"may not contain '{sign}'") for sign in "/%" if sign in value]


def _metric(metric: Part, path: str) -> Causes:
    kind = metric.get("type") or ""
    sources: dict[str, Callable[[Part, str], Causes]] = {
        "object": _object,
        "external": _external,
        "pods": _pods,
        "resource": _resource,
        "containerResource": _container,
    }
    present = [name for name in sources if metric.get(name) is not None]
    known = sorted(name[0].upper() + name[1:] for name in sources)
    if not kind:
        return [required(f"{path}.type", "must specify a metric source type")]
    if kind not in known:
        return [unsupported(f"{path}.type", kind, known)]
    causes = sources[present[0]](metric[present[0]], f"{path}.{present[0]}") if present else []
    expected = kind[0].lower() + kind[1:]
    if expected not in present:
        causes.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    others = [name for name in present if name != expected] if len(present) != 1 else []
    return causes + [forbidden_field(f"{path}.{name}", "must populate the given metric source only") for name in others]


def _object(source: Part, path: str) -> Causes:
    causes = _reference(source.get("describedObject") or {}, f"{path}.describedObject", True)
    causes += _identifier(source, path) + _target(source, path)
    return causes + _either(source, path, ("value", "averageValue"), "averageValue", "must set either a target value or averageValue")


def _external(source: Part, path: str) -> Causes:
    causes = _identifier(source, path) + _target(source, path)
    both = ("value", "averageValue")
    causes += _either(source, path, both, "averageValue", "must set either a target value for metric or a per-pod target")
    return causes + _not_both(source, path, both, "value", "may not set both a target value for metric and a per-pod target")


def _pods(source: Part, path: str) -> Causes:
    causes = _identifier(source, path) + _target(source, path)
    return causes + _either(source, path, ("averageValue",), "averageValue", "must specify a positive target averageValue")


def _resource(source: Part, path: str) -> Causes:
    causes = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return causes + _amount(source, path)


def _container(source: Part, path: str) -> Causes:
    causes = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    causes += [] if source.get("container") else [required(f"{path}.container", "must specify a container")]
    return causes + _amount(source, path)


def _amount(source: Part, path: str) -> Causes:
    both = ("averageUtilization", "averageValue")
    causes = _target(source, path)
    causes += _either(source, path, both, "averageUtilization", "must set either a target raw value or a target utilization")
    return causes + _not_both(source, path, both, "averageValue", "may not set both a target raw value and a target utilization")


def _identifier(source: Part, path: str) -> Causes:
    name = (source.get("metric") or {}).get("name") or ""
    where = f"{path}.metric.name"
    return _segment(name, where) if name else [required(where, "must specify a metric name")]


def _either(source: Part, path: str, fields: tuple[str, ...], where: str, rule: str) -> Causes:
    target = source.get("target") or {}
    return [] if any(target.get(name) is not None for name in fields) else [required(f"{path}.target.{where}", rule)]


def _not_both(source: Part, path: str, fields: tuple[str, ...], where: str, rule: str) -> Causes:
    target = source.get("target") or {}
    return [forbidden_field(f"{path}.target.{where}", rule)] if all(target.get(name) is not None for name in fields) else []


def _target(source: Part, path: str) -> Causes:
    target, path = source.get("target") or {}, f"{path}.target"
    kind = target.get("type") or ""
    causes = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind not in TARGETS:
        causes.append(invalid_value(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    amounts = [(name, str(target[name])) for name in ("value", "averageValue") if target.get(name) is not None]
    causes += [invalid_value(f"{path}.{name}", text, "must be positive") for name, text in amounts if parse(text) <= 0]
    percent = target.get("averageUtilization")
    if isinstance(percent, int) and percent < 1:
        causes.append(invalid_value(f"{path}.averageUtilization", percent, "must be greater than 0"))
    return causes


def _rules(rules: Part, path: str) -> Causes:
    causes: Causes = []
    window, selection = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        causes.append(invalid_value(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > LONGEST_WINDOW:
        causes.append(invalid_value(f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {LONGEST_WINDOW}"))
    if selection is not None and selection not in SELECTIONS:
        causes.append(unsupported(f"{path}.selectPolicy", selection, SELECTIONS))
    if not rules.get("policies"):
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(rules.get("policies") or []):
        causes += _policy(policy, f"{path}.policies[{index}]")
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse(str(tolerance)) < 0:
        causes.append(invalid_value(f"{path}.tolerance", str(tolerance), "must be greater than or equal to 0"))
    return causes


def _policy(policy: Part, path: str) -> Causes:
    kind, value, period = policy.get("type") or "", policy.get("value") or 0, policy.get("periodSeconds") or 0
    causes = [] if kind in POLICIES else [unsupported(f"{path}.type", kind, POLICIES)]
    causes += [
        invalid_value(f"{path}.{name}", got, "must be greater than zero") for name, got in (("value", value), ("periodSeconds", period)) if got <= 0
    ]
    if period > LONGEST_PERIOD:
        causes.append(invalid_value(f"{path}.periodSeconds", period, f"must be less than or equal to {LONGEST_PERIOD}"))
    return causes
