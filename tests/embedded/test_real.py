"""The same calls on the embedded cluster and on a real API server: same codes, same messages, same objects."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.conftest import recording
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
KUBECTL = shutil.which("kubectl")
NAMESPACE = "kubepane-embedded-test"
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG names no real API server"),
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed"),
]
VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|10\.96\.\d+\.\d+|kube-api-access-\w{5}"
)


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}


def container(**more: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "c", "image": "x", **more}])


def kind(api_version: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": name, "metadata": {"name": "x"}, **more}


TARGET = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
INVALID: dict[str, dict[str, Any]] = {
    "no containers": pod(containers=[]),
    "no image": pod(containers=[{"name": "c"}]),
    "name of a container": pod(containers=[{"name": "C_", "image": "x"}]),
    "two containers of one name": pod(containers=[{"name": "c", "image": "x"}, {"name": "c", "image": "x"}]),
    "requests above limits": container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
    "negative requests": container(resources={"requests": {"cpu": "-1"}}),
    "port out of range": container(ports=[{"containerPort": 70000}]),
    "no port": container(ports=[{"name": "a"}]),
    "port name": container(ports=[{"name": "A--b", "containerPort": 1}]),
    "mount of nothing": container(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
    "pull policy": container(imagePullPolicy="Sometimes"),
    "restart policy": pod(restartPolicy="Maybe"),
    "probe without handler": container(livenessProbe={"periodSeconds": 5}),
    "probe port": container(livenessProbe={"httpGet": {"port": 0}}),
    "liveness success threshold": container(livenessProbe={"httpGet": {"port": 80}, "successThreshold": 2}),
    "toleration without key": pod(tolerations=[{"operator": "Equal", "value": "x"}]),
    "toleration effect": pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "Never"}]),
    "toleration seconds": pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 3}]),
    "env from nowhere": container(env=[{"name": "A", "valueFrom": {}}]),
    "env with value and source": container(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
    "unknown account": pod(serviceAccountName="nobody"),
    "unknown priority": pod(priorityClassName="none"),
    "labels": {**pod(), "metadata": {"name": "p", "labels": {"a b": "c"}}},
    "label value": {**pod(), "metadata": {"name": "p", "labels": {"a": "-c-"}}},
    "no name": {**pod(), "metadata": {}},
    "volume twice": pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
    "claim without name": pod(volumes=[{"name": "v", "persistentVolumeClaim": {}}]),
    "service without ports": kind("v1", "Service", spec={"selector": {"a": "b"}}),
    "service port": kind("v1", "Service", spec={"ports": [{"port": 0}]}),
    "service type": kind("v1", "Service", spec={"type": "Best", "ports": [{"port": 80}]}),
    "service ports without names": kind("v1", "Service", spec={"ports": [{"port": 80}, {"port": 81}]}),
    "service name": {**kind("v1", "Service", spec={"ports": [{"port": 80}]}), "metadata": {"name": "1x"}},
    "node port": kind("v1", "Service", spec={"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
    "claim without modes": kind("v1", "PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}}),
    "claim without size": kind("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"]}),
    "claim mode": kind("v1", "PersistentVolumeClaim", spec={"accessModes": ["Any"], "resources": {"requests": {"storage": "1Gi"}}}),
    "config map key": kind("v1", "ConfigMap", data={"a b": "c"}),
    "hpa without maximum": kind("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": TARGET}),
    "hpa minimum": kind("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": TARGET, "minReplicas": 5, "maxReplicas": 2}),
    "hpa metric": kind("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": TARGET, "maxReplicas": 2, "metrics": [{"type": "Resource"}]}),
    "ingress of nothing": kind("networking.k8s.io/v1", "Ingress", spec={}),
    "ingress path type": kind("networking.k8s.io/v1", "Ingress", spec={"rules": [{"http": {"paths": [{"path": "/", "backend": {"service": {"name": "s", "port": {"number": 1}}}}]}}]}),
    "policy peer": kind("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "ingress": [{"from": [{}]}]}),
    "budget with both": kind("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": 1}),
    "role without verbs": kind("rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": []}]),
    "binding of no role": kind("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ""}),
    "cron schedule": kind("batch/v1", "CronJob", spec={"schedule": "* *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}),
    "job restart policy": kind("batch/v1", "Job", spec={"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}),
    "deployment without selector": kind("apps/v1", "Deployment", spec={"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}),
    "deployment without template": kind("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"a": "b"}}}),
    "deployment surge": kind("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"a": "b"}}, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}),
    "storage class": kind("storage.k8s.io/v1", "StorageClass", provisioner=""),
    "priority": kind("scheduling.k8s.io/v1", "PriorityClass", value=2000000000),
    "quantity": container(resources={"requests": {"cpu": "many"}}),
    "volume without source": kind("v1", "PersistentVolume", spec={"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}),
    "endpoint slice": kind("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv9", endpoints=[]),
    "event elsewhere": kind("v1", "Event", involvedObject={"namespace": "other", "name": "x"}),
}  # fmt: skip


TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
WORKLOAD = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
CLAIM = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}}}
CHANGES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "selector of a deployment": (kind("apps/v1", "Deployment", spec=WORKLOAD), "merge", {"spec": {"selector": {"matchLabels": {"a": "c"}}}}),
    "only the selector": (kind("apps/v1", "ReplicaSet", spec=WORKLOAD), "json", [{"op": "add", "path": "/spec/selector/matchLabels/x", "value": "y"}]),
    "name of a service": (kind("apps/v1", "StatefulSet", spec={**WORKLOAD, "serviceName": "s"}), "merge", {"spec": {"serviceName": "t"}}),
    "class of a claim": (kind("v1", "PersistentVolumeClaim", spec=CLAIM), "merge", {"metadata": {"labels": {"a b": "c"}}}),
    "immutable data": (kind("v1", "ConfigMap", data={"a": "b"}, immutable=True), "merge", {"data": {"a": "c"}}),
    "mutable again": (kind("v1", "ConfigMap", data={"a": "b"}, immutable=True), "merge", {"immutable": False}),
    "type of a secret": (kind("v1", "Secret", type="Opaque"), "merge", {"type": "kubernetes.io/tls"}),
    "role of a binding": (
        kind("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}),
        "merge",
        {"roleRef": {"name": "s"}},
    ),
    "template of a job": (
        kind("batch/v1", "Job", spec={"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}),
        "merge",
        {"spec": {"completions": 5}},
    ),
    "address of a service": (kind("v1", "Service", spec={"ports": [{"port": 80}]}), "merge", {"spec": {"clusterIP": "10.96.200.1", "clusterIPs": ["10.96.200.1"]}}),
    "unknown field": (kind("v1", "ConfigMap"), "merge", {"dato": {"a": "b"}}),
    "wrong type": (kind("v1", "ConfigMap"), "merge", {"data": {"a": 1}}),
    "finalizer without domain": (kind("v1", "ConfigMap"), "merge", {"metadata": {"finalizers": ["a b"]}}),
    "uid": (kind("v1", "ConfigMap"), "merge", {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}}),
    "name": (kind("v1", "ConfigMap"), "merge", {"metadata": {"name": "y"}}),
    "namespace": (kind("v1", "ConfigMap"), "merge", {"metadata": {"namespace": "default"}}),
    "kind": (kind("v1", "ConfigMap"), "merge", {"kind": "Secret"}),
    "version": (kind("v1", "ConfigMap"), "merge", {"apiVersion": "v2"}),
    "missing path": (kind("v1", "ConfigMap"), "json", [{"op": "remove", "path": "/data/x"}]),
    "unknown operation": (kind("v1", "ConfigMap"), "json", [{"op": "jump", "path": "/data"}]),
    "no merge key": (kind("apps/v1", "Deployment", spec=WORKLOAD), "strategic", {"spec": {"template": {"spec": {"containers": [{"image": "y"}]}}}}),
    "quantity": (kind("apps/v1", "Deployment", spec=WORKLOAD), "strategic", {"spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "x"}}}]}}}}),
    "replicas as text": (kind("apps/v1", "Deployment", spec=WORKLOAD), "merge", {"spec": {"replicas": "x"}}),
    "replicas below zero": (kind("apps/v1", "Deployment", spec=WORKLOAD), "merge", {"spec": {"replicas": -1}}),
}  # fmt: skip


class Side:
    """Raw requests by kubectl's credentials."""

    def __init__(self, kubeconfig: str) -> None:
        self.environment = {**os.environ, "KUBECONFIG": kubeconfig}

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.environment, timeout=60, check=False)

    def create(self, body: dict[str, Any], *more: str) -> tuple[bool, str]:
        done = self.kubectl("create", "--dry-run=server", "--namespace", NAMESPACE, "-o", "json", *more, "-f", "-", stdin=json.dumps(body))
        return done.returncode == 0, done.stdout if done.returncode == 0 else done.stderr.replace("STDIN", "-")


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    path: Path = tmp_path_factory.mktemp("real") / "kubeconfig"
    with ServedCluster(EmbeddedCluster(kubeconfig=path)):
        both = Side(str(path)), Side(KUBECONFIG)
        for side in both:
            side.kubectl("create", "namespace", NAMESPACE)
            side.kubectl("wait", "--namespace", NAMESPACE, "--for=create", "serviceaccount/default", "--timeout=20s")
        classes = json.loads(both[1].kubectl("get", "storageclasses", "-o", "json").stdout)["items"]
        for one in classes:  # a default class is written into every claim
            both[0].kubectl("create", "-f", "-", stdin=json.dumps(one))
        yield both
        both[1].kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def settled(text: str) -> str:
    text = re.sub(r'Invalid value: "\{.*\}":', 'Invalid value: "…":', text)  # a whole object, its keys in Go's order
    text = re.sub(r'(resourceVersion[\\"]+):[\\"]+\d+', r"\1", text)
    return VOLATILE.sub("*", re.sub(r'"nodePort": \d+', '"nodePort": 0', text))


