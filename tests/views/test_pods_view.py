from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import NOW, pod, put
from insight.any_pod import any_pod
from insight.test_scheduling import bound, claim, node, pending
from insight.why_samples import cluster, crashing, event, running, sick
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Usage
from kubepane.cluster.stores import Stores
from kubepane.insight.fleet import fleet
from kubepane.views.filter import parse
from kubepane.views.pods import GroupedPodsView, PodsView
from kubepane_widgets.columns import Wide
from recordings import objects, recorded
from views.stage import Stage

LIMITS = {"resources": {"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"cpu": "400m", "memory": "512Mi"}}}


def stage(stores: Stores | None = None) -> Stage:
    return Stage(PodsView, stores or cluster())


def put_pod(stores: Stores, made: Any) -> Any:
    stores.pods.put(made)
    return made


# ---- the server's own words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1])
def test_records_say_what_the_servers_table_says(at: int) -> None:
    seen = recorded("chatapp-pods")[at]
    here = stage()
    here.stores.pods.replace(objects(k.PODS, seen["items"]))
    records = {r["name"]: r for r in (here.table.view.record(key, NOW) for key in here.order())}
    keys = ("name", "ready", "status", "restarts", None, "ip", "node", "nominated_node", "readiness_gates")
    assert seen["columns"] == ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"]
    for cells in seen["rows"]:
        assert [records[cells[0]][key] for key in keys if key] == [cell for key, cell in zip(keys, cells, strict=True) if key]


def test_a_record_has_the_numbers_behind_its_texts() -> None:
    here = stage()
    held = pod(here.stores, "web-0", labels={"app": "web"}, spec={"nodeName": "worker-1", "containers": [{"name": "app", **LIMITS}]})
    here.world.metrics.pods["shop/web-0"] = Usage(371, 268 << 20)
    record = here.table.view.record(held.metadata.uid, NOW)
    assert {key: record[key] for key in ("uid", "namespace", "cpu", "cpu_value", "memory", "memory_value", "memory_limit_value", "labels", "level")} == {
        "uid": held.metadata.uid, "namespace": "shop", "cpu": "371m", "cpu_value": 371, "memory": "268Mi", "memory_value": 268 << 20,
        "memory_limit_value": 512 << 20, "labels": {"app": "web"}, "level": "ok",
    }  # fmt: skip
    assert (record["age"], record["age_value"], record["why"]) == ("60m", 3600.0, "")


# ---- on screen -----------------------------------------------------------------------------------------------------------------


def look() -> Stage:
    """The first rows of the pictures."""
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "chat-control-plane", taint="node-role.kubernetes.io/control-plane:NoSchedule")
    for name in ("chat-worker", "chat-worker2"):
        node(stores, name)
        bound(stores, f"full-{name}", name, "3950m", namespace="kube-system")
    node(stores, "chat-worker3", taint="dedicated=chatapp:NoSchedule")
    asks = {"name": "app", "resources": {"requests": {"cpu": "200m"}}}
    unread = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4"}], "phase": "Pending"}
    born = "2026-06-01T11:59:08Z"
    put(stores, k.PODS, "chatapp-7c9f8d6b54-q8zlm", "chatapp", spec={"containers": [asks]}, status=unread, creationTimestamp=born)
    put_pod(stores, sick(crashing(1, message="DB_URL is not set"), spec={"nodeName": "chat-worker2"}))
    well = pod(stores, "chatapp-6d5f9c7b88-4x2kd", "chatapp", spec={"nodeName": "chat-worker", "containers": [{"name": "app", **LIMITS}]})
    here = stage(stores)
    here.world.metrics.pods[f"chatapp/{well.metadata.name}"] = Usage(371, 268 << 20)
    return here


def test_a_wide_pane_reads_like_the_pictures() -> None:
    head, crash, waiting, well, *rest = look().text(116)
    assert head.split() == ["NAMESPACE", "NAME", "READY", "STATUS", "RST", "AGE", "CPU", "of", "limit", "MEM", "of", "limit", "NODE"]
    assert crash == "✕ shop       web-0                        0/1 CrashLoopBackOff   7   60m exit 1: DB_URL is not set      chat-worker2"
    assert waiting.startswith("○ chatapp    chatapp-7c9f8d6b54-q8zlm     0/1 Pending            0   52s taint dedicated=chatapp:NoSchedule on c")
    assert well == "● chatapp    chatapp-6d5f9c7b88-4x2kd     1/1 Running            0   60m  371m ━━━━━━━╌  268Mi ━━━━╌╌╌╌ chat-worker"
    assert len(rest) == 2


def test_a_narrow_pane_puts_the_reason_behind_the_status() -> None:
    head, crash, waiting, well, *_ = look().text(76)
    assert head.split() == ["NAMESPACE", "NAME", "READY", "STATUS", "RST", "AGE", "CPU", "MEM"]
    assert "0/1 CrashLoopBackOff exit 1: DB_U" in crash
    assert "0/1 Pending taint dedicated=chatap" in waiting
    assert well.endswith("371m  268Mi")


@pytest.mark.parametrize(("width", "columns"), [(58, 6), (78, 8), (94, 10), (118, 11), (150, 12)])
def test_columns_go_in_the_order_of_the_look(width: int, columns: int) -> None:
    text = look().text(width)
    assert len(text[0].replace("of limit", "bar").split()) == columns
    assert all(name in text[0] for name in ("NAME", "READY", "STATUS", "AGE", "CPU"))
    assert all(len(line) <= width for line in text)


@pytest.mark.parametrize("width", [58, 76, 94, 116, 150])
def test_ages_are_never_cut(width: int) -> None:
    here = stage()
    pod(here.stores, "a-pod-with-a-name-that-takes-all-the-room", namespace="a-long-namespace", creationTimestamp="2026-06-01T11:50:19Z")
    assert "9m41s" in here.text(width)[1]


def test_only_exceptions_are_coloured() -> None:
    here = look()
    crash, waiting, well, *_ = here.rows(118)
    assert [crash.cells[i][1] for i in (3, 4)] == ["bad", "bad"]  # type: ignore[index]
    assert [waiting.cells[i][1] for i in (3, 4)] == ["warn", "warn"]  # type: ignore[index]
    assert [well.cells[i][1] for i in (1, 2, 3, 4, 5, 6, 7)] == ["muted", "fg", "soft", "soft", "muted", "muted", "fg"]  # type: ignore[index]
    assert isinstance(crash.cells[7], Wide)
    assert (crash.note, well.note) == ("CrashLoopBackOff: exit 1: DB_URL is not set", "")
    assert waiting.note == "Pending: taint dedicated=chatapp:NoSchedule on chat-worker3 · cpu full on 2 nodes"


def test_no_sample_is_not_zero() -> None:
    here = stage()
    pod(here.stores, "web-0", spec={"nodeName": "worker-1", "containers": [{"name": "app", **LIMITS}]})
    assert [here.rows(150)[0].cells[i] for i in (7, 8)] == [("", "fg"), [("", "fg")]]
    assert here.table.view.aside(NOW) == []
    here.world.metrics.freshness = Freshness(State.ABSENT)
    assert here.table.view.aside(NOW) == [(" · no metrics API", "muted")]


def test_wide_has_what_kubectl_has() -> None:
    here = stage()
    put_pod(here.stores, sick(running(True, restartCount=3, lastState={"terminated": {"exitCode": 1, "finishedAt": "2026-06-01T11:55:00Z"}})))
    here.table.view.wide = True
    head, row = here.text(190)
    assert head.split()[-4:] == ["NOMINATED", "NODE", "READINESS", "GATES"]
    assert "3 (5m ago)" in row
    assert row.split()[-2:] == ["<none>", "<none>"]


# ---- order and time ------------------------------------------------------------------------------------------------------------


def test_the_worst_come_first_then_names() -> None:
    here = stage()
    pod(here.stores, "b")
    pod(here.stores, "a", namespace="zoo")
    pending(here.stores, "p")
    put(here.stores, k.PODS, "done", status={"phase": "Succeeded"})
    put_pod(here.stores, sick(crashing(1)))
    names = [here.table.view.record(key, NOW)["name"] for key in here.order()]
    assert names == ["web-0", "p", "b", "a", "done"]
    later = here.table.view.rank(here.order()[0])
    here.now += timedelta(days=3)
    assert here.table.view.rank(here.order()[0]) == later


def test_a_row_expires_when_its_text_changes() -> None:
    here = stage()
    pod(here.stores, "web-0")
    assert here.rows(118)[0].expires == (NOW + timedelta(minutes=1)).timestamp()
    leaving = pod(here.stores, "leaving", deletionTimestamp="2026-06-01T12:00:20Z")
    here.order()
    view = here.table.view
    assert view.row(leaving.metadata.uid, NOW, 118, 9).expires == (NOW + timedelta(seconds=20)).timestamp()
    after = NOW + timedelta(seconds=30)
    late = view.row(leaving.metadata.uid, after, 118, 9)
    assert (late.note, late.expires) == ("Terminating: grace period over 10s ago, app still runs", (after + timedelta(seconds=1)).timestamp())


@pytest.mark.parametrize(("column", "first"), [("age", "young"), ("restarts", "restarter"), ("cpu", "busy"), ("name", "busy")])
def test_sorting(column: str, first: str) -> None:
    here = stage()
    pod(here.stores, "old", creationTimestamp="2026-05-01T11:00:00Z")
    pod(here.stores, "young", creationTimestamp="2026-06-01T11:59:00Z")
    pod(here.stores, "busy")
    put(here.stores, k.PODS, "restarter", status={"phase": "Running", "containerStatuses": [{"name": "a", "restartCount": 7}]})
    here.world.metrics.pods["shop/busy"] = Usage(900, 1)
    here.world.metrics.pods["shop/old"] = Usage(100, 1)
    here.table.set_sort(column)
    assert here.table.view.record(here.order()[0], NOW)["name"] == first


def test_reasons_can_be_filtered_by() -> None:
    here = look()
    here.order()
    here.table.set_filter(parse("why:taint", here.table.view.fields()))
    assert [here.table.view.record(key, NOW)["name"] for key in here.order()] == ["chatapp-7c9f8d6b54-q8zlm"]
    here.table.set_filter(parse("db_url", here.table.view.fields()))
    assert [here.table.view.record(key, NOW)["name"] for key in here.order()] == ["web-0"]


def test_the_title_counts_without_looking_through_all() -> None:
    here = stage()
    held = [pod(here.stores, f"web-{i}") for i in range(3)]
    assert (here.order() and here.table.view.facts(NOW)) == []
    put_pod(here.stores, sick(crashing(1)))
    pending(here.stores, "p")
    here.order()
    assert here.table.view.facts(NOW) == ["1 failing", "1 waiting"]
    here.stores.pods.drop("p1")
    put(here.stores, k.PODS, "web-1", uid=held[1].metadata.uid, status={"phase": "Pending"}, spec={"nodeName": "worker-1"})
    here.order()
    assert here.table.view.facts(NOW) == ["1 waiting", "1 not ready"]


# ---- what a change concerns ------------------------------------------------------------------------------------------------------


def changed(here: Stage) -> set[str]:
    """Names of the rows that the last change may have altered."""
    found = here.table.update()
    return {here.table.view.record(key, NOW)["name"] for key in found}


def quiet() -> Stage:
    """A stage where everything was taken in: a crashing pod, two that wait, and a healthy one."""
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "worker-1", taint="x:NoSchedule")
    put_pod(stores, sick(crashing(1)))
    pending(stores, "p", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    pending(stores, "q")
    pod(stores, "well")
    here = stage(stores)
    here.order()
    assert changed(here) == set()
    return here


def test_a_pod_that_takes_room_concerns_those_that_wait() -> None:
    here = quiet()
    pod(here.stores, "well-2")
    assert changed(here) == {"well-2", "p", "q"}
    put(here.stores, k.PODS, "well-2", uid=here.stores.pods.named("shop", "well-2").metadata.uid,  # type: ignore[union-attr]
        spec={"nodeName": "worker-1", "containers": [{"name": "app", "image": "shop/app:1"}]}, status={"phase": "Running"})  # fmt: skip
    assert changed(here) == {"well-2"}  # it weighs what it weighed before


def test_events_concern_their_own_pod_if_it_is_sick() -> None:
    here = quiet()
    event(here.stores, "BackOff", "Back-off restarting failed container")
    assert changed(here) == {"web-0"}
    about = {"kind": "Pod", "uid": here.stores.pods.named("shop", "well").metadata.uid}  # type: ignore[union-attr]
    put(here.stores, k.EVENTS, "e", involvedObject=about)
    assert changed(here) == set()


def test_nodes_concern_the_waiting_and_their_own() -> None:
    here = quiet()
    node(here.stores, "worker-2")
    assert changed(here) >= {"p", "q"}
    put(here.stores, k.NODES, "worker-1", uid=here.stores.nodes.named("", "worker-1").metadata.uid, status={"conditions": []})  # type: ignore[union-attr]
    assert "web-0" in changed(here)
    assert "well" not in changed(here)


def test_claims_and_configuration_concern_those_that_use_them() -> None:
    here = quiet()
    claim(here.stores, "data")
    assert changed(here) == {"p"}
    put(here.stores, k.CONFIGMAPS, "settings", "other")
    assert changed(here) == set()
    put(here.stores, k.CONFIGMAPS, "settings")
    assert changed(here) == {"web-0", "p", "q"}
    put(here.stores, k.STORAGECLASSES, "fast", "")
    assert changed(here) == {"p", "q"}


def test_what_is_no_longer_complete_concerns_all_that_are_sick() -> None:
    here = quiet()
    here.stores.nodes.set_freshness(Freshness(State.FORBIDDEN))
    assert changed(here) == {"web-0", "p", "q"}


def test_nothing_lags_while_nobody_waits() -> None:
    stores = cluster()
    here = stage(stores)
    for i in range(20):
        held = pod(stores, f"web-{i}")
        here.order()
        stores.pods.drop(held.metadata.uid)
    here.order()
    picture = fleet(stores)
    assert not picture._bound
    assert not picture._changed_pods.uids


@settings(max_examples=100, deadline=None)
@given(st.lists(any_pod(), max_size=4), st.integers(20, 200), st.booleans())
def test_every_pod_has_a_row_at_every_width(found: list[Any], width: int, wide: bool) -> None:
    here = stage()
    for i, one in enumerate(found):
        put_pod(here.stores, type(one)(metadata=type(one.metadata)(name=f"p{i}", namespace="shop", uid=f"u{i}"), spec=one.spec, status=one.status))
    here.table.view.wide = wide
    lines = here.text(width)
    assert len(lines) == len(found) + 1
    assert len({len(cells.cells) for cells in here.rows(width)} | {len(here.table.columns(width, 9))}) == 1


# ---- grouped -----------------------------------------------------------------------------------------------------------------------


def rollout() -> tuple[Stage, Any]:
    stores = cluster()
    deployment = put(stores, k.DEPLOYMENTS, "chatapp")
    sets = [
        put(stores, k.REPLICASETS, f"chatapp-{suffix}", owner=deployment, annotations={"deployment.kubernetes.io/revision": revision})
        for suffix, revision in (("6d5f", "9"), ("7c9f", "10"))
    ]
    pod(stores, "chatapp-6d5f-a", owner=sets[0])
    pod(stores, "chatapp-7c9f-b", owner=sets[1])
    put(stores, k.PODS, "chatapp-7c9f-c", owner=sets[1], spec={"containers": [{"name": "a"}]}, status={"phase": "Pending"})
    pod(stores, "other")
    here = Stage(GroupedPodsView, stores)
    return here, deployment


def test_pods_stand_under_their_replicaset_the_newest_revision_first() -> None:
    here, deployment = rollout()
    assert here.order() == []
    view = here.table.view
    assert isinstance(view, GroupedPodsView)
    view.choose(deployment.metadata.uid)
    here.table.rebuild()
    lines = here.text(100)
    assert [line.strip().split("  ")[0][:40].rstrip(" ─") for line in lines[1:]] == [
        "new rs/chatapp-7c9f · revision 10", "○ chatapp-7c9f-c", "● chatapp-7c9f-b", "old rs/chatapp-6d5f · revision 9", "● chatapp-6d5f-a",
    ]  # fmt: skip
    assert [line[-10:] for line in (lines[1], lines[4])] == [" 1/2 ready", " 1/1 ready"]
    assert here.table.count == 3
    assert [row.selectable for row in here.rows(100)] == [False, True, True, False, True]
    assert "NAMESPACE" not in lines[0]


def test_groups_come_and_go_with_their_pods() -> None:
    here, deployment = rollout()
    view = here.table.view
    assert isinstance(view, GroupedPodsView)
    view.choose(deployment.metadata.uid)
    here.table.rebuild()
    old = here.stores.pods.named("shop", "chatapp-6d5f-a")
    assert old is not None
    here.stores.pods.drop(old.metadata.uid)
    assert [line.split(" ")[0] for line in here.text(100)[1:]] == ["rs/chatapp-7c9f", "○", "●"]
    newer = put(here.stores, k.REPLICASETS, "chatapp-8aaa", owner=deployment, annotations={"deployment.kubernetes.io/revision": "11"})
    pod(here.stores, "chatapp-8aaa-d", owner=newer)
    assert [line.split(" ")[0] for line in here.text(100)[1:]] == ["new", "●", "old", "○", "●"]
    kind, owner = view.object(here.order()[0]) or (None, None)
    assert (kind, owner) == (k.REPLICASETS, newer)


def test_a_workload_without_replicasets_has_one_group() -> None:
    stores = cluster()
    mysql = put(stores, k.STATEFULSETS, "mysql")
    pod(stores, "mysql-0", owner=mysql)
    here = Stage(GroupedPodsView, stores)
    here.table.view.choose(mysql.metadata.uid)  # type: ignore[attr-defined]
    here.table.rebuild()
    assert here.text(60)[1] == "sts/mysql " + "─" * 40 + " 1/1 ready"
    here.table.view.choose("")  # type: ignore[attr-defined]
    here.table.rebuild()
    assert here.order() == []
