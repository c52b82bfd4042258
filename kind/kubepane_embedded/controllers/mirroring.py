"""EndpointSlices that mirror hand-made Endpoints of Services without selector (kubernetes/pkg/controller/endpointslicemirroring)."""

from __future__ import annotations

from functools import partial
from typing import Any

from kubepane_embedded.controllers.endpoints import repacked
from kubepane_embedded.controllers.endpointslices import MANAGER_LABEL, SERVICE_LABEL, SLICES, index_slices, service_key, slices_of
from kubepane_embedded.controllers.podcontrol import is_terminating_namespace
from kubepane_embedded.controllers.service_pods import TRIGGER
from kubepane_embedded.controllers.slicing import Endpoint, Plan, port_key
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Key, Object, annotations_of, is_deleting, key_of, labels_of, owner_reference, uid_of
from kubepane_embedded.workqueue import WorkQueue

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
UNMIRRORED = (TRIGGER, "kubectl.kubernetes.io/last-applied-configuration")
LEADER = "control-plane.alpha.kubernetes.io/leader"
LARGEST = 1000
"""Addresses of one subset that are mirrored."""


class MirroringController:
    """Mirrors Endpoints objects that people or programs wrote.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._reconcile, MANAGER)

    def start(self) -> None:
        """Follow Endpoints, Services and the mirrored slices."""
        index_slices(self._storage)
        self._storage.subscribe("endpoints", self._queue.add)
        self._storage.subscribe("services", self._queue.add)
        self._storage.subscribe(SLICES, self._queue.add, partial(service_key, MANAGER))
        for endpoints in self._storage.objects("endpoints"):
            self._queue.add(key_of(endpoints))

    def _reconcile(self, key: Key) -> None:
        endpoints = self._storage.read("endpoints", *key)
        service = self._storage.read("services", *key)
        present = slices_of(self._storage, key, MANAGER)
        if endpoints is None or service is None or (service.get("spec") or {}).get("selector") or _is_skipped(endpoints):
            for piece in present:
                self._client.delete(SLICES, *key_of(piece), uid=uid_of(piece))
            return
        self._write(endpoints, _plan(endpoints, present))

    def _write(self, endpoints: Object, plan: Plan) -> None:
        plan.recycle(uid_of(endpoints))
        try:
            for piece in () if is_deleting(endpoints) else plan.create:
                self._client.create(SLICES, piece)
        except ApiError as refusal:
            if is_terminating_namespace(refusal):
                return
            raise
        for piece in plan.update:
            self._client.update(SLICES, piece)
        for piece in plan.delete:
            self._client.delete(SLICES, *key_of(piece), uid=uid_of(piece))


def _is_skipped(endpoints: Object) -> bool:
    return labels_of(endpoints).get(SKIP_LABEL) == "true" or LEADER in annotations_of(endpoints)


def _plan(endpoints: Object, present: list[Object]) -> Plan:
    """One slice for each subset and address family, in place of those that are there."""
    old: dict[tuple[Any, ...], list[Object]] = {}
    for piece in present:
        old.setdefault((piece["addressType"], port_key(piece.get("ports"))), []).append(piece)
    plan = Plan()
    for wanted in _wanted(endpoints):
        same = old.pop((wanted["addressType"], port_key(wanted["ports"])), [])
        plan.delete += same[1:]
        if not same:
            plan.create.append(wanted)
        elif not _is_as_wanted(same[0], wanted):
            wanted["metadata"]["name"] = key_of(same[0])[1]
            plan.update.append(wanted)
    plan.delete += [piece for pieces in old.values() for piece in pieces]
    return plan


def _is_as_wanted(piece: Object, wanted: Object) -> bool:
    meta, wish = piece["metadata"], wanted["metadata"]
    same = all((meta.get(part) or {}) == (wish.get(part) or {}) for part in ("labels", "annotations", "ownerReferences"))
    return same and (piece.get("endpoints") or []) == wanted["endpoints"]


def _wanted(endpoints: Object) -> list[Object]:
    found = []
    for subset in repacked(_entries(endpoints)):
        listed = [(one, True) for one in subset.get("addresses") or []] + [(one, False) for one in subset.get("notReadyAddresses") or []]
        for family in ("IPv4", "IPv6"):
            mirrored = [_endpoint(one, ready) for one, ready in listed[:LARGEST] if (":" in one["ip"]) == (family == "IPv6")]
            if mirrored:
                ports = [{"name": port.get("name") or "", **port} for port in subset.get("ports") or []]
                found.append({"metadata": _metadata(endpoints), "addressType": family, "ports": ports or None, "endpoints": mirrored})
    return found


def _entries(endpoints: Object) -> list[tuple[dict[str, Any], dict[str, Any], bool]]:
    return [
        (address, port, ready)
        for subset in endpoints.get("subsets") or []
        for ready, part in ((True, "addresses"), (False, "notReadyAddresses"))
        for address in subset.get(part) or []
        for port in subset.get("ports") or [{}]
    ]


def _endpoint(address: dict[str, Any], ready: bool) -> Endpoint:
    endpoint: Endpoint = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    return endpoint | {part: address[part] for part in ("hostname", "targetRef", "nodeName") if address.get(part)}


def _metadata(endpoints: Object) -> dict[str, Any]:
    namespace, name = key_of(endpoints)
    annotations = {key: value for key, value in annotations_of(endpoints).items() if key not in UNMIRRORED}
    labels = {**labels_of(endpoints), SERVICE_LABEL: name, MANAGER_LABEL: MANAGER}
    meta = {"generateName": f"{name}-", "namespace": namespace, "labels": labels, "ownerReferences": [owner_reference(endpoints)]}
    return {**meta, "annotations": annotations} if annotations else meta
