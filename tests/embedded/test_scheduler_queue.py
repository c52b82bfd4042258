"""When pods are tried: order, reasons to try again, back-off, gates, and the events that repeat."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.scheduling import NAMESPACE, Bench
from kubepane_embedded.errors import ApiError
from kubepane_embedded.scheduler.demand import requests_of

WORKERS = ("kubepane-worker", "kubepane-worker2", "kubepane-worker3")
TAINT = [{"key": "team", "value": "x", "effect": "NoSchedule"}]


def taint(bench: Bench, taints: list[dict[str, str]] | None) -> None:
    for node in WORKERS:
        bench.client.patch("nodes", "", node, {"spec": {"taints": taints}})


def test_a_taint_that_goes_lets_the_pod_in_at_once() -> None:
    bench = Bench()
    taint(bench, TAINT)
    bench.start()
    bench.pod("web")
    bench.clock.advance(100)
    assert bench.node_of("web") is None
    taint(bench, None)
    bench.clock.settle()
    assert bench.node_of("web") in WORKERS


def test_a_toleration_that_comes_lets_the_pod_in_at_once() -> None:
    bench = Bench()
    taint(bench, TAINT)
    bench.start()
    pod = bench.pod("web")
    bench.clock.advance(7)
    tolerations = [*pod["spec"]["tolerations"], {"key": "team", "operator": "Exists"}]
    bench.client.patch("pods", NAMESPACE, "web", {"spec": {"tolerations": tolerations}})
    bench.clock.settle()
    assert bench.node_of("web") in WORKERS


@pytest.mark.parametrize("way", ["finished", "deleted"])
def test_room_that_comes_free_is_used(way: str) -> None:
    bench = Bench(workers=1).start()
    bench.pod("first", "3")
    bench.pod("second", "3")
    bench.clock.advance(5)
    assert bench.why("second") == "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)"
    if way == "finished":
        bench.finish("first")
    else:
        bench.client.delete("pods", NAMESPACE, "first", grace=0)
    bench.clock.settle()
    assert bench.node_of("second") == "kubepane-worker"


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, {"metadata": {"labels": {"disk": "ssd"}}}),
        ({"cpu": "6"}, {"status": {"allocatable": {"cpu": "8"}}}),
        ({"cordoned": True}, {"spec": {"unschedulable": None}}),
    ],
)
def test_a_node_that_changes_lets_the_pod_in(spec: dict[str, Any], change: dict[str, Any]) -> None:
    bench = Bench(workers=1)
    if spec.pop("cordoned", False):
        bench.client.patch("nodes", "", "kubepane-worker", {"spec": {"unschedulable": True}})
    bench.start()
    bench.pod("web", **spec)
    bench.clock.advance(5)
    assert bench.node_of("web") is None
    bench.client.patch("nodes", "", "kubepane-worker", change, subresource="status" if "status" in change else "")
    bench.clock.settle()
    assert bench.node_of("web") == "kubepane-worker"


def test_a_node_that_comes_lets_the_pod_in() -> None:
    bench = Bench(workers=0).start()
    bench.pod("web", "1")
    bench.clock.advance(3)
    bench.add_node("late")
    bench.clock.advance(11)
    assert bench.node_of("web") == "late"


def test_company_that_comes_or_goes_lets_the_pod_in() -> None:
    bench = Bench(workers=1).start()

    def term(group: str) -> dict[str, Any]:
        asked = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"g": group}}}
        return {"requiredDuringSchedulingIgnoredDuringExecution": [asked]}

    bench.pod("rival", labels={"g": "rival"})
    bench.pod("friendly", affinity={"podAffinity": term("friend")})
    bench.pod("hostile", affinity={"podAntiAffinity": term("rival")})
    bench.clock.advance(5)
    assert [bench.node_of(name) for name in ("friendly", "hostile")] == [None, None]
    bench.pod("friend", labels={"g": "friend"})
    bench.client.delete("pods", NAMESPACE, "rival", grace=0)
    bench.clock.settle()
    assert [bench.node_of(name) for name in ("friendly", "hostile")] == ["kubepane-worker"] * 2


def test_a_domain_that_empties_lets_the_pod_in() -> None:
    bench = Bench(workers=2).start()
    labels = {"g": "s"}
    rule = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": labels}}
    bench.pod("first", labels=labels, nodeSelector={"kubernetes.io/hostname": "kubepane-worker"})
    bench.pod("second", labels=labels, topologySpreadConstraints=[{**rule, "nodeAffinityPolicy": "Ignore"}],
              nodeSelector={"kubernetes.io/hostname": "kubepane-worker"})  # fmt: skip
    bench.clock.advance(5)
    assert bench.node_of("second") is None
    bench.client.delete("pods", NAMESPACE, "first", grace=0)
    bench.clock.settle()
    assert bench.node_of("second") == "kubepane-worker"


def test_what_does_not_matter_wakes_nobody() -> None:
    """Heartbeats, status and pods that cannot help write no further event."""
    bench = Bench().start()
    bench.pod("large", "100")
    bench.clock.settle()
    before = bench.read("large")["metadata"]["resourceVersion"]
    for node in WORKERS:
        bench.kubelet.patch_status(
            "nodes", "", node, {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T09:00:00Z"}]}
        )
        bench.client.patch("nodes", "", node, {"metadata": {"annotations": {"a": "b"}}})
    bench.pod("small", "1")
    bench.clock.advance(60)
    assert bench.read("large")["metadata"]["resourceVersion"] == before
    (event,) = bench.events("large")
    assert "series" not in event


def test_priority_goes_first_then_age() -> None:
    bench = Bench(workers=1).start()
    bench.client.create("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "high"}, "value": 1000})
    bench.pod("old", "3")
    bench.pod("new", "3")
    bench.pod("urgent", "3", priorityClassName="high")
    bench.clock.settle()
    assert [bench.node_of(name) for name in ("urgent", "old", "new")] == ["kubepane-worker", None, None]
    bench.client.delete("pods", NAMESPACE, "urgent", grace=0)
    bench.clock.advance(30)
    assert [bench.node_of(name) for name in ("old", "new")] == ["kubepane-worker", None]


def test_a_host_port_that_comes_free_is_used() -> None:
    bench = Bench(workers=1).start()
    containers = [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "hostPort": 8080}]}]
    for name in ("first", "second"):
        bench.pod(name, containers=containers)
    bench.clock.advance(5)
    assert bench.node_of("second") is None
    bench.client.delete("pods", NAMESPACE, "first", grace=0)
    bench.clock.settle()
    assert bench.node_of("second") == "kubepane-worker"


def broken_bind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let every binding fail; the times of the tries."""
    tries: list[float] = []

    def refuse(namespace: str, name: str, node: str) -> None:
        tries.append(bench.clock.seconds())
        raise ApiError(500, "InternalError", "broken")

    monkeypatch.setattr(bench.scheduler._client, "bind", refuse)
    return tries


