from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import make
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import nodes
from kubepane.insight.finding import Level
from kubepane.insight.nodes import Load, Requested
from recordings import age_fits, objects, recorded


def node(name: str = "n1", **more: Any) -> Any:
    return make(k.NODES, name, **more)


def ready(status: str = "True", *others: str, **more: Any) -> dict[str, Any]:
    conditions = [{"type": kind, "status": "True", "reason": "Kubelet", "message": f"kubelet says {kind}"} for kind in others]
    return {"conditions": [*conditions, {"type": "Ready", "status": status, **more}]}


def test_cells_are_those_of_the_server() -> None:
    seen = recorded("workload-tables")["nodes"]
    now = datetime(2026, 11, 23, 14, 44, 22, tzinfo=UTC)
    for obj, cells in zip(objects(k.NODES, seen["items"]), seen["rows"], strict=True):
        name, status, roles, age, version, internal, external, image, kernel, runtime = cells
        info = obj.status.node_info
        assert (obj.metadata.name, nodes.status(obj), nodes.roles(obj), info.kubelet_version) == (name, status, roles, version)
        assert (nodes.address(obj, "InternalIP"), nodes.address(obj, "ExternalIP")) == (internal, external)
        assert (info.os_image or "<unknown>", info.kernel_version or "<unknown>", info.container_runtime_version or "<unknown>") == (
            image,
            kernel,
            runtime,
        )
        assert age_fits(obj.metadata.creation_timestamp, age, now, slack=60)
        assert nodes.level(obj) is Level.OK
    assert len(seen["rows"]) == 4


STATUSES = [
    ({}, {}, "Unknown", Level.BAD),
    (ready(), {}, "Ready", Level.OK),
    (ready("False"), {}, "NotReady", Level.BAD),
    (ready("Unknown"), {}, "NotReady", Level.BAD),
    (ready(), {"unschedulable": True}, "Ready,SchedulingDisabled", Level.WARN),
    (ready("Unknown"), {"unschedulable": True}, "NotReady,SchedulingDisabled", Level.BAD),
    (ready("True", "MemoryPressure"), {}, "Ready", Level.WARN),
    (ready("True", "EtcdIsVoter"), {}, "Ready", Level.OK),
    (ready(), {"taints": [{"key": "dedicated", "effect": "NoExecute"}]}, "Ready", Level.OK),
]


@pytest.mark.parametrize(("status", "spec", "text", "level"), STATUSES, ids=range(len(STATUSES)))
def test_status_and_level(status: Any, spec: Any, text: str, level: Level) -> None:
    obj = node(status=status, spec=spec)
    assert (nodes.status(obj), nodes.level(obj)) == (text, level)
    assert bool(nodes.findings(obj)) == (level < Level.OK)
    assert min((f.level for f in nodes.findings(obj)), default=Level.OK) is level


def test_roles_are_sorted_and_empty_ones_left_out() -> None:
    labels = {f"{nodes.ROLE}gpu": "", f"{nodes.ROLE}edge": "", nodes.ROLE: "x", "kubernetes.io/role": "infra", "app": "x"}
    assert nodes.roles(node(labels=labels)) == "edge,gpu,infra"
    assert nodes.roles(node(labels={"kubernetes.io/role": ""})) == "<none>"
    assert nodes.roles(node()) == "<none>"


def test_taints_are_told_in_full() -> None:
    taints = [
        {"key": "dedicated", "value": "chatapp", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-06-01T11:00:00Z"},
    ]
    assert nodes.taints(node(spec={"taints": taints})) == ["dedicated=chatapp:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]


def test_findings_tell_the_worst_first_with_their_evidence() -> None:
    found = nodes.findings(
        node(spec={"unschedulable": True}, status=ready("Unknown", "DiskPressure", reason="NodeStatusUnknown", message="Stopped posting."))
    )
    assert [(f.level, f.clause) for f in found] == [
        (Level.BAD, "Stopped posting"),
        (Level.WARN, "DiskPressure: kubelet says DiskPressure"),
        (Level.WARN, "cordoned: takes no new pods"),
    ]
    assert [(e.object, e.field, e.value) for e in found[0].evidence] == [("node/n1", "status.conditions[Ready]", "Unknown NodeStatusUnknown")]


# ---- requests ------------------------------------------------------------------------------------------------------------


def pod(name: str, where: str, cpu: str = "100m", memory: str = "64Mi", phase: str = "Running") -> Any:
    spec = {"nodeName": where, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}
    return make(k.PODS, name, uid=name, spec=spec, status={"phase": phase})


def test_allocatable_may_be_missing() -> None:
    assert nodes.allocatable(node()) == Load()
    assert nodes.allocatable(node(status={"allocatable": {"cpu": "1930m", "memory": "7Gi", "pods": "110"}})) == Load(1930, 7 << 30, 110)


@pytest.mark.parametrize(("used", "of", "share"), [(0, 4000, 0), (1999, 4000, 49), (2000, 4000, 50), (4100, 4000, 102), (5, 0, None)])
def test_shares_are_truncated_as_kubectl_top_does(used: int, of: int, share: int | None) -> None:
    assert nodes.share(used, of) == share


PODS = st.builds(
    pod, st.sampled_from("abcd"), st.sampled_from(["", "n1", "n2"]), st.sampled_from(["100m", "1", "0"]), st.sampled_from(["64Mi", "1Gi"]),
    st.sampled_from(["Running", "Pending", "Succeeded", "Failed"]),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.one_of(PODS, st.sampled_from("abcd")), max_size=25))
def test_sums_are_those_of_a_recount_whatever_happened(steps: list[Any]) -> None:
    stores = Stores()
    requested = Requested(stores.pods)
    for step in steps:
        before = {name: requested.of(name) for name in ("n1", "n2")}
        requested.touched()
        if isinstance(step, str):
            stores.pods.drop(step)
        else:
            stores.pods.put(step)
        touched = requested.touched()
        assert all(requested.of(name) == was or name in touched for name, was in before.items())
    sums: dict[str, Counter[str]] = {"n1": Counter(), "n2": Counter()}
    for p in stores.pods:
        if p.spec.node_name and p.status.phase in ("Running", "Pending"):
            cpu, memory = nodes.requests(p)
            sums[p.spec.node_name].update(cpu=cpu, memory=memory, pods=1)
    assert {name: requested.of(name) for name in sums} == {name: Load(s["cpu"], s["memory"], s["pods"]) for name, s in sums.items()}


def test_a_change_that_weighs_nothing_touches_no_node() -> None:
    stores = Stores()
    requested = Requested(stores.pods)
    stores.pods.put(pod("a", "n1", phase="Pending"))
    assert requested.touched() == {"n1"}
    stores.pods.put(pod("a", "n1"))
    assert requested.touched() == set()
    stores.pods.put(pod("a", "n2"))
    assert requested.touched() == {"n1", "n2"}
