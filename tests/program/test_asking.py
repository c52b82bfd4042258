"""`kubepane why` and `kubepane wait` on an assembled cluster: what is said, in which shape, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane import exits
from living import APPS, CORE, Command, Living, living

HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        made.deploy("good", 1)
        made.deploy("nowhere", 1, nodeSelector={"is": "nowhere"})
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        made.call("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "lost"}, "spec": {**claim, "storageClassName": "none-such"}})
        grants(made)
        while made.get(f"{APPS}/deployments/good")["status"].get("readyReplicas") != 1:
            pass
        yield made


def grants(cluster: Living) -> None:
    """`nobody` may do nothing; `blind` may see all but pods and events."""
    rules = [{"apiGroups": ["apps", "autoscaling", "batch"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    cluster.call("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "blind"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "blind"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "blind"}
    cluster.call("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": "blind"}, "roleRef": role, "subjects": [subject]})


@pytest.fixture
def run(cluster: Living, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Command(cluster, capsys, monkeypatch)


def pod_of(cluster: Living, app: str) -> str:
    return next(str(one["metadata"]["name"]) for one in cluster.get(f"{CORE}/pods")["items"] if one["metadata"]["name"].startswith(app))


@pytest.fixture
def nobody_there(cluster: Living, tmp_path: Path) -> Path:
    """A kubeconfig that leads to no server."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    path = tmp_path / "nobody"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


# ---- why -----------------------------------------------------------------------------------------------------------------------


def shaped(text: str) -> dict[str, Any]:
    """The JSON, after a look at its stable parts."""
    whole: dict[str, Any] = json.loads(text)
    assert {"object", "healthy", "verdict", "evidence", "next"} <= set(whole)
    for each in (whole, *whole.get("more", ())):
        assert isinstance(each["verdict"], str)
        assert all(set(one) == {"object", "field", "value"} and all(isinstance(part, str) for part in one.values()) for one in each["evidence"])
    return whole


def test_a_healthy_object_is_0(run: Command, cluster: Living) -> None:
    said = run("why", "deploy/good", "--format", "json")
    assert (said.code, said.err) == (exits.DONE, "")
    whole = shaped(said.out)
    assert (whole["object"], whole["healthy"]) == ("deployment/shop/good", True)
    assert "could_not_look_at" not in whole
    assert run("why", "deploy/good").code == exits.DONE


def test_a_sick_one_is_1_with_the_cause_first_and_the_evidence(run: Command, cluster: Living) -> None:
    name = pod_of(cluster, "nowhere")
    said = run("why", f"pod/{name}", "--format", "json")
    assert (said.code, said.err) == (exits.NO, "")
    whole = shaped(said.out)
    assert not whole["healthy"]
    assert "is=nowhere" in whole["verdict"]
    assert whole["evidence"]
    text = run("why", f"po/{name}")
    assert text.code == exits.NO
    assert text.out.startswith(f"pod shop/{name}\n")
    assert whole["verdict"] in " ".join(text.out.split())


def test_nothing_is_changed_by_asking(run: Command, cluster: Living) -> None:
    run("why", "deploy/good")
    assert cluster.changes() == []


def test_what_is_not_there_is_1(run: Command) -> None:
    said = run("why", "deploy/none")
    assert (said.code, said.out, said.err) == (exits.NO, "", "kubepane why: there is no deployment shop/none\n")


@pytest.mark.parametrize("text", ["deploy", "thing/x", "deploy/a/b"])
def test_what_is_no_name_is_2(run: Command, text: str) -> None:
    said = run("why", text)
    assert (said.code, said.out) == (exits.USAGE, "")
    assert said.err.count("\n") == 1


def test_what_may_not_be_seen_is_4_and_named(run: Command, cluster: Living) -> None:
    said = run("why", f"pod/{pod_of(cluster, 'good')}", "--as", "blind")
    assert (said.code, said.out) == (exits.REFUSED, "")
    assert "cannot be seen" in said.err
    assert "list pods" in said.err
    assert said.err.count("\n") == 1


