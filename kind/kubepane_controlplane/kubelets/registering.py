"""What is there before the kubelets begin: their nodes, and the add-ons of a Kind cluster."""

from __future__ import annotations

from importlib.resources import files

from kubepane_controlplane.kubelets.backend import RemoteBackend
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.nodes import seed_nodes
from kubepane_embedded.seeds.objects import documents

METRICS_PATH = "metrics.k8s.io/resource-metrics-path"
"""Where metrics-server asks for a node's figures, when that is not /metrics/resource."""
OWN = "metrics-server"
"""The control plane runs the real one."""


def register(backend: RemoteBackend, workers: int, port: int) -> None:
    """Create what is not there yet; raises ApiError when the server does not answer."""
    for node in seed_nodes(workers, backend.clock.stamp()):
        _ensure(backend, "nodes", _served_here(node, port))
    for obj in documents(files("kubepane_embedded.seeds").joinpath("addons.yaml").read_text(encoding="utf-8")):
        resource = _kept_at(backend, obj)
        if OWN not in key_of(obj)[1]:
            _ensure(backend, resource, obj)


def _kept_at(backend: RemoteBackend, obj: Object) -> str:
    """Where objects of this kind are kept; KeyError for kinds unknown here."""
    found = backend.registry.of_kind(obj["apiVersion"], obj["kind"])
    if found is None:
        raise KeyError(f"{obj['apiVersion']} {obj['kind']}")
    return found.storage


def _ensure(backend: RemoteBackend, resource: str, obj: Object) -> None:
    """Look before creating: a Service with an address of its own is not `AlreadyExists` the second time, but invalid."""
    client = backend.client("kubelet")
    try:
        client.get(resource, *key_of(obj))
    except ApiError as refusal:
        if refusal.code != 404:
            raise
        client.create(resource, obj)


def _served_here(node: Object, port: int) -> Object:
    """The node with the address under which its kubelet answers."""
    name, status = node["metadata"]["name"], node["status"]
    addresses = [{**one, "address": "localhost"} if one["type"] == "Hostname" else one for one in status["addresses"]]
    meta = {**node["metadata"], "annotations": {METRICS_PATH: f"/metrics/nodes/{name}/metrics/resource"}}
    served = {**status, "addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    return {**node, "metadata": meta, "status": served}
