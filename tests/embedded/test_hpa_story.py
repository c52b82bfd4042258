"""The whole story of autoscaling on a virtual clock: load comes, replicas step up to the most, load goes, five minutes later they go."""

from __future__ import annotations

import time

import pytest

from embedded.autoscaling import HPAS, NAMESPACE, advance, conditions, deployment, events, hpa, ingress, new_core, service, workloads
from kubepane_embedded.controllers.autoscaler import HpaController
from kubepane_embedded.core import Core
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.metrics import Metrics
from kubepane_embedded.load.sessions import Sessions
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.meta import Object

ABOVE = "cpu resource utilization (percentage of request) above target"
Lines = list[tuple[str, str, str]]


def begin(sticky: bool = False) -> tuple[Core, Lines]:
    """The story's Deployment, Service, Ingress and HPA, two minutes old and idle."""
    core, lines = new_core(), []
    demand = Demand(core)
    usage = Usage(core, demand)
    metrics = Metrics(core, usage, required=False)
    sessions = Sessions(core, demand, lambda uid, container, text: lines.append((uid, container, text)))
    workloads(core)
    for part in (demand, usage, metrics, sessions, HpaController(core, metrics)):
        part.start()
    client = core.client("test")
    client.create("deployments.apps", deployment("chatapp"))
    client.create("services", service("chatapp"))
    client.create("ingresses.networking.k8s.io", ingress("chatapp", **({"nginx.ingress.kubernetes.io/affinity": "cookie"} if sticky else {})))
    client.create(HPAS, hpa("chatapp"))
    advance(core, 120)
    return core, lines


def offer(core: Core, amount: str | None) -> None:
    core.client("test").patch("services", NAMESPACE, "chatapp", {"metadata": {"annotations": {"sim.kubepane.io/demand": amount}}})


def read(core: Core) -> Object:
    return core.client("test").get(HPAS, NAMESPACE, "chatapp")


def follow(core: Core, seconds: int) -> list[tuple[int, int, int | None, str, str]]:
    """(second, replicas, percent, AbleToScale, ScalingLimited) whenever one of the last four changed."""
    found: list[tuple[int, int, int | None, str, str]] = []
    for second in range(seconds):
        advance(core, 1)
        status = read(core)["status"]
        current = (status["currentMetrics"] or [{}])[0].get("resource", {}).get("current", {})
        told = conditions({"status": status})
        row = (second, status["desiredReplicas"], current.get("averageUtilization"), told["AbleToScale"][1], told["ScalingLimited"][1])
        if not found or row[1:] != found[-1][1:]:
            found.append(row)
    return found


def test_load_comes_and_goes() -> None:
    core, _ = begin()
    idle = read(core)["status"]
    assert idle["currentMetrics"] == [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageValue": "8m", "averageUtilization": 4}}}]
    assert conditions(read(core)) == {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    revision = core.storage.stored(HPAS, NAMESPACE, "chatapp")
    advance(core, 300)
    assert core.storage.stored(HPAS, NAMESPACE, "chatapp") is revision, "an idle HPA is not written"
    offer(core, "500m")
    rows = follow(core, 300)
    up = [row for row in rows if row[3] == "SucceededRescale"]
    assert [row[1] for row in up] in ([4], [2, 4], [3, 4])
    assert rows[-1][1:2] + rows[-1][3:] == (4, "ReadyForNewScale", "TooManyReplicas")
    assert rows[-1][2] in range(64, 69)
    offer(core, None)
    rows = follow(core, 420)
    assert [row[1] for row in rows if row[3] == "SucceededRescale"] == [1]
    stabilized = next(row[0] for row in rows if row[3] == "ScaleDownStabilized")
    down = next(row[0] for row in rows if row[3] == "SucceededRescale")
    assert 255 <= down - stabilized <= 300
    assert rows[-1][1:] == (1, 4, "ReadyForNewScale", "DesiredWithinRange")
    told = [(reason, message) for reason, message, _ in events(core)]
    assert told[-2:] == [
        ("SuccessfulRescale", f"New size: 4; reason: {ABOVE}"),
        ("SuccessfulRescale", "New size: 1; reason: All metrics below target"),
    ]
    assert core.storage.count("pods") == 1


def test_with_affinity_the_first_pod_keeps_its_users_for_a_while() -> None:
    core, lines = begin(sticky=True)
    offer(core, "500m")
    rows = follow(core, 240)
    assert max(row[1] for row in rows) == 4
    assert rows[-1][4] == "TooManyReplicas"
    offer(core, None)
    follow(core, 400)
    assert core.storage.count("pods") == 1
    assert any("GET /" in text for _, _, text in lines)
    assert not any("not found" in text for _, _, text in lines), "nobody was on the pods that went"


@pytest.mark.parametrize("sticky", [False, True])
def test_the_same_seed_gives_the_same_story(sticky: bool) -> None:
    stories = []
    for _ in range(2):
        core, lines = begin(sticky)
        offer(core, "500m")
        stories.append((follow(core, 90), lines, [obj["metadata"]["name"] for obj in core.storage.objects("pods")]))
    assert stories[0] == stories[1]


def test_fifteen_minutes_take_seconds() -> None:
    core, _ = begin()
    begun = time.process_time()
    offer(core, "500m")
    advance(core, 300)
    offer(core, None)
    advance(core, 600)
    assert time.process_time() - begun < 3.0
    assert core.storage.count("pods") == 1
