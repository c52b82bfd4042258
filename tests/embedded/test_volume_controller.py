"""The persistent volume controller: what binds, what waits, what is lost, in the words of Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.volumeobjects import a_class, advance, claim, make, pod_with, said, the_claim, the_volume, volume
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.volumematch import find_volume, find_volume_on
from kubepane_embedded.controllers.volumes import EXTERNAL, PersistentVolumeController
from kubepane_embedded.core import Core
from kubepane_embedded.seed import Seed

CONTROLLED = "pv.kubernetes.io/bound-by-controller"
COMPLETED = "pv.kubernetes.io/bind-completed"


@pytest.fixture
def cluster(core: Core) -> Core:
    PersistentVolumeController(core).start()
    return core


def bound_pair(core: Core) -> tuple[dict[str, Any], dict[str, Any]]:
    """A volume and a claim that found each other."""
    make(core, volume("v"))
    advance(core)
    make(core, claim("c"))
    advance(core)
    return the_volume(core, "v"), the_claim(core, "c")


def test_both_sides_say_whom_they_are_bound_to(cluster: Core) -> None:
    there, here = bound_pair(cluster)
    reference = there["spec"]["claimRef"]
    assert (reference["namespace"], reference["name"], reference["uid"]) == ("default", "c", here["metadata"]["uid"])
    assert here["spec"]["volumeName"] == "v"
    assert there["metadata"]["annotations"] == {CONTROLLED: "yes"}
    assert here["metadata"]["annotations"] == {COMPLETED: "yes", CONTROLLED: "yes"}
    assert there["status"]["phase"] == "Bound"
    assert here["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}


def test_a_bound_pair_is_written_no_more(cluster: Core) -> None:
    bound_pair(cluster)
    revision = cluster.storage.revision
    advance(cluster, 120)
    assert cluster.storage.revision == revision


def test_a_volume_that_comes_late_is_found_by_the_next_look(cluster: Core) -> None:
    make(cluster, claim("c"))
    advance(cluster, 1)
    make(cluster, volume("v"))
    advance(cluster, 1)
    assert the_claim(cluster, "c")["status"]["phase"] == "Pending"
    advance(cluster, 15)
    assert the_claim(cluster, "c")["status"]["phase"] == "Bound"


def test_a_default_class_that_comes_late_is_given_to_a_claim_without(cluster: Core) -> None:
    make(cluster, claim("late", storage_class=None), claim("none", storage_class=""))
    advance(cluster, 1)
    mark = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    make(cluster, a_class("std", "example.com/p", metadata=mark))
    advance(cluster, 16)
    assert the_claim(cluster, "late")["spec"]["storageClassName"] == "std"
    assert ("Normal", "ExternalProvisioning", EXTERNAL.format("example.com/p")) in said(cluster, "late")
    assert the_claim(cluster, "none")["spec"]["storageClassName"] == ""


def test_events_of_a_waiting_claim_are_counted(cluster: Core) -> None:
    make(cluster, claim("c"))
    advance(cluster, 46)
    assert [(event["reason"], event["count"]) for event in cluster.storage.objects("events")] == [("FailedBinding", 4)]


def test_the_pods_that_wait_with_the_claim_are_named(cluster: Core) -> None:
    make(cluster, a_class("wait", "example.com/p", waits=True), claim("c", storage_class="wait"))
    advance(cluster, 1)
    make(cluster, pod_with("a", "c"), pod_with("b", "c"))
    advance(cluster, 15)
    texts = [message for _, _, message in said(cluster, "c")]
    assert texts == ["waiting for first consumer to be created before binding", "waiting for pods a,b to be scheduled"]


def test_only_the_scheduler_binds_free_volumes_of_a_class_that_waits(cluster: Core) -> None:
    make(cluster, a_class("wait", "example.com/p", waits=True), volume("free", "1Gi", "wait"), claim("c", storage_class="wait"))
    advance(cluster, 20)
    assert the_claim(cluster, "c")["status"]["phase"] == "Pending"
    reference = {"namespace": "default", "name": "c"}
    cluster.client("kube-scheduler").patch("persistentvolumes", "", "free", {"spec": {"claimRef": reference}})
    advance(cluster, 20)
    assert the_claim(cluster, "c")["spec"]["volumeName"] == "free"


def test_a_claim_made_again_at_once_does_not_get_the_old_volume(cluster: Core) -> None:
    bound_pair(cluster)
    client = cluster.client("test")
    client.delete("persistentvolumeclaims", "default", "c")
    client.patch("persistentvolumeclaims", "default", "c", {"metadata": {"finalizers": None}})
    make(cluster, claim("c"))
    advance(cluster, 20)
    assert the_volume(cluster, "v")["status"]["phase"] == "Released"
    assert the_claim(cluster, "c")["status"]["phase"] == "Pending"


def test_two_claims_never_share_a_volume(cluster: Core) -> None:
    make(cluster, volume("v"))
    advance(cluster)
    make(cluster, claim("a"), claim("b"))
    advance(cluster, 60)
    phases = [the_claim(cluster, name)["status"]["phase"] for name in "ab"]
    assert sorted(phases) == ["Bound", "Pending"]


def test_a_claim_bound_to_anothers_volume_is_lost(cluster: Core) -> None:
    there, _ = bound_pair(cluster)
    wrong = {**there["spec"]["claimRef"], "name": "other", "uid": "another"}
    cluster.client("test").patch("persistentvolumes", "", "v", {"spec": {"claimRef": wrong}})
    cluster.client("test").patch("persistentvolumeclaims", "default", "c", {"metadata": {"labels": {"look": "again"}}})
    advance(cluster, 1)
    assert the_claim(cluster, "c")["status"] == {"phase": "Lost"}
    assert said(cluster, "c")[-1][1] == "ClaimMisbound"


def test_the_size_of_a_bound_claim_is_left_to_whoever_resizes_it(cluster: Core) -> None:
    bound_pair(cluster)
    cluster.client("resizer").patch("persistentvolumes", "", "v", {"spec": {"capacity": {"storage": "2Gi"}}})
    advance(cluster, 20)
    assert the_claim(cluster, "c")["status"]["capacity"] == {"storage": "1Gi"}


def test_a_volume_whose_claim_took_another_is_free_again(cluster: Core) -> None:
    there, here = bound_pair(cluster)
    reference = there["spec"]["claimRef"]
    make(cluster, volume("kept", claimRef=reference))
    again = volume("freed", claimRef=reference)
    again["metadata"]["annotations"] = {CONTROLLED: "yes"}
    make(cluster, again)
    advance(cluster, 1)
    assert here["spec"]["volumeName"] == "v"
    kept, freed = the_volume(cluster, "kept"), the_volume(cluster, "freed")
    assert kept["spec"]["claimRef"].keys() == reference.keys() - {"uid"}
    assert "claimRef" not in freed["spec"]
    assert "annotations" not in freed["metadata"] or CONTROLLED not in freed["metadata"]["annotations"]
    assert (kept["status"]["phase"], freed["status"]["phase"]) == ("Available", "Available")


def test_a_volume_that_cannot_be_deleted_is_told_once(cluster: Core) -> None:
    make(cluster, volume("v", persistentVolumeReclaimPolicy="Delete"))
    advance(cluster)
    make(cluster, claim("c"))
    advance(cluster, 1)
    cluster.client("test").delete("persistentvolumeclaims", "default", "c")
    cluster.client("test").patch("persistentvolumeclaims", "default", "c", {"metadata": {"finalizers": None}})
    advance(cluster, 60)
    assert [event["count"] for event in cluster.storage.objects("events") if event["reason"] == "VolumeFailedDelete"] == [1]


NODES = {"a": {"kubernetes.io/hostname": "a"}, "b": {"kubernetes.io/hostname": "b"}}


def test_a_scheduler_is_given_volumes_of_its_node_only() -> None:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}
    there = volume("v", nodeAffinity={"required": {"nodeSelectorTerms": [term]}}) | {"status": {"phase": "Available"}}
    wanted = claim("c")
    assert find_volume_on(wanted, [there], {"metadata": {"labels": NODES["a"]}}) is None
    assert find_volume_on(wanted, [there], {"metadata": {"labels": NODES["b"]}}) is there


SIZES = st.sampled_from(["500Mi", "1Gi", "1500M", "2Gi", "1Ti"])
NAMES = st.sampled_from(["", "a", "b"])
ACCESS = st.lists(st.sampled_from(["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"]), min_size=1, max_size=3, unique=True)
KINDS = st.sampled_from(["Filesystem", "Block", None])


@st.composite
def volumes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some volumes, a few of them kept for a claim by name."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        kept = draw(st.sampled_from([None, None, None, "c0", "c1"]))
        more: dict[str, Any] = {"claimRef": {"namespace": "default", "name": kept}} if kept else {}
        mode = draw(KINDS)
        more |= {"volumeMode": mode} if mode else {}
        found.append(volume(f"v{number}", draw(SIZES), draw(NAMES), accessModes=draw(ACCESS), **more))
    return found


@st.composite
def claims(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some claims."""
    found = []
    for number in range(draw(st.integers(0, 4))):
        mode = draw(KINDS)
        found.append(claim(f"c{number}", draw(SIZES), draw(NAMES), accessModes=draw(ACCESS), **({"volumeMode": mode} if mode else {})))
    return found


