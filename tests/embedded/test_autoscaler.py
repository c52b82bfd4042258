"""The HPA controller against what a real 1.35.4 wrote: one demo second by second, and thirty HPAs with one thing special each."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from embedded.autoscaling import HPAS, NAMESPACE, advance, conditions, deployment, events, hpa, new_core, workloads
from embedded.conftest import recording
from kubepane_embedded import errors
from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.controllers.autoscaler import HpaController, HpaSettings
from kubepane_embedded.controllers.autoscaler_metrics import seconds, selector_text
from kubepane_embedded.controllers.autoscaler_replicas import Patience
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, key_of, labels_of
from kubepane_embedded.runtime import MetricsUnavailable

FAST = HpaSettings(sync_period=5.0, downscale_stabilization=30.0, patience=Patience(5.0, 2.0))
VARIANTS = recording("hpa-variants")
MOVING = ("slow", "stab")
"""HPAs that were still on their way when they were recorded."""


class Measured:
    """Metrics that a test decides: millicores by number of the pod (oldest first) and age of the cluster; None for no sample."""

    def __init__(self, core: Core, cpu: Callable[[int, float], int | None]) -> None:
        self._core = core
        self._cpu = cpu
        self.available = True

    def nodes(self) -> list[Object]:
        return []

    def pods(self, namespace: str | None) -> list[Object]:
        if not self.available:
            raise MetricsUnavailable
        pods = sorted(self._core.storage.objects("pods", namespace), key=lambda pod: pod["metadata"]["creationTimestamp"])
        found = [(pod, self._cpu(number, self._core.clock.seconds())) for number, pod in enumerate(pods)]
        return [self._sample(pod, amount) for pod, amount in found if amount is not None]

    def _sample(self, pod: Object, amount: int) -> Object:
        usage = {"cpu": f"{amount}m", "memory": "100Mi"}
        meta = {"name": key_of(pod)[1], "namespace": key_of(pod)[0], "labels": labels_of(pod)}
        containers = [{"name": one["name"], "usage": usage} for one in pod["spec"]["containers"]]
        return {"metadata": meta, "timestamp": self._core.clock.stamp(), "window": "10s", "containers": containers}


def begin(cpu: Callable[[int, float], int | None] = lambda number, time: 150, settings: HpaSettings | None = None) -> tuple[Core, Measured]:
    core = new_core()
    metrics = Measured(core, cpu)
    workloads(core, ready_after=3.0)
    HpaController(core, metrics, settings).start()
    return core, metrics


def read(core: Core, name: str = "web") -> Object:
    return core.client("test").get(HPAS, NAMESPACE, name)


def scale_to(core: Core, replicas: int, name: str = "web") -> None:
    core.client("test").patch("deployments.apps", NAMESPACE, name, {"spec": {"replicas": replicas}})


def relative(core: Core, status: Object) -> Object:
    """A status with all times as seconds since the clock began."""
    if isinstance(status, dict):
        times = ("lastTransitionTime", "lastScaleTime")
        return {
            key: round((parse_stamp(value) - core.clock.start).total_seconds()) if key in times else relative(core, value)
            for key, value in status.items()
        }
    return [relative(core, one) for one in status] if isinstance(status, list) else status


def demo_usage(number: int, time: float) -> int | None:
    """What the recorded metrics-server said: samples of each pod from some time on, all pods alike."""
    if time < (25, 55, 85, 999)[number]:
        return None
    return next(
        amount for since, amount in ((165, 11), (135, 10), (115, 11), (95, 10), (75, 11), (65, 151), (55, 150), (45, 151), (0, 150)) if time >= since
    )


def test_the_recorded_demo() -> None:
    demo = recording("hpa-demo")
    core, _ = begin(demo_usage, FAST)
    client = core.client("test")
    client.create("deployments.apps", deployment("web"))
    client.create(HPAS, {"metadata": {"name": "web", "namespace": NAMESPACE}, "spec": demo["spec"]})
    seen, told = [{"at": 0, "status": read(core)["status"]}], []
    counts: dict[tuple[str, str], int] = {}
    advance(core, 0.5)  # looks drift by some milliseconds
    for time in range(5, 175, 5):
        advance(core, 5)
        status = relative(core, read(core)["status"])
        if status != seen[-1]["status"]:
            seen.append({"at": time, "status": status})
        for reason, message, count in events(core):
            if counts.get((reason, message)) != count:
                counts[reason, message] = count
                told.append([time, "Normal" if reason == "SuccessfulRescale" else "Warning", reason, count, message])
    assert seen == demo["statuses"]
    assert told == demo["events"]


@pytest.fixture(scope="module")
def variants() -> Core:
    """All recorded HPAs, 105 s old."""
    core, _ = begin(lambda number, time: 150 if time >= 20 else None, FAST)
    client = core.client("test")
    for name, asked in VARIANTS["deployments"].items():
        wanted = deployment(name, asked["replicas"], limit=None)
        wanted["spec"]["template"]["spec"]["containers"][0] |= {
            "name": "c",
            "resources": {"requests": asked["requests"]} if asked["requests"] else {},
        }
        client.create("deployments.apps", wanted)
    for name, recorded in VARIANTS["hpas"].items():
        client.create(HPAS, {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": recorded["spec"]})
    advance(core, 105)
    return core


def said(text: str) -> str:
    """A message with the recorded namespace and without a pod's suffix."""
    return re.sub(r"norq-\w+-\w+", "norq-POD", text.replace(f"{NAMESPACE}/", "hpa-parts/").replace(f"on {NAMESPACE} ", "on hpa-parts "))


