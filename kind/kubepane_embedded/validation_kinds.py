"""Validation of the kinds other than pods: what they need, and what an update may not change.

Sources: kubernetes/pkg/apis/{apps,autoscaling,batch,core,networking,policy,rbac,storage}/validation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from kubepane_embedded.checks import (
    CONFIG_KEY,
    CONFIG_KEY_RULE,
    Causes,
    check_name,
    check_not_negative,
    check_port,
    check_port_name,
    check_selector,
    duplicate,
    forbidden_field,
    immutable,
    invalid_value,
    required,
    too_long,
    unsupported,
)
from kubepane_embedded.cronschedule import CronError, load_zone, parse as parse_schedule
from kubepane_embedded.errors import Cause
from kubepane_embedded.meta import Object
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.validation_pods import PROTOCOLS, check_template

Part = dict[str, Any]
CHECKS: dict[str, Callable[[Object], Causes]] = {}
UPDATES: dict[str, Callable[[Object, Object], Causes]] = {}
DATA_LIMIT = 1024 * 1024
STATEFUL_RULE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def checks(*storages: str) -> Callable[[Callable[[Object], Causes]], Callable[[Object], Causes]]:
    """Registers what validates the objects of these collections."""

    def register(function: Callable[[Object], Causes]) -> Callable[[Object], Causes]:
        CHECKS.update(dict.fromkeys(storages, function))
        return function

    return register


def updates(*storages: str) -> Callable[[Callable[[Object, Object], Causes]], Callable[[Object, Object], Causes]]:
    """Registers what an update of the objects of these collections may not change."""

    def register(function: Callable[[Object, Object], Causes]) -> Callable[[Object, Object], Causes]:
        UPDATES.update(dict.fromkeys(storages, function))
        return function

    return register


def _workload(spec: Part, whole: bool = True) -> Causes:
    """Replicas, selector and template, and that the selector selects the template.

    Upstream looks at the whole pod spec of a template, but for a StatefulSet's, whose volumes come from its claim templates.
    """
    causes = check_not_negative(spec.get("replicas"), "spec.replicas")
    selector, template = spec.get("selector"), spec.get("template")
    if selector is None:
        causes.append(required("spec.selector"))
    else:
        causes += check_selector(selector, "spec.selector")
        if not (selector.get("matchLabels") or selector.get("matchExpressions")):
            causes.append(invalid_value("spec.selector", selector, "empty selector is invalid for deployment"))
    labels = ((template or {}).get("metadata") or {}).get("labels") or {}
    if not LabelSelector.of(selector).matches(labels):
        causes.append(invalid_value("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`"))
    causes += check_template(template if isinstance(template, dict) else {}, "spec.template", whole)
    causes += check_not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    return causes + check_not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit")


@checks("deployments.apps")
def _deployment(obj: Object) -> Causes:
    spec = obj["spec"]
    causes = _workload(spec)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") not in ("RollingUpdate", "Recreate"):
        causes.append(unsupported("spec.strategy.type", strategy.get("type"), ["Recreate", "RollingUpdate"]))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        causes.append(forbidden_field("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"))
    elif rolling:
        causes += _rolling(rolling, "spec.strategy.rollingUpdate")
    deadline, least = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if isinstance(deadline, int) and deadline <= least:
        causes.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _rolling(rolling: Part, path: str) -> Causes:
    causes: Causes = []
    for name in ("maxUnavailable", "maxSurge"):
        causes += count_or_percent(rolling.get(name), f"{path}.{name}")
    if all(str(rolling.get(name)) in ("0", "0%") for name in ("maxUnavailable", "maxSurge")):
        causes.append(invalid_value(f"{path}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
    return causes


def count_or_percent(value: Any, path: str) -> Causes:
    """A number of pods, or a percentage of them."""
    if isinstance(value, str):
        if not value.endswith("%") or not value[:-1].isdigit():
            rule = PERCENT_RULE
            return [invalid_value(path, value, rule)]
        return []
    return check_not_negative(value, path)


@checks("replicasets.apps")
def _replica_set(obj: Object) -> Causes:
    return _workload(obj["spec"])


@checks("daemonsets.apps")
def _daemon_set(obj: Object) -> Causes:
    return _workload(obj["spec"])


@checks("statefulsets.apps")
def _stateful_set(obj: Object) -> Causes:
    causes = _workload(obj["spec"], whole=False)
    if obj["spec"].get("podManagementPolicy") not in ("OrderedReady", "Parallel"):
        rule = "must be 'OrderedReady' or 'Parallel'"
        causes.append(invalid_value("spec.podManagementPolicy", obj["spec"].get("podManagementPolicy"), rule))
    return causes


@updates("deployments.apps", "replicasets.apps", "daemonsets.apps")
def _same_selector(obj: Object, old: Object) -> Causes:
    if obj["spec"].get("selector") != old["spec"].get("selector"):
        return [immutable("spec.selector", obj["spec"].get("selector"))]
    return []


@updates("statefulsets.apps")
def _stateful_set_update(obj: Object, old: Object) -> Causes:
    free = (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
    before = {key: value for key, value in old["spec"].items() if key not in free}
    after = {key: value for key, value in obj["spec"].items() if key not in free}
    return [forbidden_field("spec", STATEFUL_RULE)] if before != after else []


@checks("jobs.batch")
def _job(obj: Object) -> Causes:
    return _job_spec(obj["spec"], "spec")


def _job_spec(spec: Part, path: str) -> Causes:
    causes: Causes = []
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        causes += check_not_negative(spec.get(name), f"{path}.{name}")
    causes += check_template(spec.get("template"), f"{path}.template", restarts=())
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        where = f"{path}.template.spec.restartPolicy"
        message = 'Required value: valid values: "OnFailure", "Never"'
        causes.append(Cause("FieldValueRequired", message, where))
    return causes


@updates("jobs.batch")
def _job_update(obj: Object, old: Object) -> Causes:
    causes: Causes = []
    suspended = bool(old["spec"].get("suspend"))
    for name in ("selector", "template", "completionMode", "completions"):
        if name == "completions" and old["spec"].get("completionMode") == "Indexed":
            continue
        if name == "template" and suspended and not (old.get("status") or {}).get("startTime"):
            continue
        if obj["spec"].get(name) != old["spec"].get(name):
            causes.append(immutable(f"spec.{name}", obj["spec"].get(name)))
    return causes


@checks("cronjobs.batch")
def _cron_job(obj: Object) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    causes += _schedule(spec)
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        causes.append(unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ["Allow", "Forbid", "Replace"]))
    return causes + _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _schedule(spec: Part) -> Causes:
    schedule, zone = str(spec.get("schedule") or ""), spec.get("timeZone")
    if not schedule:
        return [required("spec.schedule")]
    causes: Causes = []
    try:
        parse_schedule(schedule)
    except CronError as wrong:
        causes.append(invalid_value("spec.schedule", schedule, str(wrong)))
    if "TZ" in schedule:
        causes.append(invalid_value("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
    return causes + ([] if zone is None else _time_zone(str(zone)))


def _time_zone(zone: str) -> Causes:
    if not zone:
        return [invalid_value("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [invalid_value("spec.timeZone", zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")]
    try:
        load_zone(zone)
    except CronError as unknown:
        return [invalid_value("spec.timeZone", zone, str(unknown))]
    return []


@checks("services")
def _service(obj: Object) -> Causes:
    spec = obj["spec"]
    causes = check_name(obj["metadata"].get("name", ""), "metadata.name", "label1035")
    kind, ports = spec.get("type"), spec.get("ports") or []
    if kind not in ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"):
        causes.append(unsupported("spec.type", kind, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]))
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if headless and kind in ("NodePort", "LoadBalancer"):
        causes.append(invalid_value("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName" and not spec.get("externalName"):
        causes.append(required("spec.externalName"))
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        causes.append(unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ["ClientIP", "None"]))
    return causes + _service_ports(ports, kind != "ExternalName" and not headless)


def _service_ports(ports: list[Part], named: bool) -> Causes:
    causes: Causes = []
    names: set[str] = set()
    pairs: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if len(ports) > 1 and not name:
            causes.append(required(f"{here}.name"))
        elif name:
            causes += check_name(name, f"{here}.name", "label")
            if name in names:
                causes.append(duplicate(f"{here}.name", name))
            names.add(name)
        causes += check_port(port.get("port"), f"{here}.port")
        if port.get("protocol") not in PROTOCOLS:
            causes.append(unsupported(f"{here}.protocol", port.get("protocol"), PROTOCOLS))
        target = port.get("targetPort")
        if isinstance(target, str) and target:
            causes += check_port_name(target, f"{here}.targetPort")
        elif target is not None and not isinstance(target, str):
            causes += check_port(target, f"{here}.targetPort")
        pair = (port.get("port"), port.get("protocol"))
        if pair in pairs:
            causes.append(duplicate(here, {"port": port.get("port"), "protocol": port.get("protocol")}))
        pairs.add(pair)
    return causes


@updates("services")
def _service_update(obj: Object, old: Object) -> Causes:
    before, after = old["spec"], obj["spec"]
    if "ExternalName" in (before.get("type"), after.get("type")) or not before.get("clusterIP"):
        return []
    if after.get("clusterIP") != before["clusterIP"]:
        value = after.get("clusterIPs") or [after.get("clusterIP")]
        return [invalid_value("spec.clusterIPs[0]", value, "may not change once set")]
    return []


@checks("configmaps")
def _config_map(obj: Object) -> Causes:
    causes: Causes = []
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    size = 0
    for name, part in (("data", data), ("binaryData", binary)):
        for key, value in part.items():
            causes += _config_key(key, f"{name}[{key}]")
            size += len(str(value).encode())
    causes += [invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData") for key in data if key in binary]
    return [*causes, too_long("[]", DATA_LIMIT)] if size > DATA_LIMIT else causes


def _config_key(key: str, field: str) -> Causes:
    if len(key) > 253:
        return [invalid_value(field, key, "must be no more than 253 bytes")]
    return [] if CONFIG_KEY.fullmatch(key) else [invalid_value(field, key, CONFIG_KEY_RULE)]


@updates("configmaps", "secrets")
def _immutable_data(obj: Object, old: Object) -> Causes:
    causes: Causes = []
    if obj["kind"] == "Secret" and obj.get("type") != old.get("type"):
        causes.append(immutable("type", obj.get("type")))
    if not old.get("immutable"):
        return causes
    rule = "field is immutable when `immutable` is set"
    if not obj.get("immutable"):
        causes.append(forbidden_field("immutable", rule))
    for name in ("data", "binaryData"):
        if (obj.get(name) or {}) != (old.get(name) or {}):
            causes.append(forbidden_field(name, rule))
    return causes


@checks("secrets")
def _secret(obj: Object) -> Causes:
    causes: Causes = []
    data = obj.get("data") or {}
    size = 0
    for key, value in data.items():
        causes += _config_key(key, f"data[{key}]")
        size += _decoded(value)
    if size > DATA_LIMIT:
        causes.append(too_long("data", DATA_LIMIT))
    needs = {
        "kubernetes.io/tls": ("tls.crt", "tls.key"),
        "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
        "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    }
    causes += [required(f"data[{key}]") for key in needs.get(obj.get("type", ""), ()) if key not in data]
    return causes


def _decoded(value: Any) -> int:
    try:
        return len(base64.b64decode(str(value or ""), validate=True))
    except (binascii.Error, ValueError):
        return 0
