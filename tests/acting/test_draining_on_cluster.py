"""Drain from the command line on an assembled cluster: the server has had exactly what was shown, and the end is told truly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane import exits
from kubepane.acting import evicting
from kubepane.cluster import writer as writing_room
from living import CORE, NODES, WORKER, Asked, Command, Cut, Living, Terminal, living

POLICY = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Living]:
    with living(tmp_path) as made:
        yield made


@pytest.fixture
def run(cluster: Living, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(writing_room, "LOOKS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(evicting, "AGAIN", 0.05)
    return Command(cluster, capsys, monkeypatch)


def until_running(cluster: Living, count: int) -> list[dict[str, Any]]:
    """The pods of the shop once so many run."""
    while True:
        pods: list[dict[str, Any]] = cluster.get(f"{CORE}/pods")["items"]
        if len([one for one in pods if one["status"].get("phase") == "Running" and "deletionTimestamp" not in one["metadata"]]) == count:
            return pods


def pinned(cluster: Living, name: str, replicas: int, **pod: Any) -> list[str]:
    """A Deployment whose pods run on the first worker, but may run on others; the paths of their evictions."""
    others = [f"{WORKER}2", f"{WORKER}3"]
    for node in others:
        cluster.patch(f"{NODES}/{node}", {"spec": {"unschedulable": True}})
    before = len(cluster.get(f"{CORE}/pods")["items"])
    cluster.deploy(name, replicas, **pod)
    pods = until_running(cluster, before + replicas)
    for node in others:
        cluster.patch(f"{NODES}/{node}", {"spec": {"unschedulable": None}})
    return [f"POST {CORE}/pods/{one['metadata']['name']}/eviction" for one in pods if one["metadata"]["name"].startswith(f"{name}-")]


def budget(cluster: Living, name: str, app: str, **spec: Any) -> None:
    cluster.call("POST", POLICY, {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}})
    status: dict[str, Any] = {}
    while not status.get("observedGeneration") or status["currentHealthy"] < status["expectedPods"]:
        status = cluster.get(f"{POLICY}/{name}").get("status", {})


def elsewhere(cluster: Living) -> list[str]:
    """Evictions of the add-ons that happen to run on the node."""
    pods = cluster.get(f"/api/v1/pods?fieldSelector=spec.nodeName={WORKER}")["items"]
    return [
        f"POST /api/v1/namespaces/{one['metadata']['namespace']}/pods/{one['metadata']['name']}/eviction"
        for one in pods
        if one["metadata"]["namespace"] != "shop" and one["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet"
    ]


def left_on(cluster: Living) -> list[str]:
    pods = cluster.get(f"/api/v1/pods?fieldSelector=spec.nodeName={WORKER}")["items"]
    return [one["metadata"]["name"] for one in pods if one["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet"]


def test_a_node_is_cordoned_once_and_each_pod_evicted_once(run: Command, cluster: Living) -> None:
    evictions = [*pinned(cluster, "web", 5), *elsewhere(cluster)]
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", at=Terminal("y"))
    assert (said.code, said.err) == (exits.DONE, "")
    assert said.out.splitlines()[-1].startswith(f"all {len(evictions)} gone after ")
    assert "a DaemonSet would make them anew here" in said.out
    first, *others = cluster.changes()
    assert first == f"PATCH {NODES}/{WORKER}"
    assert sorted(others) == sorted(evictions)
    assert left_on(cluster) == []
    assert cluster.get(f"{NODES}/{WORKER}")["spec"]["unschedulable"] is True


def test_a_dry_run_and_a_refusal_change_nothing(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 1)
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--dry-run")
    assert said.code == exits.DONE
    assert "shop/web-" in said.out
    assert run("drain", f"node/{WORKER}", "--delete-emptydir-data", at=Terminal("n")).code == exits.REFUSED
    assert cluster.changes() == []


def test_a_pod_that_may_not_go_keeps_the_node_as_it_is(run: Command, cluster: Living) -> None:
    pinned(cluster, "cache", 1, volumes=[{"name": "tmp", "emptyDir": {}}])
    said = run("drain", f"node/{WORKER}", "--yes")
    assert said.code == exits.NO
    assert "data in an emptyDir would be lost: shop/cache-" in said.err
    assert cluster.changes() == []


def test_a_budget_is_waited_for_until_it_lets_the_pods_go(run: Command, cluster: Living) -> None:
    evictions = pinned(cluster, "web", 3)
    budget(cluster, "web", "web", minAvailable=2)
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes")
    assert said.code == exits.DONE, said
    assert "PDB web lets 1 of 3 go now" in said.out
    assert "for PDB web, which needs 2 healthy pods and has " in said.out
    assert set(evictions) <= set(cluster.changes())
    assert left_on(cluster) == []


def test_a_budget_that_lets_none_go_is_waited_for_until_the_time_is_up(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 2)
    budget(cluster, "web", "web", maxUnavailable=0)
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes", "--timeout", "1.5")
    assert said.code == exits.NO
    assert "2 not evicted: shop/web-" in said.err
    assert said.err.endswith(f"; kubepane uncordon node/{WORKER} takes it back\n")
    assert said.err.count("\n") == 1
    assert len(left_on(cluster)) == 2


def test_two_budgets_of_one_pod_are_told_and_the_others_go(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 1)
    for name in ("one", "two"):
        budget(cluster, name, "web", maxUnavailable=1)
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--dry-run")
    assert "PDBs one and two both protect web-" in said.out
    assert said.code == exits.REFUSED  # the dry run says the same
    assert "more than one PodDisruptionBudget" in said.err
    assert cluster.changes() == []


def test_an_interrupt_stops_it_and_says_what_was_done(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 2)
    budget(cluster, "web", "web", maxUnavailable=0)
    refused = 0

    def interrupt(asked: Asked) -> None:
        nonlocal refused
        refused += asked.changes and asked.path.endswith("/eviction") and "/shop/" in asked.path
        if refused == 3:
            os.kill(os.getpid(), signal.SIGINT)

    cluster.before = interrupt
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes")
    assert said.code == exits.INTERRUPTED
    assert said.err.startswith("kubepane drain: stopped: ")
    assert f"kubepane uncordon node/{WORKER} takes it back" in said.err
    assert cluster.get(f"{NODES}/{WORKER}")["spec"]["unschedulable"] is True
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_server_that_dies_in_the_middle_gets_nothing_more(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 12)
    gone: list[Asked] = []

    def die(asked: Asked) -> None:
        if gone or (asked.changes and asked.path.endswith("/eviction")):
            gone.append(asked)
            raise Cut

    cluster.before = die
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes")
    assert said.code == exits.UNREACHABLE
    evictions = [one.path for one in gone if one.changes]
    assert len(evictions) == len(set(evictions)) <= evicting.AT_ONCE
    assert "0 evicted" in said.err.splitlines()[-1]
    assert "takes it back" in said.err


def test_a_lost_answer_is_looked_up_and_the_drain_goes_on(run: Command, cluster: Living) -> None:
    evictions = pinned(cluster, "web", 6)
    lost: list[Asked] = []

    def cut(asked: Asked) -> None:
        if asked.changes and "/shop/" in asked.path and not lost:
            lost.append(asked)
            raise Cut

    cluster.after = cut
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes")
    assert said.code == exits.DONE, said
    assert sorted(one for one in cluster.changes() if "/shop/" in one) == sorted(evictions)


def test_a_user_who_may_cordon_but_not_evict_cordons_nothing(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 1)
    base = "/apis/rbac.authorization.k8s.io/v1"
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]},
    ]
    cluster.call("POST", f"{base}/clusterroles", {"metadata": {"name": "half"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "half"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "half"}
    cluster.call("POST", f"{base}/clusterrolebindings", {"metadata": {"name": "half"}, "roleRef": role, "subjects": [subject]})
    said = run("drain", f"node/{WORKER}", "--delete-emptydir-data", "--yes", "--as", "half")
    assert said.code == exits.REFUSED
    assert 'cannot create resource "pods/eviction"' in said.err
    assert cluster.changes() == []


def test_nodes_are_drained_one_after_another(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 3)
    said = run("drain", f"node/{WORKER}", f"node/{WORKER}2", "--delete-emptydir-data", "--yes")
    assert said.code == exits.DONE, said
    changes = cluster.changes()
    assert changes[:2] == [f"PATCH {NODES}/{WORKER}", f"PATCH {NODES}/{WORKER}2"]
    assert f"{WORKER}2, 2 of 2: all " in said.out
    assert len(changes) == len(set(changes))
    for node in (WORKER, f"{WORKER}2"):
        assert cluster.get(f"{NODES}/{node}")["spec"]["unschedulable"] is True


def test_a_node_that_cannot_be_drained_leaves_the_next_one_alone(run: Command, cluster: Living) -> None:
    pinned(cluster, "web", 1)
    budget(cluster, "web", "web", maxUnavailable=0)
    said = run("drain", f"node/{WORKER}", f"node/{WORKER}2", "--delete-emptydir-data", "--yes", "--timeout", "1.5")
    assert said.code == exits.NO
    assert f"cordoned, not drained: {WORKER}2" in said.err
    assert f"kubepane uncordon node/{WORKER} node/{WORKER}2 takes it back" in said.err
