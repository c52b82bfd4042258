from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import NOW, put
from clusters import live, paint, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.views.table import Table
from kubepane.views.workloads import WorkloadsView
from recordings import objects, recorded
from rolling import daemonset, deployment, pods, statefulset


def records(table: Table) -> dict[str, dict[str, Any]]:
    """The records of all rows by kind and name, in the table's order."""
    return {record["object"]: record for key in table.order for record in [table.view.record(key, NOW)]}


def shop() -> Stores:
    """A rollout under way, a StatefulSet and a DaemonSet at rest, a Job at work, a CronJob that ran."""
    stores = live()
    deployment(stores, "rr", "rsp", at="2026-06-01T11:58:41Z")
    statefulset(stores, "", "r", desired=1)
    daemonset(stores, "", "rrr")
    job = put(stores, k.JOBS, "load", spec={"completions": 1, "parallelism": 1}, status={"active": 1, "startTime": "2026-06-01T11:56:00Z"})
    pods(stores, job, "r")
    put(stores, k.CRONJOBS, "nightly", status={"lastScheduleTime": "2026-06-01T11:19:00Z"})
    return stores


def test_a_narrow_pane() -> None:
    assert paint(shown(WorkloadsView, shop()), 56, 6) == [
        "  NAME            READY OLD → NEW STATE",
        "◐ deploy/chatapp    3/4 ■■ → ■◧□· 8m41s left",
        "◐ job/load          0/1 ■         running 4m",
        "● ds/agent          3/3 ■■■",
        "● sts/db            1/1 ■",
        "✓ cronjob/nightly                 ran 41m ago",
    ]


def test_a_wider_pane_has_namespace_and_revision() -> None:
    lines = paint(shown(WorkloadsView, shop()), 92, 6)
    assert lines[:4] == [
        "  NAMESPACE NAME              REV READY OLD → NEW STATE",
        "◐ shop      deploy/chatapp    3→4   3/4 ■■ → ■◧□· 8m41s left",
        "◐ shop      job/load                0/1 ■         running 4m",
        "● shop      ds/agent            2   3/3 ■■■",
    ]


def test_a_wide_pane_has_kubectls_columns() -> None:
    lines = paint(shown(WorkloadsView, shop()), 130, 6)
    assert lines[0] == "  NAMESPACE NAME              REV READY UP-TO-DATE AVAILABLE  AGE OLD → NEW STATE"
    assert lines[1] == "◐ shop      deploy/chatapp    3→4   3/4          3         3  60m ■■ → ■◧□· 8m41s left"
    table = shown(WorkloadsView, shop())
    table.view.wide = True
    assert "shop/app:2" in paint(table, 180, 6)[1]


@pytest.mark.parametrize("width", range(53, 220, 3))
def test_every_width_fits(width: int) -> None:
    for wide in (False, True):
        table = shown(WorkloadsView, shop())
        table.view.wide = wide
        paint(table, width, 8)


def test_the_title_counts_what_rolls_and_forgets_what_went() -> None:
    table = shown(WorkloadsView, shop())
    assert table.view.facts(NOW) == ["1 rolling"]
    table.view.stores.deployments.drop("d")
    table.update()
    assert table.view.facts(NOW) == []
    assert "deploy/chatapp" not in records(table)


def test_the_record_tells_the_rollout() -> None:
    record = records(shown(WorkloadsView, shop()))["deploy/chatapp"]
    assert {key: record[key] for key in ("kind", "ready", "up_to_date", "available", "revision", "state", "level", "ready_value")} == {
        "kind": "Deployment", "ready": "3/4", "up_to_date": 3, "available": 3, "revision": "3→4", "state": "8m41s left", "level": "busy", "ready_value": 0.75,
    }  # fmt: skip
    assert record["rollout"] == {
        "status": 'Waiting for deployment "chatapp" rollout to finish: 3 out of 4 new replicas have been updated...',
        "done": False, "failed": False, "phase": "rolling", "strategy": "RollingUpdate", "surge": 1, "unavailable": 1, "paused": False, "desired": 4,
        "new": {"name": "new1", "revision": 4, "pods": 3, "ready": 1, "starting": 1, "pending": 1, "available": 1},
        "old": {"name": "old1", "revision": 3, "pods": 2, "ready": 2, "starting": 0, "pending": 0, "available": 2},
        "deadline_left": 521, "took": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["deployments", "statefulsets"])
