"""ResourceQuota: what objects cost, refusal of what exceeds, and the used amounts in status.

Sources: kubernetes/pkg/quota/v1/evaluator/core, apiserver/pkg/admission/plugin/resourcequota.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.quantity import parse, write_like
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.selectors import Requirement
from kubepane_embedded.strategy import qos_class
from kubepane_embedded.world import World

Usage = dict[str, Fraction]
COUNTED = {
    "configmaps": "configmaps",
    "secrets": "secrets",
    "services": "services",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "replicationcontrollers": "replicationcontrollers",
    "resourcequotas": "resourcequotas",
    "pods": "pods",
}
CHARGED_ON_UPDATE = frozenset({"services", "persistentvolumeclaims"})
TERMINAL = ("Succeeded", "Failed")


def usage_of(resource: Resource, obj: Object) -> Usage:
    """What one object costs, by the names that quotas use."""
    if resource.storage == "pods" and (obj.get("status") or {}).get("phase") in TERMINAL:
        return {f"count/{resource.id}": Fraction(1)}
    usage: Usage = {f"count/{resource.id}": Fraction(1)}
    if resource.storage in COUNTED:
        usage[COUNTED[resource.storage]] = Fraction(1)
    if resource.storage == "pods":
        usage |= _pod_usage(obj["spec"])
    elif resource.storage == "services":
        usage |= _service_usage(obj["spec"])
    elif resource.storage == "persistentvolumeclaims":
        requests = (obj["spec"].get("resources") or {}).get("requests") or {}
        amount = parse(requests.get("storage", "0"))
        usage["requests.storage"] = amount
        name = obj["spec"].get("storageClassName")
        if name:
            usage[f"{name}.storageclass.storage.k8s.io/requests.storage"] = amount
            usage[f"{name}.storageclass.storage.k8s.io/persistentvolumeclaims"] = Fraction(1)
    return usage


def _pod_usage(spec: dict[str, Any]) -> Usage:
    usage: Usage = {}
    for part, prefix in (("requests", "requests."), ("limits", "limits.")):
        total: Usage = {}
        for container in spec.get("containers") or []:
            for name, amount in ((container.get("resources") or {}).get(part) or {}).items():
                total[name] = total.get(name, Fraction(0)) + parse(amount)
        for container in spec.get("initContainers") or []:
            for name, amount in ((container.get("resources") or {}).get(part) or {}).items():
                total[name] = max(total.get(name, Fraction(0)), parse(amount))
        for name, amount in total.items():
            usage[prefix + name] = amount
            if part == "requests":
                usage[name] = amount
    return usage


def _service_usage(spec: dict[str, Any]) -> Usage:
    ports = Fraction(sum(1 for port in spec.get("ports") or [] if port.get("nodePort") or spec.get("type") != "ClusterIP"))
    if spec.get("type") == "LoadBalancer":
        return {"services.loadbalancers": Fraction(1), "services.nodeports": ports}
    return {"services.nodeports": ports} if spec.get("type") == "NodePort" else {}


def charge(world: World, resource: Resource, obj: Object, old: Object | None, options: WriteOptions) -> None:
    """Refuse what exceeds a quota; otherwise count it in the quota's status at once, as the real admission does."""
    namespace = obj["metadata"].get("namespace", "")
    quotas = world.storage.objects("resourcequotas", namespace) if namespace and resource.namespaced else []
    if not quotas or resource.storage == "events":
        return
    cost = usage_of(resource, obj)
    if old is not None:
        before = usage_of(resource, old)
        cost = {name: amount - before.get(name, Fraction(0)) for name, amount in cost.items()}
    quotas = [quota for quota in quotas if _in_scope(quota, resource, obj)]
    for quota in quotas:
        _check(resource, obj, quota, cost)
    if not options.dry_run:
        for quota in quotas:
            _count(world, quota, cost)


