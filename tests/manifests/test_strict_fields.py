"""Every object of every set is taken by an API server that refuses unknown fields: the embedded one, and a real one where there is one."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.conftest import Wire
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.nodes import add_nodes
from kubepane_manifests import catalogue
from kubepane_manifests.documents import Object
from manifests.paths import collection
from manifests.whole import NAMES, own, whole

KUBECTL = shutil.which("kubectl")
KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", NAMES)
async def test_embedded_creates_every_object(wire: Wire, name: str) -> None:
    for obj in whole(name):
        reply = await wire("POST", f"{collection(obj)}?fieldValidation=Strict", obj)
        assert (reply.code, reply.headers.getall("Warning", [])) == (201, []), reply.body


async def test_embedded_refuses_what_is_misspelt(wire: Wire) -> None:
    (namespace,) = own("namespace")
    assert (await wire("POST", f"{collection(namespace)}?fieldValidation=Strict", namespace)).code == 201
    for obj in [o for name in ("story", "load") for o in own(name)]:
        wrong = copy.deepcopy(obj)
        wrong["metadata"]["lables"] = {}
        reply = await wire("POST", f"{collection(obj)}?fieldValidation=Strict", wrong)
        assert reply.code == 400
        assert 'unknown field "metadata.lables"' in reply.body["message"]


# ---- with kubectl


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    path = tmp_path_factory.mktemp("kubectl") / "kubeconfig"
    cluster = EmbeddedCluster(kubeconfig=path)
    add_nodes(cluster.core, 3)
    with ServedCluster(cluster):
        yield lambda *arguments: run(path, *arguments)


def run(kubeconfig: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    command = [str(KUBECTL), *arguments]
    return subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_kubectl_applies_the_story_once_and_then_nothing(kubectl: Run) -> None:
    folder = str(catalogue.find("story").folder)
    first = kubectl("apply", "-k", folder)
    assert (first.returncode, first.stderr) == (0, "")
    assert [line.rpartition(" ")[2] for line in first.stdout.splitlines()] == ["created"] * len(own("story"))
    again = kubectl("apply", "-k", folder)
    # kubectl sends the list of claim templates again each time, for the server's defaults stand in it; it changes nothing there either
    assert {line.rpartition(" ")[2] for line in again.stdout.splitlines() if "statefulset" not in line} == {"unchanged"}
    assert kubectl("diff", "-k", folder).returncode == 0


@pytest.mark.parametrize("name", [name for name in NAMES if name != "story"])
def test_kubectl_applies_every_set_to_the_story_and_its_cure(kubectl: Run, name: str) -> None:
    kubectl("apply", "-k", str(catalogue.find("story").folder))
    one = catalogue.find(name)
    applied = kubectl("apply", "-k", str(one.folder))
    assert (applied.returncode, applied.stderr) == (0, "")
    assert kubectl("diff", "-k", str(one.folder)).returncode == 0
    if one.cure:
        verb, other = one.cure
        cured = kubectl(verb, "-k", str(catalogue.find(other).folder))
        assert cured.returncode == 0, cured.stderr
        assert verb == "delete" or kubectl("diff", "-k", str(catalogue.find(other).folder)).returncode == 0


# ---- on a real API server


def moved(objects: list[Object], namespace: str) -> list[Object]:
    """The objects in a namespace of the test's own, which is there already."""
    kept = [copy.deepcopy(obj) for obj in objects if obj["kind"] != "Namespace"]
    for obj in kept:
        if "namespace" in obj["metadata"]:
            obj["metadata"]["namespace"] = namespace
        for subject in obj.get("subjects", []):
            if "namespace" in subject:
                subject["namespace"] = namespace
    return kept


def listed(objects: list[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[Run, str]]:
    namespace, kubeconfig = f"manifests-{os.getpid()}", Path(KUBECONFIG)
    assert run(kubeconfig, "create", "namespace", namespace).returncode == 0
    yield (lambda *arguments, **more: run(kubeconfig, *arguments, **more)), namespace
    run(kubeconfig, "delete", "namespace", namespace, "--wait=false")


real_server = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set"),
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed"),
    pytest.mark.timeout(120),
]


class TestRealServer:
    """Server-side dry runs: nothing but the test's namespace is written."""

    pytestmark = real_server

    @pytest.mark.parametrize("name", NAMES)
    def test_takes_every_object(self, real: tuple[Run, str], name: str) -> None:
        run, namespace = real
        objects = moved(whole(name), namespace) or whole(name)
        done = run("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=listed(objects))
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == len(objects)

    def test_refuses_what_is_misspelt(self, real: tuple[Run, str]) -> None:
        run, namespace = real
        objects: list[Any] = moved(own("chatapp"), namespace)
        objects[-1]["spec"]["ingressClasName"] = "nginx"
        done = run("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=listed(objects))
        assert done.returncode == 1
        assert "unknown field" in done.stderr
        assert "ingressClasName" in done.stderr
