"""Same seed and same calls, same objects: the whole cluster and the whole story, twice, on a virtual clock."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded
from kubepane_manifests.catalogue import find

TAINT = {"key": "dedicated", "value": "chatapp", "effect": "NoSchedule"}
Everything = dict[str, list[dict[str, Any]]]


def everything(cluster: EmbeddedCluster) -> Everything:
    """All objects whole: names, uids, revisions, times, statuses, events, owners of fields."""
    kinds = sorted({item.storage for item in cluster.core.registry.resources if item.storage})
    return {kind: [row.full for row in cluster.core.storage.rows(kind)] for kind in kinds}


def play(seed: int) -> tuple[EmbeddedCluster, Everything]:
    """Load comes and goes, workers are tainted, an image is wrong, pods and a namespace go."""
    clock = VirtualClock()
    cluster = seeded(Wanted(story=True, seed=seed, pods=20), clock)
    client = cluster.core.client("user")
    for amount in ("500m", None):
        client.patch("services", "chatapp", "chatapp", {"metadata": {"annotations": {"sim.kubepane.io/demand": amount}}})
        clock.advance(240)
    client.patch("nodes", "", "kubepane-worker2", {"spec": {"taints": [TAINT]}})
    for name in ("faults/bad-image", "tolerations"):
        wanted = next(obj for obj in find(name).objects() if obj["kind"] == "Deployment")
        client.patch("deployments.apps", "chatapp", "chatapp", {"spec": wanted["spec"]})
        clock.advance(120)
    client.delete("pods", "chatapp", "mysql-0")
    clock.advance(60)
    client.delete("namespaces", "", "load")
    clock.advance(600)
    return cluster, everything(cluster)


def test_the_whole_story_is_the_same_twice() -> None:
    (_, first), (_, second) = play(1), play(1)
    assert sum(map(len, first.values())) > 250
    for kind, objects in first.items():
        assert objects == second[kind], kind


def digest() -> str:
    """A short word for all of it."""
    return hashlib.sha256(json.dumps(play(1)[1], sort_keys=True).encode()).hexdigest()


def test_it_is_the_same_in_another_process() -> None:
    command = [sys.executable, "-c", "from embedded.test_same_seed import digest; print(digest())"]
    found = set()
    for salt in ("1", "2"):  # the order of sets of texts differs
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": os.pathsep.join(sys.path)}
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1


def test_another_seed_gives_other_names_and_the_same_end() -> None:
    (_, first), (_, second) = play(1), play(2)

    def names(found: Everything) -> set[str]:
        return {pod["metadata"]["name"] for pod in found["pods"] if pod["metadata"]["namespace"] == "chatapp"}

    assert names(first) & names(second) == {"mysql-0"}
    assert len(names(first)) == len(names(second))
