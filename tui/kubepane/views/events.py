"""Pane 4: events, the newest first, those that repeat one cause as one line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import BY_KIND, Kind
from kubepane.cluster.resources import Event, Object
from kubepane.insight import events
from kubepane.insight.ages import age, next_change
from kubepane.insight.relations import family
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Column, Row
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Order, Rank

ROOMY = 90  # cells from which TYPE is a word
SHOWN = 5_000  # rows; a busy cluster has more events in its hour than anybody reads
_DEPTH = 4  # owners above an object that are looked at
_UNTIMED: Rank = (math.inf,)


class EventsView(View):
    """One row an event; those that repeat one cause (`events.GROUPED`) make one row together, which tells the newest.

    The key is the event's uid; that of a group is the uid of the first of them that is still there, so that the cursor stays on
    it when the cause is told again. Only the newest `SHOWN` rows exist.

    Attributes:
        warnings_only: ordinary events are left out; the table is to be rebuilt when it is changed.
    """

    name: ClassVar[str] = "events"
    title: ClassVar[str] = "Events"
    number: ClassVar[int] = 4
    kinds: ClassVar[tuple[Kind, ...]] = (k.EVENTS,)
    default_sort: ClassVar[str] = "newest"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._warnings_only = False
        self._about: set[str] | None = None
        self._groups: dict[tuple[str, str], dict[str, None]] = {}  # uids of a group in the order in which they came
        self._group_of: dict[str, tuple[str, str]] = {}
        self._newest = Order()  # all rows that pass, the newest first
        self._seen: dict[str, Event] = {}  # as they were put into their places

    @property
    def warnings_only(self) -> bool:
        return self._warnings_only

    @warnings_only.setter
    def warnings_only(self, wanted: bool) -> None:
        self._warnings_only = wanted
        self._look_again()

    def follow(self, uids: Iterable[str] | None) -> None:
        """Shows only events about these objects and about what they own, now or later; about all for None.

        The table is to be rebuilt afterwards.
        """
        self._about = None if uids is None else set().union(*(family(self.stores, uid) for uid in uids))
        self._look_again()

    # ---- which rows ----------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        keys: set[str] = set()
        changed = 0
        for uid in uids:
            event = self.stores.events.get(uid)
            if event is not None and self._seen.get(uid) is event:
                if uid in self._newest:
                    keys.add(uid)
                continue
            changed += 1
            keys |= self._note(uid, event)
        if len(self._newest) > SHOWN:  # as many rows as changed may have moved over the edge
            keys.update(self._newest.slice(SHOWN - changed, SHOWN + changed))
        return keys

    def _note(self, uid: str, event: Event | None) -> set[str]:
        """Puts one event where it belongs now; the keys of the rows that it is, or was, a part of."""
        if event is None:
            self._seen.pop(uid, None)
        else:
            self._seen[uid] = event
        group = events.group(event) if event is not None else None
        old = self._group_of.pop(uid, None) if self._group_of.get(uid) != group else None
        touched = {uid}
        if old is not None:
            members = self._groups[old]
            touched.update(members)
            del members[uid]
            if not members:
                del self._groups[old]
        if group is not None and uid not in self._group_of:
            self._groups.setdefault(group, {})[uid] = None
            self._group_of[uid] = group
        if group is not None:
            touched.add(next(iter(self._groups[group])))
        for key in touched:
            self._place(key)
        return touched

    def _place(self, key: str) -> None:
        event = self._shown(key)
        if event is not None and self._passes(event):
            self._newest.put(key, _rank(event))
        else:
            self._newest.drop(key)

    def _shown(self, key: str) -> Event | None:
        """The event that a row tells: of a group the newest; None for one that is told by another row."""
        group = self._group_of.get(key)
        if group is None:
            return self.stores.events.get(key)
        members = self._groups[group]
        if next(iter(members)) != key:
            return None
        return events.newest(e for uid in members if (e := self.stores.events.get(uid)) is not None)

    def _passes(self, event: Event) -> bool:
        if self._warnings_only and not events.warning(event):
            return False
        return self._about is None or self._concerns(event)

    def _concerns(self, event: Event) -> bool:
        """Whether it is about what is followed, or about something that this owns."""
        assert self._about is not None
        about = event.involved_object
        if about.uid in self._about:
            return True
        kind, uid = BY_KIND.get(about.kind), about.uid
        for _ in range(_DEPTH):
            obj = self.stores.of(kind).get(uid) if kind is not None else None
            owner = next((o for o in obj.metadata.owner_references or () if o.controller), None) if obj is not None else None
            if owner is None:
                return False
            if owner.uid in self._about:
                self._about.add(about.uid)  # it stays ours when it has gone
                return True
            kind, uid = BY_KIND.get(owner.kind), owner.uid
        return False

    def _look_again(self) -> None:
        """Filters everything anew; of what is followed the index knows the events."""
        store = self.stores.events
        about = store.uids() if self._about is None else [e.metadata.uid for uid in self._about for e in store.by("object", uid)]
        anchors = (next(iter(self._groups[g])) if (g := self._group_of.get(uid)) else uid for uid in about)
        found = ((key, event) for key in dict.fromkeys(anchors) if (event := self._shown(key)) is not None and self._passes(event))
        self._newest.rebuild((key, _rank(event)) for key, event in found)

    def exists(self, key: str) -> bool:
        at = self._newest.index(key)
        return at is not None and at < SHOWN

    def rank(self, key: str) -> Rank:
        event = self._shown(key)
        return _rank(event) if event is not None else _UNTIMED

    def object(self, key: str) -> tuple[Kind, Object] | None:
        event = self._shown(key)
        return (k.EVENTS, event) if event is not None else None

    def namespace(self, key: str) -> str:
        event = self._shown(key)
        return event.metadata.namespace if event else ""

    def text(self, key: str, now: datetime) -> str:
        event = self._shown(key)
        if event is None:
            return ""
        return f"{event.metadata.namespace}\n{event.type}\n{event.reason}\n{events.object_text(event)}\n{event.message}".lower()

    def value(self, key: str, column: str, now: datetime) -> Any:
        event = self._shown(key)
        if event is not None and column == "last_seen":
            return -events.when(event).timestamp()
        return super().value(key, column, now)

    def facts(self, now: datetime) -> list[str]:
        which = ["warnings only"] if self.warnings_only else []
        return [*which, "of what is chosen"] if self._about is not None else which

    # ---- what they say -------------------------------------------------------------------------------------------------------

    def record(self, key: str, now: datetime) -> Record:
        event = self._shown(key)
        if event is None:
            return {"uid": "", "namespace": "", "name": ""}
        last = events.last_seen(event)
        return {
            "uid": event.metadata.uid,
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
        event = self._shown(key)
        columns = self.columns(width, height)
        if event is None:
            return Row([""] * len(columns), selectable=False)
        cells = self._cells(event, now, width > ROOMY)
        if (members := self._groups.get(self._group_of.get(key, ("", "")), ())) and (total := self._times(members)) > 1:
            cells["count"] = (f"{total}+", "soft")  # the scheduler tells its series late
        return Row([cells[c.key] for c in columns], events.message(event), now.timestamp() + next_change(events.last_seen(event), now))

    def _times(self, uids: Iterable[str]) -> int:
        return sum(events.count(e) for uid in uids if (e := self.stores.events.get(uid)) is not None)

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
        return [[(f"No {'warnings' if self._warnings_only else 'events'}{' about what is chosen' if self._about is not None else ''}", "fg")]]


def _rank(event: Event) -> Rank:
    at = events.when(event)
    return (-at.timestamp(),) if at.year > 1 else _UNTIMED
