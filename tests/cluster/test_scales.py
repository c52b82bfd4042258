"""Moments of HPAs: what is measured, what is unknown, and what is written down."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apimodel import Model
from builders import make
from cluster.fleet import Fleet, clustered
from kubepane.cluster.cluster import Cluster
from kubepane.cluster.kinds import AUTOSCALERS, DEPLOYMENTS
from kubepane.cluster.metrics import HISTORY, Metrics, Scale
from kubepane.cluster.scales import scale

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def target(name: str = "cpu", **value: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": value}}


def now(name: str = "cpu", **value: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "current": value}}


def condition(kind: str, value: str) -> dict[str, str]:
    return {"type": kind, "status": value}


def external(role: str, **value: Any) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "queue"}, role: value}}


@pytest.mark.parametrize(
    ("metrics", "current", "conditions", "wanted"),
    [
        ([target(averageUtilization=50)], [now(averageUtilization=75)], [], (75, 50)),
        ([target(averageValue="200m")], [now(averageValue="150m")], [], (0.15, 0.2)),
        ([target(averageValue="1Gi")], [now(averageValue="512Mi")], [], (2**29, 2**30)),
        ([external("target", value="10")], [external("current", value="7500m")], [], (7.5, 10)),
        ([target(averageUtilization=50)], None, [], (None, 50)),
        ([target(averageUtilization=50)], [], [], (None, 50)),
        ([target(averageUtilization=50)], [{"type": ""}], [], (None, 50)),
        ([target(averageUtilization=50)], [now(averageValue="1")], [], (None, 50)),
        ([target(averageUtilization=50)], [now(averageUtilization=75)], [condition("ScalingActive", "False")], (None, 50)),
        ([target(averageUtilization=50)], [now(averageUtilization=75)], [condition("AbleToScale", "False")], (None, 50)),
        ([target(averageUtilization=50)], [now(averageUtilization=75)], [condition("ScalingLimited", "False")], (75, 50)),
        ([{"type": "Resource"}, target(averageUtilization=50)], [{"type": ""}, now(averageUtilization=9)], [], (9, 50)),
        ([target()], [now(averageUtilization=75)], [], (None, None)),
        ([target(averageValue="many")], [now(averageValue="1")], [], (None, None)),
        (None, None, None, (None, None)),
    ],
)
def test_the_first_metric_with_a_target(metrics: Any, current: Any, conditions: Any, wanted: tuple[float | None, float | None]) -> None:
    hpa = make(
        AUTOSCALERS,
        "web",
        spec={"metrics": metrics},
        status={"currentMetrics": current, "conditions": conditions, "desiredReplicas": 3, "currentReplicas": 2},
    )
    assert scale(hpa, None, AT) == Scale(AT, *wanted, 3, 2)
    assert scale(hpa, 1, AT).ready == 1


def test_of_moments_that_are_alike_the_first_and_the_last_are_kept() -> None:
    m = Metrics()
    for i, current in enumerate([1, 1, 1, 1, 2, 2, 2, 1]):
        m.saw_scale("u", Scale(AT + timedelta(seconds=i), current, 5, 1, 1))
    assert [((s.at - AT).seconds, s.current) for s in m.scales("u")] == [(0, 1), (3, 1), (4, 2), (6, 2), (7, 1)]
    for i in range(3 * HISTORY):
        m.saw_scale("u", Scale(AT + timedelta(seconds=10 + i), i, 5, 1, 1))
    assert len(m.scales("u")) == HISTORY


def hpa_body(current: int, desired: int) -> dict[str, Any]:
    return {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "metrics": [target(averageUtilization=50)]},
        "status": {"currentMetrics": [now(averageUtilization=current)], "desiredReplicas": desired, "currentReplicas": 9},
    }


def test_each_change_is_written_down_and_the_end_of_an_hpa_too() -> None:
    model = Model()
    model.make(DEPLOYMENTS, "web", status={"readyReplicas": 2})
    uid = model.make(AUTOSCALERS, "web", **hpa_body(40, 2))["metadata"]["uid"]

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([DEPLOYMENTS, AUTOSCALERS])
        await asyncio.sleep(1)
        model.make(AUTOSCALERS, "web", **hpa_body(90, 4))
        await asyncio.sleep(100)
        seen = [(s.current, s.target, s.wanted, s.ready) for s in cluster.metrics.scales(uid)]
        assert seen == [(40, 50, 2, 2), (90, 50, 4, 2), (90, 50, 4, 2)]
        first, last = cluster.metrics.scales(uid)[1], cluster.metrics.scales(uid)[-1]
        assert last.at - first.at > timedelta(seconds=80)
        fleet.requests.kill()
        await asyncio.sleep(100)
        assert cluster.metrics.scales(uid)[-1].at - last.at < timedelta(seconds=16)  # nothing is known meanwhile
        fleet.requests.revive()
        model.delete(AUTOSCALERS, "web")
        await asyncio.sleep(10)
        assert cluster.metrics.scales(uid) == ()

    clustered(main, model)
