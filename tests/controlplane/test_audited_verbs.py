"""Each verb from the command line, and what the audit log of a real API server has of it: what was confirmed, nothing more, nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controlplane.waiting import until
from kubepane import cli
from kubepane_controlplane.plane import ControlPlane

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
SPACE = "audited"
APPS = f"/apis/apps/v1/namespaces/{SPACE}"
NODE = "/api/v1/nodes/worker-1"
METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}
SET = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {SPACE}}}
data: {{colour: blue}}
---
apiVersion: v1
kind: Service
metadata: {{name: front, namespace: {SPACE}}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
"""


@dataclass
class Bench:
    """A real control plane, and the two logs of what is changed on it."""

    plane: ControlPlane
    state: Path
    read: int = 0

    @property
    def own(self) -> Counter[str]:
        """What the program's audit file says was done."""
        file = self.state / "kubepane" / "audit.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        return Counter(f"{line['method']} {line['path']}" for line in lines if line["end"] == "done")

    def servers(self) -> tuple[Counter[str], Counter[str]]:
        """What the server's has of the program since the last time: changes, and dry runs."""
        made, rehearsed = Counter[str](), Counter[str]()
        lines = (self.plane.folder / "audit.log").read_text().splitlines()
        for line in lines[self.read :]:
            event: dict[str, Any] = json.loads(line)
            path, _, query = event["requestURI"].partition("?")
            if event["verb"] in METHODS and event["userAgent"].startswith("kubepane/") and "/authorization.k8s.io/" not in path:
                (rehearsed if "dryRun=All" in query else made)[f"{METHODS[event['verb']]} {path}"] += 1
        self.read = len(lines)
        return made, rehearsed

    def run(self, *words: str) -> int:
        """One command."""
        return cli.main([*words, "--kubeconfig", str(self.plane.kubeconfig), "-n", SPACE])

    def ready(self, name: str) -> bool:
        """Whether a Deployment has come to rest: its controller will not write any more, so that nothing we send can meet a newer version."""
        _, body = self.plane.get(f"{APPS}/deployments/{name}")
        found = json.loads(body)
        status = found.get("status", {})
        counts = {status.get(f"{word}eplicas") for word in ("r", "updatedR", "availableR")}
        settled = counts == {found["spec"]["replicas"]} and not status.get("terminatingReplicas")
        return settled and status["observedGeneration"] == found["metadata"]["generation"]


@pytest.fixture(scope="module")
def furnished(plane: ControlPlane) -> ControlPlane:
    """With a namespace and a Deployment."""
    plane.create("/api/v1/namespaces", {"metadata": {"name": SPACE}})
    until(lambda: plane.get(f"/api/v1/namespaces/{SPACE}/serviceaccounts/default")[0] == 200)
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    plane.create(f"{APPS}/deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
    return plane


@pytest.fixture
def bench(furnished: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = Bench(furnished, tmp_path)
    until(lambda: found.ready("web"), 90, "the end of the rollout before")
    found.servers()
    return found


STEPS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("scale", "deploy/web", "3"), (f"PUT {APPS}/deployments/web/scale",)),
    (("restart", "deploy/web"), (f"PATCH {APPS}/deployments/web",)),
    (("undo", "deploy/web"), (f"PATCH {APPS}/deployments/web",)),
    (("pause", "deploy/web"), (f"PATCH {APPS}/deployments/web",)),
    (("resume", "deploy/web"), (f"PATCH {APPS}/deployments/web",)),
    (("taint", "node/worker-1", "audited=x:PreferNoSchedule"), (f"PATCH {NODE}",)),
    (("untaint", "node/worker-1", "audited:PreferNoSchedule"), (f"PATCH {NODE}",)),
    (("cordon", "node/worker-1"), (f"PATCH {NODE}",)),
    (("uncordon", "node/worker-1"), (f"PATCH {NODE}",)),
)


@pytest.mark.parametrize(("words", "changes"), STEPS, ids=lambda each: each[0] if isinstance(each, tuple) and " " not in each[0] else "")
def test_the_server_has_exactly_what_was_confirmed(bench: Bench, words: tuple[str, ...], changes: tuple[str, ...]) -> None:
    assert bench.run(*words, "--dry-run") == 0
    made, rehearsed = bench.servers()
    assert (made, rehearsed) == (Counter(), Counter(changes))
    assert bench.run(*words, "--yes") in (0, 1)  # 1: done, and its effect takes longer than this cluster allows
    made, rehearsed = bench.servers()
    assert made == Counter(changes) == bench.own
    assert rehearsed == Counter(changes)
    assert bench.run(*words, "--read-only") in (1, 4)  # 1: it is so already
    assert bench.servers() == (Counter(), Counter())


def test_a_set_is_applied_and_deleted_object_by_object(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "set.yaml"
    file.write_text(SET)
    paths = [f"/api/v1/namespaces/{SPACE}/configmaps/settings", f"/api/v1/namespaces/{SPACE}/services/front"]
    assert bench.run("apply", str(file), "--yes") == 0
    assert bench.servers() == (Counter(f"PATCH {path}" for path in paths), Counter(f"PATCH {path}" for path in paths))
    assert bench.own == Counter(f"PATCH {path}" for path in paths)
    assert bench.run("delete", str(file), "--yes") == 0
    made, _ = bench.servers()
    assert made == Counter(f"DELETE {path}" for path in paths) == bench.own


def test_a_drain_evicts_what_it_showed_once(bench: Bench) -> None:
    def pods() -> list[dict[str, Any]]:
        return [
            pod for pod in json.loads(bench.plane.get(f"/api/v1/namespaces/{SPACE}/pods")[1])["items"] if pod["spec"].get("nodeName") == "worker-1"
        ]

    until(lambda: pods() and not any("deletionTimestamp" in pod["metadata"] for pod in pods()), what="the rollouts before")
    names = [pod["metadata"]["name"] for pod in pods()]
    assert bench.run("drain", "node/worker-1", "--yes", "--timeout", "60") in (0, 1)
    made, _ = bench.servers()
    assert made == Counter([f"PATCH {NODE}", *(f"POST /api/v1/namespaces/{SPACE}/pods/{name}/eviction" for name in names)]) == bench.own
    assert bench.run("uncordon", "node/worker-1", "--yes") == 0
