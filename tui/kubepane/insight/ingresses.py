"""Ingresses: per rule, host and path → Service and port → ready endpoints, and what breaks on the way.

Source: pkg/printers/internalversion (printIngress), kubectl pkg/describe (describeBackendV1), and k8s.io/api networking/v1.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import labels
from kubepane.insight.affinity import Affinity, affinity
from kubepane.insight.backends import Condition, Endpoints, endpoints, port_of
from kubepane.insight.finding import Evidence, Finding, Level, worst
from kubepane.insight.unseen import ailing, names, unseen

_HOSTS = 3


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One path of an Ingress, or its default backend.

    Attributes:
        host: "" for any.
        path: "" for any.
        path_type: Prefix, Exact, ImplementationSpecific; "" for the default backend.
        backend: where it leads; None for a host without paths and without a default backend.
    """

    host: str
    path: str
    path_type: str
    backend: r.Backend | None

    @property
    def text(self) -> str:
        """`chat.local/login`; `*` for any host."""
        return f"{self.host or '*'}{self.path}"


class Route(msgspec.Struct, frozen=True, gc=False):
    """One rule with what it leads to.

    Attributes:
        rule: the rule.
        service: the Service, None where there is none or it is not held.
        port: the Service's port that is meant, None where there is none.
        endpoints: those of that port.
        served: the part for the ENDPOINTS cell: `3/4 ready`, `no port web`.
        whole: the way to an endpoint holds.
        affinity: how sessions stick.
        tls: the Secret of the host, "" for no TLS, `default` for the controller's own certificate.
        around: what is wrong with the class and the certificate.
        finding: how the rule is and why.
    """

    rule: Rule
    service: r.Service | None
    port: r.ServicePort | None
    endpoints: Endpoints
    served: str
    whole: bool
    affinity: Affinity
    tls: str
    around: tuple[Finding, ...]
    finding: Finding


def rules(ingress: r.Ingress) -> list[Rule]:
    """All paths in their order, the default backend last; a host without paths goes to the default backend."""
    spec = ingress.spec
    found: list[Rule] = []
    for rule in spec.rules or ():
        paths = rule.http.paths if rule.http else None
        found += [Rule(rule.host, p.path, p.path_type or "", p.backend) for p in paths or ()]
        if not paths:
            found.append(Rule(rule.host, "", "", spec.default_backend))
    if spec.default_backend:
        found.append(Rule("", "", "", spec.default_backend))
    return found or [Rule("", "", "", None)]


def target(rule: Rule) -> tuple[str, str]:
    """The names of Service and port as the rule writes them; (`kind/name`, "") for a resource, two empty texts for neither."""
    backend = rule.backend
    if backend is None:
        return "", ""
    if backend.service:
        return backend.service.name, backend.service.port.name or str(backend.service.port.number or "")
    return (f"{backend.resource.kind.lower()}/{backend.resource.name}", "") if backend.resource else ("", "")


def route(stores: Stores, ingress: r.Ingress, rule: Rule) -> Route:
    """Follows one rule to its endpoints."""
    ns = ingress.metadata.namespace
    backend = rule.backend
    service = stores.services.named(ns, backend.service.name) if backend and backend.service else None
    port = port_of(service, backend.service.port) if service and backend and backend.service else None
    found = endpoints(stores.endpointslices.by("service", f"{ns}/{service.metadata.name}"), port) if service and port else Endpoints()
    sticks = affinity(ingress, service)
    served, whole, finding = _follow(stores, ingress, rule, service, port, found)
    if whole and finding.level is Level.OK and not sticks.kind and found.total > 1:
        finding = _no_affinity(ingress, service, found.total)
    around = tuple(_around(stores, ingress, rule))
    chosen = worst([finding, *around]) or finding
    return Route(rule, service, port, found, served, whole, sticks, secret_of(ingress, rule.host), around, chosen)


def routes(stores: Stores, ingress: r.Ingress) -> list[Route]:
    """All rules followed."""
    return [route(stores, ingress, rule) for rule in rules(ingress)]


def explain_ingress(stores: Stores, ingress: r.Ingress) -> list[Finding]:
    """What there is to say about an Ingress, the most important first; nothing for one that is well."""
    said: dict[str, Finding] = {}
    for rule in rules(ingress):
        found = route(stores, ingress, rule)
        for finding in (found.finding, *found.around):
            said.setdefault(finding.clause, finding)
    for finding in _handled(stores, ingress):
        said.setdefault(finding.clause, finding)
    return ailing(said.values())


# ---- one rule


