"""ReplicaSets: how many pods there are, which go first, what the status says, and what happens when pods are refused."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedded.timedkubelet import TimedKubelet
from kubepane_embedded.clock import VirtualClock, stamp
from kubepane_embedded.controllers.pod_ranking import DELETION_COST, deletion_cost, first_to_go
from kubepane_embedded.controllers.replicasets import ReplicaSetController, slow_start
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, controller_of, is_deleting, owners_of
from kubepane_embedded.nodes import add_pods

LABELS = {"app": "web"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class Bench:
    """A core with the controller, and short ways to ask and look."""

    def __init__(self, core: Core, kubelet: TimedKubelet | None = None) -> None:
        self.core = core
        assert isinstance(core.clock, VirtualClock)
        self.clock = core.clock
        self.client = core.client("kubectl")
        ReplicaSetController(core).start()
        self.kubelet = kubelet or TimedKubelet(core)
        self.kubelet.start()

    def create(self, replicas: int, name: str = "web", **spec: Any) -> Object:
        wanted = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": TEMPLATE, **spec}
        return self.client.create("replicasets.apps", {"metadata": {"name": name, "namespace": "default"}, "spec": wanted})

    def scale(self, replicas: int) -> None:
        self.client.patch("replicasets.apps", "default", "web", {"spec": {"replicas": replicas}})

    def status(self) -> Object:
        status: Object = self.client.get("replicasets.apps", "default", "web")["status"]
        return status

    def pods(self) -> list[Object]:
        return [pod for pod in self.core.storage.objects("pods", "default") if not is_deleting(pod)]

    def events(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for event in self.core.storage.objects("events", "default"):
            counts[event["reason"]] += event["count"]
        return counts


@pytest.fixture
def bench(core: Core) -> Bench:
    return Bench(core)


def test_pods_come_and_are_counted(bench: Bench) -> None:
    bench.create(3)
    bench.clock.settle()
    assert bench.status() == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1, "terminatingReplicas": 0}
    bench.clock.advance(2)
    assert bench.status() == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "observedGeneration": 1,
        "terminatingReplicas": 0,
    }
    pod = bench.pods()[0]
    assert pod["metadata"]["name"].startswith("web-")
    assert pod["metadata"]["generateName"] == "web-"
    assert owners_of(pod)[0]["name"] == "web"
    event = next(one for one in bench.core.storage.objects("events") if one["message"] == f"Created pod: {pod['metadata']['name']}")
    assert (event["reason"], event["source"]) == ("SuccessfulCreate", {"component": "replicaset-controller"})


def test_without_replicas_the_status_keeps_its_zeros(bench: Bench) -> None:
    bench.create(0)
    bench.clock.settle()
    assert bench.status() == {"replicas": 0, "observedGeneration": 1, "terminatingReplicas": 0}


def test_shrinking_and_the_pods_on_their_way_out(bench: Bench) -> None:
    bench.create(3)
    bench.clock.advance(5)
    bench.scale(1)
    bench.clock.settle()
    assert bench.status() == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 2,
        "terminatingReplicas": 2,
    }
    bench.clock.advance(5)
    assert bench.status()["terminatingReplicas"] == 0
    assert bench.events() == {"SuccessfulCreate": 3, "SuccessfulDelete": 2}


def test_a_lost_or_finished_pod_is_replaced(bench: Bench) -> None:
    bench.create(2)
    bench.clock.advance(5)
    first, second = (pod["metadata"]["name"] for pod in bench.pods())
    bench.client.delete("pods", "default", first, grace=0)
    bench.core.client("kubelet").patch_status("pods", "default", second, {"phase": "Failed", "conditions": None})
    bench.clock.advance(5)
    alive = [pod for pod in bench.pods() if pod["status"]["phase"] == "Running"]
    assert len(alive) == 2
    assert not {first, second} & {pod["metadata"]["name"] for pod in alive}
    assert bench.status()["availableReplicas"] == 2


def test_available_after_min_ready_seconds(bench: Bench) -> None:
    bench.create(2, minReadySeconds=10)
    bench.clock.advance(10.9)
    assert "availableReplicas" not in bench.status()
    assert bench.status()["readyReplicas"] == 2
    bench.clock.advance(0.2)
    assert bench.status()["availableReplicas"] == 2


def test_orphans_are_adopted_and_strangers_released(bench: Bench) -> None:
    lone = {"metadata": {"name": "lone", "namespace": "default", "labels": LABELS}, "spec": TEMPLATE["spec"]}
    bench.client.create("pods", lone)
    bench.create(2)
    bench.clock.advance(3)
    adopted = bench.client.get("pods", "default", "lone")
    assert (controller_of(adopted) or {})["name"] == "web"
    assert len(bench.pods()) == 2
    bench.client.patch("pods", "default", "lone", {"metadata": {"labels": {"app": "other"}}})
    bench.clock.advance(3)
    assert controller_of(bench.client.get("pods", "default", "lone")) is None
    assert len(bench.pods()) == 3
    bench.client.patch("pods", "default", "lone", {"metadata": {"labels": {"app": "web"}}})
    bench.clock.advance(3)
    assert len(bench.pods()) == 2, "one more than asked for came back: one goes"


def test_labels_beyond_the_selector_are_told_apart(bench: Bench) -> None:
    template = {**TEMPLATE, "metadata": {"labels": {**LABELS, "tier": "front"}}}
    bench.create(2, template=template)
    bench.clock.advance(3)
    bench.client.patch("pods", "default", bench.pods()[0]["metadata"]["name"], {"metadata": {"labels": {"tier": None}}})
    bench.clock.advance(1)
    assert (bench.status()["replicas"], bench.status()["fullyLabeledReplicas"]) == (2, 1)


def test_refused_pods_are_told_and_tried_again(bench: Bench) -> None:
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"pods": "3"}}}
    bench.client.create("resourcequotas", quota)
    bench.create(10)
    bench.clock.settle()
    assert len(bench.pods()) == 3
    assert bench.events()["SuccessfulCreate"] == 3
    assert bench.events()["FailedCreate"] >= 4
    failure = bench.status()["conditions"][0]
    assert {key: failure[key] for key in ("type", "status", "reason")} == {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    assert "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3" in failure["message"]
    assert failure["lastTransitionTime"] == bench.clock.stamp()
    bench.clock.advance(20)
    bench.client.patch("resourcequotas", "default", "q", {"spec": {"hard": {"pods": "20"}}})
    bench.clock.advance(60)
    assert bench.status()["availableReplicas"] == 10
    assert "conditions" not in bench.status()


@pytest.mark.parametrize(("wanted", "allowed", "attempts"), [(10, 10, 10), (10, 3, 7), (10, 0, 1), (2, 1, 2), (0, 0, 0), (8, 7, 8)])
def test_slow_start(wanted: int, allowed: int, attempts: int) -> None:
    """Batches of 1, 2, 4 …: the first with a refusal is the last (2 wanted and 1 allowed: two batches of 1)."""
    made: list[bool] = []

    def act() -> ApiError | None:
        made.append(len(made) < allowed)
        return None if made[-1] else ApiError(403, "Forbidden", f"refused {len(made)}")

    refusal = slow_start(wanted, act)
    assert len(made) == attempts
    assert (refusal is None) == (allowed >= wanted)
    assert refusal is None or str(refusal) == f"refused {allowed + 1}"


def test_nothing_is_said_when_the_namespace_goes(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kubepane_embedded.workqueue")
    bench.client.create("namespaces", {"metadata": {"name": "going"}})
    made = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    bench.client.create("replicasets.apps", {"metadata": {"name": "web", "namespace": "going"}, "spec": made})
    bench.client.delete("namespaces", "", "going")
    bench.clock.advance(1)
    assert not bench.core.storage.objects("events", "going")
    assert bench.client.get("replicasets.apps", "going", "web")["status"] == {"replicas": 0, "observedGeneration": 1, "terminatingReplicas": 0}
    assert not caplog.records, "not tried again"


def test_a_deleted_one_makes_no_more_pods(bench: Bench) -> None:
    bench.create(2)
    bench.clock.advance(3)
    bench.client.delete("replicasets.apps", "default", "web", propagation="Foreground")
    bench.client.delete("pods", "default", bench.pods()[0]["metadata"]["name"])
    bench.clock.advance(3)
    assert (len(bench.pods()), bench.status()["replicas"]) == (1, 1)


def test_an_idle_cluster_writes_nothing(bench: Bench) -> None:
    bench.create(5)
    bench.clock.advance(60)
    before = bench.core.storage.revision
    bench.clock.advance(3600)
    assert bench.core.storage.revision == before


def test_synthetic_pods_are_left_alone(bench: Bench) -> None:
    add_pods(bench.core, 20)
    selector = {"matchLabels": {"app": "load-1"}}
    template = {**TEMPLATE, "metadata": {"labels": {"app": "load-1"}}}
    wanted = {"replicas": 1, "selector": selector, "template": template}
    bench.client.create("replicasets.apps", {"metadata": {"name": "web", "namespace": "load"}, "spec": wanted})
    bench.clock.advance(3)
    pods = bench.core.storage.objects("pods", "load")
    assert sum(controller_of(pod) is not None for pod in pods) == 1
    assert len(pods) == 21


def pod(name: str, **facts: Any) -> Object:
    """A pod as the ranking sees it; ready for an hour on its own node unless said otherwise."""
    node, phase, ready = facts.get("node", f"node-{name}"), facts.get("phase", "Running"), facts.get("ready", 3600)
    conditions = [] if ready is None else [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(NOW - timedelta(seconds=ready))}]
    restarts = [{"name": "c", "restartCount": facts.get("restarts", 0)}]
    sidecar = [{"name": "s", "restartCount": facts.get("sidecar", 0)}]
    meta = {"name": name, "uid": facts.get("uid", name), "creationTimestamp": stamp(NOW - timedelta(seconds=facts.get("age", 7200)))}
    if "cost" in facts:
        meta["annotations"] = {DELETION_COST: facts["cost"]}
    spec = {"nodeName": node, "initContainers": [{"name": "s", "restartPolicy": "Always"}]}
    return {
        "metadata": meta,
        "spec": spec,
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": restarts, "initContainerStatuses": sidecar},
    }


RANKING: list[tuple[str, list[Object]]] = [
    ("not assigned before assigned", [pod("a", node="", cost="9"), pod("b", phase="Pending", ready=None)]),
    ("pending, unknown, running", [pod("a", phase="Pending", ready=None), pod("b", phase="Unknown", ready=None), pod("c", ready=None)]),
    ("pending before not ready", [pod("a", phase="Pending"), pod("b", ready=None)]),
    ("not ready before ready", [pod("a", ready=None, cost="9"), pod("b", cost="-9")]),
    ("lower cost first", [pod("a", cost="-1"), pod("b"), pod("c", cost="5")]),
    ("cost before crowding", [pod("a", cost="-1"), pod("b", node="x", ready=60), pod("c", node="x")]),
    ("crowded nodes first", [pod("a", node="x", ready=9000), pod("b", node="x", ready=9001, uid="z"), pod("c", ready=5)]),
    ("ready for less time first", [pod("a", ready=100), pod("b", ready=4000), pod("c", ready=90000)]),
    ("ready times of one magnitude by uid", [pod("late", ready=3000, uid="a"), pod("early", ready=2900, uid="b")]),
    ("more restarts first", [pod("a", restarts=3), pod("b", restarts=1), pod("c")]),
    ("restarts of sidecars after those of containers", [pod("a", restarts=1), pod("b", sidecar=5), pod("c", sidecar=1)]),
    ("newer first", [pod("a", ready=None, age=100), pod("b", ready=None, age=4000)]),
    ("ages of one magnitude by uid", [pod("old", ready=None, age=3000, uid="a"), pod("new", ready=None, age=2900, uid="b")]),
]


@pytest.mark.parametrize(("rule", "order"), RANKING, ids=[rule for rule, _ in RANKING])
def test_who_goes_first(rule: str, order: list[Object]) -> None:
    names = [one["metadata"]["name"] for one in order]
    for start in (order, order[::-1], order[1:] + order[:1]):
        assert [one["metadata"]["name"] for one in first_to_go(start, order, NOW)] == names, rule


def test_only_active_pods_crowd_a_node() -> None:
    pods = [pod("a", node="x", ready=9000), pod("b", node="y", ready=100)]
    finished = [pod("c", node="x", phase="Succeeded"), pod("d", node="x", phase="Failed")]
    assert [one["metadata"]["name"] for one in first_to_go(pods, [*pods, *finished], NOW)] == ["b", "a"]
    assert [one["metadata"]["name"] for one in first_to_go(pods, [*pods, pod("e", node="x")], NOW)] == ["a", "b"]


@pytest.mark.parametrize(("text", "cost"), [("5", 5), ("-5", -5), ("+5", 0), ("05", 0), ("-05", -5), ("0", 0), ("x", 0), ("", 0), ("9" * 12, 0)])
def test_cost_of_deletion(text: str, cost: int) -> None:
    assert deletion_cost(pod("a", cost=text)) == cost


def test_the_ranking_decides(bench: Bench) -> None:
    bench.create(3)
    bench.clock.advance(5)
    keep = bench.pods()[1]["metadata"]["name"]
    bench.client.patch("pods", "default", keep, {"metadata": {"annotations": {DELETION_COST: "100"}}})
    bench.scale(1)
    bench.clock.advance(5)
    assert [one["metadata"]["name"] for one in bench.pods()] == [keep]


def test_many_pods_come_in_one_go(bench: Bench) -> None:
    bench.create(600)
    bench.clock.settle()
    assert bench.status()["replicas"] == 600
