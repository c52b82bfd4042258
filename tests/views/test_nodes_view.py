from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import NOW, put
from clusters import live, paint, records, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Usage
from kubepane.cluster.stores import Stores
from kubepane.views.filter import parse
from kubepane.views.nodes import NodesView
from kubepane.views.table import Table
from recordings import objects, recorded

READY = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
PRESSURE = {"type": "MemoryPressure", "status": "True", "reason": "Low", "message": "kubelet has insufficient memory available"}
CONTROL = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
DEDICATED = {"key": "dedicated", "value": "chatapp", "effect": "NoSchedule"}


def node(stores: Stores, name: str, *conditions: Any, taints: Any = (), labels: Any = None, **spec: Any) -> Any:
    status = {
        "conditions": [*conditions, READY],
        "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
        "nodeInfo": {"kubeletVersion": "v1.37.0"},
    }
    born = "2026-05-29T12:00:00Z"
    return put(
        stores, k.NODES, name, uid=f"uid-{name}", status=status, spec={"taints": list(taints), **spec}, labels=labels or {}, creationTimestamp=born
    )


def pod(stores: Stores, name: str, where: str, cpu: str = "500m", memory: str = "1Gi") -> Any:
    spec = {"nodeName": where, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}
    return put(stores, k.PODS, name, uid=name, spec=spec, status={"phase": "Running"})