def _follow(
    stores: Stores, ingress: r.Ingress, rule: Rule, service: r.Service | None, port: r.ServicePort | None, found: Endpoints
) -> tuple[str, bool, Finding]:
    """The ENDPOINTS cell, whether the way holds, and why."""
    backend, here = rule.backend, ref(ingress)
    if backend is None:
        return (
            "no backend",
            False,
            Finding(Level.BAD, f"{rule.text} leads nowhere: no path and no default backend", (Evidence(here, "spec.rules", rule.text),)),
        )
    if backend.service is None:
        named = target(rule)[0]
        return "resource", True, Finding(Level.OK, f"served by {named}", (Evidence(here, "spec.rules[].backend.resource", named),))
    name, wanted = backend.service.name, target(rule)[1]
    asks = Evidence(here, "spec.rules[].backend.service", f"{name}:{wanted}")
    if service is None:
        if doubt := unseen(stores.services):
            return "?", False, Finding(Level.OFF, f"could not look: {doubt}", (asks,))
        return "no Service", False, Finding(Level.BAD, f"no Service {name}", (asks,), f"create Service {name}, or name another in {here}")
    if service.spec.type == "ExternalName":
        return "external", True, Finding(Level.OK, f"leads out of the cluster to {service.spec.external_name}", (asks, _external(service)))
    if port is None:
        have = names([p.name or str(p.port) for p in service.spec.ports or ()])
        evidence = (asks, Evidence(f"service/{name}", "spec.ports", have))
        return (
            f"no port {wanted}",
            False,
            Finding(Level.BAD, f"Service {name} has no port {wanted} (has: {have})", evidence, f"name one of its ports in {here}"),
        )
    return _count(stores, service, port, found)


def _count(stores: Stores, service: r.Service, port: r.ServicePort, found: Endpoints) -> tuple[str, bool, Finding]:
    name = service.metadata.name
    cell = f"{found.ready}/{found.total} ready"
    slices = Evidence(f"service/{name}", "endpointslices", f"{found.ready} ready, {found.not_ready} not ready, {found.terminating} terminating")
    if (doubt := unseen(stores.endpointslices)) and not found.all:
        return "?", False, Finding(Level.OFF, f"could not look: {doubt}", (slices,))
    if found.ready == found.total and found.ready:
        return cell, True, Finding(Level.OK, f"{found.ready} of {found.total} endpoints ready", (slices,))
    if found.ready:
        return cell, True, Finding(Level.BUSY, f"{found.ready} of {found.total} endpoints ready: {_unready(found)}", (slices,))
    if found.without_port:
        evidence = (Evidence(f"service/{name}", "spec.ports[].targetPort", str(port.target_port)), slices)
        clause = f"no pod has port {port.target_port}, the target of Service {name}:{port.name or port.port}"
        return (
            "no such port",
            False,
            Finding(Level.BAD, clause, evidence, f"give the container a port named {port.target_port}, or change targetPort"),
        )
    if found.terminating and not found.not_ready:
        return f"{found.terminating} ending", False, Finding(Level.BAD, f"no ready endpoints ({found.terminating} terminating)", (slices,))
    if found.total:
        clause = f"no ready endpoints ({_counts(found)}): {_unready(found)}"
        return cell, False, Finding(Level.BAD, clause, (slices,), "see why these pods are not ready")
    return "no endpoints", False, _nobody(service, slices)


def _nobody(service: r.Service, slices: Evidence) -> Finding:
    name, chosen = service.metadata.name, service.spec.selector
    if not chosen:
        return Finding(
            Level.BAD, f"Service {name} has neither selector nor endpoints", (Evidence(f"service/{name}", "spec.selector", "none"), slices)
        )
    text = labels.text(r.Selector(match_labels=chosen))
    evidence = (Evidence(f"service/{name}", "spec.selector", text), slices)
    return Finding(Level.BAD, f"Service {name} finds no pod ({text})", evidence, "start pods with these labels, or change the Service's selector")


def _counts(found: Endpoints) -> str:
    ending = f", {found.terminating} terminating" if found.terminating else ""
    return f"{found.not_ready} not ready{ending}"


def _unready(found: Endpoints) -> str:
    """Who gets no traffic."""
    away = [e.name for e in found.all if e.condition in (Condition.NOT_READY, Condition.NO_PORT)]
    lacks = f" ({found.without_port} without the port)" if found.without_port else ""
    return f"{names(away, 2)} {'gets' if len(away) == 1 else 'get'} no traffic{lacks}"


def _no_affinity(ingress: r.Ingress, service: r.Service | None, total: int) -> Finding:
    evidence = [Evidence(ref(ingress), "metadata.annotations", "no affinity of a known controller")]
    if service is not None:
        evidence.append(Evidence(f"service/{service.metadata.name}", "spec.sessionAffinity", service.spec.session_affinity or "None"))
    clause = f"{total} pods without affinity: a session can land on another pod"
    return Finding(Level.WARN, clause, tuple(evidence), "if the application keeps sessions, set cookie affinity on the Ingress")