@pytest.mark.parametrize("name", INVALID)
def test_the_same_refusal(sides: tuple[Side, Side], name: str) -> None:
    embedded, real = (side.create(INVALID[name], "--validate=false") for side in sides)
    assert (embedded[0], settled(embedded[1])) == (real[0], settled(real[1]))


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_answer_to_a_change(sides: tuple[Side, Side], name: str) -> None:
    body, patch_type, patch = CHANGES[name]
    resource = (
        f"{body['kind']}.{body['apiVersion'].partition('/')[2]}.{body['apiVersion'].partition('/')[0]}" if "/" in body["apiVersion"] else body["kind"]
    )
    answers = []
    for side in sides:
        made = side.kubectl("create", "--namespace", NAMESPACE, "-f", "-", stdin=json.dumps(body))
        assert made.returncode == 0, made.stderr
        done = side.kubectl("patch", "--namespace", NAMESPACE, resource, "x", f"--type={patch_type}", "-p", json.dumps(patch), "-o", "json")
        side.kubectl("delete", "--namespace", NAMESPACE, resource, "x", "--wait=false", "--cascade=background")
        found = json.loads(done.stdout) if done.returncode == 0 else {}
        found.get("metadata", {}).pop("resourceVersion", None)
        answers.append((done.returncode, settled(done.stderr), settled(json.dumps(found.get("spec", found.get("data"))))))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("case", recording("defaults"), ids=lambda case: f"{case['given']['kind']}-{case['given']['metadata']['name']}")
def test_the_same_object(sides: tuple[Side, Side], case: dict[str, Any]) -> None:
    body = json.loads(json.dumps(case["given"]).replace('"namespace": "default"', f'"namespace": "{NAMESPACE}"'))
    embedded, real = (side.create(body) for side in sides)
    assert embedded[0], embedded[1]
    assert json.loads(settled(embedded[1])) == json.loads(settled(real[1]))
