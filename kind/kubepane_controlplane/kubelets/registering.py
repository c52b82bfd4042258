"""What is there before the kubelets begin: their nodes, and the add-ons of a Kind cluster."""

from __future__ import annotations

from kubepane_controlplane.kubelets.backend import RemoteBackend
from kubepane_controlplane.kubelets.endpoint import FIGURES_PATH
from kubepane_controlplane.kubelets.writing import RemoteWriter
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.nodes import seed_nodes
from kubepane_embedded.seeds.addons import addons

METRICS_PATH = "metrics.k8s.io/resource-metrics-path"
"""Where metrics-server asks for a node's figures, when that is not /metrics/resource."""
OWN = "metrics-server"
"""The control plane runs the real one."""


def register(backend: RemoteBackend, workers: int, port: int) -> None:
    """Create what is not there yet; raises ApiError when the server does not answer."""
    client = backend.client("kubelet")
    for node in seed_nodes(workers, backend.clock.stamp()):
        _ensure(client, "nodes", _served_here(node, port))
    for obj in addons():
        resource = backend.registry.of_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None, obj["kind"]  # the embedded cluster serves all that it is furnished with
        if OWN not in key_of(obj)[1]:
            _ensure(client, resource.storage, obj)


def _ensure(client: RemoteWriter, resource: str, obj: Object) -> None:
    """Look before creating: a Service with an address of its own is not `AlreadyExists` the second time, but invalid."""
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
    meta = {**node["metadata"], "annotations": {METRICS_PATH: FIGURES_PATH.format(node=name)}}
    served = {**status, "addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
    return {**node, "metadata": meta, "status": served}
