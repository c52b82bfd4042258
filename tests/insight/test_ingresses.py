from datetime import datetime
from typing import Any

import pytest

from builders import make, put
from clusters import live, refuse, replay
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import ingresses
from kubepane.insight.backends import endpoints
from kubepane.insight.finding import Level
from recordings import age_fits, recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])
COOKIE = {"nginx.ingress.kubernetes.io/affinity": "cookie"}


def ingress(stores: Stores, backend: Any = None, **more: Any) -> r.Ingress:
    backend = backend or {"service": {"name": "web", "port": {"name": "http"}}}
    spec = {"ingressClassName": "nginx", "rules": [{"host": "a.x", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}
    spec |= more.pop("spec", {})
    obj: r.Ingress = put(stores, k.INGRESSES, "web", spec=spec, **({"annotations": COOKIE} | more))
    return obj


def service(stores: Stores, **spec: Any) -> None:
    put(
        stores,
        k.SERVICES,
        "web",
        spec={"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]} | spec,
    )


def slices(stores: Stores, *ready: bool | None, terminating: int = 0, ports: Any = ({"name": "http", "port": 8080},)) -> None:
    found = [
        {"addresses": [f"10.0.0.{i}"], "conditions": {"ready": one}, "targetRef": {"name": f"web-{i}", "uid": f"u{i}"}} for i, one in enumerate(ready)
    ]
    gone = {"ready": False, "serving": True, "terminating": True}
    found += [{"addresses": [f"10.0.1.{i}"], "conditions": gone, "targetRef": {"name": f"old-{i}", "uid": f"o{i}"}} for i in range(terminating)]
    put(stores, k.ENDPOINTSLICES, "web-1", labels={"kubernetes.io/service-name": "web"}, addressType="IPv4", endpoints=found, ports=ports)


def classes(stores: Stores, *names: str, default: bool = False) -> None:
    for name in names:
        notes: dict[str, Any] = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}} if default else {}
        put(stores, k.INGRESSCLASSES, name, spec={"controller": f"k8s.io/{name}"}, **notes)


def cluster() -> Stores:
    stores = live()
    classes(stores, "nginx")
    return stores


def followed(stores: Stores, found: r.Ingress) -> tuple[str, Level, str]:
    route = ingresses.routes(stores, found)[0]
    return route.served, route.finding.level, route.finding.clause


# ---- against a real server


def test_ingresses_read_as_the_server_prints_them() -> None:
    stores, table = replay("storage-and-network"), SEEN["ingresses"]
    assert len(table["rows"]) == 4
    for cells in table["rows"]:
        found = stores.ingresses.named("st-try", cells[0])
        assert found is not None
        name = found.spec.ingress_class_name or "<none>"
        assert [found.metadata.name, name, ingresses.hosts(found), ingresses.address(found), ingresses.ports(found), cells[5]] == cells
        assert age_fits(found.metadata.creation_timestamp, cells[5], AT, slack=2)


def test_slices_read_as_the_server_prints_them() -> None:
    stores, table = replay("storage-and-network"), SEEN["endpointslices"]
    assert len(table["rows"]) == 4
    for cells in table["rows"]:
        part = stores.endpointslices.named("st-try", cells[0])
        assert part is not None
        names = [p.port for p in part.ports or ()]
        found = endpoints([part], r.ServicePort(name=(part.ports or (r.EndpointPort(),))[0].name or ""))
        assert part.address_type == cells[1]
        assert ",".join(map(str, names)) or cells[2] == "<unset>"
        assert (",".join(sorted(e.address for e in found.all)) or "<unset>") == ",".join(sorted(cells[3].split(",")))


@pytest.mark.parametrize("name", ["web", "legacy", "many", "three"])
def test_ready_endpoints_are_those_of_kubectl_describe(name: str) -> None:
    stores = replay("storage-and-network")
    found = stores.ingresses.named("st-try", name)
    assert found is not None
    described = _described(SEEN["describe"][name])
    compared = 0
    for route in ingresses.routes(stores, found):
        key = ":".join(ingresses.target(route.rule))
        if route.service is None or route.service.spec.type == "ExternalName" or key not in described:
            continue
        ours = sorted(f"{e.address}:{e.port}" for e in route.endpoints.all if e.condition == 0)
        theirs = sorted(a for a in described[key] if ":" in a)  # kubectl prints an address without port where no container has it
        assert ours == theirs
        compared += 1
    assert compared >= {"web": 9, "legacy": 1, "many": 1, "three": 1}[name] - 2


def _described(lines: list[str]) -> dict[str, list[str]]:
    """`service:port` → the addresses that kubectl prints behind it."""
    found = {}
    for line in lines:
        head, _, tail = line.partition(" (")
        word = head.split()[-1] if head.split() else ""
        if ":" in word and tail.endswith(")"):
            found[word] = [a for a in tail[:-1].split(",") if a]
    return found


@pytest.mark.parametrize(
    ("rule", "served", "level", "clause"),
    [
        ("a.st/", "3/3 ready", Level.BAD, "no Secret st-tls: a.st gets the controller's own certificate"),
        ("a.st/x", "no port wrong", Level.BAD, "Service web has no port wrong (has: http, nope)"),
        ("a.st/81", "no such port", Level.BAD, "no pod has port nope, the target of Service web:nope"),
        ("b.st/sticky", "3/3 ready", Level.OK, "3 of 3 endpoints ready"),
        ("b.st/empty", "no endpoints", Level.BAD, "Service empty finds no pod (app=nobody)"),
        ("b.st/noport", "no such port", Level.BAD, "no pod has port nope, the target of Service noport:web"),
        ("b.st/ext", "external", Level.OK, "leads out of the cluster to example.com"),
        ("b.st/none", "no Service", Level.BAD, "no Service nosuch"),
        ("b.st/res", "resource", Level.OK, "served by bucket/static"),
        ("*", "3/3 ready", Level.OK, "3 of 3 endpoints ready"),
    ],
)
def test_every_way_that_was_broken_on_a_real_cluster(rule: str, served: str, level: Level, clause: str) -> None:
    stores = replay("storage-and-network")
    found = stores.ingresses.named("st-try", "web")
    assert found is not None
    route = next(x for x in ingresses.routes(stores, found) if x.rule.text == rule)
    assert (route.served, route.finding.level, route.finding.clause) == (served, level, clause)
    assert route.finding.evidence


# ---- endpoints


@pytest.mark.parametrize(
    ("ready", "terminating", "served", "level", "clause"),
    [
        ([True], 0, "1/1 ready", Level.OK, "1 of 1 endpoints ready"),
        ([None, True], 0, "2/2 ready", Level.OK, "2 of 2 endpoints ready"),
        ([True, True, False], 0, "2/3 ready", Level.BUSY, "2 of 3 endpoints ready: web-2 gets no traffic"),
        ([True, False, False, False], 0, "1/4 ready", Level.BUSY, "1 of 4 endpoints ready: web-1, web-2 and 1 more get no traffic"),
        ([True], 2, "1/1 ready", Level.OK, "1 of 1 endpoints ready"),
        ([False, False], 0, "0/2 ready", Level.BAD, "no ready endpoints (2 not ready): web-0, web-1 get no traffic"),
        ([False], 1, "0/1 ready", Level.BAD, "no ready endpoints (1 not ready, 1 terminating): web-0 gets no traffic"),
        ([], 2, "2 ending", Level.BAD, "no ready endpoints (2 terminating)"),
        ([], 0, "no endpoints", Level.BAD, "Service web finds no pod (app=web)"),
    ],
)
def test_endpoints(ready: list[bool | None], terminating: int, served: str, level: Level, clause: str) -> None:
    stores = cluster()
    service(stores)
    slices(stores, *ready, terminating=terminating)
    assert followed(stores, ingress(stores)) == (served, level, clause)


def test_a_service_without_selector_and_endpoints() -> None:
    stores = cluster()
    service(stores, selector=None)
    assert followed(stores, ingress(stores))[2] == "Service web has neither selector nor endpoints"


def test_several_replicas_without_affinity_are_a_warning() -> None:
    stores = cluster()
    service(stores)
    slices(stores, True, True, True)
    found = ingress(stores, annotations={})
    assert followed(stores, found) == ("3/3 ready", Level.WARN, "3 pods without affinity: a session can land on another pod")
    slices(stores, True)
    assert followed(stores, found)[1] is Level.OK, "one pod needs none"
    slices(stores, True, True, True)
    service(stores, sessionAffinity="ClientIP")
    assert followed(stores, found)[1] is Level.OK


# ---- rules


def test_every_path_is_a_rule_and_the_default_backend_the_last() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/a", "pathType": "Exact", "backend": backend}, {"path": "/b", "pathType": "Prefix", "backend": backend}]
    spec = {"defaultBackend": backend, "rules": [{"host": "h", "http": {"paths": paths}}, {"host": "bare"}, {"http": {"paths": paths[:1]}}]}
    found = make(k.INGRESSES, "x", spec=spec)
    assert [(x.text, x.path_type) for x in ingresses.rules(found)] == [("h/a", "Exact"), ("h/b", "Prefix"), ("bare", ""), ("*/a", "Exact"), ("*", "")]


def test_an_ingress_that_leads_nowhere() -> None:
    stores = cluster()
    for spec in ({}, {"rules": [{"host": "a.x"}]}):
        found = put(stores, k.INGRESSES, "x", spec={"ingressClassName": "nginx"} | spec)
        served, level, _ = followed(stores, found)
        assert (served, level) == ("no backend", Level.BAD)


# ---- class and certificate


def test_the_class() -> None:
    stores = live()
    service(stores)
    slices(stores, True)
    found = ingress(stores)
    assert followed(stores, found) == ("1/1 ready", Level.BAD, "no IngressClass nginx (have: none)")
    published = ingress(stores, status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})
    assert followed(stores, published)[1] is Level.WARN, "somebody serves it all the same"
    classes(stores, "nginx", "traefik")
    assert followed(stores, found)[1] is Level.OK
    bare = ingress(stores, spec={"ingressClassName": None})
    assert followed(stores, bare) == ("1/1 ready", Level.WARN, "no class, and no controller has taken it")
    classes(stores, "main", default=True)
    assert followed(stores, bare)[2] == "no class, and no controller has taken it; it is older than the default class main"
    old = ingress(stores, spec={"ingressClassName": None}, annotations={"kubernetes.io/ingress.class": "whatever"})
    assert followed(stores, old)[1] is Level.OK, "the annotation needs no IngressClass"
    assert ingresses.class_of(old) == "whatever"
    assert ingresses.handled(stores, found) == "class nginx is handled by k8s.io/nginx; no address published"


