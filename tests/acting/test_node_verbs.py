"""Taints and cordons: the whole list with the node's revision, nobody's taint lost, and the words before it."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, pod, put
from clusters import live
from kubepane.acting import nodes
from kubepane.acting.plan import Danger, Intent, Malformed, Plan, Scene, Unfit
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref

MINE = {"key": "dedicated", "value": "chat", "effect": "NoSchedule"}
OTHER = {"key": "gpu", "effect": "NoSchedule"}


def node(name: str = "worker-1", *taints: Any, **spec: Any) -> Raw:
    held = {"taints": list(taints)} if taints else {}
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}, "spec": {**held, **spec}}


def ref(name: str = "worker-1") -> Ref:
    return Ref(k.NODES, "", name, f"uid-{name}")


def planned(verb: str, *raws: Raw, stores: Stores | None = None, **args: Any) -> Plan:
    plan = next(one for one in nodes.VERBS if one.name == verb).plan
    held = raws or (node(),)
    targets = tuple(ref(one["metadata"]["name"]) for one in held)
    return plan(Intent(verb, targets, args), held, Scene(stores or live(), NOW, "ctx"))


def sent(plan: Plan, raw: Raw, step: int = 0) -> Any:
    request = plan.steps[step].request(raw)
    assert (request.method, request.content_type) == ("PATCH", "application/strategic-merge-patch+json")
    assert request.body["metadata"] == {"uid": raw["metadata"]["uid"], "resourceVersion": raw["metadata"]["resourceVersion"]}
    return request.body["spec"]


# ---- words ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("dedicated=chat:NoSchedule", ("dedicated", "chat", "NoSchedule")),
        ("dedicated:NoExecute", ("dedicated", "", "NoExecute")),
        ("dedicated=:PreferNoSchedule", ("dedicated", "", "PreferNoSchedule")),
        ("example.com/a_b.c-d=x:NoSchedule", ("example.com/a_b.c-d", "x", "NoSchedule")),
        ("a" * 63 + ":NoSchedule", ("a" * 63, "", "NoSchedule")),
    ],
)
def test_taints_are_read(text: str, parts: tuple[str, str, str]) -> None:
    taint = nodes.parse(text)
    assert (taint.key, taint.value, taint.effect) == parts


@pytest.mark.parametrize(
    "text",
    ["", "a", "a=b", ":NoSchedule", "a:", "a:noschedule", "a:Never", "-a:NoSchedule", "a-:NoSchedule", "a b:NoSchedule", "a=b c:NoSchedule", "a=b=c:NoSchedule",
     "/a:NoSchedule", "a/b/c:NoSchedule", "Up/a:NoSchedule", "a" * 64 + ":NoSchedule", "a=" + "v" * 64 + ":NoSchedule", "a\n:NoSchedule", "ä:NoSchedule"],
)  # fmt: skip
def test_what_is_no_taint_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        nodes.parse(text)


# ---- taint ---------------------------------------------------------------------------------------------------------------------


def test_a_taint_is_added_to_those_that_are_there_now() -> None:
    plan = planned("taint", node("worker-1", OTHER), taint="dedicated=chat:NoSchedule")
    assert plan.steps[0].says == "+ dedicated=chat:NoSchedule"
    assert sent(plan, node("worker-1", OTHER)) == {"taints": [OTHER, MINE]}
    assert sent(plan, node("worker-1")) == {"taints": [MINE]}  # somebody took the other one off meanwhile


def test_one_of_the_same_key_and_effect_is_replaced() -> None:
    old = {**MINE, "value": "old"}
    also = {**MINE, "effect": "NoExecute"}
    plan = planned("taint", node("worker-1", old, also), taint="dedicated=chat:NoSchedule")
    assert plan.steps[0].says == "− dedicated=old:NoSchedule, + dedicated=chat:NoSchedule"
    assert sent(plan, node("worker-1", old, also)) == {"taints": [also, MINE]}


def test_a_taint_that_is_there_already_changes_nothing() -> None:
    held = {**MINE, "timeAdded": "2026-06-01T11:00:00Z"}
    plan = planned("taint", node("worker-1", held), taint="dedicated=chat:NoSchedule")
    assert plan.steps[0].says == "nothing changes"
    assert plan.steps[0].holds(node("worker-1", held))
    assert sent(plan, node("worker-1", held)) == {"taints": [held]}


def test_undo_takes_off_just_that_taint() -> None:
    plan = planned("taint", node("a"), node("b"), taint="dedicated=chat:NoSchedule")
    assert plan.undo == Intent("untaint", (ref("a"), ref("b")), {"key": "dedicated", "effect": "NoSchedule"})
    assert plan.title == "Taint 2 nodes dedicated=chat:NoSchedule"
    assert plan.kubectl == "kubectl --context ctx taint nodes a b dedicated=chat:NoSchedule --overwrite"


def text(plan: Plan) -> str:
    return "\n".join("".join(part for part, _ in line).rstrip() for line in plan.lines)


def test_pods_that_would_be_deleted_are_counted_on_the_button() -> None:
    stores = live()
    for i in range(8):
        pod(stores, f"web-{i}")
    waits = {"key": "dedicated", "operator": "Exists", "tolerationSeconds": 30}
    pod(stores, "slow", spec={"nodeName": "worker-1", "tolerations": [waits]})
    pod(stores, "far", spec={"nodeName": "worker-2"})
    plan = planned("taint", stores=stores, taint="dedicated=chat:NoExecute")
    assert (plan.button, plan.danger) == ("Taint node worker-1, evict 9", Danger.EVICTS)
    assert "8 pods would be deleted at once" in text(plan)
    assert "  and 2 more" in text(plan)
    assert "1 pod would be deleted after 30 s or more" in text(plan)
    assert "far" not in text(plan)


def test_pods_that_stay_but_would_not_come_back_are_said() -> None:
    stores = live()
    pod(stores, "web")
    plan = planned("taint", stores=stores, taint="dedicated=chat:NoSchedule")
    assert plan.danger is Danger.CHANGES
    assert "1 pod would stay, but not be put there again\n  shop/web" in text(plan)


@pytest.mark.parametrize(
    "fresh", [Freshness(State.FORBIDDEN), Freshness(State.SYNCING), Freshness(State.LIVE, only=("shop",)), Freshness(State.LIVE, others=True)]
)
def test_pods_that_are_not_all_known_are_said_to_be_so(fresh: Freshness) -> None:
    stores = live()
    stores.pods.set_freshness(fresh)
    for plan in (
        planned("taint", stores=stores, taint="a:NoExecute"),
        planned("untaint", node("worker-1", OTHER), stores=stores, key="gpu"),
        planned("uncordon", node("worker-1", unschedulable=True), stores=stores),
    ):
        assert any("not known in full" in warning for warning in plan.warnings)
    assert planned("taint", taint="a:NoExecute").warnings == ()


# ---- untaint -------------------------------------------------------------------------------------------------------------------


def test_all_taints_of_a_key_go_or_those_of_one_effect() -> None:
    both = (MINE, {**MINE, "effect": "NoExecute"}, OTHER)
    whole = planned("untaint", node("worker-1", *both), key="dedicated")
    assert sent(whole, node("worker-1", *both)) == {"taints": [OTHER]}
    assert whole.undo is None  # two different ones went
    one = planned("untaint", node("worker-1", *both), key="dedicated", effect="NoExecute")
    assert sent(one, node("worker-1", *both)) == {"taints": [MINE, OTHER]}
    assert one.undo == Intent("taint", (ref(),), {"taint": "dedicated=chat:NoExecute"})
    assert one.kubectl == "kubectl --context ctx taint nodes worker-1 dedicated:NoExecute-"


def test_the_last_taint_leaves_no_empty_list() -> None:
    assert sent(planned("untaint", node("worker-1", MINE), key="dedicated"), node("worker-1", MINE)) == {"taints": None}


def test_nodes_without_it_are_left_out_and_none_at_all_is_unfit() -> None:
    plan = planned("untaint", node("a", MINE), node("b"), key="dedicated")
    assert [step.about.name for step in plan.steps] == ["a"]
    assert plan.undo == Intent("taint", (ref("a"),), {"taint": "dedicated=chat:NoSchedule"})
    assert (plan.kubectl, plan.touched) == ("kubectl --context ctx taint nodes a dedicated-", ("uid-a",))
    with pytest.raises(Unfit, match="no taint dedicated:NoExecute on a, b"):
        planned("untaint", node("a", MINE), node("b"), key="dedicated", effect="NoExecute")


def test_a_taint_of_kubernetes_itself_is_said_to_come_back() -> None:
    own = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    plan = planned("untaint", node("worker-1", own), key="node.kubernetes.io/unreachable")
    assert plan.warnings == ("Kubernetes itself set node.kubernetes.io/unreachable:NoExecute and may set it again",)


# ---- cordon --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "now", "spec", "undo"), [("cordon", {}, True, "uncordon"), ("uncordon", {"unschedulable": True}, None, "cordon")])
def test_cordon_and_uncordon(verb: str, now: dict[str, Any], spec: Any, undo: str) -> None:
    raw = node("worker-1", **now)
    plan = planned(verb, raw)
    assert sent(plan, raw) == {"unschedulable": spec}
    assert plan.undo == Intent(undo, (ref(),))
    assert plan.kubectl == f"kubectl --context ctx {verb} worker-1"
    step = plan.steps[0]
    other = node("worker-1", **({} if now else {"unschedulable": True}))
    assert (step.holds(raw), step.holds(other), step.holds(None)) == (False, True, False)
    assert step.premise(raw) != step.premise(other)


def test_those_that_are_so_already_are_left_out() -> None:
    plan = planned("cordon", node("a"), node("b", unschedulable=True))
    assert [step.about.name for step in plan.steps] == ["a"]
    assert plan.undo == Intent("uncordon", (ref("a"),))
    with pytest.raises(Unfit, match="a: cordoned already"):
        planned("cordon", node("a", unschedulable=True))
    with pytest.raises(Unfit, match="a: not cordoned already"):
        planned("uncordon", node("a"))


def test_pods_that_would_fit_after_an_uncordon_are_named() -> None:
    stores = live()
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    put(stores, k.NODES, "worker-1", spec={"unschedulable": True}, status={"allocatable": allocatable})
    pod(stores, "waits", spec={}, status={"phase": "Pending"})
    plan = planned("uncordon", node("worker-1", unschedulable=True), stores=stores)
    assert "1 pod now waiting would fit then\n  shop/waits" in text(plan)


def test_absent_parts_make_no_trouble() -> None:
    bare: Raw = {"metadata": {"name": "worker-1", "uid": "uid-worker-1"}}
    assert sent_bare(planned("cordon", bare), bare) == {"unschedulable": True}
    assert sent_bare(planned("taint", {**bare, "spec": None}, taint="a:NoSchedule"), bare) == {"taints": [{"key": "a", "effect": "NoSchedule"}]}
    assert nodes.taints_of(None) == nodes.taints_of({"spec": {"taints": None}}) == []
    assert nodes.text_of({"key": "a", "effect": "NoSchedule", "value": ""}) == "a:NoSchedule"
    assert r.Taint("a", "", "NoSchedule") == nodes.parse("a:NoSchedule")


def sent_bare(plan: Plan, raw: Raw) -> Any:
    return plan.steps[0].request(raw).body["spec"]
