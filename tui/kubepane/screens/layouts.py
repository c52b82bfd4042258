"""Which panes stand together. Where they stand is the style sheet's business."""

from __future__ import annotations

from kubepane.cluster.kinds import Kind
from kubepane.views.events import EventsView
from kubepane.views.hpa import AutoscalersView
from kubepane.views.ingress import IngressView
from kubepane.views.nodes import NodesView
from kubepane.views.pods import GroupedPodsView, PodsView
from kubepane.views.policies import PoliciesView
from kubepane.views.rollout import RolloutView
from kubepane.views.storage import StorageView
from kubepane.views.view import View
from kubepane.views.workloads import WorkloadsView

PANES: dict[str, type[View]] = {
    "pods": PodsView,
    "workloads": WorkloadsView,
    "nodes": NodesView,
    "events": EventsView,
    "hpa": AutoscalersView,
    "storage": StorageView,
    "ingress": IngressView,
    "policies": PoliciesView,
}
FOLLOWERS: dict[str, type[View]] = {"rollout": RolloutView, "its-pods": GroupedPodsView, "its-events": EventsView}
"""Panes that follow a chosen object: the rollout lane, its pods by ReplicaSet, its events."""

LAYOUTS: dict[str, tuple[str, ...]] = {
    "overview": ("pods", "workloads", "hpa", "nodes", "storage", "events", "ingress", "policies"),
    "rollout": ("rollout", "its-pods", "workloads", "its-events"),
    "autoscale": ("hpa", "its-pods", "nodes", "workloads", "its-events"),
    "storage": ("storage",),
    "network": ("ingress", "policies"),
}
SHORT = {"workloads": "Work", "storage": "Stor", "ingress": "Ingr", "policies": "Pol"}
"""Names for the tab strip of a narrow screen."""

NUMBERS: dict[str, str] = {str(view.number): name for name, view in PANES.items()}


def kinds() -> tuple[Kind, ...]:
    """All kinds that some pane reads, each once; those of the first pane first."""
    return tuple(dict.fromkeys(kind for view in (*PANES.values(), *FOLLOWERS.values()) for kind in view.kinds))
