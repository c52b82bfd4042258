"""Rights: every role allows what it promises, refuses the rest, and each of its rules is needed; asked of an API server that enforces them."""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from embedded.conftest import Wire
from kubepane.cluster.kinds import KINDS, SECRETS
from kubepane_manifests.documents import Object
from manifests.paths import REGISTRY, collection, resource
from manifests.test_strict_fields import listed, moved, real_server, run
from manifests.whole import NAMES, only, own

ROLES = {obj["metadata"]["name"]: obj for obj in [*own("rbac"), *own("chatapp")] if obj["kind"] in ("ClusterRole", "Role")}
GROUPS = {"kubepane-viewer": "kubepane-viewers", "kubepane-operator": "kubepane-operators", "kubepane-node-tainter": "kubepane-node-tainters"}
METHODS = {"list": "GET", "watch": "GET", "get": "GET", "create": "POST", "patch": "PATCH", "update": "PUT", "delete": "DELETE"}


class Right(NamedTuple):
    """A verb on a resource, `pods` or `pods/log`; `name` where it is about one object only."""

    verb: str
    group: str
    plural: str
    name: str = ""

    @property
    def path(self) -> str:
        """An address that asks for it."""
        plural, _, sub = self.plural.partition("/")
        versions = [one for one in REGISTRY.groups()[self.group] if REGISTRY.at(self.group, one, plural)]
        kind = REGISTRY.at(self.group, versions[0], plural)
        assert kind is not None
        place = f"{kind.path}/{'namespaces/chatapp/' if kind.namespaced else ''}{plural}"
        one = "" if self.verb in ("list", "watch", "create") and not sub else f"/{self.name or 'some'}"
        return f"{place}{one}{f'/{sub}' if sub else ''}{'?watch=true' if self.verb == 'watch' else ''}"


def rights(verbs: str, group: str, *plurals: str) -> set[Right]:
    return {Right(verb, group, plural) for verb, plural in product(verbs.split(), plurals)}


WRITTEN = {(kind.group, kind.plural) for name in NAMES if name != "rbac" for obj in own(name) if (kind := resource(obj))}
PROMISED: dict[str, set[Right]] = {
    # what the program watches, as the program itself lists it
    "kubepane-viewer": {right for kind in KINDS if kind is not SECRETS for right in rights("list watch get", kind.group, kind.plural)}
    | rights("get", "", "pods/log")
    | rights("list", "metrics.k8s.io", "pods", "nodes"),
    # what is in the bundled sets, and what the keys act on beside it
    "kubepane-operator": {right for group, plural in WRITTEN for right in rights("create patch delete", group, plural)}
    | rights("create patch delete", "", "persistentvolumeclaims")
    | rights("create patch delete", "apps", "daemonsets")
    | rights("create patch delete", "batch", "cronjobs")
    | rights("list watch get", "", "secrets")
    | rights("get update", "apps", "deployments/scale", "statefulsets/scale", "replicasets/scale")
    | rights("delete", "", "pods")
    | rights("delete", "apps", "replicasets")
    | rights("get list", "apps", "controllerrevisions")
    | rights("create", "", "pods/eviction")
    | rights("get list watch", "policy", "poddisruptionbudgets")
    | rights("create get", "", "pods/exec", "pods/portforward"),
    "kubepane-node-tainter": rights("patch", "", "nodes"),
    "chatapp": {Right("get", "", "configmaps", "mysql-configmap")},
}
REFUSED: dict[str, set[Right]] = {
    "kubepane-viewer": rights("get list watch create patch delete", "", "secrets")
    | rights("create patch delete", "", "pods", "namespaces", "configmaps")
    | rights("patch delete", "apps", "deployments")
    | rights("get update patch", "apps", "deployments/scale")
    | rights("patch update delete", "", "nodes")
    | rights("create get", "", "pods/exec", "pods/eviction"),
    "kubepane-operator": rights("patch update delete", "", "nodes")
    | rights("create patch delete", "rbac.authorization.k8s.io", "clusterroles", "clusterrolebindings")
    | rights("create", "", "serviceaccounts/token", "pods/attach")
    | rights("create patch", "", "events"),
    "kubepane-node-tainter": rights("update delete create", "", "nodes")
    | rights("patch", "", "pods")
    | rights("create", "", "pods/eviction")
    | rights("get list", "", "secrets"),
    "chatapp": rights("list watch", "", "configmaps")
    | {Right("get", "", "configmaps", "other"), Right("get", "", "secrets", "mysql-secret"), Right("patch", "", "configmaps", "mysql-configmap")}
    | rights("list get", "", "pods"),
}


def atoms(role: Object) -> list[tuple[Right, list[Object]]]:
    """Each single right of a role, with the rules that are left without it."""
    found = []
    for place, rule in enumerate(role["rules"]):
        for group, plural, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"]):
            right = Right(verb, group, plural, *rule.get("resourceNames", []))
            others = [
                {**rule, "resources": [r for r in rule["resources"] if r != plural]},
                {**rule, "resources": [plural], "verbs": [v for v in rule["verbs"] if v != verb]},
            ]
            kept = [one for one in others if one["resources"] and one["verbs"]]
            found.append((right, [*role["rules"][:place], *kept, *role["rules"][place + 1 :]]))
    return found