@pytest.mark.parametrize(
    ("hosts", "host", "secret"),
    [
        (["a.x"], "a.x", "cert"),
        (["b.x"], "a.x", ""),
        ([], "a.x", "cert"),
        (None, "a.x", "cert"),
        (["*.x"], "a.x", "cert"),
        (["*.x"], "a.b.x", ""),
        (["*.x"], "x", ""),
        (["a.x"], "", ""),
    ],
)
def test_which_certificate_covers_a_host(hosts: Any, host: str, secret: str) -> None:
    found = make(k.INGRESSES, "x", spec={"tls": [{"hosts": hosts, "secretName": "cert"}]})
    assert ingresses.secret_of(found, host) == secret


def test_a_certificate_without_secret_is_the_controllers() -> None:
    assert ingresses.secret_of(make(k.INGRESSES, "x", spec={"tls": [{"hosts": ["a.x"]}]}), "a.x") == "default"


def test_the_certificate() -> None:
    stores = cluster()
    service(stores)
    slices(stores, True)
    found = ingress(stores, spec={"tls": [{"hosts": ["a.x"], "secretName": "cert"}]})
    assert followed(stores, found) == ("1/1 ready", Level.BAD, "no Secret cert: a.x gets the controller's own certificate")
    put(stores, k.SECRETS, "cert")
    assert followed(stores, found)[1] is Level.OK


