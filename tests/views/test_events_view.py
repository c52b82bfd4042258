from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import NOW, pod, put
from insight.why_samples import cluster
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import events
from kubepane.views import events as events_view
from kubepane.views.events import EventsView
from recordings import age_fits, objects, recorded
from views.stage import Stage

COLUMNS = ("last_seen", "type", "reason", "object", "subobject", "source", "message", "first_seen", "count", "name")


def stage(stores: Stores | None = None) -> tuple[Stage, EventsView]:
    here = Stage(EventsView, stores or cluster())
    assert isinstance(here.table.view, EventsView)
    return here, here.table.view


def event(stores: Stores, name: str, seconds: float = 10, *, about: str = "p1", kind: str = "Pod", warning: bool = False, **body: Any) -> Any:
    """An event of so many seconds ago."""
    at = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {
        "involvedObject": {"kind": kind, "name": "web-0", "uid": about},
        "type": "Warning" if warning else "Normal",
        "reason": "BackOff",
        "count": 1,
    }
    return put(stores, k.EVENTS, name, uid=name, lastTimestamp=at, firstTimestamp=at, **(given | body))


def unscheduled(stores: Stores, name: str, seconds: float, **body: Any) -> Any:
    return event(stores, name, seconds, warning=True, reason="FailedScheduling", **body)


# ---- the server's own words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_records_say_what_the_servers_table_says(which: int) -> None:
    seen = recorded("chatapp-events")[which]
    here, view = stage()
    here.stores.events.replace(objects(k.EVENTS, seen["items"]))
    now = _now(seen, here)
    records = {r["name"]: r for r in (view.record(key, now) for key in here.order())}
    told = [cells for cells in seen["rows"] if cells[-1] in records]
    assert {cells[2] for cells in seen["rows"] if cells not in told} <= {"FailedScheduling"}  # those that another row tells
    assert len(told) == len(records) >= len(seen["rows"]) - 1
    for cells in told:
        record = records[cells[-1]]
        for key, cell in zip(COLUMNS, cells, strict=True):
            if key.endswith("_seen"):
                held = here.stores.events.get(record["uid"])
                assert held is not None
                assert age_fits(events.last_seen(held) if key == "last_seen" else events.first_seen(held), cell, now)
            else:
                assert record[key] == cell


def _now(seen: Any, here: Stage) -> datetime:
    """When the Table was made: from an event whose age is told in seconds."""
    names = {e.metadata.name: e for e in here.stores.events}
    cells = next(c for c in seen["rows"] if c[0].endswith("s") and "m" not in c[0])
    return events.when(names[cells[-1]]) + timedelta(seconds=int(cells[0][:-1]))


# ---- on screen -----------------------------------------------------------------------------------------------------------------


def look() -> Stage:
    here, _ = stage()
    pods = {"name": "chatapp-7c9f8d6b54-2xkqp", "kind": "Pod", "uid": "p1"}
    message = "Readiness probe failed: GET /login: HTTP 503"
    event(here.stores, "a", 2, warning=True, reason="Unhealthy", involvedObject=pods, count=9, message=message)
    event(
        here.stores,
        "b",
        64,
        reason="SuccessfulRescale",
        involvedObject={"kind": "HorizontalPodAutoscaler", "name": "chatapp", "uid": "h"},
        message="New size: 4",
    )
    return here


def test_a_wide_pane_reads_like_the_pictures() -> None:
    assert look().text(118) == [
        "LAST TYPE    REASON            OBJECT                       COUNT MESSAGE",
        "  2s Warning Unhealthy         pod/chatapp-7c9f8d6b54-2xkqp     9 Readiness probe failed: GET /login: HTTP 503",
        " 64s Normal  SuccessfulRescale hpa/chatapp                        New size: 4",
    ]


def test_a_narrow_pane_has_a_glyph_for_the_type() -> None:
    assert look().text(76) == [
        "LAST   REASON            OBJECT              × MESSAGE",
        "  2s ▲ Unhealthy         pod/chatapp…-2xkqp  9 Readiness probe failed: GET …",
        " 64s · SuccessfulRescale hpa/chatapp           New size: 4",
    ]


def test_only_warnings_stand_out() -> None:
    warning, normal = look().rows(118)
    assert [cell[1] for cell in warning.cells] == ["muted", "warn", "fg", "soft", "soft", "fg"]  # type: ignore[index]
    assert [cell[1] for cell in normal.cells] == ["muted", "muted", "soft", "soft", "soft", "soft"]  # type: ignore[index]
    assert warning.note == "Readiness probe failed: GET /login: HTTP 503"
    assert warning.expires == (NOW + timedelta(seconds=1)).timestamp()


def test_wide_has_source_and_namespace() -> None:
    here, view = stage()
    event(here.stores, "a", source={"component": "kubelet", "host": "worker-1"})
    view.wide = True
    assert {"NAMESPACE", "SOURCE"} <= set(here.text(150)[0].split())
    assert "kubelet, worker-1" in here.text(150)[1]


# ---- order -----------------------------------------------------------------------------------------------------------------------


