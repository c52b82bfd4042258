from typing import Any

import pytest

from builders import pod, put
from clusters import live, refuse
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight.configuration import CONFIG_MAP, SECRET, Complaint, Injection, Source, Use, complaints, injection, parse, uses
from kubepane.insight.finding import Level
from kubepane.insight.injections import Injections

CFG, KEYS = Source(CONFIG_MAP, "shop", "cfg"), Source(SECRET, "shop", "keys")


def env(key: str = "url", name: str = "cfg", optional: bool | None = None, kind: str = "configMapKeyRef") -> dict[str, Any]:
    return {"name": key.upper(), "value": "plain-text-value", "valueFrom": {kind: {"name": name, "key": key, "optional": optional}}}


def spec(*env_: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodeName": "n", "containers": [{"name": "app", "env": list(env_)}], **more}


def test_all_ways_of_injection() -> None:
    volumes = [
        {"name": "all", "configMap": {"name": "files"}},
        {"name": "some", "secret": {"secretName": "tls", "items": [{"key": "tls.crt", "path": "c"}], "optional": True}},
        {
            "name": "kube-api-access-x",
            "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"serviceAccountToken": {"path": "token"}}]},
        },
        {"name": "both", "projected": {"sources": [{"configMap": {"name": "p"}}, {"secret": {"name": "q", "items": [{"key": "k"}]}}]}},
        {"name": "none", "emptyDir": {}},
    ]
    app = {"name": "app", "env": [env(), env("pw", "keys", kind="secretKeyRef"), {"name": "PLAIN", "value": "x"}], "envFrom": [
        {"configMapRef": {"name": "more"}}, {"secretRef": {"name": "hidden", "optional": True}}]}  # fmt: skip
    found = pod(live(), "web", spec={"initContainers": [{"name": "init", "env": [env("early")]}], "containers": [app], "volumes": volumes})
    assert [(u.source.kind, u.source.name, u.keys, u.how, u.where, u.optional) for u in uses("shop", found.spec)] == [
        (CONFIG_MAP, "cfg", ("early",), "env", "init", False),
        (CONFIG_MAP, "cfg", ("url",), "env", "app", False),
        (SECRET, "keys", ("pw",), "env", "app", False),
        (CONFIG_MAP, "more", (), "envFrom", "app", False),
        (SECRET, "hidden", (), "envFrom", "app", True),
        (CONFIG_MAP, "files", (), "volume", "all", False),
        (SECRET, "tls", ("tls.crt",), "volume", "some", True),
        (CONFIG_MAP, "p", (), "volume", "both", False),
        (SECRET, "q", ("k",), "volume", "both", False),
    ]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("couldn't find key DB_URL in ConfigMap shop/checkout-env", [Complaint(Source(CONFIG_MAP, "shop", "checkout-env"), "DB_URL")]),
        ("couldn't find key root_pass in Secret shop/mysql-secret", [Complaint(Source(SECRET, "shop", "mysql-secret"), "root_pass")]),
        ('configmap "cfg" not found', [Complaint(CFG, "")]),
        ('secret "keys" not found', [Complaint(KEYS, "")]),
        ('configmaps "cfg" not found', [Complaint(CFG, "")]),
        ("container has runAsNonRoot and image will run as root", []),
        ("", []),
    ],
)
def test_what_a_kubelet_misses(message: str, found: list[Complaint]) -> None:
    assert parse("shop", message) == found
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    p = pod(live(), "web", status={"phase": "Pending", "containerStatuses": [{"name": "app", "state": waiting}]})
    assert complaints(p) == found


def test_other_reasons_are_no_complaints() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'secret "keys" not found'}}
    assert complaints(pod(live(), "web", status={"containerStatuses": [{"name": "app", "state": waiting}]})) == []


def judged(stores: Stores, source: Source = CFG, *told: tuple[str, Complaint], **use: Any) -> Injection:
    given = Use(source, use.get("keys", ("url",)), "env", "app", use.get("optional", False))
    return injection(stores, source, [("deployment/web", given)], told)


def test_a_config_map_and_its_keys() -> None:
    stores = live()
    found = judged(stores)
    assert (found.finding.level, found.finding.clause) == (Level.BAD, "no ConfigMap cfg")
    assert (judged(stores, optional=True).finding.level, judged(stores, optional=True).finding.clause) == (Level.OK, "not there, and optional")
    put(stores, k.CONFIGMAPS, "cfg", data={"other": "v"}, binaryData={"bin": "AA=="})
    found = judged(stores)
    assert (found.missing, found.finding.level, found.finding.clause) == (("url",), Level.BAD, "key url missing")
    assert judged(stores, keys=("a", "b")).finding.clause == "keys a, b missing"
    assert judged(stores, optional=True).missing == ()
    assert judged(stores, keys=("bin",)).finding.level is Level.OK
    whole = judged(stores, keys=())
    assert (whole.whole, whole.keys, whole.missing) == (True, ("other", "bin"), ())


def test_a_secret_is_known_by_name_only() -> None:
    stores = live()
    assert judged(stores, KEYS).finding.clause == "no Secret keys"
    put(stores, k.SECRETS, "keys")
    assert (judged(stores, KEYS).finding.level, judged(stores, KEYS).finding.clause) == (Level.OK, "it is there")
    told = judged(stores, KEYS, ("web-1", Complaint(KEYS, "url")))
    assert (told.missing, told.finding.level, told.finding.clause) == (("url",), Level.BAD, "key url missing")
    assert told.finding.evidence[0].object == "pod/web-1"


