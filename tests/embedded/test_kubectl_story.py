"""The story by unmodified kubectl alone, on the assembled cluster and a virtual clock: every chapter from its trouble to its cure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from embedded.test_kubectl import Kubectl
from embedded.wholecluster import MANIFESTS, words
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
HERE = "--namespace=chatapp"
WEB = "app.kubernetes.io/name=chatapp"
WORKERS = ("nodes", "-l", "!node-role.kubernetes.io/control-plane")
UNTOLERATED = (
    "0/4 nodes are available: 4 node(s) had untolerated taint(s). no new claims to deallocate, "
    "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
)


class Story:
    """kubectl, and the time of the cluster that it speaks to."""

    def __init__(self, served: ServedCluster, kubectl: Kubectl) -> None:
        self.served = served
        self.kubectl = kubectl

    def run(self, seconds: float) -> None:
        self.served.advance(seconds)

    def apply(self, name: str) -> str:
        return self.kubectl("apply", "-k", str(MANIFESTS / name))

    def pods(self) -> dict[str, tuple[str, str]]:
        """Name → (ready, status) of ChatApp's pods."""
        rows = words(self.kubectl("get", "pods", HERE, "-l", WEB))
        return {row[0]: (row[1], row[2]) for row in rows}

    def statuses(self) -> list[str]:
        return sorted(status for _, status in self.pods().values())

    def healthy(self) -> bool:
        return "successfully rolled out" in self.kubectl("rollout", HERE, "status", "deployment/chatapp", "--timeout=1s")


@pytest.fixture
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    path = tmp_path_factory.mktemp("story") / "kubeconfig"
    with ServedCluster(seeded(Wanted(story=True, kubeconfig=path), VirtualClock())) as served:
        yield Story(served, Kubectl(path))


def test_taint_pending_toleration(story: Story) -> None:
    assert story.kubectl("taint", *WORKERS, "dedicated=chatapp:NoSchedule").count("tainted") == 3
    assert story.statuses() == ["Running", "Running"], "a NoSchedule taint leaves what runs alone"
    story.apply("faults/tainted")
    story.run(20)
    assert story.statuses() == ["Pending", "Pending"]
    name = next(iter(story.pods()))
    assert f"FailedScheduling   Pod/{name}   {UNTOLERATED}" in story.kubectl("events", HERE, "--for", f"pod/{name}")
    assert "0/2" in story.kubectl("get", "deployment", "chatapp", HERE)
    story.apply("tolerations")
    story.run(30)
    assert story.healthy()
    assert story.statuses() == ["Running", "Running"]
    assert story.kubectl("taint", *WORKERS, "dedicated-").count("untainted") == 3


def test_load_scales_up_in_steps_and_down_after_stabilisation(story: Story) -> None:
    kubectl = story.kubectl
    story.run(400)
    assert len(story.pods()) == 1, "an idle HPA goes down to its least"
    story.apply("load")
    sizes: list[int] = []
    for _ in range(12):
        story.run(15)
        sizes.append(int(kubectl("get", "hpa", "chatapp", HERE, "-o", "jsonpath={.status.desiredReplicas}")))
    assert sizes == sorted(sizes)
    assert sizes[-1] == 4
    above = "reason: cpu resource utilization (percentage of request) above target"
    assert above in kubectl("events", HERE, "--for", "hpa/chatapp")
    assert story.statuses() == ["Running"] * 4
    assert len(words(kubectl("top", "pods", HERE, "-l", WEB))) == 4
    told = kubectl("describe", "hpa", "chatapp", HERE)
    assert "ScalingLimited  True    TooManyReplicas   the desired replica count is more than the maximum replica count" in told
    kubectl("delete", "job", "chatapp-load", HERE)
    story.run(120)
    assert len(story.pods()) == 4
    assert "ScaleDownStabilized" in kubectl("describe", "hpa", "chatapp", HERE)
    story.run(360)
    assert len(story.pods()) == 1
    assert "New size: 1; reason: All metrics below target" in kubectl("events", HERE, "--for", "hpa/chatapp")


def test_claim_is_bound_from_both_sides(story: Story) -> None:
    claim = json.loads(story.kubectl("get", "pvc", "data-mysql-0", HERE, "-o", "json"))
    volume = json.loads(story.kubectl("get", "pv", "mysql-pv", "-o", "json"))
    assert (claim["spec"]["volumeName"], claim["status"]["phase"]) == ("mysql-pv", "Bound")
    assert volume["status"]["phase"] == "Bound"
    assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
    assert "Used By:       mysql-0" in story.kubectl("describe", "pvc", "data-mysql-0", HERE)


def test_claim_without_a_volume_waits_for_one(story: Story) -> None:
    kubectl = story.kubectl
    kubectl("delete", "statefulset", "mysql", HERE, "--wait=false")
    story.run(60)
    assert kubectl("get", "pvc", HERE, "-o", "name") == "", "its claims go with it: persistentVolumeClaimRetentionPolicy"
    kubectl("delete", "pv", "mysql-pv", "--wait=false")
    story.run(10)
    story.apply("faults/unbound-claim")
    story.run(30)
    assert "Pending" in kubectl("get", "pvc", "data-mysql-0", HERE)
    assert 'storageclass.storage.k8s.io "manual" not found' in kubectl("describe", "pvc", "data-mysql-0", HERE)
    assert "pod has unbound immediate PersistentVolumeClaims" in kubectl("describe", "pod", "mysql-0", HERE)
    story.apply("mysql")
    story.run(60)
    assert words(kubectl("get", "pvc", HERE))[0][:3] == ["data-mysql-0", "Bound", "mysql-pv"]
    assert "1/1" in kubectl("get", "pod", "mysql-0", HERE)


def test_bad_image_stalls_and_is_undone(story: Story) -> None:
    before = set(story.pods())
    story.apply("faults/bad-image")
    story.run(60)
    pods = story.pods()
    assert before < set(pods)
    (bad,) = set(pods) - before
    assert pods[bad] == ("0/1", "ImagePullBackOff")
    assert 'Failed to pull image "mrsinghdocker/chatap:k8s"' in story.kubectl("describe", "pod", bad, HERE)
    stuck = story.kubectl.run("rollout", HERE, "status", "deployment/chatapp", "--timeout=1s")
    assert "1 out of 2 new replicas have been updated" in stuck.stdout
    story.run(800)
    late = story.kubectl.run("rollout", HERE, "status", "deployment/chatapp", "--timeout=1s")
    assert 'error: deployment "chatapp" exceeded its progress deadline' in late.stderr
    assert "rolled back" in story.kubectl("rollout", HERE, "undo", "deployment/chatapp")
    story.run(30)
    assert story.healthy()
    assert bad not in story.pods()
    assert set(story.pods()) & before


def test_missing_key_and_its_cure(story: Story) -> None:
    before = set(story.pods())
    story.apply("faults/missing-secret-key")
    story.run(30)
    (bad,) = set(story.pods()) - before
    assert story.pods()[bad] == ("0/1", "CreateContainerConfigError")
    assert "couldn't find key passwd in Secret chatapp/mysql-secret" in story.kubectl("describe", "pod", bad, HERE)
    story.apply("chatapp")
    story.run(30)
    assert story.healthy()
    assert "CreateContainerConfigError" not in story.statuses()
