"""What the server itself sets: status on creation, what an update may not touch, generation, cluster addresses and node ports.

Follows the strategies under kubernetes/pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object, annotations_of, clone
from kubepane_embedded.quantity import parse
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.world import World

Part = dict[str, Any]
FIRST_STATUS: dict[str, Part] = {
    "deployments.apps": {},
    "replicasets.apps": {"replicas": 0},
    "statefulsets.apps": {"replicas": 0, "availableReplicas": 0},
    "daemonsets.apps": {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
    "jobs.batch": {},
    "cronjobs.batch": {},
    "services": {"loadBalancer": {}},
    "persistentvolumeclaims": {"phase": "Pending"},
    "horizontalpodautoscalers.autoscaling": {"desiredReplicas": 0, "currentMetrics": None},
    "ingresses.networking.k8s.io": {"loadBalancer": {}},
    "poddisruptionbudgets.policy": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    "resourcequotas": {},
    "namespaces": {"phase": "Active"},
}
FIRST_PORT, LAST_PORT = 30000, 32767
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
PORT_RULE = f"provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
NODE_INFO = "machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion kubeProxyVersion operatingSystem architecture"


def prepare_create(world: World, resource: Resource, obj: Object, options: WriteOptions) -> None:
    """Status of a new object, and fields that only the server sets."""
    storage = resource.storage
    if storage in FIRST_STATUS:
        obj["status"] = clone(FIRST_STATUS[storage])
    if storage == "pods":
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
        if obj["spec"].get("schedulingGates"):
            message = "Scheduling is blocked due to non-empty scheduling gates"
            gated = {"type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": None}
            obj["status"]["conditions"] = [{**gated, "reason": "SchedulingGated", "message": message}]
    elif storage == "persistentvolumes":
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": world.clock.stamp()}
    elif storage == "nodes":
        _prepare_node(obj)
    elif storage == "jobs.batch":
        _prepare_job(obj)
    elif storage == "customresourcedefinitions.apiextensions.k8s.io":
        _prepare_definition(obj)


def _prepare_node(obj: Object) -> None:
    obj["spec"] = obj.get("spec") or {}
    status = obj["status"] = obj.get("status") or {}
    status.setdefault("daemonEndpoints", {}).setdefault("kubeletEndpoint", {"Port": 0})
    info = status.setdefault("nodeInfo", {})
    for name in NODE_INFO.split():
        info.setdefault(name, "")
    for amount, source in (("allocatable", "capacity"),):
        if status.get(source) and not status.get(amount):
            status[amount] = dict(status[source])


def _prepare_job(obj: Object) -> None:
    """Selector and labels by uid (registry/batch/job/strategy.go, generateSelector)."""
    spec, meta = obj["spec"], obj["metadata"]
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    uid, name = meta["uid"], meta.get("name", "")
    mine = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name}
    labels = spec["template"].setdefault("metadata", {})
    labels["labels"] = {**(labels.get("labels") or {}), **mine}
    spec["selector"] = spec.get("selector") or {}
    spec["selector"].setdefault("matchLabels", {})["batch.kubernetes.io/controller-uid"] = uid
    if not meta.get("labels"):
        meta["labels"] = dict(labels["labels"])


def _prepare_definition(obj: Object) -> None:
    names = obj.get("spec", {}).get("names") or {}
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", str(names.get("kind", "")) + "List")
    obj.setdefault("spec", {}).setdefault("conversion", {"strategy": "None"})
    stored = [version.get("name") for version in obj["spec"].get("versions") or [] if version.get("storage")]
    obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored or None}


def qos_class(spec: Part) -> str:
    """Guaranteed, Burstable or BestEffort (component-helpers/resource, qos.go)."""
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    amounts = [(container.get("resources") or {}) for container in containers]
    if not any(_counted(amount.get("requests")) or _counted(amount.get("limits")) for amount in amounts):
        return "BestEffort"
    for amount in amounts:
        limits, requests = _counted(amount.get("limits")), _counted(amount.get("requests"))
        if set(limits) != {"cpu", "memory"} or any(parse(requests[name]) != parse(limits[name]) for name in limits if name in requests):
            return "Burstable"
    return "Guaranteed"


def _counted(amounts: Part | None) -> dict[str, str]:
    return {name: str(value) for name, value in (amounts or {}).items() if name in ("cpu", "memory") and parse(str(value)) > 0}


def prepare_update(world: World, resource: Resource, obj: Object, old: Object, subresource: str, options: WriteOptions) -> None:
    """Keep what this kind of update may not change: the status, or everything but the status."""
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    if subresource in ("binding", "finalize"):
        return
    if subresource == "ephemeralcontainers":
        _keep_all_but_ephemeral(obj, old)
    if subresource == "status":
        _keep_all_but_status(resource, obj, old)
    elif resource.subresource("status") is not None:
        _copy(obj, old, "status")
    if resource.storage == "persistentvolumes" and subresource == "status":
        _stamp_phase(world, obj, old)
    if resource.storage == "namespaces" and not subresource:
        obj["spec"] = {**(obj.get("spec") or {}), **{key: value for key, value in old.get("spec", {}).items() if key == "finalizers"}}
    if resource.storage == "nodes" and not subresource:
        obj["spec"] = obj.get("spec") or {}
    if resource.storage == "services" and not subresource:
        _keep_addresses(obj, old)


def _stamp_phase(world: World, obj: Object, old: Object) -> None:
    """When a volume entered its phase (registry/core/persistentvolume/strategy.go)."""
    before, status = old.get("status") or {}, obj.get("status") or {}
    obj["status"] = status
    if status.get("phase") != before.get("phase") and status.get("lastPhaseTransitionTime") in (None, before.get("lastPhaseTransitionTime")):
        status["lastPhaseTransitionTime"] = world.clock.stamp()


def _keep_all_but_status(resource: Resource, obj: Object, old: Object) -> None:
    for part in old:
        if part not in ("metadata", "status"):
            obj[part] = old[part]
    for part in list(obj):
        if part not in old and part != "status":
            del obj[part]
    kept: tuple[str, ...] = (
        ("ownerReferences", "finalizers") if resource.storage == "pods" else ("labels", "annotations", "ownerReferences", "finalizers")
    )
    if resource.storage in ("nodes", "persistentvolumes", "services"):
        kept = ()
    if resource.storage == "deployments.apps":  # the deployment controller writes its revision annotation with the status
        kept = ("labels", "ownerReferences", "finalizers")
    for name in kept:
        _copy(obj["metadata"], old["metadata"], name)


def _keep_all_but_ephemeral(obj: Object, old: Object) -> None:
    """Only `spec.ephemeralContainers` is the body's (registry/core/pod/strategy.go, dropNonEphemeralContainerUpdates)."""
    wanted = (obj.get("spec") or {}).get("ephemeralContainers")
    meta = {**old["metadata"], **{name: obj["metadata"][name] for name in ("uid", "resourceVersion") if name in obj["metadata"]}}
    spec = {name: value for name, value in old["spec"].items() if name != "ephemeralContainers"}
    obj.update(clone({**old, "metadata": meta, "spec": {**spec, **({"ephemeralContainers": wanted} if wanted else {})}}))


