"""Server-side apply and the owners of fields."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings, strategies as st

from embedded.conftest import Wire
from kubepane_embedded.fieldset import compare, describe, packed, paths_of, unpack
from kubepane_embedded.schemas import root
from recordings import recorded

PATH = "/apis/apps/v1/namespaces/default/deployments"
APPLY = "application/apply-patch+yaml"
DEPLOYMENT = root("apps/v1", "Deployment")


def config(image: str = "x:1", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    full = {"selector": {"matchLabels": {"app": "d"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": full}


async def apply(wire: Wire, body: dict[str, Any], manager: str = "one", more: str = "") -> Any:
    return await wire("PATCH", f"{PATH}/d?fieldManager={manager}{more}", body, Content_Type=APPLY)


async def test_apply_creates_then_changes_then_does_nothing(wire: Wire) -> None:
    created = await apply(wire, config(replicas=2))
    assert created.code == 201
    assert [entry["operation"] for entry in created.body["metadata"]["managedFields"]] == ["Apply"]
    changed = await apply(wire, config("x:2", replicas=2))
    assert changed.code == 200
    assert changed.body["metadata"]["generation"] == 2
    same = await apply(wire, config("x:2", replicas=2))
    assert same.body["metadata"]["resourceVersion"] == changed.body["metadata"]["resourceVersion"]


async def test_conflicts_in_the_server_s_words(wire: Wire) -> None:
    await apply(wire, config("x:1", replicas=2))
    await wire("PATCH", f"{PATH}/d/scale", {"spec": {"replicas": 5}}, Content_Type="application/merge-patch+json", User_Agent="unknown")
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x:9"}]}}}}
    await wire("PATCH", f"{PATH}/d", patch, Content_Type="application/strategic-merge-patch+json", User_Agent="unknown")
    refused = await apply(wire, config("x:1", replicas=2))
    wanted = recorded("api-errors")["ssa-conflict-409"]["body"]
    assert refused.code == 409
    assert sorted(refused.body["details"]["causes"], key=str) == sorted(wanted["details"]["causes"], key=str)
    assert refused.body["message"].startswith("Apply failed with 2 conflicts: ")
    forced = await apply(wire, config("x:1", replicas=2), more="&force=true")
    assert forced.body["spec"]["replicas"] == 2
    assert [entry["manager"] for entry in forced.body["metadata"]["managedFields"]] == ["one"]


async def test_what_a_manager_drops_goes_unless_another_owns_it(wire: Wire) -> None:
    first = config(replicas=2, minReadySeconds=5)
    first["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "s"})
    await apply(wire, first)
    await apply(wire, {**config(), "spec": {"minReadySeconds": 5}}, "two")
    dropped = await apply(wire, config())
    spec = dropped.body["spec"]
    assert spec["minReadySeconds"] == 5, "the other manager still wants it"
    assert spec["replicas"] == 1, "back to the default"
    assert [container["name"] for container in spec["template"]["spec"]["containers"]] == ["c"]


async def test_bad_applies(wire: Wire) -> None:
    errors = recorded("api-errors")
    body = config()
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    assert (await apply(wire, body)).body == errors["ssa-managedfields"]["body"]
    await apply(wire, config())
    body = config()
    body["metadata"]["resourceVersion"] = "1"
    assert (await apply(wire, body)).body == errors["ssa-rv-409"]["body"]
    strict = await apply(wire, config(replica=1), more="&fieldValidation=Strict")
    assert (strict.code, "reason" in strict.body) == (500, False)
    assert strict.body["message"].endswith(".spec.replica: field not declared in schema")
    assert (await wire("PATCH", f"{PATH}/d?fieldManager=x", b"a: [", Content_Type=APPLY)).code == 400
    assert (await wire("PATCH", f"{PATH}/d?fieldManager=x", b"- 1", Content_Type=APPLY)).code == 400


async def test_a_revision_of_what_is_not_there_is_no_hindrance_but_a_uid_is(wire: Wire) -> None:
    """As a real 1.35.4 answers: so a resourceVersion says "only if it is not there yet"."""
    gone = config()
    gone["metadata"]["uid"] = "was-here-before"
    assert (await apply(wire, gone)).body["details"]["causes"][0]["field"] == "metadata.uid"
    fresh = config()
    fresh["metadata"]["resourceVersion"] = "1"
    assert (await apply(wire, fresh)).code == 201
    assert (await apply(wire, fresh)).code == 409


async def test_owners_of_ordinary_writes(wire: Wire) -> None:
    created = await wire("POST", PATH, config(replicas=2), User_Agent="maker/1.0")
    entry = created.body["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("maker", "Update", "apps/v1")
    fields = entry["fieldsV1"]["f:spec"]
    assert fields["f:template"]["f:spec"]["f:containers"] == {
        'k:{"name":"c"}': {
            ".": {},
            "f:image": {},
            "f:imagePullPolicy": {},
            "f:name": {},
            "f:resources": {},
            "f:terminationMessagePath": {},
            "f:terminationMessagePolicy": {},
        }
    }
    assert fields["f:strategy"] == {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}}
    patched = await wire("PATCH", f"{PATH}/d", {"spec": {"replicas": 4}}, Content_Type="application/merge-patch+json", User_Agent="other/1")
    by_manager = {entry["manager"]: entry["fieldsV1"] for entry in patched.body["metadata"]["managedFields"]}
    assert by_manager["other"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in by_manager["maker"]["f:spec"]
    bare = {**patched.body, "metadata": {**patched.body["metadata"], "managedFields": [{}]}}
    reset = await wire("PUT", f"{PATH}/d", bare)
    assert "managedFields" not in reset.body["metadata"]


NAMES = st.sampled_from(["a", "b", "c"])
CONTAINER = st.fixed_dictionaries({"name": NAMES}, optional={"image": NAMES, "args": st.lists(NAMES, max_size=2)})
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "paused": st.booleans(),
        "template": st.fixed_dictionaries(
            {"spec": st.fixed_dictionaries({"containers": st.lists(CONTAINER, max_size=3, unique_by=lambda one: one["name"])})}
        ),
    },
)


def written(spec: dict[str, Any]) -> dict[str, Any]:
    """A Go value has its empty template whether it was sent or not."""
    return {key: value for key, value in spec.items() if value != {"spec": {"containers": []}}}


@settings(max_examples=120, deadline=None)
@given(SPEC, SPEC)
def test_paths_survive_packing_and_comparing_is_exact(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = {"spec": old}, {"spec": new}
    paths = paths_of(after, DEPLOYMENT)
    assert unpack(packed(paths)) == paths
    changed, removed = compare(before, after, DEPLOYMENT)
    assert (not changed and not removed) == (written(old) == written(new))
    back_changed, back_removed = compare(after, before, DEPLOYMENT)
    leaves = {path for path in changed if path not in back_changed}
    assert leaves <= back_removed | changed
    assert removed & paths == set()
    json.loads(packed(frozenset(changed)))


def test_paths_as_conflicts_print_them() -> None:
    path = ("f:spec", "f:containers", 'k:{"name":"app"}', "f:image")
    assert describe(path) == '.spec.containers[name="app"].image'
    assert describe(("f:metadata", "f:finalizers", 'v:"x"')) == '.metadata.finalizers[="x"]'
