"""EndpointSlices: the addresses behind each Service, with their conditions and ports.

Follows kubernetes/pkg/controller/endpointslice/endpointslice_controller.go and k8s.io/endpointslice.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from kubepane_embedded.controllers.podcontrol import is_terminating_namespace
from kubepane_embedded.controllers.service_pods import (
    HEADLESS,
    TriggerTimes,
    addresses_of,
    follow,
    hostname_of,
    is_endpoint,
    is_headless,
    ports_of,
    selected_pods,
    selector_of,
    target_of,
    with_trigger,
)
from kubepane_embedded.controllers.slicing import Endpoint, Group, Plan, Ports, identity, port_key, spread
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, annotations_of, is_deleting, key_of, labels_of, owner_reference, owners_of, uid_of
from kubepane_embedded.podfacts import is_ready, node_of
from kubepane_embedded.storage import Storage
from kubepane_embedded.workqueue import WorkQueue

SLICES = "endpointslices.discovery.k8s.io"
MANAGER = "endpointslice-controller.k8s.io"
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
ZONE_LABEL = "topology.kubernetes.io/zone"
RESERVED = (SERVICE_LABEL, MANAGER_LABEL, HEADLESS)
BY_MANAGER = "manager and service"
NEAR = ("PreferClose", "PreferSameZone", "PreferSameNode")


def index_slices(storage: Storage) -> None:
    """Keep slices findable by manager and Service."""
    storage.add_index(SLICES, BY_MANAGER, lambda piece: (_place(piece),))


def slices_of(storage: Storage, key: Key, manager: str) -> list[Object]:
    """The slices of a Service that one controller manages."""
    return storage.find(SLICES, BY_MANAGER, f"{manager}\0{key[0]}\0{key[1]}")


def _place(piece: Object) -> str:
    labels = labels_of(piece)
    return f"{labels.get(MANAGER_LABEL, '')}\0{key_of(piece)[0]}\0{labels.get(SERVICE_LABEL, '')}"


def service_key(manager: str, piece: Object) -> list[Key]:
    """For `Storage.subscribe`: the Service of a slice, when it is this controller's."""
    labels = labels_of(piece)
    return [(key_of(piece)[0], labels[SERVICE_LABEL])] if labels.get(MANAGER_LABEL) == manager and labels.get(SERVICE_LABEL) else []