@pytest.mark.parametrize("name", [name for name in VARIANTS["hpas"] if name not in MOVING])
def test_a_recorded_status(variants: Core, name: str) -> None:
    recorded = VARIANTS["hpas"][name]
    found = read(variants, name)
    assert found["spec"] == recorded["spec"]
    status = dict(found["status"])
    assert (status.pop("lastScaleTime", None) is not None) == recorded["scaled"]
    status["conditions"] = [
        {**{key: value for key, value in one.items() if key != "lastTransitionTime"}, "message": said(one["message"])} for one in status["conditions"]
    ]
    assert status == recorded["status"]


@pytest.mark.parametrize("name", [name for name in VARIANTS["hpas"] if name not in MOVING])
def test_the_events_of_a_recorded_hpa(variants: Core, name: str) -> None:
    recorded = VARIANTS["hpas"][name]
    about = [one for one in variants.storage.objects("events") if one["involvedObject"]["name"] == name]
    about = sorted((one for one in about if one["involvedObject"]["kind"] == "HorizontalPodAutoscaler"), key=lambda one: one["firstTimestamp"])
    assert [one["message"] for one in about if one["reason"] == "SuccessfulRescale"] == recorded["rescales"]
    warnings = {(one["reason"], said(one["message"])) for one in about if one["type"] == "Warning"}
    expected = {(reason, message) for reason, message in recorded["warnings"] if "[hpa-parts/amb2 hpa-parts/amb]" not in message}
    assert warnings == expected
    assert {(one["source"]["component"], one["reportingComponent"]) for one in about} <= {("horizontal-pod-autoscaler",) * 2}


def make(core: Core, replicas: int = 1, **more: Any) -> None:
    client = core.client("test")
    client.create("deployments.apps", deployment("web", replicas))
    client.create(HPAS, hpa("web", **more))


