"""Admission plugins that a default API server runs: namespaces, service accounts, tolerations, priority, limits, classes, quota.

Sources: kubernetes/plugin/pkg/admission/* and apiserver/pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded import errors, quota
from kubepane_embedded.meta import Object, annotations_of, is_deleting
from kubepane_embedded.quantity import parse, write_like
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import User, WriteOptions
from kubepane_embedded.storageclasses import default_class, says_class
from kubepane_embedded.strategy import qos_class
from kubepane_embedded.world import World

Part = dict[str, Any]
IMMORTAL = ("default", "kube-system", "kube-public")
DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SYSTEM_PRIORITIES = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}


def check_namespace(world: World, resource: Resource, namespace: str, name: str) -> None:
    """NamespaceLifecycle: the namespace must exist and not be going."""
    if not resource.namespaced:
        return
    found = world.storage.read("namespaces", "", namespace)
    if found is None:
        raise errors.not_found("", "namespaces", namespace)
    if is_deleting(found) or (found.get("status") or {}).get("phase") == "Terminating":
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        refusal = errors.forbidden(resource.group, resource.plural, name, why)
        refusal.details = {
            **(refusal.details or {}),
            "causes": [{"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated", "field": "metadata.namespace"}],
        }
        raise refusal


def mutate_create(world: World, user: User, resource: Resource, obj: Object, options: WriteOptions) -> None:
    """Plugins that change a new object."""
    storage = resource.storage
    if storage == "pods":
        _limit_ranger(world, obj)
        _service_account(world, obj)
        _priority(world, obj)
        _tolerations(obj)
        obj["spec"].setdefault("preemptionPolicy", "PreemptLowerPriority")
    elif storage == "persistentvolumeclaims":
        _storage_class(world, obj)
        _protect(obj, "kubernetes.io/pvc-protection")
    elif storage == "persistentvolumes":
        _protect(obj, "kubernetes.io/pv-protection")
    elif storage == "ingresses.networking.k8s.io":
        _ingress_class(world, obj)
    elif storage == "nodes":
        _new_node(obj)


def mutate_update(world: World, user: User, resource: Resource, obj: Object, old: Object, options: WriteOptions) -> None:
    """Plugins that change an updated object."""
    if resource.storage == "pods" and old["spec"].get("priority") is not None:
        for name in ("priority", "preemptionPolicy"):
            if obj["spec"].get(name) is None and old["spec"].get(name) is not None:
                obj["spec"][name] = old["spec"][name]


def check_create(world: World, user: User, resource: Resource, obj: Object, options: WriteOptions) -> None:
    """Plugins that refuse a new object: limits, then quota (which also counts the usage)."""
    if resource.storage == "pods":
        _check_limits(world, obj)
    quota.charge(world, resource, obj, None, options)


def check_update(world: World, user: User, resource: Resource, obj: Object, old: Object) -> None:
    """Quota of an update that asks for more."""
    if resource.storage in quota.CHARGED_ON_UPDATE:
        quota.charge(world, resource, obj, old, WriteOptions())


def check_delete(world: World, user: User, resource: Resource, obj: Object) -> None:
    """Namespaces that may not go."""
    name = obj["metadata"]["name"]
    if resource.storage == "namespaces" and name in IMMORTAL:
        raise errors.forbidden("", "namespaces", name, "this namespace may not be deleted")


def _service_account(world: World, obj: Object) -> None:
    spec, meta = obj["spec"], obj["metadata"]
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    name = spec["serviceAccountName"]
    account = world.storage.read("serviceaccounts", meta["namespace"], name)
    if account is None:
        why = f'error looking up service account {meta["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise errors.forbidden("", "pods", meta.get("name", ""), why)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = list(account["imagePullSecrets"])
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is not False:
        _mount_token(world, spec)


def _mount_token(world: World, spec: Part) -> None:
    """The projected volume with the token (plugin/pkg/admission/serviceaccount)."""
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    bare = [one for one in containers if not any(mount.get("mountPath") == TOKEN_PATH for mount in one.get("volumeMounts") or [])]
    if not bare:
        return
    name = f"kube-api-access-{world.seed.suffix()}"
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": name, "projected": {"sources": sources, "defaultMode": 420}}]


def _priority(world: World, obj: Object) -> None:
    spec, name = obj["spec"], obj["spec"].get("priorityClassName")
    classes = world.storage.objects("priorityclasses.scheduling.k8s.io")
    if not name:
        chosen = next((one for one in classes if one.get("globalDefault")), None)
        spec["priority"] = chosen["value"] if chosen else 0
        if chosen:
            spec["priorityClassName"] = chosen["metadata"]["name"]
        return
    found = next((one for one in classes if one["metadata"]["name"] == name), None)
    if found is None and name not in SYSTEM_PRIORITIES:
        raise errors.forbidden("", "pods", obj["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
    spec["priority"] = found["value"] if found else SYSTEM_PRIORITIES[name]
    if found and found.get("preemptionPolicy"):
        spec.setdefault("preemptionPolicy", found["preemptionPolicy"])


def _tolerations(obj: Object) -> None:
    """DefaultTolerationSeconds: five minutes on a node that is not ready or unreachable."""
    present = obj["spec"].get("tolerations") or []
    for key in NOT_READY:
        if not any(one.get("key") in (key, None, "") and one.get("effect") in ("NoExecute", None, "") for one in present):
            present = [*present, {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    obj["spec"]["tolerations"] = present


def _storage_class(world: World, obj: Object) -> None:
    chosen = None if says_class(obj) else default_class(world.storage)
    if chosen is not None:
        obj["spec"]["storageClassName"] = chosen["metadata"]["name"]


def _ingress_class(world: World, obj: Object) -> None:
    spec = obj.get("spec") or {}
    if spec.get("ingressClassName") is not None or annotations_of(obj).get("kubernetes.io/ingress.class") is not None:
        return
    classes = world.storage.objects("ingressclasses.networking.k8s.io")
    chosen = [one for one in classes if annotations_of(one).get(DEFAULT_INGRESS_CLASS) == "true"]
    if len(chosen) == 1:
        spec["ingressClassName"] = chosen[0]["metadata"]["name"]


def _protect(obj: Object, finalizer: str) -> None:
    present = obj["metadata"].get("finalizers") or []
    if finalizer not in present:
        obj["metadata"]["finalizers"] = [*present, finalizer]


def _new_node(obj: Object) -> None:
    """TaintNodesByCondition: a new node is not ready until its conditions say so."""
    spec = obj["spec"] = obj.get("spec") or {}
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    if not any(one.get("key") == taint["key"] and one.get("effect") == taint["effect"] for one in spec.get("taints") or []):
        spec["taints"] = [*(spec.get("taints") or []), taint]


def _limits(world: World, namespace: str, kind: str) -> list[Part]:
    ranges = world.storage.objects("limitranges", namespace)
    return [limit for one in ranges for limit in (one.get("spec") or {}).get("limits") or [] if limit.get("type") == kind]


def _limit_ranger(world: World, obj: Object) -> None:
    """LimitRanger: default requests and limits of containers."""
    limits = _limits(world, obj["metadata"]["namespace"], "Container")
    for limit in limits:
        for container in [*(obj["spec"].get("initContainers") or []), *(obj["spec"].get("containers") or [])]:
            resources = container.setdefault("resources", {})
            for part, defaults in (("limits", limit.get("default")), ("requests", limit.get("defaultRequest"))):
                for name, amount in (defaults or {}).items():
                    resources[part] = {name: amount, **(resources.get(part) or {})}
    if limits:
        obj.setdefault("status", {})["qosClass"] = qos_class(obj["spec"])


def _check_limits(world: World, obj: Object) -> None:
    complaints: list[str] = []
    for limit in _limits(world, obj["metadata"]["namespace"], "Container"):
        for container in obj["spec"].get("containers") or []:
            complaints += _container_complaints(limit, container.get("resources") or {})
    if complaints:
        joined = complaints[0] if len(complaints) == 1 else f"[{', '.join(complaints)}]"
        raise errors.forbidden("", "pods", obj["metadata"].get("name", ""), joined)


def _container_complaints(limit: Part, resources: Part) -> list[str]:
    found = []
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, bound in (limit.get("min") or {}).items():
        if name not in requests:
            found.append(f"minimum {name} usage per Container is {bound}.  No request is specified")
        elif parse(requests[name]) < parse(bound):
            found.append(f"minimum {name} usage per Container is {bound}, but request is {requests[name]}")
    for name, bound in (limit.get("max") or {}).items():
        if name not in limits:
            found.append(f"maximum {name} usage per Container is {bound}.  No limit is specified")
        elif parse(limits[name]) > parse(bound):
            found.append(f"maximum {name} usage per Container is {bound}, but limit is {write_like(parse(limits[name]), limits[name])}")
    return found
