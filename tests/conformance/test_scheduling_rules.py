"""Scheduling: where pods go, what is said when they cannot, and that a mended rule is seen at once."""

from __future__ import annotations

from conformance.peers import Space, condition, container, pod


def told(space: Space, name: str) -> str:
    """What the scheduler says of a pod that it cannot place, as the pod's condition has it."""
    found = space.door.until(space.core("pods", name), lambda p: condition(p, "PodScheduled")[1] == "Unschedulable")
    assert found["status"]["phase"] == "Pending"
    return condition(found, "PodScheduled")[2]


def ending(count: int) -> str:
    return f". no new claims to deallocate, preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."


def test_a_selector_that_no_node_has(space: Space) -> None:
    space.door.create(space.core("pods"), pod("p", nodeSelector={"no": "where"}))
    count, tainted = len(space.peer.nodes), len(space.peer.tainted)
    assert told(space, "p") == (
        f"0/{count} nodes are available: {tainted} node(s) had untolerated taint(s), {count - tainted} node(s) didn't match Pod's node affinity/selector"
        + ending(count)
    )
    assert space.told("p", "FailedScheduling") == [told(space, "p")]


def test_more_cpu_than_any_node_has(space: Space) -> None:
    space.door.create(space.core("pods"), pod("p", containers=[container(resources={"requests": {"cpu": "9999"}})]))
    count, tainted = len(space.peer.nodes), len(space.peer.tainted)
    assert told(
        space, "p"
    ) == f"0/{count} nodes are available: {tainted} node(s) had untolerated taint(s), {count - tainted} Insufficient cpu" + ending(count)


def test_a_taint_and_the_toleration_for_it(space: Space) -> None:
    (node,) = space.peer.tainted
    name = space.door.get(f"/api/v1/nodes/{node}")["metadata"]["labels"]["kubernetes.io/hostname"]
    space.door.create(space.core("pods"), pod("p", nodeSelector={"kubernetes.io/hostname": name}))
    count = len(space.peer.nodes)
    assert told(space, "p") == (
        f"0/{count} nodes are available: 1 node(s) had untolerated taint(s), {count - 1} node(s) didn't match Pod's node affinity/selector"
        + ending(count)
    )
    present = space.door.get(space.core("pods", "p"))["spec"]["tolerations"]
    key = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
    space.door.patch(space.core("pods", "p"), {"spec": {"tolerations": [*present, key]}})
    placed = space.door.until(space.core("pods", "p"), lambda p: p["spec"].get("nodeName"))
    assert placed["spec"]["nodeName"] == node
    assert space.told("p", "Scheduled") == [f"Successfully assigned {space.name}/p to {node}"]


def test_a_gate_is_no_failure(space: Space) -> None:
    space.door.create(space.core("pods"), pod("p", schedulingGates=[{"name": "example.com/wait"}]))
    waiting = space.door.get(space.core("pods", "p"))
    assert condition(waiting, "PodScheduled") == ("False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
    space.door.patch(space.core("pods", "p"), {"spec": {"schedulingGates": None}})
    space.door.until(space.core("pods", "p"), lambda p: p["spec"].get("nodeName"))
    assert [reason for _, reason, _ in space.events("p") if reason == "FailedScheduling"] == []


def test_pods_that_keep_apart(space: Space) -> None:
    labels = {"app": "apart"}
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    free = len(space.peer.nodes) - len(space.peer.tainted)
    for number in range(free):
        body = pod(f"p{number}", affinity=apart)
        space.door.create(space.core("pods"), {**body, "metadata": {"name": f"p{number}", "labels": labels}})
    for number in range(free):
        space.door.until(space.core("pods", f"p{number}"), lambda p: p["spec"].get("nodeName"))
    assert len({one["spec"]["nodeName"] for one in space.pods()}) == free
    body = pod("late", affinity=apart)
    space.door.create(space.core("pods"), {**body, "metadata": {"name": "late", "labels": labels}})
    assert f"{free} node(s) didn't match pod anti-affinity rules" in told(space, "late")


def test_a_claim_that_is_not_there(space: Space) -> None:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "none"}}
    space.door.create(space.core("pods"), pod("p", volumes=[volume]))
    assert told(space, "p") == f'0/{len(space.peer.nodes)} nodes are available: persistentvolumeclaim "none" not found. not found'
