"""Rollouts, Jobs, nodes and HPAs on a real API server with its controllers, beside kubectl's own words: KUBEPANE_TEST_KUBECONFIG.

Where KWOK plays the pods an annotation keeps those of a template from ever becoming ready; kubelets find no image for them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clusters import live
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.stores import Stores
from kubepane.insight import hpa, jobs, nodes, quantities, rollout_status, rollouts, workloads
from kubepane.insight.finding import Level
from kubepane.insight.nodes import Requested
from kubepane.insight.rollouts import Phase

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl to compare with"),
    pytest.mark.timeout(240),
]
NEVER = {"pod-ready.stage.kwok.x-k8s.io/delay": "1h", "pod-ready.stage.kwok.x-k8s.io/jitter-delay": "2h"}
OLD, NEW = "registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10"
STATUS: tuple[tuple[Kind, Any], ...] = (
    (k.DEPLOYMENTS, rollout_status.deployment_status), (k.STATEFULSETS, rollout_status.statefulset_status), (k.DAEMONSETS, rollout_status.daemonset_status),
)  # fmt: skip
READ = (k.DEPLOYMENTS, k.REPLICASETS, k.STATEFULSETS, k.DAEMONSETS, k.JOBS, k.PODS, k.EVENTS)


def kubectl(*args: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", "--kubeconfig", KUBECONFIG, *args], input=given, capture_output=True, text=True, timeout=60, check=False)


def raw(path: str) -> Any:
    done = kubectl("get", "--raw", path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read(stores: Stores, *kinds: Kind, where: str = "") -> None:
    for kind in kinds:
        stores.of(kind).replace([k.decode(kind, json.dumps(item).encode()) for item in raw(kind.path(where))["items"]])


@pytest.fixture
def place() -> Iterator[str]:
    """A namespace of our own that goes afterwards."""
    name = f"rollouts-{secrets.token_hex(3)}"
    assert kubectl("create", "namespace", name).returncode == 0
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def workload(kind: str, name: str, image: str = OLD, notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"labels": {"app": name}, "annotations": notes or {}}
    template = {"metadata": meta, "spec": {"containers": [{"name": "app", "image": image}]}}
    more = {"serviceName": name} if kind == "StatefulSet" else {}
    body = {"selector": {"matchLabels": {"app": name}}, "template": template, **more, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def apply(place: str, *objects: dict[str, Any]) -> None:
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    done = kubectl("-n", place, "apply", "--server-side", "--force-conflicts", "-f", "-", given=given)
    assert done.returncode == 0, done.stderr


class Watch:
    """Reads again and again, compares each object with kubectl's word on the same version of it, and notes what was seen."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.stores = live()
        self.compared = 0
        self.seen: dict[str, list[tuple[Phase, Level]]] = {}
        read(self.stores, k.NODES)

    def look(self) -> None:
        read(self.stores, *READ, where=self.place)
        for kind, status in STATUS:
            for obj in self.stores.of(kind):
                self._compare(kind, obj, status(obj))
                found = workloads.assess(obj, self.stores)
                assert found.rollout is not None
                stage = (found.rollout.phase, found.level)
                told = self.seen.setdefault(obj.metadata.name, [])
                if not told or told[-1] != stage:
                    told.append(stage)

    def _compare(self, kind: Kind, obj: Any, verdict: rollout_status.Verdict) -> None:
        name = f"{kind.plural}/{obj.metadata.name}"
        said = kubectl("-n", self.place, "rollout", "status", name, "--watch=false")
        after = raw(f"{kind.path(self.place)}/{obj.metadata.name}")["metadata"]["resourceVersion"]
        if after == obj.metadata.resource_version:
            self.compared += 1
            assert verdict.text == (said.stdout + said.stderr).strip().removeprefix("error: "), name

    def until(self, name: str, phase: Phase, limit: float = 60.0) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self.look()
            if self.seen.get(name, [(None, None)])[-1][0] is phase:
                return
        pytest.fail(f"{name} never was {phase}: {self.seen.get(name)}")


def test_rollouts_in_kubectls_words_from_the_first_pod_to_the_last(place: str) -> None:
    apply(
        place, workload("Deployment", "web", replicas=3), workload("Deployment", "held", replicas=2), workload("StatefulSet", "db", replicas=2),
        workload("DaemonSet", "agent"), workload("Deployment", "stuck", replicas=2, progressDeadlineSeconds=600),
    )  # fmt: skip
    watch = Watch(place)
    for name in ("web", "held", "db", "agent", "stuck"):
        watch.until(name, Phase.STEADY)
    assert kubectl("-n", place, "rollout", "pause", "deployment/held").returncode == 0
    apply(
        place, workload("Deployment", "web", NEW, replicas=3, minReadySeconds=2), workload("StatefulSet", "db", NEW, replicas=2),
        workload("DaemonSet", "agent", NEW), workload("Deployment", "stuck", "example.com/there-is-none:1", NEVER, replicas=2, progressDeadlineSeconds=5),
    )  # fmt: skip
    assert kubectl("-n", place, "set", "image", "deployment/held", f"app={NEW}").returncode == 0
    watch.until("web", Phase.ROLLING)
    web = watch.stores.deployments.named(place, "web")
    assert web is not None
    under_way = rollouts.of(web, watch.stores)
    assert under_way.old is not None
    assert (under_way.old.revision, under_way.new.revision, under_way.surge, under_way.unavailable) == (1, 2, 1, 0)
    for name in ("web", "db", "agent"):
        watch.until(name, Phase.STEADY)
    for _ in range(8):
        watch.look()
    held, stuck = (watch.stores.deployments.named(place, name) for name in ("held", "stuck"))
    assert held is not None
    assert stuck is not None
    assert watch.seen["held"][-1] == (Phase.ROLLING, Level.OFF)
    assert workloads.assess(held, watch.stores).text == "paused"
    assert watch.seen["stuck"][-1] == (Phase.ROLLING, Level.BAD)
    assert workloads.assess(stuck, watch.stores).text.startswith("past deadline")
    done = rollouts.of(watch.stores.deployments.named(place, "web"), watch.stores)  # type: ignore[arg-type]
    assert done.took is not None
    assert 2 <= done.took < 60
    assert watch.compared >= 40
    assert {phase for told in watch.seen.values() for phase, _ in told} >= {Phase.ROLLING, Phase.STEADY}