class EndpointSliceController:
    """Keeps the slices of Services that select pods.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._times = TriggerTimes()
        self._queue = WorkQueue(core.clock, self._reconcile, MANAGER)

    def start(self) -> None:
        """Follow Services, their pods, and the slices themselves (somebody may have changed or deleted one)."""
        index_slices(self._storage)
        follow(self._storage, self._queue.add)
        self._storage.subscribe(SLICES, self._queue.add, partial(service_key, MANAGER))

    def _reconcile(self, key: Key) -> None:
        service = self._storage.read("services", *key)
        if service is None:
            self._times.forget(key)  # the garbage collector takes the slices
            return
        if selector_of(service) is None:
            return
        pods = selected_pods(self._storage, service)
        trigger = self._times.of(service, pods)
        present = slices_of(self._storage, key, MANAGER)
        families = {f"{family}" for family in (service["spec"].get("ipFamilies") or ["IPv4"])}
        plan = Plan(delete=[piece for piece in present if piece["addressType"] not in families])
        missing = False
        for family in sorted(families):
            groups, lacking = self._groups(service, pods, family)
            missing |= lacking
            _plan_family(plan, service, family, [piece for piece in present if piece["addressType"] == family], groups)
        self._write(service, plan, trigger)
        if missing:
            self._queue.retry(key)

    def _groups(self, service: Object, pods: list[Object], family: str) -> tuple[list[Group], bool]:
        """Endpoints by their ports; and whether one was left out because its node is missing."""
        groups: dict[tuple[Any, ...], Group] = {}
        lacking = False
        for pod in pods:
            if not is_endpoint(pod):
                continue
            ports = ports_of(pod, service)
            group = groups.setdefault(port_key(ports), Group(ports))
            node = self._storage.read("nodes", "", node_of(pod))
            if node is None and not service["spec"].get("publishNotReadyAddresses"):
                lacking = True
                continue
            endpoint = _endpoint(service, pod, node, family)
            if endpoint["addresses"]:
                group.endpoints[identity(endpoint)] = endpoint
        return list(groups.values()), lacking

    def _write(self, service: Object, plan: Plan, trigger: str) -> None:
        plan.recycle(uid_of(service))
        try:
            for piece in () if is_deleting(service) else plan.create:
                self._client.create(SLICES, _ready_to_write(piece, trigger))
        except ApiError as refusal:
            if is_terminating_namespace(refusal):
                return
            raise
        for piece in plan.update:
            self._client.update(SLICES, _ready_to_write(piece, trigger))
        for piece in plan.delete:
            self._client.delete(SLICES, *key_of(piece), uid=uid_of(piece))


def _plan_family(plan: Plan, service: Object, family: str, present: list[Object], groups: list[Group]) -> None:
    uid = uid_of(service)
    mine = [piece for piece in present if any(owner.get("uid") == uid for owner in owners_of(piece))]
    gone = [piece for piece in present if piece not in mine]
    by_ports: dict[tuple[Any, ...], list[Object]] = {}
    for piece in mine:
        by_ports.setdefault(port_key(piece.get("ports")), []).append(piece)
    created, deleted = len(plan.create), len(plan.delete)
    fresh = partial(_fresh, service, family)
    for group in groups:
        spread(plan, by_ports.pop(port_key(group.ports), []), group, _labels(service), fresh)
    plan.delete += [*gone, *(piece for pieces in by_ports.values() for piece in pieces)]
    if len(plan.delete) - deleted < len(present) or len(plan.create) > created:
        return
    placeholder = fresh([])  # a Service without endpoints keeps one empty slice
    lone = plan.delete[-1] if len(present) == 1 else None
    if lone is not None and not lone.get("endpoints") and not lone.get("ports") and lone in mine and labels_of(lone) == labels_of(placeholder):
        plan.delete.pop()
    else:
        plan.create.append(placeholder)


def _endpoint(service: Object, pod: Object, node: Object | None, family: str) -> Endpoint:
    serving, terminating = is_ready(pod), is_deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    addresses = [address for address in addresses_of(pod) if (":" in address) == (family == "IPv6")]
    endpoint: Endpoint = {"addresses": addresses, "conditions": {"ready": ready, "serving": serving, "terminating": terminating}}
    zone = labels_of(node or {}).get(ZONE_LABEL)
    optional = {"hostname": hostname_of(pod, service), "targetRef": target_of(pod), "nodeName": node_of(pod), "zone": zone}
    endpoint |= {name: value for name, value in optional.items() if value}
    hints = _hints(service, endpoint)
    return {**endpoint, "hints": hints} if hints else endpoint


def _hints(service: Object, endpoint: Endpoint) -> dict[str, Any]:
    """Where traffic should come from, for spec.trafficDistribution (endpointslice/trafficdist)."""
    wish = service["spec"].get("trafficDistribution")
    if wish not in NEAR or not endpoint["conditions"]["ready"]:
        return {}
    hints: dict[str, Any] = {"forZones": [{"name": endpoint["zone"]}]} if endpoint.get("zone") else {}
    if wish == "PreferSameNode" and endpoint.get("nodeName"):
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints


def _labels(service: Object) -> dict[str, str]:
    labels = {name: value for name, value in labels_of(service).items() if name not in RESERVED}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_LABEL: key_of(service)[1], MANAGER_LABEL: MANAGER}


def _fresh(service: Object, family: str, ports: Ports) -> Object:
    namespace, name = key_of(service)
    meta = {"generateName": f"{name}-", "namespace": namespace, "labels": _labels(service), "ownerReferences": [owner_reference(service)]}
    return {"metadata": meta, "addressType": family, "ports": list(ports), "endpoints": []}


def _ready_to_write(piece: Object, trigger: str) -> Object:
    """Empty lists are null, as slices come back from a real server's store."""
    meta = {name: value for name, value in piece["metadata"].items() if name not in ("annotations", "resourceVersion")}
    annotations = with_trigger(annotations_of(piece), trigger)
    if annotations:
        meta["annotations"] = annotations
    return {**piece, "metadata": meta, "endpoints": piece["endpoints"] or None, "ports": piece.get("ports") or None}
