"""PodDisruptionBudgets count and allow as those of a real 1.35.4, and evictions obey them."""

from __future__ import annotations

from typing import Any

import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.budgets import DisruptionController
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.eviction import BUDGETS
from kubepane_embedded.meta import Object, owner_reference, uid_of

WEB = {"matchLabels": {"app": "web"}}
CONTAINERS = [{"name": "c", "image": "x"}]


@pytest.fixture
def cluster(core: Core) -> Core:
    DisruptionController(core).start()
    return core


def advance(core: Core, seconds: float = 0.0) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def workload(core: Core, kind: str = "replicasets.apps", name: str = "web", replicas: int = 3, **meta: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": CONTAINERS}}
    spec: dict[str, Any] = {"selector": WEB, "template": template, "replicas": replicas}
    if kind == "daemonsets.apps":
        del spec["replicas"]
    return core.client("test").create(kind, {"metadata": {"name": name, "namespace": "default", **meta}, "spec": spec})


def pod(core: Core, name: str, owner: Object | None = None, ready: bool = True, app: str = "web") -> None:
    meta: dict[str, Any] = {"name": name, "namespace": "default", "labels": {"app": app}}
    if owner is not None:
        meta["ownerReferences"] = [owner_reference(owner)]
    core.client("test").create("pods", {"metadata": meta, "spec": {"nodeName": "n", "containers": CONTAINERS}})
    is_now(core, name, ready)


def is_now(core: Core, name: str, ready: bool) -> None:
    core.client("kubelet").patch_status("pods", "default", name, {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]})


def budget(core: Core, name: str = "b", selector: Any = WEB, **spec: Any) -> None:
    core.client("test").create(BUDGETS, {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": selector, **spec}})
    advance(core)


def status(core: Core, name: str = "b") -> dict[str, Any]:
    found = core.storage.read(BUDGETS, "default", name)
    assert found is not None
    return dict(found["status"])


def numbers(core: Core, name: str = "b") -> tuple[int, ...]:
    """(expected, desired, healthy, allowed)."""
    now = status(core, name)
    return tuple(now[part] for part in ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"))


def told(core: Core) -> list[tuple[str, ...]]:
    events = core.storage.objects("events", "default")
    return [(event["involvedObject"]["name"], event["type"], event["reason"], event["message"]) for event in events]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (3, 2, 3, 1)),
        ({"minAvailable": "50%"}, (3, 2, 3, 1)),
        ({"maxUnavailable": 1}, (3, 2, 3, 1)),
        ({"maxUnavailable": "34%"}, (3, 1, 3, 2)),
        ({"maxUnavailable": 9}, (3, 0, 3, 3)),
        ({"minAvailable": 9}, (3, 9, 3, 0)),
        ({"minAvailable": "100%"}, (3, 3, 3, 0)),
        ({}, (3, 0, 3, 3)),
    ],
)
def test_amounts(cluster: Core, spec: dict[str, Any], expected: tuple[int, ...]) -> None:
    owner = workload(cluster)
    for number in range(3):
        pod(cluster, f"p{number}", owner)
    budget(cluster, **spec)
    assert numbers(cluster) == expected


def test_whole_status(cluster: Core) -> None:
    owner = workload(cluster)
    pod(cluster, "p0", owner)
    budget(cluster, minAvailable=1)
    now = "2026-01-01T08:00:00Z"
    state = {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "", "lastTransitionTime": now}
    counts = {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1, "observedGeneration": 1}
    assert status(cluster) == {**counts, "conditions": [{**state, "observedGeneration": 1}]}
    advance(cluster, 5)
    pod(cluster, "p1", owner)
    advance(cluster)
    (condition,) = status(cluster)["conditions"]
    assert (condition["status"], condition["reason"], condition["lastTransitionTime"]) == ("True", "SufficientPods", "2026-01-01T08:00:05Z")


def test_readiness_deletion_and_labels_are_followed(cluster: Core) -> None:
    owner = workload(cluster)
    for number in range(3):
        pod(cluster, f"p{number}", owner)
    budget(cluster, maxUnavailable=1)
    is_now(cluster, "p0", ready=False)
    advance(cluster)
    assert numbers(cluster) == (3, 2, 2, 0)
    is_now(cluster, "p0", ready=True)
    cluster.client("test").delete("pods", "default", "p1")
    advance(cluster)
    assert numbers(cluster) == (3, 2, 2, 0)
    cluster.client("test").patch("pods", "default", "p2", {"metadata": {"labels": {"app": "other"}}})
    advance(cluster)
    assert numbers(cluster) == (3, 2, 1, 0)


def test_scale_of_the_deployment_counts(cluster: Core) -> None:
    deployment = workload(cluster, "deployments.apps", replicas=5)
    old = workload(cluster, name="web-1", replicas=1, ownerReferences=[owner_reference(deployment)])
    new = workload(cluster, name="web-2", replicas=4, ownerReferences=[owner_reference(deployment)])
    pod(cluster, "p0", old)
    pod(cluster, "p1", new)
    budget(cluster, maxUnavailable="40%")
    assert numbers(cluster) == (5, 3, 2, 0)


def test_no_pods(cluster: Core) -> None:
    budget(cluster, minAvailable=1)
    assert numbers(cluster) == (0, 1, 0, 0)
    assert told(cluster) == [("b", "Normal", "NoPods", "No matching pods found")]
    assert cluster.storage.objects("events", "default")[0]["source"] == {"component": "controllermanager"}


def test_empty_selector_takes_all_and_none_takes_nothing(cluster: Core) -> None:
    pod(cluster, "a", app="a")
    pod(cluster, "b", app="b")
    budget(cluster, "all", selector={}, minAvailable=1)
    budget(cluster, "nothing", selector=None, minAvailable=1)
    assert (numbers(cluster, "all"), numbers(cluster, "nothing")) == ((2, 1, 2, 1), (0, 1, 0, 0))


