from typing import Any

import pytest

from builders import put
from clusters import live, refuse, replay
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import rights
from kubepane.insight.finding import Level

READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([READ], "get,list configmaps"),
        ([READ, READ], "get,list configmaps"),
        ([READ, {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "list"]}],
         "get,list configmaps, deployments.apps, deployments/scale.apps"),
        ([READ, {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}], "get,list configmaps; create jobs.batch"),
        ([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]}], "get secrets/a, secrets/b"),
        ([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], "all verbs on everything"),
        ([{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}], "get everything in core"),
        ([{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}], "get pods"),
        ([{"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}], "create,patch events, events.events.k8s.io"),
        ([], "nothing"),
        (None, "nothing"),
        ([{"verbs": None, "resources": None, "apiGroups": None}], "nothing"),
    ],
)  # fmt: skip
def test_rules_in_words(rules: Any, words: str) -> None:
    role = put(live(), k.ROLES, "x", rules=rules)
    assert rights.in_words(role.rules) == words


def bind(stores: Stores, kind: str = "Role", name: str = "read", **account: str) -> rights.Grant:
    subject = {"kind": "ServiceAccount", "name": "app"} | account
    binding: r.RoleBinding = put(stores, k.ROLEBINDINGS, "app", roleRef={"kind": kind, "name": name}, subjects=[subject])
    return rights.grant(stores, binding, rights.accounts(binding)[0])


def test_a_grant() -> None:
    stores = live()
    put(stores, k.SERVICEACCOUNTS, "app")
    put(stores, k.ROLES, "read", rules=[READ])
    found = bind(stores)
    assert (found.account, found.role, found.rights, found.finding.level, found.finding.clause) == (
        "app", "role/read", "get,list configmaps", Level.OK, "may get,list configmaps",
    )  # fmt: skip


def test_what_is_missing_is_named() -> None:
    stores = live()
    assert (bind(stores).finding.level, bind(stores).finding.clause) == (Level.WARN, "no ServiceAccount app in namespace shop")
    put(stores, k.SERVICEACCOUNTS, "app")
    put(stores, k.ROLES, "write", rules=[READ])
    put(stores, k.ROLES, "elsewhere", "other", rules=[READ])
    assert (bind(stores).finding.level, bind(stores).finding.clause) == (Level.BAD, "no Role read (have: write)")


def test_accounts_of_kubernetes_itself_may_be_absent() -> None:
    assert bind(live(), namespace="kube-system").finding.level is Level.OFF


def test_a_cluster_role_is_not_expanded() -> None:
    stores = live()
    put(stores, k.SERVICEACCOUNTS, "app")
    found = bind(stores, "ClusterRole", "view")
    assert (found.role, found.rights, found.finding.level) == ("clusterrole/view", "", Level.OK)
    assert found.finding.clause == "as ClusterRole view allows: its rules are not read here"


def test_everything_is_worth_a_look() -> None:
    stores = live()
    put(stores, k.SERVICEACCOUNTS, "app")
    put(stores, k.ROLES, "read", rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    assert (bind(stores).finding.level, bind(stores).finding.clause) == (Level.WARN, "may do everything in the namespace")


def test_nothing_is_missed_where_nothing_may_be_listed() -> None:
    stores = live()
    refuse(stores, k.ROLES, k.SERVICEACCOUNTS)
    assert (bind(stores).finding.level, bind(stores).finding.clause) == (Level.OFF, "could not look: may not list roles.rbac.authorization.k8s.io")


def test_an_account_of_another_namespace_keeps_its_own() -> None:
    stores = live()
    put(stores, k.SERVICEACCOUNTS, "app", "tools")
    put(stores, k.ROLES, "read", rules=[READ])
    assert bind(stores, namespace="tools").account == "tools/app"
    assert [(g.namespace, g.role) for g in rights.grants(stores, "tools", "app")] == [("shop", "role/read")]
    assert rights.grants(stores, "shop", "app") == []


def test_users_and_groups_are_no_accounts() -> None:
    binding = put(live(), k.ROLEBINDINGS, "x", subjects=[{"kind": "User", "name": "a"}, {"kind": "Group", "name": "b"}])
    assert rights.accounts(binding) == []
    assert rights.accounts(put(live(), k.ROLEBINDINGS, "x")) == []


def test_an_account_on_a_real_cluster() -> None:
    stores = replay("storage-and-network")
    found = rights.grants(stores, "st-try", "reader")
    assert [(g.role, g.rights) for g in found] == [
        ("clusterrole/view", ""),
        ("role/lacks", ""),
        ("role/read", "get,list configmaps, deployments.apps, deployments/scale.apps; get secrets/s1"),
    ]
    account = stores.serviceaccounts.named("st-try", "reader")
    assert account is not None
    assert rights.explain_account(stores, account)[0].clause == "no Role lacks (have: read)"
    default = stores.serviceaccounts.named("st-try", "default")
    assert default is not None
    assert [f.clause for f in rights.explain_account(stores, default)] == ["no RoleBinding names it: it may do what every ServiceAccount may"]
    refuse(stores, k.ROLEBINDINGS)
    assert rights.explain_account(stores, default)[0].clause == "could not look: may not list rolebindings.rbac.authorization.k8s.io"


@pytest.mark.parametrize("missing", ["verbs", "resources", "apiGroups"])
def test_everything_means_all_three(missing: str) -> None:
    stores = live()
    put(stores, k.SERVICEACCOUNTS, "app")
    put(stores, k.ROLES, "read", rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]} | {missing: ["one"]}])
    assert bind(stores).finding.level is Level.OK


def test_an_account_named_twice_is_one() -> None:
    subjects = [{"kind": "ServiceAccount", "name": "a"}, {"kind": "ServiceAccount", "name": "a", "namespace": "shop"}]
    subjects.append({"kind": "ServiceAccount", "name": "a", "namespace": "other"})
    binding = put(live(), k.ROLEBINDINGS, "x", subjects=subjects)
    assert [(a.namespace, a.name) for a in rights.accounts(binding)] == [("shop", "a"), ("other", "a")]