# ---- where we may not look


def test_nothing_is_missed_where_nothing_may_be_listed() -> None:
    stores = live()
    refuse(stores, k.SERVICES, k.ENDPOINTSLICES, k.INGRESSCLASSES, k.SECRETS)
    found = ingress(stores, spec={"tls": [{"hosts": ["a.x"], "secretName": "cert"}]})
    assert followed(stores, found) == ("?", Level.OFF, "could not look: may not list services")
    stores = cluster()
    refuse(stores, k.ENDPOINTSLICES)
    service(stores)
    assert followed(stores, ingress(stores)) == ("?", Level.OFF, "could not look: may not list endpointslices.discovery.k8s.io")


def test_explanations_name_every_cause_once_and_the_worst_first() -> None:
    stores = replay("storage-and-network")
    found = stores.ingresses.named("st-try", "web")
    assert found is not None
    told = ingresses.explain_ingress(stores, found)
    assert [f.level for f in told] == sorted(f.level for f in told)
    assert len({f.clause for f in told}) == len(told) == 7
    assert [f.clause for f in told if f.level is not Level.BAD] == ["no address published: no controller has taken it yet, or it publishes none"]


def test_a_healthy_ingress_needs_no_explanation() -> None:
    stores = cluster()
    service(stores)
    slices(stores, True)
    found = ingress(stores, status={"loadBalancer": {"ingress": [{"hostname": "lb"}]}})
    assert ingresses.explain_ingress(stores, found) == []


def test_an_object_without_any_field_says_something() -> None:
    stores = live()
    stores.ingresses.put(make(k.INGRESSES, "x"))
    stores.services.put(make(k.SERVICES, "web"))
    assert followed(stores, make(k.INGRESSES, "x"))[0] == "no backend"
    assert followed(stores, ingress(stores))[0] == "no port http"
