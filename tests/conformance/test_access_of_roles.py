"""The bundled roles: what an access review says of a group that has one, whoever asks, and what really happens then."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.peers import Peer, Space
from manifests.whole import own

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
VIEWER, OPERATOR, TAINTER = "viewers", "operators", "node-tainters"
ASKED = [
    ("list", "", "pods", "", {VIEWER, OPERATOR, TAINTER}),
    ("get", "", "pods", "log", {VIEWER, OPERATOR, TAINTER}),
    ("watch", "apps", "deployments", "", {VIEWER, OPERATOR, TAINTER}),
    ("list", "metrics.k8s.io", "pods", "", {VIEWER, OPERATOR, TAINTER}),
    ("update", "apps", "deployments", "scale", {OPERATOR}),
    ("patch", "apps", "deployments", "", {OPERATOR}),
    ("delete", "", "pods", "", {OPERATOR}),
    ("create", "", "pods", "eviction", {OPERATOR}),
    ("patch", "", "nodes", "", {TAINTER}),
    ("delete", "", "nodes", "", set()),
    ("get", "", "secrets", "", {OPERATOR}),
    ("escalate", RBAC.split("/")[2], "clusterroles", "", set()),
    ("impersonate", "", "users", "", set()),
]


@pytest.fixture(scope="module")
def mark(peer: Peer) -> Iterator[str]:
    """The bundled roles under names of the test's own, bound to groups of the test's own."""
    name = f"conformance-{secrets.token_hex(3)}"
    objects = json.loads(json.dumps(own("rbac")).replace('"kubepane-', f'"{name}-'))
    places = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"}
    made = []
    for obj in objects:
        peer.door.create(f"{RBAC}/{places[obj['kind']]}", obj)
        made.append(f"{RBAC}/{places[obj['kind']]}/{obj['metadata']['name']}")
    yield name
    for path in made:
        peer.door.delete(path)


def allowed(peer: Peer, group: str, question: dict[str, str]) -> bool:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": question}}
    answer = peer.door("POST", REVIEW, body, **{"Impersonate-User": "jane", "Impersonate-Group": group})
    assert answer.code == 201, answer.body
    verdict: bool = answer.body["status"]["allowed"]
    return verdict


@pytest.mark.parametrize(("verb", "api", "resource", "subresource", "groups"), ASKED)
def test_what_a_role_allows(peer: Peer, mark: str, verb: str, api: str, resource: str, subresource: str, groups: set[str]) -> None:
    question = {"verb": verb, "group": api, "resource": resource, "subresource": subresource, "namespace": "default" if resource != "nodes" else ""}
    found = {group for group in (VIEWER, OPERATOR, TAINTER) if allowed(peer, f"{mark}-{group}", question)}
    assert found == groups


def test_a_refusal_says_who_may_not_do_what(space: Space, mark: str) -> None:
    who = {"Impersonate-User": "jane", "Impersonate-Group": f"{mark}-{VIEWER}"}
    assert space.door("GET", space.core("pods"), **who).code == 200
    refused = space.door("DELETE", space.core("pods", "p"), **who)
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert (
        refused.body["message"] == f'pods "p" is forbidden: User "jane" cannot delete resource "pods" in API group "" in the namespace "{space.name}"'
    )


def test_rules_of_a_user(peer: Peer, mark: str) -> None:
    body: dict[str, Any] = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = peer.door("POST", path, body, **{"Impersonate-User": "jane", "Impersonate-Group": f"{mark}-{OPERATOR}"})
    assert answer.code == 201
    assert answer.body["status"]["incomplete"] is False
    assert any("deployments" in rule["resources"] and "patch" in rule["verbs"] for rule in answer.body["status"]["resourceRules"])
