import json
from datetime import datetime
from typing import Any

import pytest

from builders import NOW, put
from clusters import LIVE, live, paint, records, refuse, replay, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.views.ingress import IngressView
from recordings import recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])
COOKIE = {"nginx.ingress.kubernetes.io/affinity": "cookie"}


def service(stores: Stores, name: str, port: str = "http", **spec: Any) -> None:
    put(
        stores,
        k.SERVICES,
        name,
        spec={"type": "ClusterIP", "selector": {"app": name}, "ports": [{"name": port, "port": 80, "targetPort": port}]} | spec,
    )


def slices(stores: Stores, name: str, *pods: tuple[str, str, bool]) -> None:
    found = [
        {"addresses": [ip], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod, "uid": f"u-{pod}"}} for pod, ip, ready in pods
    ]
    labels = {"kubernetes.io/service-name": name}
    put(
        stores,
        k.ENDPOINTSLICES,
        f"{name}-1",
        uid=f"s-{name}",
        labels=labels,
        addressType="IPv4",
        endpoints=found,
        ports=[{"name": "http", "port": 8080}],
    )


def rule(host: str, *paths: tuple[str, str, str]) -> dict[str, Any]:
    backend = [{"path": path, "pathType": "Prefix", "backend": {"service": {"name": svc, "port": {"name": port}}}} for path, svc, port in paths]
    return {"host": host, "http": {"paths": backend}}


def story() -> Stores:
    """The three rules of the look."""
    stores = live()
    put(stores, k.INGRESSCLASSES, "nginx", spec={"controller": "k8s.io/ingress-nginx"})
    address = {"loadBalancer": {"ingress": [{"ip": "172.18.0.2"}]}}
    put(
        stores,
        k.INGRESSES,
        "chat",
        uid="chat",
        annotations=COOKIE,
        spec={"ingressClassName": "nginx", "rules": [rule("chat.local", ("/", "chatapp", "http"))]},
        status=address,
    )
    tls = [{"hosts": ["shop.local"], "secretName": "shop-tls"}]
    rules = [rule("shop.local", ("/", "web", "http"), ("/pay", "payments", "web"))]
    put(stores, k.INGRESSES, "shop", uid="shop", spec={"ingressClassName": "nginx", "tls": tls, "rules": rules}, status=address)
    put(stores, k.SECRETS, "shop-tls", uid="shop-tls")
    for name in ("chatapp", "web"):
        service(stores, name)
    service(stores, "payments", ports=[{"name": "http", "port": 80}, {"name": "metrics", "port": 90}])
    chat = [(f"chatapp-7c9f8d6b54-{n}", f"10.244.1.{i}", n != "2xkqp") for i, n in enumerate(("4x2kd", "zr8pw", "h7mvt", "2xkqp"))]
    slices(stores, "chatapp", *chat)
    slices(stores, "web", *[(f"web-{i}", f"10.244.2.{i}", True) for i in range(3)])
    return stores


def test_narrow_as_the_look_has_it() -> None:
    assert paint(shown(IngressView, story()), 56, 5) == [
        "  HOST/PATH       SERVICE:PORT   ENDPOINTS  AFFINITY",
        "✕ shop.local/p… → payments:web ✕ no port w… –",
        "◐ chat.local/   → chatapp:http → 3/4 ready  cookie",
        "▲ shop.local/   → web:http     → 3/3 ready  none, 3 pods",
    ]


def test_wider_as_the_look_has_it() -> None:
    assert paint(shown(IngressView, story()), 76, 12)[:4] == [
        "  HOST/PATH        SERVICE:PORT   ENDPOINTS   AFFINITY     TLS      CLASS",
        "✕ shop.local/pay → payments:web ✕ no port web –            shop-tls nginx",
        "◐ chat.local/    → chatapp:http → 3/4 ready   cookie       no TLS   nginx",
        "▲ shop.local/    → web:http     → 3/3 ready   none, 3 pods shop-tls nginx",
    ]


def test_large_with_the_way_of_the_cursor() -> None:
    assert paint(shown(IngressView, story()), 116, 26, cursor=1)[4:] == [
        "",
        "╭ Ingress ───────────────╮    ╭ Service ───────────────╮    ╭ Endpoints 3/4 ─────────╮    ╭ Affinity ──────────────╮",
        "│ chat.local/            │    │ chatapp:http           │    │ ● 4x2kd 10.244.1.0     │    │ cookie                 │",
        "│ class nginx            │───►│ port 80 → 8080         │───►│ ● h7mvt 10.244.1.2     │────│ name INGRESSCOOKIE     │",
        "│ address 172.18.0.2     │    │ type ClusterIP         │    │ ● zr8pw 10.244.1.1     │    │ mode balanced          │",
        "│ path Prefix            │    │ selects app=chatapp    │    │ ◐ 2xkqp 10.244.1.3     │    │ ClientIP None          │",
        "╰────────────────────────╯    ╰────────────────────────╯    ╰────────────────────────╯    ╰────────────────────────╯",
        "",
        "● served  class nginx is handled by k8s.io/ingress-nginx; address published",
        "◐ chat.local/  3 of 4 endpoints ready: chatapp-7c9f8d6b54-2xkqp gets no traffic",
        "● sessions stick  cookie INGRESSCOOKIE; the Service itself has sessionAffinity None, which is fine behind it",
        "✕ shop.local/pay  Service payments has no port web (has: http, metrics)",
        "▲ shop.local/  3 pods without affinity: a session can land on another pod",
    ]


