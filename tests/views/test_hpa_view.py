from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from builders import NOW, make, pod, put
from clusters import live, paint, records, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Scale
from kubepane.cluster.stores import Stores
from kubepane.views import cockpit
from kubepane.views.hpa import AutoscalersView, briefly
from kubepane.views.table import Table
from kubepane_widgets import chart
from kubepane_widgets.lines import Line
from recordings import objects, recorded

BASE = {"AbleToScale": "True ReadyForNewScale", "ScalingActive": "True ValidMetricFound", "ScalingLimited": "False DesiredWithinRange"}
NO_REQUEST = "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container app of Pod x"


def hpa(
    stores: Stores, name: str, current: int | None, target: int, least: int, most: int, replicas: int, ready: int, message: str = "", **reasons: str
) -> Any:
    put(stores, k.DEPLOYMENTS, name, uid=f"d-{name}", spec={"replicas": replicas}, status={"readyReplicas": ready})
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": target}}}]
    measured = {"type": ""} if current is None else {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}}
    conditions = [
        {"type": kind, **dict(zip(("status", "reason"), text.split(" "), strict=True)), "message": message}
        for kind, text in {**BASE, **reasons}.items()
    ]
    return put(
        stores, k.AUTOSCALERS, name, uid=name, creationTimestamp="2026-05-30T08:00:00Z",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": name}, "minReplicas": least, "maxReplicas": most, "metrics": metrics},
        status={"currentReplicas": replicas, "desiredReplicas": replicas, "currentMetrics": [measured], "conditions": conditions},
    )  # fmt: skip


def look(now: datetime = NOW) -> Table:
    """The HPAs of the look, with ten minutes of history for the first."""
    stores = live()
    hpa(stores, "chatapp", 182, 50, 1, 4, 4, 3, ScalingLimited="True TooManyReplicas")
    hpa(stores, "web", 58, 60, 2, 6, 3, 3)
    hpa(stores, "search", None, 70, 2, 5, 2, 2, NO_REQUEST, ScalingActive="False FailedGetResourceMetric")
    table = shown(AutoscalersView, stores, now)
    metrics = table.view.world.metrics
    for i in range(41):
        at = NOW - timedelta(seconds=15 * (40 - i))
        hot = i >= 26
        metrics.saw_scale("chatapp", Scale(at, 182.0 if hot else 20.0, 50.0, 4 if hot else 1, 3 if hot else 1))
    return table


def test_a_small_pane_shows_the_rows_a_curve_and_the_sum() -> None:
    lines = paint(look(), 56, 7, cursor=1)
    assert lines[0] == "  REFERENCE      TARGETS       MIN MAX REPL STATE"
    assert lines[1] == "✕ deploy/search  cpu ?/70%       2   5    2 no cpu requ…"
    assert lines[2] == "▲ deploy/chatapp cpu 182%/50%    1   4    4 wants 11"
    assert lines[3].startswith(" 200% │")
    assert lines[5].startswith("  50% ┼")
    assert lines[-1] == "3 ready × 182 ÷ 50 = 10.92 → 11 → max 4"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("wants 1, down in ≤ 4m12s", "down ≤ 4m12s"),
        ("wants 11", "wants 11"),
        ("not looked at yet", "new"),
        ("its pods are not ready yet", "pods unready"),
        ("scaling 2 → 4", "scaling 2 → 4"),
    ],
)
def test_the_state_is_short_where_there_is_no_room(state: str, told: str) -> None:
    assert briefly(state) == told


def test_the_smallest_pane_keeps_the_sum() -> None:
    assert paint(look(), 56, 4, cursor=1)[-1] == "3 ready × 182 ÷ 50 = 10.92 → 11 → max 4"


def test_a_large_pane_is_a_cockpit() -> None:
    lines = paint(look(), 92, 40, cursor=1)
    assert lines[0] == "  REFERENCE      TARGETS           MIN MAX REPLICAS  AGE STATE"
    assert lines[1:4] == [
        "✕ deploy/search  cpu <unknown>/70%   2   5        2 2d4h no cpu request on container app",
        "▲ deploy/chatapp cpu 182%/50%        1   4        4 2d4h wants 11",
        "● deploy/web     cpu 58%/60%         2   6        3 2d4h steady",
    ]
    assert lines[4] == "cpu of request, mean of ready pods" + " " * 35 + "now 182%   ╌ target 50%"
    assert len(lines) == 40
    assert lines[-10] == "replicas   ━ wanted   ─ ready   ╌ rails"
    assert lines[-9].startswith("max 4 │")
    assert lines[-6].startswith("min 1 │")
    assert lines[-5].split() == ["−10m", "−8m", "−6m", "−4m", "−2m", "now"]
    assert lines[-3:] == [
        "now   3 ready × 182% ÷ 50% = 10.92 → 11 → capped by max 4 (TooManyReplicas)",
        "up    stop  maxReplicas 4 reached",
        "down  held  5m window (the default) begins when fewer are asked for",
    ]


