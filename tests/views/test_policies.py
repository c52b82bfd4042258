import json
from datetime import datetime
from typing import Any

import pytest

from builders import NOW, pod, put
from clusters import LIVE, live, paint, refuse, replay, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight import labels
from kubepane.views.filter import parse
from kubepane.views.policies import PoliciesView
from recordings import recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])
DNS = {"ports": [{"port": 53, "protocol": "UDP"}]}
MYSQL = {
    "podSelector": {"matchLabels": {"app": "mysql"}}, "policyTypes": ["Ingress", "Egress"], "egress": [DNS],
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "chatapp"}}}], "ports": [{"port": 3306}]}],
}  # fmt: skip


def env(kind: str, name: str, *keys: str) -> list[dict[str, Any]]:
    return [{"name": key.upper(), "valueFrom": {kind: {"name": name, "key": key}}} for key in keys]


def template(*env_: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "app", "env": list(env_)}]}}}


def story() -> Stores:
    """The five rows of the look."""
    stores = live()
    put(stores, k.NETWORKPOLICIES, "mysql", "chatapp", uid="np", spec=MYSQL)
    pod(stores, "mysql-0", "chatapp", labels={"app": "mysql"})
    for i in range(18):
        pod(stores, f"p{i}", "shop", labels={"app": "web"})
    put(stores, k.SERVICEACCOUNTS, "chatapp", "chatapp")
    put(stores, k.ROLES, "chatapp-read", "chatapp", rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])
    subjects = [{"kind": "ServiceAccount", "name": "chatapp"}]
    put(stores, k.ROLEBINDINGS, "chatapp", "chatapp", uid="rb", roleRef={"kind": "Role", "name": "chatapp-read"}, subjects=subjects)
    put(stores, k.SECRETS, "mysql-secret", "chatapp", uid="secret")
    put(stores, k.STATEFULSETS, "mysql", "chatapp", spec=template(*env("secretKeyRef", "mysql-secret", "password", "root_pass")))
    put(stores, k.CONFIGMAPS, "checkout-env", data={"other": ""})
    put(stores, k.DEPLOYMENTS, "checkout", spec=template(*env("configMapKeyRef", "checkout-env", "DB_URL")))
    return stores


def test_narrow_as_the_look_has_it() -> None:
    table = shown(PoliciesView, story())
    assert paint(table, 56, 8) == [
        "✕ checkout-env → checkout  key DB_URL missing",
        "● mysql:3306 ← app=chatapp  only, DNS out allowed",
        "▲ shop/*  open: 18 pods, no policy",
        "● sa/chatapp → role/chatapp-read  get,list configmaps",
        "● mysql-secret → mysql  password, root_pass",
    ]
    title = "".join(t for part in table.title(56) for t, _ in part)
    assert title == "8 Policies 1 · 1 broken · roles 1 · keys 3"


def test_wide_with_namespaces_and_the_details_of_the_cursor() -> None:
    lines = paint(shown(PoliciesView, story()), 116, 26, cursor=1)
    assert lines[:3] == [
        "  NAMESPACE",
        "✕ shop      checkout-env → checkout  key DB_URL missing",
        "● chatapp   mysql:3306 ← app=chatapp  only, DNS out allowed",
    ]
    assert lines[6:] == [
        "",
        "▲ mysql: lets app=chatapp in, but no pod has these labels",
        "  cure correct the selector, or start the pods",
        "● mysql: selects 1 pod",
        "  in   3306 ← app=chatapp",
        "  out  53/UDP → anyone",
    ]


def test_the_other_rows_have_details_too() -> None:
    table = shown(PoliciesView, story())
    for cursor, words in (
        (0, "cure add key DB_URL to ConfigMap checkout-env"),
        (2, "shop: 18 pods"),
        (3, "may get,list configmaps"),
        (4, "it is there"),
    ):
        assert any(words in line for line in paint(table, 116, 26, cursor))


def test_notes_name_the_namespace() -> None:
    table = shown(PoliciesView, story())
    assert [table.row(key, 56, 8).note for key in table.order] == [
        "shop: ConfigMap checkout-env: key DB_URL missing; asked for by checkout",
        "chatapp: mysql selects 1 pod",
        "shop: 18 pods, no policy",
        "chatapp: chatapp: may get,list configmaps",
        "chatapp: Secret mysql-secret: it is there; asked for by mysql",
    ]


