"""The pure part of applying and deleting: diffs, conflicts, whether it happened, what is sent in which order, and how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW, make, put
from clusters import live
from kubepane.acting import applied, applying, arriving, discovery, hazards, removing
from kubepane.acting.applied import Held
from kubepane.acting.plan import Danger, Intent, Malformed, Plan, Progress, Scene, Unfit
from kubepane.acting.sources import Source, bundled
from kubepane.acting.verbs import VERBS
from kubepane.cluster import kinds as k
from kubepane.cluster.errors import Cause, Conflict, Forbidden, NotFound, NotServed, ServerFault
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Rehearsal
from rolling import deployment

MAP: Raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "x"}}
SPACE: Raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
CLAIM: Raw = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "new"}, "spec": {}}
ONE = Ref(k.CONFIGMAPS, "shop", "one")


def raw(body: Raw, uid: str = "u1", revision: str = "5", **more: Any) -> Raw:
    return {**body, "metadata": {**body["metadata"], "uid": uid, "resourceVersion": revision, **more}}


class Server:
    """What GETs paths: objects by path, anything else is not there."""

    def __init__(self, objects: Mapping[str, Any]) -> None:
        self.objects, self.asked = objects, list[str]()

    async def read(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        self.asked.append(path)
        found = self.objects.get(path, NotFound(404, "NotFound", f"{path} not found"))
        if isinstance(found, Exception):
            raise found
        return json.dumps(found).encode()


def intent(*objects: Raw, taken: Mapping[Ref, tuple[Held, ...]] | None = None) -> Intent:
    return applying.intent(Source("some", objects, ("a note",), ("-f", "some.yaml")), "shop", taken)


async def planned(asked: Intent, objects: Mapping[str, Any] | None = None, stores: Stores | None = None) -> Plan:
    verb = VERBS[asked.verb]
    assert verb.gather is not None
    found = await verb.gather(Server(objects or {}).read, asked, [])
    return verb.plan(asked, [], Scene(stores or live(), NOW, "test", found))


def text(plan: Plan) -> list[str]:
    return ["".join(part for part, _ in line).rstrip() for line in plan.lines]


# ---- before and after ----------------------------------------------------------------------------------------------------------


def words(lines: Any) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def test_what_only_the_server_writes_is_no_difference() -> None:
    noise: dict[str, Any] = {"managedFields": [{"manager": "x"}], "generation": 3, "creationTimestamp": "now", "selfLink": "/x"}
    after = raw(MAP, revision="6", annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"}, **noise)
    assert applied.diff(raw(MAP), {**after, "status": {"phase": "x"}}) == []
    assert words(applied.diff(raw(MAP), raw({**MAP, "data": {"a": "y"}})))[-4:-2] == ["-  a: x", "+  a: y"]
    assert "+    mine: 'yes'" in words(applied.diff(raw(MAP), raw(MAP, annotations={"mine": "yes"})))


@pytest.mark.parametrize("part", ["data", "stringData"])
def test_values_of_a_secret_only_say_whether_they_differ(part: str) -> None:
    before = {"kind": "Secret", "metadata": {"name": "s"}, part: {"same": "c2FtZQ==", "word": "b2xk", "gone": "Z29uZQ=="}}
    after = {"kind": "Secret", "metadata": {"name": "s"}, part: {"same": "c2FtZQ==", "word": "bmV3", "more": "bW9yZQ=="}}
    told = words(applied.diff(before, after))
    assert [line for line in told if line[:1] in "+-"] == [
        "-  word: •••••• (before)", "-  gone: ••••••", "+  word: •••••• (after)", "+  more: ••••••",
    ]  # fmt: skip
    for value in ("c2FtZQ==", "b2xk", "bmV3", "Z29uZQ==", "bW9yZQ=="):
        assert value not in "\n".join(told)


@pytest.mark.parametrize(
    ("message", "manager"),
    [
        ('conflict with "kubectl" using apps/v1', "kubectl"),
        ('conflict with "unknown" with subresource "scale" using apps/v1', "unknown (scale)"),
        ("something of another server", "something of another server"),
    ],
)
def test_a_conflict_names_field_and_manager(message: str, manager: str) -> None:
    error = Conflict(409, "Conflict", "Apply failed", causes=(Cause("FieldManagerConflict", message, ".spec.replicas"), Cause("Other", "x", "y")))
    assert applied.conflicts(error) == (Held(".spec.replicas", manager),)


def test_other_errors_are_no_conflicts_of_fields() -> None:
    assert applied.conflicts(None) == applied.conflicts(Conflict(409, "Conflict", "modified")) == applied.conflicts(Forbidden(403)) == ()


@pytest.mark.parametrize(
    ("present", "wanted", "holds"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 2}}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"cpu": "1"}, {"cpu": "1000m"}, True),
        ({"cpu": "1"}, {"cpu": "1001m"}, False),
        ({"cpu": "1"}, {"cpu": 1}, True),
        ({"list": [{"n": "b"}, {"n": "a", "default": 1}]}, {"list": [{"n": "a"}, {"n": "b"}]}, True),
        ({"list": [{"n": "a"}]}, {"list": [{"n": "a"}, {"n": "b"}]}, False),
        ({"list": None}, {"list": []}, False),
        ({}, {"nothing": None}, True),
        (None, {"a": 1}, False),
        ({"a": "x"}, {"a": {"b": 1}}, False),
        ({"on": True}, {"on": True}, True),
        ({"on": True}, {"on": "true"}, False),
    ],
)
def test_an_object_covers_what_was_applied(present: Any, wanted: Any, holds: bool) -> None:
    assert applied.covers(present, wanted) is holds


def ours(fields: Any, manager: str = "kubepane", operation: str = "Apply", **more: Any) -> dict[str, Any]:
    return {
        "managedFields": [{"manager": "kubectl", "operation": "Update"}, {"manager": manager, "operation": operation, "fieldsV1": fields, **more}]
    }


@pytest.mark.parametrize(
    ("now", "rehearsed", "holds"),
    [
        (None, None, False),
        (raw(MAP), None, False),  # it is so, but not by us
        (raw(MAP, **ours({"f:data": {}})), None, True),
        (raw(MAP, **ours({}, manager="other")), None, False),
        (raw(MAP, **ours({}, operation="Update")), None, False),
        (raw(MAP, **ours({}, subresource="scale")), None, False),
        (raw({**MAP, "data": {"a": "y"}}, **ours({})), None, False),
        (raw(MAP, **ours({"f:data": {"f:b": {}}})), raw(MAP, **ours({"f:data": {}})), False),  # what we left out is still ours: not yet sent
        (raw(MAP, **ours({"f:data": {}})), raw(MAP, **ours({"f:data": {}})), True),
    ],
)
def test_whether_a_lost_answer_was_a_yes(now: Raw | None, rehearsed: Raw | None, holds: bool) -> None:
    assert applied.holds(now, MAP, rehearsed) is holds


def test_texts_of_a_secret_come_back_as_data() -> None:
    body = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"word": "hidden"}}
    stored = {"kind": "Secret", "metadata": {"name": "s", **ours({})}, "data": {"word": "aGlkZGVu"}}
    assert applied.holds(stored, body, None)
    assert not applied.holds({**stored, "data": {"word": "b3RoZXI="}}, body, None)


# ---- planning ------------------------------------------------------------------------------------------------------------------


async def test_each_object_is_sent_as_it_was_shown_and_only_then() -> None:
    plan = await planned(intent(MAP, CLAIM), {"/api/v1/namespaces/shop/configmaps/one": raw(MAP)})
    change, create = (step.request(step.raw or {}) for step in plan.steps)
    assert (change.method, change.path, change.content_type) == ("PATCH", "/api/v1/namespaces/shop/configmaps/one", "application/apply-patch+yaml")
    assert change.query == {"fieldManager": "kubepane", "force": "false", "fieldValidation": "Strict"}
    assert change.body == {**MAP, "metadata": {"name": "one", "namespace": "shop", "uid": "u1", "resourceVersion": "5"}}
    assert create.body["metadata"] == {"name": "data", "namespace": "new", "resourceVersion": "1"}
    assert plan.kubectl == "kubectl --context test apply --server-side --field-manager kubepane -f some.yaml"
    assert plan.warnings == ("a note",)
    assert {(need.verb, need.resource, need.namespace) for need in plan.needs} == {
        ("patch", "configmaps", "shop"), ("create", "persistentvolumeclaims", "new"), ("patch", "persistentvolumeclaims", "new"),
    }  # fmt: skip


async def test_what_is_in_a_new_namespace_is_neither_read_nor_rehearsed() -> None:
    server = Server({})
    found = await applying.gather(server.read, intent(SPACE, CLAIM, MAP), [])
    assert found.fresh == {"new"}
    assert server.asked == ["/api/v1/namespaces/new", "/api/v1/namespaces/shop/configmaps/one"]
    plan = await planned(intent(SPACE, CLAIM, MAP))
    assert [step.rehearsable for step in plan.steps] == [True, False, True]
    assert [step.rehearsable for step in (await planned(intent(SPACE, CLAIM), {"/api/v1/namespaces/new": raw(SPACE)})).steps] == [True, True]


async def test_the_dry_run_leaves_only_what_changes() -> None:
    other = {**MAP, "metadata": {"name": "two"}}
    there = {f"/api/v1/namespaces/shop/configmaps/{one['metadata']['name']}": raw(one) for one in (MAP, other)}
    before = await planned(intent(SPACE, MAP, other), there)
    results = (None, raw(MAP, revision="6"), raw({**other, "data": {"a": "y"}}))
    plan = before.review(before, [Rehearsal(step, result, warnings=("old API",)) for step, result in zip(before.steps, results, strict=True)])
    assert [step.about.name for step in plan.steps] == ["new", "two"]
    assert plan.button == "Apply 2 objects"
    told = text(plan)
    assert told[:4] == ["1 to create   1 to change   1 as they are", "", "+ namespace new   create", "~ configmap shop/two   change"]
    assert told[-1] == "= configmap shop/one   same"
    assert "    +  a: y" in text(plan)
    assert "configmap shop/one: old API" in plan.warnings
    assert [step.request(step.raw or {}) for step in plan.steps] == [step.request(step.raw or {}) for step in (before.steps[0], before.steps[2])]


async def test_nothing_to_change_has_no_steps() -> None:
    before = await planned(intent(MAP), {"/api/v1/namespaces/shop/configmaps/one": raw(MAP)})
    plan = before.review(before, [Rehearsal(before.steps[0], raw(MAP, revision="6"))])
    assert plan.steps == ()
    assert text(plan)[0] == "nothing to change: all 1 object are so already"


CLASH = Conflict(409, "Conflict", "Apply failed", causes=(Cause("FieldManagerConflict", 'conflict with "hpa" using v1', ".data.a"),))


async def test_fields_of_others_are_taken_only_from_the_objects_that_were_shown() -> None:
    other = {**MAP, "metadata": {"name": "two"}}
    there = {f"/api/v1/namespaces/shop/configmaps/{one['metadata']['name']}": raw(one) for one in (MAP, other)}
    before = await planned(intent(MAP, other), there)
    plan = before.review(before, [Rehearsal(before.steps[0], error=CLASH), Rehearsal(before.steps[1], raw({**other, "data": {"a": "y"}}))])
    assert plan.refusals
    assert text(plan)[2:5] == ["✕ configmap shop/one   1 field of others in the way", "    .data.a  hpa", "~ configmap shop/two   change"]
    assert plan.instead is not None
    assert plan.instead[0] == "Take over 1 field"
    again = await planned(plan.instead[1], there)
    assert [step.request(step.raw or {}).query["force"] for step in again.steps] == ["true", "false"]
    assert again.danger is Danger.EVICTS
    assert "--force-conflicts" in again.kubectl
    shown = again.review(again, [Rehearsal(again.steps[0], raw(MAP)), Rehearsal(again.steps[1], raw(other))])
    assert "    takes .data.a from hpa" in text(shown)
    assert [(step.about.name, step.says) for step in shown.steps] == [("one", "changed, 1 field taken over")]


async def test_nothing_gets_round_what_else_is_refused() -> None:
    other = {**MAP, "metadata": {"name": "two"}}
    before = await planned(intent(MAP, other))
    plan = before.review(
        before, [Rehearsal(before.steps[0], error=CLASH), Rehearsal(before.steps[1], error=Forbidden(403, "Forbidden", "exceeded quota"))]
    )
    assert plan.instead is None
    assert "✕ configmap shop/two   the server would refuse it: exceeded quota" in text(plan)


async def test_an_unknown_field_is_the_users_error() -> None:
    before = await planned(intent(MAP))
    error = ServerFault(500, "", "failed to create typed patch object (shop/one; v1, Kind=ConfigMap): .bogus: field not declared in schema")
    plan = before.review(before, [Rehearsal(before.steps[0], error=error)])
    assert "✕ configmap shop/one   the server would refuse it: .bogus: field not declared in schema" in text(plan)


@pytest.mark.parametrize(("there", "undone"), [(False, True), (True, False)])
async def test_only_what_was_all_created_can_be_taken_back(there: bool, undone: bool) -> None:
    other = {**MAP, "metadata": {"name": "two"}}
    before = await planned(intent(MAP, other), {"/api/v1/namespaces/shop/configmaps/two": raw(other)} if there else {})
    plan = before.review(before, [Rehearsal(before.steps[0]), Rehearsal(before.steps[1], raw({**other, "data": {"a": "y"}}))])
    outcomes = [Outcome(step, End.DONE, uid=f"made-{step.about.name}") for step in plan.steps]
    back = plan.taken_back_by(outcomes)
    assert (back is not None) is undone
    if back is not None:
        assert [(ref.name, ref.uid) for ref in back.args["refs"]] == [("one", "made-one"), ("two", "made-two")]
        assert plan.taken_back_by(outcomes[:1]).args["refs"][0].uid == "made-one"  # type: ignore[union-attr]
        assert plan.taken_back_by([Outcome(plan.steps[0], End.REFUSED)]) is None


async def test_an_object_that_is_there_twice_or_in_no_namespace() -> None:
    with pytest.raises(Malformed, match="configmap shop/one is there twice"):
        await planned(intent(MAP, {**MAP, "metadata": {"name": "one", "namespace": "shop"}}))
    with pytest.raises(Malformed, match="Namespace new is in no namespace"):
        await planned(intent({**SPACE, "metadata": {"name": "new", "namespace": "shop"}}))


def test_the_namespaces_of_a_source() -> None:
    assert applying.spaces(bundled("story"), "default") == ("chatapp",)
    assert applying.spaces(Source("x", (MAP, SPACE)), "shop") == ("new", "shop")


# ---- kinds ---------------------------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, Any] = {
    "resources": [
        {"name": "baskets/status", "kind": "Basket", "namespaced": True},
        {"name": "baskets", "kind": "Basket", "namespaced": True},
        {"name": "../../secrets", "kind": "Evil", "namespaced": False},
    ]
}


async def test_kinds_of_the_server_are_found_by_its_own_words() -> None:
    server = Server({"/apis/shop.example/v1": EXAMPLES})
    names = [("v1", "Pod"), ("apps/v1", "Deployment"), ("shop.example/v1", "Basket"), ("shop.example/v1", "Evil"), ("shop.example/v1", "None")]
    found = await discovery.kinds(server.read, names)
    assert server.asked == ["/apis/shop.example/v1"]
    assert found["v1", "Pod"] is k.PODS
    basket = found["shop.example/v1", "Basket"]
    assert (basket.path("shop"), basket.resource, basket.namespaced) == (
        "/apis/shop.example/v1/namespaces/shop/baskets",
        "baskets.shop.example",
        True,
    )
    assert ("shop.example/v1", "Evil") not in found
    assert ("shop.example/v1", "None") not in found


@pytest.mark.parametrize("error", [NotServed(404, "", "404 page not found"), NotFound(404, "NotFound", "x")])
async def test_a_group_that_is_not_served_has_no_kinds(error: Exception) -> None:
    basket = {"apiVersion": "shop.example/v1", "kind": "Basket", "metadata": {"name": "b"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "baskets.shop.example"},
        "spec": {"names": {"kind": "Basket"}},
    }  # fmt: skip
    crds = {"resources": [{"name": "customresourcedefinitions", "kind": "CustomResourceDefinition"}]}
    there = {"/apis/shop.example/v1": error, "/apis/apiextensions.k8s.io/v1": crds}
    with pytest.raises(Unfit, match=r"this server has no Basket in shop.example/v1$"):
        await planned(intent(basket), there)
    with pytest.raises(Unfit, match="apply that alone first"):
        await planned(intent(definition, basket), there)


async def test_discovery_that_is_refused_is_no_absence() -> None:
    with pytest.raises(Forbidden):
        await discovery.kinds(Server({"/apis/x/v1": Forbidden(403)}).read, [("x/v1", "Y")])


# ---- hazards -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        ({"kind": "PersistentVolume", "spec": {"hostPath": {"path": "/data"}}}, "is a folder of one node: hostPath /data"),
        ({"kind": "Pod", "spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}, "mounts a folder of its node: hostPath /"),
        ({"kind": "Pod", "spec": {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}}, "has a privileged container: c"),
        ({"kind": "Deployment", "spec": {"template": {"spec": {"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]}}}}, "has a privileged container: i"),
        ({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"hostNetwork": True}}}}}}, "uses the node's network"),
        ({"kind": "DaemonSet", "spec": {"template": {"spec": {"hostPID": True}}}}, "sees the node's processes"),
        ({"kind": "ClusterRoleBinding", "roleRef": {"name": "cluster-admin"}}, "gives rights in the whole cluster: cluster-admin"),
        ({"kind": "ValidatingWebhookConfiguration"}, "decides about requests in the whole cluster"),
    ],
)  # fmt: skip
def test_what_deserves_a_second_look_is_said(obj: Raw, says: str) -> None:
    assert hazards.of([{**obj, "metadata": {"name": "x"}}]) == (f"{obj['kind'].lower()} x {says}",)


def test_the_clusters_own_namespaces_are_named() -> None:
    assert "is part of the cluster itself" in hazards.of([{**MAP, "metadata": {"name": "x", "namespace": "kube-system"}}])[0]
    assert "is part of the cluster itself" in hazards.of([{**SPACE, "metadata": {"name": "kube-public"}}])[0]


@pytest.mark.parametrize("spec", [None, [], "x", {"template": None}, {"template": {"spec": "x"}}, {"volumes": [None]}, {"containers": "x"}])
def test_odd_shapes_are_no_hazard(spec: Any) -> None:
    assert (
        hazards.of([{"kind": kind, "metadata": {"name": "x"}, "spec": spec} for kind in ("Pod", "Deployment", "CronJob", "PersistentVolume")]) == ()
    )


# ---- how far it is -------------------------------------------------------------------------------------------------------------

CHATAPP, DATA, JOB = Ref(k.DEPLOYMENTS, "shop", "chatapp"), Ref(k.CLAIMS, "shop", "data"), Ref(k.JOBS, "shop", "once")


def arrived(stores: Stores, *refs: Ref) -> Progress:
    return arriving.arrived(refs, stores, NOW)


def test_objects_without_an_effect_are_done_at_once() -> None:
    assert arrived(live(), ONE) == Progress(True, "done")


def test_workloads_are_waited_for_and_the_one_in_the_way_is_named() -> None:
    stores = live()
    deployment(stores, old=None, new="rrb")
    said = arrived(stores, ONE, CHATAPP)
    assert not said.done
    assert said.text.startswith("0 of 1 ready; deployment shop/chatapp: image ")
    stores = live()
    deployment(stores, old=None, new="rrrr")
    assert arrived(stores, CHATAPP).done
    assert arrived(stores, CHATAPP).text == "deployment shop/chatapp is ready"


def test_a_passed_deadline_ends_it_with_the_cause() -> None:
    stores = live()
    deployment(stores, old="rrrr", new="b", reason="ProgressDeadlineExceeded")
    said = arrived(stores, CHATAPP)
    assert (said.done, said.failed) == (True, True)
    assert said.text.startswith("deployment shop/chatapp: its progress deadline has passed: image ")


def test_what_is_gone_has_failed_and_what_cannot_be_seen_is_waited_for() -> None:
    assert arrived(live(), CHATAPP) == Progress(True, "deployment shop/chatapp: is gone", failed=True)
    assert arrived(Stores(), CHATAPP) == Progress(False, "0 of 1 ready; deployment shop/chatapp: it cannot be seen yet")


@pytest.mark.parametrize(
    ("phase", "storage", "done", "failed"),
    [("Bound", "x", True, False), ("Pending", "slow", True, False), ("Pending", "x", False, False), ("Lost", "x", True, True)],
)
def test_claims_are_waited_for_but_not_for_their_first_pod(phase: str, storage: str, done: bool, failed: bool) -> None:
    stores = live()
    put(stores, k.STORAGECLASSES, "slow", provisioner="x", volumeBindingMode="WaitForFirstConsumer")
    put(stores, k.STORAGECLASSES, "x", provisioner="x", volumeBindingMode="Immediate")
    put(stores, k.CLAIMS, "data", spec={"storageClassName": storage, "volumeName": "v"}, status={"phase": phase})
    said = arrived(stores, DATA)
    assert (said.done, said.failed) == (done, failed)


@pytest.mark.parametrize(("conditions", "failed"), [([], False), ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], True)])
def test_a_job_has_arrived_when_it_runs(conditions: list[Any], failed: bool) -> None:
    stores = live()
    put(stores, k.JOBS, "once", spec={}, status={"conditions": conditions})
    assert arrived(stores, JOB).failed is failed
    assert arrived(stores, JOB).done


# ---- deleting ------------------------------------------------------------------------------------------------------------------


def delete(*objects: Raw) -> Intent:
    return removing.intent(Source("some", objects, (), ("-f", "some.yaml")), "shop")


async def test_a_set_goes_backwards_namespaces_last_and_by_uid() -> None:
    there = {"/api/v1/namespaces/new": raw(SPACE, "u0"), "/api/v1/namespaces/shop/configmaps/one": raw(MAP, "u1"),
             "/api/v1/namespaces/new/persistentvolumeclaims/data": raw(CLAIM, "u2")}  # fmt: skip
    plan = await planned(delete(MAP, SPACE, CLAIM), there)
    assert [step.about.uid for step in plan.steps] == ["u2", "u1", "u0"]
    assert [step.request(step.raw or {}).body["preconditions"] for step in plan.steps] == [{"uid": uid} for uid in ("u2", "u1", "u0")]
    assert (plan.danger, plan.button) == (Danger.DELETES, "Delete 3 objects")
    assert plan.kubectl == "kubectl --context test delete -f some.yaml"


async def test_what_is_not_there_is_said_and_what_is_of_no_known_kind_too() -> None:
    basket = {"apiVersion": "shop.example/v1", "kind": "Basket", "metadata": {"name": "b"}}
    plan = await planned(delete(MAP, CLAIM, basket), {"/api/v1/namespaces/shop/configmaps/one": raw(MAP)})
    assert [step.about.name for step in plan.steps] == ["one"]
    assert text(plan) == [
        "1 object to delete", "", "- configmap shop/one", "  basket b   is not there", "  persistentvolumeclaim new/data   is not there",
    ]  # fmt: skip
    assert (await planned(delete(CLAIM))).steps == ()


async def test_taking_back_leaves_alone_what_has_the_name_by_now() -> None:
    refs = (Ref(k.NAMESPACES, "", "new", "u0"), Ref(k.CONFIGMAPS, "shop", "one", "u1"))
    asked = Intent("delete_set", (), {"name": "x", "refs": refs})
    plan = await planned(asked, {"/api/v1/namespaces/new": raw(SPACE, "u0"), "/api/v1/namespaces/shop/configmaps/one": raw(MAP, "another")})
    assert [step.about.uid for step in plan.steps] == ["u0"]
    assert "  configmap shop/one   is another one by now: it stays" in text(plan)


async def test_what_goes_with_a_namespace_is_counted() -> None:
    stores = live()
    put(stores, k.PODS, "mine", "new", uid="u9")
    put(stores, k.PODS, "theirs", "new")
    put(stores, k.SERVICES, "theirs", "new")
    put(stores, k.CONFIGMAPS, "kube-root-ca.crt", "new")
    put(stores, k.PODS, "elsewhere", "shop")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": "new"}}
    there = {"/api/v1/namespaces/new": raw(SPACE), "/api/v1/namespaces/new/pods/mine": raw(pod, "u9")}
    plan = await planned(delete(SPACE, pod), there, stores)
    assert plan.warnings == ("namespace new: everything in it goes; not listed above: 1 pod, 1 service",)
    blind = await planned(delete(SPACE), there, Stores())
    assert "is not known: pods, deployments" in blind.warnings[1]


async def test_it_is_followed_until_all_are_gone() -> None:
    stores = live()
    plan = await planned(delete(SPACE, MAP), {"/api/v1/namespaces/new": raw(SPACE, "u0"), "/api/v1/namespaces/shop/configmaps/one": raw(MAP)}, stores)
    stores.of(k.NAMESPACES).put(make(k.NAMESPACES, "new", uid="u0"))
    assert plan.progress(stores, NOW) == Progress(False, "1 of 2 gone; namespace new is terminating")
    stores.of(k.NAMESPACES).drop("u0")
    assert plan.progress(stores, NOW) == Progress(True, "all 2 are gone")