def test_the_record_has_the_servers_cells(name: str) -> None:
    seen, stores = recorded("workload-tables")[name], live()
    kind = {"deployments": k.DEPLOYMENTS, "statefulsets": k.STATEFULSETS}[name]
    for obj in objects(kind, seen["items"]):
        stores.of(kind).put(obj)
    found = list(records(shown(WorkloadsView, stores)).values())
    for row, mine in zip(seen["rows"], found, strict=True):
        assert mine["name"] == row[0]
        for column, cell in zip(seen["columns"][1:], row[1:], strict=True):
            if column != "Age":
                assert mine[column.lower().replace("-", "_")] == cell


def test_a_row_expires_when_its_words_change() -> None:
    table = shown(WorkloadsView, shop())
    expires = {table.view.record(key, NOW)["object"]: table.row(key, 56, 6).expires - NOW.timestamp() for key in table.order}
    assert expires == {"deploy/chatapp": 1.0, "job/load": 1.0, "ds/agent": float("inf"), "sts/db": float("inf"), "cronjob/nightly": 60.0}


def test_rank_does_not_depend_on_the_time() -> None:
    stores = shop()
    now = [NOW]
    table = shown(WorkloadsView, stores)
    table._now = lambda: now[0]
    before = {key: table.view.rank(key) for key in table.order}
    now[0] = NOW + timedelta(days=3)
    table.rebuild()
    assert {key: table.view.rank(key) for key in table.order} == before


def test_the_note_tells_the_whole_reason_of_what_is_not_well() -> None:
    stores = live()
    deployment(stores, "rrr", "b")
    daemonset(stores, "", "rrr")
    table = shown(WorkloadsView, stores)
    assert [table.row(key, 56, 6).note for key in table.order] == ["image shop/app:2: not found", ""]


# ---- what changes a row ------------------------------------------------------------------------------------------------------------


def test_pods_and_replicasets_change_the_row_of_their_workload() -> None:
    stores = shop()
    table = shown(WorkloadsView, stores)
    new = next(rs for rs in stores.replicasets if rs.metadata.name == "chatapp-new")
    stores.replicasets.put(new)
    assert table.update() == {"d"}
    pods(stores, new, "r", "chatapp-x")
    assert table.update() == {"d"}
    assert records(table)["deploy/chatapp"]["rollout"]["new"]["pods"] == 4
    gone = next(p for p in stores.pods if p.metadata.name == "chatapp-x-0")
    stores.pods.drop(gone.metadata.uid)
    assert table.update() == {"d"}
    assert records(table)["deploy/chatapp"]["rollout"]["new"]["pods"] == 3
    stores.replicasets.drop(new.metadata.uid)
    assert table.update() == {"d"}
    put(stores, k.PODS, "alone", spec={"nodeName": "n1"})
    assert table.update() == set()


def test_a_job_changes_the_row_of_its_cronjob_even_when_it_goes() -> None:
    stores = shop()
    table = shown(WorkloadsView, stores)
    cron = next(iter(stores.cronjobs))
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    job = put(stores, k.JOBS, "nightly-1", owner=cron, status=failed)
    assert table.update() == {cron.metadata.uid, job.metadata.uid}
    assert records(table)["cronjob/nightly"]["level"] == "warn"
    stores.jobs.drop(job.metadata.uid)
    table.update()
    assert records(table)["cronjob/nightly"]["level"] == "done"


