"""Claims in use and bound volumes stay until nobody needs them."""

from __future__ import annotations

import pytest

from embedded.volumeobjects import advance, claim, make, pod_with, the_claim, the_volume, volume
from kubepane_embedded.controllers.protection import ClaimProtection, VolumeProtection
from kubepane_embedded.controllers.volumes import PersistentVolumeController
from kubepane_embedded.core import Core


@pytest.fixture
def cluster(core: Core) -> Core:
    for part in (PersistentVolumeController, ClaimProtection, VolumeProtection):
        part(core).start()
    make(core, volume("v"))
    advance(core)
    make(core, claim("c"))
    advance(core)
    return core


def delete_claim(core: Core) -> None:
    core.client("test").delete("persistentvolumeclaims", "default", "c")
    advance(core, 1)


def is_there(core: Core, resource: str, namespace: str, name: str) -> bool:
    return core.storage.read(resource, namespace, name) is not None


def test_a_claim_nobody_uses_goes_at_once(cluster: Core) -> None:
    delete_claim(cluster)
    assert not is_there(cluster, "persistentvolumeclaims", "default", "c")
    assert the_volume(cluster, "v")["status"]["phase"] == "Released"


def test_a_claim_in_use_stays_until_its_last_pod_is_gone(cluster: Core) -> None:
    make(cluster, pod_with("a", "c", "n"), pod_with("b", "c", "n"))
    delete_claim(cluster)
    for name in ("a", "b"):
        assert the_claim(cluster, "c")["metadata"]["deletionTimestamp"]
        cluster.client("test").delete("pods", "default", name, grace=0)
        advance(cluster, 1)
    assert not is_there(cluster, "persistentvolumeclaims", "default", "c")


def test_a_pod_that_is_not_placed_does_not_count(cluster: Core) -> None:
    make(cluster, pod_with("a", "c"))
    delete_claim(cluster)
    assert not is_there(cluster, "persistentvolumeclaims", "default", "c")


def test_a_bound_volume_stays_until_it_is_released(cluster: Core) -> None:
    cluster.client("test").delete("persistentvolumes", "", "v")
    advance(cluster, 30)
    assert the_volume(cluster, "v")["metadata"]["deletionTimestamp"]
    delete_claim(cluster)
    assert not is_there(cluster, "persistentvolumes", "", "v")


def test_a_finalizer_that_is_missing_is_put_back(cluster: Core) -> None:
    cluster.client("test").patch("persistentvolumeclaims", "default", "c", {"metadata": {"finalizers": ["example.com/mine"]}})
    advance(cluster, 1)
    assert the_claim(cluster, "c")["metadata"]["finalizers"] == ["example.com/mine", "kubernetes.io/pvc-protection"]
    delete_claim(cluster)
    assert the_claim(cluster, "c")["metadata"]["finalizers"] == ["example.com/mine"]
