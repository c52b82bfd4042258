from typing import Any

import pytest

from builders import make
from kubepane.cluster import kinds as k
from kubepane.insight.affinity import NONE, affinity

NGINX = "nginx.ingress.kubernetes.io/"


@pytest.mark.parametrize(
    ("notes", "own", "spec", "kind", "facts"),
    [
        ({}, {}, {}, "", {}),
        ({}, {}, {"sessionAffinity": "None"}, "", {}),
        ({NGINX + "affinity": "cookie"}, {}, {}, "cookie", {"name": "INGRESSCOOKIE", "mode": "balanced"}),
        (
            {NGINX + "affinity": "cookie", NGINX + "session-cookie-name": "JS", NGINX + "affinity-mode": "persistent"},
            {}, {}, "cookie", {"name": "JS", "mode": "persistent"},
        ),
        ({NGINX + "affinity": "other"}, {}, {}, "", {}),
        ({NGINX + "session-cookie-name": "JS"}, {}, {}, "", {}),
        ({NGINX + "upstream-hash-by": "$remote_addr"}, {}, {}, "hash", {"by": "$remote_addr"}),
        ({"nginx.com/sticky-cookie-services": "serviceName=other x;serviceName=web srv_id expires=1h"}, {}, {}, "cookie", {"name": "srv_id"}),
        ({"nginx.com/sticky-cookie-services": "serviceName=other srv_id"}, {}, {}, "", {}),
        ({"haproxy.org/cookie-persistence": "C"}, {}, {}, "cookie", {"name": "C"}),
        ({}, {"haproxy.org/cookie-persistence": "C"}, {}, "cookie", {"name": "C"}),
        ({"haproxy-ingress.github.io/affinity": "cookie"}, {}, {}, "cookie", {}),
        ({}, {"traefik.ingress.kubernetes.io/service.sticky.cookie": "true"}, {}, "cookie", {}),
        (
            {},
            {"traefik.ingress.kubernetes.io/service.sticky.cookie": "true", "traefik.ingress.kubernetes.io/service.sticky.cookie.name": "T"},
            {}, "cookie", {"name": "T"},
        ),
        ({}, {"traefik.ingress.kubernetes.io/service.sticky.cookie": "false"}, {}, "", {}),
        ({"traefik.ingress.kubernetes.io/service.sticky.cookie": "true"}, {}, {}, "", {}),  # it belongs on the Service
        ({"alb.ingress.kubernetes.io/target-group-attributes": "stickiness.enabled=true, stickiness.type=app_cookie"}, {}, {}, "cookie", {"type": "app_cookie"}),
        ({"alb.ingress.kubernetes.io/target-group-attributes": "deregistration_delay.timeout_seconds=30"}, {}, {}, "", {}),
        ({}, {}, {"sessionAffinity": "ClientIP"}, "ClientIP", {"timeout": "3h"}),
        ({}, {}, {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}, "ClientIP", {"timeout": "10m"}),
        ({NGINX + "affinity": "cookie"}, {}, {"sessionAffinity": "ClientIP"}, "cookie", {"name": "INGRESSCOOKIE", "mode": "balanced"}),
    ],
)  # fmt: skip
def test_what_makes_sessions_stick(notes: dict[str, str], own: dict[str, str], spec: dict[str, Any], kind: str, facts: dict[str, str]) -> None:
    found = affinity(make(k.INGRESSES, "web", annotations=notes), make(k.SERVICES, "web", annotations=own, spec=spec))
    assert (found.kind, dict(found.facts)) == (kind, facts)
    assert bool(found.source) == bool(kind)


def test_without_a_service_only_the_ingress_speaks() -> None:
    assert affinity(make(k.INGRESSES, "web"), None) == NONE


def test_the_words() -> None:
    client = affinity(make(k.INGRESSES, "web"), make(k.SERVICES, "web", spec={"sessionAffinity": "ClientIP"}))
    cookie = affinity(make(k.INGRESSES, "web", annotations={NGINX + "affinity": "cookie"}), None)
    assert (client.text, cookie.text, NONE.text) == ("ClientIP 3h", "cookie", "")
