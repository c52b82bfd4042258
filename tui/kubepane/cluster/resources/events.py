"""Events of core/v1."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Object, Ref, Struct, Time


class EventSource(Struct, frozen=True):
    component: str = ""
    host: str = ""


class EventSeries(Struct, frozen=True):
    count: int = 0
    last_observed_time: Time = None


class Event(Object, frozen=True):
    """core/v1 Event."""

    involved_object: Ref = Ref()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 0
    first_timestamp: Time = None
    last_timestamp: Time = None
    event_time: Time = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""
    reporting_instance: str = ""
