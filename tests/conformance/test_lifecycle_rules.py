"""Lives and ends: owners and dependents, finalizers, namespaces, evictions."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.peers import Space, pod, until, workload


def owned(space: Space, name: str, owner: dict[str, Any], blocking: bool = False) -> None:
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocking,
    }
    space.door.create(space.core("configmaps"), {"metadata": {"name": name, "ownerReferences": [reference]}})


def test_background_takes_dependents_later(space: Space) -> None:
    owner = space.door.create(space.core("configmaps"), {"metadata": {"name": "owner"}})
    owned(space, "child", owner)
    assert space.door.delete(space.core("configmaps", "owner"), {"propagationPolicy": "Background"}).body["status"] == "Success"
    assert space.door("GET", space.core("configmaps", "owner")).code == 404
    space.door.gone(space.core("configmaps", "child"))


def test_foreground_waits_for_blocking_dependents(space: Space) -> None:
    owner = space.door.create(space.core("configmaps"), {"metadata": {"name": "owner"}})
    owned(space, "child", owner, blocking=True)
    space.door.patch(space.core("configmaps", "child"), {"metadata": {"finalizers": ["example.com/hold"]}})
    space.door.delete(space.core("configmaps", "owner"), {"propagationPolicy": "Foreground"})
    space.door.until(space.core("configmaps", "child"), lambda c: c["metadata"].get("deletionTimestamp"))
    held = space.door.get(space.core("configmaps", "owner"))["metadata"]
    assert held["finalizers"] == ["foregroundDeletion"]
    assert held["deletionGracePeriodSeconds"] == 0
    space.door.patch(space.core("configmaps", "child"), {"metadata": {"finalizers": None}})
    space.door.gone(space.core("configmaps", "owner"))


def test_orphans_lose_their_owner_and_stay(space: Space) -> None:
    owner = space.door.create(space.core("configmaps"), {"metadata": {"name": "owner"}})
    owned(space, "child", owner)
    space.door.delete(space.core("configmaps", "owner"), {"propagationPolicy": "Orphan"})
    space.door.gone(space.core("configmaps", "owner"))
    assert "ownerReferences" not in space.door.get(space.core("configmaps", "child"))["metadata"]


def test_an_owner_that_never_was(space: Space) -> None:
    owned(space, "child", {"metadata": {"name": "none", "uid": "00000000-0000-4000-8000-000000000000"}})
    space.door.gone(space.core("configmaps", "child"))


def test_a_deployment_takes_its_pods_with_it(space: Space) -> None:
    space.door.create(space.apps("deployments"), workload("web", 2))
    space.door.until(space.apps("deployments", "web"), lambda d: d["status"].get("readyReplicas") == 2)
    space.door.delete(space.apps("deployments", "web"), {"propagationPolicy": "Foreground"})
    space.door.gone(space.apps("deployments", "web"))
    assert space.door.get(space.apps("replicasets"))["items"] == []


def test_preconditions_of_a_deletion(space: Space) -> None:
    made = space.door.create(space.core("configmaps"), {"metadata": {"name": "x"}})
    answer = space.door.delete(space.core("configmaps", "x"), {"preconditions": {"uid": "another"}})
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert f"the UID in the precondition (another) does not match the UID in record ({made['metadata']['uid']})" in answer.body["message"]
    done = space.door.delete(space.core("configmaps", "x"), {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert (done.code, done.body["details"]["uid"]) == (200, made["metadata"]["uid"])


@pytest.fixture
def guarded(space: Space) -> Space:
    """Two pods that a budget does not let go, and the budget's status is known."""
    door = space.door
    door.create(space.apps("deployments"), workload("web", 2))
    door.until(space.apps("deployments", "web"), lambda d: d["status"].get("readyReplicas") == 2)
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    door.create(space.path("policy/v1", "poddisruptionbudgets"), {"metadata": {"name": "pdb"}, "spec": spec})
    door.until(space.path("policy/v1", "poddisruptionbudgets", "pdb"), lambda b: b["status"].get("currentHealthy") == 2)
    return space


def evict(space: Space, name: str) -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space.name}}
    return space.door("POST", space.core("pods", f"{name}/eviction"), body)


def test_a_budget_forbids_and_allows(guarded: Space) -> None:
    space, door = guarded, guarded.door
    name = space.pods()[0]["metadata"]["name"]
    refused = evict(space, name)
    assert (refused.code, refused.body["reason"]) == (429, "TooManyRequests")
    assert refused.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused.body["details"]["causes"]
    assert (cause["reason"], cause["message"]) == ("DisruptionBudget", "The disruption budget pdb needs 2 healthy pods and has 2 currently")
    door.patch(space.path("policy/v1", "poddisruptionbudgets", "pdb"), {"spec": {"minAvailable": 1}})
    door.until(space.path("policy/v1", "poddisruptionbudgets", "pdb"), lambda b: b["status"].get("disruptionsAllowed") == 1)
    assert evict(space, name).code == 201
    door.gone(space.core("pods", name))
    assert evict(space, "none").code == 404


def test_a_pending_pod_is_evicted_past_any_budget(guarded: Space) -> None:
    body = pod("late", nodeSelector={"no": "where"})
    guarded.door.create(guarded.core("pods"), {**body, "metadata": {"name": "late", "labels": {"app": "web"}}})
    assert evict(guarded, "late").code == 201


def test_a_namespace_empties_itself_and_takes_nothing_new(space: Space) -> None:
    door, path = space.door, f"/api/v1/namespaces/{space.name}"
    door.create(space.core("configmaps"), {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    door.create(space.core("configmaps"), {"metadata": {"name": "free"}})
    door.delete(path)
    assert door.get(path)["status"]["phase"] == "Terminating"
    refused = door("POST", space.core("configmaps"), {"metadata": {"name": "late"}})
    assert (refused.code, refused.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    assert refused.body["message"] == (
        f'configmaps "late" is forbidden: unable to create new content in namespace {space.name} because it is being terminated'
    )
    until(
        lambda: any(c["type"] == "NamespaceFinalizersRemaining" and c["status"] == "True" for c in door.get(path)["status"].get("conditions") or [])
    )
    door.gone(space.core("configmaps", "free"))
    door.patch(space.core("configmaps", "held"), {"metadata": {"finalizers": None}})
    door.gone(path, 90)
