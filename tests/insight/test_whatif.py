"""What a change of taints would do to pods, held against the rules of taint eviction and of the scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from builders import pod, put
from clusters import live
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import scheduling, whatif

ALLOCATABLE = {"cpu": "4", "memory": "8Gi", "pods": "110"}
GPU = r.Taint("gpu", "a100", "NoSchedule")


def node(stores: Stores, name: str = "worker-1", *taints: Any, **spec: Any) -> None:
    put(stores, k.NODES, name, spec={"taints": list(taints), **spec}, status={"allocatable": ALLOCATABLE})


def tolerating(*tolerations: dict[str, Any], place: str = "worker-1") -> dict[str, Any]:
    return {"spec": {"nodeName": place, "tolerations": list(tolerations), "containers": [{"name": "app"}]}}


def pending(stores: Stores, name: str = "waits", *tolerations: dict[str, Any], **more: Any) -> None:
    body = {"tolerations": list(tolerations), "containers": [{"name": "app", **more}]}
    pod(stores, name, spec=body, status={"phase": "Pending"})


# tolerations of a pod → seconds until NoExecute a=b deletes it; None for never (pkg/controller/tainteviction getMinTolerationTime)
EVICTIONS: dict[str, tuple[list[dict[str, Any]], int | None]] = {
    "none": ([], 0),
    "of another key": ([{"key": "x", "operator": "Exists"}], 0),
    "of another value": ([{"key": "a", "operator": "Equal", "value": "c", "effect": "NoExecute"}], 0),
    "of another effect": ([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}], 0),
    "for ever": ([{"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute"}], None),
    "of all effects": ([{"key": "a", "operator": "Exists"}], None),
    "of everything": ([{"operator": "Exists"}], None),
    "Equal by default": ([{"key": "a", "value": "b"}], None),
    "for a while": ([{"key": "a", "operator": "Exists", "tolerationSeconds": 300}], 300),
    "the shortest of several": ([{"key": "a", "operator": "Exists", "tolerationSeconds": 300}, {"operator": "Exists", "tolerationSeconds": 20}], 20),
    "a while beside for ever": ([{"key": "a", "operator": "Exists"}, {"operator": "Exists", "tolerationSeconds": 20}], 20),
    "less than nothing": ([{"key": "a", "operator": "Exists", "tolerationSeconds": -5}], 0),
}


@pytest.mark.parametrize("case", EVICTIONS)
def test_who_is_deleted_and_when(case: str) -> None:
    tolerations, after = EVICTIONS[case]
    stores = live()
    pod(stores, "web", **tolerating(*tolerations))
    effect = whatif.tainting(["worker-1"], r.Taint("a", "b", "NoExecute"), stores)
    assert [each.after for each in effect.evicted] == ([] if after is None else [after])
    assert effect.tolerating == (after is None)
    assert effect.strangers == ()


def test_noschedule_deletes_nobody_but_says_who_would_not_come_back() -> None:
    stores = live()
    pod(stores, "web")
    pod(stores, "fine", **tolerating({"key": "gpu", "operator": "Exists"}))
    effect = whatif.tainting(["worker-1"], GPU, stores)
    assert (effect.evicted, [one.metadata.name for one in effect.strangers], effect.tolerating) == ((), ["web"], 1)
    soft = whatif.tainting(["worker-1"], r.Taint("gpu", "", "PreferNoSchedule"), stores)
    assert (soft.evicted, soft.strangers, soft.tolerating) == ((), (), 2)


@pytest.mark.parametrize("gone", [{"status": {"phase": "Succeeded"}}, {"status": {"phase": "Failed"}}, {"deletionTimestamp": "2026-06-01T12:00:00Z"}])
def test_pods_that_are_over_are_not_counted(gone: dict[str, Any]) -> None:
    stores = live()
    pod(stores, "old", **gone)
    assert whatif.tainting(["worker-1"], r.Taint("a", "", "NoExecute"), stores) == whatif.TaintEffect()


def test_only_the_pods_of_the_nodes_count() -> None:
    stores = live()
    pod(stores, "here")
    pod(stores, "there", **tolerating(place="worker-2"))
    names = [each.pod.metadata.name for each in whatif.tainting(["worker-1"], r.Taint("a", "", "NoExecute"), stores).evicted]
    assert names == ["here"]


# ---- what would fit then -------------------------------------------------------------------------------------------------------

TAINT = {"key": "gpu", "value": "a100", "effect": "NoSchedule"}


def fitting(stores: Stores, names: tuple[str, ...] = ("worker-1",)) -> list[str]:
    return [one.metadata.name for one in whatif.untainting(names, [GPU], stores)]


def test_a_pod_that_only_the_taint_keeps_away_would_fit() -> None:
    stores = live()
    node(stores, "worker-1", TAINT)
    pending(stores)
    assert fitting(stores) == ["waits"]
    assert fitting(stores, ("worker-2",)) == []


def test_the_scheduler_agrees_once_the_taint_is_gone() -> None:
    """Whoever is said to fit does fit on the node without the taint, and nobody else does newly."""
    sizes: dict[str, dict[str, Any]] = {
        "small": {},
        "large": {"resources": {"requests": {"cpu": "9"}}},
        "port": {"ports": [{"containerPort": 80, "hostPort": 80}]},
    }
    before, after = live(), live()
    for stores, taints in ((before, [TAINT]), (after, [])):
        node(stores, "worker-1", *taints)
        node(stores, "worker-2", {"key": "other", "effect": "NoSchedule"})
        pod(stores, "holder", spec={"nodeName": "worker-1", "containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}]})
        for name, more in sizes.items():
            pending(stores, name, **more)
    said = set(fitting(before))
    fits = {name for name in sizes if "worker-1" in scheduling.verdict(after.pods.named("shop", name), after).fits}  # type: ignore[arg-type]
    assert said == fits == {"small"}


@pytest.mark.parametrize(
    ("taints", "spec"),
    [
        ([TAINT, {"key": "other", "effect": "NoSchedule"}], {}),  # another taint
        ([TAINT], {"unschedulable": True}),  # a cordon
        ([], {}),  # it fits already: the taint is not what keeps it waiting
    ],
)
def test_a_pod_that_something_else_keeps_away_would_not(taints: list[Any], spec: dict[str, Any]) -> None:
    stores = live()
    node(stores, "worker-1", *taints, **spec)
    pending(stores)
    assert fitting(stores) == []


def test_an_uncordon_lets_in_whom_only_the_cordon_kept_away() -> None:
    stores = live()
    node(stores, "worker-1", unschedulable=True)
    node(stores, "worker-2", TAINT, unschedulable=True)
    pending(stores)
    pending(stores, "large", resources={"requests": {"memory": "9Gi"}})
    assert [one.metadata.name for one in whatif.uncordoning(["worker-1"], stores)] == ["waits"]
    assert whatif.uncordoning(["worker-2"], stores) == ()


def test_pods_that_are_over_or_placed_do_not_wait() -> None:
    stores = live()
    node(stores, "worker-1", TAINT)
    pod(stores, "done", spec={}, status={"phase": "Failed"})
    pod(stores, "going", spec={}, status={"phase": "Pending"}, deletionTimestamp="2026-06-01T12:00:00Z")
    pod(stores, "placed")
    assert fitting(stores) == []
