"""What ingress-nginx writes: the event Sync, and the address in the status of the Ingresses of its class.

Follows ingress-nginx (internal/ingress/controller/store, internal/ingress/status). It acts only while a Deployment labelled
`app.kubernetes.io/name: ingress-nginx` has an available pod, and obeys that Deployment's arguments `--publish-status-address`,
`--ingress-class` and `--watch-ingress-without-class`. The real status syncer writes once a minute; this one after a few seconds.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from kubepane_embedded.backend import Backend
from kubepane_embedded.meta import Key, Object, annotations_of, clone, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.recorder import NORMAL, Recorder
from kubepane_embedded.workqueue import WorkQueue

INGRESSES = "ingresses.networking.k8s.io"
CLASSES = "ingressclasses.networking.k8s.io"
DEPLOYMENTS = "deployments.apps"
COMPONENT = "nginx-ingress-controller"
CONTROLLER = "k8s.io/ingress-nginx"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
NAME_LABEL = "app.kubernetes.io/name"
STATUS_SECONDS = 5.0
"""How long after an Ingress was taken up its status is written."""
EVERYTHING = ("", "")


class IngressController:
    """The control side of ingress-nginx; traffic does not go through it.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Backend) -> None:
        self._storage = core.storage
        self._clock = core.clock
        self._client = core.client(COMPONENT)
        self._recorder = Recorder(self._client, COMPONENT)
        self._queue = WorkQueue(core.clock, self._reconcile, COMPONENT)
        self._synced: dict[str, tuple[object, float]] = {}
        """uid of an Ingress → what was synced, and when it was first."""

    def start(self) -> None:
        """Follow Ingresses, their classes, and the Deployment that runs the controller."""
        self._storage.add_index(DEPLOYMENTS, COMPONENT, lambda obj: [COMPONENT] if _is_controller(obj) else [])
        self._storage.subscribe(INGRESSES, self._queue.add)
        self._storage.subscribe(CLASSES, self._queue.add, lambda _: [EVERYTHING])
        self._storage.subscribe(DEPLOYMENTS, self._queue.add, lambda obj: [EVERYTHING] if _is_controller(obj) else [])
        self._queue.add(EVERYTHING)

    def _reconcile(self, key: Key) -> None:
        if key == EVERYTHING:
            if self._running() is None:
                self._synced.clear()  # the next controller syncs everything again
            for one in self._storage.objects(INGRESSES):
                self._queue.add(key_of(one))
            return
        ingress = self._storage.read(INGRESSES, *key)
        if ingress is None or is_deleting(ingress):
            return
        deployment = self._running()
        if deployment is not None and self._is_mine(ingress, deployment):
            self._take(ingress, deployment)
        elif self._has_address(ingress) and (deployment is not None or self._has_gone()):
            self._tell(ingress, [])

    def _running(self) -> Object | None:
        """The Deployment that has an available pod."""
        found = self._storage.find(DEPLOYMENTS, COMPONENT, COMPONENT)
        return next((one for one in found if (one.get("status") or {}).get("availableReplicas")), None)

    def _has_gone(self) -> bool:
        """Whether no pod is left, so that the last one has taken the addresses back; one that only fails does not."""
        return not any((one.get("status") or {}).get("replicas") for one in self._storage.find(DEPLOYMENTS, COMPONENT, COMPONENT))

    def _is_mine(self, ingress: Object, deployment: Object) -> bool:
        given = annotations_of(ingress).get(CLASS_ANNOTATION)
        if given is not None:
            return given == _argument(deployment, "--ingress-class", "nginx")
        name = (ingress.get("spec") or {}).get("ingressClassName")
        if not name:
            return _argument(deployment, "--watch-ingress-without-class", "false") == "true"
        found = self._storage.read(CLASSES, "", name)
        return found is not None and (found.get("spec") or {}).get("controller") == CONTROLLER

    def _take(self, ingress: Object, deployment: Object) -> None:
        state = (ingress["metadata"].get("generation"), annotations_of(ingress))
        before = self._synced.get(uid_of(ingress))
        since = before[1] if before is not None else self._clock.seconds()
        self._synced[uid_of(ingress)] = (state, since)
        if before is None or before[0] != state:
            self._recorder.event(ingress, NORMAL, "Sync", "Scheduled for sync")
        wait = since + STATUS_SECONDS - self._clock.seconds()
        if wait > 0:
            self._queue.add_after(key_of(ingress), wait)
        else:
            self._tell(ingress, [_address(_argument(deployment, "--publish-status-address", "localhost"))])

    def _has_address(self, ingress: Object) -> bool:
        return bool(((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress"))

    def _tell(self, ingress: Object, addresses: list[dict[str, Any]]) -> None:
        balancer = {"ingress": addresses} if addresses else {}
        if (ingress.get("status") or {}).get("loadBalancer") != balancer:
            self._client.update_status(INGRESSES, {**clone(ingress), "status": {"loadBalancer": balancer}})


def _is_controller(deployment: Object) -> bool:
    return labels_of(deployment).get(NAME_LABEL) == "ingress-nginx"


def _address(text: str) -> dict[str, Any]:
    try:
        return {"ip": str(ip_address(text))}
    except ValueError:
        return {"hostname": text}


def _argument(deployment: Object, name: str, default: str) -> str:
    """The value of `--name=value` among the arguments of the controller's containers."""
    containers = ((deployment["spec"].get("template") or {}).get("spec") or {}).get("containers") or []
    given = [argument for one in containers for argument in one.get("args") or [] if argument.split("=", 1)[0] == name]
    return given[-1].partition("=")[2] or "true" if given else default