# ---- what is around a rule: class and TLS


def class_of(ingress: r.Ingress) -> str:
    """The class that counts: the field, else the old annotation; "" for none."""
    return ingress.spec.ingress_class_name or (ingress.metadata.annotations or r.NO_ANNOTATIONS).ingress_class


def secret_of(ingress: r.Ingress, host: str) -> str:
    """The TLS Secret for a host; "" for no TLS, `default` where TLS names none."""
    for tls in ingress.spec.tls or ():
        if not tls.hosts or any(_covers(pattern, host) for pattern in tls.hosts):
            return tls.secret_name or "default"
    return ""


def _covers(pattern: str, host: str) -> bool:
    if pattern == host:
        return True
    return pattern.startswith("*.") and host.partition(".")[2] == pattern[2:]


def _around(stores: Stores, ingress: r.Ingress, rule: Rule) -> Iterator[Finding]:
    """What is wrong with the class and the certificate."""
    here, name = ref(ingress), ingress.spec.ingress_class_name
    published = address(ingress)
    if name and stores.ingressclasses.named("", name) is None and not unseen(stores.ingressclasses):
        have = names(sorted(c.metadata.name for c in stores.ingressclasses))
        evidence = (Evidence(here, "spec.ingressClassName", name), Evidence("ingressclasses", "metadata.name", have))
        yield Finding(
            Level.WARN if published else Level.BAD,
            f"no IngressClass {name} (have: {have})",
            evidence,
            f"install the controller of class {name}, or name another class",
        )
    elif not class_of(ingress) and not published and not unseen(stores.ingressclasses):
        default = next((c.metadata.name for c in stores.ingressclasses if _default(c)), "")
        older = f"; it is older than the default class {default}" if default else ""
        evidence = (Evidence(here, "spec.ingressClassName", "unset"), Evidence(here, "status.loadBalancer", "no address"))
        yield Finding(Level.WARN, f"no class, and no controller has taken it{older}", evidence, "set spec.ingressClassName")
    secret = secret_of(ingress, rule.host)
    if secret not in ("", "default") and stores.secrets.named(ingress.metadata.namespace, secret) is None and not unseen(stores.secrets):
        yield Finding(
            Level.BAD,
            f"no Secret {secret}: {rule.host or 'TLS'} gets the controller's own certificate",
            (Evidence(here, "spec.tls[].secretName", secret),),
            f"create Secret {secret} of type kubernetes.io/tls",
        )


def _default(found: r.IngressClass) -> bool:
    return (found.metadata.annotations or r.NO_ANNOTATIONS).default_ingress_class == "true"


def handled(stores: Stores, ingress: r.Ingress) -> str:
    """Who serves it, in words: `class nginx is handled by k8s.io/ingress-nginx; address published`."""
    name = class_of(ingress)
    found = stores.ingressclasses.named("", name) if name else None
    who = f"class {name} is handled by {found.spec.controller}" if found else f"class {name}" if name else "no class"
    return f"{who}; {'address published' if address(ingress) else 'no address published'}"


def _handled(stores: Stores, ingress: r.Ingress) -> Iterator[Finding]:
    if not address(ingress):
        evidence = (Evidence(ref(ingress), "status.loadBalancer", "no address"),)
        yield Finding(Level.OFF, "no address published: no controller has taken it yet, or it publishes none", evidence)
    if (secrets := unseen(stores.secrets)) and any(t.secret_name for t in ingress.spec.tls or ()):
        yield Finding(Level.OFF, f"TLS Secrets could not be looked at: {secrets}")


def ref(ingress: r.Ingress) -> str:
    """The Ingress as evidence names it."""
    return f"ingress/{ingress.metadata.name}"


def _external(service: r.Service) -> Evidence:
    return Evidence(f"service/{service.metadata.name}", "spec.externalName", service.spec.external_name)


# ---- kubectl's columns


def hosts(ingress: r.Ingress) -> str:
    """HOSTS: `a.x,b.x,c.x + 3 more...`, where the rest counts rules; `*` for none."""
    shown: list[str] = []
    found = ingress.spec.rules or ()
    for rule in found:
        if len(shown) == _HOSTS:
            return f"{','.join(shown)} + {len(found) - _HOSTS} more..."
        if rule.host:
            shown.append(rule.host)
    return ",".join(shown) or "*"


def address(ingress: r.Ingress) -> str:
    """ADDRESS: IPs, else host names, sorted; the server never cuts it."""
    return ",".join(sorted({a.ip or a.hostname for a in ingress.status.load_balancer.ingress or () if a.ip or a.hostname}))


def ports(ingress: r.Ingress) -> str:
    """PORTS: `80`, or `80, 443` with TLS."""
    return "80, 443" if ingress.spec.tls else "80"
