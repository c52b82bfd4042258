"""Storage: claims and volumes find each other, are protected while used, and part as the reclaim policy says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.peers import Space, condition, pod

VOLUMES = "/api/v1/persistentvolumes"


def claim(name: str, storage_class: str, size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"storage": size}}
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class, "resources": resources, **spec}}


@pytest.fixture
def volume(space: Space) -> Iterator[str]:
    """A volume of two GiB of a class named after the namespace."""
    name = f"{space.name}-pv"
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": space.name,
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": "/data"},
    }
    space.door.create(VOLUMES, {"metadata": {"name": name}, "spec": spec})
    yield name
    space.door.delete(f"{VOLUMES}/{name}")
    space.door("PATCH", f"{VOLUMES}/{name}", {"metadata": {"finalizers": None}}, "application/merge-patch+json")


def test_a_claim_binds_the_volume_that_fits(space: Space, volume: str) -> None:
    door = space.door
    door.create(space.core("persistentvolumeclaims"), claim("big", space.name, "9Gi"))
    door.create(space.core("persistentvolumeclaims"), claim("fits", space.name))
    bound = door.until(space.core("persistentvolumeclaims", "fits"), lambda c: c["status"]["phase"] == "Bound")
    assert (bound["spec"]["volumeName"], bound["status"]["capacity"], bound["status"]["accessModes"]) == (
        volume,
        {"storage": "2Gi"},
        ["ReadWriteOnce"],
    )
    assert bound["metadata"]["annotations"] == {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
    assert bound["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    held = door.get(f"{VOLUMES}/{volume}")
    assert held["status"]["phase"] == "Bound"
    assert (held["spec"]["claimRef"]["name"], held["spec"]["claimRef"]["uid"]) == ("fits", bound["metadata"]["uid"])
    assert door.get(space.core("persistentvolumeclaims", "big"))["status"] == {"phase": "Pending"}


def test_a_retained_volume_is_released_and_a_claim_without_it_is_lost(space: Space, volume: str) -> None:
    door = space.door
    door.create(space.core("persistentvolumeclaims"), claim("c", space.name))
    door.until(space.core("persistentvolumeclaims", "c"), lambda c: c["status"]["phase"] == "Bound")
    door.delete(f"{VOLUMES}/{volume}")
    held = door.get(f"{VOLUMES}/{volume}")
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    door.patch(f"{VOLUMES}/{volume}", {"metadata": {"finalizers": None}})
    lost = door.until(space.core("persistentvolumeclaims", "c"), lambda c: c["status"]["phase"] == "Lost")
    assert lost["spec"]["volumeName"] == volume
    assert space.told("c", "ClaimLost") == ["Bound claim has lost its PersistentVolume. Data on the volume is lost!"]


def test_a_deleted_claim_releases(space: Space, volume: str) -> None:
    door = space.door
    door.create(space.core("persistentvolumeclaims"), claim("c", space.name))
    door.until(space.core("persistentvolumeclaims", "c"), lambda c: c["status"]["phase"] == "Bound")
    door.delete(space.core("persistentvolumeclaims", "c"))
    door.gone(space.core("persistentvolumeclaims", "c"))
    door.until(f"{VOLUMES}/{volume}", lambda v: v["status"]["phase"] == "Released")
    door.create(space.core("persistentvolumeclaims"), claim("again", space.name))
    door.patch(f"{VOLUMES}/{volume}", {"spec": {"claimRef": None}})
    door.until(space.core("persistentvolumeclaims", "again"), lambda c: c["status"]["phase"] == "Bound")


def test_a_used_claim_is_protected(space: Space, volume: str) -> None:
    door = space.door
    door.create(space.core("persistentvolumeclaims"), claim("c", space.name))
    door.create(space.core("pods"), pod("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]))
    door.until(space.core("pods", "p"), lambda p: p["spec"].get("nodeName"))
    door.delete(space.core("persistentvolumeclaims", "c"))
    door.until(space.core("persistentvolumeclaims", "c"), lambda c: c["metadata"].get("deletionTimestamp"))
    door.delete(space.core("pods", "p"), {"gracePeriodSeconds": 0})
    door.gone(space.core("persistentvolumeclaims", "c"))


def test_a_pod_waits_for_its_claim(space: Space) -> None:
    space.door.create(space.core("persistentvolumeclaims"), claim("c", "none-such"))
    space.door.create(space.core("pods"), pod("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]))
    waiting = space.door.until(space.core("pods", "p"), lambda p: condition(p, "PodScheduled")[1] == "Unschedulable")
    count = len(space.peer.nodes)
    assert condition(waiting, "PodScheduled")[2] == f"0/{count} nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
