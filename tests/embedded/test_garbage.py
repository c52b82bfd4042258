"""Dependents go with their owners: in the background, before them, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, finalizers_of, is_deleting, owner_reference, owners_of, uid_of
from kubepane_embedded.nodes import add_pods

GONE = "11111111-1111-4111-8111-111111111111"
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}


@pytest.fixture
def collected(core: Core) -> Core:
    GarbageCollector(core).start()
    return core


def settle(core: Core, seconds: float = 0.0) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def config(core: Core, name: str, *owners: dict[str, Any], namespace: str = "default", **meta: Any) -> Object:
    body = {"metadata": {"name": name, "namespace": namespace, "ownerReferences": list(owners), **meta}}
    return core.client("test").create("configmaps", body)


def reference(kind: str, name: str, uid: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, **more}


def present(core: Core, resource: str, name: str, namespace: str = "default") -> Object | None:
    return core.storage.read(resource, namespace, name)


def kept(core: Core, resource: str, name: str) -> Object:
    found = present(core, resource, name)
    assert found is not None, f"{name} is gone"
    return found


def tree(core: Core) -> tuple[Object, Object, Object]:
    """Deployment, ReplicaSet and a running pod, each owned by the one before."""
    client = core.client("test")
    selector = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
    deployment = client.create("deployments.apps", {"metadata": {"name": "web", "namespace": "default"}, "spec": selector})
    meta = {"namespace": "default", "labels": {"app": "web"}}
    owned = {**meta, "name": "web-1", "ownerReferences": [owner_reference(deployment)]}
    replica_set = client.create("replicasets.apps", {"metadata": owned, "spec": selector})
    owned = {**meta, "name": "web-1-a", "ownerReferences": [owner_reference(replica_set)]}
    pod = client.create("pods", {"metadata": owned, "spec": {"nodeName": "n", **TEMPLATE["spec"]}})
    pod = client.patch_status("pods", "default", "web-1-a", {"phase": "Running"})
    settle(core)
    return deployment, replica_set, pod


def alive(core: Core) -> list[str]:
    kinds = {"deployments.apps": "web", "replicasets.apps": "web-1", "pods": "web-1-a"}
    return [f"{kind}{'*' if is_deleting(obj) else ''}" for kind, name in kinds.items() if (obj := present(core, kind, name)) is not None]


def finish_pod(core: Core) -> None:
    """What the kubelet does once the containers have ended."""
    core.client("kubelet").delete("pods", "default", "web-1-a", grace=0)
    settle(core)


def test_background(collected: Core) -> None:
    tree(collected)
    collected.client("test").delete("deployments.apps", "default", "web", propagation="Background")
    settle(collected)
    assert alive(collected) == ["pods*"]  # the pod keeps its grace period
    assert kept(collected, "pods", "web-1-a")["metadata"]["deletionGracePeriodSeconds"] == 30
    finish_pod(collected)
    assert alive(collected) == []


def test_foreground_waits_for_the_pods(collected: Core) -> None:
    tree(collected)
    collected.client("test").delete("deployments.apps", "default", "web", propagation="Foreground")
    settle(collected, 20)
    assert alive(collected) == ["deployments.apps*", "replicasets.apps*", "pods*"]
    assert finalizers_of(kept(collected, "replicasets.apps", "web-1")) == ["foregroundDeletion"]
    finish_pod(collected)
    assert alive(collected) == []


def test_foreground_does_not_wait_for_dependents_that_do_not_block(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "free", owner_reference(owner, controller=False), finalizers=["example.com/hold"])
    collected.client("test").delete("configmaps", "default", "owner", propagation="Foreground")
    settle(collected)
    assert present(collected, "configmaps", "owner") is None
    assert is_deleting(kept(collected, "configmaps", "free"))


def test_orphan(collected: Core) -> None:
    tree(collected)
    collected.client("test").delete("deployments.apps", "default", "web", propagation="Orphan")
    assert alive(collected) == ["deployments.apps*", "replicasets.apps", "pods"]
    settle(collected)
    assert alive(collected) == ["replicasets.apps", "pods"]
    assert "ownerReferences" not in kept(collected, "replicasets.apps", "web-1")["metadata"]
    assert [one["name"] for one in owners_of(kept(collected, "pods", "web-1-a"))] == ["web-1"]


@pytest.mark.parametrize("owner", [reference("ConfigMap", "nobody", GONE), reference("Node", "nobody", GONE)])
def test_dangling_from_the_start(collected: Core, owner: dict[str, Any]) -> None:
    config(collected, "dangling", owner)
    settle(collected)
    assert present(collected, "configmaps", "dangling") is None


def test_wrong_uid_and_wrong_name_are_dangling(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "wrong-uid", reference("ConfigMap", "owner", GONE))
    config(collected, "wrong-name", reference("ConfigMap", "other", uid_of(owner)))
    config(collected, "right", reference("ConfigMap", "owner", uid_of(owner)))
    settle(collected)
    assert [present(collected, "configmaps", name) is not None for name in ("wrong-uid", "wrong-name", "right")] == [False, False, True]


def test_recreated_owner_is_another(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "child", owner_reference(owner))
    client = collected.client("test")
    client.delete("configmaps", "default", "owner")
    config(collected, "owner")
    settle(collected)
    assert present(collected, "configmaps", "child") is None


def test_one_owner_left_keeps_it_and_the_others_are_struck(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "half", reference("ConfigMap", "owner", uid_of(owner)), reference("ConfigMap", "nobody", GONE))
    settle(collected)
    assert [one["name"] for one in owners_of(kept(collected, "configmaps", "half"))] == ["owner"]


def test_unknown_kinds_are_left_alone(collected: Core) -> None:
    config(collected, "strange", reference("Nope", "nobody", GONE, "nope.example/v1"))
    settle(collected)
    assert present(collected, "configmaps", "strange") is not None


def test_owner_in_another_namespace(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "cross", reference("ConfigMap", "owner", uid_of(owner)), namespace="kube-public")
    settle(collected)
    assert present(collected, "configmaps", "cross", "kube-public") is None
    (event,) = collected.storage.objects("events", "kube-public")
    where = f"[v1/ConfigMap, namespace: kube-public, name: owner, uid: {uid_of(owner)}]"
    assert event["message"] == f'ownerRef {where} does not exist in namespace "kube-public"'
    assert (event["type"], event["reason"], event["source"]) == ("Warning", "OwnerRefInvalidNamespace", {"component": "garbage-collector-controller"})
    assert "resourceVersion" not in event["involvedObject"]


def test_cluster_scoped_with_namespaced_owner_is_told_and_left(collected: Core) -> None:
    owner = config(collected, "owner")
    roles = "clusterroles.rbac.authorization.k8s.io"
    meta = {"name": "r", "ownerReferences": [reference("ConfigMap", "owner", uid_of(owner))]}
    collected.client("test").create(roles, {"metadata": meta, "rules": []})
    settle(collected)
    assert collected.storage.read(roles, "", "r") is not None
    assert [event["reason"] for event in collected.storage.objects("events", "default")] == ["OwnerRefInvalidNamespace"]


def test_circle_of_foreground_owners_ends(collected: Core) -> None:
    first = config(collected, "first")
    second = config(collected, "second", owner_reference(first))
    collected.client("test").patch("configmaps", "default", "first", {"metadata": {"ownerReferences": [owner_reference(second)]}})
    settle(collected)
    collected.client("test").delete("configmaps", "default", "first", propagation="Foreground")
    settle(collected)
    assert present(collected, "configmaps", "first") is None
    assert present(collected, "configmaps", "second") is None


def test_finalizers_of_others_are_respected(collected: Core) -> None:
    owner = config(collected, "owner")
    config(collected, "held", owner_reference(owner), finalizers=["example.com/hold"])
    client = collected.client("test")
    client.delete("configmaps", "default", "owner", propagation="Foreground")
    settle(collected)
    assert present(collected, "configmaps", "owner") is not None
    client.patch("configmaps", "default", "held", {"metadata": {"finalizers": None}})
    settle(collected)
    assert present(collected, "configmaps", "owner") is None


@pytest.mark.parametrize("propagation", ["Foreground", "Orphan"])
def test_only_its_own_finalizer_is_dropped(collected: Core, propagation: str) -> None:
    config(collected, "owner", finalizers=["example.com/hold"])
    collected.client("test").delete("configmaps", "default", "owner", propagation=propagation)
    settle(collected)
    assert finalizers_of(kept(collected, "configmaps", "owner")) == ["example.com/hold"]


def test_what_is_there_before_the_start(core: Core) -> None:
    config(core, "dangling", reference("ConfigMap", "nobody", GONE))
    GarbageCollector(core).start()
    settle(core)
    assert present(core, "configmaps", "dangling") is None


def test_status_writes_and_pods_without_owner_make_no_work(collected: Core) -> None:
    tree(collected)
    add_pods(collected, 50)
    settle(collected)
    before = collected.storage.revision
    for number in range(5):
        collected.client("kubelet").patch_status("pods", "default", "web-1-a", {"message": str(number)})
    assert collected.clock._heap == []
    settle(collected, 3600)
    assert collected.storage.revision == before + 5