BYTES = {"500Mi": 500 << 20, "1Gi": 1 << 30, "1500M": 1500 * 10**6, "2Gi": 2 << 30, "1Ti": 1 << 40}


def size(obj: dict[str, Any]) -> int:
    """Bytes asked for or offered, counted without the code under test."""
    spec = obj["spec"]
    return BYTES[(spec.get("capacity") or spec["resources"]["requests"])["storage"]]


def fits(there: dict[str, Any], here: dict[str, Any]) -> bool:
    """What must hold for any bound pair."""
    modes = set(here["spec"]["accessModes"]) <= set(there["spec"]["accessModes"])
    kinds = (here["spec"].get("volumeMode") or "Filesystem") == (there["spec"].get("volumeMode") or "Filesystem")
    return modes and kinds and size(there) >= size(here)


@settings(max_examples=150, deadline=None)
@given(volumes(), claims())
def test_whatever_binds_fits_and_is_bound_on_both_sides(offered: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    core = Core(VirtualClock(), Seed(1))
    PersistentVolumeController(core).start()
    make(core, *offered)
    advance(core)
    make(core, *wanted)
    advance(core, 40)
    stored = {obj["metadata"]["name"]: obj for obj in core.storage.objects("persistentvolumes")}
    taken = []
    for here in core.storage.objects("persistentvolumeclaims"):
        name = here["spec"].get("volumeName")
        if name is None:
            assert here["status"] == {"phase": "Pending"}
            continue
        there = stored[name]
        taken.append(name)
        assert there["spec"]["claimRef"]["uid"] == here["metadata"]["uid"]
        assert (there["status"]["phase"], here["status"]["phase"]) == ("Bound", "Bound")
        assert fits(there, here)
        kept = next(one for one in offered if one["metadata"]["name"] == name)["spec"].get("claimRef")
        assert kept or there["spec"].get("storageClassName", "") == here["spec"]["storageClassName"]
    assert len(taken) == len(set(taken))


@settings(max_examples=200, deadline=None)
@given(volumes(), claims())
def test_the_smallest_of_the_fewest_modes_is_taken(offered: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    for here in wanted:
        free = [{**one, "status": {"phase": "Available"}} for one in offered if not one["spec"].get("claimRef")]
        found = find_volume(here, free, waits=False)
        fitting = [one for one in free if fits(one, here) and one["spec"]["storageClassName"] == here["spec"]["storageClassName"]]
        assert (found is None) == (not fitting)
        if found is not None:
            fewest = min(len(one["spec"]["accessModes"]) for one in fitting)
            assert len(found["spec"]["accessModes"]) == fewest
            same = [one for one in fitting if set(one["spec"]["accessModes"]) == set(found["spec"]["accessModes"])]
            assert size(found) == min(map(size, same))