def _check(resource: Resource, obj: Object, quota: Object, cost: Usage) -> None:
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = (quota.get("status") or {}).get("used") or {}
    meta = obj["metadata"]
    name = quota["metadata"]["name"]
    if resource.storage == "pods":
        missing = sorted(item for item in hard if item.startswith(("requests.", "limits.")) or item in ("cpu", "memory"))
        absent = [item for item in missing if item not in cost and not item.endswith("storage")]
        if absent:
            lacking = "; ".join(f"{item} for: {_lacking(obj, item)}" for item in absent)
            why = f"failed quota: {name}: must specify {lacking}"
            raise errors.forbidden("", "pods", meta.get("name", ""), why)
    exceeded = [item for item in sorted(hard) if cost.get(item, 0) > 0 and parse(str(used.get(item, "0"))) + cost[item] > parse(str(hard[item]))]
    if exceeded:
        asked = ",".join(f"{item}={write_like(cost[item], str(hard[item]))}" for item in exceeded)
        present = ",".join(f"{item}={used.get(item, '0')}" for item in exceeded)
        limited = ",".join(f"{item}={hard[item]}" for item in exceeded)
        why = f"exceeded quota: {name}, requested: {asked}, used: {present}, limited: {limited}"
        raise errors.forbidden(resource.group, resource.plural, meta.get("name", ""), why)


def _lacking(obj: Object, item: str) -> str:
    """The containers that do not say how much of `item` they want."""
    part, _, name = item.rpartition(".")
    containers = obj["spec"].get("containers") or []
    bare = (one.get("name", "") for one in containers if name not in ((one.get("resources") or {}).get(part or "requests") or {}))
    return ",".join(sorted(set(bare)))


def _count(world: World, quota: Object, cost: Usage) -> None:
    hard = (quota.get("spec") or {}).get("hard") or {}
    touched = {item: amount for item, amount in cost.items() if item in hard and amount}
    if not touched:
        return
    after = clone(quota)
    used = after.setdefault("status", {}).setdefault("used", {})
    for item, amount in touched.items():
        used[item] = write_like(parse(str(used.get(item, "0"))) + amount, str(hard[item]))
    stored = world.storage.stored("resourcequotas", quota["metadata"]["namespace"], quota["metadata"]["name"])
    world.storage.put("resourcequotas", after, stored.managed if stored else ())


def counted(world: World, quota: Object) -> dict[str, Any]:
    """The status of a quota, hard and used, from what is stored (for the quota controller)."""
    namespace = quota["metadata"]["namespace"]
    hard = (quota.get("spec") or {}).get("hard") or {}
    total: Usage = {}
    for resource in {item.storage: item for item in reversed(world.registry.resources) if item.storage and item.namespaced}.values():
        if not _concerns(resource, hard):
            continue
        for obj in world.storage.objects(resource.storage, namespace):
            if _in_scope(quota, resource, obj):
                for item, amount in usage_of(resource, obj).items():
                    total[item] = total.get(item, Fraction(0)) + amount
    return {"hard": dict(hard), "used": {item: write_like(total.get(item, Fraction(0)), str(hard[item])) for item in hard}}


def _concerns(resource: Resource, hard: dict[str, Any]) -> bool:
    """Whether objects of a resource can count in a quota at all."""
    special = resource.storage in ("pods", "services", "persistentvolumeclaims")
    return special or f"count/{resource.id}" in hard or COUNTED.get(resource.storage) in hard


def _in_scope(quota: Object, resource: Resource, obj: Object) -> bool:
    """Whether an object is one that the quota's scopes mean (evaluator/core/pods.go, podMatchesScopeFunc)."""
    spec = quota.get("spec") or {}
    scopes = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or []]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return not scopes or (resource.storage == "pods" and all(_matches(scope, obj["spec"]) for scope in scopes))


def _matches(scope: dict[str, Any], spec: dict[str, Any]) -> bool:
    name = scope.get("scopeName") or ""
    if name in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) == (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return (qos_class(spec) == "BestEffort") == (name == "BestEffort")
    if name == "PriorityClass":
        given = spec.get("priorityClassName")
        labels = {name: given} if given else {}
        return Requirement(name, scope.get("operator") or "", tuple(scope.get("values") or ())).matches(labels)
    return False  # CrossNamespacePodAffinity is not told apart here