def test_an_error_backs_off_from_one_second_to_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(workers=1).start()
    tries = broken_bind(bench, monkeypatch)
    bench.pod("web")
    bench.clock.advance(40)
    assert tries == [0, 1, 3, 7, 15, 25, 35]
    assert bench.scheduled("web")["reason"] == "SchedulerError"
    assert bench.scheduled("web")["message"] == 'running Bind plugin "DefaultBinder": broken'
    monkeypatch.undo()
    bench.clock.advance(10)
    assert bench.node_of("web") == "kubepane-worker"


def test_a_pod_deleted_while_it_backs_off_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(workers=1).start()
    tries = broken_bind(bench, monkeypatch)
    bench.pod("web")
    bench.clock.advance(2)
    bench.client.delete("pods", NAMESPACE, "web", grace=0)
    bench.clock.advance(60)
    assert tries == [0, 1]


def test_a_pod_that_could_not_be_bound_gives_its_place_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(workers=1).start()
    broken_bind(bench, monkeypatch)
    bench.pod("web", "3")
    bench.clock.settle()
    monkeypatch.undo()
    bench.pod("other", "3")
    bench.clock.settle()
    assert bench.node_of("other") == "kubepane-worker"
    bench.clock.advance(2)
    assert bench.why("web") == "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)"


def test_a_rejected_pod_is_tried_early_when_nothing_else_is_to_be_done() -> None:
    """As in 1.35 (SchedulerPopFromBackoffQ): a reason ends the back-off of a pod that was only rejected."""
    bench = Bench(workers=1).start()
    bench.pod("large", "6")
    for size in ("5", "5500m", "5900m", "6"):
        bench.kubelet.patch_status("nodes", "", "kubepane-worker", {"allocatable": {"cpu": size}})
        bench.clock.settle()
    assert bench.clock.seconds() == 0
    assert bench.node_of("large") == "kubepane-worker"


def test_after_five_minutes_a_pod_is_tried_without_a_reason() -> None:
    bench = Bench().start()
    bench.pod("large", "100")
    bench.clock.advance(299)
    assert len(bench.events("large")) == 1
    bench.clock.advance(2)
    assert len(bench.events("large")) == 2, "a new event: the pod has another resourceVersion since its condition was written"
    bench.clock.advance(300)
    series = [event.get("series") for event in bench.events("large")]
    assert series == [None, {"count": 2, "lastObservedTime": "2026-01-01T08:10:00.000000Z"}]


def test_further_events_of_a_series_are_written_late() -> None:
    bench = Bench().start()
    bench.pod("large", "100")
    bench.clock.advance(900)

    def counts() -> list[int]:
        return [(event.get("series") or {}).get("count", 1) for event in bench.events("large")]

    assert counts() == [1, 2]
    bench.clock.advance(901)  # the refresh every half hour
    assert counts() == [1, 5]