def test_the_newest_come_first_and_move_up_when_they_repeat() -> None:
    here, view = stage()
    event(here.stores, "a", 10)
    event(here.stores, "b", 20)
    put(here.stores, k.EVENTS, "never", uid="never", reason="Odd", creationTimestamp=None)
    assert here.order() == ["a", "b", "never"]
    rank = view.rank("a")
    here.now += timedelta(days=1)
    assert view.rank("a") == rank
    event(here.stores, "b", 1, count=2)
    assert here.order() == ["b", "a", "never"]
    here.stores.events.drop("a")
    assert here.order() == ["b", "never"]


def test_only_the_newest_have_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_view, "SHOWN", 3)
    here, _ = stage()
    for i in range(6):
        event(here.stores, f"e{i}", 60 - i)
    assert here.order() == ["e5", "e4", "e3"]
    event(here.stores, "e0", 1)
    assert here.order() == ["e0", "e5", "e4"]
    here.stores.events.drop("e5")
    here.stores.events.drop("e0")
    assert here.order() == ["e4", "e3", "e2"]


# ---- groups ----------------------------------------------------------------------------------------------------------------------


def test_what_the_scheduler_says_of_one_pod_is_one_row_that_tells_the_newest() -> None:
    here, view = stage()
    here.stores.events.replace(objects(k.EVENTS, recorded("failed-scheduling-of-one-pod")))
    rows = here.order()
    assert len(rows) == 1
    record = view.record(rows[0], NOW)
    assert record["name"] == "cpu.18eab2a28605af77"
    assert record["message"].startswith("0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient cpu.")
    assert view.object(rows[0]) == (k.EVENTS, here.stores.events.get(record["uid"]))


def test_the_row_of_a_group_keeps_its_key_while_one_of_them_is_there() -> None:
    here, view = stage()
    unscheduled(here.stores, "first", 100)
    event(here.stores, "other", 50)
    assert here.order() == ["other", "first"]
    unscheduled(here.stores, "second", 10, message="now cpu")
    assert here.order() == ["first", "other"]
    assert view.record("first", NOW)["message"] == "now cpu"
    assert here.rows(118)[0].cells[4] == ("2+", "soft")
    here.stores.events.drop("first")
    assert here.order() == ["second", "other"]
    here.stores.events.drop("second")
    assert here.order() == ["other"]
    assert not view._groups


def test_groups_of_other_pods_are_their_own() -> None:
    here, _ = stage()
    unscheduled(here.stores, "a", 10)
    unscheduled(here.stores, "b", 20, involvedObject={"kind": "Pod", "name": "web-1", "uid": "p2"})
    assert here.order() == ["a", "b"]


# ---- which -------------------------------------------------------------------------------------------------------------------------


def test_warnings_only() -> None:
    here, view = stage()
    event(here.stores, "a", 10)
    event(here.stores, "b", 20, warning=True)
    assert here.order() == ["a", "b"]
    view.warnings_only = True
    here.table.rebuild()
    assert here.order() == ["b"]
    event(here.stores, "c", 5)
    event(here.stores, "d", 4, warning=True)
    assert here.order() == ["d", "b"]
    assert view.facts(NOW) == ["warnings only"]
    view.warnings_only = False
    here.table.rebuild()
    assert here.order() == ["d", "c", "a", "b"]


def test_what_is_followed_and_what_it_owns_now_and_later() -> None:
    here, view = stage()
    deployment = put(here.stores, k.DEPLOYMENTS, "web")
    rs = put(here.stores, k.REPLICASETS, "web-7c", owner=deployment)
    web = pod(here.stores, "web-7c-a", owner=rs)
    event(here.stores, "of-pod", 10, about=web.metadata.uid)
    event(here.stores, "of-other", 20, about="elsewhere")
    here.order()
    view.follow({deployment.metadata.uid})
    here.table.rebuild()
    assert here.order() == ["of-pod"]
    later = pod(here.stores, "web-7c-b", owner=rs)
    event(here.stores, "of-later", 5, about=later.metadata.uid)
    event(here.stores, "of-deployment", 4, about=deployment.metadata.uid, kind="Deployment")
    event(here.stores, "of-none", 3, about="elsewhere")
    assert here.order() == ["of-deployment", "of-later", "of-pod"]
    here.stores.pods.drop(later.metadata.uid)
    event(here.stores, "killed", 1, about=later.metadata.uid)  # it was ours
    assert here.order()[0] == "killed"
    assert "of what is chosen" in view.facts(NOW)
    view.follow(None)
    here.table.rebuild()
    assert len(here.order()) == 6


def test_a_group_is_followed_too() -> None:
    here, view = stage()
    unscheduled(here.stores, "a", 100)
    unscheduled(here.stores, "b", 10)
    here.order()
    view.follow({"p1"})
    here.table.rebuild()
    assert here.order() in (["a"], ["b"])
    view.follow({"p2"})
    here.table.rebuild()
    assert here.order() == []


def test_following_before_anything_was_read() -> None:
    stores = cluster()
    for name in ("a", "b"):
        unscheduled(stores, name, 10)
    event(stores, "c", 20, about="other")
    here = Stage(EventsView, stores)
    here.table.view.follow({"p1"})  # type: ignore[attr-defined]
    assert len(here.order()) == 1


def test_an_untouched_event_is_not_put_in_its_place_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here, view = stage()
    for i in range(20):
        event(here.stores, f"e{i}", i)
    here.order()
    placed: list[str] = []
    monkeypatch.setattr(view, "_place", placed.append)
    here.table.rebuild()
    assert placed == []
    assert len(here.order()) == 20