def test_pods_that_are_refused_by_a_quota_are_the_cause(place: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}}
    apply(place, quota)
    while "hard" not in raw(f"/api/v1/namespaces/{place}/resourcequotas/few").get("status", {}):
        pass  # until its controller has seen it, it holds nobody back
    apply(place, workload("Deployment", "web", replicas=3))
    watch = Watch(place)
    watch.until("web", Phase.STEADY)
    apply(place, workload("Deployment", "web", replicas=5), workload("StatefulSet", "db", replicas=1))
    end, texts, web = time.monotonic() + 30, {""}, None
    while time.monotonic() < end and "quota few: pods 3 of 3 used" not in texts:
        watch.look()
        web = watch.stores.deployments.named(place, "web")
        assert web is not None
        texts = {workloads.assess(web, watch.stores).text}
    assert texts == {"quota few: pods 3 of 3 used"}
    db = watch.stores.statefulsets.named(place, "db")
    assert db is not None
    assert workloads.assess(db, watch.stores).text == "quota few: pods 3 of 3 used"
    assert web is not None
    found = workloads.explain_workload(web, watch.stores, datetime.now(UTC))
    assert found[0].evidence[0].field == "status.conditions[ReplicaFailure]"


def test_jobs_read_as_kubectl_prints_them(place: str) -> None:
    def job(name: str, notes: dict[str, str] | None = None, command: str = "sleep 2", **spec: Any) -> dict[str, Any]:
        container = {"name": "app", "image": "busybox:1.37", "command": ["sh", "-c", command]}
        template = {"metadata": {"annotations": notes or {}}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}

    apply(
        place,
        job("quick"),
        job("many", completions=3, parallelism=2),
        job("slow", NEVER, "sleep 600", activeDeadlineSeconds=4),
        job("off", suspend=True),
    )
    stores, seen = live(), set()
    read(stores, k.NODES)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        read(stores, k.JOBS, k.PODS, where=place)
        rows = {line.split()[0]: line.split()[1:3] for line in kubectl("-n", place, "get", "jobs", "--no-headers").stdout.splitlines()}
        newer = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in raw(k.JOBS.path(place))["items"]}
        for found in stores.jobs:
            if newer[found.metadata.name] == found.metadata.resource_version:
                assert [jobs.job_status(found), jobs.completions(found)] == rows[found.metadata.name]
        states = {j.metadata.name: jobs.job_status(j) for j in stores.jobs}
        seen |= set(states.items())
        if states == {"quick": "Complete", "many": "Complete", "slow": "Failed", "off": "Suspended"}:
            break
    assert states == {"quick": "Complete", "many": "Complete", "slow": "Failed", "off": "Suspended"}
    slow = stores.jobs.named(place, "slow")
    assert slow is not None
    assert workloads.assess(slow, stores).text.startswith("past its deadline of 4s")
    assert ("quick", "Running") in seen


def test_what_pods_request_of_nodes_is_what_kubectl_describe_sums_up() -> None:
    stores = live()
    read(stores, k.NODES, k.PODS)
    requested = Requested(stores.pods)
    for node in stores.nodes:
        told = kubectl("describe", "node", node.metadata.name).stdout
        if [p.metadata.resource_version for p in stores.pods] != [i["metadata"]["resourceVersion"] for i in raw(k.PODS.path())["items"]]:
            continue  # something changed while we looked
        load = requested.of(node.metadata.name)
        assert f"({load.pods} in total)" in told
        cpu = next(line.split()[1] for line in told.splitlines() if line.startswith("  cpu "))
        assert quantities.millicores(cpu) == load.cpu
        assert all(taint in told for taint in nodes.taints(node))


def test_hpas_ask_for_what_the_controller_sets() -> None:
    stores = live()
    read(stores, k.AUTOSCALERS, k.DEPLOYMENTS, k.STATEFULSETS, k.REPLICASETS)
    for a in stores.autoscalers:
        found = hpa.assess(a, stores)
        if found.sums.wanted is not None and found.sums.current == found.sums.desired and not found.limit:
            assert found.sums.wanted == found.sums.desired
        if found.at_max:
            assert found.sums.wanted is None or found.sums.wanted > found.sums.highest