def test_what_could_not_be_looked_at_is_told_beside_the_answer(run: Command) -> None:
    said = run("why", "deploy/nowhere", "--as", "blind", "--format", "json")
    assert "pods" in shaped(said.out)["could_not_look_at"]
    assert "could not look at: " in run("why", "deploy/nowhere", "--as", "blind").out


def test_no_server_is_3(run: Command, nobody_there: Path) -> None:
    said = run("why", "deploy/good", kubeconfig=nobody_there)
    assert (said.code, said.out) == (exits.UNREACHABLE, "")
    assert "kubepane doctor" in said.err
    assert said.err.count("\n") == 1


# ---- wait ----------------------------------------------------------------------------------------------------------------------


def test_a_rollout_that_is_done_is_0_at_once(run: Command) -> None:
    said = run("wait", "rollout/good")
    assert (said.code, said.err) == (exits.DONE, "")
    assert said.out.count("\n") == 1


def test_a_rollout_is_waited_for(run: Command, cluster: Living) -> None:
    cluster.deploy("slow", 2)
    said = run("wait", "rollout/slow")
    assert (said.code, said.err) == (exits.DONE, "")


def test_a_rollout_that_does_not_end_is_1_with_the_reason(run: Command) -> None:
    said = run("wait", "rollout/nowhere", "--timeout", "0.6")
    assert said.code == exits.NO
    assert said.err.startswith("kubepane wait: not done after 1 s: ")
    assert said.err.count("\n") == 1


def test_a_rollout_that_has_failed_is_1_before_the_time_is_up(run: Command, cluster: Living) -> None:
    cluster.deploy("late", 1, nodeSelector={"is": "nowhere"})
    cluster.patch(f"{APPS}/deployments/late", {"spec": {"progressDeadlineSeconds": 5, "minReadySeconds": 0}})
    said = run("wait", "rollout/late", "--timeout", "60")
    assert said.code == exits.NO
    assert "not done after" not in said.err
    assert "deadline" in said.err


@pytest.mark.parametrize("what", ["rollout/none", "hpa/none", "pvc/none"])
def test_what_is_not_there_to_wait_for_is_1(run: Command, what: str) -> None:
    said = run("wait", what)
    assert (said.code, said.out) == (exits.NO, "")
    assert "there is no" in said.err


@pytest.mark.parametrize("what", ["rollout", "pod/x", "rollout/", "/x"])
def test_what_cannot_be_waited_for_is_2(run: Command, what: str) -> None:
    said = run("wait", what)
    assert (said.code, said.out) == (exits.USAGE, "")
    assert "cannot be waited for" in said.err


def test_a_claim_that_is_not_bound_is_1_with_what_is_wrong(run: Command) -> None:
    said = run("wait", "pvc/lost", "--timeout", "0.6")
    assert said.code == exits.NO
    assert "none-such" in said.err


def test_a_claim_that_is_bound_is_0(run: Command, cluster: Living) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, "storageClassName": "by-hand"}
    cluster.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "vol"}, "spec": volume})
    cluster.call("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": {**spec, "storageClassName": "by-hand"}})
    said = run("wait", "pvc/data")
    assert (said.code, said.out.splitlines()[-1]) == (exits.DONE, "bound to vol")


def test_an_hpa_that_gets_no_metrics_is_1_with_the_reason(run: Command, cluster: Living) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "good"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    cluster.call("POST", HPAS, {"metadata": {"name": "good"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [metric]}})
    said = run("wait", "hpa/good", "--timeout", "1")
    assert said.code == exits.NO
    assert "not done after 1 s" in said.err


@pytest.mark.parametrize("what", ["rollout/good", "hpa/good", "pvc/lost"])
def test_what_may_not_be_seen_cannot_be_waited_for(run: Command, what: str) -> None:
    said = run("wait", what, "--as", "nobody")
    assert (said.code, said.out) == (exits.REFUSED, "")
    assert "cannot be seen" in said.err


def test_no_server_to_wait_at_is_3(run: Command, nobody_there: Path) -> None:
    said = run("wait", "rollout/good", kubeconfig=nobody_there)
    assert (said.code, said.out) == (exits.UNREACHABLE, "")
