"""What must be so before a Kind cluster is made, and what is said when it is not."""

from __future__ import annotations

import copy
import socket
from pathlib import Path
from typing import Any

import pytest

from kubepane.kindcluster import ports
from program.kindstage import DOCKER, PODMAN, Stage


def engines(docker: dict[str, Any] | None = None, podman: dict[str, Any] | None = None) -> dict[str, Any]:
    host = {**copy.deepcopy(PODMAN["host"]), **(podman or {})}
    return {"docker": {**DOCKER, **(docker or {})}, "podman": {"host": host}}


def untouched(stage: Stage) -> bool:
    return not stage.calls("kind create") and not stage.calls("kubectl") and not stage.record.exists()


@pytest.mark.parametrize("verb", ["up", "down", "status"])
@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("kind",), "not installed: kind; install kind (kind.sigs.k8s.io says how)"),
        (("kubectl",), "not installed: kubectl; install kubectl (kubernetes.io says how)"),
        (("kind", "kubectl"), "not installed: kind and kubectl; install kind (kind.sigs.k8s.io says how) and kubectl (kubernetes.io says how)"),
        (("docker", "podman"), "no container engine: docker and podman missing; install Docker Engine (docs.docker.com) or Podman (podman.io)"),
    ],
)
def test_what_is_missing_is_named(stage: Stage, verb: str, gone: tuple[str, ...], said: str) -> None:
    stage.remove(*gone)
    assert stage.run(verb) == (3, "", f"kubepane kind {verb}: {said}\n")


def test_an_engine_that_does_not_run(stage: Stage) -> None:
    stage.set(up={"docker": False, "podman": False})
    said = stage.run("up")
    assert said.code == 3
    assert said.err.startswith("kubepane kind up: docker: the container engine does not run; start it (systemctl start docker")
    assert "(docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?)" in said.err
    assert untouched(stage)


def test_podman_where_docker_does_not_run(stage: Stage) -> None:
    stage.set(up={"docker": False, "podman": True}, engine="podman")
    assert stage.run("up").code == 0
    assert {call.provider for call in stage.calls("kind create")} == {"podman"}
    stage.set(up={"docker": True, "podman": True})
    assert "was there already, 4 nodes" in stage.run("up").out, "a cluster is looked for where it was made"
    assert len(stage.calls("kind create")) == 1
    stage.set(up={"docker": True, "podman": False})
    said = stage.run("up")
    assert said.code == 3
    assert "podman: the container engine does not run" in said.err


def test_a_podman_that_calls_itself_docker_is_podman(stage: Stage) -> None:
    stage.set(engine="podman", **{"docker is docker": False})
    assert stage.run("up").code == 0
    assert {call.provider for call in stage.calls("kind create")} == {"podman"}


def test_the_engine_that_the_user_names(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    stage.set(engine="podman")
    assert stage.run("up").code == 0
    assert not stage.calls("docker info")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    assert stage.run("up", "--name", "other").code == 3


def test_docker_may_not_be_used(stage: Stage) -> None:
    text = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: connect: permission denied\n"
    stage.remove("podman")
    stage.fails("docker info", text)
    said = stage.run("up")
    assert said.code == 3
    assert "you may not use the engine; join its group (docker)" in said.err


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        ({"CgroupVersion": "1"}, "docker runs on cgroup v1; switch the machine to cgroup v2"),
        (
            {"SecurityOptions": ["name=rootless"], "PidsLimit": False},
            "docker is rootless and may not limit CPU, memory and processes; set Delegate=yes",
        ),
        ({"SecurityOptions": ["name=rootless"], "CgroupDriver": "none"}, "docker is rootless and may not limit"),
    ],
)
def test_cgroups_of_docker(stage: Stage, docker: dict[str, Any], said: str) -> None:
    stage.set(info=engines(docker))
    answer = stage.run("up")
    assert answer.code == 3
    assert said in answer.err
    assert untouched(stage)


@pytest.mark.parametrize(
    ("podman", "code"),
    [
        ({"cgroupVersion": "v1"}, 3),
        ({"security": {"rootless": True}, "cgroupControllers": ["memory", "pids"]}, 3),
        ({"security": {"rootless": False}, "cgroupControllers": ["memory", "pids"]}, 0),
        ({"security": {"rootless": False}, "cgroupControllers": None}, 0),
    ],
)
def test_cgroups_of_podman(stage: Stage, podman: dict[str, Any], code: int) -> None:
    stage.remove("docker")
    stage.set(info=engines(podman=podman), engine="podman")
    assert stage.run("up").code == code


def test_a_rootless_engine_may_not_have_low_ports(stage: Stage) -> None:
    stage.set(info=engines({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}))
    said = stage.run("up")
    assert said.code == 1
    assert "docker is rootless and may have no port below 1024, so not 80; use --http-port 8080, or sudo sysctl" in said.err
    assert untouched(stage)
    assert stage.run("up", "--http-port", "8080", "--https-port", "8443").code == 0


def test_low_inotify_limits_are_said_and_it_goes_on(stage: Stage) -> None:
    (ports.PROC / "sys/fs/inotify/max_user_instances").write_text("128\n")
    said = stage.run("up")
    assert said.code == 0
    first = said.out.splitlines()[0]
    assert first.startswith("▲ fs.inotify.max_user_instances is 128: pods may fail with “too many open files”; sudo sysctl")
    assert "max_user_watches is" not in first


def test_limits_of_this_machine_say_nothing_about_an_engine_elsewhere(stage: Stage) -> None:
    (ports.PROC / "sys/fs/inotify/max_user_instances").write_text("128\n")
    stage.set(info=engines({"Name": "docker-desktop"}))
    assert "inotify" not in stage.run("up").out


def test_an_old_kind_is_said(stage: Stage) -> None:
    stage.set(kind="v0.20.0")
    assert "▲ kind v0.20.0 is older than the node image" in stage.run("up").out


def test_a_port_that_a_container_has(stage: Stage) -> None:
    stage.set(containers=[{"id": "f" * 64, "name": "web", "cluster": "", "state": "running", "ports": [[443, 8443]]}])
    said = stage.run("up")
    assert said.code == 1
    assert "port 443 of this machine is taken by the container web; stop it, or choose another with --https-port; nothing was changed" in said.err
    assert untouched(stage)


def test_a_port_that_a_program_has(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "taken", lambda port: port == 80)
    monkeypatch.setattr(ports, "listener", lambda port: "nginx (pid 812)")
    assert "port 80 of this machine is taken by nginx (pid 812); stop it, or choose another with --http-port" in stage.run("up").err
    monkeypatch.setattr(ports, "listener", lambda port: "")
    assert "port 80 of this machine is taken by a program of another user" in stage.run("up").err
    assert stage.run("up", "--http-port", "8080").code == 0


# ---- ports themselves


def test_a_port_is_taken_while_somebody_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert ports.taken(port)
        assert ports.listener(port).endswith(")")
        assert "(pid " in ports.listener(port)
    assert not ports.taken(port)
    assert ports.listener(port) == ""


def test_a_listener_on_all_addresses_counts() -> None:
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        assert ports.taken(server.getsockname()[1])


def test_without_proc_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PROC", tmp_path)
    assert ports.listener(80) == ""
    assert ports.lowest_without_rights() == 1024