def test_many_endpoints_are_shown_with_the_sick_ones_first() -> None:
    stores = story()
    slices(stores, "chatapp", *[(f"chatapp-{i}", f"10.0.0.{i}", i != 7) for i in range(9)])
    lines = "\n".join(paint(shown(IngressView, stores), 116, 26, cursor=1))
    assert "◐ chatapp-7" in lines
    assert "and 6 more" in lines


def test_records_read_as_kubectl_prints() -> None:
    found = list(records(shown(IngressView, replay("storage-and-network"), AT), AT).values())
    table = shown(IngressView, replay("storage-and-network"), AT)
    rows = [table.view.record(key, AT) for key in table.order]
    by_name = {r["name"]: r for r in rows}
    for cells in SEEN["ingresses"]["rows"]:
        ours = by_name[cells[0]]
        assert [ours[c] for c in ("name", "class", "hosts", "address", "ports")] == cells[:5]
    json.dumps(found)
    web = {r["rule"]: r for r in rows if r["name"] == "web"}
    assert (web["a.st/"]["ready"], web["a.st/"]["total"], web["a.st/"]["tls"], web["a.st/"]["affinity"]) == (3, 3, "st-tls", "none")
    assert (web["b.st/sticky"]["affinity"], web["b.st/sticky"]["affinity_by"], web["b.st/sticky"]["why"]) == (
        "ClientIP 3h",
        "spec.sessionAffinity",
        "",
    )
    assert (web["*"]["host"], web["*"]["path"]) == ("*", "")
    assert len(rows) == 11 + 1 + 6 + 3


@pytest.mark.parametrize("width", [44, 54, 76, 90, 91, 100, 101, 116, 156, 240])
@pytest.mark.parametrize("height", [3, 8, 14, 20, 44])
@pytest.mark.parametrize("wide", [False, True])
def test_every_size_fits(width: int, height: int, wide: bool) -> None:
    table = shown(IngressView, replay("storage-and-network"), AT)
    table.view.wide = wide
    for cursor in range(len(table.order)) if (width, height) in ((116, 20), (156, 44)) else (0,):
        paint(table, width, height, cursor)


def test_tones() -> None:
    table = shown(IngressView, replay("storage-and-network"), AT)
    tls = {}
    for key in table.order:
        cells = dict(zip([c.key for c in table.columns(156, 20)], table.row(key, 156, 20).cells, strict=True))
        tls[table.view.record(key, AT)["rule"]] = cells["tls"]
    assert tls["a.st/x"] == ("st-tls", "bad"), "seen although the row's reason is another"
    assert tls["b.st/empty"] == ("default", "soft")


# ---- kept up to date


def rows(table: Any) -> dict[str, str]:
    table.update()
    found = [table.view.record(key, NOW) for key in table.order]
    return {r["rule"]: f"{r['endpoints']} {r['why']}".strip() for r in found}


def test_rows_follow_everything_they_are_made_of() -> None:
    stores = live()
    table = shown(IngressView, stores)
    put(stores, k.INGRESSES, "web", uid="i", annotations=COOKIE, spec={"ingressClassName": "nginx", "rules": [rule("a.x", ("/", "web", "http"))]})
    assert rows(table) == {"a.x/": "no Service no Service web"}
    service(stores, "web")
    assert rows(table) == {"a.x/": "no endpoints Service web finds no pod (app=web)"}
    slices(stores, "web", ("a", "10.0.0.1", False))
    assert rows(table) == {"a.x/": "0/1 ready no ready endpoints (1 not ready): a gets no traffic"}
    slices(stores, "web", ("a", "10.0.0.1", True))
    assert rows(table) == {"a.x/": "1/1 ready no IngressClass nginx (have: none)"}
    put(stores, k.INGRESSCLASSES, "nginx", uid="c")
    assert rows(table) == {"a.x/": "1/1 ready"}
    tls = [{"hosts": ["a.x"], "secretName": "cert"}]
    rules = [rule("a.x", ("/", "web", "http"), ("/b", "web", "nope"))]
    put(stores, k.INGRESSES, "web", uid="i", annotations=COOKIE, spec={"ingressClassName": "nginx", "tls": tls, "rules": rules})
    assert set(rows(table)) == {"a.x/", "a.x/b"}
    assert rows(table)["a.x/"] == "1/1 ready no Secret cert: a.x gets the controller's own certificate"
    put(stores, k.SECRETS, "cert", uid="cert")
    assert rows(table)["a.x/"] == "1/1 ready"
    stores.secrets.drop("cert")
    assert rows(table)["a.x/"].endswith("no Secret cert: a.x gets the controller's own certificate")
    stores.endpointslices.drop("s-web")
    assert rows(table)["a.x/"].startswith("no endpoints")
    stores.services.drop(next(iter(stores.services)).metadata.uid)
    assert rows(table)["a.x/"].startswith("no Service")
    put(stores, k.INGRESSES, "web", uid="i", spec={"rules": [rule("other", ("/", "web", "http"))]})
    assert set(rows(table)) == {"other/"}
    stores.ingresses.drop("i")
    assert rows(table) == {}


