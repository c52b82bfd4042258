"""Pane 6: claims as chains Pod → PVC → StorageClass → PV → node, and the first link that breaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import pod_claims
from kubepane.insight import claims, quantities, volumes
from kubepane.insight.ages import age, next_change
from kubepane.insight.claims import Chain
from kubepane.insight.finding import Level
from kubepane.insight.nodes import status as node_status
from kubepane.views import chain_boxes
from kubepane.views.certainty import Certainty
from kubepane.views.levels import TONE, dot
from kubepane.views.tally import Tally
from kubepane.views.trail import Trail
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import Cell, Column, Row, Wide
from kubepane_widgets.lines import Line, Span
from kubepane_widgets.order import Rank

ABSENT = "absent/"
_RULE = "─" * 40
_WIDE = (
    Column("status", "STATUS", 7, 11, drop=9),
    Column("volumemode", "VOLUMEMODE", 10, 10, drop=11),
    Column("volumeattributesclass", "ATTRIBUTESCLASS", 7, 21, drop=12),
    Column("age", "AGE", 4, 5, right=True, drop=10),
)


class StorageView(View):
    """One row a claim, by its uid, and one for each claim that pods name and that is not there: `absent/namespace/name`."""

    name: ClassVar[str] = "storage"
    title: ClassVar[str] = "Storage"
    number: ClassVar[int] = 6
    kinds: ClassVar[tuple[Kind, ...]] = (k.CLAIMS, k.PODS, k.VOLUMES, k.STORAGECLASSES, k.NODES, k.EVENTS)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._tally = Tally(self._judge)
        self._named = Trail(self._path)
        self._mounted = Trail(self._mounts)
        self._told = Trail(self._tells)
        self._nodes: dict[str, str] = {}  # STATUS by name: only its changes matter, not a heartbeat
        self._certainty = Certainty(self.stores, self.kinds)

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        match kind.plural:
            case "persistentvolumeclaims":
                keys = self._paths(self._named.follow(uids)) | uids
            case "pods":
                keys = self._paths(self._mounted.follow(uids))
            case "persistentvolumes":
                keys = self._of_volumes(uids)
            case "storageclasses":
                keys = set(self._tally.rows())
            case "nodes":
                keys = set(self._tally.rows()) if self._turned() else set()
            case _:
                keys = self._told.follow(uids)
        if self._certainty.turned():  # what could not be concluded then may be concluded now, or the other way round
            keys |= {*self._tally.rows(), *self._paths(self._mounted.all())}
        self._tally.due(keys)
        return keys

    def _judge(self, key: str) -> Level | None:
        chain = self._chain(key)
        there = chain is not None and (chain.claim is not None or (chain.broken == "claim" and bool(chain.pods)))
        return chain.finding.level if chain is not None and there else None

    def _path(self, uid: str) -> Iterable[str]:
        claim = self.stores.claims.get(uid)
        return (f"{claim.metadata.namespace}/{claim.metadata.name}",) if claim else ()

    def _mounts(self, uid: str) -> Iterable[str]:
        pod = self.stores.pods.get(uid)
        return pod_claims(pod) if pod else ()

    def _tells(self, uid: str) -> Iterable[str]:
        event = self.stores.events.get(uid)
        about = event.involved_object if event else None
        return (about.uid,) if about and about.kind == "PersistentVolumeClaim" and about.uid else ()

    def _paths(self, paths: Iterable[str]) -> set[str]:
        """The rows of claims by name: that of the claim, and that of its absence."""
        keys: set[str] = set()
        for path in paths:
            namespace, _, name = path.partition("/")
            claim = self.stores.claims.named(namespace, name)
            keys.add(ABSENT + path)
            if claim is not None:
                keys.add(claim.metadata.uid)
        return keys

    def _of_volumes(self, uids: set[str]) -> set[str]:
        """The claims of these volumes, and all that still look for one."""
        keys = {c.metadata.uid for c in self.stores.claims if c.status.phase != "Bound"}
        for uid in uids:
            volume = self.stores.volumes.get(uid)
            if volume is None:  # gone: it no longer says whose it was
                return {*self._tally.rows()} | keys
            keys.update(c.metadata.uid for c in self.stores.claims.by("volume", volume.metadata.name))
        return keys

    def _turned(self) -> bool:
        """Whether a node came, went, or changed its STATUS."""
        now = {node.metadata.name: node_status(node) for node in self.stores.nodes}
        old, self._nodes = self._nodes, now
        return now != old

    def exists(self, key: str) -> bool:
        return key in self._tally

    def rank(self, key: str) -> Rank:
        claim = self.stores.claims.get(key)
        where = (claim.metadata.namespace, claim.metadata.name) if claim else self._split(key)
        return (self._tally.level(key), *where)

    def namespace(self, key: str) -> str:
        claim = self.stores.claims.get(key)
        return claim.metadata.namespace if claim else self._split(key)[0]

    def labels(self, key: str) -> dict[str, str]:
        claim = self.stores.claims.get(key)
        return (claim.metadata.labels if claim else None) or {}

    def facts(self, now: datetime) -> list[str]:
        broken, waiting = self._tally.count(Level.BAD), self._tally.count(Level.WAIT, Level.BUSY)
        return [*([f"{broken} broken"] if broken else []), *([f"{waiting} waiting"] if waiting else [])]

    def none(self) -> list[Line]:
        return [[("No PersistentVolumeClaim", "fg")]]

    @staticmethod
    def _split(key: str) -> tuple[str, str]:
        namespace, _, name = key.removeprefix(ABSENT).partition("/")
        return (namespace, name) if key.startswith(ABSENT) else ("", "")

    def _chain(self, key: str) -> Chain | None:
        if key.startswith(ABSENT):
            namespace, name = self._split(key)
            return None if self.stores.claims.named(namespace, name) is not None else claims.chain(self.stores, namespace, name)
        claim = self.stores.claims.get(key)
        return claims.chain(self.stores, claim.metadata.namespace, claim.metadata.name) if claim else None

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        chain = self._chain(key)
        if chain is None:
            return {"uid": "", "namespace": "", "name": ""}
        claim, volume = chain.claim, chain.volume
        size = _size(chain)
        created = claim.metadata.creation_timestamp if claim else None
        return {
            "uid": claim.metadata.uid if claim else "",
            "namespace": chain.namespace,
            "name": chain.name,
            "level": chain.finding.level.glyph,
            "status": claims.phase(claim) if claim else "",
            "volume": claim.spec.volume_name if claim else "",
            "capacity": claims.capacity(claim) if claim else "",
            "capacity_value": quantities.size(claims.capacity(claim)) if claim and claims.capacity(claim) else None,
            "access_modes": claims.modes(claim) if claim else "",
            "storageclass": (claims.class_of(claim) or "") if claim else "",
            "volumeattributesclass": (claim.spec.volume_attributes_class_name or "<unset>") if claim else "",
            "age": age(created, now) if claim else "",
            "age_value": (now - created).total_seconds() if created else None,
            "volumemode": (claim.spec.volume_mode or "<unset>") if claim else "",
            "size": size,
            "size_value": quantities.size(size) if size else None,
            "binding_mode": chain.binding,
            "reclaim_policy": volume.spec.persistent_volume_reclaim_policy if volume else "",
            "volume_status": volumes.phase(volume) if volume else "",
            "pods": [p.metadata.name for p in chain.pods],
            "pods_value": chain.pods[0].metadata.name if chain.pods else None,
            "node": chain.node,
            "broken": chain.broken,
            "why": chain.finding.clause if chain.finding.level is not Level.OK or chain.broken else "",
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        wide = width > 90
        return [
            Column("level", "", 1, 1, fixed=True),
            *([Column("namespace", "NAMESPACE", 9, 14, drop=8)] if width > 120 else []),
            Column("pods", "POD", 9, 16 if wide else 13, fixed=width <= 120),
            Column("name", "  CLAIM", 16, 30 if wide else 22),
            Column("size", "SIZE", 4, 6, right=True, drop=1),
            Column("access_modes", "MODE", 4, 7, drop=5),
            Column("storageclass", "   CLASS", 9, 17, drop=0 if wide else 3),
            Column("volume", "  VOLUME", 10, 42 if width > 150 else 16),
            Column("reclaim_policy", "RECLAIM", 7, 7, drop=6),
            Column("node", "  NODE", 13, 18, drop=2),
            Column("binding_mode", "BINDING", 8, 22, drop=7),
            *(_WIDE if self.wide else ()),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        columns, chain = self.columns(width, height), self._chain(key)
        if chain is None:
            return Row([""] * len(columns), selectable=False)
        cells = _cells(chain, now, wide=width > 90)
        finding, claim = chain.finding, chain.claim
        born = claim.metadata.creation_timestamp if claim else None
        expires = now.timestamp() + next_change(born, now) if self.wide else float("inf")
        note = f"{chain.namespace}/{chain.name}: {finding.clause}"
        return Row([cells[column.key] for column in columns], note, expires)

    def tail(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        chain = self._chain(cursor) if cursor is not None and cursor in self._tally else None
        if chain is None or height < 14 or width < 70:
            return []
        others = [c for key in list(self._tally.rows(Level.BAD))[:3] if key != cursor and (c := self._chain(key))]
        room = height - 1 - min(len(self._tally), max(4, (height - 1) // 3))
        return chain_boxes.storage(self.stores, chain, others, now, width, room)


def _size(chain: Chain) -> str:
    claim = chain.claim
    return (claims.capacity(claim) or claims.asked(claim)) if claim and claim.status.phase == "Bound" else claims.asked(claim) if claim else ""


def _link(good: bool, tone: str, cells: int = 2) -> Span:
    return ("─" * (cells - 1) + "→", "muted") if good else ("╌" * (cells - 1) + "✕", tone)


def _cells(chain: Chain, now: datetime, *, wide: bool) -> dict[str, Cell]:
    """The cells by column; from the broken link on the reason runs over what would be empty."""
    claim, volume, finding, tone = chain.claim, chain.volume, chain.finding, TONE[chain.finding.level]
    there = claim is not None
    cells: dict[str, Cell] = {
        "level": dot(finding.level),
        "namespace": (chain.namespace, "muted"),
        "pods": [*_pods(chain), (_RULE, "faint")],
        "name": [("→ ", "muted") if there else ("✕ ", tone), (chain.name, "fg")],
        "size": (_size(chain), "soft"),
        "access_modes": (volumes.modes(_modes(claim)) if claim else "", "muted"),
        "storageclass": [_link(True, tone), (f" {_class(claim)}", "soft")] if claim else "",
        "volume": [("→ ", "muted"), (claim.spec.volume_name, "fg")] if claim and claim.spec.volume_name else "",
        "reclaim_policy": (volume.spec.persistent_volume_reclaim_policy if volume else "", "muted"),
        "node": [("→ ", "muted"), (chain.node, "soft")] if chain.node else "",
        "binding_mode": (chain.binding, "muted"),
        "status": (claims.phase(claim) if claim else "", "soft"),
        "volumemode": ((claim.spec.volume_mode or "<unset>") if claim else "", "muted"),
        "volumeattributesclass": ((claim.spec.volume_attributes_class_name or "<unset>") if claim else "", "muted"),
        "age": (age(claim.metadata.creation_timestamp, now) if claim else "", "muted"),
    }
    if where := _broken_at(chain):
        cells[where] = Wide(_reason(chain, where, wide=wide), "status")
    return cells


def _broken_at(chain: Chain) -> str:
    """The column from which on the reason stands; "" while the chain holds."""
    if not chain.broken:
        return ""
    if chain.broken == "node":
        return "node"
    named = chain.claim is not None and chain.claim.status.phase in ("Bound", "Lost")
    return "volume" if chain.broken == "volume" and named else "storageclass"


def _reason(chain: Chain, where: str, *, wide: bool) -> Line:
    finding, tone = chain.finding, TONE[chain.finding.level]
    sick = finding.level in (Level.BAD, Level.WARN)
    text: Span = (finding.clause, "fg" if sick or wide else "soft")
    if where != "storageclass":
        return [("✕ " if sick else "→ ", tone if sick else "muted"), text]
    name = f" {_class(chain.claim)}" if wide and chain.claim is not None else ""
    return [_link(not sick, tone), *([(name, tone if chain.broken == "class" else "soft")] if name else []), (" ", "fg"), text]


def _pods(chain: Chain) -> Line:
    if not chain.pods:
        waits = chain.claim is not None and chain.claim.status.phase == "Pending"
        return [("none yet " if waits else "no pod ", "muted")]
    more = f" +{len(chain.pods) - 1}" if len(chain.pods) > 1 else ""
    return [(f"{chain.pods[0].metadata.name}{more} ", "fg")]


def _modes(claim: r.Claim) -> tuple[str, ...] | None:
    return claim.status.access_modes or claim.spec.access_modes


def _class(claim: r.Claim | None) -> str:
    name = claims.class_of(claim) if claim else None
    return name or ("(none)" if name == "" or claim is None or claim.spec.volume_name else "(default)")
