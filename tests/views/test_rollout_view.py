from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import NOW, put
from clusters import live, paint, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.views.rollout import RolloutView
from kubepane.views.table import Table
from kubepane_widgets.lines import width as cells
from rolling import daemonset, deployment, pods, statefulset


def event(stores: Stores, uid: str, reason: str, message: str, at: str) -> None:
    put(stores, k.EVENTS, f"e-{at}", uid=f"e-{at}", involvedObject={"uid": uid}, reason=reason, message=message, lastTimestamp=f"2026-06-01T{at}Z")


def look() -> Stores:
    """The rollout of the look beside others that are at rest."""
    stores = live()
    deployment(stores, "rr", "rsp", at="2026-06-01T11:58:41Z")
    event(stores, "d", "ScalingReplicaSet", "Scaled up replica set chatapp-new from 0 to 1", "11:58:22")
    event(stores, "d", "ScalingReplicaSet", "Scaled up replica set chatapp-new from 1 to 3", "11:58:56")
    statefulset(stores, "", "rrr")
    return stores


def head(table: Table, width: int, height: int) -> list[str]:
    lines = table.head(width, height)
    assert all(cells(line) <= width for line in lines)
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def view(table: Table) -> RolloutView:
    assert isinstance(table.view, RolloutView)
    return table.view


def test_the_numbers_above_the_story() -> None:
    table = shown(RolloutView, look())
    assert head(table, 112, 20) == [
        "deploy/chatapp  revision 3 → 4  RollingUpdate  surge 1  unavailable 1",
        "image shop/app:1 → shop/app:2",
        "",
        "old old1        " + "█" * 25 + "░" * 25 + "  2 pods   2 ready   2 available",
        "new new1        " + "█" * 12 + "▓" * 13 + "▒" * 13 + "░" * 12 + "  3 pods   1 ready   1 available",
        "                █ ready  ▓ starting  ▒ pending  ░ to come",
        "",
        "5 pods = 4 wanted + 1 surge     3 available ≥ 3 needed     deadline 8m41s of 10m left",
        "",
    ]


def test_the_story_below() -> None:
    lines = paint(shown(RolloutView, look()), 112, 20)
    assert lines[:4] == [
        "✓   98s   new ReplicaSet new made, 0 → 1",
        "✓   64s   new ReplicaSet 1 → 3",
        "✓   60s   chatapp-new-0 ready after 59m",
        "◐   now   chatapp-new-1 starting",
    ]
    assert lines[4].startswith("○   now   chatapp-new-2 Pending")
    assert lines[5:] == ["–  next   old ReplicaSet 2 → 1 once 1 more new pod is available"]


def test_a_low_pane_keeps_what_matters() -> None:
    table = shown(RolloutView, look())
    assert len(head(table, 112, 13)) == 4
    assert head(table, 112, 5) == [
        "deploy/chatapp  revision 3 → 4  RollingUpdate  surge 1  unavailable 1",
        "5 pods = 4 wanted + 1 surge     3 available ≥ 3 needed     deadline 8m41s of 10m left",
    ]


def test_the_title_names_it_and_counts_the_rolling_ones() -> None:
    stores = look()
    table = shown(RolloutView, stores)
    words = ["".join(text for text, _ in part) for part in table.title(60)]
    assert words == ["2 Rollout", " shop/chatapp", " · 1 of 1 rolling"]
    daemonset(stores, "rb", "b")
    table.update()
    assert view(table).facts(NOW) == ["shop/agent", "1 of 2 rolling"]


def test_nothing_rolls() -> None:
    stores = live()
    statefulset(stores, "", "rrr")
    table = shown(RolloutView, stores)
    assert len(table.order) == 0
    assert head(table, 80, 20) == []
    assert view(table).facts(NOW) == []
    assert "".join(text for text, _ in table.empty(80, 10)[0]) == "No rollout is going on."


def test_the_chosen_one_is_shown_even_when_it_is_at_rest_and_others_roll() -> None:
    stores = look()
    table = shown(RolloutView, stores)
    before = set(table.order)
    changed = set(view(table).choose("s"))
    assert before <= changed
    table.refresh(changed)
    assert head(table, 112, 5)[0] == "sts/db  RollingUpdate  unavailable 1"
    assert paint(table, 112, 20)[0] == "✓   60s   db-0 ready after 59m"
    assert view(table).facts(NOW) == ["shop/db", "1 rolling"]
    table.refresh(view(table).choose(""))
    assert set(table.order) == before
    assert list(view(table).choose("")) == []


def test_a_workload_without_rollouts_counts_as_none() -> None:
    stores = look()
    job = put(stores, k.JOBS, "load")
    table = shown(RolloutView, stores)
    view(table).choose(job.metadata.uid)
    assert view(table).facts(NOW)[0] == "shop/chatapp"


def test_the_chosen_one_goes() -> None:
    stores = look()
    table = shown(RolloutView, stores)
    table.refresh(view(table).choose("s"))
    stores.statefulsets.drop("s")
    table.update()
    assert view(table).facts(NOW)[0] == "shop/chatapp"
    stores.deployments.drop("d")
    table.update()
    assert len(table.order) == 0


def test_a_line_opens_its_pod_else_the_workload() -> None:
    stores = look()
    table = shown(RolloutView, stores)
    kinds = [found[0].kind for key in table.order if (found := table.view.object(key)) is not None]
    assert kinds == ["Deployment", "Deployment", "Pod", "Pod", "Pod", "Deployment"]


