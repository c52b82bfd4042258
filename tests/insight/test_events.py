from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import make
from kubepane.cluster import kinds as k
from kubepane.insight import events
from recordings import age_fits, objects, recorded


def cells(event: Any) -> list[Any]:
    """The cells of the server's Table, the ages left out."""
    about = event.involved_object
    return [
        event.type, event.reason, events.object_text(event), about.field_path, events.source(event), events.message(event), events.count(event),
        event.metadata.name,
    ]  # fmt: skip


@pytest.mark.parametrize(("at", "rows"), [(0, 25), (1, 32)])
def test_cells_are_those_of_the_server(at: int, rows: int) -> None:
    seen = recorded("chatapp-events")[at]
    held = {e.metadata.name: e for e in objects(k.EVENTS, seen["items"])}
    assert len(seen["rows"]) == len(held) == rows
    now = _now(seen, held)
    for row in seen["rows"]:
        event = held[row[-1]]
        assert cells(event) == [*row[1:7], *row[8:]]
        assert age_fits(events.last_seen(event), row[0], now)
        assert age_fits(events.first_seen(event), row[7], now)


def _now(seen: Any, held: Any) -> Any:
    """When the Table was made: from the youngest event, whose age is exact to a second."""
    row = min((r for r in seen["rows"] if r[0].endswith("s") and "m" not in r[0]), key=lambda r: int(r[0][:-1]))
    last = events.last_seen(held[row[-1]])
    assert last is not None
    return last + timedelta(seconds=int(row[0][:-1]))


def event(**body: Any) -> Any:
    return make(k.EVENTS, "e", **({"involvedObject": {"kind": "Pod", "name": "web-0", "uid": "p1"}} | body))


AT, LATER = "2026-06-01T11:00:00Z", "2026-06-01T11:30:00Z"


def test_the_scheduler_sends_another_shape() -> None:
    for seen in objects(k.EVENTS, recorded("events-with-series")):
        assert events.last_seen(seen) == seen.series.last_observed_time
        assert events.first_seen(seen) == seen.event_time
        assert events.count(seen) == seen.series.count > 1
        assert events.source(seen).startswith("default-scheduler, ")


def test_times_fall_back_to_the_first() -> None:
    assert events.last_seen(event(firstTimestamp=AT)) == events.first_seen(event(eventTime=AT)) == events.last_seen(event(eventTime=AT))
    newest = event(firstTimestamp=AT, lastTimestamp=LATER)
    assert events.last_seen(newest) == events.last_seen(event(lastTimestamp=LATER))
    assert events.last_seen(event()) is None
    assert events.newest([event(eventTime=AT), newest, event(creationTimestamp=AT)]) is newest


def test_a_single_event_of_the_new_kind_counts_one() -> None:
    assert [events.count(event()), events.count(event(count=7)), events.count(event(series={"count": 3}, count=7))] == [1, 7, 3]


def test_objects_are_named_as_kubectl_takes_them() -> None:
    hpa = event(involvedObject={"kind": "HorizontalPodAutoscaler", "name": "web"})
    assert (events.object_text(hpa), events.object_short(hpa)) == ("horizontalpodautoscaler/web", "hpa/web")
    assert events.object_short(event(involvedObject={"kind": "Tenant", "name": "a"})) == "tenant/a"
    assert events.object_text(event(involvedObject={"kind": "Node"})) == "node"


def test_the_container_comes_from_the_field_path() -> None:
    about = {"kind": "Pod", "name": "web-0", "uid": "p1"}
    assert events.container(event(involvedObject={**about, "fieldPath": "spec.initContainers{setup}"})) == "setup"
    assert events.container(event(involvedObject={**about, "fieldPath": "spec"})) == ""


def test_all_that_the_scheduler_said_of_one_pod_is_one_group() -> None:
    many = objects(k.EVENTS, recorded("failed-scheduling-of-one-pod"))
    assert len(many) == 19
    assert len({events.group(e) for e in many}) == 1
    newest = events.newest(many)
    assert newest is not None
    assert newest.metadata.name == "cpu.18eab2a28605af77"
    assert events.group(event(reason="BackOff")) is None
    assert events.group(event(reason="FailedScheduling", involvedObject={"kind": "Pod"})) is None