def look() -> Table:
    """The nodes of the look."""
    stores = live()
    node(stores, "chat-control-plane", taints=[CONTROL], labels={"node-role.kubernetes.io/control-plane": ""})
    node(stores, "chat-worker")
    node(stores, "chat-worker2", PRESSURE)
    node(stores, "chat-worker3", taints=[DEDICATED])
    pod(stores, "a", "chat-worker", "3900m", "10Gi")
    pod(stores, "b", "chat-worker2", "1", "14Gi")
    table = shown(NodesView, stores)
    gi = 1 << 30
    table.view.world.metrics.nodes = {
        "chat-control-plane": Usage(720, 5 * gi), "chat-worker": Usage(2840, 9 * gi + gi // 2), "chat-worker2": Usage(2640, 15 * gi - gi // 3),
    }  # fmt: skip
    return table


def test_a_narrow_pane_elides_the_known_prefix_and_shows_no_bars() -> None:
    assert paint(look(), 56, 5) == [
        "  NAME             CPU  MEM TAINTS",
        "▲ chat-worker2     66%  91% none",
        "● chat-cont…plane  18%  31% …/control-plane:NoSchedule",
        "● chat-worker      71%  59% none",
        "● chat-worker3      –    –  dedicated=chatapp:NoSchedule",
    ]


def test_where_there_is_room_taints_stand_below_in_full() -> None:
    table = look()
    assert paint(table, 60, 12) == [
        "  NAME               STATUS      PODS  CPU        MEM",
        "▲ chat-worker2       MemoryPres…    1  66% ━━━╌╌  91% ━━━━╸",
        "● chat-control-plane Ready          0  18% ╸╌╌╌╌  31% ━╸╌╌╌",
        "  └ taint node-role.kubernetes.io/control-plane:NoSchedule",
        "● chat-worker        Ready          1  71% ━━━╸─  59% ━━╸╌╌",
        "● chat-worker3       Ready          0   –  ╌╌╌╌╌   –  ╌╌╌╌╌",
        "  └ taint dedicated=chatapp:NoSchedule",
    ]
    keys = list(table.order)
    assert [table.row(key, 60, 12).selectable for key in keys] == [True, True, False, True, True, False]


def test_a_wide_pane_has_everything_in_one_line() -> None:
    taint = "node-role.kubernetes.io/control-plane:NoSchedule"
    assert paint(look(), 150, 5)[:3] == [
        "  NAME               STATUS         ROLES          AGE VERSION  PODS  CPU           MEM          TAINTS",
        "▲ chat-worker2       MemoryPressure <none>          3d v1.37.0 1/110  66% ━━━━━╌╌╌  91% ━━━━━━━╌ none",
        f"● chat-control-plane Ready          control-plane   3d v1.37.0 0/110  18% ━╌╌╌╌╌╌╌  31% ━━╸╌╌╌╌╌ {taint}",
    ]
    assert all(any(taint in line for line in paint(look(), width, 12)) for width in range(60, 180))


def test_the_title_counts_nodes_and_not_their_taint_lines() -> None:
    table = look()
    table.columns(60, 12)
    assert len(table.order) == 6
    words = ["".join(text for text, _ in part) for part in table.title(60)]
    assert words == ["3 Nodes", " 4", " · 2 tainted"]


def test_lines_below_come_and_go_with_size_nodes_and_taints() -> None:
    table = look()
    stores = table.view.stores

    def below() -> list[str]:
        return [key for key in table.order if table.view.beside(key)]

    for size, count in [((60, 12), 2), ((60, 6), 0), ((60, 7), 2), ((130, 40), 0), ((60, 12), 2)]:
        table.columns(*size)
        assert len(below()) == count, size
    node(stores, "chat-worker3")
    table.update()
    assert below() == ["uid-chat-control-plane/taints"]
    for i in range(8):
        node(stores, f"more-{i}")
    table.update()
    assert below() == []
    stores.nodes.replace([])
    table.update()
    assert len(table.order) == 0
    assert table.view.facts(NOW) == []


def test_many_taints_take_as_many_lines_as_they_need_and_none_is_cut() -> None:
    stores = live()
    taints = [{"key": f"team-{i}.example.com/reserved", "value": "yes", "effect": "NoSchedule"} for i in range(3)]
    node(stores, "n1", taints=taints)
    table = shown(NodesView, stores)
    lines = paint(table, 60, 12)
    assert lines[2:] == [
        "  └ taint team-0.example.com/reserved=yes:NoSchedule",
        "          team-1.example.com/reserved=yes:NoSchedule",
        "          team-2.example.com/reserved=yes:NoSchedule",
    ]
    assert len(paint(table, 105, 12)) == 4
    assert len(paint(table, 60, 12)) == 5


def test_a_line_below_is_filtered_and_sorted_with_its_node() -> None:
    table = look()
    table.columns(60, 12)
    table.set_filter(parse("dedicated", table.view.fields()))
    assert list(table.order) == ["uid-chat-worker3", "uid-chat-worker3/taints"]
    table.set_filter(parse("", ()))
    table.set_sort("cpu")

    def rows() -> list[str]:
        return [key.partition("-")[2] for key in table.order]

    assert rows() == ["chat-worker", "chat-worker2", "chat-control-plane", "chat-control-plane/taints", "chat-worker3", "chat-worker3/taints"]
    table.set_sort("cpu")
    assert rows() == ["chat-control-plane", "chat-control-plane/taints", "chat-worker2", "chat-worker", "chat-worker3", "chat-worker3/taints"]
    assert table.view.object("uid-chat-worker3/taints") == table.view.object("uid-chat-worker3")


def test_pods_change_the_sums_of_their_nodes_only() -> None:
    table = look()
    stores = table.view.stores
    pod(stores, "c", "chat-worker")
    assert table.update() == {"uid-chat-worker"}
    assert records(table)["chat-worker"]["pods"] == "2/110"
    pod(stores, "c", "chat-worker3")
    assert table.update() == {"uid-chat-worker", "uid-chat-worker3"}
    stores.pods.drop("c")
    assert table.update() == {"uid-chat-worker3"}
    put(stores, k.PODS, "pending", spec={}, status={"phase": "Pending"})
    assert table.update() == set()


PARTIAL = [
    Freshness(State.SYNCING), Freshness(State.FORBIDDEN), Freshness(State.LIVE, hidden=("x",)), Freshness(State.LIVE, only=("shop",)),
    Freshness(State.RECONNECTING),
]  # fmt: skip


@pytest.mark.parametrize("freshness", PARTIAL, ids=range(len(PARTIAL)))
def test_where_not_all_pods_are_seen_nothing_is_summed_up(freshness: Freshness) -> None:
    table = look()
    table.view.stores.pods.set_freshness(freshness)
    table.update()
    record = records(table)["chat-worker"]
    assert (record["pods"], record["cpu_requested"], record["cpu_requested_percent"], record["cpu"]) == ("<unknown>", "<unknown>", None, "2840m")
    assert "chat-worker        Ready            –  71% ━━━╸╌" in paint(table, 62, 12)[4]
    table.view.stores.pods.set_freshness(Freshness(State.RECONNECTING, since=NOW))
    table.update()
    assert records(table)["chat-worker"]["pods"] == "1/110"


def test_the_record_has_what_kubectl_prints_and_what_top_prints() -> None:
    table = look()
    record = records(table)["chat-worker"]
    assert {key: record[key] for key in ("status", "roles", "age", "version", "internal_ip", "os_image", "taints", "pressure", "level", "why")} == {
        "status": "Ready", "roles": "<none>", "age": "3d", "version": "v1.37.0", "internal_ip": "<none>", "os_image": "<unknown>",
        "taints": [], "pressure": [], "level": "ok", "why": "",
    }  # fmt: skip
    assert {key: value for key, value in record.items() if key.startswith("cpu")} == {
        "cpu": "2840m", "cpu_value": 2840, "cpu_percent": 71, "cpu_requested": "3900m", "cpu_requested_percent": 97, "cpu_allocatable": "4000m",
    }  # fmt: skip
    assert records(table)["chat-worker3"]["cpu"] == "<unknown>"
    assert records(table)["chat-worker2"]["status"] == "Ready"  # kubectl's word; the cell shows the pressure


def test_cells_are_those_of_the_server() -> None:
    seen, stores = recorded("workload-tables")["nodes"], live()
    for obj in objects(k.NODES, seen["items"]):
        stores.nodes.put(obj)
    found = records(shown(NodesView, stores), datetime(2026, 11, 23, 14, 44, 22, tzinfo=UTC))
    columns = [column.lower().replace("-", "_") for column in seen["columns"]]
    for row in seen["rows"]:
        for column, cell in zip(columns, row, strict=True):
            assert found[row[0]][column] == cell


def test_the_note_tells_all_reasons_and_taints() -> None:
    table = look()
    notes = {record["name"]: table.row(key, 60, 12).note for key in table.order for record in [table.view.record(key, NOW)] if "/" not in key}
    assert notes == {
        "chat-control-plane": "taint node-role.kubernetes.io/control-plane:NoSchedule",
        "chat-worker": "",
        "chat-worker2": "MemoryPressure: kubelet has insufficient memory available",
        "chat-worker3": "taint dedicated=chatapp:NoSchedule",
    }


def test_a_row_expires_only_where_an_age_is_shown() -> None:
    table = look()
    assert table.row("uid-chat-worker", 60, 12).expires == float("inf")
    assert table.row("uid-chat-worker", 130, 12).expires == NOW.timestamp() + 3600


def test_a_node_that_is_down_is_first_and_counted() -> None:
    table = look()
    put(
        table.view.stores,
        k.NODES,
        "zz",
        uid="uid-zz",
        status={"conditions": [{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]},
    )
    table.update()
    assert next(iter(table.order)) == "uid-zz"
    assert table.view.facts(NOW) == ["1 not ready", "2 tainted"]
    assert table.row("uid-zz", 60, 12).note == "Kubelet stopped posting node status"


NAMES = ["n1", "n2", "n3"]
TAINTS = st.lists(st.sampled_from([CONTROL, DEDICATED, {"key": "x" * 40, "effect": "NoExecute"}]), max_size=3)
STEPS = st.lists(
    st.one_of(st.tuples(st.sampled_from(NAMES), TAINTS), st.sampled_from(NAMES), st.tuples(st.integers(53, 150), st.integers(2, 14))), max_size=15
)


@settings(max_examples=60)
@given(STEPS)
def test_the_rows_are_always_those_that_exist(steps: list[Any]) -> None:
    """Whatever came and went, and however the pane was resized: the order holds exactly the keys that a new view would have."""
    stores = live()
    table = shown(NodesView, stores)
    size = (60, 10)
    for step in steps:
        if isinstance(step, str):
            stores.nodes.drop(f"uid-{step}")
        elif isinstance(step[0], str):
            node(stores, step[0], taints=step[1])
        else:
            size = step
        table.update()
        lines = paint(table, *size)
        fresh = shown(NodesView, stores)
        assert paint(fresh, *size) == lines
        assert list(table.order) == list(fresh.order)


@pytest.mark.parametrize("height", [5, 12])
def test_every_width_fits(height: int) -> None:
    for wide in (False, True):
        for width in range(53, 200):
            table = look()
            table.view.wide = wide
            paint(table, width, height)
            columns = table.columns(width, height)
            assert all(len(table.row(key, width, height).cells) == len(columns) for key in table.order)
