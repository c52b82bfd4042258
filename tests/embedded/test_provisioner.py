"""Dynamic provisioning as Kind's local-path provisioner does it, on time, late, or not at all."""

from __future__ import annotations

import re
from typing import Any

import pytest

from embedded.volumeobjects import a_class, advance, claim, make, said, the_claim, the_volume
from kubepane_embedded.controllers.protection import ClaimProtection, VolumeProtection
from kubepane_embedded.controllers.provisioner import ExternalProvisioner
from kubepane_embedded.controllers.volumes import PersistentVolumeController
from kubepane_embedded.core import Core
from kubepane_embedded.nodes import add_nodes

LOCAL = "rancher.io/local-path"
NODE = "kubepane-worker"


@pytest.fixture
def cluster(core: Core) -> Core:
    for part in (PersistentVolumeController, ExternalProvisioner, ClaimProtection, VolumeProtection):
        part(core).start()
    add_nodes(core, 2)
    make(core, a_class("standard", LOCAL, waits=True, reclaimPolicy="Delete"))
    return core


def choose(core: Core, name: str = "c", node: str = NODE) -> None:
    """What the scheduler says once it has placed a pod."""
    patch = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": node}}}
    core.client("kube-scheduler").patch("persistentvolumeclaims", "default", name, patch)


def made(core: Core, name: str = "c") -> dict[str, Any]:
    """The volume that was made for a claim."""
    return the_volume(core, f"pvc-{the_claim(core, name)['metadata']['uid']}")


def reasons(core: Core, name: str = "c") -> list[str]:
    """Reasons of the events about an object."""
    return [reason for _, reason, _ in said(core, name)]


def test_nothing_is_made_before_a_node_is_chosen(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    advance(cluster, 60)
    assert reasons(cluster) == ["WaitForFirstConsumer"]
    assert not cluster.storage.count("persistentvolumes")


def test_a_volume_on_the_chosen_node(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    advance(cluster, 1)
    choose(cluster)
    advance(cluster, 5)
    here, there = the_claim(cluster, "c"), made(cluster)
    uid = here["metadata"]["uid"]
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}
    assert there["spec"]["nodeAffinity"] == {"required": {"nodeSelectorTerms": [term]}}
    assert there["spec"]["hostPath"] == {"path": f"/var/local-path-provisioner/pvc-{uid}_default_c", "type": "DirectoryOrCreate"}
    assert there["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert there["metadata"]["annotations"] == {"local.path.provisioner/selected-node": NODE, "pv.kubernetes.io/provisioned-by": LOCAL}
    assert there["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert (there["status"]["phase"], here["status"]["phase"], here["spec"]["volumeName"]) == ("Bound", "Bound", there["metadata"]["name"])
    assert set(here["metadata"]["annotations"]) == {
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-provisioner",
    }


def test_what_is_said_while_a_volume_is_made(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    choose(cluster)
    advance(cluster, 5)
    name = made(cluster)["metadata"]["name"]
    texts = {reason: text for _, reason, text in said(cluster, "c")}
    assert texts["Provisioning"] == 'External provisioner is provisioning volume for claim "default/c"'
    assert texts["ProvisioningSucceeded"] == f"Successfully provisioned volume {name}"
    assert texts["ExternalProvisioning"].startswith(f"Waiting for a volume to be created either by the external provisioner '{LOCAL}' or")
    source = next(event["source"]["component"] for event in cluster.storage.objects("events") if event["reason"] == "Provisioning")
    assert re.fullmatch(rf"{LOCAL}_local-path-provisioner_[0-9a-f-]{{36}}", source)


def test_a_class_without_reclaim_policy_keeps_to_the_default(cluster: Core) -> None:
    make(cluster, a_class("fast", "k8s.io/minikube-hostpath"), claim("c", storage_class="fast"))
    advance(cluster, 5)
    assert made(cluster)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert made(cluster)["spec"]["hostPath"]["path"] == "/tmp/hostpath-provisioner/default/c"
    assert "nodeAffinity" not in made(cluster)["spec"]


def test_local_path_needs_a_node(cluster: Core) -> None:
    make(cluster, a_class("hasty", LOCAL), claim("c", storage_class="hasty"))
    advance(cluster, 5)
    why = 'failed to provision volume with StorageClass "hasty": configuration error, no node was specified'
    assert ("Warning", "ProvisioningFailed", why) in said(cluster, "c")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"selector": {"matchLabels": {"a": "b"}}}, "claim.Spec.Selector is not supported"),
        ({"accessModes": ["ReadWriteMany"]}, "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes"),
    ],
)
def test_what_local_path_cannot_do(cluster: Core, spec: dict[str, Any], why: str) -> None:
    make(cluster, claim("c", storage_class="standard", **spec))
    choose(cluster)
    advance(cluster, 5)
    assert ("Warning", "ProvisioningFailed", f'failed to provision volume with StorageClass "standard": {why}') in said(cluster, "c")