def test_rows_tick_while_a_deadline_runs() -> None:
    stores = look()
    table = shown(RolloutView, stores)
    assert {table.row(key, 112, 20).expires - NOW.timestamp() for key in table.order} == {1.0}
    deployment(stores, "rr", "rsp", spec={"progressDeadlineSeconds": None})
    table.update()
    now = [key for key in table.order if table.view.record(key, NOW)["when"] in ("now", "next")]
    assert {table.row(key, 112, 20).expires for key in now} == {float("inf")}


def test_past_the_deadline_and_done() -> None:
    stores = live()
    deployment(stores, "rrr", "b", reason="ProgressDeadlineExceeded")
    table = shown(RolloutView, stores)
    assert head(table, 112, 20)[-2].endswith("3 available ≥ 3 needed     past its deadline of 10m")
    deployment(stores, "", "rrrr", reason="NewReplicaSetAvailable")
    table.refresh(view(table).choose("d"))
    table.update()
    assert head(table, 112, 20)[-2] == "4 pods = 4 wanted     4 available ≥ 3 needed     done in 38s"


def test_records_are_for_scripts() -> None:
    table = shown(RolloutView, look())
    first = table.view.record(next(iter(table.order)), NOW)
    assert first == {
        "uid": "e-11:58:22", "namespace": "shop", "name": "chatapp", "object": "deploy/chatapp", "level": "done", "when": "98s",
        "text": "new ReplicaSet new made, 0 → 1",
    }  # fmt: skip
    assert table.view.record("gone", NOW)["uid"] == ""


# ---- what changes it ---------------------------------------------------------------------------------------------------------------


def test_only_what_belongs_to_the_story_tells_it_anew() -> None:
    stores = look()
    put(stores, k.AUTOSCALERS, "chatapp", uid="hpa", spec={"scaleTargetRef": {"kind": "Deployment", "name": "chatapp"}})
    put(stores, k.AUTOSCALERS, "other", uid="other", spec={"scaleTargetRef": {"kind": "Deployment", "name": "other"}})
    table = shown(RolloutView, stores)
    other = put(stores, k.REPLICASETS, "other")
    pods(stores, other, "r")
    event(stores, "nobody", "ScalingReplicaSet", "Scaled up replica set x from 0 to 1", "11:59:01")
    event(stores, "other", "SuccessfulRescale", "New size: 9; reason: x", "11:59:02")
    assert table.update() == set()
    event(stores, "d", "ScalingReplicaSet", "Scaled down replica set chatapp-old from 3 to 2", "11:59:03")
    assert "e-11:59:03/event" in table.update()
    event(stores, "hpa", "SuccessfulRescale", "New size: 4; reason: x", "11:59:04")
    assert "e-11:59:04/event" in table.update()
    stores.events.drop("e-11:59:03")
    assert "e-11:59:03/event" in table.update()
    assert "e-11:59:03/event" not in table.order
    new = next(rs for rs in stores.replicasets if rs.metadata.name == "chatapp-new")
    pods(stores, new, "r", "chatapp-x")
    table.update()
    assert any("chatapp-x-0 ready" in line for line in paint(table, 112, 30))


def test_an_autoscaler_that_comes_after_its_events_brings_them_in() -> None:
    stores = look()
    event(stores, "hpa", "SuccessfulRescale", "New size: 4; reason: x", "11:59:04")
    table = shown(RolloutView, stores)
    assert not any("HPA" in line for line in paint(table, 112, 30))
    put(stores, k.AUTOSCALERS, "chatapp", uid="hpa", spec={"scaleTargetRef": {"kind": "Deployment", "name": "chatapp"}})
    table.update()
    assert any("HPA set 4 replicas: x" in line for line in paint(table, 112, 30))
    assert view(table).shown == "d"


LETTERS = st.text("rspbt", max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["deployment", "statefulset", "daemonset"]), LETTERS, LETTERS),
        st.tuples(st.just("choose"), st.sampled_from(["d", "s", "ds", "", "gone"]), st.just(0)),
        st.tuples(st.just("drop"), st.sampled_from(["pods", "replicasets", "deployments", "statefulsets", "events"]), st.integers(0, 3)),
        st.tuples(st.just("event"), st.sampled_from(["d", "x"]), st.sampled_from(["11:59:01", "11:59:02"])),
    ),
    max_size=10,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_the_story_is_always_that_of_a_fresh_view(steps: list[Any]) -> None:
    stores = live()
    table = shown(RolloutView, stores)
    chosen = ""
    make: dict[str, Any] = {"deployment": deployment, "statefulset": statefulset, "daemonset": daemonset}
    for what, a, b in steps:
        if what == "choose":
            chosen = a
            table.refresh(view(table).choose(a))
        elif what == "drop":
            if uids := sorted(getattr(stores, a).uids()):
                getattr(stores, a).drop(uids[b % len(uids)])
        elif what == "event":
            event(stores, a, "ScalingReplicaSet", "Scaled up replica set chatapp-new from 1 to 2", b)
        else:
            make[what](stores, a, b)
        table.update()
        fresh = shown(RolloutView, stores)
        fresh.refresh(view(fresh).choose(chosen))
        assert paint(table, 100, 40) == paint(fresh, 100, 40)
        assert head(table, 100, 40) == head(fresh, 100, 40)
        assert table.view.facts(NOW) == fresh.view.facts(NOW)


@pytest.mark.parametrize("width", range(70, 220, 10))
@pytest.mark.parametrize("height", [2, 5, 8, 13, 14, 30])
def test_every_size_has_its_numbers(width: int, height: int) -> None:
    table = shown(RolloutView, look())
    lines = table.head(width, height)
    assert len(lines) < max(3, height)
    paint(table, width, height)
