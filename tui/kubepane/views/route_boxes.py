"""The way of one Ingress rule as four boxes, from host to session, and what there is to say about it in lines below."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import ingresses, labels
from kubepane.insight.affinity import Affinity
from kubepane.insight.backends import Condition, Endpoint
from kubepane.insight.finding import Level
from kubepane.insight.ingresses import Route
from kubepane.insight.unseen import unseen
from kubepane.views.chain_boxes import pairs
from kubepane.views.levels import TONE, dot
from kubepane_widgets.lines import Line, Span, beside, box, fit

LINES = 8  # a blank line, the boxes, a blank line
_SHOWN = 4
_SUFFIX = re.compile(r".+-[bcdf-hj-np-tv-z2-9]{6,10}-([bcdf-hj-np-tv-z2-9]{5})")  # of a Deployment's pod: what tells it from its siblings
_LEVEL = {Condition.READY: Level.OK, Condition.NO_PORT: Level.BAD, Condition.TERMINATING: Level.OFF, Condition.NOT_READY: Level.BUSY}
_WORD = {Condition.READY: "", Condition.NO_PORT: " no port", Condition.TERMINATING: " terminating", Condition.NOT_READY: ""}


def ingress(stores: Stores, of: r.Ingress, route: Route, others: Sequence[tuple[str, Route]], width: int, room: int) -> list[Line]:
    """The lines below the rows of the Ingress pane.

    Args:
        stores: what is known of the cluster.
        of: the Ingress of the rule under the cursor.
        route: the rule, followed.
        others: (host and path, route) of sick ones, worth a line where there is room.
        width: cells.
        room: the most lines.

    Returns:
        At most `room` lines; none where not even the boxes fit.
    """
    if room < LINES:
        return []
    n = (width - 12) // 4
    found = route.endpoints
    title = f"Endpoints {found.ready}/{found.total}" if found.all else "Endpoints"
    blocks = [
        box("Ingress", _four(_ingress(of, route)), n),
        box("Service", _four(_service(stores, of, route)), n),
        box(title, _four(_endpoints(route)), n),
        box("Affinity", _four(_affinity(route)), n),
    ]
    tone = TONE[route.finding.level]
    join: Span = ("───►", "muted")
    ends = join if route.whole or route.served == "?" else ("╌╌╌✕", tone)
    to = ends if route.service is None else join
    told = [fit(line, width) for line in _said(stores, of, route, others)]
    return [[], *beside(blocks, [to, ends, ("────", "muted")]), [], *told][:room]


def _four(lines: list[Line]) -> list[Line]:
    return [*lines, [], [], [], []][:_SHOWN]


def _ingress(of: r.Ingress, route: Route) -> list[Line]:
    return [
        [(route.rule.text, "bold")],
        pairs("class", ingresses.class_of(of) or "none"),
        pairs("address", ingresses.address(of) or "none"),
        pairs("path", route.rule.path_type or "default backend"),
    ]


def _service(stores: Stores, of: r.Ingress, route: Route) -> list[Line]:
    name, port = ingresses.target(route.rule)
    service = route.service
    head: Line = [(f"{name}:{port}" if port else name or "nothing", "bold")]
    if service is None:
        if route.rule.backend is None or route.rule.backend.service is None:
            return [head]
        doubt = unseen(stores.services)
        return [head, [*dot(Level.OFF if doubt else Level.BAD), (" not seen" if doubt else " does not exist", "fg")]]
    ports = f"{route.port.port} → {_target(route, route.port)}" if route.port else "no such port"
    chosen = labels.text(r.Selector(match_labels=service.spec.selector)) if service.spec.selector else "nothing"
    aim = pairs("leads to", service.spec.external_name) if service.spec.type == "ExternalName" else pairs("selects", chosen)
    return [head, pairs("port", ports), pairs("type", service.spec.type or "ClusterIP"), aim]


def _target(route: Route, port: r.ServicePort) -> str:
    """The number behind the port as the endpoints have it, else as the Service names it."""
    numbers = {e.port for e in route.endpoints.all if e.port}
    return str(numbers.pop() if len(numbers) == 1 else port.target_port if port.target_port is not None else port.port)


def _endpoints(route: Route) -> list[Line]:
    found = list(route.endpoints.all)
    if not found:
        return [[(route.served if route.served != "?" else "not seen", "muted")]]
    if len(found) > _SHOWN:  # those that need a look first, the rest as a number
        found.sort(key=lambda e: (e.condition is Condition.READY, e.name))
        return [*map(_endpoint, found[: _SHOWN - 1]), [(f"and {len(found) - _SHOWN + 1:,} more", "muted")]]
    return [_endpoint(e) for e in found]


def _endpoint(e: Endpoint) -> Line:
    match = _SUFFIX.fullmatch(e.name)
    name = match[1] if match else e.name
    return [*dot(_LEVEL[e.condition]), (f" {name} ", "fg"), (e.address if e.address != e.name else "", "muted"), (_WORD[e.condition], "soft")]


def _affinity(route: Route) -> list[Line]:
    sticks = route.affinity
    lines: list[Line] = [[(sticks.kind or "none", "bold")], *[pairs(*fact) for fact in sticks.facts]]
    if route.service is not None and sticks.kind != "ClientIP":
        lines.append(pairs("ClientIP", route.service.spec.session_affinity or "None"))
    return lines


def _said(stores: Stores, of: r.Ingress, route: Route, others: Sequence[tuple[str, Route]]) -> list[Line]:
    def say(level: Level, head: str, text: str) -> Line:
        return [*dot(level), (f" {head}", "fg"), (f"  {text}", "soft")]

    finding, found = route.finding, route.endpoints
    taken = bool(ingresses.address(of))
    lines = [say(Level.OK if taken else Level.OFF, "served" if taken else "not taken yet", ingresses.handled(stores, of))]
    if finding.level is not Level.OK:
        lines.append(say(finding.level, route.rule.text, finding.clause))
        if finding.next:
            lines.append([("  cure ", "muted"), (finding.next, "soft")])
    elif found.all:
        lines.append(say(Level.OK, f"{found.ready} of {found.total} endpoints", "all get traffic"))
    if route.affinity.kind:
        lines.append(say(Level.OK, "sessions stick", _sticks(route.affinity, route.service)))
    if (doubt := unseen(stores.secrets)) and route.tls not in ("", "default"):
        lines.append(say(Level.OFF, f"Secret {route.tls}", f"could not look: {doubt}"))
    return lines + [say(other.finding.level, text, other.finding.clause) for text, other in others]


def _sticks(sticks: Affinity, service: r.Service | None) -> str:
    if sticks.kind == "ClientIP":
        return "by the Service's ClientIP; a controller that sends to pods directly passes it by"
    text = f"{sticks.kind} {sticks.facts[0][1]}" if sticks.facts else sticks.kind
    own = (service.spec.session_affinity or "None") if service else "None"
    return f"{text}; the Service itself has sessionAffinity {own}, which is fine behind it"
