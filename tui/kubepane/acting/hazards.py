"""What in a manifest deserves a second look before it is applied: reach into the node, and rights over the whole cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubepane.cluster.writing import Raw

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_HOSTS = {"hostNetwork": "uses the node's network", "hostPID": "sees the node's processes", "hostIPC": "shares the node's IPC"}
_WHOLE = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def of(objects: Iterable[Raw]) -> tuple[str, ...]:
    """One line for each thing to know."""
    return tuple(dict.fromkeys(f"{str(obj['kind']).lower()} {obj['metadata']['name']} {text}" for obj in objects for text in _about(obj)))


def _about(obj: Raw) -> Iterator[str]:
    kind, space = obj["kind"], str(obj["metadata"].get("namespace") or "")
    spec = _dict(obj.get("spec"))
    if space.startswith("kube-") or (kind == "Namespace" and str(obj["metadata"]["name"]).startswith("kube-")):
        yield "is part of the cluster itself (kube-…)"
    if kind == "PersistentVolume" and (path := _dict(spec.get("hostPath")).get("path")):
        yield f"is a folder of one node: hostPath {path}"
    if kind == "ClusterRoleBinding":
        yield f"gives rights in the whole cluster: {_dict(obj.get('roleRef')).get('name')}"
    if kind in _WHOLE:
        yield "decides about requests in the whole cluster"
    for pod in _pods(kind, spec):
        yield from _of_pod(pod)


def _pods(kind: str, spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod specs in an object."""
    if kind == "Pod":
        yield spec
    if kind == "CronJob":
        spec = _dict(_dict(spec.get("jobTemplate")).get("spec"))
    if "template" in spec:
        yield _dict(_dict(spec["template"]).get("spec"))


def _of_pod(pod: dict[str, Any]) -> Iterator[str]:
    yield from (text for field, text in _HOSTS.items() if pod.get(field) is True)
    for volume in _list(pod.get("volumes")):
        if path := _dict(volume.get("hostPath")).get("path"):
            yield f"mounts a folder of its node: hostPath {path}"
    for container in (one for part in _CONTAINERS for one in _list(pod.get(part))):
        if _dict(container.get("securityContext")).get("privileged") is True:
            yield f"has a privileged container: {container.get('name')}"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
