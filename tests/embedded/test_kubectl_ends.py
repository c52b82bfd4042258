"""Unmodified kubectl on the ends of things: cascades, namespaces, budgets, and what describe says of Services, Ingresses and quotas."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from embedded.test_kubectl import Kubectl
from kubepane_embedded.clock import PacedClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.controllers.budgets import DisruptionController
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.endpoints import EndpointsController
from kubepane_embedded.controllers.endpointslices import EndpointSliceController
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.ingresses import IngressController
from kubepane_embedded.controllers.mirroring import MirroringController
from kubepane_embedded.controllers.namespace_furniture import FurnitureController
from kubepane_embedded.controllers.namespaces import NamespaceController
from kubepane_embedded.controllers.quotas import QuotaController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.parts import Parts
from kubepane_embedded.scheduler.scheduler import Scheduler

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
SPEED = 20.0
MINE = (
    GarbageCollector,
    NamespaceController,
    EndpointSliceController,
    EndpointsController,
    MirroringController,
    DisruptionController,
    QuotaController,
    IngressController,
    FurnitureController,
)
CONTROLLER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress-nginx-controller, labels: {app.kubernetes.io/name: ingress-nginx}}
spec:
  selector: {matchLabels: {app: ingress}}
  template:
    metadata: {labels: {app: ingress}}
    spec: {containers: [{name: controller, image: nginx}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
"""


def assembly(core: Core) -> Parts:
    kubelets = Kubelets(core, Logbook(core.clock), lambda pod, container: 0)
    controllers = [part(core) for part in (*MINE, DeploymentController, ReplicaSetController)]
    return Parts([*controllers, Scheduler(core), kubelets], kubelets)


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    path = tmp_path_factory.mktemp("ends") / "kubeconfig"
    cluster = EmbeddedCluster(PacedClock(SPEED), kubeconfig=path, parts=assembly)
    add_nodes(cluster.core, 2)
    with ServedCluster(cluster):
        yield Kubectl(path)