def test_records() -> None:
    table = shown(PoliciesView, replay("storage-and-network"), AT)
    found = [table.view.record(key, AT) for key in table.order]
    json.dumps(found)
    policies = {r["name"]: r for r in found if r["kind"] == "networkpolicy"}
    for cells in SEEN["networkpolicies"]["rows"]:
        assert [policies[cells[0]][c] for c in ("name", "pod_selector")] == cells[:2]
    assert (policies["web"]["pods"], policies["deny"]["pods_without_dns"]) == (3, 6)
    assert policies["web"]["ingress"] == [{"ports": "8080", "peers": "app=a"}]
    assert policies["typo"]["egress"] is None
    access = {(r["role"], r["serviceaccount"]): r for r in found if r["kind"] == "access"}
    assert access["role/lacks", "reader"]["why"] == "no Role lacks (have: read)"
    assert access["role/read", "reader"]["verbs"].startswith("get,list configmaps")
    given = {r["name"]: r for r in found if r["kind"] == "configuration"}
    assert (given["cfg"]["exists"], given["cfg"]["missing"], given["cfg"]["used_by"]) == (True, ["nokey"], ["pod/uses-bound"])
    assert (given["nosecret"]["exists"], given["nosecret"]["object"], given["nosecret"]["uid"]) == (False, "Secret", "")
    assert not [r for r in found if r["kind"] == "open"], "a policy selects every pod"


@pytest.mark.parametrize("width", [40, 54, 76, 90, 91, 116, 156, 240])
@pytest.mark.parametrize("height", [3, 8, 14, 20, 44])
def test_every_size_fits(width: int, height: int) -> None:
    table = shown(PoliciesView, replay("storage-and-network"), AT)
    for cursor in range(len(table.order)):
        paint(table, width, height, cursor)


def test_rows_stand_for_their_objects() -> None:
    table = shown(PoliciesView, story())
    found = {key: table.view.object(key) for key in table.order}
    assert {key: (obj[0].kind, obj[1].metadata.name) if obj else None for key, obj in found.items()} == {
        "config/ConfigMap/shop/checkout-env": ("ConfigMap", "checkout-env"),
        "np": ("NetworkPolicy", "mysql"),
        "open/shop": None,
        "rb/chatapp/chatapp": ("RoleBinding", "chatapp"),
        "config/Secret/chatapp/mysql-secret": ("Secret", "mysql-secret"),
    }
    assert [table.view.namespace(key) for key in table.order] == ["shop", "chatapp", "shop", "chatapp", "chatapp"]


# ---- kept up to date


def rows(table: Any) -> dict[str, str]:
    table.update()
    return {key: table.view.record(key, NOW)["rule"] for key in table.order}


def test_policies_and_pods() -> None:
    stores = live()
    table = shown(PoliciesView, stores)
    assert rows(table) == {}
    web = pod(stores, "web", labels={"app": "web"})
    assert rows(table) == {"open/shop": "shop/*  open: 1 pod, no policy"}
    put(stores, k.NETWORKPOLICIES, "deny", uid="deny", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    assert rows(table) == {"deny": "shop/* ← nobody  nothing out, blocks DNS"}
    put(stores, k.NETWORKPOLICIES, "dns", uid="dns", spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [DNS]})
    assert rows(table)["deny"] == "shop/* ← nobody  nothing out, DNS by another policy"
    stores.networkpolicies.drop("dns")
    assert rows(table) == {"deny": "shop/* ← nobody  nothing out, blocks DNS"}
    stores.pods.drop(web.metadata.uid)
    assert rows(table) == {"deny": "shop/* ← nobody  nothing out, no DNS out  selects no pod (the namespace has none)"}
    pod(stores, "web", uid="web-2", labels={"app": "web"})
    stores.networkpolicies.drop("deny")
    assert rows(table) == {"open/shop": "shop/*  open: 1 pod, no policy"}
    stores.pods.drop("web-2")
    assert rows(table) == {}


def test_a_change_of_a_pod_that_changes_no_count_touches_no_row() -> None:
    stores = story()
    table = shown(PoliciesView, stores)
    mysql = stores.pods.named("chatapp", "mysql-0")
    assert mysql is not None
    pod(stores, "mysql-0", "chatapp", uid=mysql.metadata.uid, labels={"app": "mysql"})
    assert table.update() == set()


