"""The HPA on real usage: up in one step to its maximum, down again when the load has gone, and what it says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.peers import Space, condition, container, template

GROUP = "autoscaling/v2"
HPAS = "horizontalpodautoscalers"
pytestmark = [pytest.mark.timeout(240)]


def autoscaler(target: str) -> dict[str, Any]:
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [metric],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    }
    return {"metadata": {"name": "hpa"}, "spec": spec}


def test_an_autoscaler_of_nothing(space: Space) -> None:
    space.door.create(space.path(GROUP, HPAS), autoscaler("none"))
    found = space.door.until(space.path(GROUP, HPAS, "hpa"), lambda h: condition(h, "AbleToScale")[0])
    assert condition(found, "AbleToScale") == (
        "False",
        "FailedGetScale",
        'the HPA controller was unable to get the target\'s current scale: deployments.apps "none" not found',
    )


@pytest.mark.needs_metrics
def test_up_and_down(space: Space) -> None:
    """The load is an annotation of each kind of cluster: KWOK's usage of a pod, or the embedded cluster's demand on a Service."""
    door, labels = space.door, {"app": "web"}
    pods = template(labels, {"kwok.x-k8s.io/usage-cpu": "300m"}, containers=[container(resources={"requests": {"cpu": "100m"}})])
    door.create(
        space.apps("deployments"), {"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pods}}
    )
    service = {"metadata": {"name": "web", "annotations": {"sim.kubepane.io/demand": "300m"}}, "spec": {"selector": labels, "ports": [{"port": 80}]}}
    door.create(space.core("services"), service)
    door.create(space.path(GROUP, HPAS), autoscaler("web"))
    high = door.until(space.path(GROUP, HPAS, "hpa"), lambda h: h["status"].get("currentReplicas") == 3, 120)
    assert high["status"]["desiredReplicas"] == 3
    assert condition(high, "ScalingActive")[:2] == ("True", "ValidMetricFound")
    assert any(
        m == "New size: 3; reason: cpu resource utilization (percentage of request) above target" for m in space.told("hpa", "SuccessfulRescale")
    )
    limited = door.until(space.path(GROUP, HPAS, "hpa"), lambda h: condition(h, "ScalingLimited")[1] in ("TooManyReplicas", "DesiredWithinRange"))
    assert limited["spec"]["maxReplicas"] == 3
    door.patch(space.core("services", "web"), {"metadata": {"annotations": {"sim.kubepane.io/demand": None}}})
    for one in space.pods("app=web"):
        door.patch(space.core("pods", one["metadata"]["name"]), {"metadata": {"annotations": {"kwok.x-k8s.io/usage-cpu": "1m"}}})
    low = door.until(space.path(GROUP, HPAS, "hpa"), lambda h: h["status"].get("desiredReplicas") == 1, 120)
    assert low["status"]["lastScaleTime"] >= high["status"]["lastScaleTime"]
    assert "New size: 1; reason: All metrics below target" in space.told("hpa", "SuccessfulRescale")
    door.until(space.apps("deployments", "web"), lambda d: d["spec"]["replicas"] == 1)