@pytest.fixture
def web(kubectl: Kubectl, request: pytest.FixtureRequest) -> str:
    """A namespace with a Deployment `web` of two pods that run."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:40].strip("-")
    kubectl("create", "namespace", name)
    kubectl(f"--namespace={name}", "create", "deployment", "web", "--image=nginx", "--replicas=2", "--port=80")
    kubectl(f"--namespace={name}", "rollout", "status", "deployment/web", "--timeout=30s")
    return f"--namespace={name}"


def until(found: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def left(kubectl: Kubectl, web: str) -> list[str]:
    names = kubectl(web, "get", "deployments,replicasets,pods", "-o", "name").split()
    return sorted(name.partition(".")[0].partition("/")[0] for name in names)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_delete_takes_all(kubectl: Kubectl, web: str, cascade: str) -> None:
    assert "deleted" in kubectl(web, "delete", "deployment", "web", f"--cascade={cascade}", "--timeout=30s")
    if cascade == "background":  # kubectl waits for the Deployment alone
        until(lambda: left(kubectl, web) == [])
    assert left(kubectl, web) == []


def test_delete_orphans(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "delete", "deployment", "web", "--cascade=orphan", "--timeout=30s")
    assert left(kubectl, web) == ["pod", "pod", "replicaset"]
    (kept,) = json.loads(kubectl(web, "get", "replicasets", "-o", "json"))["items"]
    assert "ownerReferences" not in kept["metadata"]


def test_delete_namespace_waits_for_its_end(kubectl: Kubectl, web: str) -> None:
    name = web.partition("=")[2]
    kubectl(web, "expose", "deployment", "web")
    assert f'namespace "{name}" deleted' in kubectl("delete", "namespace", name, "--wait", "--timeout=30s")
    assert "NotFound" in kubectl.fails("get", "namespace", name)
    assert "No resources found" in kubectl.run(web, "get", "all,configmaps,endpoints,endpointslices").stderr


def test_describe_namespace_says_what_holds_it(kubectl: Kubectl, web: str) -> None:
    name = web.partition("=")[2]
    kubectl(web, "delete", "deployment", "web", "--cascade=foreground", "--timeout=30s")
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    kubectl(web, "create", "-f", "-", stdin=json.dumps(held))
    kubectl("delete", "namespace", name, "--wait=false")
    until(lambda: "SomeFinalizersRemain" in kubectl("describe", "namespace", name))
    assert "Terminating" in kubectl("get", "namespace", name)
    assert "because it is being terminated" in kubectl.fails(web, "create", "configmap", "late")
    kubectl(web, "patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=30s")


def test_services_and_their_endpoints(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "expose", "deployment", "web", "--port=8080", "--target-port=80")
    pods = json.loads(kubectl(web, "get", "pods", "-o", "json"))["items"]
    addresses = sorted(pod["status"]["podIP"] for pod in pods)
    shown = kubectl(web, "get", "endpoints", "web").split()
    assert sorted(shown[shown.index("web") + 1].split(",")) == sorted(f"{address}:80" for address in addresses)
    (line,) = kubectl(web, "get", "endpointslices", "--no-headers").splitlines()
    assert line.split()[1:3] == ["IPv4", "80"]
    assert sorted(line.split()[3].split(",")) == addresses
    described = kubectl(web, "describe", "service", "web")
    assert all(f"{address}:80" in described for address in addresses)
    kubectl(web, "scale", "deployment", "web", "--replicas=0")
    until(lambda: "<none>" in kubectl(web, "get", "endpoints", "web"))


def test_budget_blocks_a_drain_until_it_is_lifted(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=2")
    until(lambda: "2" in kubectl(web, "get", "poddisruptionbudget", "web", "-o", "jsonpath={.status.currentHealthy}"))
    described = kubectl(web, "describe", "poddisruptionbudget", "web")
    figures = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in described.splitlines() if line.startswith("    ")}
    assert figures == {"Allowed disruptions": "0", "Current": "2", "Desired": "2", "Total": "2"}
    node = json.loads(kubectl(web, "get", "pods", "-o", "json"))["items"][0]["spec"]["nodeName"]
    drain = ("drain", node, "--ignore-daemonsets", "--force", "--pod-selector=app=web", "--timeout=2s")
    assert "Cannot evict pod as it would violate the pod's disruption budget." in kubectl.fails(*drain)
    kubectl(web, "delete", "poddisruptionbudget", "web")
    assert f"node/{node} drained" in kubectl(*drain[:-1], "--timeout=30s")
    kubectl("uncordon", node)
    kubectl(web, "rollout", "status", "deployment/web", "--timeout=30s")


def test_quota_is_described(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "create", "quota", "all", "--hard=pods=4,count/deployments.apps=2")
    until(lambda: "pods: 2/4" in kubectl(web, "get", "quota", "all"))
    kubectl(web, "scale", "deployment", "web", "--replicas=1")
    until(lambda: ["pods", "1", "4"] in [line.split() for line in kubectl(web, "describe", "quota", "all").splitlines()])
    described = [line.split() for line in kubectl("describe", "namespace", web.partition("=")[2]).splitlines()]
    assert ["count/deployments.apps", "1", "2"] in described


def test_ingress_gets_an_address(kubectl: Kubectl, web: str) -> None:
    kubectl(web, "expose", "deployment", "web", "--port=80")
    kubectl(web, "create", "ingress", "web", "--class=nginx", "--rule=chat.local/*=web:80")
    assert "Scheduled for sync" not in kubectl(web, "describe", "ingress", "web")
    kubectl(web, "apply", "-f", "-", stdin=CONTROLLER)
    until(lambda: "localhost" in kubectl(web, "get", "ingress", "web"))
    described = kubectl(web, "describe", "ingress", "web")
    assert "Scheduled for sync" in described
    assert "nginx-ingress-controller" in described
    assert "web:80 (" in described
