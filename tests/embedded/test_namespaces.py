"""Namespaces are emptied before they go, and say what holds them (texts of a real 1.35.4)."""

from __future__ import annotations

from typing import Any

import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.namespaces import NamespaceController
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, is_deleting

FINE = [
    ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    ("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
]
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}


@pytest.fixture
def cluster(core: Core) -> Core:
    NamespaceController(core).start()
    GarbageCollector(core).start()
    core.client("test").create("namespaces", {"metadata": {"name": "shop"}})
    return core


def advance(core: Core, seconds: float) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def shop(core: Core) -> Object | None:
    return core.storage.read("namespaces", "", "shop")


def conditions(core: Core) -> list[tuple[str, ...]]:
    namespace = shop(core)
    assert namespace is not None
    return [tuple(one[part] for part in ("type", "status", "reason", "message")) for one in namespace["status"].get("conditions") or []]


def config(core: Core, name: str, *finalizers: str) -> None:
    core.client("test").create("configmaps", {"metadata": {"name": name, "namespace": "shop", "finalizers": list(finalizers)}})


def running_pod(core: Core, name: str, **meta: Any) -> None:
    body = {"metadata": {"name": name, "namespace": "shop", **meta}, "spec": {**TEMPLATE["spec"], "nodeName": "n"}}
    core.client("test").create("pods", body)
    core.client("kubelet").patch_status("pods", "shop", name, {"phase": "Running"})


def delete(core: Core) -> None:
    core.client("test").delete("namespaces", "", "shop")


def test_goes_with_all_it_holds(cluster: Core) -> None:
    config(cluster, "a")
    client = cluster.client("test")
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    client.create("deployments.apps", {"metadata": {"name": "d", "namespace": "shop"}, "spec": spec})
    delete(cluster)
    advance(cluster, 4.9)
    assert cluster.storage.read("configmaps", "shop", "a") is not None  # everybody is given 5 s to notice
    advance(cluster, 0.2)
    assert shop(cluster) is None
    assert list(cluster.storage.contents("shop")) == []


def test_pods_first_and_gracefully(cluster: Core) -> None:
    config(cluster, "a")
    running_pod(cluster, "p")
    delete(cluster)
    advance(cluster, 10)
    pod = cluster.storage.read("pods", "shop", "p")
    assert pod is not None
    assert is_deleting(pod)
    assert cluster.storage.read("configmaps", "shop", "a") is not None
    assert conditions(cluster) == FINE  # a real server says nothing of the rest while pods remain
    cluster.client("kubelet").delete("pods", "shop", "p", grace=0)
    advance(cluster, 17)  # half of the pods' grace period, and a second
    assert shop(cluster) is None


def test_finalizers_hold_it_and_are_told(cluster: Core) -> None:
    config(cluster, "held", "example.com/hold")
    client = cluster.client("test")
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    meta = {"name": "d", "namespace": "shop", "finalizers": ["example.com/hold", "example.com/two"]}
    client.create("deployments.apps", {"metadata": meta, "spec": spec})
    delete(cluster)
    advance(cluster, 8)
    remain = "Some resources are remaining: configmaps. has 1 resource instances, deployments.apps has 1 resource instances"
    held = "Some content in the namespace has finalizers remaining: "
    both = held + "example.com/hold in 2 resource instances, example.com/two in 1 resource instances"
    assert conditions(cluster) == [
        *FINE[:3],
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", remain),
        ("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", both),
    ]
    client.patch("deployments.apps", "shop", "d", {"metadata": {"finalizers": None}})
    advance(cluster, 14)
    assert conditions(cluster)[4][3] == held + "example.com/hold in 1 resource instances"
    client.patch("configmaps", "shop", "held", {"metadata": {"finalizers": None}})
    advance(cluster, 9)
    assert shop(cluster) is None


def test_a_namespace_that_waits_writes_nothing_more(cluster: Core) -> None:
    config(cluster, "held", "example.com/hold")
    delete(cluster)
    advance(cluster, 30)
    before = cluster.storage.revision
    advance(cluster, 600)
    assert cluster.storage.revision == before


def test_new_content_is_refused_meanwhile(cluster: Core) -> None:
    config(cluster, "held", "example.com/hold")
    delete(cluster)
    with pytest.raises(ApiError, match="unable to create new content in namespace shop because it is being terminated"):
        config(cluster, "late")


def test_its_own_other_finalizers_stay(cluster: Core) -> None:
    namespace = shop(cluster)
    assert namespace is not None
    wanted = {**namespace, "spec": {"finalizers": ["kubernetes", "example.com/mine"]}}
    cluster.client("test").finalize_namespace(wanted)
    delete(cluster)
    advance(cluster, 20)
    kept = shop(cluster)
    assert kept is not None
    assert kept["spec"]["finalizers"] == ["example.com/mine"]
    assert conditions(cluster) == FINE


def test_finalizer_of_a_pod_keeps_everything_waiting(cluster: Core) -> None:
    running_pod(cluster, "p", finalizers=["example.com/hold"])
    config(cluster, "a")
    delete(cluster)
    cluster.client("kubelet").delete("pods", "shop", "p", grace=0)
    advance(cluster, 40)
    assert cluster.storage.read("configmaps", "shop", "a") is not None
    cluster.client("test").patch("pods", "shop", "p", {"metadata": {"finalizers": None}})
    advance(cluster, 17)
    assert shop(cluster) is None


def test_nothing_is_orphaned(cluster: Core) -> None:
    client = cluster.client("test")
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    client.create("deployments.apps", {"metadata": {"name": "d", "namespace": "shop", "finalizers": ["example.com/hold"]}, "spec": spec})
    client.delete("deployments.apps", "shop", "d", propagation="Orphan")
    client.patch("deployments.apps", "shop", "d", {"metadata": {"finalizers": ["orphan", "example.com/hold"]}})
    delete(cluster)
    cluster.clock._heap.clear()  # the garbage collector sleeps
    NamespaceController(cluster).start()
    advance(cluster, 6)
    found = cluster.storage.read("deployments.apps", "shop", "d")
    assert found is not None
    assert found["metadata"]["finalizers"] == ["example.com/hold"]


def test_one_that_was_going_already_at_the_start(core: Core) -> None:
    core.client("test").create("namespaces", {"metadata": {"name": "shop"}})
    delete(core)
    NamespaceController(core).start()
    advance(core, 6)
    assert shop(core) is None


def test_living_namespaces_are_left_alone(cluster: Core) -> None:
    config(cluster, "a")
    before = cluster.storage.revision
    advance(cluster, 3600)
    assert cluster.storage.revision == before
