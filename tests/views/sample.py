"""A small real view over nodes, for tests of what is common to all views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.insight.ages import age
from kubepane.views.view import Record, View
from kubepane_widgets.columns import Column, Row
from kubepane_widgets.order import Rank


class ServicesView(View):
    """Services by name."""

    name = "services"
    title = "Services"
    number = 9
    kinds = (k.SERVICES, k.NODES)
    default_sort = "by name"

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        return uids if kind is k.SERVICES else ()

    def exists(self, key: str) -> bool:
        return key in self.stores.services

    def rank(self, key: str) -> Rank:
        service = self.stores.services.get(key)
        assert service is not None
        return (service.metadata.namespace, service.metadata.name)

    def namespace(self, key: str) -> str:
        service = self.stores.services.get(key)
        return service.metadata.namespace if service else ""

    def labels(self, key: str) -> dict[str, str]:
        service = self.stores.services.get(key)
        return (service.metadata.labels if service else None) or {}

    def record(self, key: str, now: datetime) -> Record:
        service = self.stores.services.get(key)
        assert service is not None
        meta, spec = service.metadata, service.spec
        seconds = (now - meta.creation_timestamp).total_seconds() if meta.creation_timestamp else None
        return {
            "uid": key, "namespace": meta.namespace, "name": meta.name, "type": spec.type, "ports": len(spec.ports or ()),
            "age": age(meta.creation_timestamp, now), "age_value": seconds,
        }  # fmt: skip

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return [Column(key, key.upper(), 4, 20) for key in ("namespace", "name", "type", "ports", "age")]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        record = self.record(key, now)
        return Row([str(record[c.key]) for c in self.columns(width, height)])
