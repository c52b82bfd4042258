"""Unmodified kubectl against StatefulSets, DaemonSets, Jobs and CronJobs of a served cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from embedded.fakekubelet import FakeKubelet
from embedded.test_kubectl import KUBECTL, Kubectl
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.controllers.cronjobs import CronJobController
from kubepane_embedded.controllers.daemonset_facts import target_of
from kubepane_embedded.controllers.daemonsets import DaemonSetController
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.job_ttl import TtlAfterFinishedController
from kubepane_embedded.controllers.jobs import JobController
from kubepane_embedded.controllers.statefulsets import StatefulSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, is_deleting, key_of, labels_of
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.parts import Parts
from kubepane_embedded.podfacts import node_of, phase
from kubepane_embedded.workqueue import WorkQueue

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
MANIFESTS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: "db:1"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: c, image: "log:1"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1"}]}}}
"""


class WillingNodes:
    """Binds every pod where it wants to be, runs it at once, ends those of Jobs, and takes deleted ones out.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kubelet = FakeKubelet(core)
        self._queue = WorkQueue(core.clock, self._look, "willing nodes")

    def start(self) -> None:
        """Follow pods."""
        self._core.storage.subscribe("pods", self._queue.add)

    def _look(self, key: Key) -> None:
        pod = self._core.storage.read("pods", *key)
        if pod is None:
            return
        namespace, name = key_of(pod)
        if is_deleting(pod):
            self._kubelet.client.delete("pods", namespace, name, grace=0)
        elif not node_of(pod):
            self._kubelet.bind(name, target_of(pod) or "kubepane-worker", namespace)
        elif phase(pod) == "Pending" and "job-name" in labels_of(pod):
            self._kubelet.client.patch_status("pods", namespace, name, {"phase": "Succeeded"})
        elif phase(pod) == "Pending":
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": self._core.clock.stamp()}
            self._kubelet.client.patch_status("pods", namespace, name, {"phase": "Running", "conditions": [ready]})


def workloads(core: Core) -> Parts:
    kinds = (StatefulSetController, DaemonSetController, JobController, TtlAfterFinishedController, CronJobController, GarbageCollector)
    return Parts([WillingNodes(core), *(kind(core) for kind in kinds)])


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    path = tmp_path_factory.mktemp("workloads") / "kubeconfig"
    cluster = EmbeddedCluster(kubeconfig=path, parts=workloads)
    add_nodes(cluster.core, 3)
    with ServedCluster(cluster):
        kubectl = Kubectl(path)
        kubectl("apply", "-f", "-", stdin=MANIFESTS)
        yield kubectl


@pytest.mark.parametrize(("workload", "pods"), [("statefulset/db", 2), ("daemonset/log", 3)])
def test_a_rollout_forth_and_back(kubectl: Kubectl, workload: str, pods: int) -> None:
    app = workload.partition("/")[2]
    kubectl("rollout", "status", workload, "--timeout=20s")
    image = ("get", "pods", "-l", f"app={app}", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert kubectl(*image) == " ".join([f"{app}:1"] * pods)
    kubectl("set", "image", workload, f"c={app}:2")
    assert "roll" in kubectl("rollout", "status", workload, "--timeout=20s")
    assert kubectl(*image) == " ".join([f"{app}:2"] * pods)
    assert re.findall(r"^(\d+) ", kubectl("rollout", "history", workload), re.MULTILINE) == ["1", "2"]
    assert f"{app}:1" in kubectl("rollout", "history", workload, "--revision=1")
    kubectl("rollout", "undo", workload)
    kubectl("rollout", "status", workload, "--timeout=20s")
    assert kubectl(*image) == " ".join([f"{app}:1"] * pods)
    assert re.findall(r"^(\d+) ", kubectl("rollout", "history", workload), re.MULTILINE) == ["2", "3"]
    kubectl("rollout", "restart", workload)
    kubectl("rollout", "status", workload, "--timeout=20s")
    restarted = "jsonpath={.items[*].metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}"
    assert len(kubectl("get", "pods", "-l", f"app={app}", "-o", restarted).split()) == pods


def test_describe_and_get(kubectl: Kubectl) -> None:
    kubectl("rollout", "status", "statefulset/db", "--timeout=20s")
    text = kubectl("describe", "statefulset", "db")
    assert "Pods Status:        2 Running / 0 Waiting / 0 Succeeded / 0 Failed" in text
    assert re.search(r"Normal +SuccessfulCreate .* statefulset-controller +Create Claim data-db-0 Pod db-0 in StatefulSet db success", text)
    assert "data-db-1" in kubectl("get", "pvc", "-o", "name")
    text = kubectl("describe", "daemonset", "log")
    assert "Number of Nodes Scheduled with Available Pods: 3" in text
    assert re.search(r"daemonset-controller +Created pod: log-", text)
    assert kubectl("get", "daemonset", "log", "--no-headers").split()[1:6] == ["3"] * 5
    assert kubectl("get", "statefulset", "db", "--no-headers").split()[:2] == ["db", "2/2"]


def test_a_job_of_a_cronjob(kubectl: Kubectl) -> None:
    kubectl("create", "job", "--from=cronjob/tick", "now")
    assert "condition met" in kubectl("wait", "--for=condition=complete", "job/now", "--timeout=20s")
    assert kubectl("get", "job", "now", "--no-headers").split()[:3] == ["now", "Complete", "1/1"]
    text = kubectl("describe", "job", "now")
    assert "Pods Statuses:    0 Active (0 Ready) / 1 Succeeded / 0 Failed" in text
    assert re.search(r"Normal +Completed .* job-controller +Job completed", text)
    text = kubectl("describe", "cronjob", "tick")
    assert "Saw a job that the controller did not create or forgot: now" in text
    assert re.search(r"Active Jobs: +<none>", text)
    kubectl("delete", "job", "now")
    assert kubectl("get", "pods", "-l", "job-name=now", "-o", "name") == ""


def test_a_cronjob_suspended_and_deleted(kubectl: Kubectl) -> None:
    kubectl("create", "cronjob", "gone", "--image=busybox:1", "--schedule=*/5 * * * *")
    kubectl("patch", "cronjob", "gone", "-p", '{"spec": {"suspend": true}}')
    assert kubectl("get", "cronjob", "gone", "--no-headers").split()[:9] == ["gone", "*/5", "*", "*", "*", "*", "<none>", "True", "0"]
    kubectl("delete", "cronjob", "gone")


def test_scaling_a_statefulset(kubectl: Kubectl) -> None:
    kubectl("scale", "statefulset", "db", "--replicas=3")
    kubectl("rollout", "status", "statefulset/db", "--timeout=20s")
    assert kubectl("get", "pods", "-l", "app=db", "-o", "name").split() == ["pod/db-0", "pod/db-1", "pod/db-2"]
    kubectl("scale", "statefulset", "db", "--replicas=1")
    kubectl("wait", "--for=delete", "pod/db-1", "--timeout=20s")
    assert kubectl("get", "pods", "-l", "app=db", "-o", "name").split() == ["pod/db-0"]