def test_bindings_accounts_and_roles() -> None:
    stores = live()
    table = shown(PoliciesView, stores)
    subjects = [{"kind": "ServiceAccount", "name": "a"}, {"kind": "ServiceAccount", "name": "b"}, {"kind": "User", "name": "u"}]
    put(stores, k.ROLEBINDINGS, "x", uid="x", roleRef={"kind": "Role", "name": "r"}, subjects=subjects)
    assert set(rows(table)) == {"x/shop/a", "x/shop/b"}
    put(stores, k.SERVICEACCOUNTS, "a", uid="a")
    assert rows(table)["x/shop/a"] == "sa/a → role/r  no Role r (have: none)"
    put(stores, k.ROLES, "r", uid="r", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    assert rows(table)["x/shop/a"] == "sa/a → role/r  get pods"
    stores.roles.drop("r")
    assert rows(table)["x/shop/a"] == "sa/a → role/r  no Role r (have: none)"
    stores.serviceaccounts.drop("a")
    assert rows(table)["x/shop/a"] == "sa/a → role/r  no ServiceAccount a in namespace shop"
    put(stores, k.ROLEBINDINGS, "x", uid="x", roleRef={"kind": "Role", "name": "r"}, subjects=subjects[1:])
    assert set(rows(table)) == {"x/shop/b"}
    stores.rolebindings.drop("x")
    assert rows(table) == {}


def test_configuration() -> None:
    stores = live()
    table = shown(PoliciesView, stores)
    web = put(stores, k.DEPLOYMENTS, "web", uid="web", spec=template(*env("configMapKeyRef", "cfg", "a", "b")))
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → web  no ConfigMap cfg"}
    put(stores, k.CONFIGMAPS, "cfg", uid="cfg", data={"a": ""})
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → web  key b missing"}
    put(stores, k.CONFIGMAPS, "cfg", uid="cfg", data={"a": "", "b": ""})
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → web  a, b"}
    put(stores, k.CRONJOBS, "tidy", spec={"jobTemplate": {"spec": template(*env("configMapKeyRef", "cfg", "a"))}})
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → tidy +1  a, b"}
    stores.configmaps.drop("cfg")
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → tidy +1  no ConfigMap cfg"}
    for obj in (web, *stores.cronjobs):
        stores.of(k.BY_KIND[type(obj).__name__]).drop(obj.metadata.uid)
    assert rows(table) == {}


def test_a_secrets_key_is_missed_by_the_kubelet() -> None:
    stores = live()
    table = shown(PoliciesView, stores)
    put(stores, k.SECRETS, "keys")
    put(stores, k.DEPLOYMENTS, "web", spec=template(*env("secretKeyRef", "keys", "pw")))
    assert rows(table) == {"config/Secret/shop/keys": "keys → web  pw"}
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key pw in Secret shop/keys"}}
    pod(stores, "web-1", uid="p", status={"phase": "Pending", "containerStatuses": [{"name": "app", "state": state}]})
    assert rows(table)["config/Secret/shop/keys"] == "keys → web  key pw missing"
    pod(stores, "web-1", uid="p")
    assert rows(table)["config/Secret/shop/keys"] == "keys → web  pw"


def test_what_is_missing_shows_once_all_is_read() -> None:
    stores = live()
    for store in (stores.configmaps, stores.networkpolicies):
        store.set_freshness(Freshness(State.SYNCING))
    put(stores, k.DEPLOYMENTS, "web", uid="web", spec=template(*env("configMapKeyRef", "cfg", "a")))
    pod(stores, "alone")
    table = shown(PoliciesView, stores)
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → web  could not look: configmaps not read yet"}
    stores.configmaps.set_freshness(LIVE)
    stores.networkpolicies.set_freshness(LIVE)
    assert rows(table) == {"config/ConfigMap/shop/cfg": "cfg → web  no ConfigMap cfg", "open/shop": "shop/*  open: 1 pod, no policy"}


def test_who_may_see_no_policies_is_not_told_that_pods_are_open() -> None:
    stores = story()
    refuse(stores, k.NETWORKPOLICIES)
    stores.networkpolicies.replace([])
    table = shown(PoliciesView, stores)
    assert not any(key.startswith("open/") for key in table.order)
    assert "list networkpolicies.networking.k8s.io refused" in "".join(t for t, _ in table.fresh())


def test_a_filter_that_is_taken_away_brings_all_rows_back() -> None:
    table = shown(PoliciesView, story())
    before = list(table.order)
    table.set_filter(parse("mysql", table.view.fields()))
    assert list(table.order) == ["np", "config/Secret/chatapp/mysql-secret"]
    table.set_filter(parse("kind=open", table.view.fields()))
    assert list(table.order) == ["open/shop"]
    table.set_filter(parse("", table.view.fields()))
    assert list(table.order) == before
    table.set_namespaces(["shop"])
    assert list(table.order) == ["config/ConfigMap/shop/checkout-env", "open/shop"]
    table.set_sort("name")
    table.set_namespaces([])
    assert sorted(table.order) == sorted(before)


def test_hostile_names_stay_in_their_cells() -> None:
    stores = live()
    evil = "a\x1b[2Jb\u202ec[red]"
    put(stores, k.NETWORKPOLICIES, evil, evil, spec={"podSelector": {"matchLabels": {"app": evil}}, "ingress": [{"ports": [{"port": evil}]}]})
    put(stores, k.ROLEBINDINGS, evil, evil, roleRef={"kind": "Role", "name": evil}, subjects=[{"kind": "ServiceAccount", "name": evil}])
    put(stores, k.DEPLOYMENTS, evil, evil, spec=template(*env("configMapKeyRef", evil, evil)))
    table = shown(PoliciesView, stores)
    assert len(table.order) == 3
    for cursor in range(3):
        for line in paint(table, 116, 26, cursor):
            assert line.isprintable()
    assert labels.text(None) == "<none>"
