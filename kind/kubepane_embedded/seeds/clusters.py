"""Seed clusters: how a cluster looks when it is handed over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubepane_embedded.assembly import everything
from kubepane_embedded.clock import Clock, PacedClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.nodes import add_nodes, add_pods
from kubepane_embedded.seeds.addons import add_addons
from kubepane_embedded.seeds.story import add_story

LIVED = 90.0
"""Cluster seconds that the add-ons have been running when the cluster is handed over."""
STORY_LIVED = 150.0
"""Cluster seconds more in which the story becomes healthy and its metrics appear."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a cluster is to be like.

    Args:
        speed: Cluster seconds per real second.
        seed: Same seed and same requests, same objects.
        nodes: Worker nodes beside the one control plane.
        pods: Synthetic running pods for load tests.
        story: Whether the story is applied and healthy from the start.
        port: Where to listen on 127.0.0.1, 0 for any free port.
        kubeconfig: Where to write the kubeconfig, None for a temporary file.
    """

    speed: float = 1.0
    seed: int = 1
    nodes: int = 3
    pods: int = 0
    story: bool = False
    port: int = 0
    kubeconfig: Path | None = None

    @property
    def lead(self) -> float:
        """Cluster seconds of the past that such a cluster has."""
        return LIVED + (STORY_LIVED if self.story else 0.0)


def seeded(wanted: Wanted, clock: Clock | None = None) -> EmbeddedCluster:
    """A cluster with nodes, add-ons and whatever else is wanted, that has lived for a while.

    Args:
        wanted: What it is to be like.
        clock: Instead of a paced clock of the wanted speed; a `VirtualClock` in tests.
    """
    clock = clock or PacedClock(wanted.speed, wanted.lead)
    cluster = EmbeddedCluster(clock, wanted.seed, everything, wanted.port, wanted.kubeconfig)
    add_nodes(cluster.core, wanted.nodes, pods="110" if wanted.pods < 300 else str(110 + wanted.pods))
    cluster.begin()
    add_addons(cluster.core)
    clock.skip(LIVED)
    if wanted.story:
        add_story(cluster.core)
        clock.skip(STORY_LIVED)
    add_pods(cluster.core, wanted.pods)
    return cluster
