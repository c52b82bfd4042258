"""Ingresses are taken up by a running controller of their class, and by nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.ingresses import CLASSES, DEPLOYMENTS, INGRESSES, IngressController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object

LABELS = {"app.kubernetes.io/name": "ingress-nginx"}
LOCALHOST = {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}
NONE: dict[str, Any] = {"loadBalancer": {}}


@pytest.fixture
def cluster(core: Core) -> Core:
    client = core.client("test")
    client.create("namespaces", {"metadata": {"name": "ingress-nginx"}})
    client.create(CLASSES, {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    client.create(CLASSES, {"metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}})
    IngressController(core).start()
    return core


def advance(core: Core, seconds: float) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def controller(core: Core, *args: str) -> None:
    container = {"name": "controller", "image": "x", "args": ["/nginx-ingress-controller", *args]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    meta = {"name": "ingress-nginx-controller", "namespace": "ingress-nginx", "labels": LABELS}
    core.client("test").create(DEPLOYMENTS, {"metadata": meta, "spec": {"selector": {"matchLabels": LABELS}, "template": template}})
    pods(core, 1, 1)


def pods(core: Core, replicas: int, available: int) -> None:
    status = {"replicas": replicas or None, "availableReplicas": available or None}
    core.client("deployment-controller").patch_status(DEPLOYMENTS, "ingress-nginx", "ingress-nginx-controller", status)


def ingress(core: Core, name: str = "web", cls: str | None = "nginx", **annotations: str) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec: dict[str, Any] = {"defaultBackend": backend, **({"ingressClassName": cls} if cls else {})}
    notes = {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}
    core.client("test").create(INGRESSES, {"metadata": {"name": name, "namespace": "default", "annotations": notes}, "spec": spec})


def status(core: Core, name: str = "web") -> Any:
    found = core.storage.read(INGRESSES, "default", name)
    assert found is not None
    return found["status"]


def events(core: Core) -> list[Object]:
    return core.storage.objects("events", "default")


def test_event_then_address(cluster: Core) -> None:
    controller(cluster)
    ingress(cluster)
    advance(cluster, 1)
    (event,) = events(cluster)
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Sync", "Scheduled for sync")
    assert event["source"] == {"component": "nginx-ingress-controller"}
    assert (event["involvedObject"]["kind"], event["involvedObject"]["apiVersion"]) == ("Ingress", "networking.k8s.io/v1")
    assert status(cluster) == NONE
    advance(cluster, 10)
    assert status(cluster) == LOCALHOST
    assert len(events(cluster)) == 1


def test_nothing_without_a_controller(cluster: Core) -> None:
    ingress(cluster)
    advance(cluster, 120)
    assert (status(cluster), events(cluster)) == (NONE, [])
    controller(cluster)
    advance(cluster, 10)
    assert status(cluster) == LOCALHOST


@pytest.mark.parametrize(
    ("cls", "annotation", "mine"),
    [("nginx", None, True), ("other", None, False), ("absent", None, False), (None, None, False), (None, "nginx", True), (None, "traefik", False)],
)
def test_classes(cluster: Core, cls: str | None, annotation: str | None, mine: bool) -> None:
    controller(cluster)
    ingress(cluster, cls=cls, **({"kubernetes_io__ingress_class": annotation} if annotation else {}))
    advance(cluster, 10)
    assert (status(cluster), len(events(cluster))) == ((LOCALHOST, 1) if mine else (NONE, 0))


def test_arguments_of_the_controller(cluster: Core) -> None:
    controller(cluster, "--watch-ingress-without-class=true", "--publish-status-address=192.0.2.1")
    ingress(cluster, cls=None)
    advance(cluster, 10)
    assert status(cluster) == {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}


def test_class_that_comes_later(cluster: Core) -> None:
    controller(cluster)
    ingress(cluster, cls="late")
    advance(cluster, 10)
    cluster.client("test").create(CLASSES, {"metadata": {"name": "late"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    advance(cluster, 10)
    assert status(cluster) == LOCALHOST


def test_change_is_synced_again(cluster: Core) -> None:
    controller(cluster)
    ingress(cluster)
    advance(cluster, 10)
    client = cluster.client("test")
    client.patch(INGRESSES, "default", "web", {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"}}})
    advance(cluster, 1)
    client.patch(INGRESSES, "default", "web", {"spec": {"ingressClassName": "other"}})
    advance(cluster, 10)
    assert [event["count"] for event in events(cluster)] == [2]
    assert status(cluster) == NONE  # not ours any more


def test_failing_controller_keeps_the_address_and_a_gone_one_takes_it_back(cluster: Core) -> None:
    controller(cluster)
    ingress(cluster)
    advance(cluster, 10)
    pods(cluster, 1, 0)
    advance(cluster, 60)
    assert status(cluster) == LOCALHOST
    pods(cluster, 0, 0)
    advance(cluster, 1)
    assert status(cluster) == NONE
    assert [event["count"] for event in events(cluster)] == [1]
    pods(cluster, 1, 1)
    advance(cluster, 10)
    assert (status(cluster), [event["count"] for event in events(cluster)]) == (LOCALHOST, [2])
    cluster.client("test").delete(DEPLOYMENTS, "ingress-nginx", "ingress-nginx-controller")
    advance(cluster, 1)
    assert status(cluster) == NONE


def test_nothing_is_written_when_nothing_changes(cluster: Core) -> None:
    controller(cluster)
    ingress(cluster)
    advance(cluster, 10)
    before = cluster.storage.revision
    advance(cluster, 3600)
    assert cluster.storage.revision == before
