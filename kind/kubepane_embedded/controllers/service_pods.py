"""What the two kinds of endpoints share: which Services a changed pod concerns, ports, and the time of the change that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubepane_embedded.controllers.selection import index_labels, labelled, services_of
from kubepane_embedded.meta import Key, Object, is_deleting, key_of, labels_of
from kubepane_embedded.podfacts import condition, is_finished, is_ready
from kubepane_embedded.storage import Change, Storage

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"


def selector_of(service: Object) -> dict[str, str] | None:
    """The selector of a Service that gets endpoints from pods; None for one without selector or of type ExternalName."""
    spec = service.get("spec") or {}
    return None if spec.get("type") == "ExternalName" else spec.get("selector") or None


def is_headless(service: Object) -> bool:
    """Whether the Service has no cluster address."""
    return ((service.get("spec") or {}).get("clusterIP") or "None") == "None"


def addresses_of(pod: Object) -> list[str]:
    """The pod's addresses of all families."""
    status = pod.get("status") or {}
    found = [entry["ip"] for entry in status.get("podIPs") or [] if entry.get("ip")]
    return found or [status["podIP"]] if found or status.get("podIP") else []


def is_endpoint(pod: Object) -> bool:
    """Whether a pod can be an endpoint at all: it has an address and has not ended."""
    return not is_finished(pod) and bool(addresses_of(pod))


def target_of(pod: Object) -> dict[str, str]:
    """The reference to the pod behind an endpoint."""
    namespace, name = key_of(pod)
    return {"kind": "Pod", "namespace": namespace, "name": name, "uid": pod["metadata"]["uid"]}


def hostname_of(pod: Object, service: Object) -> str:
    """The pod's name below a headless Service that is its subdomain, or ""."""
    spec = pod.get("spec") or {}
    return (spec.get("hostname") or "") if spec.get("subdomain") == key_of(service)[1] else ""


def ports_of(pod: Object, service: Object) -> list[dict[str, Any]]:
    """The Service's ports as this pod has them; a named target that the pod lacks is left out (endpointslice/utils.go, FindPort)."""
    found = []
    for port in (service.get("spec") or {}).get("ports") or []:
        number = _number(pod, port)
        if number is not None:
            entry = {"name": port.get("name") or "", "port": number, "protocol": port.get("protocol") or "TCP"}
            found.append({**entry, "appProtocol": port["appProtocol"]} if port.get("appProtocol") else entry)
    return found


def _number(pod: Object, port: dict[str, Any]) -> int | None:
    target = port.get("targetPort") or port.get("port")
    if not isinstance(target, str):
        return target
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or []), *sidecars]:
        for one in container.get("ports") or []:
            if one.get("name") == target and (one.get("protocol") or "TCP") == (port.get("protocol") or "TCP"):
                return int(one["containerPort"])
    return None


def _facts(pod: Object) -> tuple[Any, ...]:
    """All of a pod that endpoints show."""
    spec = pod.get("spec") or {}
    told = (spec.get("hostname"), spec.get("subdomain"), spec.get("nodeName"))
    return (labels_of(pod), is_ready(pod), is_deleting(pod), is_finished(pod), addresses_of(pod), told)


def follow(storage: Storage, dirty: Callable[[Key], None]) -> None:
    """Call `dirty` with the key of every Service whose endpoints may have to change; with those that are there at once."""
    index_labels(storage)

    def on_pod(change: Change) -> None:
        previous = change.previous.obj if change.previous is not None else None
        if previous is None or change.type == "DELETED" or _facts(previous) != _facts(change.now.obj):
            for pod in (change.now.obj, previous) if previous is not None else (change.now.obj,):
                for key in services_of(storage, pod):
                    dirty(key)

    storage.watch("pods", on_pod)
    storage.subscribe("services", dirty)
    for service in storage.objects("services"):
        dirty(key_of(service))


class TriggerTimes:
    """When the change happened that endpoints are written for (endpointslice/util/trigger_time_tracker.go)."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[str, dict[str, str]]] = {}

    def of(self, service: Object, pods: list[Object]) -> str:
        """The earliest of the changes since the last call for this Service, "" when there was none."""
        created = service["metadata"]["creationTimestamp"]
        known = self._known.get(key_of(service))
        times = {key_of(pod)[1]: (condition(pod, "Ready") or {}).get("lastTransitionTime") or "" for pod in pods}
        self._known[key_of(service)] = (created, times)
        if known is None:
            return str(created)
        changed = [time for name, time in times.items() if time > known[1].get(name, "")]
        return min([*changed, created] if created > known[0] else changed, default="")

    def forget(self, key: Key) -> None:
        """The Service is gone."""
        self._known.pop(key, None)


def with_trigger(annotations: dict[str, str], time: str) -> dict[str, str]:
    """Annotations that tell this time, or none."""
    kept = {name: value for name, value in annotations.items() if name != TRIGGER}
    return {**kept, TRIGGER: time} if time else kept


def selected_pods(storage: Storage, service: Object) -> list[Object]:
    """The pods that a Service selects, ended ones too."""
    return labelled(storage, key_of(service)[0], selector_of(service) or {})
