"""The Kind cluster and its add-ons, as far as they can be judged without a container engine and without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.conftest import Wire
from kubepane_manifests import places
from kubepane_manifests.documents import Object, load_objects
from manifests.paths import collection

ADDONS = ("calico", "ingress-nginx", "metrics-server", "traefik")
CLUSTER: dict[str, Any] = yaml.safe_load((places.KIND / "cluster.yaml").read_text(encoding="utf-8"))
KUBECTL = shutil.which("kubectl")
# the fields of kind.x-k8s.io/v1alpha4 (kind: pkg/apis/config/v1alpha4/types.go); kind refuses others
FIELDS = {
    "": {
        "kind", "apiVersion", "name", "nodes", "networking", "featureGates", "runtimeConfig", "kubeadmConfigPatches",
        "kubeadmConfigPatchesJSON6902", "containerdConfigPatches", "containerdConfigPatchesJSON6902",
    },
    "networking": {"ipFamily", "apiServerPort", "apiServerAddress", "podSubnet", "serviceSubnet", "disableDefaultCNI", "kubeProxyMode", "dnsSearch"},
    "nodes": {"role", "image", "labels", "extraMounts", "extraPortMappings", "kubeadmConfigPatches", "kubeadmConfigPatchesJSON6902"},
    "extraPortMappings": {"containerPort", "hostPort", "listenAddress", "protocol"},
}  # fmt: skip
# what the fetched releases hold, as far as our patches lean on it (read in those releases)
UPSTREAM: dict[str, str] = {
    "calico": """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system, labels: {k8s-app: calico-node}}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec:
      initContainers: [{name: install-cni, image: "quay.io/calico/cni:v3.32.1"}]
      containers:
        - name: calico-node
          image: quay.io/calico/node:v3.32.1
          env: [{name: DATASTORE_TYPE, value: kubernetes}, {name: CALICO_DISABLE_FILE_LOGGING, value: "true"}]
""",
    "metrics-server": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics-server, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: metrics-server}}
  template:
    metadata: {labels: {k8s-app: metrics-server}}
    spec:
      containers: [{name: metrics-server, image: "x:1", args: [--cert-dir=/data, --secure-port=10250, --metric-resolution=15s]}]
""",
    "ingress-nginx": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}
  template:
    metadata: {labels: {app.kubernetes.io/name: ingress-nginx}}
    spec:
      containers: [{name: controller, image: "x:1", ports: [{containerPort: 80, hostPort: 80, name: http}]}]
      nodeSelector: {kubernetes.io/os: linux}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ingress-nginx-admission-create, namespace: ingress-nginx}
spec: {template: {spec: {restartPolicy: OnFailure, containers: [{name: create, image: "x:1"}], nodeSelector: {kubernetes.io/os: linux}}}}
""",
    "traefik": """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: traefik-ingress-nginx-controller}