def test_two_paths_of_one_text_are_two_rows() -> None:
    stores = live()
    paths = [{"path": "/", "pathType": t, "backend": {"service": {"name": "web", "port": {"number": 80}}}} for t in ("Exact", "Prefix")]
    put(stores, k.INGRESSES, "web", uid="i", spec={"rules": [{"host": "a", "http": {"paths": paths}}]})
    table = shown(IngressView, stores)
    assert sorted(table.order) == ["i/a/", "i/a/#2"]
    found = table.view.object("i/a/#2")
    assert found is not None
    assert found[1].metadata.name == "web"


def test_other_services_touch_no_row() -> None:
    stores = story()
    table = shown(IngressView, stores)
    service(stores, "stranger")
    slices(stores, "stranger", ("a", "10.0.0.1", True))
    put(stores, k.SECRETS, "stranger")
    assert table.update() == set()


def test_what_is_missing_shows_once_all_services_are_read() -> None:
    stores = live()
    stores.services.set_freshness(Freshness(State.SYNCING))
    put(stores, k.INGRESSCLASSES, "nginx")
    put(stores, k.INGRESSES, "web", uid="i", spec={"ingressClassName": "nginx", "rules": [rule("a.x", ("/", "web", "http"))]})
    table = shown(IngressView, stores)
    assert rows(table) == {"a.x/": "? could not look: services not read yet"}
    stores.services.set_freshness(LIVE)
    assert rows(table) == {"a.x/": "no Service no Service web"}


def test_who_may_list_only_ingresses_sees_their_rows() -> None:
    stores = replay("storage-and-network")
    kinds = (k.SERVICES, k.ENDPOINTSLICES, k.INGRESSCLASSES, k.SECRETS)
    refuse(stores, *kinds)
    for kind in kinds:
        stores.of(kind).replace([])
    table = shown(IngressView, stores, AT)
    assert len(table.order) == 21
    assert "· 7 broken" in "".join(t for part in table.title(80) for t, _ in part), "hosts without any backend are broken, whatever one may see"
    lines = paint(table, 116, 40, cursor=10)
    assert any("→ not seen" in line for line in lines)


def test_hostile_names_stay_in_their_cells() -> None:
    stores = live()
    evil = "a\x1b[2Jb\u202ec[/red]"
    put(stores, k.INGRESSES, evil, evil, spec={"ingressClassName": evil, "rules": [rule(evil, (evil, evil, evil))], "tls": [{"secretName": evil}]})
    service(stores, evil)
    for width in (54, 116, 156):
        for line in paint(shown(IngressView, stores), width, 26):
            assert line.isprintable()


def way(stores: Stores, text: str) -> list[list[str]]:
    """The four boxes of a rule."""
    table = shown(IngressView, stores, AT)
    cursor = next(i for i, key in enumerate(table.order) if table.view.record(key, AT)["rule"] == text)
    lines = paint(table, 156, 44, cursor)
    top = next(i for i, line in enumerate(lines) if line.startswith("╭ "))
    return [[line.split("│")[2 * n + 1].strip() for line in lines[top + 1 : top + 5]] for n in range(4)]


def test_boxes_of_broken_ways() -> None:
    stores = replay("storage-and-network")
    assert way(stores, "b.st/none")[1:3] == [["nosuch:80", "✕ does not exist", "", ""], ["no Service", "", "", ""]]
    assert way(stores, "b.st/ext")[1] == ["ext:80", "port 80 → 80", "type ExternalName", "leads to example.com"]
    assert way(stores, "b.st/res")[1] == ["bucket/static", "", "", ""]
    assert way(stores, "a.st/x")[1][1] == "port no such port"
    assert way(stores, "a.st/81")[1][1] == "port 81 → nope"
    assert way(stores, "a.st/81")[2][0].endswith("no port")
    assert way(stores, "b.st/sticky")[3] == ["ClientIP", "timeout 3h", "", ""]
    assert way(stores, "a.x")[0][3] == "path default backend"
    refuse(stores, k.SERVICES)
    stores.services.replace([])
    assert way(stores, "b.st/none")[1:3] == [["nosuch:80", "– not seen", "", ""], ["not seen", "", "", ""]]


def test_the_title_says_what_is_broken_and_what_to_look_at() -> None:
    assert shown(IngressView, story()).view.facts(NOW) == ["1 broken", "1 to look at"]


def test_a_certificate_that_could_not_be_looked_at_is_said_to_be_so() -> None:
    stores = story()
    refuse(stores, k.SECRETS)
    stores.secrets.replace([])
    table = shown(IngressView, stores)
    cursor = next(i for i, key in enumerate(table.order) if key == "shop/shop.local/")
    assert "– Secret shop-tls  could not look: may not list secrets" in paint(table, 116, 30, cursor)
