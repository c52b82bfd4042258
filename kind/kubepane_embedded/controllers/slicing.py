"""How endpoints are spread over EndpointSlices: as few writes as can be, at most 100 in one (k8s.io/endpointslice/reconciler.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubepane_embedded.meta import Object, owners_of

LARGEST = 100
"""Endpoints in one slice (--max-endpoints-per-slice)."""
Endpoint = dict[str, Any]
Ports = list[dict[str, Any]]


@dataclass(slots=True)
class Group:
    """Endpoints that share their ports, by `identity`."""

    ports: Ports
    endpoints: dict[tuple[Any, ...], Endpoint] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """Slices to write; those to update carry the name of a present one."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)

    def recycle(self, uid: str) -> None:
        """Turn a deletion and a creation into one update, where the slice to delete belongs to the owner `uid`."""
        kept = []
        for old in self.delete:
            mine = any(owner.get("uid") == uid for owner in owners_of(old))
            if mine and self.create and self.create[-1]["addressType"] == old["addressType"]:
                fresh = self.create.pop()
                fresh["metadata"]["name"] = old["metadata"]["name"]
                self.update.append(fresh)
            else:
                kept.append(old)
        self.delete = kept


def identity(endpoint: Endpoint) -> tuple[Any, ...]:
    """What makes an endpoint the same one although its conditions change."""
    target = endpoint.get("targetRef") or {}
    return (tuple(sorted(endpoint["addresses"])), endpoint.get("hostname") or "", target.get("namespace"), target.get("name"))


def port_key(ports: Ports | None) -> tuple[Any, ...]:
    """Equal for equal ports in any order."""
    parts = ("name", "protocol", "port", "appProtocol")
    return tuple(sorted(tuple(str(port.get(part) or "") for part in parts) for port in ports or []))


def spread(plan: Plan, present: list[Object], group: Group, labels: dict[str, str], fresh: Callable[[Ports], Object]) -> None:
    """Plan the slices of one group: keep and correct what is in place, fill changed slices, then one unchanged, then new ones."""
    left = dict(group.endpoints)
    changed, unchanged = _correct(plan, present, left, labels)
    for piece in sorted(changed, key=lambda one: -len(one["endpoints"])):
        _fill(piece, left)
    plan.update += changed
    while left:
        room = [piece for piece in unchanged if len(piece.get("endpoints") or []) + len(left) <= LARGEST]
        if room:
            fullest = max(room, key=lambda one: len(one.get("endpoints") or []))
            unchanged.remove(fullest)
            piece = {**fullest, "endpoints": list(fullest.get("endpoints") or [])}
            plan.update.append(piece)
        else:
            piece = fresh(group.ports)
            plan.create.append(piece)
        _fill(piece, left)


def _correct(plan: Plan, present: list[Object], left: dict[tuple[Any, ...], Endpoint], labels: dict[str, str]) -> tuple[list[Object], list[Object]]:
    """Slices that must be written and those that are right, after taking what they hold out of `left`."""
    changed, unchanged = [], []
    for piece in present:
        held = piece.get("endpoints") or []
        names = [identity(endpoint) for endpoint in held]
        kept = [left.pop(name) for name in names if name in left]
        if kept == held and (piece["metadata"].get("labels") or {}) == labels:
            unchanged.append(piece)
        elif not kept and held:
            plan.delete.append(piece)
        else:
            changed.append({**piece, "metadata": {**piece["metadata"], "labels": labels}, "endpoints": kept})
    return changed, unchanged


def _fill(piece: Object, left: dict[tuple[Any, ...], Endpoint]) -> None:
    for name in list(left)[: LARGEST - len(piece["endpoints"])]:
        piece["endpoints"].append(left.pop(name))
