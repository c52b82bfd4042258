"""Pane 4: events, the newest first, those that repeat one cause as one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Event
from kubepane.insight import events
from kubepane.insight.ages import age, next_change
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Rank

ROOMY = 90  # cells from which TYPE is a word


class EventsView(View):
    """One row an event; of those that say the same again only the newest.

    Attributes:
        warnings_only: ordinary events are left out.
    """

    name: ClassVar[str] = "events"
    title: ClassVar[str] = "Events"
    number: ClassVar[int] = 4
    kinds: ClassVar[tuple[Kind, ...]] = (k.EVENTS,)
    default_sort: ClassVar[str] = "newest"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.warnings_only = False
        self._about: frozenset[str] | None = None
        self._groups: dict[tuple[str, str], set[str]] = {}
        self._group_of: dict[str, tuple[str, str]] = {}

    def follow(self, uids: Iterable[str] | None) -> None:
        """Shows only events about these objects; about all for None."""
        self._about = None if uids is None else frozenset(uids)

    # ---- which rows ----------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        keys = set(uids)
        for uid in uids:
            keys |= self._regroup(uid)
        return keys

    def _regroup(self, uid: str) -> set[str]:
        """Notes which events say the same; the others of this event's group."""
        event = self.stores.events.get(uid)
        group = events.group(event) if event is not None else None
        old = self._group_of.pop(uid, None)
        others: set[str] = set()
        if old is not None and (members := self._groups.get(old)) is not None:
            members.discard(uid)
            others |= members
            if not members:
                del self._groups[old]
        if group is not None:
            members = self._groups.setdefault(group, set())
            others |= members
            members.add(uid)
            self._group_of[uid] = group
        return others

    def exists(self, key: str) -> bool:
        event = self.stores.events.get(key)
        if event is None or (self.warnings_only and not events.warning(event)):
            return False
        if self._about is not None and event.involved_object.uid not in self._about:
            return False
        group = self._group_of.get(key)
        return group is None or self._newest(group) == key

    def _newest(self, group: tuple[str, str]) -> str:
        held = [e for uid in self._groups[group] if (e := self.stores.events.get(uid)) is not None]
        found = max(held, key=lambda e: (events.when(e), e.metadata.uid), default=None)
        return found.metadata.uid if found is not None else ""

    def rank(self, key: str) -> Rank:
        event = self.stores.events.get(key)
        return (-events.when(event).timestamp(),) if event is not None and events.when(event).year > 1 else (float("inf"),)

    def namespace(self, key: str) -> str:
        event = self.stores.events.get(key)
        return event.metadata.namespace if event else ""

    def text(self, key: str, now: datetime) -> str:
        event = self.stores.events.get(key)
        if event is None:
            return ""
        return f"{event.metadata.namespace}\n{event.type}\n{event.reason}\n{events.object_text(event)}\n{event.message}".lower()

    def value(self, key: str, column: str, now: datetime) -> Any:
        event = self.stores.events.get(key)
        if event is not None and column == "last_seen":
            return -events.when(event).timestamp()
        return super().value(key, column, now)

    def facts(self, now: datetime) -> list[str]:
        which = ["warnings only"] if self.warnings_only else []
        return [*which, "of what is chosen"] if self._about is not None else which

    # ---- what they say -------------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        event = self.stores.events.get(key)
        if event is None:
            return {"uid": "", "namespace": "", "name": ""}
        last = events.last_seen(event)
        return {
            "uid": key,
            "namespace": event.metadata.namespace,
            "name": event.metadata.name,
            "last_seen": age(last, now),
            "last_seen_value": (now - last).total_seconds() if last else None,
            "type": event.type,
            "reason": event.reason,
            "object": events.object_text(event),
            "subobject": event.involved_object.field_path,
            "source": events.source(event),
            "message": events.message(event),
            "first_seen": age(events.first_seen(event), now),
            "count": events.count(event),
            "object_uid": event.involved_object.uid,
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        roomy = width > ROOMY
        return [
            Column("last_seen", "LAST", 4, 5, right=True, fixed=True),
            Column("type", "TYPE" if roomy else "", 7 if roomy else 1, 7 if roomy else 1, drop=4 if roomy else 0),
            *([Column("namespace", "NAMESPACE", 9, 14, drop=3)] if self.wide else []),
            Column("reason", "REASON", 12, 17),
            Column("object", "OBJECT", 14, 31, elide="mid"),
            *([Column("source", "SOURCE", 10, 24, drop=2)] if self.wide else []),
            Column("count", "COUNT" if roomy else "×", 2, 5, right=True),
            Column("message", "MESSAGE", max(14, width // 3), FLEX),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        event = self.stores.events.get(key)
        columns = self.columns(width, height)
        if event is None:
            return Row([""] * len(columns), selectable=False)
        cells = self._cells(event, now, width > ROOMY)
        return Row([cells[c.key] for c in columns], events.message(event), now.timestamp() + next_change(events.last_seen(event), now))

    @staticmethod
    def _cells(event: Event, now: datetime, roomy: bool) -> dict[str, tuple[str, str]]:
        alarm, count = events.warning(event), events.count(event)
        kind = event.type if roomy else G["warn" if alarm else "dot"]
        return {
            "last_seen": (age(events.last_seen(event), now), "muted"),
            "type": (kind, "warn" if alarm else "muted"),
            "namespace": (event.metadata.namespace, "muted"),
            "reason": (event.reason, "fg" if alarm else "soft"),
            "object": (events.object_short(event), "soft"),
            "source": (events.source(event), "muted"),
            "count": (str(count) if count > 1 else "", "soft"),
            "message": (" ".join(events.message(event).split()), "fg" if alarm else "soft"),
        }

    def none(self) -> list[Line]:
        return [[("No events", "fg")]]
