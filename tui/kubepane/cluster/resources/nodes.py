"""Nodes: taints, conditions, allocatable resources."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Address, Condition, Labels, Object, Struct, Time


class Taint(Struct, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""
    time_added: Time = None


class NodeInfo(Struct, frozen=True):
    kubelet_version: str = ""
    os_image: str = ""
    kernel_version: str = ""
    container_runtime_version: str = ""


class NodeSpec(Struct, frozen=True):
    unschedulable: bool | None = None
    taints: tuple[Taint, ...] | None = None


class NodeStatus(Struct, frozen=True):
    capacity: Labels | None = None
    allocatable: Labels | None = None
    conditions: tuple[Condition, ...] | None = None
    addresses: tuple[Address, ...] | None = None
    node_info: NodeInfo = NodeInfo()


class Node(Object, frozen=True):
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