def _copy(target: Part, source: Part, name: str) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


def _keep_addresses(obj: Object, old: Object) -> None:
    """An update without clusterIP or node ports keeps the allocated ones (registry/core/service/storage, patchAllocatedValues)."""
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    external = "ExternalName" in (spec.get("type"), before.get("type"))
    if not external:
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(name) and before.get(name):
                spec[name] = before[name]
    nodes = ("NodePort", "LoadBalancer")
    if spec.get("type") in nodes and before.get("type") in nodes:
        given = {(port.get("port"), port.get("protocol") or "TCP"): port.get("nodePort") for port in before.get("ports") or []}
        for port in spec.get("ports") or []:
            known = given.get((port.get("port"), port.get("protocol") or "TCP"))
            if not port.get("nodePort") and known:
                port["nodePort"] = known


def bump_generation(resource: Resource, obj: Object, old: Object, subresource: str) -> None:
    """One more when anything but metadata and status changed; of a Deployment also when its annotations did, as ReplicaSets copy them."""
    if not resource.generation:
        return
    spec_parts = {part for part in (*obj, *old) if part not in ("metadata", "status")}
    copied = resource.storage == "deployments.apps" and subresource != "status"
    counted = resource.storage == "endpointslices.discovery.k8s.io" and _unnumbered(obj) != _unnumbered(old)
    if resource.storage == "daemonsets.apps":
        _count_templates(obj, old)
    if any(obj.get(part) != old.get(part) for part in spec_parts) or counted or (copied and annotations_of(obj) != annotations_of(old)):
        obj["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def _unnumbered(obj: Object) -> Part:
    return {name: value for name, value in obj["metadata"].items() if name not in ("generation", "resourceVersion", "managedFields")}


def _count_templates(obj: Object, old: Object) -> None:
    """The annotation that numbers a DaemonSet's templates is the server's alone (registry/apps/daemonset/strategy.go)."""
    number = annotations_of(old).get(TEMPLATE_GENERATION) or ""
    number = number if number.isdecimal() else "1"
    if (obj.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template"):
        number = str(int(number) + 1)
    obj["metadata"]["annotations"] = {**annotations_of(obj), TEMPLATE_GENERATION: number}


def set_condition(obj: Object, condition: Part) -> None:
    """Put a condition into status.conditions, replacing the one of its type."""
    status = obj["status"] = obj.get("status") or {}
    conditions = status["conditions"] = list(status.get("conditions") or [])
    for index, present in enumerate(conditions):
        if present.get("type") == condition["type"]:
            conditions[index] = condition
            return
    conditions.append(condition)


class Allocator:
    """Cluster IPs of 10.96.0.0/16 and node ports 30000–32767, drawn from the seed, checked against the stored Services."""

    def __init__(self, world: World) -> None:
        self._world = world

    def allocate(self, resource: Resource, obj: Object, old: Object | None, options: WriteOptions) -> None:
        """Fill in addresses and ports of a Service."""
        if resource.storage != "services":
            return
        spec = obj["spec"]
        if spec.get("type") == "ExternalName":
            for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(name, None)
            return
        self._address(spec, obj)
        self._ports(spec, obj, options.dry_run)

    def _others(self, obj: Object) -> list[Object]:
        uid = obj["metadata"]["uid"]
        return [other for other in self._world.storage.objects("services") if other["metadata"]["uid"] != uid]

    def _address(self, spec: Part, obj: Object) -> None:
        taken = {other["spec"].get("clusterIP") for other in self._others(obj)}
        wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or []), "")
        if wanted and wanted != "None" and wanted in taken:
            message = f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: provided IP is already allocated'
            cause = errors.Cause("FieldValueInvalid", message, "spec.clusterIPs")
            raise errors.invalid("", "Service", obj["metadata"]["name"], [cause])
        while not wanted:
            drawn = f"10.96.{self._world.seed.below(256)}.{1 + self._world.seed.below(254)}"
            wanted = "" if drawn in taken or drawn in ("10.96.0.1", "10.96.0.10") else drawn
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        headless = wanted == "None" and not spec.get("selector")
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if headless else ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "RequireDualStack" if headless else "SingleStack")

    def _ports(self, spec: Part, obj: Object, dry_run: bool) -> None:
        """Node ports; a dry run does not look at the given ones, as the real allocator does not."""
        if spec.get("type") not in ("NodePort", "LoadBalancer"):
            for port in spec.get("ports") or []:
                port.pop("nodePort", None)
            return
        taken = {port.get("nodePort") for other in self._others(obj) for port in other["spec"].get("ports") or []}
        for index, port in enumerate(spec.get("ports") or []):
            asked = port.get("nodePort")
            if asked and not dry_run and (asked in taken or not FIRST_PORT <= asked <= LAST_PORT):
                why = "provided port is already allocated" if asked in taken else PORT_RULE
                cause = errors.Cause("FieldValueInvalid", f"Invalid value: {asked}: {why}", f"spec.ports[{index}].nodePort")
                raise errors.invalid("", "Service", obj["metadata"]["name"], [cause])
            while not port.get("nodePort"):
                drawn = FIRST_PORT + self._world.seed.below(LAST_PORT - FIRST_PORT + 1)
                if drawn not in taken:
                    port["nodePort"] = drawn
            taken.add(port["nodePort"])