def test_an_event_of_a_series_that_has_expired_is_made_again() -> None:
    bench = Bench().start()
    bench.pod("large", "100")
    bench.clock.advance(301)
    for event in bench.events("large"):
        bench.client.delete("events", NAMESPACE, event["metadata"]["name"])
    bench.clock.advance(300)
    (event,) = bench.events("large")
    assert event["series"]["count"] == 2


def test_gates_keep_a_pod_out_without_any_event() -> None:
    bench = Bench().start()
    bench.pod("gated", schedulingGates=[{"name": "example.com/a"}, {"name": "example.com/b"}])
    bench.clock.advance(700)
    assert bench.scheduled("gated")["reason"] == "SchedulingGated"
    assert bench.events("gated") == []
    bench.client.patch("pods", NAMESPACE, "gated", {"spec": {"schedulingGates": [{"name": "example.com/b"}]}})
    bench.clock.advance(10)
    assert bench.node_of("gated") is None
    bench.client.patch("pods", NAMESPACE, "gated", {"spec": {"schedulingGates": None}})
    bench.clock.settle()
    assert bench.node_of("gated") in WORKERS


def test_pods_of_others_and_pods_that_go_are_left_alone() -> None:
    bench = Bench()
    bench.pod("other", schedulerName="mine")
    bench.pod("held")
    bench.client.patch("pods", NAMESPACE, "held", {"metadata": {"finalizers": ["example.com/x"]}})
    bench.client.delete("pods", NAMESPACE, "held")
    bench.start()
    bench.clock.advance(20)
    assert bench.node_of("other") is None
    assert bench.node_of("held") is None
    assert bench.events("other") + bench.events("held") == []


def test_a_pod_that_goes_is_forgotten() -> None:
    bench = Bench(workers=1).start()
    bench.pod("large", "100")
    bench.clock.advance(1)
    bench.client.delete("pods", NAMESPACE, "large", grace=0)
    bench.kubelet.patch_status("nodes", "", "kubepane-worker", {"allocatable": {"cpu": "200"}})
    bench.clock.advance(400)
    assert len(bench.events("large")) == 1
    bench.pod("large", "100")
    bench.clock.settle()
    assert bench.node_of("large") == "kubepane-worker", "a new pod of that name is another pod"


def test_pods_that_wait_when_the_scheduler_starts_are_seen() -> None:
    bench = Bench()
    bench.pod("early")
    bench.start()
    assert bench.node_of("early") in WORKERS


def test_the_condition_is_written_only_when_it_says_something_new() -> None:
    bench = Bench(workers=1).start()
    bench.pod("large", "100")
    bench.clock.settle()
    version = bench.read("large")["metadata"]["resourceVersion"]
    bench.clock.advance(301)
    assert bench.read("large")["metadata"]["resourceVersion"] == version
    bench.add_node("more")
    bench.clock.advance(301)
    assert bench.why("large") == "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu"
    assert bench.scheduled("large")["lastTransitionTime"] == "2026-01-01T08:00:00Z"


def container(cpu: str, **more: Any) -> dict[str, Any]:
    return {"name": more.pop("name", "c"), "image": "nginx", "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "millis"),
    [
        ({"containers": [container("100m"), container("1.5")]}, 1600),
        ({"containers": [container("100m")], "initContainers": [container("2"), container("3")]}, 3000),
        ({"containers": [container("1")], "initContainers": [container("500m", restartPolicy="Always"), container("1")]}, 1500),
        ({"containers": [container("100m")], "initContainers": [container("1"), container("500m", restartPolicy="Always"), container("700m")]}, 1200),
        ({"containers": [container("100m")], "overhead": {"cpu": "50m"}}, 150),
        ({"containers": [container("100m")], "resources": {"requests": {"cpu": "300m"}}, "overhead": {"cpu": "50m"}}, 350),
        ({"containers": [{"name": "c"}]}, 0),
    ],
)
def test_what_a_pod_asks_for(spec: dict[str, Any], millis: int) -> None:
    assert requests_of({"spec": spec}).get("cpu", 0) == millis


def test_a_resize_counts_the_larger_amount_until_it_is_done() -> None:
    states = [{"name": "c", "resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "1"}}]
    pod = {"spec": {"containers": [container("500m")]}, "status": {"containerStatuses": states}}
    assert requests_of(pod) == {"cpu": 2000}
    states[0]["allocatedResources"] = {"cpu": "3"}
    assert requests_of(pod) == {"cpu": 3000}
    infeasible = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    wanted = {"spec": {"containers": [container("9")]}, "status": {"containerStatuses": states, "conditions": [infeasible]}}
    assert requests_of(wanted) == {"cpu": 3000}
