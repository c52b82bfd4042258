"""Unmodified kubectl rolls Deployments out, back, on and on hold, on a served cluster with the two controllers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from embedded.test_kubectl import Kubectl
from embedded.timedkubelet import TimedKubelet
from kubepane_embedded.clock import PacedClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.parts import Parts

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
SPEED = 20.0


def assembly(core: Core) -> Parts:
    never = "nginx:broken"
    kubelet = TimedKubelet(core, ready=lambda pod: None if pod["spec"]["containers"][0]["image"] == never else 1.0)
    return Parts([ReplicaSetController(core), DeploymentController(core), kubelet])


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    path = tmp_path_factory.mktemp("rollout") / "kubeconfig"
    cluster = EmbeddedCluster(PacedClock(SPEED), kubeconfig=path, parts=assembly)
    add_nodes(cluster.core, 3)
    with ServedCluster(cluster):
        yield Kubectl(path)


@pytest.fixture
def web(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """A namespace with a Deployment `web` that has been rolled out."""
    name = f"--namespace={request.node.name.replace('_', '-')[:40].strip('-')}"
    kubectl("create", "namespace", name.partition("=")[2])
    kubectl(name, "create", "deployment", "web", "--image=nginx:1", "--replicas=3")
    kubectl(name, "rollout", "status", "deployment/web", "--timeout=30s")
    return name


def test_set_image_status_history_undo(kubectl: Kubectl, web: str) -> None:
    assert "deployment.apps/web image updated" in kubectl(web, "set", "image", "deployment/web", "nginx=nginx:2")
    status = kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    assert 'deployment "web" successfully rolled out' in status
    kubectl(web, "annotate", "deployment/web", "kubernetes.io/change-cause=to 2")
    history = kubectl(web, "rollout", "history", "deployment/web")
    assert [line.split() for line in history.splitlines()[2:] if line] == [["1", "<none>"], ["2", "to", "2"]]
    assert "Image:\tnginx:1" in kubectl(web, "rollout", "history", "deployment/web", "--revision=1")
    assert "deployment.apps/web rolled back" in kubectl(web, "rollout", "undo", "deployment/web")
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    history = kubectl(web, "rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]
    assert "nginx:1" in kubectl(web, "get", "deployment", "web", "-o", "wide")
    assert "deployment.apps/web rolled back" in kubectl(web, "rollout", "undo", "deployment/web", "--to-revision=2")
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    assert "nginx:2" in kubectl(web, "get", "deployment", "web", "-o", "wide")
    assert "no rollout history" not in kubectl(web, "rollout", "history", "deployment/web")


def test_pause_resume_restart(kubectl: Kubectl, web: str) -> None:
    assert "deployment.apps/web paused" in kubectl(web, "rollout", "pause", "deployment/web")
    kubectl(web, "set", "image", "deployment/web", "nginx=nginx:2")
    assert "Progressing    Unknown  DeploymentPaused" in kubectl(web, "describe", "deployment", "web")
    assert "no rollout history found" in kubectl.fails(web, "rollout", "undo", "deployment/web")
    assert "can't restart paused deployment" in kubectl.fails(web, "rollout", "restart", "deployment/web")
    assert len(json.loads(kubectl(web, "get", "rs", "-o", "json"))["items"]) == 1
    assert "deployment.apps/web resumed" in kubectl(web, "rollout", "resume", "deployment/web")
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    kubectl(web, "rollout", "pause", "deployment/web")
    assert "cannot rollback a paused deployment" in kubectl.fails(web, "rollout", "undo", "deployment/web")
    kubectl(web, "rollout", "resume", "deployment/web")
    assert "deployment.apps/web restarted" in kubectl(web, "rollout", "restart", "deployment/web")
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    sets = json.loads(kubectl(web, "get", "rs", "-o", "json"))["items"]
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 0, 3]
    newest = next(one for one in sets if one["spec"]["replicas"])
    assert "kubectl.kubernetes.io/restartedAt" in newest["spec"]["template"]["metadata"]["annotations"]


def test_scale_and_describe(kubectl: Kubectl, web: str) -> None:
    assert "deployment.apps/web scaled" in kubectl(web, "scale", "deployment/web", "--replicas=5")
    kubectl(web, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=5", "--timeout=30s")
    kubectl(web, "wait", "deployment/web", "--for=condition=Available", "--timeout=30s")
    kubectl(web, "set", "image", "deployment/web", "nginx=nginx:2")
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
    text = kubectl(web, "describe", "deployment", "web")
    squeezed = [" ".join(line.split()) for line in text.splitlines()]
    assert "Replicas: 5 desired | 5 updated | 5 total | 5 available | 0 unavailable" in squeezed
    assert "Available True MinimumReplicasAvailable" in squeezed
    assert "Progressing True NewReplicaSetAvailable" in squeezed
    sets = sorted(json.loads(kubectl(web, "get", "rs", "-o", "json"))["items"], key=lambda one: one["spec"]["replicas"])
    old, new = (one["metadata"]["name"] for one in sets)
    assert f"OldReplicaSets: {old} (0/0 replicas created)" in squeezed
    assert f"NewReplicaSet: {new} (5/5 replicas created)" in squeezed
    assert f"Scaled up replica set {old} from 3 to 5" in text
    assert f"Scaled up replica set {new} from 0 to 2" in text
    described = kubectl(web, "describe", "rs", new)
    assert "Controlled By:  Deployment/web" in described
    assert "Pods Status:    5 Running / 0 Waiting / 0 Succeeded / 0 Failed" in described
    assert "SuccessfulCreate" in described
    assert "replicaset-controller" in described


def test_a_stuck_rollout_fails_and_is_undone(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "patch", "deployment", "web", "-p", '{"spec": {"progressDeadlineSeconds": 20}}')
    kubectl(web, "set", "image", "deployment/web", "nginx=nginx:broken")
    said = kubectl.fails(web, "rollout", "status", "deployment/web", "--timeout=30s")
    assert 'deployment "web" exceeded its progress deadline' in said
    kubectl(web, "rollout", "undo", "deployment/web")
    assert "successfully rolled out" in kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")
