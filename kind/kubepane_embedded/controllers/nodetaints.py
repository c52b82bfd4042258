"""Taints that the node controller keeps: what a node's state asks for, and putting taints on and off.

Follows pkg/controller/nodelifecycle/node_lifecycle_controller.go (doNoScheduleTaintingPass) and pkg/controller/controller_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.meta import Object
from kubepane_embedded.tolerations import Taint, same_taint

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
BY_CONDITION: dict[tuple[str, str], str] = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
KEPT = {*BY_CONDITION.values(), UNSCHEDULABLE}


def taints_of(node: Object) -> list[Taint]:
    """spec.taints, never None."""
    return (node.get("spec") or {}).get("taints") or []


def no_execute(node: Object) -> list[Taint]:
    """A node's taints that drive pods away."""
    return [taint for taint in taints_of(node) if taint.get("effect") == "NoExecute"]


def has_taint(node: Object, key: str, effect: str) -> bool:
    """Whether a node has the taint."""
    return any(same_taint(taint, {"key": key, "effect": effect}) for taint in taints_of(node))


def wanted_no_schedule(node: Object) -> list[str]:
    """Keys of the NoSchedule taints that conditions and cordon ask for."""
    conditions = (node.get("status") or {}).get("conditions") or []
    found = [BY_CONDITION.get((one.get("type") or "", one.get("status") or ""), "") for one in conditions]
    return [key for key in (*found, UNSCHEDULABLE if (node.get("spec") or {}).get("unschedulable") else "") if key]


def keep_no_schedule(client: Client, node: Object) -> Object:
    """Put on and off what the node's state asks for; returns the node as it is now."""
    wanted = wanted_no_schedule(node)
    present = [taint["key"] for taint in taints_of(node) if taint.get("effect") == "NoSchedule" and taint.get("key") in KEPT]
    adding = [key for key in wanted if key not in present]
    return swap(client, node, "NoSchedule", adding, [key for key in present if key not in wanted])


def swap(client: Client, node: Object, effect: str, adding: Iterable[str], removing: Iterable[str]) -> Object:
    """Put taints on, with the time, and others off; returns the node as it is now."""
    gone = [{"key": key, "effect": effect} for key in removing]
    kept: list[dict[str, Any]] = [taint for taint in taints_of(node) if not any(same_taint(taint, one) for one in gone)]
    for key in adding:
        fresh = {"key": key, "effect": effect, "timeAdded": client.clock.stamp()}
        kept = [taint for taint in kept if not same_taint(taint, fresh)] + [fresh]
    if kept == taints_of(node):
        return node
    return client.patch("nodes", "", node["metadata"]["name"], {"spec": {"taints": kept or None}})
