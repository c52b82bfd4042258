"""Unmodified kubectl changes the assembled cluster: sets of manifests, lists, edits, rollouts, scales, nodes, drains, deletions."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.test_kubectl import Kubectl
from embedded.wholecluster import MANIFESTS, SOON, kubectl_on, words

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
SETS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
BOTH = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: "nginx:1.27"}]}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: "nginx:1.27"}]}
"""


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with kubectl_on(tmp_path_factory.mktemp("changing"), story=True) as found:
        yield found


@pytest.fixture
def here(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:40].strip("-")
    kubectl("create", "namespace", name)
    return f"--namespace={name}"


@pytest.fixture
def web(kubectl: Kubectl, here: str) -> str:
    """A namespace with a Deployment `web` of two pods that are available."""
    kubectl("create", here, "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    kubectl("rollout", here, "status", "deployment/web", SOON)
    return here


def test_the_story_applied_again_changes_nothing(kubectl: Kubectl) -> None:
    lines = kubectl("apply", "-k", str(MANIFESTS / "story")).splitlines()
    # defaults inside a claim template make a real server say "configured" too
    assert [line for line in lines if not line.endswith(" unchanged")] == ["statefulset.apps/mysql configured"]
    conflict = kubectl.fails("apply", "--server-side", "-k", str(MANIFESTS / "mysql"))
    assert 'conflict with "kubectl-client-side-apply" using apps/v1: .spec.volumeClaimTemplates' in conflict
    assert kubectl("apply", "--server-side", "--force-conflicts", "-k", str(MANIFESTS / "story")).count("serverside-applied") == len(lines)


def test_every_set_is_applied_and_shown_as_it_would_be(kubectl: Kubectl) -> None:
    chatapp, bad = str(MANIFESTS / "chatapp"), MANIFESTS / "faults" / "bad-image"
    kubectl("apply", "--force-conflicts", "--server-side", "-k", chatapp)
    found = kubectl.run("diff", "-k", str(bad))
    assert (found.returncode, found.stderr) == (1, "")
    assert "-      - image: mrsinghdocker/chatapp:k8s" in found.stdout or "-        image: mrsinghdocker/chatapp:k8s" in found.stdout
    for folder in SETS:
        if folder.name not in ("story", "namespace"):
            kubectl("apply", "-k", str(folder))
    kubectl("apply", "-k", str(MANIFESTS / "story"))


def test_a_saved_list_is_applied_again(kubectl: Kubectl, web: str, tmp_path: Path) -> None:
    kubectl("create", web, "configmap", "m", "--from-literal=a=b")
    kubectl("wait", web, "--for=condition=Available", "deployment/web", SOON)
    saved = tmp_path / "saved.yaml"
    saved.write_text(kubectl("get", web, "deployment/web", "configmap/m", "-o", "yaml"))
    assert "kind: List" in saved.read_text()
    assert "deployment.apps/web configured\nconfigmap/m configured" in kubectl("apply", "-f", str(saved))
    saved.write_text("\n".join(line for line in saved.read_text().splitlines() if "resourceVersion" not in line).replace("nginx:1.27", "nginx:1.28"))
    assert "deployment.apps/web configured" in kubectl("apply", "-f", str(saved))
    assert 'unknown field "dat"' in kubectl.fails("apply", web, "-f", "-", stdin=json.dumps(
        {"kind": "List", "apiVersion": "v1", "items": [{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "dat": {}}]}
    ))  # fmt: skip
    kubectl("delete", web, "-f", str(saved))
    assert "configmap/m replaced" in kubectl("create", web, "configmap", "m").replace("created", "replaced")


def test_edit(kubectl: Kubectl, here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl("create", here, "configmap", "m", "--from-literal=a=before")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setitem(os.environ, "EDITOR", str(editor))
    assert "configmap/m edited" in kubectl("edit", here, "configmap", "m")
    assert kubectl("get", here, "configmap", "m", "-o", "jsonpath={.data.a}") == "after"
    assert "no changes made" in kubectl.run("edit", here, "configmap", "m").stderr


def test_rollout_of_a_deployment(kubectl: Kubectl, web: str) -> None:
    status = ("rollout", web, "status", "deployment/web")
    kubectl("set", web, "image", "deployment/web", "nginx=nginx:1.28")
    assert 'deployment "web" successfully rolled out' in kubectl(*status, SOON)
    kubectl("annotate", web, "deployment/web", "kubernetes.io/change-cause=newer")
    assert words(kubectl("rollout", web, "history", "deployment/web"))[1:] == [["1", "<none>"], ["2", "newer"]]
    kubectl("rollout", web, "pause", "deployment/web")
    kubectl("set", web, "env", "deployment/web", "A=1")
    assert "timed out" in kubectl.fails(*status, "--timeout=1s")
    kubectl("rollout", web, "resume", "deployment/web")
    kubectl(*status, SOON)
    kubectl("rollout", web, "restart", "deployment/web")
    kubectl(*status, SOON)
    kubectl("rollout", web, "undo", "deployment/web", "--to-revision=1")
    kubectl(*status, SOON)
    assert [row[0] for row in words(kubectl("rollout", web, "history", "deployment/web"))[1:]] == ["2", "3", "4", "5"]
    assert "nginx:1.27" in kubectl("get", web, "deployment", "web", "-o", "wide")


@pytest.mark.parametrize("name", ["statefulset/db", "daemonset/agent"])
def test_rollout_of_the_others(kubectl: Kubectl, name: str) -> None:
    kind = name.partition("/")[0]
    here = f"--namespace=rollout-{kind}"
    kubectl("create", "namespace", f"rollout-{kind}")
    kubectl("apply", here, "-f", "-", stdin=BOTH)
    status = ("rollout", here, "status", name, SOON)
    done = "roll out complete: 2 new pods" if kind == "statefulset" else "successfully rolled out"
    assert done in kubectl(*status)
    kubectl("set", here, "image", name, "c=nginx:1.28")
    assert done in kubectl(*status)
    assert "nginx:1.28" in kubectl("rollout", here, "history", name, "--revision=2")
    kubectl("rollout", here, "undo", name)
    kubectl(*status)
    kubectl("rollout", here, "restart", name)
    kubectl(*status)
    assert "pausing is not supported" in kubectl.fails("rollout", here, "pause", name)
    images = kubectl("get", here, "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}").split()
    assert set(images) == {"nginx:1.27"}
    kubectl("delete", "namespace", f"rollout-{kind}")


def test_scale_and_autoscale(kubectl: Kubectl, web: str) -> None:
    kubectl("scale", web, "deployment/web", "--replicas=3")
    kubectl("wait", web, "--for=jsonpath={.status.readyReplicas}=3", "deployment/web", SOON)
    kubectl("autoscale", web, "deployment/web", "--min=4", "--max=5", "--cpu-percent=70")
    kubectl("wait", web, "--for=jsonpath={.status.readyReplicas}=4", "deployment/web", SOON)
    assert "Current number of replicas below Spec.MinReplicas" in kubectl("events", web)


def test_taint_and_cordon(kubectl: Kubectl) -> None:
    node = "kubepane-worker3"
    assert "tainted" in kubectl("taint", "node", node, "a=b:NoSchedule")
    assert "already has a taint" in kubectl.fails("taint", "node", node, "a=b:NoSchedule")
    assert "untainted" in kubectl("taint", "node", node, "a-")
    kubectl("cordon", node)
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", node)
    kubectl("uncordon", node)


def test_drain_waits_for_a_budget(kubectl: Kubectl, web: str) -> None:
    kubectl("create", web, "poddisruptionbudget", "web", "--selector=app=web", "--min-available=2")
    kubectl("wait", web, "--for=jsonpath={.status.currentHealthy}=2", "pdb/web", SOON)
    node = kubectl("get", web, "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app=web")
    blocked = kubectl.fails(*drain, "--timeout=1s")
    assert "Cannot evict pod as it would violate the pod's disruption budget." in blocked
    kubectl("patch", web, "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
    kubectl("wait", web, "--for=jsonpath={.status.disruptionsAllowed}=1", "pdb/web", SOON)
    assert f"node/{node} drained" in kubectl(*drain, SOON)
    kubectl("uncordon", node)
    kubectl("rollout", web, "status", "deployment/web", SOON)
    assert node not in kubectl("get", web, "pods", "-o", "jsonpath={.items[*].spec.nodeName}").split()


def test_cascades(kubectl: Kubectl, web: str) -> None:
    kubectl("delete", web, "deployment", "web", "--cascade=orphan")
    assert [row[1] for row in words(kubectl("get", web, "replicasets"))] == ["2"]
    kubectl("delete", web, "replicaset", "--all", "--cascade=foreground", SOON)
    assert "NotFound" not in kubectl("get", web, "pods", "-o", "name")
    assert kubectl("get", web, "pods", "-o", "name") == ""
    kubectl("create", web, "deployment", "web", "--image=nginx:1.27")
    kubectl("rollout", web, "status", "deployment/web", SOON)
    kubectl("delete", web, "deployment", "web")
    kubectl("wait", web, "--for=delete", "pod", "-l", "app=web", SOON)
    kubectl("run", web, "lone", "--image=nginx:1.27")
    assert "force deleted" in kubectl("delete", web, "pod", "lone", "--force", "--grace-period=0")
    kubectl("delete", "namespace", web.partition("=")[2], SOON)


def test_jobs(kubectl: Kubectl, here: str) -> None:
    kubectl("create", here, "job", "j", "--image=busybox", "--", "echo", "hi")
    kubectl("wait", here, "--for=condition=Complete", "job/j", SOON)
    assert kubectl("logs", here, "job/j") == "hi\n"
    kubectl("create", here, "cronjob", "c", "--image=busybox", "--schedule=* * * * *", "--", "date")
    kubectl("wait", here, "--for=jsonpath={.status.lastSuccessfulTime}", "cronjob/c", SOON)