def test_nothing_is_missed_where_nothing_may_be_listed() -> None:
    stores = live()
    refuse(stores, k.CONFIGMAPS, k.SECRETS)
    assert (judged(stores).finding.level, judged(stores).finding.clause) == (Level.OFF, "could not look: may not list configmaps")
    told = judged(stores, KEYS, ("web-1", Complaint(KEYS, "")))
    assert (told.finding.level, told.finding.clause) == (Level.BAD, "no Secret keys"), "the kubelet has looked"


# ---- who takes what, kept up


def template(*env_: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": spec(*env_)}}


def test_workloads_speak_for_their_pods() -> None:
    stores = live()
    injections = Injections(stores)
    web = put(stores, k.DEPLOYMENTS, "web", spec=template(env()))
    rs = put(stores, k.REPLICASETS, "web-1", owner=web, spec=template(env()))
    p = pod(stores, "web-1-a", owner=rs, spec=spec(env()))
    alone = pod(stores, "alone", spec=spec(env("own")))
    assert injections.workload(k.DEPLOYMENTS, web.metadata.uid) == {CFG}
    assert injections.workload(k.REPLICASETS, rs.metadata.uid) == set()
    assert injections.pod(p.metadata.uid) == set()
    assert injections.pod(alone.metadata.uid) == {CFG}
    assert [(who, use.keys) for who, use in injections.users(CFG)] == [("deployment/web", ("url",)), ("pod/alone", ("own",))]


def test_where_workloads_may_not_be_listed_pods_speak_for_themselves() -> None:
    stores = live()
    injections = Injections(stores)
    rs = put(Stores(), k.REPLICASETS, "web-1")
    p = pod(stores, "web-1-a", owner=rs, spec=spec(env()))
    stores.replicasets.set_freshness(Freshness(State.FORBIDDEN))
    injections.pod(p.metadata.uid)
    assert [who for who, _ in injections.users(CFG)] == ["pod/web-1-a"]


def test_a_template_that_changes_its_mind() -> None:
    stores = live()
    injections = Injections(stores)
    web = put(stores, k.DEPLOYMENTS, "web", spec=template(env(), env("pw", "keys", kind="secretKeyRef")))
    assert injections.workload(k.DEPLOYMENTS, web.metadata.uid) == {CFG, KEYS}
    web = put(stores, k.DEPLOYMENTS, "web", uid=web.metadata.uid, spec=template(env("b", "other")))
    other = Source(CONFIG_MAP, "shop", "other")
    assert injections.workload(k.DEPLOYMENTS, web.metadata.uid) == {CFG, KEYS, other}
    assert set(injections.sources()) == {other}
    stores.deployments.drop(web.metadata.uid)
    assert injections.workload(k.DEPLOYMENTS, web.metadata.uid) == {other}
    assert set(injections.sources()) == set()


def test_every_sort_of_workload_is_read() -> None:
    stores = live()
    injections = Injections(stores)
    job = {"jobTemplate": {"spec": template(env())}}
    for kind, body in ((k.STATEFULSETS, template(env())), (k.DAEMONSETS, template(env())), (k.JOBS, template(env())), (k.CRONJOBS, job)):
        obj = put(stores, kind, "x", spec=body)
        injections.workload(kind, obj.metadata.uid)
    assert sorted(who for who, _ in injections.users(CFG)) == ["cronjob/x", "daemonset/x", "job/x", "statefulset/x"]


def test_complaints_come_and_go() -> None:
    stores = live()
    injections = Injections(stores)
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key pw in Secret shop/keys"}}
    p = pod(stores, "web", status={"phase": "Pending", "containerStatuses": [{"name": "app", "state": state}]})
    assert injections.pod(p.metadata.uid) == {KEYS}
    assert injections.told(KEYS) == [("web", Complaint(KEYS, "pw"))]
    pod(stores, "web", uid=p.metadata.uid)
    assert injections.pod(p.metadata.uid) == {KEYS}
    assert injections.told(KEYS) == []
    stores.pods.drop(p.metadata.uid)
    assert injections.pod(p.metadata.uid) == set()


def test_no_value_is_kept() -> None:
    stores = live()
    injections = Injections(stores)
    put(stores, k.CONFIGMAPS, "cfg", data={"url": "very-secret-value"})
    web = put(stores, k.DEPLOYMENTS, "web", spec=template(env(), {"name": "P", "value": "very-secret-value"}))
    injections.workload(k.DEPLOYMENTS, web.metadata.uid)
    said = repr((injection(stores, CFG, injections.users(CFG)), web, stores.configmaps.named("shop", "cfg")))
    assert "very-secret-value" not in said
    assert "plain-text-value" not in said


def test_a_pod_of_an_owner_that_is_no_workload_speaks_for_itself() -> None:
    stores = live()
    injections = Injections(stores)
    p = pod(stores, "web", owner=put(Stores(), k.SERVICES, "odd"), spec=spec(env()))
    assert injections.pod(p.metadata.uid) == {CFG}
    assert injections.pod(p.metadata.uid) == set(), "what a pod takes never changes"
