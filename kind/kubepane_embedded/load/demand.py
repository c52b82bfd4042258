"""What users ask of Services, and which containers work for it.

Demand is CPU needed to serve everybody, from two sources: the annotation `sim.kubepane.io/demand` on a Service, and ready pods of load
generators (`sim.kubepane.io/load-service`, `sim.kubepane.io/load-demand`). It falls on the ready endpoints of the Service's
EndpointSlices. Nothing here runs by itself: work is added up when something changes and when somebody asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kubepane_embedded.backend import Backend
from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.images import Application, application
from kubepane_embedded.load.chance import deviation
from kubepane_embedded.load.spread import Member, Offer, Spread
from kubepane_embedded.meta import Key, Object, annotations_of, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import is_finished, is_ready, node_of
from kubepane_embedded.quantity import parse
from kubepane_embedded.workqueue import WorkQueue

SLICES = "endpointslices.discovery.k8s.io"
INGRESSES = "ingresses.networking.k8s.io"
BY_SERVICE = "load-service"
AFFINITY = "nginx.ingress.kubernetes.io/affinity"
NOISE = 0.03
"""How much a working container's CPU deviates from its share, up or down."""
PER_SESSION = 12.0
"""Millicores that one user needs, where a Service does not say how many there are."""
STEPS = 60
"""At most so many parts when work of a long time is added up."""

Worker = tuple[str, str]
"""(pod uid, container)."""


@dataclass(slots=True)
class Labour:
    """What one container has done for users: millicore-seconds up to a time."""

    at: float
    done: float = 0.0
    capacity: float = 0.0
    pod: Key = ("", "")
    spreads: list[Spread] = field(default_factory=list)


def millicores(text: str | None) -> float:
    """A quantity of CPU in millicores; 0 for what is no quantity."""
    try:
        return max(0.0, float(parse(text or "0") * 1000))
    except ValueError:
        return 0.0


def idle(container: dict[str, Any]) -> Application:
    """How the application of a container behaves."""
    return behaviour(container.get("image") or "")


@lru_cache(maxsize=1024)
def behaviour(image: str) -> Application:
    """How what runs in an image behaves; of unknown ones something small is assumed."""
    return application(image) or Application()