def test_the_tail_follows_the_cursor() -> None:
    table = look()
    assert paint(table, 56, 7, cursor=0)[-1] == "no cpu request on container app"
    assert paint(table, 56, 7, cursor=2)[-1] == "3 ready × 58 ÷ 60 = 2.9 → 3  within 10% of the target"
    assert table.tail(56, 7, None) == []
    assert table.tail(56, 7, "gone") == []


SIZES = [(w, h) for w in (56, 58, 63, 70, 76, 77, 92, 110, 111, 160) for h in (3, 5, 6, 12, 19, 20, 24, 50)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_fits(width: int, height: int) -> None:
    table = look()
    for wide in (False, True):
        table.view.wide = wide
        for cursor in range(3):
            paint(table, width, height, cursor)
            tail = table.tail(width, height, list(table.order)[cursor])
            assert len(tail) <= max(1, height - 2)


def counting_down(seconds: float, behavior: Any = None) -> tuple[Table, str]:
    """An HPA that wants 1 of 3; its metric fell 30 s before NOW. The table is `seconds` after NOW."""
    now = NOW + timedelta(seconds=seconds)
    stores = live()
    a = hpa(stores, "web", 5, 50, 1, 4, 3, 3, AbleToScale="True ScaleDownStabilized")
    if behavior:
        made = make(k.AUTOSCALERS, "x", spec={"behavior": behavior})
        stores.autoscalers.put(replace(a, spec=replace(a.spec, behavior=made.spec.behavior)))
    table = shown(AutoscalersView, stores, now)
    for i, value in enumerate((75.0, 75.0, 5.0, 5.0, 5.0)):
        table.view.world.metrics.saw_scale("web", Scale(NOW - timedelta(seconds=15 * (4 - i)), value, 50.0, 3, 3))
    return table, "web"


def test_the_window_is_counted_down_as_a_bound() -> None:
    table, key = counting_down(18)
    row = table.row(key, 60, 10)
    assert table.view.record(key, NOW + timedelta(seconds=18))["state"] == "wants 1, down in ≤ 4m12s"
    assert row.expires == NOW.timestamp() + 19
    assert paint(table, 56, 7)[-1] == "3 ready × 5 ÷ 50 = 0.3 → 1 → held at 3   down in ≤ 4m12s"
    lines = paint(table, 100, 30)
    assert lines[-1] == "down  held  ≤ 4m12s ━━━━━━━━━━━━━━━━━───  5m window (the default) still holds 3"
    assert lines[-3] == "now   3 ready × 5% ÷ 50% = 0.3 → 1 → held at 3 (ScaleDownStabilized)"
    assert lines[-2] == "up    free  no stabilisation; at most twice as many, or 4, at once"


def test_a_bound_that_has_passed_is_due() -> None:
    table, key = counting_down(300)
    assert table.view.record(key, NOW + timedelta(seconds=300))["state"] == "wants 1, down due"
    assert paint(table, 100, 30)[-1].startswith("down  held  due ────")


def test_behaviour_of_its_own_is_told() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}]}}
    table, _ = counting_down(10, behavior)
    assert paint(table, 100, 30)[-1] == "down  held  ≤ 20s ━━━━━━━─────────────  60s window still holds 3; at most 1 pod fewer every 30s"


def test_without_history_nothing_is_bounded() -> None:
    stores = live()
    hpa(stores, "web", 5, 50, 1, 4, 3, 3, AbleToScale="True ScaleDownStabilized")
    table = shown(AutoscalersView, stores)
    assert records(table)["web"]["state"] == "wants 1, held"
    assert paint(table, 100, 30)[-1] == "down  held  5m window (the default), since when was not seen"


def test_the_record_has_what_kubectl_prints() -> None:
    seen, stores = recorded("workload-tables")["horizontalpodautoscalers"], live()
    for obj in objects(k.AUTOSCALERS, seen["items"]):
        stores.autoscalers.put(obj)
    put(stores, k.DEPLOYMENTS, "chatapp", "chatapp", status={"readyReplicas": 4})
    found = records(shown(AutoscalersView, stores))
    for row in seen["rows"]:
        for column, cell in zip(seen["columns"], row, strict=True):
            if column != "Age":
                assert found[row[0]][column.lower()] == cell


