"""Adding a toleration: the taints that alone keep a pod away, and the template that gets it."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, pod, put
from clusters import live
from kubepane.acting import tolerating
from kubepane.acting.plan import Intent, Malformed, Plan, Scene, Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref

WEB = Ref(k.DEPLOYMENTS, "shop", "web")
OLD = {"key": "old", "operator": "Exists"}


def workload(*tolerations: Any) -> Raw:
    return {"metadata": {"name": "web", "uid": "u-web", "resourceVersion": "7"}, "spec": {"template": {"spec": {"tolerations": list(tolerations)}}}}


def planned(raw: Raw, *taints: str) -> Plan:
    return tolerating.tolerate(Intent("tolerate", (WEB,), {"taints": taints}), [raw], Scene(live(), NOW, "ctx"))


def sent(plan: Plan, raw: Raw) -> Any:
    return plan.steps[0].request(raw).body["spec"]["template"]["spec"]["tolerations"]


def test_it_is_added_to_those_that_are_there_now() -> None:
    plan = planned(workload(OLD), "dedicated=chat:NoSchedule", "gpu:NoExecute")
    mine = {"key": "dedicated", "operator": "Equal", "value": "chat", "effect": "NoSchedule"}
    bare = {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}
    assert sent(plan, workload(OLD)) == [OLD, mine, bare]
    assert sent(plan, workload(mine)) == [mine, bare]
    step = plan.steps[0]
    assert step.request(workload()).body["metadata"] == {"uid": "u-web", "resourceVersion": "7"}
    assert [step.holds(seen) for seen in (workload(mine, bare), workload(mine), None)] == [True, False, False]
    assert (step.says, plan.button) == ("tolerates dedicated=chat:NoSchedule, gpu:NoExecute", "Add 2 tolerations")
    assert plan.warnings == ("its pods are replaced: the template changes",)
    shown = ["".join(part for part, _ in line) for line in plan.lines]
    assert any(line.startswith("+") and "dedicated" in line for line in shown)


def test_what_is_tolerated_already_or_nothing_is_unfit() -> None:
    mine = {"key": "a", "operator": "Exists", "effect": "NoSchedule"}
    with pytest.raises(Unfit, match="tolerates that already"):
        planned(workload(mine), "a:NoSchedule")
    with pytest.raises(Unfit, match="no taint keeps the pods"):
        planned(workload())
    with pytest.raises(Malformed):
        planned(workload(), "a")


def test_absent_parts_make_no_trouble() -> None:
    bare: Raw = {"metadata": {"uid": "u-web"}, "spec": {"template": {"spec": None}}}
    assert sent(planned(bare, "a:NoSchedule"), bare) == [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]
    assert tolerating.tolerations_of(None) == []


# ---- which taints, whose template ----------------------------------------------------------------------------------------------


def node(stores: Stores, name: str, *taints: Any) -> None:
    put(stores, k.NODES, name, spec={"taints": list(taints)}, status={"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}})


def waiting(stores: Stores, **spec: Any) -> Any:
    return pod(stores, "waits", spec={"containers": [{"name": "app"}], **spec}, status={"phase": "Pending"})


A = {"key": "a", "value": "x", "effect": "NoSchedule"}
B = {"key": "b", "effect": "NoExecute"}
PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def test_the_taints_that_alone_keep_it_away_are_found_once_and_never_a_control_planes() -> None:
    stores = live()
    node(stores, "n1", A)
    node(stores, "n2", A)
    node(stores, "n3", A, B)
    node(stores, "plane", PLANE)
    assert tolerating.lacking(waiting(stores), stores) == ["a=x:NoSchedule", "b:NoExecute"]


def test_where_more_than_taints_keeps_it_away_a_toleration_does_not_help() -> None:
    stores = live()
    node(stores, "n1", A)
    assert tolerating.lacking(waiting(stores, nodeSelector={"disk": "ssd"}), stores) == []
    node(stores, "n2")
    assert tolerating.lacking(waiting(stores), stores) == []  # it fits on n2
    placed = pod(stores, "runs", spec={"nodeName": "n1"})
    assert tolerating.lacking(placed, stores) == []


def test_the_workload_above_a_pod_is_the_one_that_can_be_changed() -> None:
    stores = live()
    web = put(stores, k.DEPLOYMENTS, "web")
    rs = put(stores, k.REPLICASETS, "web-1", owner=web)
    assert tolerating.workload_of(pod(stores, "a", owner=rs), stores) == WEB
    assert tolerating.workload_of(pod(stores, "b", owner=put(stores, k.STATEFULSETS, "db")), stores) == Ref(k.STATEFULSETS, "shop", "db")
    job = put(stores, k.JOBS, "once")
    assert tolerating.workload_of(pod(stores, "c", owner=job), stores) is None
    assert tolerating.workload_of(pod(stores, "d"), stores) is None