def test_a_raw_device_is_refused_and_not_tried_again(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard", volumeMode="Block"))
    choose(cluster)
    advance(cluster, 100)
    failed = [event for event in cluster.storage.objects("events") if event["reason"] == "ProvisioningFailed"]
    assert [(event["message"], event["count"]) for event in failed] == [(f"{LOCAL} does not support block volume provisioning", 1)]


def test_a_node_that_does_not_exist_is_chosen_again(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    choose(cluster, node="gone")
    advance(cluster, 60)
    assert ("Warning", "ProvisioningFailed", 'nodes "gone" not found') in said(cluster, "c")
    assert "Provisioning" not in reasons(cluster)
    assert "volume.kubernetes.io/selected-node" not in the_claim(cluster, "c")["metadata"]["annotations"]


def test_the_volume_goes_with_its_claim(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    choose(cluster)
    advance(cluster, 5)
    name = made(cluster)["metadata"]["name"]
    cluster.client("test").delete("persistentvolumeclaims", "default", "c")
    advance(cluster, 1)
    assert the_volume(cluster, name)["status"]["phase"] == "Released"
    advance(cluster, 5)
    assert not cluster.storage.count("persistentvolumes")


def test_a_volume_that_is_to_be_kept_stays(cluster: Core) -> None:
    make(cluster, a_class("kept", LOCAL, waits=True, reclaimPolicy="Retain"), claim("c", storage_class="kept"))
    choose(cluster)
    advance(cluster, 5)
    name = made(cluster)["metadata"]["name"]
    cluster.client("test").delete("persistentvolumeclaims", "default", "c")
    advance(cluster, 60)
    assert the_volume(cluster, name)["status"]["phase"] == "Released"


def test_a_claim_deleted_meanwhile_gets_no_volume(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    choose(cluster)
    advance(cluster, 0.5)
    cluster.client("test").delete("persistentvolumeclaims", "default", "c")
    advance(cluster, 30)
    assert not cluster.storage.count("persistentvolumes")


def test_failing_on_purpose_is_tried_again_until_it_is_taken_back(cluster: Core) -> None:
    make(cluster, claim("c", storage_class="standard"))
    cluster.client("test").patch("persistentvolumeclaims", "default", "c", {"metadata": {"annotations": {"sim.kubepane.io/provision": "fail"}}})
    choose(cluster)
    advance(cluster, 60)
    failed = next(event for event in cluster.storage.objects("events") if event["reason"] == "ProvisioningFailed")
    assert failed["count"] == 3
    assert failed["message"].endswith("asked to fail by annotation sim.kubepane.io/provision")
    cluster.client("test").patch("persistentvolumeclaims", "default", "c", {"metadata": {"annotations": {"sim.kubepane.io/provision": None}}})
    advance(cluster, 70)
    assert the_claim(cluster, "c")["status"]["phase"] == "Bound"


def test_a_provisioner_that_is_down_says_nothing_until_it_is_back(cluster: Core) -> None:
    classes = "storageclasses.storage.k8s.io"
    cluster.client("test").patch(classes, "", "standard", {"metadata": {"annotations": {"sim.kubepane.io/provision": "never"}}})
    make(cluster, claim("c", storage_class="standard"))
    choose(cluster)
    advance(cluster, 60)
    assert reasons(cluster) == ["ExternalProvisioning"]
    cluster.client("test").patch(classes, "", "standard", {"metadata": {"annotations": {"sim.kubepane.io/provision": None}}})
    advance(cluster, 5)
    assert the_claim(cluster, "c")["status"]["phase"] == "Bound"


def test_a_provisioner_nobody_knows_is_silent(cluster: Core) -> None:
    make(cluster, a_class("odd", "example.com/disks"), claim("c", storage_class="odd"))
    advance(cluster, 120)
    assert reasons(cluster) == ["ExternalProvisioning"]
    assert the_claim(cluster, "c")["status"] == {"phase": "Pending"}