def test_title_counts_those_at_their_maximum_and_tells_the_age_of_the_figures() -> None:
    table = look()
    assert table.view.facts(NOW) == ["1 at max", "1 broken"]
    assert table.view.aside(NOW) == []
    metrics = table.view.world.metrics
    metrics.sampled_at = NOW - timedelta(seconds=9)
    assert table.view.aside(NOW) == [(" · cpu 9s ago", "muted")]
    metrics.freshness = Freshness(State.ABSENT)
    assert table.view.aside(NOW) == [(" · no metrics", "warn")]


def test_worst_first() -> None:
    table = look()
    assert [table.view.record(key, NOW)["name"] for key in table.order] == ["search", "chatapp", "web"]
    table.set_sort("targets")
    assert [table.view.record(key, NOW)["name"] for key in table.order] == ["web", "chatapp", "search"]


# ---- what changes a row ----------------------------------------------------------------------------------------------------------


def test_a_target_changes_the_row_of_its_hpa_and_no_other() -> None:
    table = look()
    stores = table.view.stores
    table.update()
    put(stores, k.DEPLOYMENTS, "web", uid="d-web", status={"readyReplicas": 2})
    assert table.update() == {"web"}
    put(stores, k.DEPLOYMENTS, "alone")
    assert table.update() == set()
    stores.deployments.drop("d-web")
    assert table.update() == {"web"}
    assert records(table)["web"]["state"] == "no deploy/web"


def test_a_target_that_comes_after_its_hpa_is_seen() -> None:
    stores = live()
    hpa(stores, "web", 58, 60, 2, 6, 3, 3)
    stores.deployments.replace([])
    table = shown(AutoscalersView, stores)
    assert records(table)["web"]["state"] == "no deploy/web"
    put(stores, k.DEPLOYMENTS, "web", uid="d2", status={"readyReplicas": 3})
    table.update()
    assert records(table)["web"]["state"] == "steady"


def test_pods_matter_only_while_metrics_are_waited_for() -> None:
    stores = live()
    message = "no metrics returned from resource metrics API"
    hpa(stores, "web", None, 60, 2, 6, 3, 0, message, ScalingActive="False FailedGetResourceMetric")
    rs = put(stores, k.REPLICASETS, "web-1", owner=stores.deployments.get("d-web"))
    table = shown(AutoscalersView, stores)
    pod(stores, "a", owner=rs, spec={}, status={"phase": "Pending"})
    assert table.update() == {"web"}
    assert records(table)["web"]["state"] == "no metrics yet: its pod is pending"
    hpa(stores, "web", 58, 60, 2, 6, 3, 3)
    table.update()
    pod(stores, "b", owner=rs)
    assert table.update() == set()


def test_a_store_that_becomes_complete_may_prove_that_a_target_is_missing() -> None:
    stores = live()
    hpa(stores, "web", 58, 60, 2, 6, 3, 3)
    stores.deployments.replace([])
    stores.deployments.set_freshness(Freshness(State.SYNCING))
    table = shown(AutoscalersView, stores)
    assert records(table)["web"]["state"] == "steady"
    stores.deployments.set_freshness(Freshness(State.LIVE))
    table.update()
    assert records(table)["web"]["state"] == "no deploy/web"


# ---- the chart -------------------------------------------------------------------------------------------------------------------


def test_what_was_left_out_of_the_history_because_it_was_alike_is_drawn() -> None:
    table = look()
    history = table.view.world.metrics.scales("chatapp")
    assert len(history) == 4
    assert len(cockpit.steady(history)) > 12
    curve = [line for line in paint(table, 92, 40, cursor=1) if "│" in line or "┼" in line][:20]
    assert not any(line[7:].strip() == "" for line in curve[-3:])
    assert len(curve[-2].rstrip()) == 92


def test_a_chart_is_drawn_anew_only_when_it_would_look_different(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    real = chart.curve

    def noted(*args: Any, **more: Any) -> list[Line]:
        drawn.append(more["end"])
        return real(*args, **more)

    monkeypatch.setattr(chart, "curve", noted)
    moment = [NOW]
    table = look()
    table._now = lambda: moment[0]
    for step in (0.0, 0.1, 0.2, 0.3):
        moment[0] = NOW + timedelta(seconds=step)
        paint(table, 56, 10, cursor=1)
    assert len(drawn) == 1
    moment[0] = NOW + timedelta(seconds=20)
    paint(table, 56, 10, cursor=1)
    assert len(drawn) == 2
    table.view.world.metrics.saw_scale("chatapp", Scale(moment[0], 90.0, 50.0, 4, 3))
    paint(table, 56, 10, cursor=1)
    assert len(drawn) == 3
