"""A real Kind cluster from nothing to nothing. It takes minutes, 3 GB of memory and the internet, so it runs only when asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubepane_manifests import places
from program.test_kind_interrupted import free_ports
from sources import ROOTS

NAME = f"kubepane-test-{os.getpid()}"


def missing() -> str:
    """Why it cannot run here, "" when it can."""
    if os.environ.get("KUBEPANE_TEST_KIND") != "1":
        return "KUBEPANE_TEST_KIND=1 is not set"
    gone = [name for name in ("kind", "kubectl") if shutil.which(name) is None]
    engines = [name for name in ("docker", "podman") if shutil.which(name)]
    if gone or not engines:
        return f"not installed: {', '.join(gone or ['docker or podman'])}"
    if not any(subprocess.run([name, "info"], capture_output=True, timeout=30, check=False).returncode == 0 for name in engines):
        return f"no container engine runs ({', '.join(engines)})"
    return ""


WHY_NOT = missing()
pytestmark = [pytest.mark.needs_kind, pytest.mark.timeout(3600), pytest.mark.skipif(bool(WHY_NOT), reason=f"no real Kind cluster: {WHY_NOT}")]


class Kind:
    """`kubepane kind` with a kubeconfig and records of its own."""

    def __init__(self, place: Path) -> None:
        self.kubeconfig = place / "kubeconfig"
        self.ports = free_ports()
        paths = os.pathsep.join(map(str, ROOTS.values()))
        self._env = {**os.environ, "PYTHONPATH": paths, "XDG_STATE_HOME": str(place), "KUBECONFIG": str(self.kubeconfig)}

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kubepane", "kind", verb, "--name", NAME, *words]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=3000, check=False)

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["kubectl", "--kubeconfig", str(self.kubeconfig), *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def kind(tmp_path: Path) -> Iterator[Kind]:
    found = Kind(tmp_path)
    yield found
    found.run("down", "--yes")


def test_a_real_cluster_from_nothing_to_nothing(kind: Kind) -> None:
    made = kind.run("up", "--workers", "1", *kind.ports)
    assert made.returncode == 0, made.stderr
    status = kind.run("status", "--format", "json")
    assert status.returncode == 0, status.stdout
    answer = json.loads(status.stdout)
    assert [node["ready"] for node in answer["nodes"]] == [True, True]
    assert [addon["state"] for addon in answer["addons"]] == ["ready"] * 3
    assert {port["container"] for port in answer["ports"]} == {80, 443}
    labelled = kind.kubectl("get", "nodes", "-l", "kubepane.io/created-by=kubepane", "-o", "name")
    assert len(labelled.stdout.split()) == 2
    namespace = kind.kubectl("apply", "-k", str(places.MANIFESTS / "namespace"))
    assert namespace.returncode == 0, namespace.stderr
    story = kind.kubectl("apply", "--dry-run=server", "-k", str(places.MANIFESTS / "story"))
    assert story.returncode == 0, story.stderr
    again = kind.run("up")
    assert (again.returncode, again.stdout.count("was there already")) == (0, 4), again.stderr
    gone = kind.run("down", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert kind.run("status").returncode == 1
    assert f"kind-{NAME}" not in kind.kubeconfig.read_text(encoding="utf-8")
