"""Whether a visitor comes back to the same pod: what the annotations of the known Ingress controllers and the Service say.

The annotations are each controller's own: ingress-nginx (affinity, affinity-mode, session-cookie-name, upstream-hash-by),
NGINX Inc. (sticky-cookie-services), Traefik (service.sticky.cookie, on the Service), HAProxy Technologies
(cookie-persistence), haproxy-ingress (affinity), AWS load balancer controller (stickiness in target-group-attributes).
"""

from __future__ import annotations

import msgspec

from kubepane.cluster import resources as r
from kubepane.insight.ages import duration

CLIENT_IP_TIMEOUT = 10_800  # seconds, the API's default


class Affinity(msgspec.Struct, frozen=True, gc=False):
    """How sessions stick.

    Attributes:
        kind: `cookie`, `hash`, `ClientIP`, or "" for not at all.
        facts: what is known of it, as (label, value): the cookie's name, the mode, the timeout.
        source: the annotation or field that says so.
    """

    kind: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    source: str = ""

    @property
    def text(self) -> str:
        """In a word or two: `cookie`, `ClientIP 3h`."""
        return f"ClientIP {dict(self.facts).get('timeout', '')}".strip() if self.kind == "ClientIP" else self.kind


NONE = Affinity()


def affinity(ingress: r.Ingress, service: r.Service | None) -> Affinity:
    """How sessions stick on the way from this Ingress to this Service."""
    notes = ingress.metadata.annotations or r.NO_ANNOTATIONS
    own = service.metadata.annotations or r.NO_ANNOTATIONS if service else r.NO_ANNOTATIONS
    name = service.metadata.name if service else ""
    return _nginx(notes) or _nginx_inc(notes, name) or _haproxy(notes, own) or _traefik(own) or _alb(notes, own) or _service(service) or NONE


def _nginx(notes: r.Annotations) -> Affinity | None:
    prefix = "nginx.ingress.kubernetes.io/"
    if notes.nginx_affinity == "cookie":
        facts = (("name", notes.nginx_cookie or "INGRESSCOOKIE"), ("mode", notes.nginx_affinity_mode or "balanced"))
        return Affinity("cookie", facts, prefix + "affinity")
    if notes.nginx_hash:
        return Affinity("hash", (("by", notes.nginx_hash),), prefix + "upstream-hash-by")
    return None


def _nginx_inc(notes: r.Annotations, service: str) -> Affinity | None:
    """`serviceName=web srv_id expires=1h; serviceName=…`."""
    for part in notes.nginx_sticky_services.split(";"):
        words = part.split()
        if len(words) > 1 and words[0] == f"serviceName={service}":
            return Affinity("cookie", (("name", words[1]),), "nginx.com/sticky-cookie-services")
    return None


def _haproxy(notes: r.Annotations, own: r.Annotations) -> Affinity | None:
    if cookie := own.haproxy_cookie or notes.haproxy_cookie:
        return Affinity("cookie", (("name", cookie),), "haproxy.org/cookie-persistence")
    if "cookie" in (own.haproxy_ingress_affinity, notes.haproxy_ingress_affinity):
        return Affinity("cookie", (), "haproxy-ingress.github.io/affinity")
    return None


def _traefik(own: r.Annotations) -> Affinity | None:
    if own.traefik_sticky != "true":
        return None
    facts = (("name", own.traefik_cookie),) if own.traefik_cookie else ()
    return Affinity("cookie", facts, "traefik.ingress.kubernetes.io/service.sticky.cookie")


def _alb(notes: r.Annotations, own: r.Annotations) -> Affinity | None:
    values = dict(p.strip().partition("=")[::2] for p in (own.alb_attributes or notes.alb_attributes).split(","))
    if values.get("stickiness.enabled") != "true":
        return None
    return Affinity("cookie", (("type", values.get("stickiness.type", "lb_cookie")),), "alb.ingress.kubernetes.io/target-group-attributes")


def _service(service: r.Service | None) -> Affinity | None:
    if service is None or service.spec.session_affinity != "ClientIP":
        return None
    config = service.spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return Affinity("ClientIP", (("timeout", duration(seconds or CLIENT_IP_TIMEOUT)),), "spec.sessionAffinity")
