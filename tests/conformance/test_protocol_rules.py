"""The protocol: versions, watches, pages, patches, dry runs, Tables, refusals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.door import APPLY, JSON_PATCH, MERGE, STRATEGIC, TABLE
from conformance.peers import Peer, Space, pod, workload


def configs(space: Space, *names: str) -> list[Any]:
    return [
        space.door.create(space.core("configmaps"), {"metadata": {"name": name, "labels": {"mine": "yes"}}, "data": {"a": "1"}}) for name in names
    ]


# ---- versions


def test_versions_grow_and_a_watch_tells_in_order(space: Space) -> None:
    before = space.door.get(space.core("configmaps"))["metadata"]["resourceVersion"]
    made = configs(space, "c", "a", "b")
    space.door.patch(space.core("configmaps", "a"), {"data": {"a": "2"}})
    space.door.delete(space.core("configmaps", "c"))
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in made]
    assert versions == sorted(set(versions))
    with space.door.watch(space.core("configmaps") + f"?watch=1&resourceVersion={before}&labelSelector=mine%3Dyes") as events:
        seen = [next(events) for _ in range(5)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [
        ("ADDED", "c"),
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("MODIFIED", "a"),
        ("DELETED", "c"),
    ]
    told = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert told == sorted(set(told))
    assert told[:3] == versions


def test_a_stale_replace_is_a_conflict(space: Space) -> None:
    (old,) = configs(space, "x")
    space.door.patch(space.core("configmaps", "x"), {"data": {"a": "2"}})
    answer = space.door("PUT", space.core("configmaps", "x"), {**old, "data": {"a": "3"}})
    assert (answer.code, answer.body["reason"], answer.body["details"]) == (409, "Conflict", {"name": "x", "kind": "configmaps"})
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "x": the object has been modified; please apply your changes to the latest version and try again'
    )


def test_a_write_that_changes_nothing_writes_nothing(space: Space) -> None:
    (made,) = configs(space, "x")
    assert space.door.patch(space.core("configmaps", "x"), {"data": {"a": "1"}})["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert space.door("PUT", space.core("configmaps", "x"), made).version == made["metadata"]["resourceVersion"]


def test_a_version_of_the_future(space: Space) -> None:
    answer = space.door("GET", space.core("configmaps") + "?resourceVersion=999999999&resourceVersionMatch=NotOlderThan")
    assert (answer.code, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


# ---- watches


def test_a_watch_list_ends_with_its_mark(space: Space) -> None:
    configs(space, "a", "b")
    query = "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=mine%3Dyes"
    with space.door.watch(space.core("configmaps") + query) as events:
        seen = [next(events) for _ in range(3)]
    assert [event["type"] for event in seen] == ["ADDED", "ADDED", "BOOKMARK"]
    assert seen[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_ends_in_time_with_a_bookmark(space: Space) -> None:
    configs(space, "a")
    with space.door.watch(space.core("configmaps") + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=4&labelSelector=mine%3Dyes") as events:
        seen = list(events)
    assert seen[0]["type"] == "ADDED"
    assert {event["type"] for event in seen[1:]} == {"BOOKMARK"}
    assert set(seen[-1]["object"]) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize("plural", ["configmaps", "events"])  # events: without a cache in the server
def test_a_watch_from_just_before_a_change_brings_it_first(space: Space, plural: str) -> None:
    about = {"involvedObject": {"kind": "Pod", "name": "p", "namespace": space.name}, "reason": "Tested"} if plural == "events" else {}
    path = space.core(plural)
    made = space.door.create(path, {"metadata": {"name": "a", "labels": {"mine": "yes"}}, **about})
    changed = space.door.patch(f"{path}/a", {"metadata": {"labels": {"more": "too"}}})
    configs(space, "other")
    space.door.delete(f"{path}/a")
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in (made, changed)]
    for change, version in zip(("ADDED", "MODIFIED"), versions, strict=True):
        with space.door.watch(f"{path}?watch=1&resourceVersion={version - 1}") as events:
            first = next(events)
        assert (first["type"], first["object"]["metadata"]["uid"]) == (change, made["metadata"]["uid"])
        assert int(first["object"]["metadata"]["resourceVersion"]) == version
    with space.door.watch(f"{path}?watch=1&resourceVersion={versions[-1]}") as events:
        last = next(event for event in events if event["type"] == "DELETED")
    with space.door.watch(f"{path}?watch=1&resourceVersion={int(last['object']['metadata']['resourceVersion']) - 1}") as events:
        assert next(events) == last


def test_what_leaves_a_selector_is_deleted(space: Space) -> None:
    (made,) = configs(space, "a")
    query = f"?watch=1&labelSelector=mine%3Dyes&resourceVersion={made['metadata']['resourceVersion']}"
    with space.door.watch(space.core("configmaps") + query) as events:
        space.door.patch(space.core("configmaps", "a"), {"metadata": {"labels": {"mine": "no"}}})
        event = next(events)
    assert (event["type"], event["object"]["metadata"]["labels"]) == ("DELETED", {"mine": "yes"})


def test_the_client_library(space: Space, peer: Peer) -> None:
    program = [sys.executable, str(Path(__file__).with_name("typed_client.py")), str(peer.kubeconfig), space.name]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "404"), done.stderr


# ---- pages


def test_pages_are_of_one_moment(space: Space) -> None:
    configs(space, *"abcde")
    query = "?labelSelector=mine%3Dyes&limit=2"
    first = space.door.get(space.core("configmaps") + query)
    configs(space, "aa")
    space.door.delete(space.core("configmaps", "e"))
    names, versions, page = [], set(), first
    while True:
        names += [obj["metadata"]["name"] for obj in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
        if not page["metadata"].get("continue"):
            break
        page = space.door.get(space.core("configmaps") + f"{query}&continue={page['metadata']['continue']}")
    assert names == list("abcde")
    assert len(versions) == 1
    assert "remainingItemCount" not in first["metadata"]  # not counted with a selector
    whole = space.door.get(space.core("configmaps") + "?limit=1")
    total = len(space.door.get(space.core("configmaps"))["items"])
    assert whole["metadata"]["remainingItemCount"] == total - 1
    assert space.door("GET", space.core("configmaps") + "?limit=1&continue=garbage").code == 400


# ---- patches


def test_each_type_of_patch(space: Space) -> None:
    door, path = space.door, space.apps("deployments", "d")
    door.create(space.apps("deployments"), workload("d", 0))
    two = [{"name": "c", "image": "registry.k8s.io/pause:3.9"}, {"name": "extra", "image": "registry.k8s.io/pause:3.9"}]
    body = {"spec": {"template": {"spec": {"containers": two}}}}
    merged = door.patch(path, body, STRATEGIC)
    assert [one["name"] for one in merged["spec"]["template"]["spec"]["containers"]] == ["c", "extra"]
    drop = {"spec": {"template": {"spec": {"containers": [{"name": "extra", "$patch": "delete"}]}}}}
    assert len(door.patch(path, drop, STRATEGIC)["spec"]["template"]["spec"]["containers"]) == 1
    replaced = door.patch(path, {"spec": {"template": {"spec": {"containers": [two[1]]}}}}, MERGE)
    assert [one["name"] for one in replaced["spec"]["template"]["spec"]["containers"]] == ["extra"]
    steps = [{"op": "test", "path": "/spec/replicas", "value": 0}, {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
    assert door.patch(path, steps, JSON_PATCH)["metadata"]["labels"] == {"a": "b"}
    refused = door("PATCH", path, [{"op": "test", "path": "/spec/replicas", "value": 5}], JSON_PATCH)
    assert (refused.code, refused.body["message"]) == (422, "the server rejected our request due to an error in our request")
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"paused": True}}
    assert door.patch(f"{path}?fieldManager=me", applied, APPLY)["spec"]["paused"] is True
    conflict = door("PATCH", f"{path}?fieldManager=you", {**applied, "spec": {"paused": False}}, APPLY)
    assert conflict.body["details"]["causes"] == [{"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".spec.paused"}]
    assert "paused" not in door.patch(f"{path}?fieldManager=me", {"apiVersion": "apps/v1", "kind": "Deployment"}, APPLY)["spec"]
    assert door("PATCH", path, {}, "text/plain").code == 415


def test_a_dry_run_leaves_nothing(space: Space) -> None:
    door = space.door
    made = door.create(space.core("configmaps") + "?dryRun=All", {"metadata": {"name": "x"}})
    assert made["metadata"]["uid"]
    assert door("GET", space.core("configmaps", "x")).code == 404
    (present,) = configs(space, "x")
    assert door.patch(space.core("configmaps", "x") + "?dryRun=All", {"data": {"a": "9"}})["data"] == {"a": "9"}
    assert door.delete(space.core("configmaps", "x") + "?dryRun=All").code == 200
    assert door.get(space.core("configmaps", "x")) == present
    assert door("POST", space.core("configmaps") + "?dryRun=Some", {"metadata": {"name": "y"}}).code == 422


def test_strict_fields(space: Space) -> None:
    body = {"metadata": {"name": "x"}, "dato": {}, "data": {"a": "1"}}
    strict = space.door("POST", space.core("configmaps") + "?fieldValidation=Strict", body)
    assert (strict.code, strict.body["message"]) == (
        400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dato"',
    )
    warned = space.door("POST", space.core("configmaps") + "?dryRun=All", body)
    assert (warned.code, warned.warnings) == (201, ['"unknown field \\"dato\\""'])
    assert space.door("POST", space.core("configmaps") + "?fieldValidation=Ignore", body).warnings == []


# ---- shapes


COLUMNS = {
    "/api/v1/pods": "Name,Ready,Status,Restarts,Age,IP,Node,Nominated Node,Readiness Gates",
    "/api/v1/nodes": "Name,Status,Roles,Age,Version,Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime",
    "/api/v1/events": "Last Seen,Type,Reason,Object,Subobject,Source,Message,First Seen,Count,Name",
    "/api/v1/services": "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector",
    "/api/v1/namespaces": "Name,Status,Age",
    "/api/v1/configmaps": "Name,Data,Age",
    "/api/v1/secrets": "Name,Type,Data,Age",
    "/api/v1/persistentvolumeclaims": "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode",
    "/api/v1/persistentvolumes": "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,VolumeMode",
    "/apis/apps/v1/deployments": "Name,Ready,Up-to-date,Available,Age,Containers,Images,Selector",
    "/apis/apps/v1/statefulsets": "Name,Ready,Age,Containers,Images",
    "/apis/apps/v1/replicasets": "Name,Desired,Current,Ready,Age,Containers,Images,Selector",
    "/apis/apps/v1/daemonsets": "Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age,Containers,Images,Selector",
    "/apis/batch/v1/jobs": "Name,Status,Completions,Duration,Age,Containers,Images,Selector",
    "/apis/batch/v1/cronjobs": "Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age,Containers,Images,Selector",
    "/apis/autoscaling/v2/horizontalpodautoscalers": "Name,Reference,Targets,MinPods,MaxPods,Replicas,Age",
    "/apis/networking.k8s.io/v1/ingresses": "Name,Class,Hosts,Address,Ports,Age",
    "/apis/networking.k8s.io/v1/networkpolicies": "Name,Pod-Selector,Age",
    "/apis/discovery.k8s.io/v1/endpointslices": "Name,AddressType,Ports,Endpoints,Age",
    "/apis/policy/v1/poddisruptionbudgets": "Name,Min Available,Max Unavailable,Allowed Disruptions,Age",
    "/apis/storage.k8s.io/v1/storageclasses": "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age",
}


@pytest.mark.parametrize("path", COLUMNS)
def test_columns_of_tables(peer: Peer, path: str) -> None:
    answer = peer.door("GET", f"{path}?limit=1&includeObject=None", accept=TABLE)
    assert (answer.code, answer.body["kind"]) == (200, "Table")
    assert ",".join(column["name"] for column in answer.body["columnDefinitions"]) == COLUMNS[path]


REFUSED = [
    ("GET", "pods/none", None, 404, "NotFound", 'pods "none" not found'),
    ("GET", "nonsense", None, 404, "NotFound", "the server could not find the requested resource"),
    ("POST", "pods", {"kind": "Secret", "apiVersion": "v1"}, 400, "BadRequest", 'Secret in version "v1" cannot be handled as a Pod'),
    ("POST", "pods", b"{", 400, "BadRequest", "the object provided is unrecognized"),
    ("POST", "pods", {"metadata": {"name": "X y"}}, 422, "Invalid", 'Pod "X y" is invalid'),
    ("DELETE", "pods/none", None, 404, "NotFound", 'pods "none" not found'),
    ("POST", "pods/none", {}, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
]


@pytest.mark.parametrize(("method", "rest", "body", "code", "reason", "message"), REFUSED)
def test_the_shape_of_a_refusal(space: Space, method: str, rest: str, body: Any, code: int, reason: str, message: str) -> None:
    answer = space.door(method, space.core(rest), body)
    assert (answer.code, answer.body["kind"], answer.body["status"], answer.body["code"]) == (code, "Status", "Failure", code)
    assert answer.body["reason"] == reason
    assert answer.body["message"].startswith(message)


@pytest.mark.needs_kubectl
def test_kubectl_applies_and_sees_no_difference(space: Space, tmp_path: Any) -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}, ports: [{port: 80}]}\n"
    assert "service/s created" in space.kubectl("apply", "-f", "-", stdin=text)
    assert "service/s unchanged" in space.kubectl("apply", "-f", "-", stdin=text)
    assert space.kubectl("diff", "-f", "-", stdin=text) == ""
    assert "service/s serverside-applied" in space.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    space.door.create(space.core("pods"), pod("p"))
    assert "p" in space.kubectl("get", "pods", "-o", "wide")
    assert "Controlled By" not in space.kubectl("describe", "pod", "p")
