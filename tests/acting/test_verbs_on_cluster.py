"""The verbs from the command line to an assembled cluster and back: what was sent is what was shown, and the exit code tells the rest."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane import exits
from kubepane.cluster import writer as writing_room
from living import APPS, NODES, WORKER, Asked, Command, Cut, Living, Terminal, living


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def run(cluster: Living, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(writing_room, "PAUSE", 0.0)
    monkeypatch.setattr(writing_room, "LOOKS", (0.0, 0.0, 0.0))
    yield Command(cluster, capsys, monkeypatch)
    cluster.before = cluster.after = lambda asked: None


@pytest.fixture
def app(cluster: Living, request: pytest.FixtureRequest) -> str:
    """A Deployment of its own for each test."""
    name = f"app-{abs(hash(request.node.name)) % 10**8}"
    cluster.deploy(name)
    return name


def audit(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "kubepane" / "audit.jsonl").read_text().splitlines()]


# each verb: what is typed (with {app}), the one request it makes, what it says
VERBS = {
    "scale": (("scale", "deploy/{app}", "2"), f"PUT {APPS}/deployments/{{app}}/scale", "replicas 1 → 2"),
    "restart": (("restart", "deploy/{app}"), f"PATCH {APPS}/deployments/{{app}}", "all its pods are replaced"),
    "pause": (("pause", "deploy/{app}"), f"PATCH {APPS}/deployments/{{app}}", "start no rollout"),
    "taint": (("taint", f"node/{WORKER}", "{app}=x:NoSchedule"), f"PATCH {NODES}/{WORKER}", "+ {app}=x:NoSchedule"),
    "cordon": (("cordon", f"node/{WORKER}2"), f"PATCH {NODES}/{WORKER}2", "takes no new pods"),
}
each_verb = pytest.mark.parametrize("verb", VERBS)


def typed(verb: str, app: str) -> tuple[list[str], str, str]:
    words, request, says = VERBS[verb]
    return [word.format(app=app) for word in words], request.format(app=app), says.format(app=app)


@pytest.fixture(autouse=True)
def clean_nodes(cluster: Living) -> Iterator[None]:
    yield
    for node in cluster.get(NODES)["items"]:
        if "control-plane" not in node["metadata"]["name"]:
            cluster.patch(f"{NODES}/{node['metadata']['name']}", {"spec": {"unschedulable": None, "taints": None}})


@each_verb
def test_done_is_one_request_and_one_line_in_the_audit(run: Command, cluster: Living, app: str, verb: str, tmp_path: Path) -> None:
    words, request, says = typed(verb, app)
    said = run(*words, at=Terminal("y"))
    assert (said.code, said.err) == (exits.DONE, "")
    assert says in said.out
    assert " after " in said.out.splitlines()[-1]
    assert cluster.changes() == [request]
    lines = audit(tmp_path)
    assert [(line["method"], line["end"]) for line in lines] == [(request.partition(" ")[0], "done")]
    assert all(lines[0][part] for part in ("uid", "revision_before", "revision_after"))


@each_verb
def test_a_dry_run_changes_nothing_and_is_checked_by_the_server(run: Command, cluster: Living, app: str, verb: str) -> None:
    words, request, says = typed(verb, app)
    said = run(*words, "--dry-run")
    assert said.code == exits.DONE
    assert says in said.out
    assert cluster.changes() == []
    assert [f"{one.method} {one.path}" for one in cluster.asked if one.query.get("dryRun") == "All" and not one.outdated] == [request]


@each_verb
def test_without_a_terminal_nothing_is_done(run: Command, cluster: Living, app: str, verb: str) -> None:
    run.monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = run(*typed(verb, app)[0])
    assert said.code == exits.REFUSED
    assert "no terminal to ask at" in said.err
    assert cluster.changes() == []


@pytest.mark.parametrize("answer", ["", "n", "no", "yess", " "])
def test_any_other_answer_is_no(run: Command, cluster: Living, app: str, answer: str) -> None:
    said = run("scale", f"deploy/{app}", "2", at=Terminal(answer))
    assert (said.code, said.err) == (exits.REFUSED, "kubepane scale: not done\n")
    assert cluster.changes() == []


@each_verb
def test_read_only_sends_nothing_at_all(run: Command, cluster: Living, app: str, verb: str) -> None:
    said = run(*typed(verb, app)[0], "--yes", "--read-only")
    assert said.code == exits.REFUSED
    assert said.err == f"kubepane {verb}: read-only: nothing was sent\n"
    assert [one for one in cluster.asked if one.method not in ("GET",) and "authorization" not in one.path] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scale", "deploy/none", "2"), "there is no deployment shop/none"),
        (("restart", "sts/none"), "there is no statefulset shop/none"),
        (("taint", "node/none", "a=b:NoSchedule"), "there is no node none"),
        (("drain", "node/none"), "there is no node none"),
    ],
)
def test_what_is_not_there_is_no(run: Command, cluster: Living, words: tuple[str, ...], says: str) -> None:
    said = run(*words, "--yes")
    assert said.code == exits.NO
    assert says in said.err
    assert said.err.count("\n") == 1
    assert cluster.changes() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scale", "deploy", "2"), "not of the form KIND/NAME"),
        (("scale", "node/x", "2"), "cannot be done to a node"),
        (("taint", f"node/{WORKER}", "dedicated"), "KEY[=VALUE]:EFFECT"),
        (("taint", f"node/{WORKER}", "a=b:Never"), "'Never' is no effect"),
        (("cordon", "pod/x"), "cannot be done to a pod"),
        (("scale", "deploy/x", "60000"), "no number of replicas"),
    ],
)
def test_what_is_malformed_is_wrong_usage(run: Command, cluster: Living, app: str, words: tuple[str, ...], says: str) -> None:
    said = run(*(word.replace("deploy/x", f"deploy/{app}") for word in words), "--yes")
    assert said.code == exits.USAGE
    assert says in said.err
    assert said.err.count("\n") == 1
    assert cluster.changes() == []


@each_verb
def test_who_may_not_is_told_so_in_the_servers_words(run: Command, cluster: Living, app: str, verb: str) -> None:
    grant_view(cluster)
    said = run(*typed(verb, app)[0], "--yes", "--as", "viewer")
    assert said.code == exits.REFUSED
    assert 'User "viewer" cannot' in said.err
    assert cluster.changes() == []


def grant_view(cluster: Living) -> None:
    """A user who may look at everything and change nothing."""
    base = "/apis/rbac.authorization.k8s.io/v1"
    if "viewer" in {one["metadata"]["name"] for one in cluster.get(f"{base}/clusterroles")["items"]}:
        return
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    cluster.call("POST", f"{base}/clusterroles", {"metadata": {"name": "viewer"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "viewer"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}
    cluster.call("POST", f"{base}/clusterrolebindings", {"metadata": {"name": "viewer"}, "roleRef": role, "subjects": [subject]})


@pytest.mark.parametrize(("answers", "code"), [(("y",), exits.REFUSED), (("yes",), exits.REFUSED), (("prod",), exits.DONE)])
def test_a_protected_context_wants_its_name_typed(
    run: Command, cluster: Living, app: str, tmp_path: Path, answers: tuple[str, ...], code: int
) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    config["contexts"][0]["name"] = config["current-context"] = "prod"
    renamed = tmp_path / "prod-kubeconfig"
    renamed.write_text(json.dumps(config))
    renamed.chmod(0o600)
    said = run("scale", f"deploy/{app}", "2", at=Terminal(*answers), kubeconfig=renamed)
    assert said.code == code
    assert "This context is protected: type prod" in said.out
    assert len(cluster.changes()) == (code == exits.DONE)


# ---- others, and the line, in between ------------------------------------------------------------------------------------------


def test_what_somebody_else_scaled_meanwhile_is_left_as_it_is(run: Command, cluster: Living, app: str) -> None:
    path = f"{APPS}/deployments/{app}"
    said = run("scale", f"deploy/{app}", "2", at=Terminal("y", meanwhile=lambda: cluster.patch(path, {"spec": {"replicas": 3}})))
    assert said.code == exits.REFUSED
    assert "somebody changed it meanwhile" in said.err
    assert cluster.get(path)["spec"]["replicas"] == 3


def test_a_taint_that_somebody_else_put_meanwhile_stays(run: Command, cluster: Living) -> None:
    path = f"{NODES}/{WORKER}"
    other = {"key": "other", "value": "x", "effect": "NoSchedule"}
    said = run("taint", f"node/{WORKER}", "mine=y:NoSchedule", at=Terminal("y", meanwhile=lambda: cluster.patch(path, {"spec": {"taints": [other]}})))
    assert said.code == exits.DONE
    assert [taint["key"] for taint in cluster.get(path)["spec"]["taints"]] == ["other", "mine"]


def test_another_object_under_the_name_is_left_alone(run: Command, cluster: Living, app: str) -> None:
    path = f"{APPS}/deployments/{app}"

    def replaced() -> None:
        cluster.call("DELETE", path)
        cluster.deploy(app)

    said = run("restart", f"deploy/{app}", at=Terminal("y", meanwhile=replaced))
    assert said.code == exits.REFUSED
    assert "another one created under its name" in said.err
    assert "annotations" not in cluster.get(path)["spec"]["template"]["metadata"]


@each_verb
def test_a_lost_answer_is_found_out_and_nothing_is_sent_twice(run: Command, cluster: Living, app: str, verb: str, tmp_path: Path) -> None:
    words, request, _ = typed(verb, app)

    def cut(asked: Asked) -> None:
        if asked.changes:
            raise Cut

    cluster.after = cut
    said = run(*words, "--yes")
    assert said.code == exits.DONE
    assert "the answer was lost, the cluster shows it" in said.out
    assert cluster.changes() == [request]
    assert [line["end"] for line in audit(tmp_path)] == ["done"]


@each_verb
def test_a_request_that_never_arrived_did_not_happen(run: Command, cluster: Living, app: str, verb: str, tmp_path: Path) -> None:
    def cut(asked: Asked) -> None:
        if asked.changes:
            raise Cut

    cluster.before = cut
    said = run(*typed(verb, app)[0], "--yes")
    assert said.code == exits.UNREACHABLE
    assert "it did not happen" in said.err
    assert len(cluster.changes()) == 1
    assert [line["end"] for line in audit(tmp_path)] == ["lost"]


def test_a_server_that_dies_in_the_middle_leaves_it_unknown(run: Command, cluster: Living, app: str, tmp_path: Path) -> None:
    dead: list[Asked] = []

    def die(asked: Asked) -> None:
        if dead or asked.changes:
            dead.append(asked)
            raise Cut

    cluster.before = die
    said = run("scale", f"deploy/{app}", "2", "--yes")
    assert said.code == exits.UNREACHABLE
    assert "it cannot be found out whether it happened" in said.err
    assert len([asked for asked in dead if asked.changes]) == 1
    assert [line["end"] for line in audit(tmp_path)] == ["unknown"]


def test_a_server_that_is_not_there_is_said_so(run: Command, cluster: Living, tmp_path: Path) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    elsewhere = tmp_path / "nobody"
    elsewhere.write_text(json.dumps(config))
    elsewhere.chmod(0o600)
    said = run("cordon", f"node/{WORKER}", "--yes", kubeconfig=elsewhere)
    assert said.code == exits.UNREACHABLE
    assert "kubepane doctor" in said.err
    assert said.err.count("\n") == 1


# ---- there and back ------------------------------------------------------------------------------------------------------------


def test_a_node_is_tainted_and_untainted_cordoned_and_uncordoned(run: Command, cluster: Living) -> None:
    node = f"node/{WORKER}3"
    before = cluster.get(f"{NODES}/{WORKER}3")["spec"]
    for words in (("taint", node, "a=b:NoExecute"), ("untaint", node, "a:NoExecute"), ("cordon", node), ("uncordon", node)):
        assert run(*words, "--yes").code == exits.DONE, words
    assert cluster.get(f"{NODES}/{WORKER}3")["spec"] == before


def test_a_rollout_is_held_goes_on_and_goes_back(run: Command, cluster: Living, app: str) -> None:
    path = f"{APPS}/deployments/{app}"
    image = "registry.k8s.io/pause:3.9"
    assert run("pause", f"deploy/{app}", "--yes").code == exits.DONE
    cluster.patch(path, {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
    assert (
        run("restart", f"deploy/{app}", "--yes").err
        == f"kubepane restart: deployment shop/{app} is paused: a restart would wait for ever; resume it first\n"
    )
    assert run("resume", f"deploy/{app}", "--yes").code == exits.DONE
    said = run("undo", f"deploy/{app}", "--yes")
    assert said.code == exits.DONE, said
    assert f"-    image: {image}" in said.out
    assert cluster.get(path)["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.k8s.io/pause:3.10"


def test_zero_seconds_wait_for_nothing(run: Command, cluster: Living, app: str) -> None:
    said = run("scale", f"deploy/{app}", "3", "--yes", "--timeout", "0")
    assert (said.code, said.err) == (exits.DONE, "")
    assert "its effect was not waited for" in said.out


def test_an_effect_that_does_not_come_in_time_is_no(run: Command, cluster: Living, app: str) -> None:
    cluster.patch(f"{APPS}/deployments/{app}", {"spec": {"template": {"spec": {"nodeSelector": {"is": "nowhere"}}}}})
    said = run("restart", f"deploy/{app}", "--yes", "--timeout", "0.5")
    assert said.code == exits.NO
    assert said.err.startswith("kubepane restart: not finished: ")


# ---- several at once -----------------------------------------------------------------------------------------------------------


def test_of_several_each_is_told_and_one_that_fails_keeps_none_from_being_made(run: Command, cluster: Living, app: str) -> None:
    cluster.deploy(f"{app}-b")
    cluster.deploy(f"{app}-c")

    def gone() -> None:
        cluster.call("DELETE", f"{APPS}/deployments/{app}-b")
        cluster.deploy(f"{app}-b")

    said = run("restart", *(f"deploy/{app}{end}" for end in ("", "-b", "-c")), at=Terminal("y", meanwhile=gone))
    assert said.code == exits.REFUSED
    assert f"deployment shop/{app}: all its pods are replaced" in said.out
    assert f"deployment shop/{app}-c: all its pods are replaced" in said.out
    first, last = said.err.splitlines()
    assert first.startswith(f"kubepane restart: deployment shop/{app}-b: it was deleted and another one")
    assert last.startswith(f"kubepane restart: 2 of 3 done; {app}-b not: ")
    assert len(cluster.changes()) == 2
    assert "annotations" not in cluster.get(f"{APPS}/deployments/{app}-b")["spec"]["template"]["metadata"]


def test_when_the_line_is_lost_the_others_are_not_tried(run: Command, cluster: Living) -> None:
    def cut(asked: Asked) -> None:
        if asked.changes and asked.path.endswith(f"{WORKER}2"):
            raise Cut

    cluster.before = cut
    said = run("cordon", *(f"node/{WORKER}{end}" for end in ("", "2", "3")), "--yes")
    assert said.code == exits.UNREACHABLE
    assert f"not tried: {WORKER}3" in said.err
    assert cluster.changes() == [f"PATCH {NODES}/{WORKER}", f"PATCH {NODES}/{WORKER}2"]


def test_what_a_taint_does_is_told_for_all_namespaces_whichever_is_chosen(run: Command, cluster: Living) -> None:
    said = run("taint", f"node/{WORKER}", "x=y:NoExecute", "--dry-run")
    assert said.code == exits.DONE
    assert "would be deleted at once" in said.out
    assert "kube-system/" in said.out
    assert " ! " not in said.out
