"""What the manifests promise: names and numbers of the story, references that resolve, pods as strict as they can be."""

from __future__ import annotations

import base64
import re
from copy import deepcopy
from typing import Any

import pytest

from kubepane_embedded.kubelet.images import application
from kubepane_manifests.documents import Object
from manifests.whole import NAMES, containers, needed, only, own, templates, whole

STORY = own("story")
CHATAPP = only(STORY, "Deployment", "chatapp")
MYSQL = only(STORY, "StatefulSet", "mysql")
LOAD = only(own("load"), "Job", "chatapp-load")
BROKEN_ON_PURPOSE = {
    "faults/missing-secret-key": "env",
    "faults/wrong-probe": "probe",
    "faults/wrong-backend": "backend",
    "faults/bad-image": "image",
}
SOUND = [name for name in NAMES if name != "rbac"]


def sound(but: str) -> list[str]:
    """The sets that are not broken just there."""
    return [name for name in SOUND if BROKEN_ON_PURPOSE.get(name) != but]


# ---- the story's names and numbers


def test_names_of_the_story() -> None:
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in STORY] == [
        ("Namespace", "chatapp"), ("ServiceAccount", "chatapp"), ("Role", "chatapp"), ("RoleBinding", "chatapp"), ("ConfigMap", "mysql-configmap"),
        ("Secret", "mysql-secret"), ("Service", "chatapp"), ("Service", "mysql"), ("PersistentVolume", "mysql-pv"), ("Deployment", "chatapp"),
        ("StatefulSet", "mysql"), ("HorizontalPodAutoscaler", "chatapp"), ("Ingress", "chatapp"), ("NetworkPolicy", "mysql"),
    ]  # fmt: skip
    assert {obj["metadata"].get("namespace") for obj in STORY} == {None, "chatapp"}
    assert set(only(STORY, "ConfigMap", "mysql-configmap")["data"]) == {"mysql_database", "mysql_user"}
    secret = only(STORY, "Secret", "mysql-secret")
    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {
        "password": b"demo-password",
        "root_pass": b"demo-root-password",
    }