def services_of_ingress(ingress: Object) -> list[str]:
    """`namespace/name` of the Services behind an Ingress."""
    spec, namespace = ingress.get("spec") or {}, key_of(ingress)[0]
    paths = [path for rule in spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
    backends = [spec.get("defaultBackend") or {}, *(path.get("backend") or {} for path in paths)]
    names = [(backend.get("service") or {}).get("name") for backend in backends]
    return [f"{namespace}/{name}" for name in dict.fromkeys(names) if name]


def service_of_slice(endpoints: Object) -> list[str]:
    """`namespace/name` of the Service that an EndpointSlice belongs to."""
    name = labels_of(endpoints).get("kubernetes.io/service-name")
    return [f"{key_of(endpoints)[0]}/{name}"] if name else []


def service_of_generator(pod: Object) -> list[str]:
    """`namespace/name` of the Service that a pod makes load on."""
    if not annotations_of(pod):
        return []
    name = asked(pod, "load-service")
    if not name:
        return []
    return [name if "/" in name else f"{key_of(pod)[0]}/{name}"]


def keys(names: Callable[[Object], list[str]]) -> Callable[[Object], Iterable[Key]]:
    """The same as keys, for `Storage.subscribe`."""

    def found(obj: Object) -> Iterable[Key]:
        return [(namespace, name) for namespace, _, name in (text.partition("/") for text in names(obj))]

    return found


class Demand:
    """Load on all Services.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Backend) -> None:
        self._storage = core.storage
        self._clock = core.clock
        self._queue = WorkQueue(core.clock, self._reconcile, "load")
        self._labours: dict[Worker, Labour] = {}
        self._listeners: list[Callable[[], None]] = []
        self.spreads: dict[Key, Spread] = {}
        """Services with load, or that had some."""
        core.storage.add_index(SLICES, BY_SERVICE, service_of_slice)
        core.storage.add_index(INGRESSES, BY_SERVICE, services_of_ingress)
        core.storage.add_index("pods", BY_SERVICE, service_of_generator)

    def start(self) -> None:
        """Follow Services, their endpoints and Ingresses, and load generators."""
        followed = ((SLICES, service_of_slice), (INGRESSES, services_of_ingress), ("pods", service_of_generator))
        for resource, names in followed:
            self._storage.subscribe(resource, self._queue.add, keys(names))
        self._storage.subscribe("services", self._queue.add)
        for service in self._storage.objects("services"):
            self._queue.add(key_of(service))

    def follow(self, callback: Callable[[], None]) -> None:
        """Call back when load came, went or moved."""
        self._listeners.append(callback)

    # asking

    def workers(self) -> list[Worker]:
        """Containers that work, or worked, for users."""
        return list(self._labours)

    def busy(self, worker: Worker) -> float:
        """Millicores that a container spends on users at this moment."""
        labour = self._labours.get(worker)
        return self._rate(worker, labour, self._clock.seconds()) if labour is not None else 0.0

    def work(self, worker: Worker) -> float:
        """Millicore-seconds that a container has spent on users so far."""
        labour = self._labours.get(worker)
        if labour is None:
            return 0.0
        self._labour_on(worker, labour)
        return labour.done

    def sessions(self, worker: Worker) -> float:
        """Users on a container."""
        labour, now = self._labours.get(worker), self._clock.seconds()
        return sum(spread.sessions(worker[0], now) for spread in labour.spreads) if labour is not None else 0.0

    def lost(self, service: Key) -> float:
        """Millicores of a Service's demand that nobody serves at this moment."""
        spread = self.spreads.get(service)
        return spread.lost(self._clock.seconds()) if spread is not None else 0.0

    # adding up

    @staticmethod
    def _rate(worker: Worker, labour: Labour, now: float) -> float:
        wanted = sum(spread.share(worker[0], now) for spread in labour.spreads)
        if wanted <= 0.0:
            return 0.0
        return min(labour.capacity, wanted * (1.0 + NOISE * (2.0 * deviation(worker[0], int(now)) - 1.0)))

    def _labour_on(self, worker: Worker, labour: Labour) -> None:
        """Add up to now, second by second."""
        now = self._clock.seconds()
        passed = now - labour.at
        if passed <= 0.0:
            return
        if labour.spreads:
            steps = min(STEPS, math.ceil(passed))
            step = passed / steps
            labour.done += step * sum(self._rate(worker, labour, labour.at + (number + 0.5) * step) for number in range(steps))
        labour.at = now

    # following

    def _reconcile(self, key: Key) -> None:
        service = self._storage.read("services", *key)
        wanted = self._offer(key, service)
        spread = self.spreads.get(key)
        if spread is None:
            if wanted == Offer():
                return
            spread = self.spreads[key] = Spread()
        members = self._members(key) if service is not None else {}
        now = self._clock.seconds()
        for worker in self._workers_of(spread.members, members):
            self._labour_on(worker, self._labours.setdefault(worker, Labour(now)))
        spread.stick(self._is_sticky(key, service), now)
        spread.place(members, now)
        spread.offer(wanted, now)
        self._employ(key[0], spread, members)
        if service is None:
            del self.spreads[key]
        for callback in self._listeners:
            callback()

    @staticmethod
    def _workers_of(*groups: dict[str, Member]) -> list[Worker]:
        return list(dict.fromkeys((member.uid, member.container) for group in groups for member in group.values()))

    def _employ(self, namespace: str, spread: Spread, members: dict[str, Member]) -> None:
        """Let exactly these containers work for a Service."""
        wanted = {(member.uid, member.container): member for member in members.values()}
        for worker, labour in list(self._labours.items()):
            if worker not in wanted and spread in labour.spreads:
                labour.spreads = [one for one in labour.spreads if one is not spread]
        for worker, member in wanted.items():
            labour = self._labours[worker]
            labour.capacity, labour.pod = member.capacity, (namespace, member.name)
            if not any(one is spread for one in labour.spreads):
                labour.spreads.append(spread)

    def prune(self) -> None:
        """Forget what was done by pods that are no more."""
        for worker, labour in list(self._labours.items()):
            pod = None if labour.spreads else self._storage.read("pods", *labour.pod)
            if not labour.spreads and (pod is None or uid_of(pod) != worker[0]):
                del self._labours[worker]

    # what the objects say

    def _offer(self, key: Key, service: Object | None) -> Offer:
        if service is None:
            return Offer()
        total = self._demand(key, service)
        return Offer(total, self._users(key, service, total))

    def _demand(self, key: Key, service: Object) -> float:
        offered = millicores(asked(service, "demand"))
        generators = self._storage.find("pods", BY_SERVICE, f"{key[0]}/{key[1]}")
        at_work = (pod for pod in generators if is_ready(pod) and not is_finished(pod) and not is_deleting(pod))
        return offered + sum(millicores(asked(pod, "load-demand")) for pod in at_work)

    def _is_sticky(self, key: Key, service: Object | None) -> bool:
        if service is not None and (service.get("spec") or {}).get("sessionAffinity") == "ClientIP":
            return True
        return any(annotations_of(ingress).get(AFFINITY) == "cookie" for ingress in self._ingresses(key))

    def _ingresses(self, key: Key) -> list[Object]:
        return self._storage.find(INGRESSES, BY_SERVICE, f"{key[0]}/{key[1]}")

    def _users(self, key: Key, service: Object, total: float) -> int:
        """Sessions: what the Service says, else as many as the demand stands for when users come through an Ingress."""
        text = asked(service, "sessions")
        if text is not None and text.strip().isdigit():
            return int(text)
        return math.ceil(total / PER_SESSION) if self._ingresses(key) else 0

    def _members(self, key: Key) -> dict[str, Member]:
        """The ready pods behind a Service, by uid."""
        found: dict[str, Member] = {}
        for piece in self._storage.find(SLICES, BY_SERVICE, f"{key[0]}/{key[1]}"):
            ports = [port.get("port") for port in piece.get("ports") or []]
            for endpoint in piece.get("endpoints") or []:
                target = endpoint.get("targetRef") or {}
                pod = self._storage.read("pods", key[0], target.get("name") or "") if target.get("kind") == "Pod" else None
                if pod is None or (endpoint.get("conditions") or {}).get("ready") is False or target.get("uid") not in (None, uid_of(pod)):
                    continue
                member = self._member(pod, ports)
                if member is not None:
                    found[member.uid] = member
        return found

    def _member(self, pod: Object, ports: list[Any]) -> Member | None:
        containers = (pod.get("spec") or {}).get("containers") or []
        if not containers:
            return None
        serves = (one for one in containers if any(port.get("containerPort") in ports for port in one.get("ports") or []))
        container = next(serves, containers[0])
        limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
        capacity = millicores(str(limit)) if limit is not None else self._node_capacity(pod)
        return Member(uid_of(pod), key_of(pod)[1], container.get("name") or "", max(0.0, capacity - idle(container).idle_cpu))

    def _node_capacity(self, pod: Object) -> float:
        node = self._storage.read("nodes", "", node_of(pod)) or {}
        return millicores(str(((node.get("status") or {}).get("capacity") or {}).get("cpu") or "1"))
