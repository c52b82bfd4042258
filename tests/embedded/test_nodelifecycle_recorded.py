"""A node's life as a real 1.35.4 cluster wrote it: registered, cordoned, under pressure, not ready, silent, back, deleted.

`recorded/nodelifecycle.json` has what was done at which second, and what was there just before the next thing was done.
"""

from __future__ import annotations

from typing import Any

import pytest

from embedded.conftest import recording
from embedded.nodeobjects import Object, add_node, keep_alive, pod_on, renew, report, run_pod
from embedded.volumeobjects import advance
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.nodelifecycle import NodeLifecycle
from kubepane_embedded.controllers.podgc import PodGarbageCollector
from kubepane_embedded.controllers.tainteviction import TaintEviction
from kubepane_embedded.core import Core
from kubepane_embedded.seed import Seed

RECORDED = recording("nodelifecycle")
NODE, NAMESPACE = "storage-parts-node", "storage-parts"
PHASE = 3.9
"""The real controllers looked 1.1 s after the beginning, and every five seconds from then on."""
NAMES = {"ready": "Ready", "mem": "MemoryPressure"}


def act(core: Core, what: dict[str, Any]) -> None:
    """One thing of the recording."""
    client = core.client("test")
    if "create" in what:
        own = {"taints": [{"key": "storage-parts", "effect": "NoSchedule"}]}
        client.create("nodes", {"metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}, "spec": own})
    elif "status" in what:
        report(core, NODE, **{NAMES[key]: value for key, value in what["status"].items()})
    elif "lease" in what:
        renew(core, NODE)
    elif "spec" in what:
        client.patch("nodes", "", NODE, {"spec": what["spec"]})
    elif "pods" in what:
        keys = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        short = [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 6} for key in keys]
        for name, tolerations in (("np-short", short), ("np-default", None)):
            pod = pod_on(name, NODE, tolerations)
            pod["metadata"]["namespace"] = NAMESPACE
            run_pod(core, pod)
    else:
        client.delete("nodes", "", NODE)


def without_time(condition: Object) -> Object:
    return {key: value for key, value in condition.items() if "Time" not in key}


def pod_facts(pod: Object) -> Object:
    meta, status = pod["metadata"], pod["status"]
    conditions = [without_time(one) for one in status["conditions"]]
    grace = meta.get("deletionGracePeriodSeconds")
    return {"deleting": "deletionTimestamp" in meta, "grace": grace, "phase": status["phase"], "conditions": conditions}


def condition_facts(condition: Object) -> list[str]:
    silent = [condition["message"]] if condition["status"] == "Unknown" else []
    return [condition["type"], condition["status"], condition["reason"], *silent]


def node_facts(core: Core) -> tuple[Any, Any]:
    """Taints (their time only as a fact) and conditions of the node; None when it is gone."""
    node = core.storage.read("nodes", "", NODE)
    if node is None:
        return None, None
    taints = [{key: True if key == "timeAdded" else value for key, value in taint.items()} for taint in node["spec"].get("taints") or []]
    return taints, [condition_facts(one) for one in node["status"].get("conditions") or []]


def state(core: Core) -> dict[str, Any]:
    """What the recording has of a moment."""
    taints, conditions = node_facts(core)
    events = [
        [
            *(event["involvedObject"]["name"], event["type"], event["reason"], event["message"], event["count"]),
            *(event["source"]["component"], sorted(event["involvedObject"])),
        ]
        for event in core.storage.objects("events")
        if event["involvedObject"]["name"] != "other"
    ]
    pods = {pod["metadata"]["name"]: pod_facts(pod) for pod in core.storage.objects("pods")}
    return {"taints": taints, "conditions": conditions, "pods": pods, "events": sorted(events)}


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    """The state before each next thing, here; one other node is well all the time."""
    core = Core(VirtualClock(), Seed(1))
    for part in (NodeLifecycle, TaintEviction, PodGarbageCollector):
        part(core).start()
    core.client("test").create("namespaces", {"metadata": {"name": NAMESPACE}})
    add_node(core, "other")
    keep_alive(core, "other")
    advance(core, PHASE)
    found = []
    ends = [*[step["at"] for step in RECORDED["steps"][1:]], RECORDED["until"]]
    for step, end in zip(RECORDED["steps"], ends, strict=True):
        for what in step["do"]:
            act(core, what)
        advance(core, end - step["at"])
        found.append(state(core))
    return found


STEPS = [f"{step['at']}s {'+'.join(key for what in step['do'] for key in what)}" for step in RECORDED["steps"]]


@pytest.mark.parametrize("part", ["taints", "conditions", "pods", "events"])
@pytest.mark.parametrize("number", range(len(STEPS)), ids=STEPS)
def test_it_is_as_the_real_one(number: int, part: str, states: list[dict[str, Any]]) -> None:
    recorded = RECORDED["steps"][number]["then"][part]
    assert states[number][part] == (sorted(recorded) if part == "events" else recorded)
