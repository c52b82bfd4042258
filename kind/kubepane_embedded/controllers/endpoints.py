"""The legacy Endpoints objects beside the EndpointSlices (kubernetes/pkg/controller/endpoint, pkg/api/v1/endpoints/util.go)."""

from __future__ import annotations

from collections.abc import Iterable
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
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, annotations_of, is_deleting, key_of, labels_of
from kubepane_embedded.podfacts import is_ready, node_of
from kubepane_embedded.workqueue import WorkQueue

MANAGER = "endpoint-controller"
MANAGER_LABEL = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000
"""Addresses that one Endpoints object may hold."""
Address = dict[str, Any]
Subset = dict[str, Any]
NO_PORT: dict[str, Any] = {}


class EndpointsController:
    """Keeps Endpoints of Services that select pods.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._times = TriggerTimes()
        self._queue = WorkQueue(core.clock, self._reconcile, MANAGER)

    def start(self) -> None:
        """Follow Services and their pods; look at all Endpoints once, for Services may be gone."""
        follow(self._storage, self._queue.add)
        for endpoints in self._storage.objects("endpoints"):
            if labels_of(endpoints).get(MANAGER_LABEL) == MANAGER:
                self._queue.add(key_of(endpoints))

    def _reconcile(self, key: Key) -> None:
        service = self._storage.read("services", *key)
        present = self._storage.read("endpoints", *key)
        if service is None:
            self._times.forget(key)
            if present is not None:
                self._client.delete("endpoints", *key)
            return
        if selector_of(service) is None:
            return
        pods = selected_pods(self._storage, service)
        trigger = self._times.of(service, pods)
        subsets = repacked(entry for pod in pods for entry in _entries(service, pod))
        labels = _labels(service)
        if present is not None and (present.get("subsets") or []) == subsets and labels_of(present) == labels:
            return
        self._write(service, present, labels, subsets, trigger)

    def _write(self, service: Object, present: Object | None, labels: dict[str, str], subsets: list[Subset], trigger: str) -> None:
        namespace, name = key_of(service)
        annotations = with_trigger(annotations_of(present or {}), trigger)
        annotations.pop(OVER_CAPACITY, None)
        if _truncate(subsets):
            annotations[OVER_CAPACITY] = "truncated"
        meta: Object = {"name": name, "namespace": namespace, "labels": labels}
        wanted: Object = {"metadata": {**meta, **({"annotations": annotations} if annotations else {})}, **({"subsets": subsets} if subsets else {})}
        if present is not None:
            self._client.update("endpoints", wanted)
        elif not is_deleting(service):
            try:
                self._client.create("endpoints", wanted)
            except ApiError as refusal:
                if not is_terminating_namespace(refusal):
                    raise


def _labels(service: Object) -> dict[str, str]:
    labels = {name: value for name, value in labels_of(service).items() if name != HEADLESS}
    return {**labels, **({HEADLESS: ""} if is_headless(service) else {}), MANAGER_LABEL: MANAGER}


def _entries(service: Object, pod: Object) -> Iterable[tuple[Address, dict[str, Any], bool]]:
    """(address, port, ready) of a pod, one for each of its ports; terminating pods only where unready ones are published."""
    spec = service.get("spec") or {}
    publish = bool(spec.get("publishNotReadyAddresses"))
    family = (spec.get("ipFamilies") or ["IPv4"])[0]
    address = next((one for one in addresses_of(pod) if (":" in one) == (family == "IPv6")), None)
    if not is_endpoint(pod) or address is None or (is_deleting(pod) and not publish):
        return
    entry: Address = {"ip": address, "nodeName": node_of(pod), "targetRef": target_of(pod), "hostname": hostname_of(pod, service)}
    entry = {name: value for name, value in entry.items() if value}
    ports = [{name: value for name, value in port.items() if value} for port in ports_of(pod, service)]
    if not spec.get("ports") and is_headless(service):
        ports = [NO_PORT]
    for port in ports:
        yield entry, port, publish or is_ready(pod)


def repacked(entries: Iterable[tuple[Address, dict[str, Any], bool]]) -> list[Subset]:
    """Subsets in which every address has all the ports; not ready wins over ready (RepackSubsets). Sorted by ports, then address."""
    ports: dict[tuple[Any, ...], dict[str, Any]] = {}
    by_port: dict[tuple[Any, ...], dict[tuple[str, str], bool]] = {}
    addresses: dict[tuple[str, str], Address] = {}
    for address, port, ready in entries:
        name = tuple(sorted((part, str(value)) for part, value in port.items()))
        who = (address["ip"], (address.get("targetRef") or {}).get("uid") or "")
        addresses.setdefault(who, address)
        ports[name] = port
        states = by_port.setdefault(name, {})
        states[who] = states.get(who, True) and ready
    groups: dict[frozenset[Any], list[tuple[Any, ...]]] = {}
    for name in sorted(by_port):
        groups.setdefault(frozenset(by_port[name].items()), []).append(name)
    return [_subset(sorted(states), addresses, [ports[name] for name in names if ports[name]]) for states, names in groups.items()]


def _subset(states: list[tuple[tuple[str, str], bool]], addresses: dict[tuple[str, str], Address], ports: list[dict[str, Any]]) -> Subset:
    parts = {
        "addresses": [addresses[who] for who, ready in states if ready],
        "notReadyAddresses": [addresses[who] for who, ready in states if not ready],
        "ports": ports,
    }
    return {name: value for name, value in parts.items() if value}


def _truncate(subsets: list[Subset]) -> bool:
    """Cut what is over capacity, addresses that are not ready first; whether anything was cut."""
    room = CAPACITY
    cut = False
    for name in ("addresses", "notReadyAddresses"):
        for subset in subsets:
            listed = subset.get(name) or []
            if len(listed) > room:
                subset[name], cut = listed[:room], True
            room -= min(len(listed), room)
            if name in subset and not subset[name]:
                del subset[name]
    return cut
