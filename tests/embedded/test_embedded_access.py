"""Rights: impersonated users and ServiceAccount tokens are held to RBAC, the admin passes; reviews answer the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from embedded.conftest import Wire
from recordings import recorded

ERRORS = recorded("api-errors")
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def team(wire: Wire) -> str:
    """The namespace, account and role of the recordings; returns the account's token."""
    await wire("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    base, rbac = "/api/v1/namespaces/team", "/apis/rbac.authorization.k8s.io/v1/namespaces/team"
    await wire("POST", f"{base}/serviceaccounts", {"metadata": {"name": "dev"}})
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["s1"]},
    ]
    await wire("POST", f"{rbac}/roles", {"metadata": {"name": "dev"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "dev", "namespace": "team"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "dev"}
    await wire("POST", f"{rbac}/rolebindings", {"metadata": {"name": "dev"}, "roleRef": reference, "subjects": [subject]})
    token = await wire("POST", f"{base}/serviceaccounts/dev/token", {"spec": {"expirationSeconds": 3600}})
    assert token.code == 201
    return str(token.body["status"]["token"])


REFUSED = sorted(
    name for name, case in ERRORS.items()
    if name.startswith("sa-") and case["status"] == 403 and not name.startswith("sa-metrics-") and name != "sa-metrics" and case["request"].startswith("GET ")
)  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_reads_that_are_refused(wire: Wire, name: str) -> None:
    token = await team(wire)
    case = ERRORS[name]
    reply = await wire("GET", case["request"].partition(" ")[2], Authorization=f"Bearer {token}")
    assert (reply.code, reply.body) == (403, case["body"])


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("sa-evict", "POST", "/api/v1/namespaces/team/pods/x/eviction"),
        ("sa-patch-deploy-scale", "PATCH", "/apis/apps/v1/namespaces/team/deployments/x/scale"),
        ("sa-patch-node", "PATCH", "/api/v1/nodes/worker-1"),
    ],
)
async def test_writes_that_are_refused(wire: Wire, name: str, method: str, path: str) -> None:
    token = await team(wire)
    reply = await wire(method, path, {}, Authorization=f"Bearer {token}")
    assert (reply.code, reply.body) == (403, ERRORS[name]["body"])


async def test_what_is_allowed_works(wire: Wire) -> None:
    bearer = {"Authorization": f"Bearer {await team(wire)}"}
    assert (await wire("GET", "/api/v1/namespaces/team/pods", **bearer)).code == 200
    assert (await wire("GET", "/api/v1/namespaces/team/pods/x", **bearer)).body == ERRORS["sa-get-pod-missing"]["body"]
    assert (await wire("GET", "/livez", **bearer)).code == 200
    assert (await wire("GET", "/apis", **bearer)).code == 200
    lines = await wire.watch(
        "/api/v1/namespaces/team/events?watch=1&resourceVersion=999999999&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", **bearer
    )
    assert lines[0]["object"]["code"] == 504
    denied = await wire("GET", "/api/v1/pods", Impersonate_User="alice", **bearer)
    assert denied.body == ERRORS["impersonate-denied"]["body"]


async def test_a_token_ends_with_its_account_and_its_time(wire: Wire) -> None:
    bearer = {"Authorization": f"Bearer {await team(wire)}"}
    forged = bearer["Authorization"][:-4] + "AAAA"
    assert (await wire("GET", "/livez", Authorization=forged)).code == 401
    clock: Any = wire.core.clock
    clock.advance(3601)
    assert (await wire("GET", "/api/v1/namespaces/team/pods", **bearer)).code == 401
    fresh = {"Authorization": f"Bearer {await team(wire)}"}
    assert (await wire("GET", "/api/v1/namespaces/team/pods", **fresh)).code == 200
    await wire("DELETE", "/api/v1/namespaces/team/serviceaccounts/dev")
    assert (await wire("GET", "/api/v1/namespaces/team/pods", **fresh)).code == 401


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"verb": "list", "resource": "pods", "namespace": "team"}, True),
        ({"verb": "list", "resource": "pods"}, False),
        ({"verb": "watch", "resource": "pods", "namespace": "team"}, False),
        ({"verb": "get", "resource": "secrets", "name": "s1", "namespace": "team"}, True),
        ({"verb": "get", "resource": "secrets", "namespace": "team"}, False),
        ({"verb": "update", "resource": "deployments", "subresource": "scale", "group": "apps", "namespace": "team"}, False),
        ({"verb": "list", "resource": "nosuch", "group": "x.io"}, False),
    ],
)
async def test_reviews(wire: Wire, attributes: dict[str, str], allowed: bool) -> None:
    token = await team(wire)
    reply = await wire("POST", REVIEW, {"spec": {"resourceAttributes": attributes}}, Authorization=f"Bearer {token}")
    assert (reply.code, reply.body["status"]["allowed"]) == (201, allowed)
    if allowed:
        assert reply.body["status"]["reason"] == 'RBAC: allowed by RoleBinding "dev/team" of Role "dev" to ServiceAccount "dev/team"'
    admin = await wire("POST", REVIEW, {"spec": {"resourceAttributes": attributes}})
    assert admin.body["status"] == {"allowed": True}


async def test_rules_review(wire: Wire) -> None:
    token = await team(wire)
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    reply = await wire("POST", path, {"spec": {"namespace": "team"}}, Authorization=f"Bearer {token}")
    rules = reply.body["status"]["resourceRules"]
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s1"]} in rules
    assert reply.body["status"]["incomplete"] is False


async def test_view_may_read_but_not_secrets(wire: Wire) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    body = {"metadata": {"name": "v"}, "roleRef": reference, "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}]}
    await wire("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)
    for path, code in (("/api/v1/pods", 200), ("/api/v1/secrets", 403), ("/api/v1/nodes", 403), ("/apis/apps/v1/deployments", 200)):
        assert (await wire("GET", path, Impersonate_User="ann")).code == code, path


async def test_quota_and_priority_and_accounts(wire: Wire) -> None:
    base = "/api/v1/namespaces/default"
    await wire("POST", f"{base}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1", "requests.cpu": "1"}}})
    pod: dict[str, Any] = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "800m"}}}]},
    }
    assert (await wire("POST", f"{base}/pods", pod)).code == 201
    refused = await wire("POST", f"{base}/pods", {**pod, "metadata": {"name": "p2"}})
    wanted = 'pods "p2" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=800m, used: pods=1,requests.cpu=800m, limited: pods=1,requests.cpu=1'
    assert refused.body["message"] == wanted
    bare = {"metadata": {"name": "p3"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    assert "must specify requests.cpu for: c" in (await wire("POST", f"{base}/pods", bare)).body["message"]
    nobody = {"metadata": {"name": "p4"}, "spec": {**pod["spec"], "serviceAccountName": "nope"}}
    message = (await wire("POST", f"{base}/pods", nobody)).body["message"]
    assert re.search('error looking up service account default/nope: serviceaccount "nope" not found', message)
