"""Requests and answers, in the words of a real 1.35.4 server (`tests/recorded/api-errors.json`)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from embedded.conftest import Wire
from recordings import recorded

ERRORS = recorded("api-errors")
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment(name: str = "d", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
    full = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": full}


SAME_AS_RECORDED: list[tuple[str, str, str, Any, dict[str, str]]] = [
    ("accept-406", "GET", PODS, None, {"Accept": "application/json;as=Nope"}),
    ("bad-fieldselector-400", "GET", f"{PODS}?fieldSelector=metadata.uid=x", None, {}),
    ("badjson-400", "POST", DEPLOYMENTS, b"{bad", {}),
    ("badtoken", "GET", PODS, None, {"Authorization": "Bearer nonsense"}),
    ("badtoken-livez", "GET", "/livez", None, {"Authorization": "Bearer nonsense"}),
    ("delete-404", "DELETE", f"{MAPS}/cm", None, {}),
    ("delete-version-405", "DELETE", "/version", None, {}),
    ("dryrun-bad", "POST", f"{MAPS}?dryRun=true", {"metadata": {"name": "x"}}, {}),
    ("evict-404", "POST", f"{PODS}/nope/eviction", {"metadata": {"name": "nope"}}, {}),
    ("impersonate-as-admin", "GET", "/api/v1/pods", None, {"Impersonate-User": "alice"}),
    ("impersonate-bad", "GET", "/api/v1/pods", None, {"Impersonate-Group": "x"}),
    ("jsonpatch-malformed", "PATCH", f"{DEPLOYMENTS}/d", b"[{bad", {"Content-Type": "application/json-patch+json"}),
    ("jsonpatch-missing-path", "PATCH", f"{DEPLOYMENTS}/d", [{"op": "remove", "path": "/spec/nope"}], {"Content-Type": "application/json-patch+json"}),
    ("jsonpatch-test-fail", "PATCH", f"{DEPLOYMENTS}/d", [{"op": "test", "path": "/spec/replicas", "value": 9}], {"Content-Type": "application/json-patch+json"}),
    ("kind-404", "GET", "/apis/foo.io/v1/bars", None, {}),
    ("match-exact-rv0-422", "GET", "/api/v1/pods?resourceVersionMatch=Exact&resourceVersion=0", None, {}),
    ("match-on-watch-422", "GET", "/api/v1/pods?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1", None, {}),
    ("match-without-rv-422", "GET", "/api/v1/pods?resourceVersionMatch=NotOlderThan", None, {}),
    ("ns-404", "POST", "/api/v1/namespaces/nope/configmaps", {"metadata": {"name": "x"}}, {}),
    ("obj-404", "GET", f"{PODS}/nope", None, {}),
    ("patch-415", "PATCH", f"{DEPLOYMENTS}/d", {}, {"Content-Type": "application/json"}),
    ("patch-badjson", "PATCH", f"{DEPLOYMENTS}/d", b"{bad", {"Content-Type": "application/merge-patch+json"}),
    ("patch-rv-409", "PATCH", f"{DEPLOYMENTS}/d", {"metadata": {"resourceVersion": "1"}}, {"Content-Type": "application/merge-patch+json"}),
    ("post-409", "POST", DEPLOYMENTS, deployment(), {}),
    ("put-404", "PUT", f"{DEPLOYMENTS}/zz", deployment("zz"), {}),
    ("put-collection-405", "PUT", PODS, {}, {}),
    ("put-name-mismatch", "PUT", f"{DEPLOYMENTS}/d", deployment("other"), {}),
    ("res-404", "GET", "/api/v1/namespaces/default/foos", None, {}),
    ("rv-invalid-list-400", "GET", "/api/v1/pods?resourceVersion=abc", None, {}),
    ("rv-invalid-watch-500", "GET", "/api/v1/pods?watch=1&resourceVersion=abc", None, {}),
    ("scale-404", "PATCH", f"{DEPLOYMENTS}/nope/scale", {"spec": {"replicas": 1}}, {"Content-Type": "application/merge-patch+json"}),
    ("scale-neg", "PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": -1}}, {"Content-Type": "application/merge-patch+json"}),
    ("sendinitial-list-422", "GET", "/api/v1/pods?sendInitialEvents=true", None, {}),
    ("sendinitial-no-match-422", "GET", "/api/v1/pods?watch=1&sendInitialEvents=true", None, {}),
    ("ssa-nofm", "PATCH", f"{DEPLOYMENTS}/d", deployment(), {"Content-Type": "application/apply-patch+yaml"}),
    ("ssar-empty", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {}}, {}),
    ("ssrr-none", "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "body", "headers"), SAME_AS_RECORDED, ids=[case[0] for case in SAME_AS_RECORDED])
async def test_refusals_are_those_of_the_real_server(wire: Wire, name: str, method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    await wire("POST", DEPLOYMENTS, deployment())
    reply = await wire(method, path, body, **headers)
    wanted = ERRORS[name]
    assert reply.code == wanted["status"]
    assert reply.body == wanted["body"]


async def test_messages_that_name_numbers(wire: Wire) -> None:
    reply = await wire("GET", "/api/v1/events?resourceVersion=111249")
    wanted = ERRORS["list-events-toolarge-504"]["body"]
    current = str(wire.core.storage.revision)
    assert reply.body == json.loads(json.dumps(wanted).replace("11254", current))
    assert "Retry-After" not in reply.headers
    created = await wire("POST", MAPS, {"metadata": {"name": "cm"}})
    stale = await wire("DELETE", f"{MAPS}/cm", {"preconditions": {"resourceVersion": "1"}})
    version = created.body["metadata"]["resourceVersion"]
    assert stale.body == json.loads(json.dumps(ERRORS["delete-rv-409"]["body"]).replace("3097", version))
    other = "00000000-0000-0000-0000-000000000000"
    foreign = await wire("DELETE", f"{MAPS}/cm", {"preconditions": {"uid": other}})
    uid = created.body["metadata"]["uid"]
    assert foreign.body == json.loads(json.dumps(ERRORS["delete-uid-409"]["body"]).replace("15f00713-eed2-4afc-9dc6-2344f061f952", uid))


async def test_only_who_was_given_the_address_gets_in(wire: Wire) -> None:
    base = wire.url.rpartition("/c/")[0]
    for path in ("/", "/api", "/c/wrong/api", wire.url[len(base) :] + "x/api"):
        async with wire.session.get(base + path) as response:
            assert response.status == 404
    assert (await wire("GET", "/api", Origin="http://127.0.0.1")).code == 403
    assert (await wire("GET", "/api", Host="evil.example:80")).code == 403
    assert (await wire("GET", "/api", Host=f"localhost:{wire.cluster.server.port}")).code == 200
    assert wire.cluster.kubeconfig is not None
    assert wire.cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


async def test_documents(wire: Wire) -> None:
    assert (await wire("GET", "/version")).body["gitVersion"] == "v1.35.4+embedded"
    for path in ("/livez", "/readyz", "/healthz"):
        assert (await wire("GET", path)).body == "ok"
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    aggregated = await wire("GET", "/apis", Accept=accept)
    assert aggregated.headers["Content-Type"] == accept.partition(",")[0]
    assert aggregated.body["items"][0]["metadata"]["name"] == "apps"
    beta = await wire("GET", "/api", Accept=accept.replace("v=v2", "v=v2beta1"))
    assert beta.body["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    plain = await wire("GET", "/api/v1")
    assert plain.body["groupVersion"] == "v1"
    eviction = next(row for row in plain.body["resources"] if row["name"] == "pods/eviction")
    assert (eviction["group"], eviction["version"], eviction["kind"]) == ("policy", "v1", "Eviction")
    index = (await wire("GET", "/openapi/v3")).body["paths"]
    document = await wire("GET", "/openapi/v3/apis/apps/v1?hash=x")
    assert "apis/apps/v1" in index
    patch = document.body["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert "io.k8s.api.core.v1.PodSpec" in document.body["components"]["schemas"]
    assert (await wire("GET", "/openapi/v2")).body["definitions"] == {}
    served = await wire("GET", "/openapi/v2", Accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    assert served.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert (await wire("GET", "/openapi/v2", Accept="text/html")).code == 406


async def test_identity_may_not_change(wire: Wire) -> None:
    created = (await wire("POST", DEPLOYMENTS, deployment())).body
    other = "00000000-0000-0000-0000-000000000000"
    patched = await wire("PATCH", f"{DEPLOYMENTS}/d", {"metadata": {"uid": other}}, Content_Type="application/merge-patch+json")
    assert patched.body == ERRORS["patch-uid-422"]["body"]
    scale = {"metadata": {"name": "d", "uid": other}, "spec": {"replicas": 1}}
    replaced = await wire("PUT", f"{DEPLOYMENTS}/d/scale", scale)
    wanted = json.dumps(ERRORS["scale-put-uid"]["body"]).replace("/wr/", "/default/")
    assert replaced.body == json.loads(re.sub("(?<=meta: )[0-9a-f-]+", created["metadata"]["uid"], wanted))


async def test_taints_that_are_refused(wire: Wire) -> None:
    await wire("POST", "/api/v1/nodes", {"metadata": {"name": "worker-3"}})
    taint = {"key": "a", "effect": "NoSchedule"}
    for name, taints in (("taint-dup", [taint, taint]), ("taint-bad-effect", [{"key": "a", "effect": "Nope"}])):
        reply = await wire("PATCH", "/api/v1/nodes/worker-3", {"spec": {"taints": taints}}, Content_Type="application/strategic-merge-patch+json")
        assert reply.body == ERRORS[name]["body"]


async def test_create_read_change_delete(wire: Wire) -> None:
    created = await wire("POST", MAPS, {"metadata": {"generateName": "c-"}, "data": {"a": "1"}})
    name = created.body["metadata"]["name"]
    assert created.code == 201
    assert len(name) == 7
    again = {**created.body, "data": {"a": "2"}}
    assert (await wire("PUT", f"{MAPS}/{name}", again)).code == 200
    stale = await wire("PUT", f"{MAPS}/{name}", again)
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    same = await wire("PUT", f"{MAPS}/{name}", {"metadata": {"name": name}, "data": {"a": "2"}})
    read = await wire("GET", f"{MAPS}/{name}")
    assert same.body["metadata"]["resourceVersion"] == read.body["metadata"]["resourceVersion"]
    gone = await wire("DELETE", f"{MAPS}/{name}")
    assert gone.body["details"] == {"name": name, "kind": "configmaps", "uid": created.body["metadata"]["uid"]}
    assert (await wire("GET", f"{MAPS}/{name}")).code == 404


async def test_a_dry_run_leaves_nothing(wire: Wire) -> None:
    before = wire.core.storage.revision
    assert (await wire("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}})).code == 201
    assert (await wire("DELETE", "/api/v1/namespaces/default/serviceaccounts/default?dryRun=All")).code == 200
    assert wire.core.storage.revision == before


async def test_unknown_fields(wire: Wire) -> None:
    body = deployment("s", replica=3)
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "y"
    strict = await wire("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", body)
    assert strict.body == ERRORS["strict-post"]["body"]
    twice = json.dumps(deployment("s")).replace('"spec": {', '"spec": {"replicas": 1, "replicas": 2, ', 1).encode()
    assert (await wire("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", twice)).body == ERRORS["strict-dup"]["body"]
    warned = await wire("POST", DEPLOYMENTS, deployment("s", replica=3))
    assert warned.code == 201
    assert warned.headers.getall("Warning") == ['299 - "unknown field \\"spec.replica\\""']
    assert "replica" not in warned.body["spec"]
    merge = await wire(
        "PATCH", f"{DEPLOYMENTS}/s?fieldValidation=Strict", {"spec": {"replica": 3}}, Content_Type="application/strategic-merge-patch+json"
    )
    assert merge.body == ERRORS["strict-sm"]["body"]


async def test_wrong_types_and_invalid_values(wire: Wire) -> None:
    reply = await wire("POST", DEPLOYMENTS, deployment("d", replicas="3"))
    assert reply.body == ERRORS["bad-type-400"]["body"]
    body = deployment("S_bad")
    body["spec"]["selector"]["matchLabels"] = {"app": "s"}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "t"}
    assert (await wire("POST", DEPLOYMENTS, body)).body == ERRORS["invalid-422"]["body"]


async def test_bodies_that_are_too_large(wire: Wire) -> None:
    big = await wire("POST", MAPS, {"metadata": {"name": "big"}, "data": {"a": "x" * (4 * 1024 * 1024)}})
    assert (big.code, big.body["message"]) == (413, "Request entity too large: limit is 3145728")
    long = await wire("POST", MAPS, {"metadata": {"name": "big"}, "data": {"a": "x" * 1_100_000}})
    assert long.body == ERRORS["too-large-422"]["body"]


async def test_pages_are_one_moment(wire: Wire) -> None:
    for number in range(5):
        await wire("POST", MAPS, {"metadata": {"name": f"m{number}"}})
    first = await wire("GET", f"{MAPS}?limit=2")
    token, revision = first.body["metadata"]["continue"], first.body["metadata"]["resourceVersion"]
    assert first.body["metadata"]["remainingItemCount"] == 4
    assert "kind" not in first.body["items"][0]
    await wire("DELETE", f"{MAPS}/m3")
    await wire("POST", MAPS, {"metadata": {"name": "m1x"}})
    rest = await wire("GET", f"{MAPS}?limit=9&continue={token}")
    assert [item["metadata"]["name"] for item in rest.body["items"]] == ["m1", "m2", "m3", "m4"]
    assert rest.body["metadata"] == {"resourceVersion": revision}
    wire.core.storage.compact()
    gone = await wire("GET", f"{MAPS}?limit=9&continue={token}")
    assert (gone.code, gone.body["reason"]) == (410, "Expired")
    token = gone.body["metadata"]["continue"]
    assert json.loads(base64.urlsafe_b64decode(token + "=="))["rv"] == -1
    now = await wire("GET", f"{MAPS}?limit=9&continue={token}")
    assert [item["metadata"]["name"] for item in now.body["items"]] == ["m1", "m1x", "m2", "m4"]
    assert (await wire("GET", f"{MAPS}?continue=garbage")).code == 400
    with_revision = await wire("GET", f"{MAPS}?continue={token}&resourceVersion=5")
    assert with_revision.body == ERRORS["continue-with-rv-400"]["body"]
    everything = await wire("GET", f"{MAPS}?limit=1&resourceVersion=0")
    assert len(everything.body["items"]) == 6
    selected = await wire("GET", f"{MAPS}?limit=1&labelSelector=!x")
    assert "remainingItemCount" not in selected.body["metadata"]


async def test_finalizers_grace_and_propagation(wire: Wire) -> None:
    await wire("POST", DEPLOYMENTS, deployment())
    shown = await wire("DELETE", f"{DEPLOYMENTS}/d", {"propagationPolicy": "Foreground"})
    assert shown.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert shown.body["metadata"]["deletionGracePeriodSeconds"] == 0
    added = await wire("PATCH", f"{DEPLOYMENTS}/d", {"metadata": {"finalizers": ["x.io/y"]}}, Content_Type="application/merge-patch+json")
    assert added.code == 422
    await wire("PATCH", f"{DEPLOYMENTS}/d", {"metadata": {"finalizers": None}}, Content_Type="application/merge-patch+json")
    assert (await wire("GET", f"{DEPLOYMENTS}/d")).code == 404

    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "x"}]}}
    await wire("POST", PODS, pod)
    going = await wire("DELETE", f"{PODS}/p")
    assert (going.body["metadata"]["deletionGracePeriodSeconds"], going.body["metadata"]["generation"]) == (30, 2)
    assert going.body["metadata"]["deletionTimestamp"] == "2026-01-01T08:00:30Z"
    shorter = await wire("DELETE", f"{PODS}/p?gracePeriodSeconds=5")
    assert shorter.body["metadata"]["deletionTimestamp"] == "2026-01-01T08:00:05Z"
    await wire("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert (await wire("GET", f"{PODS}/p")).code == 404
    await wire("POST", PODS, {**pod, "spec": {**pod["spec"], "nodeName": ""}})
    await wire("DELETE", f"{PODS}/p")
    assert (await wire("GET", f"{PODS}/p")).code == 404, "a pod without a node goes at once"


async def test_a_namespace_goes_when_its_finalizers_do(wire: Wire) -> None:
    await wire("POST", "/api/v1/namespaces", {"metadata": {"name": "t"}})
    going = await wire("DELETE", "/api/v1/namespaces/t")
    assert going.body["status"]["phase"] == "Terminating"
    late = await wire("POST", "/api/v1/namespaces/t/configmaps", {"metadata": {"name": "late"}})
    assert late.body == json.loads(json.dumps(ERRORS["ns-terminating-403"]["body"]).replace("namespace wr", "namespace t"))
    done = {**going.body, "spec": {"finalizers": []}}
    await wire("PUT", "/api/v1/namespaces/t/finalize", done)
    assert (await wire("GET", "/api/v1/namespaces/t")).code == 404
    assert (await wire("DELETE", "/api/v1/namespaces/default")).code == 403


async def test_delete_collection_with_a_selector(wire: Wire) -> None:
    for name in "ab":
        await wire("POST", MAPS, {"metadata": {"name": name, "labels": {"which": name}}})
    gone = await wire("DELETE", f"{MAPS}?labelSelector=which%3Da")
    assert [item["metadata"]["name"] for item in gone.body["items"]] == ["a"]
    assert (await wire("GET", f"{MAPS}/b")).code == 200


async def test_scale_and_its_preconditions(wire: Wire) -> None:
    await wire("POST", DEPLOYMENTS, deployment())
    scale = await wire("GET", f"{DEPLOYMENTS}/d/scale")
    assert scale.body["status"] == {"replicas": 0, "selector": "app=d"}
    scale.body["spec"]["replicas"] = 3
    assert (await wire("PUT", f"{DEPLOYMENTS}/d/scale", scale.body)).body["spec"] == {"replicas": 3}
    stale = await wire("PUT", f"{DEPLOYMENTS}/d/scale", {**scale.body, "spec": {"replicas": 4}})
    assert stale.body == ERRORS["scale-put-409"]["body"]
    managers = (await wire("GET", f"{DEPLOYMENTS}/d")).body["metadata"]["managedFields"]
    assert {entry.get("subresource") for entry in managers} == {None, "scale"}


async def test_events_are_one_store_under_two_names(wire: Wire) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    body = {"metadata": {"name": "e"}, "involvedObject": about, "message": "hello", "type": "Normal", "source": {"component": "x"}}
    await wire("POST", "/api/v1/namespaces/default/events", body)
    other = await wire("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert (other.body["note"], other.body["regarding"], other.body["deprecatedSource"]) == ("hello", about, {"component": "x"})
    found = await wire("GET", "/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp")
    assert len(found.body["items"]) == 1


async def test_autoscalers_in_both_versions(wire: Wire) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    body = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 4, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50}}
    await wire("POST", "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers", body)
    newer = await wire("GET", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h")
    assert newer.body["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}
    older = await wire("GET", "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/h")
    assert older.body["spec"]["targetCPUUtilizationPercentage"] == 50


async def test_tables_and_partial_objects(wire: Wire) -> None:
    table = await wire("GET", MAPS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.body["kind"] == "Table"
    assert table.body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    bare = await wire("GET", f"{MAPS}?includeObject=None", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert bare.body["rows"][0] == {"cells": ["kube-root-ca.crt", 1, "0s"], "object": None}
    partial = await wire("GET", MAPS, Accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    assert partial.body["kind"] == "PartialObjectMetadataList"
    assert "data" not in partial.body["items"][0]
    assert (await wire("GET", f"{MAPS}?includeObject=Bad", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")).code == 400
