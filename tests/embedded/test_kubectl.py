"""Unmodified kubectl against a served cluster: each command run and its answer read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.conftest import recording
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.nodes import add_nodes

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "x:1", ports: [{containerPort: 80, name: http}]}]
"""


class Kubectl:
    """kubectl with the kubeconfig of one served cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.kubeconfig.parent)}
        return subprocess.run([str(KUBECTL), *arguments], input=stdin, capture_output=True, text=True, env=environment, timeout=40, check=False)

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    path = tmp_path_factory.mktemp("kubectl") / "kubeconfig"
    cluster = EmbeddedCluster(kubeconfig=path)
    add_nodes(cluster.core, 3)
    with ServedCluster(cluster):
        yield Kubectl(path)


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:50].rstrip("-")
    kubectl("create", "namespace", name)
    return f"--namespace={name}"


def test_version_and_discovery(kubectl: Kubectl) -> None:
    assert "v1.35.4+embedded" in kubectl("version", "-o", "json")
    names = kubectl("api-resources", "-o", "name").split()
    assert {"pods", "deployments.apps", "horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"} <= set(names)
    assert "autoscaling/v1" in kubectl("api-versions").split()
    assert "Ready" in kubectl("get", "nodes", "-o", "wide")


@pytest.mark.parametrize("form", ["wide", "json", "yaml", "name", "custom-columns=N:.metadata.name"])
def test_get_every_kind(kubectl: Kubectl, form: str) -> None:
    names = kubectl("api-resources", "-o", "name", "--verbs=list").split()
    assert "namespace/default" in kubectl("get", ",".join(names), "-A", "-o", "name").split()
    assert "kubepane-worker2" in kubectl("get", ",".join(names), "-A", "-o", form)


def test_describe_every_kind(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin="".join(f"---\n{json.dumps(case['given'])}\n" for case in recording("defaults")))
    for name in kubectl("api-resources", "-o", "name", "--verbs=list").split():
        if not name.startswith("events."):
            assert "Name:" in kubectl("describe", name, "-A") or not kubectl("get", name, "-A", "-o", "name")


def test_apply_diff_and_conflict(kubectl: Kubectl, namespace: str) -> None:
    assert "created" in kubectl("apply", namespace, "-f", "-", stdin=DEPLOYMENT)
    assert "unchanged" in kubectl("apply", namespace, "-f", "-", stdin=DEPLOYMENT)
    changed = DEPLOYMENT.replace("x:1", "x:2")
    differs = kubectl.run("diff", namespace, "-f", "-", stdin=changed)
    assert differs.returncode == 1
    assert "+      - image: x:2" in differs.stdout
    assert "configured" in kubectl("apply", namespace, "-f", "-", stdin=changed)
    assert "serverside-applied" in kubectl("apply", namespace, "--server-side", "-f", "-", stdin=changed)
    other = ["apply", namespace, "--server-side", "--field-manager=other", "-f", "-"]
    assert 'conflict with "kubectl": .spec.replicas' in kubectl.fails(*other, stdin=changed.replace("replicas: 2", "replicas: 3"))
    kubectl(*other, "--force-conflicts", stdin=changed.replace("replicas: 2", "replicas: 3"))
    assert kubectl("get", namespace, "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    unknown = kubectl.fails("apply", namespace, "-f", "-", stdin=DEPLOYMENT.replace("replicas", "replica"))
    assert 'strict decoding error: unknown field "spec.replica"' in unknown


def test_imperative_creates_speak_protobuf(kubectl: Kubectl, namespace: str) -> None:
    for command in (
        "deployment d --image=x",
        "job j --image=x -- true",
        "cronjob c --image=x --schedule=* -- true",
        "configmap m --from-literal=a=b",
        "secret generic s --from-literal=a=b",
        "serviceaccount bot",
        "role r --verb=get --resource=pods",
        "rolebinding b --role=r --serviceaccount=x:bot",
        "quota q --hard=pods=2",
        "poddisruptionbudget p --selector=app=x --min-available=1",
        "ingress i --rule=foo/*=svc:80",
        "service clusterip sv --tcp=80:8080",
    ):
        words = ["* * * * *" if word == "--schedule=*" else word for word in command.split()]
        words = ["--schedule=* * * * *" if word == "* * * * *" else word for word in words]
        assert "created" in kubectl("create", namespace, *words)
    assert kubectl("get", namespace, "secret", "s", "-o", "jsonpath={.data.a}") == "Yg=="
    assert kubectl("create", namespace, "token", "bot").count(".") == 2
    kubectl("autoscale", namespace, "deploy/d", "--min=1", "--max=4", "--cpu-percent=50")
    assert "cpu: <unknown>/50%" in kubectl("get", namespace, "hpa")


def test_changes(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", namespace, "-f", "-", stdin=DEPLOYMENT)
    kubectl("scale", namespace, "deploy/web", "--replicas=5")
    assert "Expected replicas to be 9, was 5" in kubectl.fails("scale", namespace, "deploy/web", "--replicas=4", "--current-replicas=9")
    kubectl("label", namespace, "deploy/web", "tier=one")
    assert "overwrite is false" in kubectl.fails("label", namespace, "deploy/web", "tier=two")
    kubectl("annotate", namespace, "deploy/web", "note=x")
    kubectl("set", namespace, "image", "deploy/web", "c=x:3")
    kubectl("set", namespace, "env", "deploy/web", "A=1")
    for verb in ("restart", "pause", "resume"):
        kubectl("rollout", namespace, verb, "deploy/web")
    kubectl(
        "patch", namespace, "deploy", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"B","value":"2"}]}]}}}}'
    )
    kubectl("patch", namespace, "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":1}]')
    found = json.loads(kubectl("get", namespace, "deploy", "web", "-o", "json"))
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], [one["name"] for one in container["env"]], found["spec"]["replicas"]) == ("x:3", ["A", "B"], 1)
    kubectl("replace", namespace, "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("get", namespace, "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    assert "AlreadyExists" in kubectl.fails("create", namespace, "-f", "-", stdin=DEPLOYMENT)


def test_nodes(kubectl: Kubectl) -> None:
    node = "kubepane-worker3"
    kubectl("taint", "node", node, "a=b:NoSchedule")
    assert "already has a taint" not in kubectl("get", "node", node)
    kubectl("taint", "node", node, "a=b:NoSchedule-")
    kubectl("cordon", node)
    assert "SchedulingDisabled" in kubectl("get", "node", node)
    assert "drained" in kubectl("drain", node)
    kubectl("uncordon", node)
    assert "Taints:             <none>" in kubectl("describe", "node", node)


def test_deletes_and_waits(kubectl: Kubectl, namespace: str) -> None:
    for cascade in ("background", "orphan"):
        kubectl("create", namespace, "-f", "-", stdin=DEPLOYMENT)
        assert "deleted" in kubectl("delete", namespace, "deploy", "web", f"--cascade={cascade}", *(["--wait=false"] if cascade == "orphan" else []))
        kubectl("patch", namespace, "deploy", "web", "--type=merge", "-p", '{"metadata":{"finalizers":null}}') if cascade == "orphan" else None
    kubectl("create", namespace, "configmap", "m")
    assert "condition met" in kubectl("wait", namespace, "--for=create", "configmap/m", "--timeout=5s")
    kubectl("delete", namespace, "configmap", "--all")
    assert 'configmaps "m" not found' in kubectl.fails("get", namespace, "configmap", "m")


def test_watch(kubectl: Kubectl, namespace: str) -> None:
    environment = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)}
    command = [str(KUBECTL), "get", namespace, "configmaps", "--watch", "--output-watch-events", "--no-headers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().split()[:2] == ["ADDED", "kube-root-ca.crt"]
        kubectl("create", namespace, "configmap", "m")
        kubectl("delete", namespace, "configmap", "m")
        assert [watch.stdout.readline().split()[:2] for _ in range(2)] == [["ADDED", "m"], ["DELETED", "m"]]
        watch.terminate()


def test_rights(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", namespace, "serviceaccount", "bot")
    kubectl("create", namespace, "role", "r", "--verb=get,list", "--resource=pods")
    space = namespace.partition("=")[2]
    kubectl("create", namespace, "rolebinding", "rb", "--role=r", f"--serviceaccount={space}:bot")
    bot = f"--as=system:serviceaccount:{space}:bot"
    assert kubectl("auth", namespace, "can-i", "list", "pods", bot) == "yes\n"
    assert kubectl.run("auth", namespace, "can-i", "delete", "pods", bot).stdout == "no\n"
    assert "[get list]" in kubectl("auth", namespace, "can-i", "--list", bot)
    assert "No resources found" in kubectl.run("get", namespace, "pods", bot).stderr
    assert 'cannot list resource "secrets"' in kubectl.fails("get", namespace, "secrets", bot)
    assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_explain(kubectl: Kubectl) -> None:
    assert "FIELD: strategy <DeploymentStrategy>" in kubectl("explain", "deployment.spec.strategy")
    assert "containerPort\t<integer> -required-" in kubectl("explain", "pod.spec.containers.ports")
    for name in kubectl("api-resources", "-o", "name", "--verbs=get").split():
        if not name.startswith("events"):  # `explain events.events.k8s.io` reads a field path
            assert "VERSION:" in kubectl("explain", name)


def test_apply_a_kustomization(kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\nconfigMapGenerator: [{name: g, literals: [a=b]}]\n")
    assert "deployment.apps/web created" in kubectl("apply", namespace, "-k", str(tmp_path))
    assert "configured" not in kubectl("apply", namespace, "-k", str(tmp_path))
