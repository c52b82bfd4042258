"""What a real server refuses, in its order and words, and what it stores of what was sent: found by the same random calls on both."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.conftest import Wire

SPACE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
APPLY = {"Content_Type": "application/apply-patch+yaml"}
MERGE = {"Content_Type": "application/merge-patch+json"}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}


def deployment(**spec: Any) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "q"}, "spec": spec}


def template(*containers: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers)}}


CONTAINERS = ".spec.template.spec.containers"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"unheardOf": 1}, ".spec.unheardOf: field not declared in schema"),
        ({"replicas": "x"}, ".spec.replicas: expected numeric (int or float), got string"),
        (
            {"replicas": "x", "paused": 3, "template": []},
            "errors:\n  .spec.paused: expected boolean, got &{3}\n  .spec.replicas: expected numeric (int or float), got string\n"
            "  .spec.template: expected map, got &{[]}",
        ),
        ({"template": template("a")}, f"{CONTAINERS}: element 0: associative list with keys may not have non-map elements"),
        ({"template": template(*[{"name": "c", "image": "x"}] * 2)}, f'{CONTAINERS}: duplicate entries for key [name="c"]'),
        (
            {"template": template({"name": "c", "image": {"a": 1}})},
            f'{CONTAINERS}[name="c"].image: expected string, got &value.valueUnstructured{{Value:map[string]interface {{}}{{"a":1}}}}',
        ),
        (
            {"template": template({"name": "c", "ports": [{"containerPort": 1}] * 2})},
            f'{CONTAINERS}[name="c"].ports: duplicate entries for key [containerPort=1,protocol="TCP"]',
        ),
        (
            {"template": template({"name": "c", "resources": {"limits": {"cpu": []}}})},
            f'{CONTAINERS}[name="c"].resources.limits.cpu: expected any scalar, got &{{[]}}',
        ),
    ],
)
@pytest.mark.parametrize("leniency", ["", "&fieldValidation=Ignore"])
async def test_an_apply_that_does_not_fit_the_schema(wire: Wire, spec: dict[str, Any], why: str, leniency: str) -> None:
    reply = await wire("PATCH", f"{APPS}/deployments/q?fieldManager=m{leniency}", deployment(**spec), **APPLY)
    assert (reply.code, reply.body["message"]) == (500, f"failed to create typed patch object (/q; apps/v1, Kind=Deployment): {why}")


async def test_conflicts_are_told_level_by_level(wire: Wire) -> None:
    def tolerant(image: str, key: str) -> dict[str, Any]:
        whole = template({"name": "c", "image": image})
        return deployment(template={**whole, "spec": {**whole["spec"], "tolerations": [{"key": key, "operator": "Exists"}]}})

    await wire("PATCH", f"{APPS}/deployments/q?fieldManager=me", tolerant("x", "a"), **APPLY)
    reply = await wire("PATCH", f"{APPS}/deployments/q?fieldManager=you", tolerant("y", "b"), **APPLY)
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [".spec.template.spec.tolerations", f'{CONTAINERS}[name="c"].image']


async def test_an_apply_that_changes_nothing_leaves_no_time(wire: Wire) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}, "data": {"a": "1"}}
    await wire("POST", f"{SPACE}/configmaps", body)
    reply = await wire("PATCH", f"{SPACE}/configmaps/q?fieldManager=me", body, **APPLY)
    (mine,) = [entry for entry in reply.body["metadata"]["managedFields"] if entry["manager"] == "me"]
    assert "time" not in mine


async def test_what_is_empty_is_not_stored(wire: Wire) -> None:
    container = {"name": "c", "image": "x", "command": [], "tty": False, "workingDir": ""}
    spec = {"containers": [container], "nodeSelector": {}, "hostNetwork": False, "volumes": [{"name": "v", "emptyDir": {}}]}
    reply = await wire("POST", f"{APPS}/deployments", deployment(replicas=0, template={"metadata": {"labels": {"a": "b"}}, "spec": spec}))
    stored = reply.body["spec"]["template"]["spec"]
    assert not {"command", "tty", "workingDir"} & set(stored["containers"][0])
    assert not {"nodeSelector", "hostNetwork"} & set(stored)
    assert stored["volumes"] == [{"name": "v", "emptyDir": {}}]  # said by being there
    assert reply.body["spec"]["replicas"] == 0  # a pointer: zero is not nothing


async def test_a_role_without_rules_has_null(wire: Wire) -> None:
    for body in ({"metadata": {"name": "r"}}, {"metadata": {"name": "s"}, "rules": []}):
        reply = await wire("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", body)
        assert reply.body["rules"] is None


async def test_what_is_wrong_is_told_before_that_it_is_there(wire: Wire) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    assert (await wire("POST", f"{SPACE}/services", body)).code == 201
    assert (await wire("POST", f"{SPACE}/services", body)).code == 409
    assert (await wire("POST", f"{SPACE}/services", {**body, "spec": {"ports": [{"port": 0}]}})).code == 422


async def test_a_refusal_carries_its_warnings(wire: Wire) -> None:
    reply = await wire("PUT", f"{SPACE}/configmaps/none", {"metadata": {"name": "none"}, "dato": 1})
    assert (reply.code, reply.headers.getall("Warning")) == (404, ['299 - "unknown field \\"dato\\""'])
    reply = await wire("DELETE", "/apis/batch/v1/namespaces/default/jobs/none")
    assert reply.code == 404
    assert "child pods are preserved by default" in reply.headers["Warning"]
    reply = await wire("GET", f"{SPACE}/endpoints/none")
    assert "v1 Endpoints is deprecated" in reply.headers["Warning"]


async def test_some_kinds_are_made_by_an_update(wire: Wire) -> None:
    service = {"metadata": {"name": "s", "resourceVersion": "12"}, "spec": {"ports": [{"port": 80}]}}
    assert (await wire("PUT", f"{SPACE}/services/s", service)).code == 201
    assert (await wire("PUT", f"{SPACE}/configmaps/s", {"metadata": {"name": "s"}})).code == 404


async def test_a_lease_is_replaced_only_with_its_version(wire: Wire) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert (await wire("PUT", f"{LEASES}/l", lease)).code == 201
    reply = await wire("PUT", f"{LEASES}/l", lease)
    assert (reply.code, reply.body["message"]) == (
        422,
        'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    )


async def test_an_object_without_a_name_is_no_update(wire: Wire) -> None:
    await wire("POST", f"{SPACE}/configmaps", {"metadata": {"name": "x"}})
    for reply in (
        await wire("PATCH", f"{SPACE}/configmaps/x", {"metadata": {"name": None}}, **MERGE),
        await wire("PUT", f"{SPACE}/configmaps/x", {"metadata": {}}),
    ):
        assert reply.code == 400
        assert reply.body["message"] == "the name of the object (x based on URL) was undeterminable: name must be provided"


async def test_all_that_is_wrong_with_delete_options(wire: Wire) -> None:
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Never", "dryRun": ["Some"]}
    reply = await wire("DELETE", f"{SPACE}/configmaps/x", options)
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == ["propagationPolicy", "dryRun"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{SPACE}/configmaps", '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        (f"{SPACE}/pods", "field label not supported: spec.x"),
        ("/apis/batch/v1/jobs", 'field label "spec.x" not supported for Job'),
    ],
)
async def test_a_field_that_cannot_be_selected(wire: Wire, path: str, message: str) -> None:
    reply = await wire("GET", f"{path}?fieldSelector=spec.x%3D1")
    assert (reply.code, reply.body["message"]) == (400, message)


async def test_a_name_that_is_still_going_is_taken(wire: Wire) -> None:
    body = {"metadata": {"name": "x", "finalizers": ["a.example/b"]}}
    await wire("POST", f"{SPACE}/configmaps", body)
    await wire("DELETE", f"{SPACE}/configmaps/x")
    reply = await wire("POST", f"{SPACE}/configmaps", body)
    assert (reply.code, reply.body["message"]) == (409, 'object is being deleted: configmaps "x" already exists')


async def test_a_body_for_another_name_is_refused_before_it_is_looked_for(wire: Wire) -> None:
    reply = await wire("PUT", f"{SPACE}/configmaps/x", {"metadata": {"name": "y"}})
    assert (reply.code, reply.body["message"]) == (400, "the name of the object (y) does not match the name on the URL (x)")


async def test_metadata_without_owners_keeps_them(wire: Wire) -> None:
    await wire("POST", f"{SPACE}/configmaps", {"metadata": {"name": "x"}, "data": {"a": "1"}})
    steps = [{"op": "replace", "path": "/metadata", "value": {"name": "x"}}]
    reply = await wire("PATCH", f"{SPACE}/configmaps/x", steps, Content_Type="application/json-patch+json")
    assert [entry["fieldsV1"] for entry in reply.body["metadata"]["managedFields"]] == [{"f:data": {".": {}, "f:a": {}}}]


async def test_an_endpoint_slice_counts_changes_of_its_labels(wire: Wire) -> None:
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    await wire("POST", path, {"metadata": {"name": "x"}, "addressType": "IPv4", "endpoints": []})
    reply = await wire("PATCH", f"{path}/x", {"metadata": {"labels": {"a": "b"}}}, **MERGE)
    assert reply.body["metadata"]["generation"] == 2


async def test_who_takes_the_last_finalizer_away_writes_no_version(wire: Wire) -> None:
    await wire("POST", f"{SPACE}/configmaps", {"metadata": {"name": "x", "finalizers": ["a.example/b"]}})
    going = (await wire("DELETE", f"{SPACE}/configmaps/x")).body["metadata"]["resourceVersion"]
    reply = await wire("PATCH", f"{SPACE}/configmaps/x", {"metadata": {"finalizers": None}}, **MERGE)
    assert (reply.code, reply.body["metadata"]["resourceVersion"]) == (200, going)
    assert (await wire("GET", f"{SPACE}/configmaps/x")).code == 404
