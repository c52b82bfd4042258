"""Pane 7: every rule of every Ingress with what really answers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.insight import ingresses
from kubepane.insight.ages import age, next_change
from kubepane.insight.finding import Level
from kubepane.insight.ingresses import Route, Rule
from kubepane.views import route_boxes
from kubepane.views.certainty import Certainty
from kubepane.views.levels import dot
from kubepane.views.tally import Tally
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import Cell, Column, Row
from kubepane_widgets.lines import Line, Span
from kubepane_widgets.order import Rank

_SICK = (Level.BAD, Level.WARN)


class IngressView(View):
    """One row a path, with the key `uid/host/path`; a second path of the same text gets `#2` behind it."""

    name: ClassVar[str] = "ingress"
    title: ClassVar[str] = "Ingress"
    number: ClassVar[int] = 7
    kinds: ClassVar[tuple[Kind, ...]] = (k.INGRESSES, k.SERVICES, k.ENDPOINTSLICES, k.INGRESSCLASSES, k.SECRETS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._tally = Tally(self._judge)
        self._rules: dict[str, dict[str, Rule]] = {}  # by the Ingress' uid, then by key
        self._certainty = Certainty(self.stores, self.kinds)

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        touched = self._touched(kind, uids)
        if self._certainty.turned():
            touched = {*self.stores.ingresses.uids(), *self._rules}
        keys: set[str] = set()
        for uid in touched:
            keys.update(self._rules.get(uid, ()))
            self._read(uid)
            keys.update(self._rules.get(uid, ()))
        self._tally.due(keys)
        return keys

    def _touched(self, kind: Kind, uids: set[str]) -> set[str]:
        """The Ingresses that these objects are about; one that is gone no longer says which, so then all are looked at."""
        if kind is k.INGRESSES:
            return uids
        if kind is k.INGRESSCLASSES:
            return {*self._rules}
        found: set[str] = set()
        for uid in uids:
            paths = self._leads(kind, uid)
            if paths is None:
                return {*self._rules}
            index = "secret" if kind is k.SECRETS else "service"
            found.update(i.metadata.uid for path in paths for i in self.stores.ingresses.by(index, path))
        return found

    def _leads(self, kind: Kind, uid: str) -> Iterable[str] | None:
        """`namespace/name` of the Service or Secret that an object is or belongs to; None for one that is gone."""
        obj: r.Object | None = self.stores.of(kind).get(uid)
        if obj is None:
            return None
        name = (obj.metadata.labels or {}).get("kubernetes.io/service-name", "") if kind is k.ENDPOINTSLICES else obj.metadata.name
        return (f"{obj.metadata.namespace}/{name}",)

    def _read(self, uid: str) -> None:
        ingress = self.stores.ingresses.get(uid)
        if ingress is None:
            self._rules.pop(uid, None)
            return
        found: dict[str, Rule] = {}
        for rule in ingresses.rules(ingress):
            key = first = f"{uid}/{rule.text}"
            n = 1
            while key in found:
                n += 1
                key = f"{first}#{n}"
            found[key] = rule
        self._rules[uid] = found

    def _judge(self, key: str) -> Level | None:
        route = self._route(key)
        return route.finding.level if route else None

    def _find(self, key: str) -> tuple[r.Ingress, Rule] | None:
        uid = key.partition("/")[0]
        ingress, rule = self.stores.ingresses.get(uid), self._rules.get(uid, {}).get(key)
        return (ingress, rule) if ingress is not None and rule is not None else None

    def _route(self, key: str) -> Route | None:
        found = self._find(key)
        return ingresses.route(self.stores, *found) if found else None

    def exists(self, key: str) -> bool:
        return key in self._tally

    def rank(self, key: str) -> Rank:
        found = self._find(key)
        if found is None:
            return (self._tally.level(key), "", "", "")
        ingress, rule = found
        return (self._tally.level(key), ingress.metadata.namespace, rule.text, ingress.metadata.name)

    def namespace(self, key: str) -> str:
        ingress = self.stores.ingresses.get(key.partition("/")[0])
        return ingress.metadata.namespace if ingress else ""

    def labels(self, key: str) -> dict[str, str]:
        ingress = self.stores.ingresses.get(key.partition("/")[0])
        return (ingress.metadata.labels if ingress else None) or {}

    def facts(self, now: datetime) -> list[str]:
        broken, look = self._tally.count(Level.BAD), self._tally.count(Level.WARN)
        return [*([f"{broken} broken"] if broken else []), *([f"{look} to look at"] if look else [])]

    def none(self) -> list[Line]:
        return [[("No Ingress", "fg")]]

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        found, route = self._find(key), self._route(key)
        if found is None or route is None:
            return {"uid": "", "namespace": "", "name": ""}
        (ingress, rule), meta = found, found[0].metadata
        service, port = ingresses.target(rule)
        sticks = route.affinity
        return {
            "uid": meta.uid,
            "namespace": meta.namespace,
            "name": meta.name,
            "level": route.finding.level.glyph,
            "class": ingress.spec.ingress_class_name or "<none>",
            "hosts": ingresses.hosts(ingress),
            "address": ingresses.address(ingress),
            "ports": ingresses.ports(ingress),
            "age": age(meta.creation_timestamp, now),
            "age_value": (now - meta.creation_timestamp).total_seconds() if meta.creation_timestamp else None,
            "host": rule.host or "*",
            "path": rule.path,
            "path_type": rule.path_type,
            "rule": rule.text,
            "service": service,
            "port": port,
            "backend": f"{service}:{port}" if port else service,
            "ready": route.endpoints.ready,
            "total": route.endpoints.total,
            "terminating": route.endpoints.terminating,
            "endpoints": route.served,
            "endpoints_value": route.endpoints.ready,
            "affinity": sticks.text or "none",
            "affinity_by": sticks.source,
            "tls": route.tls,
            "why": route.finding.clause if route.finding.level is not Level.OK else "",
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        roomy = width > 110
        return [
            Column("level", "", 1, 1, fixed=True),
            *([Column("namespace", "NAMESPACE", 9, 14, drop=7)] if width > 100 else []),
            *([Column("name", "NAME", 8, 24, drop=8)] if self.wide else []),
            Column("rule", "HOST/PATH", 12, 40 if roomy else 20, fixed=width <= 100),
            Column("backend", "  SERVICE:PORT", 13, 32 if roomy else 20),
            Column("endpoints", "  ENDPOINTS", 12, 18 if roomy else 14),
            Column("affinity", "AFFINITY", 12, 13, drop=1),
            Column("tls", "TLS", 8, 20 if roomy else 8, drop=2),
            Column("class", "CLASS", 5, 12 if roomy else 5, drop=4),
            Column("address", "ADDRESS", 10, 30 if roomy else 12, drop=5),
            *([Column("ports", "PORTS", 5, 7, drop=9), Column("age", "AGE", 4, 5, right=True, drop=10)] if self.wide else []),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        columns, found, route = self.columns(width, height), self._find(key), self._route(key)
        if found is None or route is None:
            return Row([""] * len(columns), selectable=False)
        ingress, rule = found
        cells = _cells(ingress, rule, route, now)
        born = ingress.metadata.creation_timestamp
        expires = now.timestamp() + next_change(born, now) if self.wide else float("inf")
        note = f"{ingress.metadata.namespace}/{ingress.metadata.name} {rule.text}: {route.finding.clause}"
        return Row([cells[column.key] for column in columns], note, expires)

    def tail(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        found = self._find(cursor) if cursor is not None and cursor in self._tally else None
        if found is None or height < 14 or width < 70:
            return []
        route = ingresses.route(self.stores, *found)
        others = [
            (f[1].text, r_) for key in list(self._tally.rows(*_SICK))[:3] if key != cursor and (f := self._find(key)) and (r_ := self._route(key))
        ]
        room = height - 1 - min(len(self._tally), max(4, (height - 1) // 3))
        return route_boxes.ingress(self.stores, found[0], route, others, width, room)


def _cells(ingress: r.Ingress, rule: Rule, route: Route, now: datetime) -> dict[str, Cell]:
    service, port = ingresses.target(rule)
    name = ingresses.class_of(ingress)
    given = ingresses.address(ingress)
    return {
        "level": dot(route.finding.level),
        "namespace": (ingress.metadata.namespace, "muted"),
        "name": (ingress.metadata.name, "soft"),
        "rule": (rule.text, "fg"),
        "backend": [("→ ", "muted"), (f"{service}:{port}" if port else service or "nothing", "soft")],
        "endpoints": _endpoints(route),
        "affinity": affinity(route),
        "tls": (route.tls or "no TLS", "bad" if _blames(route, "no Secret") else "soft" if route.tls else "muted"),
        "class": (name or "none", "bad" if _blames(route, "no IngressClass") else "muted"),
        "address": (given or "none", "muted"),
        "ports": (ingresses.ports(ingress), "muted"),
        "age": (age(ingress.metadata.creation_timestamp, now), "muted"),
    }


def _endpoints(route: Route) -> Line:
    if route.served == "?":
        return [("→ ", "muted"), ("not seen", "muted")]
    if not route.whole:
        return [("✕ ", "bad"), (route.served, "bad")]
    return [("→ ", "muted"), (route.served, "fg")]


def affinity(route: Route) -> Span:
    """The AFFINITY cell: `cookie`, `ClientIP 3h`, `none, 3 pods`, `–` where nothing is served by pods."""
    counted = route.endpoints.total
    if not route.whole or not route.endpoints.all:
        return "–", "muted"
    if route.affinity.kind:
        return route.affinity.text, "soft"
    return (f"none, {counted} pods", "warn") if counted > 1 else ("none", "muted")


def _blames(route: Route, what: str) -> bool:
    """Whether this is among what is wrong around the rule."""
    return any(f.clause.startswith(what) for f in route.around)
