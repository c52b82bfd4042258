"""Deleting: by uid, counted, with what goes along and what brings it back."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, put
from clusters import live
from kubepane.acting import deleting
from kubepane.acting.plan import Danger, Intent, Need, Plan, Progress, Scene
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref


def raw(name: str, **meta: Any) -> Raw:
    return {"metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": "7", **meta}}


def planned(*objects: tuple[Kind, Raw], stores: Stores | None = None, space: str = "shop") -> Plan:
    refs = tuple(Ref(kind, space if kind.namespaced else "", one["metadata"]["name"]) for kind, one in objects)
    return deleting.delete(Intent("delete", refs), [one for _, one in objects], Scene(stores or live(), NOW, "ctx"))


def text(plan: Plan) -> str:
    return "\n".join("".join(part for part, _ in line) for line in plan.lines)


def test_the_very_object_is_deleted_whatever_its_status_became() -> None:
    (step,) = planned((k.PODS, raw("web"))).steps
    request = step.request(raw("web", resourceVersion="9"))
    assert (request.method, request.path) == ("DELETE", "/api/v1/namespaces/shop/pods/web")
    assert request.body == {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": {"uid": "u-web"}}
    assert [step.holds(seen) for seen in (None, raw("web", deletionTimestamp="x"), raw("web"))] == [True, True, False]


def test_all_are_counted_and_the_first_named() -> None:
    plan = planned(*((k.PODS, raw(f"p{i:02}")) for i in range(14)))
    assert (plan.title, plan.button, plan.danger, plan.apart) == ("Delete 14 objects", "Delete 14 objects", Danger.DELETES, True)
    assert text(plan).splitlines()[-2:] == ["pod shop/p11", "and 2 more"]
    assert plan.undo is None
    assert plan.needs == (Need("delete", "pods", "shop"),) * 14
    assert planned((k.PODS, raw("web"))).button == "Delete web"


def test_what_goes_with_it_is_counted() -> None:
    stores = live()
    web = put(stores, k.DEPLOYMENTS, "web", uid="u-web")
    for i in range(2):
        rs = put(stores, k.REPLICASETS, f"web-{i}", owner=web)
        put(stores, k.PODS, f"web-{i}-a", owner=rs)
    assert text(planned((k.DEPLOYMENTS, raw("web")), stores=stores)).endswith("with them go 2 pods, 2 replicasets")
    assert "with them" not in text(planned((k.DEPLOYMENTS, raw("other")), stores=stores))


def test_what_brings_it_back_or_keeps_it_is_said() -> None:
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
    assert planned((k.PODS, raw("web", ownerReferences=[owner]))).warnings == ("replicaset web-1 owns web and will make another one",)
    assert planned((k.PODS, raw("web", ownerReferences=[{**owner, "controller": None}]))).warnings == ()
    assert planned((k.CLAIMS, raw("data", finalizers=["kubernetes.io/pvc-protection", "shop.io/backup"]))).warnings == (
        "data stays until shop.io/backup let it go",
    )
    assert planned((k.PODS, raw("web", deletionTimestamp="x"))).warnings == ("pod shop/web is being deleted already",)


def test_the_equivalent_command_where_there_is_one() -> None:
    both = (k.DEPLOYMENTS, raw("web")), (k.SERVICES, raw("web"))
    assert planned(*both).kubectl == "kubectl --context ctx -n shop delete deployments.apps/web services/web"
    mixed = deleting.delete(Intent("delete", (Ref(k.PODS, "a", "x"), Ref(k.PODS, "b", "x"))), [raw("x"), raw("x")], Scene(live(), NOW, "ctx"))
    assert mixed.kubectl == ""


def test_its_end_is_when_the_watch_has_seen_them_go() -> None:
    stores = live()
    for name in ("a", "b"):
        put(stores, k.PODS, name, uid=f"u-{name}")
    plan = planned((k.PODS, raw("a")), (k.PODS, raw("b")), stores=stores)
    assert plan.progress(stores, NOW) == Progress(False, "2 of 2 are terminating")
    stores.pods.drop("u-a")
    assert plan.progress(stores, NOW) == Progress(False, "pod shop/b is terminating")
    put(stores, k.PODS, "b", uid="u-new")  # another one of that name is not the one that was deleted
    assert plan.progress(stores, NOW) == Progress(True, "all 2 gone")
    assert planned((k.PODS, raw("a"))).progress(stores, NOW) == Progress(True, "gone")


@pytest.mark.parametrize("kind", deleting.DELETABLE, ids=lambda kind: kind.plural)
def test_any_kind_but_events(kind: Kind) -> None:
    assert kind is not k.EVENTS
    assert planned((kind, raw("x"))).steps[0].about.kind is kind
