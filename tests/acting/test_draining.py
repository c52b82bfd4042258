"""The plan of a drain: what it shows, what it refuses, what it would send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from builders import NOW, meta
from kubepane.acting import draining
from kubepane.acting.draining import Found, drain
from kubepane.acting.plan import Danger, Intent, Need, Plan, Scene, Unfit
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, TooManyRequests, Unreachable
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Rehearsal


def pod(name: str, owner: str = "ReplicaSet", space: str = "shop", **more: Any) -> dict[str, Any]:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "it", "uid": "o", "controller": True}] if owner else []
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": meta(name, space, uid=f"uid-{name}", ownerReferences=owners, labels={"app": "web"}), "status": status, **more}


def pods(*given: dict[str, Any]) -> tuple[r.Pod, ...]:
    return tuple(msgspec.convert(one, r.Pod) for one in given)


def node(name: str = "n1", **spec: Any) -> Raw:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}, "spec": spec}


def budget(name: str, allowed: int) -> r.Budget:
    status = {"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2}
    return msgspec.convert({"metadata": meta(name), "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": status}, r.Budget)


def plan(*given: dict[str, Any], of: Raw | None = None, budgets: tuple[r.Budget, ...] | None = (), **args: Any) -> Plan:
    found = Found((pods(*given),), budgets)
    return drain(Intent("drain", (Ref(k.NODES, "", "n1", "uid-n1"),), args), [of or node()], Scene(Stores(), NOW, "ctx", found))


def text(made: Plan) -> str:
    return "\n".join("".join(part for part, _ in line) for line in made.lines)


def test_what_goes_and_what_stays_is_counted_and_named() -> None:
    made = plan(pod("web-1"), pod("web-2"), pod("agent", "DaemonSet"), pod("static", "Node", space="kube-system"))
    assert made.title == "Drain node n1"
    assert made.button == "Drain node n1, evict 3"  # a pod of a Node without the mark of a mirror pod is like any other
    assert text(made).startswith("n1   takes no new pods\n\n3 pods would be evicted\n  kube-system/static\n  shop/web-1\n  shop/web-2\n")
    assert "1 stays: agent\n  a DaemonSet would make them anew here" in text(made)
    assert (made.danger, made.warnings) == (Danger.EVICTS, ())


def test_the_cordon_comes_first_then_each_pod_by_its_uid() -> None:
    made = plan(pod("web-1"), pod("web-2"), grace=5)
    first, *evictions = [step.request(step.raw or {}) for step in made.steps]
    assert (first.method, first.path) == ("PATCH", "/api/v1/nodes/n1")
    assert first.body == {"metadata": {"uid": "uid-n1", "resourceVersion": "7"}, "spec": {"unschedulable": True}}
    assert [one.path for one in evictions] == [f"/api/v1/namespaces/shop/pods/web-{i}/eviction" for i in (1, 2)]
    assert evictions[0].body == {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-1", "namespace": "shop"},
        "deleteOptions": {"preconditions": {"uid": "uid-web-1"}, "gracePeriodSeconds": 5},
    }  # fmt: skip
    assert "gracePeriodSeconds" not in plan(pod("web-1")).steps[1].request({}).body["deleteOptions"]


def test_a_cordoned_node_is_not_cordoned_again_and_stays_so() -> None:
    made = plan(pod("web-1"), of=node(unschedulable=True))
    assert [step.about.name for step in made.steps] == ["web-1"]
    assert "n1   is cordoned already" in text(made)
    assert made.undo is None
    fresh = plan(pod("web-1"))
    assert fresh.undo == Intent("uncordon", (Ref(k.NODES, "", "n1", "uid-n1"),))


def test_nothing_is_drained_while_a_pod_may_not_go() -> None:
    data, alone = pod("cache", spec={"volumes": [{"name": "x", "emptyDir": {}}]}), pod("alone", "")
    with pytest.raises(Unfit) as refusal:
        plan(pod("web"), data, alone)
    assert str(refusal.value) == (
        "nothing was done: data in an emptyDir would be lost: shop/cache (--delete-emptydir-data lets it go); "
        "nothing would make them anew: shop/alone (--force lets it go)"
    )
    with pytest.raises(Unfit, match="--force lets it go"):
        plan(data, alone, data=True)
    made = plan(data, alone, data=True, force=True)
    assert made.danger is Danger.DELETES
    assert made.warnings == ("data in an emptyDir would be lost: shop/cache", "nothing would make them anew: shop/alone")


def test_a_pod_that_wants_two_options_names_both() -> None:
    both = pod("both", "", spec={"volumes": [{"name": "x", "emptyDir": {}}]})
    with pytest.raises(Unfit, match=r"shop/both \(--delete-emptydir-data lets it go\); .*shop/both \(--force lets it go\)"):
        plan(both)
    with pytest.raises(Unfit) as refusal:
        plan(both, data=True)
    assert "emptyDir" not in str(refusal.value)
    made = plan(both, data=True, force=True)
    assert made.warnings == ("data in an emptyDir would be lost: shop/both", "nothing would make them anew: shop/both")


def test_what_holds_pods_back_is_said_with_its_numbers() -> None:
    assert "PDB web lets none go now: web-1\n  2 healthy of 2 needed; the others wait for it" in text(plan(pod("web-1"), budgets=(budget("web", 0),)))
    assert "PDB web lets 1 of 2 go now: web-1, web-2" in text(plan(pod("web-1"), pod("web-2"), budgets=(budget("web", 1),)))
    assert "PDB" not in text(plan(pod("web-1"), budgets=(budget("web", 1),)))
    both = text(plan(pod("web-1"), budgets=(budget("a", 1), budget("b", 1))))
    assert "PDBs a and b both protect web-1\n  the server evicts no pod that two budgets protect" in both
    assert plan(pod("web-1"), budgets=None).warnings == ("which PodDisruptionBudgets hold pods back is not known: they may not be listed",)


def test_one_eviction_of_each_namespace_is_tried_out() -> None:
    made = plan(pod("a"), pod("b"), pod("c", space="test"))
    assert [step.about.name for step in made.steps if step.rehearsable] == ["n1", "a", "c"]


def test_a_used_up_budget_is_no_refusal_but_anything_else_is() -> None:
    made = plan(pod("a"), pod("c", space="test"))
    held, forbidden = TooManyRequests(429, "TooManyRequests", "held"), Forbidden(403, "Forbidden", "no")
    assert made.review(made, [Rehearsal(made.steps[0]), Rehearsal(made.steps[1], error=held)]).refusals == ()
    assert made.review(made, [Rehearsal(made.steps[1], error=forbidden)]).refusals == ((made.steps[1].about, forbidden),)


def test_rights_and_the_equivalent_command() -> None:
    made = plan(pod("a"), pod("b"), pod("c", space="test"), data=True, force=True, grace=0)
    evict = [Need("create", "pods", space, "eviction") for space in ("shop", "test")]
    assert made.needs == (Need("patch", "nodes"), *evict)
    assert made.kubectl == "kubectl --context ctx drain n1 --ignore-daemonsets --delete-emptydir-data --force --grace-period=0"


def test_several_nodes_are_one_plan_cordons_first() -> None:
    targets = tuple(Ref(k.NODES, "", name, f"uid-{name}") for name in ("n1", "n2"))
    found = Found((pods(pod("a")), pods(pod("b"))), ())
    made = drain(Intent("drain", targets), [node("n1"), node("n2")], Scene(Stores(), NOW, "", found))
    assert (made.title, made.button) == ("Drain 2 nodes", "Drain 2 nodes, evict 2")
    assert [step.about.name for step in made.steps] == ["n1", "n2", "a", "b"]


# ---- what is read before -------------------------------------------------------------------------------------------------------


class Server:
    """Answers GETs; an error stands for itself, what is not there is 404."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"pods": [], "poddisruptionbudgets": [], **answers}
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        self.asked.append((path, dict(query or {})))
        answer = self.answers.get(path.rpartition("/")[2], NotFound(404, "NotFound", "not found"))
        if isinstance(answer, ClusterError):
            raise answer
        return json.dumps({"items": answer} if isinstance(answer, list) else answer).encode()


