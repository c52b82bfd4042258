"""Tables, cell by cell as a real 1.35.4 server printed them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedded.conftest import recording
from kubepane_embedded import tables
from kubepane_embedded.ages import human, since
from kubepane_embedded.conversion import to_storage
from kubepane_embedded.registry import default_registry
from kubepane_embedded.table_pods import pod_cells

RECORDED = recording("tables")
AGES = ("Age", "Last Seen", "First Seen", "Duration", "Last Schedule")
REGISTRY = default_registry()
KINDS = sorted(name for name in RECORDED if "columns" in RECORDED[name])


def storage_of(name: str) -> str:
    known = {"nodemetrics": "nodes.metrics.k8s.io", "podmetrics": "pods.metrics.k8s.io", "events.k8s.io": "events"}
    return known.get(name) or next(item.storage for item in REGISTRY.resources if item.plural == name and item.storage)


@pytest.mark.parametrize("name", KINDS)
def test_columns(name: str) -> None:
    shown = [[column[key] for key in ("name", "type", "format", "priority")] for column in tables.definitions(storage_of(name))]
    assert shown == RECORDED[name]["columns"]


@pytest.mark.parametrize("name", KINDS)
def test_cells(name: str) -> None:
    case = RECORDED[name]
    events = REGISTRY.at("events.k8s.io", "v1", "events")
    for item, wanted in zip(case["items"], case["cells"], strict=True):
        assert events is not None
        obj = to_storage(events, item) if name == "events.k8s.io" else item
        cells = tables.COLUMNS[storage_of(name)][1](obj, datetime.now(UTC))
        for column, want, got in zip(case["columns"], wanted, cells, strict=True):
            if column[0] not in AGES:
                assert (got, type(got)) == (want, type(want)), column[0]


def test_the_targets_of_autoscalers() -> None:
    case = RECORDED["hpa-targets"]
    for item, wanted in zip(case["items"], case["cells"], strict=True):
        assert tables.COLUMNS["horizontalpodautoscalers.autoscaling"][1](item, datetime.now(UTC))[:6] == wanted[:6]


def test_pods_in_every_state() -> None:
    case = RECORDED["pod-statuses"]
    now = datetime.fromtimestamp(case["at"], UTC)
    for item, wanted in zip(case["items"], case["cells"], strict=True):
        assert pod_cells(item, now)[1:4] == wanted, item["metadata"]["name"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-10, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (176, "2m56s"), (599, "9m59s"), (600, "10m"),
        (10799, "179m"), (10800, "3h"), (18240, "5h4m"), (28800, "8h"), (172799, "47h"), (172800, "2d"), (266400, "3d2h"),
        (691200, "8d"), (31536000, "365d"), (63072000, "2y"), (63331200, "2y3d"), (252288000, "8y"),
    ],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert human(seconds) == text


def test_unknown_times() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert [since(stamp, now) for stamp in (None, "", "nonsense")] == ["<unknown>"] * 3
    assert since((now - timedelta(seconds=5)).isoformat(), now) == "5s"


def test_a_row_may_carry_metadata_the_object_or_nothing() -> None:
    obj: dict[str, Any] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "b"}}
    now = datetime.now(UTC)
    assert tables.row("configmaps", obj, now, "None", obj)["object"] is None
    assert tables.row("configmaps", obj, now, "Object", obj)["object"] is obj
    assert tables.row("configmaps", obj, now, "Metadata", obj)["object"]["kind"] == "PartialObjectMetadata"