rules: [{apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: traefik-ingress-nginx-controller}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: traefik-ingress-nginx-controller}
subjects: [{kind: ServiceAccount, name: traefik-ingress-nginx-controller, namespace: default}]
""",
}


def kustomization(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((places.KIND / "addons" / name / "kustomization.yaml").read_text(encoding="utf-8"))
    return found


def built(name: str, place: Path) -> list[Object]:
    """An add-on with the release's part replaced by what our patches lean on."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    shutil.copytree(places.KIND / "addons" / name, place / name)
    (place / name / "upstream.yaml").write_text(UPSTREAM[name], encoding="utf-8")
    path = place / name / "kustomization.yaml"
    path.write_text(re.sub(r"- https://\S+", "- upstream.yaml", path.read_text(encoding="utf-8")), encoding="utf-8")
    done = subprocess.run([KUBECTL, "kustomize", str(place / name)], capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def pod_spec(objects: list[Object], name: str) -> dict[str, Any]:
    (found,) = [obj for obj in objects if obj["metadata"]["name"] == name and "template" in obj.get("spec", {})]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


# ---- cluster.yaml


def test_only_fields_that_kind_knows() -> None:
    assert (CLUSTER["kind"], CLUSTER["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert CLUSTER.keys() <= FIELDS[""]
    assert CLUSTER["networking"].keys() <= FIELDS["networking"]
    for node in CLUSTER["nodes"]:
        assert node.keys() <= FIELDS["nodes"]
        for mapping in node.get("extraPortMappings", []):
            assert mapping.keys() == FIELDS["extraPortMappings"]


def test_one_control_plane_with_the_ports_and_three_workers() -> None:
    first, *workers = CLUSTER["nodes"]
    assert [first["role"], *(w["role"] for w in workers)] == ["control-plane", "worker", "worker", "worker"]
    assert first["labels"] == {"ingress-ready": "true"}
    mapped = [(m["containerPort"], m["hostPort"], m["listenAddress"], m["protocol"]) for m in first["extraPortMappings"]]
    assert mapped == [(80, 80, "127.0.0.1", "TCP"), (443, 443, "127.0.0.1", "TCP")]
    assert not any("extraPortMappings" in w or "labels" in w for w in workers)


def test_one_image_of_the_reference_version_pinned_by_digest() -> None:
    (image,) = {node["image"] for node in CLUSTER["nodes"]}
    assert re.fullmatch(r"kindest/node:v1\.35\.\d+@sha256:[0-9a-f]{64}", image)


def test_network_is_left_to_calico_with_the_same_range(tmp_path: Path) -> None:
    assert CLUSTER["networking"]["disableDefaultCNI"] is True
    (container,) = pod_spec(built("calico", tmp_path), "calico-node")["containers"]
    env = {e["name"]: e["value"] for e in container["env"]}
    assert env["CALICO_IPV4POOL_CIDR"] == CLUSTER["networking"]["podSubnet"] == "192.168.0.0/16"
    assert env["DATASTORE_TYPE"] == "kubernetes"


# ---- add-ons


def test_these_are_the_add_ons() -> None:
    assert tuple(sorted(path.name for path in (places.KIND / "addons").iterdir())) == ADDONS


@pytest.mark.parametrize("name", ADDONS)
def test_releases_are_fetched_by_version_and_none_is_copied(name: str) -> None:
    about = kustomization(name)
    (address,) = [r for r in about["resources"] if "://" in r]
    (version,) = re.findall(r"v\d+\.\d+\.\d+", address)
    assert version in about["metadata"]["annotations"]["kubepane.io/description"]
    assert re.match(r"https://(raw\.githubusercontent\.com|github\.com)/[\w-]+/[\w-]+/", address)
    assert all((places.KIND / "addons" / name / r).is_file() for r in about["resources"] if "://" not in r)
    size = sum(path.stat().st_size for path in (places.KIND / "addons" / name).iterdir())
    assert size < 6_000, "a release has been copied in"


def test_metrics_server_takes_the_kubelets_own_certificates(tmp_path: Path) -> None:
    (container,) = pod_spec(built("metrics-server", tmp_path), "metrics-server")["containers"]
    assert container["args"] == ["--cert-dir=/data", "--secure-port=10250", "--metric-resolution=15s", "--kubelet-insecure-tls"]


def test_ingress_nginx_runs_where_the_ports_are_and_says_that_it_is_retired(tmp_path: Path) -> None:
    objects = built("ingress-nginx", tmp_path)
    assert pod_spec(objects, "ingress-nginx-controller")["nodeSelector"] == {"kubernetes.io/os": "linux", **CLUSTER["nodes"][0]["labels"]}
    assert pod_spec(objects, "ingress-nginx-admission-create")["nodeSelector"] == {"kubernetes.io/os": "linux"}
    notices = [obj["metadata"].get("annotations", {}).get("kubepane.io/notice", "") for obj in objects if obj["kind"] == "Deployment"]
    assert notices == [kustomization("ingress-nginx")["metadata"]["annotations"]["kubepane.io/notice"]]
    assert "retired" in notices[0]
    readme = (places.KIND / "README.md").read_text(encoding="utf-8")
    assert re.search(r"ingress-nginx \| v1\.15\.1, \*\*retired", readme)


def test_traefik_stands_in_for_ingress_nginx(tmp_path: Path) -> None:
    objects = built("traefik", tmp_path)
    spec = pod_spec(objects, "traefik")
    (container,) = spec["containers"]
    assert spec["nodeSelector"] == CLUSTER["nodes"][0]["labels"]
    assert [t["key"] for t in spec["tolerations"]] == ["node-role.kubernetes.io/control-plane"]
    assert {p["hostPort"] for p in container["ports"]} == {m["containerPort"] for m in CLUSTER["nodes"][0]["extraPortMappings"]}
    entry = {a.split("=")[0].split(".")[1]: int(a.split(":")[-1]) for a in container["args"] if a.startswith("--entrypoints.")}
    assert entry == {p["name"]: p["containerPort"] for p in container["ports"]}
    assert "--providers.kubernetesingressnginx" in container["args"]
    version = re.search(r"traefik/(v[\d.]+)/", str(kustomization("traefik")["resources"]))
    assert version
    assert container["image"] == f"traefik:{version[1]}"
    (binding,) = [obj for obj in objects if obj["kind"] == "ClusterRoleBinding"]
    (account,) = [obj for obj in objects if obj["kind"] == "ServiceAccount"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "traefik"}]
    assert spec["serviceAccountName"] == account["metadata"]["name"]
    (ingress_class,) = [obj for obj in objects if obj["kind"] == "IngressClass"]
    assert (ingress_class["metadata"]["name"], ingress_class["spec"]["controller"]) == ("nginx", "k8s.io/ingress-nginx")


def test_the_ingress_asks_for_what_both_controllers_can() -> None:
    (ingress,) = load_objects(places.MANIFESTS / "chatapp" / "ingress.yaml")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert annotations["nginx.ingress.kubernetes.io/affinity-mode"] == "persistent", "Traefik knows no other"


async def test_our_own_parts_of_add_ons_have_only_fields_that_exist(wire: Wire, tmp_path: Path) -> None:
    for obj in built("traefik", tmp_path):
        reply = await wire("POST", f"{collection(obj)}?fieldValidation=Strict", obj)
        assert reply.code == 201, reply.body