def test_unmanaged_pods_are_told(cluster: Core) -> None:
    pod(cluster, "p0")
    terms = [{"key": "app", "operator": "In", "values": ["web", "y"]}, {"key": "z", "operator": "DoesNotExist"}]
    budget(cluster, selector={**WEB, "matchExpressions": terms}, maxUnavailable=1)
    assert numbers(cluster) == (0, 0, 1, 0)
    ((_, kind, reason, text),) = told(cluster)
    assert (kind, reason) == ("Warning", "UnmanagedPods")
    quoted = (
        "&LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:app,"
        "Operator:In,Values:[web y],},LabelSelectorRequirement{Key:z,Operator:DoesNotExist,Values:[],},},}"
    )
    assert text.startswith(f"Pods selected by this PodDisruptionBudget (selector: {quoted}) were found to be unmanaged. As a result")


def test_controllers_without_scale_fail_the_budget(cluster: Core) -> None:
    pod(cluster, "p0", workload(cluster, "daemonsets.apps"))
    budget(cluster, maxUnavailable=1)
    problem = "daemonsets.apps does not implement the scale subresource"
    (condition,) = status(cluster)["conditions"]
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "SyncFailed", problem)
    assert told(cluster) == [("b", "Warning", "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {problem}")]


def test_controller_that_is_gone(cluster: Core) -> None:
    owner = workload(cluster)
    pod(cluster, "p0", owner)
    cluster.client("test").delete("replicasets.apps", "default", "web")
    budget(cluster, maxUnavailable=1)
    assert status(cluster)["conditions"][0]["message"] == 'found no controllers for pod "p0"'


def test_several_budgets_are_told_on_the_pod(cluster: Core) -> None:
    pod(cluster, "p0", workload(cluster))
    budget(cluster, "one", minAvailable=1)
    budget(cluster, "two", minAvailable=1)
    is_now(cluster, "p0", ready=False)
    advance(cluster)
    text = 'Pod "default"/"p0" matches multiple PodDisruptionBudgets.  Chose "one" arbitrarily.'
    assert told(cluster) == [("p0", "Warning", "MultiplePodDisruptionBudgets", text)]
    assert cluster.storage.objects("events", "default")[0]["count"] == 1


def test_eviction_is_refused_then_allowed_again(cluster: Core) -> None:
    owner = workload(cluster)
    for number in range(3):
        pod(cluster, f"p{number}", owner)
    budget(cluster, maxUnavailable=1)
    client = cluster.client("drain")
    client.evict("default", "p0")
    assert numbers(cluster)[3] == 0
    with pytest.raises(ApiError, match="Cannot evict pod as it would violate") as refused:
        client.evict("default", "p1")
    causes = [{"reason": "DisruptionBudget", "message": "The disruption budget b needs 2 healthy pods and has 3 currently"}]
    assert refused.value.details == {"causes": causes}
    advance(cluster)
    assert numbers(cluster) == (3, 2, 2, 0)
    assert "disruptedPods" not in status(cluster)  # its deletion has begun
    client.delete("pods", "default", "p0", grace=0)
    pod(cluster, "p3", owner)
    advance(cluster)
    client.evict("default", "p1")
    advance(cluster)
    assert numbers(cluster) == (3, 2, 2, 0)


def test_disruption_that_did_not_happen_is_forgotten_after_two_minutes(cluster: Core) -> None:
    owner = workload(cluster)
    for number in range(3):
        pod(cluster, f"p{number}", owner)
    budget(cluster, maxUnavailable=1)
    cluster.client("test").patch_status(BUDGETS, "default", "b", {"disruptedPods": {"p0": cluster.clock.stamp()}})
    advance(cluster, 119)
    assert (numbers(cluster), list(status(cluster)["disruptedPods"])) == ((3, 2, 2, 0), ["p0"])
    advance(cluster, 2)
    assert (numbers(cluster), "disruptedPods" in status(cluster)) == ((3, 2, 3, 1), False)
    assert told(cluster) == [("p0", "Warning", "NotDeleted", "Pod was expected by PDB default/default to be deleted but it wasn't")]


def test_stale_condition_of_a_pod_is_taken_back(cluster: Core) -> None:
    pod(cluster, "p0")
    target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "lastTransitionTime": cluster.clock.stamp()}
    cluster.client("test").patch_status("pods", "default", "p0", {"conditions": [target]})
    advance(cluster, 119)
    found = cluster.storage.read("pods", "default", "p0")
    assert found is not None
    assert found["status"]["conditions"][0]["status"] == "True"
    advance(cluster, 2)
    found = cluster.storage.read("pods", "default", "p0")
    assert found is not None
    assert found["status"]["conditions"][0]["status"] == "False"


def test_new_generation_is_observed(cluster: Core) -> None:
    pod(cluster, "p0", workload(cluster))
    budget(cluster, minAvailable=1)
    cluster.client("test").patch(BUDGETS, "default", "b", {"spec": {"minAvailable": 0}})
    advance(cluster)
    assert (status(cluster)["observedGeneration"], status(cluster)["disruptionsAllowed"]) == (2, 1)


def test_nothing_is_written_when_nothing_changes(cluster: Core) -> None:
    pod(cluster, "p0", workload(cluster))
    budget(cluster, minAvailable=1)
    before = cluster.storage.revision
    cluster.client("kubelet").patch_status("pods", "default", "p0", {"message": "x"})
    assert cluster.clock._heap == []
    advance(cluster, 3600)
    assert cluster.storage.revision == before + 1
    assert uid_of(cluster.storage.objects(BUDGETS)[0])
