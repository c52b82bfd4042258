"""Restart, pause, resume and undo: what is sent, what is refused, and how far back it goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW
from clusters import live
from kubepane.acting import revisions, rollouts
from kubepane.acting.plan import Intent, Plan, Scene, Unfit, settled
from kubepane.acting.revisions import Revision
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.writing import Raw, Ref
from rolling import daemonset, deployment, statefulset

WEB = Ref(k.DEPLOYMENTS, "shop", "web", "u-web")
DB = Ref(k.STATEFULSETS, "shop", "db", "u-db")


def template(image: str = "app:1", **labels: str) -> Raw:
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [{"name": "app", "image": image}]}}


def workload(name: str = "web", image: str = "app:1", revision: str = "3", **spec: Any) -> Raw:
    notes = {revisions.REVISION: revision} if revision else {}
    head = {"name": name, "uid": f"u-{name}", "resourceVersion": "7", "annotations": notes}
    return {"metadata": head, "spec": {"template": template(image), **spec}}


def planned(verb: str, *raws: Raw, targets: tuple[Ref, ...] = (WEB,), gathered: Any = None, **args: Any) -> Plan:
    plan = next(one for one in rollouts.VERBS if one.name == verb).plan
    return plan(Intent(verb, targets, args), raws or (workload(),), Scene(live(), NOW, "ctx", gathered))


def body(plan: Plan, raw: Raw | None = None, step: int = 0) -> Any:
    request = plan.steps[step].request(raw or workload())
    assert request.method == "PATCH"
    assert {"uid", "resourceVersion"} <= set(request.body["metadata"])
    return request.body


# ---- restart, pause, resume ----------------------------------------------------------------------------------------------------


def test_a_restart_marks_the_template_with_the_time_and_is_seen_by_that() -> None:
    plan = planned("restart")
    (step,) = plan.steps
    request = step.request(workload())
    assert request.content_type == "application/strategic-merge-patch+json"
    mark = request.body["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    assert mark.startswith(("2026-06-01T", "2026-05-31T", "2026-06-02T"))
    done = workload()
    done["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": mark}
    assert (step.holds(done), step.holds(workload()), step.holds(None)) == (True, False, False)
    assert step.premise(workload()) != step.premise(workload(image="app:2"))
    assert plan.undo is None
    assert plan.kubectl == "kubectl --context ctx -n shop rollout restart deployments.apps/web"


def test_several_are_one_plan() -> None:
    plan = planned("restart", workload(), workload("db"), targets=(WEB, DB))
    assert (plan.title, plan.button, plan.apart) == ("Restart 2 workloads", "Restart 2 workloads", True)
    assert plan.kubectl == "kubectl --context ctx -n shop rollout restart deployments.apps/web statefulsets.apps/db"
    far = Ref(k.STATEFULSETS, "test", "db", "u-db")
    assert planned("restart", workload(), workload("db"), targets=(WEB, far)).kubectl == ""


def test_what_is_paused_is_neither_restarted_nor_taken_back() -> None:
    for verb in ("restart", "undo"):
        with pytest.raises(Unfit, match="is paused"):
            planned(verb, workload(paused=True), gathered=[(Revision(1, "a", template("app:0")),)])


@pytest.mark.parametrize(("verb", "now", "sent", "undo"), [("pause", False, True, "resume"), ("resume", True, None, "pause")])
def test_pause_and_resume(verb: str, now: bool, sent: Any, undo: str) -> None:
    raw = workload(paused=now)
    plan = planned(verb, raw)
    assert body(plan, raw)["spec"] == {"paused": sent}
    assert plan.undo == Intent(undo, (WEB,))
    step = plan.steps[0]
    assert (step.holds(workload(paused=not now)), step.holds(raw), step.holds(None)) == (True, False, False)
    assert step.premise(raw) != step.premise(workload(paused=not now))
    assert (plan.progress is settled) == (verb == "pause")
    with pytest.raises(Unfit, match="already"):
        planned(verb, workload(paused=not now))


# ---- undo ----------------------------------------------------------------------------------------------------------------------


def kept(*numbers: int) -> tuple[Revision, ...]:
    return tuple(Revision(number, f"web-{number}", template(f"app:{number}"), None, f"cause {number}") for number in numbers)


def test_it_goes_back_to_the_one_before_or_to_the_one_that_is_asked_for() -> None:
    raw = workload(image="app:3")
    for wanted, number in ((0, 2), (1, 1)):
        plan = planned("undo", raw, gathered=[kept(3, 2, 1)], revision=wanted)
        assert plan.steps[0].says == f"back from revision 3 to {number} (cause {number})"
        sent = body(plan, raw)
        assert sent["spec"]["template"]["spec"]["containers"][0]["image"] == f"app:{number}"
        assert sent["metadata"]["annotations"] == {"kubernetes.io/change-cause": f"cause {number}"}
        assert plan.undo == Intent("undo", (WEB,), {"revision": 3})
    shown = ["".join(part for part, _ in line) for line in plan.lines]
    assert any(line.startswith("-") and "app:3" in line for line in shown)
    assert any(line.startswith("+") and "app:1" in line for line in shown)
    assert plan.kubectl.endswith("rollout undo deployments.apps/web --to-revision=1")


def test_what_the_template_had_and_the_old_one_has_not_goes() -> None:
    raw = workload(image="app:3")
    raw["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    raw["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "x"
    plan = planned("undo", raw, gathered=[kept(3, 2)])
    assert body(plan, raw)["spec"]["template"]["spec"]["nodeSelector"] is None
    assert plan.steps[0].holds(workload(image="app:2"))
    assert not plan.steps[0].holds(raw)
    assert not plan.steps[0].holds(None)


@pytest.mark.parametrize(
    ("held", "wanted", "said"),
    [
        ((3, 2), 7, "there is no revision 7; kept: 3, 2"),
        ((3,), 0, "there is no revision before this one; kept: 3"),
        ((), 0, "there is no revision before this one; kept: none"),
        ((3, 2), 3, "is at revision 3 already"),
    ],
)
def test_where_it_cannot_go_is_said(held: tuple[int, ...], wanted: int, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        planned("undo", workload(image="app:3"), gathered=[kept(*held)], revision=wanted)


def test_a_template_that_is_the_same_is_no_change() -> None:
    with pytest.raises(Unfit, match="the template of revision 2 is the present one"):
        planned("undo", workload(image="app:2"), gathered=[kept(3, 2)])


def test_a_controllerrevision_is_sent_back_as_it_was_kept() -> None:
    data = {"spec": {"template": {"$patch": "replace", **template("db:1")}}}
    old = Revision(1, "db-1", template("db:1"), data)
    raw = workload("db", image="db:2", revision="")
    plan = planned("undo", raw, targets=(DB,), gathered=[(Revision(2, "db-2", template("db:2"), {}), old)])
    request = plan.steps[0].request(raw)
    assert request.content_type == "application/strategic-merge-patch+json"
    assert request.body == {"metadata": {"uid": "u-db", "resourceVersion": "7"}, **data}
    assert plan.steps[0].says == "back from revision 2 to 1"


# ---- the revisions themselves --------------------------------------------------------------------------------------------------


def owned(name: str, uid: str, **more: Any) -> Raw:
    notes = more.pop("annotations", {})
    owner = {"uid": uid, "controller": more.pop("controller", True)}
    return {"metadata": {"name": name, "annotations": notes, "ownerReferences": [owner]}, **more}


async def listed(items: list[Raw], kind: Kind = k.DEPLOYMENTS, raw: Raw | None = None) -> tuple[tuple[Revision, ...], list[str]]:
    asked: list[str] = []

    async def read(path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        asked.append(path)
        return json.dumps({"items": items}).encode()

    ref = Ref(kind, "shop", "web", "u-web")
    return await revisions.revisions(read, ref, raw or workload()), asked


async def test_replicasets_of_a_deployment_newest_first_without_the_hash() -> None:
    items = [
        owned("web-1", "u-web", annotations={revisions.REVISION: "1"}, spec={"template": template("app:1", **{"pod-template-hash": "a"})}),
        owned("web-10", "u-web", annotations={revisions.REVISION: "10", revisions.CAUSE: "why"}, spec={"template": template("app:10")}),
        owned("web-9", "u-web", annotations={revisions.REVISION: "9"}, spec={"template": template("app:9")}),
        owned("strange", "u-web", spec={"template": template()}),
        owned("other", "u-other", annotations={revisions.REVISION: "4"}, spec={"template": template()}),
        owned("loose", "u-web", annotations={revisions.REVISION: "5"}, controller=False, spec={"template": template()}),
    ]
    found, asked = await listed(items)
    assert asked == ["/apis/apps/v1/namespaces/shop/replicasets"]
    assert [(one.number, one.images, one.cause) for one in found] == [(10, ["app:10"], "why"), (9, ["app:9"], ""), (1, ["app:1"], "")]
    assert found[-1].template["metadata"]["labels"] == {"app": "web"}
    assert revisions.current(WEB, workload(revision="9"), found) == 9
    assert revisions.current(WEB, workload(revision=""), found) == 0


async def test_controllerrevisions_of_the_others() -> None:
    items = [owned(f"db-{i}", "u-web", revision=i, data={"spec": {"template": {"$patch": "replace", **template(f"db:{i}")}}}) for i in (1, 2)]
    found, asked = await listed(items, k.STATEFULSETS)
    assert asked == ["/apis/apps/v1/namespaces/shop/controllerrevisions"]
    assert [(one.number, one.images, "$patch" in one.template) for one in found] == [(2, ["db:2"], False), (1, ["db:1"], False)]
    assert revisions.current(DB, workload(), found) == 2
    assert revisions.current(DB, workload(), ()) == 0


# ---- their end -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind", "name", "running", "over"),
    [
        (deployment, k.DEPLOYMENTS, "chatapp", {"old": "rr", "new": "r"}, {"old": "", "new": "rrrr", "reason": "NewReplicaSetAvailable"}),
        (statefulset, k.STATEFULSETS, "db", {}, {"old": "", "new": "rrr"}),
        (daemonset, k.DAEMONSETS, "agent", {}, {"old": "", "new": "rrr"}),
    ],
)
def test_it_ends_with_the_rollout(make: Any, kind: Kind, name: str, running: Any, over: Any) -> None:
    ref = Ref(kind, "shop", name)
    for shape, done in ((running, False), (over, True)):
        stores = live()
        make(stores, **shape)
        progress = planned("restart", targets=(ref,)).progress(stores, NOW)
        assert (progress.done, progress.failed) == (done, False), progress
    gone = planned("restart", targets=(ref,)).progress(live(), NOW)
    assert (gone.done, gone.failed) == (True, True)