def test_chatapp_in_numbers() -> None:
    (container,) = CHATAPP["spec"]["template"]["spec"]["containers"]
    assert CHATAPP["spec"]["replicas"] == 2
    assert container["image"] == "mrsinghdocker/chatapp:k8s"
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    assert container["resources"] == {"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"cpu": "400m", "memory": "512Mi"}}
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"/login"}
    assert {e["name"] for e in container["env"]} == {f"SPRING_DATASOURCE_{x}" for x in ("URL", "USERNAME", "PASSWORD")} | {"MYSQL_DATABASE"}
    assert only(STORY, "Service", "chatapp")["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "http"}]
    spec = only(STORY, "HorizontalPodAutoscaler", "chatapp")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 4)
    assert [m["resource"] for m in spec["metrics"]] == [{"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chatapp"}


def test_ingress_keeps_a_browser_with_its_pod() -> None:
    ingress = only(STORY, "Ingress", "chatapp")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert ingress["spec"]["ingressClassName"] == "nginx"
    without = only(own("faults/no-affinity"), "Ingress", "chatapp")
    assert not without["metadata"].get("annotations")
    assert without["spec"] == ingress["spec"]


def test_mysqls_claim_fits_its_volume() -> None:
    (claim,) = MYSQL["spec"]["volumeClaimTemplates"]
    volume = only(STORY, "PersistentVolume", "mysql-pv")["spec"]
    assert f"{claim['metadata']['name']}-{MYSQL['metadata']['name']}-0" == "data-mysql-0"
    assert claim["spec"]["storageClassName"] == volume["storageClassName"] == "manual"
    assert claim["spec"]["accessModes"] == volume["accessModes"]
    assert claim["spec"]["resources"]["requests"] == volume["capacity"]
    assert "hostPath" in volume
    service = only(STORY, "Service", "mysql")["spec"]
    assert service["clusterIP"] == "None"
    assert [p["port"] for p in service["ports"]] == [3306]
    wrong = only(own("faults/unbound-claim"), "PersistentVolume", "mysql-pv")["spec"]
    assert wrong == {**volume, "storageClassName": "manuel"}


def test_load_asks_chatapp() -> None:
    annotations = LOAD["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"sim.kubepane.io/load-service": "chatapp", "sim.kubepane.io/load-demand": "250m"}
    (container,) = containers(LOAD["spec"]["template"])
    assert {e["name"]: e["value"] for e in container["env"]}["URL"] == "http://chatapp:8080/login"
    assert LOAD["spec"]["parallelism"] == 2
    assert LOAD["spec"]["activeDeadlineSeconds"] > 600
    # twice the demand over one request is what the autoscaler answers with all four pods
    assert 2 * 250 / 200 > 4 * 50 / 100


def test_tolerations_change_nothing_else() -> None:
    cured = deepcopy(only(own("tolerations"), "Deployment", "chatapp"))
    (toleration,) = cured["spec"]["template"]["spec"].pop("tolerations")
    assert toleration == {"key": "dedicated", "operator": "Equal", "value": "chatapp", "effect": "NoSchedule"}
    assert cured == CHATAPP
    assert "tolerations" not in CHATAPP["spec"]["template"]["spec"], "the chapter begins without"
    for workload in (MYSQL, LOAD):
        assert workload["spec"]["template"]["spec"]["tolerations"] == [toleration], "only ChatApp feels the taint"


def test_no_fault_changes_more_than_it_says() -> None:
    expected = {
        "bad-image": "image", "missing-secret-key": "env", "wrong-probe": "readinessProbe", "no-request": "resources",
    }  # fmt: skip
    (right,) = containers(CHATAPP["spec"]["template"])
    for name, field in expected.items():
        (wrong,) = containers(only(own(f"faults/{name}"), "Deployment", "chatapp")["spec"]["template"])
        assert {key for key in right.keys() | wrong.keys() if right.get(key) != wrong.get(key)} == {field}
    (without,) = containers(only(own("faults/no-request"), "Deployment", "chatapp")["spec"]["template"])
    assert without["resources"] == {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}


# ---- references


def references(container: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = []
    for entry in container.get("env", []):
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if ref := entry.get("valueFrom", {}).get(field):
                found.append((kind, ref["name"], ref["key"]))
    return found


def missing_keys(objects: list[Object]) -> list[tuple[str, str, str]]:
    keys = {(o["kind"], o["metadata"]["name"], key) for o in objects for key in o.get("data", {})}
    return [ref for _, template in templates(objects) for c in containers(template) for ref in references(c) if ref not in keys]


@pytest.mark.parametrize("name", sound("env"))
def test_every_key_that_a_container_asks_for_is_there(name: str) -> None:
    assert missing_keys(whole(name)) == []


def test_the_fault_asks_for_a_key_that_is_not() -> None:
    assert missing_keys(whole("faults/missing-secret-key")) == [("Secret", "mysql-secret", "passwd")]
    assert len([ref for _, t in templates(STORY) for c in containers(t) for ref in references(c)]) == 7


@pytest.mark.parametrize("name", SOUND)
def test_variables_are_used_after_they_are_set(name: str) -> None:
    for _, template in templates(whole(name)):
        for container in containers(template):
            known: set[str] = set()
            for entry in container.get("env", []):
                assert set(re.findall(r"\$\((\w+)\)", entry.get("value", ""))) <= known
                known.add(entry["name"])


def ports_of(container: dict[str, Any]) -> dict[Any, int]:
    declared = container.get("ports", [])
    return {p["containerPort"]: p["containerPort"] for p in declared} | {p["name"]: p["containerPort"] for p in declared}


def strange_probes(objects: list[Object]) -> list[str]:
    found = []
    for workload, template in templates(objects):
        for container in containers(template):
            checks = {probe: container.get(probe, {}).get("httpGet") for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
            strange = {probe: check["port"] for probe, check in checks.items() if check and check["port"] not in ports_of(container)}
            found += [f"{workload['metadata']['name']} {probe} {port}" for probe, port in strange.items()]
    return found


@pytest.mark.parametrize("name", sound("probe"))
def test_probes_ask_ports_that_are_declared(name: str) -> None:
    assert strange_probes(whole(name)) == []


def test_the_fault_probes_another_port() -> None:
    assert strange_probes(whole("faults/wrong-probe")) == ["chatapp readinessProbe 8081"]


def test_all_that_serve_have_three_probes() -> None:
    for workload in (CHATAPP, MYSQL):
        for container in workload["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
            start = container["startupProbe"]
            assert start["periodSeconds"] * start["failureThreshold"] >= 120, "time for a slow start"


@pytest.mark.parametrize("name", SOUND)
def test_selectors_find_their_own_pods_and_no_others(name: str) -> None:
    objects = whole(name)
    labels = {obj["metadata"]["name"]: template["metadata"]["labels"] for obj, template in templates(objects)}
    for obj in objects:
        selector = obj.get("spec", {}).get("selector") or {}
        selector = selector.get("matchLabels", selector)
        if obj["kind"] in ("Deployment", "StatefulSet", "Service"):
            chosen = [owner for owner, theirs in labels.items() if selector.items() <= theirs.items()]
            assert chosen in ([obj["metadata"]["name"]], []), name
            assert chosen or obj["kind"] == "Service"


@pytest.mark.parametrize("name", SOUND)
def test_services_send_to_ports_that_are_declared(name: str) -> None:
    objects = whole(name)
    for service in [o for o in objects if o["kind"] == "Service"]:
        for workload, template in templates(objects):
            if service["spec"]["selector"].items() <= template["metadata"]["labels"].items():
                for port in service["spec"]["ports"]:
                    assert any(port["targetPort"] in ports_of(c) for c in containers(template)), workload["metadata"]["name"]


def lost_backends(objects: list[Object]) -> list[str]:
    found = []
    for ingress in [o for o in objects if o["kind"] == "Ingress"]:
        for path in [p for rule in ingress["spec"]["rules"] for p in rule["http"]["paths"]]:
            service, port = path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"]
            ports = [p["name"] for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == service for p in o["spec"]["ports"]]
            found += [] if port in ports else [f"{service}:{port}"]
    return found


@pytest.mark.parametrize("name", sound("backend"))
def test_ingresses_send_to_services_that_are_there(name: str) -> None:
    assert lost_backends(whole(name)) == []


def test_the_fault_sends_to_a_port_that_is_not() -> None:
    assert lost_backends(whole("faults/wrong-backend")) == ["chatapp:web"]


@pytest.mark.parametrize("name", SOUND)
def test_mounts_and_accounts_are_declared(name: str) -> None:
    objects = whole(name)
    accounts = {o["metadata"]["name"] for o in objects if o["kind"] == "ServiceAccount"}
    for workload, template in templates(objects):
        spec = template["spec"]
        volumes = {v["name"] for v in spec.get("volumes", [])} | {c["metadata"]["name"] for c in workload["spec"].get("volumeClaimTemplates", [])}
        mounted = {m["name"] for c in containers(template) for m in c.get("volumeMounts", [])}
        assert mounted == volumes
        assert spec.get("serviceAccountName") in {None, *accounts}


@pytest.mark.parametrize("name", NAMES)
def test_every_object_says_what_it_belongs_to(name: str) -> None:
    for obj in [*needed(name), *own(name)]:
        labels = obj["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"]
        if name != "rbac":
            assert labels["app.kubernetes.io/part-of"] == "chatapp"
        for _, template in templates([obj]):
            assert labels.items() <= template["metadata"]["labels"].items()


# ---- pods


@pytest.mark.parametrize("name", sound("image"))
def test_images_have_a_tag_and_the_simulation_knows_them(name: str) -> None:
    for _, template in templates(whole(name)):
        for container in containers(template):
            assert re.search(r":(?!latest$)[\w.-]+$", container["image"])
            assert application(container["image"]) is not None


def test_the_fault_has_an_image_that_nobody_knows() -> None:
    ((_, template),) = [t for t in templates(whole("faults/bad-image")) if t[0]["metadata"]["name"] == "chatapp"]
    assert [application(c["image"]) for c in containers(template)] == [None]


def restricted(template: Object) -> list[str]:
    """What Pod Security's level "restricted" would say, and a read-only root beside it."""
    spec, found = template["spec"], []
    if spec.get("hostNetwork") or spec.get("hostPID") or any("hostPath" in v for v in spec.get("volumes", [])):
        found.append("host")
    for c in containers(template):
        held = {**spec.get("securityContext", {}), **c.get("securityContext", {})}
        rules = {
            "non-root": held.get("runAsNonRoot") is True and held.get("runAsUser") != 0,
            "escalation": held.get("allowPrivilegeEscalation") is False,
            "capabilities": held.get("capabilities") == {"drop": ["ALL"]},
            "seccomp": held.get("seccompProfile") == {"type": "RuntimeDefault"},
            "read-only": held.get("readOnlyRootFilesystem") is True,
            "requests": {"cpu", "memory"} <= c.get("resources", {}).get("requests", {}).keys(),
            "limit": "memory" in c.get("resources", {}).get("limits", {}),
        }
        found += [f"{c['name']} {rule}" for rule, kept in rules.items() if not kept]
    return found


def test_pods_are_as_strict_as_their_images_allow() -> None:
    assert restricted(CHATAPP["spec"]["template"]) == []
    assert restricted(LOAD["spec"]["template"]) == []
    # MySQL itself is strict; the container before it hands the directory over, as root and with that one capability
    assert restricted(MYSQL["spec"]["template"]) == ["own-data non-root", "own-data capabilities"]
    (before,) = MYSQL["spec"]["template"]["spec"]["initContainers"]
    assert before["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
    assert before["command"] == ["chown", "999:999", "/var/lib/mysql"]


def test_no_pod_gets_a_token_that_it_does_not_use() -> None:
    assert only(STORY, "ServiceAccount", "chatapp")["automountServiceAccountToken"] is False
    for workload in (MYSQL, LOAD):
        assert workload["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
