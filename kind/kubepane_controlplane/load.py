"""Many pods on a control plane, and a steady rate of changes to them: for load tests on loopback, bounded in count and time."""

from __future__ import annotations

import itertools
import time

from kubepane_controlplane.plane import ControlPlane, Object

NAMESPACE = "load"
PER_DEPLOYMENT = 100
MOST_RATE = 500


def add_pods(plane: ControlPlane, count: int) -> None:
    """Deployments of a hundred pods each, so many that there are `count` pods; KWOK runs them."""
    plane.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for number, first in enumerate(range(0, count, PER_DEPLOYMENT)):
        plane.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _deployment(number, min(PER_DEPLOYMENT, count - first)))


def churn(plane: ControlPlane, rate: float, seconds: float) -> int:
    """Change an annotation of one Deployment after another, `rate` times a second for `seconds`; returns how many changes were made."""
    rate = min(rate, MOST_RATE)
    made = 0
    end = time.monotonic() + seconds
    for number in itertools.count():
        due = end - seconds + number / rate
        if due >= end:
            return made
        time.sleep(max(0.0, due - time.monotonic()))
        status, _ = plane.annotate(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/load-0", {"kubepane.io/churn": str(number)})
        made += status == 200
    return made


def _deployment(number: int, replicas: int) -> Object:
    labels = {"app": f"load-{number}"}
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": f"load-{number}"}, "spec": spec}