def test_each_hpa_is_looked_at_once_a_period_after_it_was_seen() -> None:
    core, _ = begin()
    advance(core, 7)
    make(core)
    advance(core, 14)
    core.client("test").patch(HPAS, NAMESPACE, "web", {"metadata": {"labels": {"a": "b"}}})
    assert read(core)["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    advance(core, 1)
    assert read(core)["status"]["conditions"][0]["lastTransitionTime"] == core.clock.stamp()


def test_a_target_that_comes_late() -> None:
    core, _ = begin()
    core.client("test").create(HPAS, hpa("web"))
    advance(core, 16)
    assert conditions(read(core)) == {"AbleToScale": ("False", "FailedGetScale")}
    core.client("test").create("deployments.apps", deployment("web"))
    advance(core, 60)
    assert conditions(read(core))["ScalingActive"] == ("True", "ValidMetricFound")
    before = read(core)["status"]["currentMetrics"]
    core.client("test").delete("deployments.apps", NAMESPACE, "web")
    advance(core, 15)
    assert conditions(read(core))["AbleToScale"] == ("False", "FailedGetScale")
    assert read(core)["status"]["currentMetrics"] == before


def test_zero_turns_autoscaling_off_and_one_turns_it_on() -> None:
    core, _ = begin()
    make(core)
    advance(core, 60)
    scale_to(core, 0)
    advance(core, 15)
    status = read(core)["status"]
    assert (status["currentMetrics"], status["desiredReplicas"], status.get("currentReplicas")) == (None, 0, None)
    assert conditions(read(core))["ScalingActive"] == ("False", "ScalingDisabled")
    scale_to(core, 1)
    advance(core, 45)
    assert conditions(read(core))["ScalingActive"] == ("True", "ValidMetricFound")


def test_without_metrics_api_and_while_it_does_not_answer() -> None:
    core, metrics = begin()
    metrics.available = False
    make(core)
    advance(core, 31)
    text = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: "
    unavailable = f"{text}the server is currently unable to handle the request (get pods.metrics.k8s.io)"
    outer = f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {unavailable}"
    assert events(core) == [("FailedGetResourceMetric", unavailable, 2), ("FailedComputeMetricsReplicas", outer, 2)]
    bare = new_core()
    HpaController(bare, None).start()
    bare.client("test").create("deployments.apps", deployment("web"))
    bare.client("kubelet").patch_status("deployments.apps", NAMESPACE, "web", {"replicas": 1})
    bare.client("test").create(HPAS, hpa("web"))
    advance(bare, 16)
    told = next(one for one in read(bare)["status"]["conditions"] if one["type"] == "ScalingActive")
    absent = f"{text}the server could not find the requested resource (get pods.metrics.k8s.io)"
    assert (told["reason"], told["message"]) == ("FailedGetResourceMetric", f"the HPA was unable to compute the replica count: {absent}")


def test_a_refused_scale() -> None:
    core, _ = begin()
    make(core)
    api, real = core.api, core.api.change

    def refuse(*arguments: Any, **more: Any) -> Any:
        if "scale" in arguments:
            raise errors.forbidden("apps", "deployments", "web", "no")
        return real(*arguments, **more)

    api.change = refuse  # type: ignore[method-assign]
    advance(core, 46)
    why = 'deployments.apps "web" is forbidden: no'
    reason = "New size: 2; reason: cpu resource utilization (percentage of request) above target"
    assert (f"{reason}; error: {why}") in [message for kind, message, _ in events(core) if kind == "FailedRescale"]
    assert next(one for one in read(core)["status"]["conditions"] if one["type"] == "AbleToScale") | {"lastTransitionTime": ""} == {
        "type": "AbleToScale",
        "status": "False",
        "lastTransitionTime": "",
        "reason": "FailedUpdateScale",
        "message": f"the HPA controller was unable to update the target scale: {why}",
    }
    assert "lastScaleTime" not in read(core)["status"]


def test_history_goes_with_the_hpa() -> None:
    core, _ = begin(lambda number, time: 150 if time < 200 else 10)
    make(core)
    advance(core, 150)
    assert read(core)["status"]["desiredReplicas"] == 4
    advance(core, 60)
    core.client("test").delete(HPAS, NAMESPACE, "web")
    advance(core, 16)
    scale_to(core, 2)
    core.client("test").create(HPAS, hpa("web"))
    advance(core, 16)
    assert conditions(read(core))["AbleToScale"] == ("True", "ScaleDownStabilized"), "the size that is found is the first recommendation"
    assert read(core)["status"]["desiredReplicas"] == 2, "and the only one"
    advance(core, 301)
    assert read(core)["status"]["desiredReplicas"] == 1


def test_a_behavior_sets_the_pace() -> None:
    core, _ = begin(lambda number, time: 400)
    make(core, behavior={"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}})
    sizes = [1]
    for _ in range(16):
        advance(core, 15.1)
        sizes.append(core.client("test").get("deployments.apps", NAMESPACE, "web")["spec"]["replicas"])
    steps = [index * 15 for index, (before, after) in enumerate(pairwise(sizes)) if after != before]
    assert sorted(set(sizes)) == [1, 2, 3, 4]
    assert [later - earlier for earlier, later in pairwise(steps)] == [60, 60]
    assert ("True", "ScaleUpLimit") != conditions(read(core))["ScalingLimited"] == ("True", "TooManyReplicas")


def test_nothing_is_written_while_nothing_changes() -> None:
    core, _ = begin(lambda number, time: 100)
    make(core)
    advance(core, 60)
    revision = core.storage.revision
    advance(core, 600)
    assert core.storage.revision == revision


def test_the_largest_of_several_metrics_counts() -> None:
    core, _ = begin(lambda number, time: 110)
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "40Mi"}}}
    make(core, metrics=[*hpa("x")["spec"]["metrics"], memory])
    advance(core, 46)
    assert ("SuccessfulRescale", "New size: 3; reason: memory resource above target", 1) in events(core)


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "nil"),
        ({}, "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}"),
        (
            {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["x", "y"]}]},
            "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},"
            "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:c,Operator:In,Values:[x y],},},}",
        ),
    ],
)
def test_selectors_as_go_prints_them(selector: dict[str, Any] | None, text: str) -> None:
    assert selector_text(selector) == text


@pytest.mark.parametrize(("text", "expected"), [("14.987s", 14.987), ("15s", 15.0), ("1m30s", 90.0), ("500ms", 0.5), ("1h0m0s", 3600.0), ("", 0.0)])
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("name", recording("hpa-invalid")["cases"])
def test_what_the_server_refuses(core: Core, name: str) -> None:
    case = recording("hpa-invalid")["cases"][name]
    with pytest.raises(errors.ApiError) as refused:
        core.client("test").create(HPAS, {"metadata": {"name": "h", "namespace": "default"}, "spec": case["spec"]})
    expected = [line.removeprefix("* ") for line in case["message"].strip().splitlines()]
    told = [f"{cause['field']}: {cause['message']}" for cause in (refused.value.details or {})["causes"]]
    assert (refused.value.code, told) == (422, expected)
