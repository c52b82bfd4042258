"""Probes: thresholds, delays, the startup probe that holds the others back, and what a failure says (texts read from upstream's source)."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.kubelet_stage import APP, BOX, WEB, Stage

HTTP = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def probed(stage: Stage, annotations: dict[str, str] | None = None, image: str = WEB, **probes: Any) -> None:
    """A pod with probes; time passes until its container runs."""
    stage.pod(annotations=annotations, containers=[{"name": "c", "image": image, "ports": [{"name": "web", "containerPort": 80}], **probes}])
    while "running" not in stage.status().get("containerStatuses", [{"state": {}}])[0]["state"]:
        stage.run(0.05)


def test_readiness_needs_its_probe(stage: Stage) -> None:
    probed(stage, readinessProbe={**HTTP, "initialDelaySeconds": 7})
    stage.run(6)
    assert not stage.container()["ready"]
    assert stage.container()["started"]
    stage.run(2)
    assert stage.container()["ready"]
    assert stage.condition("Ready")["status"] == "True"


def test_success_threshold_is_counted(stage: Stage) -> None:
    probed(stage, readinessProbe={**HTTP, "successThreshold": 3})
    stage.run(9)
    assert not stage.container()["ready"]
    stage.run(2)
    assert stage.container()["ready"]


def test_readiness_that_fails_takes_the_pod_out_and_does_not_restart_it(stage: Stage) -> None:
    probed(stage, {"sim.kubepane.io/probe-readiness": "503@after=20s"}, readinessProbe={**HTTP, "failureThreshold": 2})
    stage.run(10)
    assert stage.condition("Ready")["status"] == "True"
    stage.run(14)
    assert stage.condition("Ready")["status"] == "True"  # one failure is not enough
    stage.run(5)
    assert stage.condition("Ready") | {"lastTransitionTime": ""} == {
        "type": "Ready",
        "status": "False",
        "observedGeneration": 1,
        "lastProbeTime": None,
        "lastTransitionTime": "",
        "reason": "ContainersNotReady",
        "message": "containers with unready status: [c]",
    }
    assert stage.messages("Unhealthy") == ["Readiness probe failed: HTTP probe failed with statuscode: 503"]
    stage.run(300)
    assert stage.container()["restartCount"] == 0


def test_liveness_that_fails_restarts_the_container(stage: Stage) -> None:
    probed(stage, {"sim.kubepane.io/probe-liveness": "404@after=20s"}, livenessProbe={**HTTP, "failureThreshold": 3})
    stage.run(33)
    assert stage.messages("Unhealthy") == ["Liveness probe failed: HTTP probe failed with statuscode: 404"]
    assert stage.messages("Killing") == ["Container c failed liveness probe, will be restarted"]
    stage.run(5)
    container = stage.container()
    assert container["restartCount"] == 1
    assert container["lastState"]["terminated"]["exitCode"] == 0
    assert container["lastState"]["terminated"]["reason"] == "Completed"


def test_pod_that_never_restarts_fails_by_its_liveness_probe(stage: Stage) -> None:
    container = {"name": "c", "image": APP, "livenessProbe": {"tcpSocket": {"port": 8080}, "initialDelaySeconds": 20, "periodSeconds": 5}}
    stage.pod(annotations={"sim.kubepane.io/probe-liveness": "refused"}, containers=[container], restartPolicy="Never")
    stage.run(60)
    assert stage.messages("Killing") == ["Container c failed liveness probe"]
    assert stage.status()["phase"] == "Failed"
    assert stage.container()["state"]["terminated"]["exitCode"] == 143


def test_startup_probe_holds_the_others_back(stage: Stage) -> None:
    http = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 3}
    probed(stage, {"sim.kubepane.io/start": "6s"}, image=APP, startupProbe={**http, "failureThreshold": 30}, readinessProbe=http, livenessProbe=http)
    stage.run(4)
    assert not stage.container()["started"]
    stage.run(6)
    assert stage.container()["started"]
    assert stage.container()["ready"]
    refused = 'Startup probe failed: Get "http://10.244.1.2:8080/login": dial tcp 10.244.1.2:8080: connect: connection refused'
    assert stage.messages("Unhealthy") == [refused]


def test_startup_probe_that_never_succeeds_restarts_the_container(stage: Stage) -> None:
    probed(stage, {"sim.kubepane.io/start": "300s"}, image=APP, startupProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 5, "failureThreshold": 4})
    stage.run(20)
    assert stage.messages("Killing") == ["Container c failed startup probe, will be restarted"]
    stage.run(10)
    assert stage.container()["restartCount"] == 1


WORDS = [
    ({"httpGet": {"path": "/nope", "port": 80}}, "", "HTTP probe failed with statuscode: 404"),
    ({"httpGet": {"path": "/", "port": "web"}}, "503", "HTTP probe failed with statuscode: 503"),
    ({"httpGet": {"path": "/", "port": 81}}, "", 'Get "http://10.244.1.2:81/": dial tcp 10.244.1.2:81: connect: connection refused'),
    (
        {"httpGet": {"path": "/x", "port": 80, "scheme": "HTTPS"}},
        "timeout",
        'Get "https://10.244.1.2:80/x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    ),
    ({"tcpSocket": {"port": 81}}, "", "dial tcp 10.244.1.2:81: connect: connection refused"),
    ({"tcpSocket": {"port": 80}}, "timeout", "dial tcp 10.244.1.2:80: i/o timeout"),
    ({"grpc": {"port": 81}}, "", 'timeout: failed to connect service "10.244.1.2:81" within 2s: context deadline exceeded'),
    (
        {"grpc": {"port": 80}},
        "",
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health",
    ),
    ({"exec": {"command": ["sleep", "5"]}}, "timeout", 'command timed out: "sleep 5" timed out after 2s'),
]


@pytest.mark.parametrize(("action", "fault", "text"), WORDS)
def test_what_a_failed_probe_says(stage: Stage, action: dict[str, Any], fault: str, text: str) -> None:
    annotations = {"sim.kubepane.io/probe-readiness": fault} if fault else {}
    probed(stage, annotations, readinessProbe={**action, "timeoutSeconds": 2})
    stage.run(1)
    assert stage.messages("Unhealthy") == [f"Readiness probe failed: {text}"]


EXEC = [
    (["cat", "/run/healthy"], "cat: can't open '/run/healthy': No such file or directory\n"),
    (["sh", "-c", "echo no; exit 1"], "no\n"),
    (["sleep", "5"], 'command timed out: "sleep 5" timed out after 1s'),
]


@pytest.mark.parametrize(("command", "text"), EXEC)
def test_exec_probe_runs_in_the_container(stage: Stage, command: list[str], text: str) -> None:
    stage.box("sleep 1000", container={"readinessProbe": {"exec": {"command": command}}})
    stage.run(5)
    assert stage.messages("Unhealthy") == [f"Readiness probe failed: {text}"]


def test_exec_probe_sees_what_the_container_has_written(stage: Stage) -> None:
    program = "sleep 10; echo ok > /run/healthy; sleep 20; rm /run/healthy; sleep 1000"
    stage.box(program, container={"readinessProbe": {"exec": {"command": ["cat", "/run/healthy"]}, "periodSeconds": 2, "failureThreshold": 1}})
    stage.run(8)
    assert not stage.container()["ready"]
    stage.run(10)
    assert stage.container()["ready"]
    stage.run(20)
    assert not stage.container()["ready"]


def test_port_without_a_number_is_an_error_that_does_not_count(stage: Stage) -> None:
    probed(stage, livenessProbe={"httpGet": {"path": "/", "port": "nope"}, "periodSeconds": 1})
    stage.run(30)
    text = 'Liveness probe errored and resulted in unknown state: strconv.Atoi: parsing "nope": invalid syntax'
    assert stage.messages("Unhealthy") == [text]
    assert stage.container()["restartCount"] == 0


def test_redirect_to_a_page_of_its_own_is_a_success(stage: Stage) -> None:
    probed(stage, image=APP, readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1})
    stage.run(10)
    assert stage.container()["ready"]


def test_probe_reaches_the_other_container_of_the_pod(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    stage.pod(containers=[{"name": "web", "image": WEB}, {"name": "c", "image": BOX, "command": ["sleep", "1000"], "readinessProbe": probe}])
    stage.run(10)
    assert stage.container()["ready"]


def test_fault_that_is_taken_back_lets_the_pod_recover(stage: Stage) -> None:
    probed(stage, {"sim.kubepane.io/probe-readiness": "503"}, readinessProbe=HTTP)
    stage.run(20)
    assert not stage.container()["ready"]
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": {"sim.kubepane.io/probe-readiness": None}}})
    stage.run(6)
    assert stage.container()["ready"]


def test_grace_of_the_probe_is_used(stage: Stage) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 4}
    stage.box("sleep 1000", container={"livenessProbe": probe})
    stage.run(8)
    assert stage.container()["state"].get("terminated", stage.container()["lastState"].get("terminated"))["exitCode"] == 137
