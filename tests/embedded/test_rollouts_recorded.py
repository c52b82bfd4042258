"""Rollouts step by step: what the embedded controllers write is what a real controller manager wrote (`rollouts.py` recorded it)."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.conftest import recording
from embedded.rollouts import SCENARIOS, Names, seen, told
from embedded.timedkubelet import TimedKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object

RECORDED = recording("rollouts")


def play(core: Core, name: str) -> dict[str, Any]:
    """One scenario here, in the form in which it was recorded."""
    assert isinstance(core.clock, VirtualClock)
    ReplicaSetController(core).start()
    DeploymentController(core).start()
    TimedKubelet(core, ready=readiness(core)).start()
    client, names, scenario = core.client("kubectl"), Names(), SCENARIOS[name]
    events: dict[Key, None] = {}
    core.storage.subscribe("events", events.setdefault)
    if "quota" in scenario:
        client.create("resourcequotas", {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": scenario["quota"]}})
    created = scenario["create"]
    client.create("deployments.apps", {**created, "metadata": {**created["metadata"], "namespace": "default"}})
    core.clock.advance(60)
    results = [look(core, names)]
    for patch in scenario["steps"]:
        client.patch("deployments.apps", "default", "web", patch)
        core.clock.advance(60)
        results.append(look(core, names))
    return {"results": results, "events": told([client.get("events", *key) for key in events], names)}


def readiness(core: Core) -> Any:
    """Pods of a node that is not there are never ready, others one after the other, as on the real nodes."""
    count = iter(range(10_000))
    return lambda pod: None if pod["spec"].get("nodeSelector") else 1.0 + next(count) % 7 * 0.3


def look(core: Core, names: Names) -> Object:
    web = core.storage.read("deployments.apps", "default", "web")
    assert web is not None
    return seen(web, core.storage.objects("replicasets.apps", "default"), names)


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_recorded(core: Core, name: str) -> None:
    real, here = RECORDED["scenarios"][name], play(core, name)
    for step, (one, other) in enumerate(zip(here["results"], real["results"], strict=True)):
        assert one == other, f"after step {step}"
    assert here["events"] == real["events"]


def test_the_recording_is_of_the_version_that_is_simulated() -> None:
    assert RECORDED["version"].startswith("v1.35.")
