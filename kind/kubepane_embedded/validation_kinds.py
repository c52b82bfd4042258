"""Validation of the kinds other than pods: what they need, and what an update may not change.

Sources: kubernetes/pkg/apis/{apps,autoscaling,batch,core,networking,policy,rbac,storage}/validation.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from typing import Any

from kubepane_embedded.checks import (
    CONFIG_KEY,
    CONFIG_KEY_RULE,
    Causes,
    amount,
    check_name,
    check_not_negative,
    check_port,
    check_port_name,
    check_qualified,
    check_selector,
    duplicate,
    forbidden_field,
    immutable,
    invalid_value,
    required,
    too_long,
    unsupported,
)
from kubepane_embedded.errors import Cause
from kubepane_embedded.meta import Object
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.validation_pods import EFFECTS, PROTOCOLS, check_template

Part = dict[str, Any]
CHECKS: dict[str, Callable[[Object], Causes]] = {}
UPDATES: dict[str, Callable[[Object, Object], Causes]] = {}
DATA_LIMIT = 1024 * 1024
MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
RBAC_GROUP = "rbac.authorization.k8s.io"
STATEFUL_RULE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)
CLAIM_RULE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def _check(*storages: str) -> Callable[[Callable[[Object], Causes]], Callable[[Object], Causes]]:
    def register(function: Callable[[Object], Causes]) -> Callable[[Object], Causes]:
        CHECKS.update(dict.fromkeys(storages, function))
        return function

    return register


def _update(*storages: str) -> Callable[[Callable[[Object, Object], Causes]], Callable[[Object, Object], Causes]]:
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


@_check("deployments.apps")
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
        causes += _count_or_percent(rolling.get(name), f"{path}.{name}")
    if all(str(rolling.get(name)) in ("0", "0%") for name in ("maxUnavailable", "maxSurge")):
        causes.append(invalid_value(f"{path}.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0"))
    return causes


def _count_or_percent(value: Any, path: str) -> Causes:
    if isinstance(value, str):
        if not value.endswith("%") or not value[:-1].isdigit():
            rule = PERCENT_RULE
            return [invalid_value(path, value, rule)]
        return []
    return check_not_negative(value, path)


@_check("replicasets.apps")
def _replica_set(obj: Object) -> Causes:
    return _workload(obj["spec"])


@_check("daemonsets.apps")
def _daemon_set(obj: Object) -> Causes:
    return _workload(obj["spec"])


@_check("statefulsets.apps")
def _stateful_set(obj: Object) -> Causes:
    causes = _workload(obj["spec"], whole=False)
    if obj["spec"].get("podManagementPolicy") not in ("OrderedReady", "Parallel"):
        rule = "must be 'OrderedReady' or 'Parallel'"
        causes.append(invalid_value("spec.podManagementPolicy", obj["spec"].get("podManagementPolicy"), rule))
    return causes


@_update("deployments.apps", "replicasets.apps", "daemonsets.apps")
def _same_selector(obj: Object, old: Object) -> Causes:
    if obj["spec"].get("selector") != old["spec"].get("selector"):
        return [immutable("spec.selector", obj["spec"].get("selector"))]
    return []


@_update("statefulsets.apps")
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


@_check("jobs.batch")
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


@_update("jobs.batch")
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


@_check("cronjobs.batch")
def _cron_job(obj: Object) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    schedule = spec.get("schedule")
    if not schedule:
        causes.append(required("spec.schedule"))
    elif len(str(schedule).split()) != 5 and not str(schedule).startswith("@"):
        rule = f"expected exactly 5 fields, found {len(str(schedule).split())}: [{' '.join(str(schedule).split())}]"
        causes.append(invalid_value("spec.schedule", schedule, rule))
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        causes.append(unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ["Allow", "Forbid", "Replace"]))
    return causes + _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


@_check("services")
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


@_update("services")
def _service_update(obj: Object, old: Object) -> Causes:
    before, after = old["spec"], obj["spec"]
    if "ExternalName" in (before.get("type"), after.get("type")) or not before.get("clusterIP"):
        return []
    if after.get("clusterIP") != before["clusterIP"]:
        value = after.get("clusterIPs") or [after.get("clusterIP")]
        return [invalid_value("spec.clusterIPs[0]", value, "may not change once set")]
    return []


@_check("configmaps")
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


@_update("configmaps", "secrets")
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


@_check("secrets")
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


@_check("horizontalpodautoscalers.autoscaling")
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
    target = spec.get("scaleTargetRef") or {}
    causes += [required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)]
    for index, metric in enumerate(spec.get("metrics") or []):
        causes += _metric(metric, f"spec.metrics[{index}]")
    return causes


def _metric(metric: Part, path: str) -> Causes:
    kind = metric.get("type")
    known = {
        "ContainerResource": "containerResource",
        "External": "external",
        "Object": "object",
        "Pods": "pods",
        "Resource": "resource",
    }
    if not kind:
        return [required(f"{path}.type", "must specify a metric source type")]
    if kind not in known:
        return [unsupported(f"{path}.type", kind, list(known))]
    source = metric.get(known[kind])
    if source is None:
        return [required(f"{path}.{known[kind]}", "must populate information for the given metric source")]
    if kind not in ("Resource", "ContainerResource"):
        return []
    causes = [] if source.get("name") else [required(f"{path}.{known[kind]}.name", "must specify a resource name")]
    target = source.get("target") or {}
    if target.get("averageUtilization") is None and target.get("averageValue") is None:
        rule = "must set either a target raw value or a target utilization"
        causes.append(required(f"{path}.{known[kind]}.target.averageUtilization", rule))
    elif isinstance(target.get("averageUtilization"), int) and target["averageUtilization"] < 1:
        where = f"{path}.{known[kind]}.target.averageUtilization"
        causes.append(invalid_value(where, target["averageUtilization"], "must be greater than 0"))
    return causes


@_check("persistentvolumeclaims")
def _claim(obj: Object) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    if not spec.get("accessModes"):
        causes.append(required("spec.accessModes", "at least 1 access mode is required"))
    causes += [unsupported("spec.accessModes", mode, MODES) for mode in spec.get("accessModes") or [] if mode not in MODES]
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        causes.append(required("spec.resources[storage]"))
    elif amount(storage) <= 0:
        causes.append(invalid_value("spec.resources[storage]", storage, "must be greater than zero"))
    return causes


@_update("persistentvolumeclaims")
def _claim_update(obj: Object, old: Object) -> Causes:
    free = ("resources", "volumeAttributesClassName")
    before = {key: value for key, value in old["spec"].items() if key not in free}
    after = {key: value for key, value in obj["spec"].items() if key not in free}
    if not before.get("volumeName"):
        after.pop("volumeName", None)
        before.pop("volumeName", None)
    causes = [forbidden_field("spec", CLAIM_RULE)] if before != after else []
    present = ((old["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    wanted = ((obj["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    if amount(wanted) < amount(present):
        causes.append(forbidden_field("spec.resources.requests.storage", "field can not be less than status.capacity"))
    elif amount(wanted) != amount(present) and (old.get("status") or {}).get("phase") != "Bound" and not causes:
        causes.append(forbidden_field("spec", CLAIM_RULE))
    return causes


@_check("persistentvolumes")
def _volume(obj: Object) -> Causes:
    spec = obj["spec"]
    causes: Causes = []
    if not spec.get("accessModes"):
        causes.append(required("spec.accessModes"))
    causes += [unsupported("spec.accessModes", mode, MODES) for mode in spec.get("accessModes") or [] if mode not in MODES]
    if not spec.get("capacity"):
        causes.append(required("spec.capacity"))
    elif set(spec["capacity"]) != {"storage"}:
        causes.append(unsupported("spec.capacity", spec["capacity"], ["storage"]))
    elif amount(spec["capacity"]["storage"]) <= 0:
        causes.append(invalid_value("spec.capacity[storage]", spec["capacity"]["storage"], "must be greater than zero"))
    known = ("hostPath", "local", "nfs", "csi", "iscsi", "fc", "rbd", "cephfs", "gcePersistentDisk", "awsElasticBlockStore", "azureDisk")
    if not any(spec.get(source) is not None for source in known):
        causes.append(required("spec", "must specify a volume type"))
    return causes


@_update("persistentvolumes")
def _volume_update(obj: Object, old: Object) -> Causes:
    for source in ("hostPath", "local", "nfs", "csi"):
        if obj["spec"].get(source) != old["spec"].get(source):
            return [forbidden_field("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")]
    return []


@_check("nodes")
def _node(obj: Object) -> Causes:
    causes: Causes = []
    seen: set[tuple[Any, Any]] = set()
    for index, taint in enumerate((obj.get("spec") or {}).get("taints") or []):
        here = f"metadata.taints[{index}]"
        causes += check_qualified(taint.get("key") or "", f"{here}.key")
        if not taint.get("effect"):
            causes.append(required(f"{here}.effect"))
        elif taint["effect"] not in EFFECTS:
            causes.append(unsupported(f"{here}.effect", taint["effect"], EFFECTS))
        pair = (taint.get("key"), taint.get("effect"))
        if pair in seen:
            printed = {"Key": taint.get("key"), "Value": taint.get("value") or "", "Effect": taint.get("effect"), "TimeAdded": None}
            cause = duplicate(here, printed)
            causes.append(Cause(cause.reason, f"{cause.message}: taints must be unique by key and effect pair", cause.field))
        seen.add(pair)
    return causes


@_check("ingresses.networking.k8s.io")
def _ingress(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    causes: Causes = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        causes.append(invalid_value("spec", None, "either `defaultBackend` or `rules` must be specified"))
    for number, rule in enumerate(spec.get("rules") or []):
        for index, path in enumerate((rule.get("http") or {}).get("paths") or []):
            causes += _ingress_path(path, f"spec.rules[{number}].http.paths[{index}]")
    return causes


def _ingress_path(path: Part, here: str) -> Causes:
    causes: Causes = []
    kind = path.get("pathType")
    if not kind:
        causes.append(required(f"{here}.pathType", "pathType must be specified"))
    elif kind not in ("Exact", "ImplementationSpecific", "Prefix"):
        causes.append(unsupported(f"{here}.pathType", kind, ["Exact", "ImplementationSpecific", "Prefix"]))
    elif kind != "ImplementationSpecific" and not str(path.get("path") or "").startswith("/"):
        causes.append(invalid_value(f"{here}.path", path.get("path") or "", "must be an absolute path"))
    service = (path.get("backend") or {}).get("service")
    if service is None and (path.get("backend") or {}).get("resource") is None:
        causes.append(required(f"{here}.backend", "cannot set both resource and service backends"))
    elif service is not None:
        if not service.get("name"):
            causes.append(required(f"{here}.backend.service.name"))
        port = service.get("port") or {}
        if not port.get("name") and not port.get("number"):
            causes.append(required(f"{here}.backend.service", "port name or number is required"))
    return causes


@_check("networkpolicies.networking.k8s.io")
def _network_policy(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    causes = check_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(spec.get(direction) or []):
            for index, peer in enumerate((rule or {}).get(side) or []):
                causes += _peer(peer, f"spec.{direction}[{number}].{side}[{index}]")
    return causes


def _peer(peer: Part, here: str) -> Causes:
    block = peer.get("ipBlock")
    if not any(peer.get(name) is not None for name in ("ipBlock", "podSelector", "namespaceSelector")):
        return [required(here, "must specify a peer")]
    if block is None:
        return []
    if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
        return [forbidden_field(here, "may not specify both ipBlock and another peer")]
    try:
        ipaddress.ip_network(block.get("cidr") or "")
    except ValueError:
        rule = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return [invalid_value(f"{here}.ipBlock.cidr", block.get("cidr") or "", rule)]
    return []


@_check("poddisruptionbudgets.policy")
def _budget(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        names = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
        printed = {name[0].upper() + name[1:]: spec.get(name) for name in names}
        return [invalid_value("spec", printed, "minAvailable and maxUnavailable cannot be both set")]
    causes: Causes = []
    for name in ("minAvailable", "maxUnavailable"):
        causes += _count_or_percent(spec.get(name), f"spec.{name}")
    return causes + check_selector(spec.get("selector"), "spec.selector")


@_check("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
def _binding(obj: Object) -> Causes:
    reference = obj.get("roleRef") or {}
    causes: Causes = []
    if reference.get("apiGroup") != RBAC_GROUP:
        causes.append(unsupported("roleRef.apiGroup", reference.get("apiGroup") or "", [RBAC_GROUP]))
    allowed = ["ClusterRole", "Role"] if obj["kind"] == "RoleBinding" else ["ClusterRole"]
    if reference.get("kind") not in allowed:
        causes.append(unsupported("roleRef.kind", reference.get("kind") or "", allowed))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    for index, subject in enumerate(obj.get("subjects") or []):
        here = f"subjects[{index}]"
        if not subject.get("name"):
            causes.append(required(f"{here}.name"))
        if subject.get("kind") not in ("Group", "ServiceAccount", "User"):
            causes.append(unsupported(f"{here}.kind", subject.get("kind") or "", ["Group", "ServiceAccount", "User"]))
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            causes.append(required(f"{here}.namespace"))
    return causes


@_update("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
def _binding_update(obj: Object, old: Object) -> Causes:
    if obj.get("roleRef") != old.get("roleRef"):
        reference = obj.get("roleRef") or {}
        printed = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
        return [invalid_value("roleRef", printed, "cannot change roleRef")]
    return []


@_check("roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io")
def _role(obj: Object) -> Causes:
    causes: Causes = []
    for index, rule in enumerate(obj.get("rules") or []):
        here = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append(required(f"{here}.verbs", "verbs must contain at least one value"))
        if rule.get("nonResourceURLs"):
            if obj["kind"] == "Role":
                text = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid_value(f"{here}.nonResourceURLs", rule["nonResourceURLs"], text))
            continue
        if not rule.get("apiGroups"):
            causes.append(required(f"{here}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            causes.append(required(f"{here}.resources", "resource rules must supply at least one resource"))
    return causes


@_check("storageclasses.storage.k8s.io")
def _storage_class(obj: Object) -> Causes:
    causes = [] if obj.get("provisioner") else [required("provisioner")]
    if obj.get("volumeBindingMode") not in ("Immediate", "WaitForFirstConsumer"):
        causes.append(unsupported("volumeBindingMode", obj.get("volumeBindingMode"), ["Immediate", "WaitForFirstConsumer"]))
    return causes


@_update("storageclasses.storage.k8s.io")
def _storage_class_update(obj: Object, old: Object) -> Causes:
    causes: Causes = []
    if (obj.get("parameters") or {}) != (old.get("parameters") or {}):
        causes.append(forbidden_field("parameters", "updates to parameters are forbidden."))
    if obj.get("provisioner") != old.get("provisioner"):
        causes.append(forbidden_field("provisioner", "updates to provisioner are forbidden."))
    for name in ("reclaimPolicy", "volumeBindingMode"):
        if obj.get(name) != old.get(name):
            causes.append(immutable(name, obj.get(name)))
    return causes


@_check("events")
def _event(obj: Object) -> Causes:
    namespace = obj["metadata"].get("namespace")
    about = (obj.get("involvedObject") or {}).get("namespace") or ""
    if (about and about != namespace) or (not about and namespace != "default"):
        return [invalid_value("involvedObject.namespace", about, "does not match event.namespace")]
    return []


@_check("resourcequotas")
def _quota(obj: Object) -> Causes:
    causes: Causes = []
    for name, value in ((obj.get("spec") or {}).get("hard") or {}).items():
        if amount(value) < 0:
            causes.append(invalid_value(f"spec.hard[{name}]", str(value), "must be greater than or equal to 0"))
    return causes


@_check("endpointslices.discovery.k8s.io")
def _endpoint_slice(obj: Object) -> Causes:
    kind = obj.get("addressType")
    if not kind:
        return [required("addressType")]
    if kind not in ("FQDN", "IPv4", "IPv6"):
        return [unsupported("addressType", kind, ["FQDN", "IPv4", "IPv6"])]
    causes: Causes = []
    for index, endpoint in enumerate(obj.get("endpoints") or []):
        if not endpoint.get("addresses"):
            causes.append(required(f"endpoints[{index}].addresses", "must contain at least 1 address"))
    return causes


@_check("priorityclasses.scheduling.k8s.io")
def _priority_class(obj: Object) -> Causes:
    if obj.get("value", 0) > 1000000000 and not obj["metadata"].get("name", "").startswith("system-"):
        rule = "maximum allowed value of a user defined priority is 1000000000"
        return [forbidden_field("value", rule)]
    return []


@_update("priorityclasses.scheduling.k8s.io")
def _priority_class_update(obj: Object, old: Object) -> Causes:
    if obj.get("value", 0) != old.get("value", 0):
        return [forbidden_field("value", "may not be changed in an update.")]
    return []