class Asking:
    """Requests of somebody who has one role alone."""

    def __init__(self, wire: Wire, role: str) -> None:
        self.wire = wire
        self.role = ROLES[role]
        self.who = (
            {"Impersonate_User": "jane", "Impersonate_Group": GROUPS[role]}
            if role in GROUPS
            else {"Impersonate_User": "system:serviceaccount:chatapp:chatapp"}
        )

    async def set_up(self) -> None:
        """The namespace, the role and its binding, and nothing else of the sets."""
        name = self.role["metadata"]["name"]
        theirs = [
            o
            for o in [*own("rbac"), *own("chatapp")]
            if o["metadata"]["name"] == name and o["kind"] in ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
        ]
        for obj in [*own("namespace"), *theirs]:
            assert (await self.wire("POST", collection(obj), obj)).code == 201

    async def rules(self, rules: list[Object]) -> None:
        """Gives the role other rules."""
        path = f"{collection(self.role)}/{self.role['metadata']['name']}"
        assert (await self.wire("PUT", path, {**self.role, "rules": rules})).code == 200

    async def may(self, right: Right) -> bool:
        """Whether the server takes such a request; what it says of its contents does not matter."""
        headers = {name.replace("_", "-"): value for name, value in self.who.items()} | {"Content-Type": "application/json"}
        if right.verb == "patch":
            headers["Content-Type"] = "application/merge-patch+json"
        data = b"{}" if right.verb in ("create", "update", "patch") else None
        async with self.wire.session.request(METHODS[right.verb], self.wire.url + right.path, data=data, headers=headers) as response:
            return response.status != 403  # the body is left alone: a watch has no end


@pytest.fixture
async def asking(wire: Wire, request: pytest.FixtureRequest) -> Asking:
    found = Asking(wire, request.param)
    await found.set_up()
    return found


each_role = pytest.mark.parametrize("asking", PROMISED, indirect=True)


def named(asking: Asking) -> str:
    return str(asking.role["metadata"]["name"])


@each_role
async def test_a_role_is_enough_and_no_more(asking: Asking) -> None:
    name = named(asking)
    assert [right for right in sorted(PROMISED[name]) if not await asking.may(right)] == []
    assert [right for right in sorted(REFUSED[name]) if await asking.may(right)] == []


@each_role
async def test_every_rule_and_every_word_in_it_is_needed(asking: Asking) -> None:
    name = named(asking)
    superfluous = [right for right, _ in atoms(asking.role) if right not in PROMISED[name]]
    assert superfluous == []
    for right, others in atoms(asking.role):
        await asking.rules(others)
        assert not await asking.may(right), f"{right} is allowed by something else too"
    for place, rule in enumerate(asking.role["rules"]):
        await asking.rules([*asking.role["rules"][:place], *asking.role["rules"][place + 1 :]])
        refused = {right for right in PROMISED[name] if not await asking.may(right)}
        assert {right.plural for right in refused} == set(rule["resources"])


def test_there_are_promises_for_every_role() -> None:
    assert PROMISED.keys() == REFUSED.keys() == ROLES.keys()


def test_no_role_has_rights_that_grow() -> None:
    for role in ROLES.values():
        for rule in role["rules"]:
            assert not {"*", "escalate", "bind", "impersonate", "deletecollection"} & {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}


def test_groups_get_what_is_built_for_them() -> None:
    bound = {obj["roleRef"]["name"]: [s["name"] for s in obj["subjects"]] for obj in own("rbac") if obj["kind"] == "ClusterRoleBinding"}
    assert bound == {
        "kubepane-viewer": [*GROUPS.values()],
        "kubepane-operator": ["kubepane-operators"],
        "kubepane-node-tainter": ["kubepane-node-tainters"],
    }
    binding = only(own("chatapp"), "RoleBinding", "chatapp")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "chatapp", "namespace": "chatapp"}]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "chatapp"}


class TestRealServer:
    """The roles on a real API server: applied under other names, bound to groups of the test's own, and removed."""

    pytestmark = real_server

    def test_an_operator_may_apply_the_story_and_a_viewer_may_not(self) -> None:
        kubeconfig, mark = Path(os.environ["KUBEPANE_TEST_KUBECONFIG"]), f"manifests-roles-{os.getpid()}"
        renamed = json.loads(json.dumps(own("rbac")).replace('"kubepane-', f'"{mark}-'))
        objects = moved(own("story"), mark)
        assert run(kubeconfig, "create", "namespace", mark).returncode == 0
        try:
            assert run(kubeconfig, "create", "-f", "-", stdin=listed(renamed)).returncode == 0
            for group, expected in ((f"{mark}-operators", 0), (f"{mark}-viewers", 1)):
                who = ["--as=jane", f"--as-group={group}"]
                # written for once: the server looks the role up when it is bound, and whether who binds it has its rights
                role = run(kubeconfig, "apply", "--server-side", "-f", "-", *who, stdin=listed([only(objects, "Role", "chatapp")]))
                rest = run(kubeconfig, "apply", "--server-side", "--dry-run=server", "-f", "-", *who, stdin=listed(objects))
                assert (role.returncode, rest.returncode) == (expected, expected), role.stderr + rest.stderr
                assert rest.stderr.count("forbidden") == (len(objects) if expected else 0)
        finally:
            run(kubeconfig, "delete", "namespace", mark, "--wait=false")
            run(kubeconfig, "delete", "-f", "-", stdin=listed(renamed))
