"""Defaults per kind, as a 1.35 server stores them (kubernetes/pkg/apis/*/v1/defaults.go), and canonical quantities."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object
from kubepane_embedded.pod_defaults import default_pod_spec, default_requests
from kubepane_embedded.quantity import canonical
from kubepane_embedded.registry import Resource
from kubepane_embedded.schemas import Field, root

Part = dict[str, Any]
Default = Callable[[Object, "Object | None"], None]
_DEFAULTS: dict[str, Default] = {}


def set_defaults(resource: Resource, obj: Object, old: Object | None) -> None:
    """Fill in defaults; `old` is the present object on an update (some defaults differ then)."""
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    _drop_empty(obj)
    default = _DEFAULTS.get(resource.storage)
    if default is not None:
        default(obj, old)
    canonicalize(resource, obj)


def _drop_empty(obj: Object) -> None:
    """Empty maps and lists of metadata are not stored (omitempty)."""
    meta = obj["metadata"]
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "generateName", "deletionGracePeriodSeconds"):
        if name in meta and not meta[name] and meta[name] != 0:
            del meta[name]


def _default(storage: str) -> Callable[[Default], Default]:
    def register(function: Default) -> Default:
        _DEFAULTS[storage] = function
        return function

    return register


def _fill(part: Part, **values: Any) -> None:
    for name, value in values.items():
        if part.get(name) is None:
            part[name] = value


def _spec(obj: Object) -> Part:
    if obj.get("spec") is None:
        obj["spec"] = {}
    spec: Part = obj["spec"]
    return spec


def _template(spec: Part) -> None:
    """A template is a struct by value in Go: it is there, and defaulted, even when nothing was given."""
    _fill(spec, template={})
    _fill(spec["template"], metadata={}, spec={})
    default_pod_spec(spec["template"]["spec"])


@_default("pods")
def _pod(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    default_pod_spec(spec)
    default_requests(spec)
    _fill(spec, enableServiceLinks=True)


@_default("deployments.apps")
def _deployment(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template(spec)


@_default("replicasets.apps")
def _replica_set(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1)
    _template(spec)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


@_default("statefulsets.apps")
def _stateful_set(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", updateStrategy={})
    _fill(spec, persistentVolumeClaimRetentionPolicy={})
    _fill(spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain")
    strategy = spec["updateStrategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], partition=0)
    for claim in spec.get("volumeClaimTemplates") or []:
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", spec={}, status={})
        _fill(claim["spec"], volumeMode="Filesystem")
        _fill(claim["status"], phase="Pending")
    _template(spec)


@_default("daemonsets.apps")
def _daemon_set(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, revisionHistoryLimit=10, updateStrategy={})
    strategy = spec["updateStrategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable=1, maxSurge=0)
    _template(spec)
    annotations = obj["metadata"].setdefault("annotations", {})
    if old is None:
        annotations.setdefault("deprecated.daemonset.template.generation", "1")


def _job_spec(spec: Part) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    policy = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    _fill(spec, podReplacementPolicy=policy)
    _template(spec)


@_default("jobs.batch")
def _job(obj: Object, old: Object | None) -> None:
    _job_spec(_spec(obj))


@_default("cronjobs.batch")
def _cron_job(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, jobTemplate={})
    _fill(spec["jobTemplate"], metadata={}, spec={})
    _template(spec["jobTemplate"]["spec"])


@_default("services")
def _service(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    if spec["sessionAffinity"] == "ClientIP":
        _fill(spec, sessionAffinityConfig={})
        _fill(spec["sessionAffinityConfig"], clientIP={})
        _fill(spec["sessionAffinityConfig"]["clientIP"], timeoutSeconds=10800)
    elif spec.get("sessionAffinityConfig") is not None:
        del spec["sessionAffinityConfig"]
    for port in spec.get("ports") or []:
        _fill(port, protocol="TCP")
        if port.get("targetPort") in (None, "", 0) and spec["type"] != "ExternalName":
            port["targetPort"] = port.get("port")
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)


@_default("persistentvolumeclaims")
def _claim(obj: Object, old: Object | None) -> None:
    _fill(_spec(obj), volumeMode="Filesystem")


@_default("persistentvolumes")
def _volume(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    if spec.get("hostPath") is not None:
        _fill(spec["hostPath"], type="")


@_default("storageclasses.storage.k8s.io")
def _storage_class(obj: Object, old: Object | None) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


@_default("horizontalpodautoscalers.autoscaling")
def _autoscaler(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    up = [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]
    down = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    for name, policies, window in (("scaleUp", up, 0), ("scaleDown", down, None)):
        rules = behavior[name] = behavior.get(name) or {}
        _fill(rules, policies=policies, selectPolicy="Max")
        if window is not None:
            _fill(rules, stabilizationWindowSeconds=window)


@_default("networkpolicies.networking.k8s.io")
def _network_policy(obj: Object, old: Object | None) -> None:
    spec = _spec(obj)
    _fill(spec, podSelector={})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            _fill(port, protocol="TCP")


@_default("secrets")
def _secret(obj: Object, old: Object | None) -> None:
    obj["type"] = obj.get("type") or "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        data = obj["data"] = dict(obj.get("data") or {})
        data.update({name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()})


@_default("namespaces")
def _namespace(obj: Object, old: Object | None) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    spec = _spec(obj)
    if old is None and "kubernetes" not in (spec.get("finalizers") or []):
        spec["finalizers"] = [*(spec.get("finalizers") or []), "kubernetes"]


def _subjects(obj: Object, old: Object | None) -> None:
    reference = obj.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = "rbac.authorization.k8s.io"
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = "rbac.authorization.k8s.io"
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace") and obj["kind"] == "RoleBinding":
            subject["namespace"] = obj["metadata"].get("namespace", "")


_DEFAULTS["rolebindings.rbac.authorization.k8s.io"] = _subjects
_DEFAULTS["clusterrolebindings.rbac.authorization.k8s.io"] = _subjects


@_default("clusterroles.rbac.authorization.k8s.io")
def _cluster_role(obj: Object, old: Object | None) -> None:
    obj.setdefault("rules", None)


@_default("limitranges")
def _limit_range(obj: Object, old: Object | None) -> None:
    for limit in _spec(obj).get("limits") or []:
        if limit.get("type") != "Container":
            continue
        bounds = {name: limit[name] for name in ("max", "min", "default", "defaultRequest") if limit.get(name)}
        default = {**(bounds.get("max") or {}), **(bounds.get("default") or {})}
        request = {**(bounds.get("min") or {}), **default, **(bounds.get("defaultRequest") or {})}
        if default:
            limit["default"] = default
        if request:
            limit["defaultRequest"] = request


@_default("leases.coordination.k8s.io")
def _lease(obj: Object, old: Object | None) -> None:
    _spec(obj)


@_default("endpointslices.discovery.k8s.io")
def _endpoint_slice(obj: Object, old: Object | None) -> None:
    for port in obj.get("ports") or []:
        _fill(port, name="", protocol="TCP")
    for endpoint in obj.get("endpoints") or []:
        _fill(endpoint, conditions={})
    obj.setdefault("ports", None)
    obj["endpoints"] = obj.get("endpoints")


@_default("priorityclasses.scheduling.k8s.io")
def _priority_class(obj: Object, old: Object | None) -> None:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")


@_default("events")
def _event(obj: Object, old: Object | None) -> None:
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(name, None)
    for name in ("reportingComponent", "reportingInstance"):
        if obj.get(name) is None:
            obj[name] = ""
    _fill(obj, source={})


@_default("endpoints")
def _endpoints(obj: Object, old: Object | None) -> None:
    for subset in obj.get("subsets") or []:
        for port in subset.get("ports") or []:
            _fill(port, protocol="TCP")


# canonical quantities


def canonicalize(resource: Resource, obj: Object) -> None:
    """Write every quantity in canonical form; BadRequest for one that cannot be read."""
    field = root(resource.api_version, resource.kind)
    for part in ("spec", "status"):
        if part in obj and resource.storage in _QUANTITIES:
            _quantities(obj, field, resource)
            return


_QUANTITIES = frozenset(
    [
        "pods",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "jobs.batch",
        "cronjobs.batch",
        "persistentvolumeclaims",
        "persistentvolumes",
        "nodes",
        "resourcequotas",
        "limitranges",
        "horizontalpodautoscalers.autoscaling",
    ]
)
_reaches: dict[str, bool] = {}


def _has_quantities(field: Field, seen: tuple[str, ...] = ()) -> bool:
    """Whether a quantity can be somewhere below; kept per type."""
    if field.kind == "scalar":
        return field.word == "q"
    if field.kind in ("list", "map"):
        return field.item is not None and _has_quantities(field.item, seen)
    if field.kind != "object" or field.type_name in seen:
        return False
    if field.type_name not in _reaches:
        found = field.type
        _reaches[field.type_name] = found is not None and any(_has_quantities(below, (*seen, field.type_name)) for below in found.fields.values())
    return _reaches[field.type_name]


def _quantities(value: Any, field: Field, resource: Resource) -> None:
    if field.kind == "object" and isinstance(value, dict):
        found = field.type
        for name, part in value.items():
            below = found.fields.get(name) if found else None
            if below is not None and part is not None and _has_quantities(below):
                value[name] = _quantity(part, resource) if below.kind == "scalar" else part
                _quantities(part, below, resource)
    elif field.kind == "map" and isinstance(value, dict) and field.item is not None and field.item.kind == "scalar":
        for name, part in value.items():
            value[name] = _quantity(part, resource)
    elif field.kind == "list" and isinstance(value, list) and field.item is not None:
        for part in value:
            _quantities(part, field.item, resource)


def _quantity(value: Any, resource: Resource) -> str:
    try:
        return canonical(str(value))
    except ValueError:
        rule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        message = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {rule}'
        raise errors.bad_request(message) from None
