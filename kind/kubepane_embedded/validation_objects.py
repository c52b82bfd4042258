"""Validation of storage, network, rights and the other small kinds: what they need, and what an update may not change.

Sources: kubernetes/pkg/apis/{apps,autoscaling,batch,core,networking,policy,rbac,storage}/validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubepane_embedded.checks import (
    Causes,
    amount,
    check_qualified,
    check_selector,
    duplicate,
    forbidden_field,
    immutable,
    invalid_value,
    required,
    unsupported,
)
from kubepane_embedded.errors import Cause
from kubepane_embedded.meta import Object
from kubepane_embedded.storageclasses import says_class
from kubepane_embedded.validation_kinds import checks, count_or_percent, updates
from kubepane_embedded.validation_pods import EFFECTS

Part = dict[str, Any]
MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
RBAC_GROUP = "rbac.authorization.k8s.io"
CLAIM_RULE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


@checks("persistentvolumeclaims")
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


@updates("persistentvolumeclaims")
def _claim_update(obj: Object, old: Object) -> Causes:
    free = ("resources", "volumeAttributesClassName")
    before = {key: value for key, value in old["spec"].items() if key not in free}
    after = {key: value for key, value in obj["spec"].items() if key not in free}
    if not before.get("volumeName"):
        after.pop("volumeName", None)
        before.pop("volumeName", None)
    if not says_class(old):  # a class-less claim may be given one later, above all the default class
        after.pop("storageClassName", None)
    causes = [forbidden_field("spec", CLAIM_RULE)] if before != after else []
    present = ((old["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    wanted = ((obj["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    if amount(wanted) < amount(present):
        causes.append(forbidden_field("spec.resources.requests.storage", "field can not be less than status.capacity"))
    elif amount(wanted) != amount(present) and (old.get("status") or {}).get("phase") != "Bound" and not causes:
        causes.append(forbidden_field("spec", CLAIM_RULE))
    return causes


@checks("persistentvolumes")
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


@updates("persistentvolumes")
def _volume_update(obj: Object, old: Object) -> Causes:
    for source in ("hostPath", "local", "nfs", "csi"):
        if obj["spec"].get(source) != old["spec"].get(source):
            return [forbidden_field("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")]
    return []


@checks("nodes")
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


@checks("ingresses.networking.k8s.io")
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


@checks("networkpolicies.networking.k8s.io")
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


@checks("poddisruptionbudgets.policy")
def _budget(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        names = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
        printed = {name[0].upper() + name[1:]: spec.get(name) for name in names}
        return [invalid_value("spec", printed, "minAvailable and maxUnavailable cannot be both set")]
    causes: Causes = []
    for name in ("minAvailable", "maxUnavailable"):
        causes += count_or_percent(spec.get(name), f"spec.{name}")
    return causes + check_selector(spec.get("selector"), "spec.selector")


@checks("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
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


@updates("rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io")
def _binding_update(obj: Object, old: Object) -> Causes:
    if obj.get("roleRef") != old.get("roleRef"):
        reference = obj.get("roleRef") or {}
        printed = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
        return [invalid_value("roleRef", printed, "cannot change roleRef")]
    return []


@checks("roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io")
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


@checks("storageclasses.storage.k8s.io")
def _storage_class(obj: Object) -> Causes:
    causes = [] if obj.get("provisioner") else [required("provisioner")]
    if obj.get("volumeBindingMode") not in ("Immediate", "WaitForFirstConsumer"):
        causes.append(unsupported("volumeBindingMode", obj.get("volumeBindingMode"), ["Immediate", "WaitForFirstConsumer"]))
    return causes


@updates("storageclasses.storage.k8s.io")
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


@checks("events")
def _event(obj: Object) -> Causes:
    namespace = obj["metadata"].get("namespace")
    about = (obj.get("involvedObject") or {}).get("namespace") or ""
    if (about and about != namespace) or (not about and namespace != "default"):
        return [invalid_value("involvedObject.namespace", about, "does not match event.namespace")]
    return []


@checks("resourcequotas")
def _quota(obj: Object) -> Causes:
    causes: Causes = []
    for name, value in ((obj.get("spec") or {}).get("hard") or {}).items():
        if amount(value) < 0:
            causes.append(invalid_value(f"spec.hard[{name}]", str(value), "must be greater than or equal to 0"))
    return causes


@checks("endpointslices.discovery.k8s.io")
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


@checks("priorityclasses.scheduling.k8s.io")
def _priority_class(obj: Object) -> Causes:
    if obj.get("value", 0) > 1000000000 and not obj["metadata"].get("name", "").startswith("system-"):
        rule = "maximum allowed value of a user defined priority is 1000000000"
        return [forbidden_field("value", rule)]
    return []


@updates("priorityclasses.scheduling.k8s.io")
def _priority_class_update(obj: Object, old: Object) -> Causes:
    if obj.get("value", 0) != old.get("value", 0):
        return [forbidden_field("value", "may not be changed in an update.")]
    return []
