"""Every cell of every pane against the server's own Tables, on a real API server."""

from __future__ import annotations

import asyncio
import io
import json
import os
from contextlib import redirect_stdout
from typing import Any

import pytest

from kubepane import cli
from kubepane.cluster import kinds as k, kubeconfig
from kubepane.cluster.api import Api
from kubepane.cluster.connection import Connection
from kubepane.cluster.kinds import Kind
from kubepane.cluster.requests import TABLE

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set"),
    pytest.mark.timeout(120),
]

Cells = dict[tuple[str, str], dict[str, Any]]

COLUMNS: dict[str, tuple[Kind, dict[str, str]]] = {
    "pods": (k.PODS, {
        "Ready": "ready", "Status": "status", "Restarts": "restarts", "IP": "ip", "Node": "node", "Nominated Node": "nominated_node",
        "Readiness Gates": "readiness_gates"}),
    "deployments": (k.DEPLOYMENTS, {
        "Ready": "ready", "Up-to-date": "up_to_date", "Available": "available", "Containers": "containers", "Images": "images", "Selector": "selector"}),
    "statefulsets": (k.STATEFULSETS, {"Ready": "ready", "Containers": "containers", "Images": "images"}),
    "daemonsets": (k.DAEMONSETS, {
        "Desired": "desired", "Current": "current", "Ready": "ready", "Up-to-date": "up_to_date", "Available": "available",
        "Node Selector": "node_selector", "Containers": "containers", "Images": "images", "Selector": "selector"}),
    "jobs": (k.JOBS, {"Status": "status", "Completions": "completions", "Containers": "containers", "Images": "images", "Selector": "selector"}),
    "cronjobs": (k.CRONJOBS, {"Schedule": "schedule", "Timezone": "timezone", "Suspend": "suspend", "Active": "active", "Containers": "containers", "Images": "images"}),
    "nodes": (k.NODES, {
        "Status": "status", "Roles": "roles", "Version": "version", "Internal-IP": "internal_ip", "External-IP": "external_ip", "OS-Image": "os_image",
        "Kernel-Version": "kernel_version", "Container-Runtime": "container_runtime"}),
    "events": (k.EVENTS, {
        "Type": "type", "Reason": "reason", "Object": "object", "Subobject": "subobject", "Source": "source", "Message": "message", "Count": "count"}),
    "hpa": (k.AUTOSCALERS, {"Reference": "reference", "Targets": "targets", "MinPods": "minpods", "MaxPods": "maxpods", "Replicas": "replicas"}),
    "storage": (k.CLAIMS, {
        "Status": "status", "Volume": "volume", "Capacity": "capacity", "Access Modes": "access_modes", "StorageClass": "storageclass",
        "VolumeAttributesClass": "volumeattributesclass", "VolumeMode": "volumemode"}),
    "ingress": (k.INGRESSES, {"Class": "class", "Hosts": "hosts", "Address": "address", "Ports": "ports"}),
}  # fmt: skip
PANE = dict.fromkeys(("deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"), "workloads")


async def tables() -> dict[str, Cells]:
    """The server's cells of all kinds, by namespace and name."""
    link = Connection(kubeconfig.load(KUBECONFIG).context())
    api = Api(link, read_only=True)
    try:
        return {what: read(await api.get(kind.path(), {"includeObject": "Metadata"}, accept=TABLE)) for what, (kind, _) in COLUMNS.items()}
    finally:
        await link.close()


def read(raw: bytes) -> Cells:
    table = json.loads(raw)
    names = [column["name"] for column in table["columnDefinitions"]]
    out: Cells = {}
    for row in table["rows"]:
        meta = row["object"]["metadata"]
        out[meta.get("namespace", ""), meta["name"]] = dict(zip(names, row["cells"], strict=True))
    return out


def snapshot() -> dict[str, Any]:
    said = io.StringIO()
    with redirect_stdout(said):
        assert cli.main(["snapshot", "-A", "--kubeconfig", KUBECONFIG, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(said.getvalue())["panes"]
    return found


def still(before: dict[str, Any], after: dict[str, Any], columns: dict[str, str]) -> bool:
    return all(before.get(c) == after.get(c) for c in columns)


@pytest.fixture(scope="module")
def seen() -> tuple[dict[str, Cells], dict[str, Any], dict[str, Cells]]:
    """Tables, our snapshot, and Tables again: only rows that stood still in between can be compared."""
    before = asyncio.run(tables())
    panes = snapshot()
    return before, panes, asyncio.run(tables())


@pytest.mark.parametrize("what", COLUMNS)
def test_every_column_is_the_servers_own(what: str, seen: tuple[dict[str, Cells], dict[str, Any], dict[str, Cells]]) -> None:
    before, panes, after = seen
    kind, columns = COLUMNS[what]
    rows = [r for r in panes[PANE.get(what, what)]["rows"] if r.get("kind", kind.kind) == kind.kind]
    ours = {(r.get("namespace", ""), r["name"]): r for r in rows}
    compared, wrong = 0, []
    for key, cells in before[what].items():
        if key not in after[what] or not still(cells, after[what][key], columns):
            continue
        if what == "events" and cells["Reason"] == "FailedScheduling":
            continue  # those that repeat one cause are one line here
        assert key in ours, f"{what} {key} is missing"
        for column, name in columns.items():
            compared += 1
            if str(ours[key][name]) != str(cells[column]):
                wrong.append((key, column, ours[key][name], cells[column]))
    assert wrong == []
    assert compared or not before[what]


def test_nothing_is_shown_that_is_not_there(seen: tuple[dict[str, Cells], dict[str, Any], dict[str, Cells]]) -> None:
    before, panes, after = seen
    known = set(before["pods"]) | set(after["pods"])
    assert {(r["namespace"], r["name"]) for r in panes["pods"]["rows"]} <= known