def test_of_events_only_refused_pods_matter() -> None:
    stores = shop()
    table = shown(WorkloadsView, stores)
    put(stores, k.EVENTS, "a", involvedObject={"uid": "s"}, reason="Killing", lastTimestamp="2026-06-01T11:59:00Z")
    assert table.update() == set()
    put(stores, k.EVENTS, "b", involvedObject={"uid": "s"}, reason="FailedCreate", message="x", lastTimestamp="2026-06-01T11:59:00Z")
    assert table.update() == {"s"}
    put(stores, k.EVENTS, "c", involvedObject={"uid": "nobody"}, reason="FailedCreate", message="x", lastTimestamp="2026-06-01T11:59:00Z")
    assert table.update() == set()


def test_what_waits_is_looked_at_again_when_nodes_change() -> None:
    stores = live()
    deployment(stores, None, "pp", desired=2, reason="NewReplicaSetAvailable")
    rs = next(iter(stores.replicasets))
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
    for p in list(stores.pods):
        spec = {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "app"}]}
        put(stores, k.PODS, p.metadata.name, uid=p.metadata.uid, owner=rs, spec=spec, status={"phase": "Pending", "conditions": [unfit]})
    statefulset(stores, "", "r", desired=1)
    table = shown(WorkloadsView, stores)
    assert "disk=ssd" in records(table)["deploy/chatapp"]["state"]
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
    put(stores, k.NODES, "n2", labels={"disk": "ssd"}, spec={"taints": [{"key": "a", "effect": "NoSchedule"}]}, status=ready)
    assert table.update() == {"d"}
    assert "taint a:NoSchedule" in records(table)["deploy/chatapp"]["state"]


def test_what_waits_is_looked_at_again_when_a_pod_makes_room() -> None:
    stores = live()
    deployment(stores, None, "pp", desired=2, reason="NewReplicaSetAvailable")
    big = {"nodeName": "n1", "containers": [{"name": "c", "resources": {"requests": {"cpu": "4"}}}]}
    put(stores, k.PODS, "big", uid="big", spec=big)
    table = shown(WorkloadsView, stores)
    stores.pods.drop("big")
    assert table.update() == {"d"}


def test_rows_of_other_namespaces_are_counted_in_the_title() -> None:
    stores = shop()
    table = shown(WorkloadsView, stores)
    table.set_namespaces({"other"})
    deployment(stores, "", "rrrr", reason="NewReplicaSetAvailable")
    statefulset(stores, "r", "s", desired=2)
    daemonset(stores, "r", "s", desired=2)
    table.update()
    assert table.view.facts(NOW) == ["2 rolling"]


def test_pods_that_become_complete_are_counted_from_then_on() -> None:
    stores = shop()
    stores.pods.set_freshness(Freshness(State.SYNCING))
    table = shown(WorkloadsView, stores)
    assert records(table)["deploy/chatapp"]["rollout"]["new"]["pending"] == 0
    stores.pods.set_freshness(Freshness(State.LIVE))
    table.update()
    assert records(table)["deploy/chatapp"]["rollout"]["new"]["pending"] == 1


LETTERS = st.text("rspbt", max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deployment"), LETTERS, LETTERS), st.tuples(st.just("statefulset"), LETTERS, LETTERS), st.tuples(st.just("daemonset"), LETTERS, LETTERS),
        st.tuples(st.just("drop"), st.sampled_from(["pods", "replicasets", "deployments", "statefulsets"]), st.integers(0, 3)),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_rows_are_always_those_of_a_fresh_view(steps: list[Any]) -> None:
    """Whatever came, changed and went, in pieces: what is shown is what a view made now would show."""
    stores = live()
    table = shown(WorkloadsView, stores)
    make: dict[str, Any] = {"deployment": deployment, "statefulset": statefulset, "daemonset": daemonset}
    for what, a, b in steps:
        if what == "drop":
            uids = sorted(getattr(stores, a).uids())
            if uids:
                getattr(stores, a).drop(uids[b % len(uids)])
        else:
            make[what](stores, a, b)
        table.update()
        fresh = shown(WorkloadsView, stores)
        assert records(table) == records(fresh)
        assert list(table.order) == list(fresh.order)
        assert table.view.facts(NOW) == fresh.view.facts(NOW)
        assert paint(table, 92, 12) == paint(fresh, 92, 12)