async def gathered(server: Server) -> Found:
    return await draining.gather(server, Intent("drain", (Ref(k.NODES, "", "n1"),)), [node()])


async def test_the_pods_of_the_node_are_read_in_all_namespaces() -> None:
    server = Server(pods=[pod("a"), pod("b", space="test")])
    found = await gathered(server)
    assert [one.metadata.name for one in found.pods[0]] == ["a", "b"]
    assert server.asked[0] == ("/api/v1/pods", {"fieldSelector": "spec.nodeName=n1"})


async def test_a_daemonset_that_is_not_there_is_known_to_be_gone() -> None:
    owned = [pod("a", "DaemonSet"), pod("b", "DaemonSet")]
    assert (await gathered(Server(pods=owned))).gone == {("shop", "it")}
    assert (await gathered(Server(pods=owned, it={}))).gone == frozenset()
    assert (await gathered(Server(pods=owned, it=Forbidden(403)))).gone == frozenset()
    server = Server(pods=owned)
    await gathered(server)
    assert [path for path, _ in server.asked].count("/apis/apps/v1/namespaces/shop/daemonsets/it") == 1


async def test_budgets_that_may_not_be_read_are_not_taken_for_none() -> None:
    assert (await gathered(Server(poddisruptionbudgets=Forbidden(403)))).budgets is None
    assert (await gathered(Server())).budgets == ()


@pytest.mark.parametrize("error", [Forbidden(403, "Forbidden", "no"), Unreachable("cut")])
async def test_without_the_pods_there_is_no_plan(error: ClusterError) -> None:
    with pytest.raises(type(error)):
        await gathered(Server(pods=error))
