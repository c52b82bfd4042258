"""What a port-forward leads to: a pod, or whichever pod is ready behind a workload, a Service or an Ingress; and who comes after it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.forward import HERE, refused
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Ref
from kubepane.insight import ingresses, pods as facts, relations
from kubepane.insight.backends import Condition

MOST = 65535
UNPRIVILEGED = 1024  # lower ports need root


@dataclass(frozen=True, slots=True)
class Aim:
    """What was pointed at, fixed when the key was pressed.

    Attributes:
        source: the object under the cursor.
        family: the uid of what the pods belong to: the pod's topmost controller, the workload itself; "" for a pod of nobody.
    """

    source: Ref
    family: str = ""

    @property
    def lasting(self) -> bool:
        """Whether another pod may come after the present one."""
        return bool(self.family) or self.source.kind is not k.PODS


@dataclass(frozen=True, slots=True)
class Door:
    """A pod that can be connected to, and its ports that are known."""

    pod: Ref
    ports: tuple[int, ...]


def aim_at(kind: Kind, obj: Object, stores: Stores) -> Aim:
    """What a row means."""
    meta = obj.metadata
    source = Ref(kind, meta.namespace, meta.name, meta.uid)
    if not isinstance(obj, r.Pod):
        return Aim(source, "" if isinstance(obj, r.Ingress | r.Service) else meta.uid)
    held = [owner.metadata.uid for _, _, owner in relations.owner_chain(stores, obj) if owner is not None]
    refs = [ref.uid for ref in meta.owner_references or () if ref.controller]
    return Aim(source, held[-1] if held else refs[0] if refs else "")


def doors(aim: Aim, stores: Stores, *, without: str = "") -> list[Door]:
    """The pods to connect to, the best first: for a pod itself as long as it is there, then those that do the same work.

    Args:
        without: the uid of a pod that is gone.
    """
    obj = stores.of(aim.source.kind).get(aim.source.uid)
    found: list[Door] = []
    if isinstance(obj, r.Pod) and aim.source.uid != without and runs(obj):
        found.append(_door(obj))
    if isinstance(obj, r.Ingress):
        found += _behind_ingress(obj, stores)
    elif isinstance(obj, r.Service):
        found += [_door(pod) for pod in relations.pods_of(stores, k.SERVICES, obj) if ready(pod)]
    elif aim.family:
        pods = [pod for uid in relations.family(stores, aim.family) if (pod := stores.pods.get(uid)) is not None and ready(pod)]
        pods.sort(key=lambda pod: (pod.metadata.name != aim.source.name, pod.metadata.name))  # a StatefulSet's has the same name
        found += [_door(pod) for pod in pods if pod.metadata.uid != aim.source.uid]
    return [door for door in found if door.pod.uid != without]


def _behind_ingress(ingress: r.Ingress, stores: Stores) -> Iterator[Door]:
    for route in ingresses.routes(stores, ingress):
        for endpoint in route.endpoints.all:
            pod = stores.pods.get(endpoint.uid)
            if pod is not None and endpoint.condition is Condition.READY and endpoint.port:
                yield Door(_ref(pod), (endpoint.port,))


def _ref(pod: r.Pod) -> Ref:
    return Ref(k.PODS, pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def _door(pod: r.Pod) -> Door:
    ports = [port.container_port for one in pod.spec.containers or () for port in one.ports or () if (port.protocol or "TCP") == "TCP"]
    return Door(_ref(pod), tuple(dict.fromkeys(ports)))


def runs(pod: r.Pod) -> bool:
    """Whether a pod runs, and is not on its way out."""
    return pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None


def ready(pod: r.Pod) -> bool:
    """Whether a pod takes connections."""
    condition = facts.condition(pod.status, "Ready")
    return runs(pod) and condition is not None and condition.status == "True"


def over(pod: r.Pod) -> bool:
    """Whether nothing can be reached in a pod any more."""
    return pod.metadata.deletion_timestamp is not None or pod.status.phase in ("Succeeded", "Failed")


def taken(port: int) -> str:
    """Why a port of this machine cannot be had, "" when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            return refused(port, error)
    return ""


def proposed(port: int) -> int:
    """A port of this machine for a port of a pod: the same one, else one that is free."""
    wished = port if port >= UNPRIVILEGED else port + 8000
    if wished <= MOST and not taken(wished):
        return wished
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def number(text: str) -> int:
    """A port, 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MOST else 0
