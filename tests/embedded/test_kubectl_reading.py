"""Unmodified kubectl reads the assembled cluster: every kind in every form, describe, logs, events, top, exec, rights, explain."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from embedded.test_kubectl import KUBECTL, Kubectl
from embedded.wholecluster import SOON, kubectl_on, words

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
WEB = ("-l", "app.kubernetes.io/name=chatapp")
HERE = "--namespace=chatapp"


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    with kubectl_on(tmp_path_factory.mktemp("reading"), story=True) as found:
        yield found


@pytest.fixture(scope="module")
def kinds(kubectl: Kubectl) -> list[str]:
    return kubectl("api-resources", "-o", "name", "--verbs=list").split()


def test_every_kind_in_every_form(kubectl: Kubectl, kinds: list[str]) -> None:
    every = ("get", ",".join(kinds), "-A", "-o")
    names = kubectl(*every, "name").split()
    parsed = yaml.load(kubectl(*every, "yaml"), Loader=yaml.CSafeLoader)["items"]
    assert len(parsed) >= len(names) > 300
    assert {obj["kind"] for obj in json.loads(kubectl(*every, "json"))["items"]} == {obj["kind"] for obj in parsed}
    assert "persistentvolumeclaim/data-mysql-0" in names
    assert kubectl(*every, "custom-columns=K:.kind,N:.metadata.name").count("\nPod ") >= 15
    wide = kubectl("get", "nodes,pods,deployments,services,hpa,pvc,ingresses", HERE, "-o", "wide")
    for column in ("CONTAINER-RUNTIME", "NOMINATED NODE", "READINESS GATES", "IMAGES", "VOLUMEMODE", "MINPODS", "SELECTOR"):
        assert column in wide
    assert kubectl("get", "deploy", "chatapp", HERE, "-o", "jsonpath={.status.conditions[*].type}").split() == ["Available", "Progressing"]


def test_describe_every_kind(kubectl: Kubectl, kinds: list[str]) -> None:
    for name in kinds:
        if not name.startswith("events"):
            shown = kubectl.run("describe", name, "-A")
            assert "Name:" in shown.stdout or "No resources found" in shown.stderr, name
    event = kubectl("get", "events", HERE, "-o", "name").split()[0]
    assert "Involved Object:" in kubectl("describe", event, HERE)


def test_describe_says_what_a_user_looks_for(kubectl: Kubectl) -> None:
    pod = kubectl("describe", "pod", "mysql-0", HERE)
    for text in (
        "Controlled By:  StatefulSet/mysql",
        "ClaimName:  data-mysql-0",
        "Startup probe failed",
        "Container started",
        "QoS Class:       Burstable",
    ):
        assert text in pod
    node = kubectl("describe", "nodes", "kubepane-control-plane")
    for text in (
        "node-role.kubernetes.io/control-plane:NoSchedule",
        "HolderIdentity:  kubepane-control-plane",
        "Allocated resources",
        "Starting kubelet.",
    ):
        assert text in node
    assert "resource cpu on pods  (as a percentage of request):" in kubectl("describe", "hpa", HERE)
    assert "/   chatapp:http (10." in kubectl("describe", "ingress", HERE)


def test_watch_of_the_assembled_cluster(kubectl: Kubectl) -> None:
    environment = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)}
    kubectl("create", "namespace", "watched")
    command = [str(KUBECTL), "get", "pods", "--namespace=watched", "--watch", "--no-headers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watch:
        kubectl("run", "once", "--namespace=watched", "--image=busybox", "--restart=Never", "--", "true")
        assert watch.stdout is not None
        seen = []
        while "Completed" not in seen:
            seen.append(watch.stdout.readline().split()[2])
        watch.terminate()
    assert seen == sorted(seen, key=["Pending", "ContainerCreating", "Running", "Completed"].index)


def test_top(kubectl: Kubectl) -> None:
    assert words(kubectl("top", "nodes"))[0][0] == "kubepane-control-plane"
    rows = {row[0]: row for row in words(kubectl("top", "pods", HERE, "--containers"))}
    assert rows["mysql-0"][1:] == ["mysql", rows["mysql-0"][2], rows["mysql-0"][3]]
    assert rows["mysql-0"][2].endswith("m")
    assert rows["mysql-0"][3].endswith("Mi")
    assert len(words(kubectl("top", "pods", "-A", "--sort-by=cpu"))) >= 15


def test_logs(kubectl: Kubectl) -> None:
    assert "Started ChatAppApplication" in kubectl("logs", HERE, *WEB, "--tail=-1", "--prefix")
    assert "ready for connections" in kubectl("logs", HERE, "mysql-0", "--all-containers")
    assert "Found " not in kubectl("logs", HERE, "deploy/chatapp", "--tail=1", "--timestamps").split("\n")[-2][:4]
    assert 'previous terminated container "mysql"' in kubectl.fails("logs", HERE, "mysql-0", "--previous", "-c", "mysql")
    kubectl("run", "teller", "--image=busybox", "--restart=Never", "--", "sh", "-c", "echo one; sleep 30; echo two")
    kubectl("wait", "--for=condition=Ready", "pod/teller", SOON)
    assert kubectl("logs", "teller", "--follow") == "one\ntwo\n"
    crash = ("--image=busybox", "--", "sh", "-c", "echo again; exit 1")
    kubectl("run", "crash", *crash)
    kubectl("wait", "pod/crash", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", SOON)
    assert kubectl("logs", "crash", "--previous") == "again\n"
    kubectl("delete", "pod", "crash", "--now")


def test_events(kubectl: Kubectl) -> None:
    assert "Successfully assigned chatapp/mysql-0 to" in kubectl("events", HERE, "--for", "pod/mysql-0")
    warnings = kubectl("events", "-A", "--types=Warning")
    assert "Startup probe failed" in warnings
    assert "Scaled up replica set" in kubectl("get", "events", HERE, "--sort-by=.lastTimestamp")


def test_exec(kubectl: Kubectl) -> None:
    assert kubectl("exec", HERE, "mysql-0", "-c", "mysql", "--", "hostname") == "mysql-0\n"
    assert kubectl("exec", HERE, "-i", "mysql-0", "-c", "mysql", "--", "sh", stdin="echo in; hostname\n") == "in\nmysql-0\n"
    assert kubectl("exec", HERE, "mysql-0", "-c", "mysql", "--", "mysql", "--version").startswith("mysql  Ver 8.4.")
    failed = kubectl.run("exec", HERE, "deploy/chatapp", "--", "sh", "-c", "exit 3")
    assert failed.returncode == 3
    assert "executable file not found" in kubectl.fails("exec", HERE, "mysql-0", "-c", "mysql", "--", "nope")


def test_run_and_attach(kubectl: Kubectl) -> None:
    once = ("--image=busybox", "--rm", "--restart=Never")
    assert "hello\n" in kubectl("run", "hello", *once, "-i", "--", "echo", "hello")
    failed = kubectl.run("run", "typed", *once, "-i", "--", "sh", stdin="echo typed; hostname; exit 3\n")
    assert (failed.returncode, failed.stdout.startswith("typed\ntyped\n")) == (3, True)
    kubectl("run", "tells", "--image=busybox", "--restart=Never", "--", "sh", "-c", "echo one; sleep 60; echo two")
    kubectl("wait", "--for=condition=Ready", "pod/tells", SOON)
    assert kubectl("attach", "tells") == "one\ntwo\n"
    assert "NotFound" in kubectl.fails("attach", "nobody")


def test_debug(kubectl: Kubectl) -> None:
    image = ("--image=busybox", "--profile=general")
    shown = kubectl("debug", HERE, "mysql-0", *image, "--target=mysql", "-c", "look", "-i", "--", "sh", stdin="echo looking\nexit\n")
    assert "looking\n" in shown
    assert "Ephemeral Containers:\n  look:" in kubectl("describe", "pod", "mysql-0", HERE)
    assert 'targetContainerName: Not found: "nope"' in kubectl.fails("debug", HERE, "mysql-0", *image, "--target=nope", "--", "true")


def test_rights_of_people_and_service_accounts(kubectl: Kubectl) -> None:
    account = "--as=system:serviceaccount:chatapp:chatapp"
    assert kubectl("auth", "can-i", "get", "configmap/mysql-configmap", HERE, account) == "yes\n"
    assert kubectl.run("auth", "can-i", "get", "secrets", HERE, account).stdout == "no\n"
    assert "[mysql-configmap]" in kubectl("auth", "can-i", "--list", HERE, account)
    assert 'User "jane" cannot list resource "pods"' in kubectl.fails("get", "pods", HERE, "--as=jane")
    assert "yes" in kubectl("auth", "can-i", "*", "*")
    assert kubectl("create", "token", "chatapp", HERE).count(".") == 2


def test_explain(kubectl: Kubectl) -> None:
    assert "maxSurge\t<IntOrString>" in kubectl("explain", "deploy.spec.strategy.rollingUpdate")
    assert "stabilizationWindowSeconds" in kubectl("explain", "hpa.spec.behavior", "--recursive")
    assert "doesn't have a resource type" in kubectl.fails("explain", "nonsense")


def test_what_a_simulated_cluster_cannot_do_is_said(kubectl: Kubectl) -> None:
    assert '"tar": executable file not found' in kubectl.run("cp", HERE, "mysql-0:/etc/hostname", "x", "-c", "mysql").stdout
    assert "simulated cluster forwards ports over WebSockets" in kubectl.fails("port-forward", HERE, "mysql-0", "13306:3306")
