"""Whose cluster it is: `kubepane kind` touches only what it made, and says what there is."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

import pytest

from kubepane.kindcluster.engine import Container
from kubepane.kindcluster.ownership import Owner, Record, Records, judge
from kubepane.kindcluster.trouble import Trouble
from program.kindstage import Stage

STRANGER = [
    {"id": f"{at:x}" * 64, "name": name, "cluster": "kubepane", "state": "running", "ports": []}
    for at, name in ((14, "kubepane-control-plane"), (15, "kubepane-worker"))
]


def changed(stage: Stage) -> list[str]:
    verbs = {"create", "delete", "start", "apply", "export", "rm", "stop"}
    return [call.words for call in stage.calls() if verbs & set(call.args)]


@pytest.mark.parametrize("words", [("up",), ("down", "--yes")])
def test_a_cluster_of_somebody_else_is_left_alone(stage: Stage, words: tuple[str, ...]) -> None:
    stage.set(containers=STRANGER)
    said = stage.run(*words)
    assert said.code == 4
    assert f"kubepane kind {words[0]}: the cluster kubepane is not kubepane's: kubepane has no record of having made it" in said.err
    assert "take another --name; if it is yours, `kind delete cluster --name kubepane` removes it" in said.err
    assert changed(stage) == []
    assert not stage.calls("kind get kubeconfig"), "not even looked into"
    assert not stage.record.exists()


@pytest.mark.parametrize("words", [("up",), ("down", "--yes")])
def test_a_cluster_that_somebody_made_anew_under_our_name_is_left_alone(stage: Stage, words: tuple[str, ...]) -> None:
    stage.made()
    stage.set(containers=STRANGER)
    said = stage.run(*words)
    assert said.code == 4
    assert "kubepane did not make the container kubepane-control-plane" in said.err
    assert changed(stage) == []


def test_one_strange_node_among_ours_is_enough(stage: Stage) -> None:
    stage.made()
    stage.set(containers=[*stage.state["containers"][:3], {**STRANGER[1], "name": "kubepane-worker3"}])
    assert stage.run("down", "--yes").code == 4
    assert changed(stage) == []


def test_a_record_that_cannot_be_read_proves_nothing(stage: Stage) -> None:
    stage.made()
    stage.record.write_text("{")
    assert stage.run("down", "--yes").code == 4


def test_a_record_of_another_name_proves_nothing(stage: Stage) -> None:
    stage.made()
    record = json.loads(stage.record.read_text())
    stage.record.write_text(json.dumps({**record, "name": "other"}))
    assert stage.run("down", "--yes").code == 4


def test_another_name_is_another_cluster(stage: Stage) -> None:
    stage.set(containers=[{**one, "cluster": "kind"} for one in STRANGER])
    assert stage.run("up").code == 0
    assert stage.run("down", "--yes").code == 0
    assert [one["cluster"] for one in stage.state["containers"]] == ["kind", "kind"]


def test_down_removes_ours_and_its_record(stage: Stage) -> None:
    stage.made()
    said = stage.run("down", "--yes")
    assert (said.code, said.err) == (0, "")
    assert "● cluster" in said.out
    assert "removed, 4 nodes" in said.out
    assert f"context kind-kubepane was removed from {stage.home}/.kube/config" in said.out
    assert [call.args for call in stage.calls("kind delete")] == [
        ("delete", "cluster", "--name", "kubepane", "--kubeconfig", f"{stage.home}/.kube/config")
    ]
    assert not stage.record.exists()
    again = stage.run("down", "--yes")
    assert again == (0, "There is no Kind cluster kubepane: nothing to remove.\n", "")


def test_down_without_a_terminal_asks_for_yes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.made()
    with open(os.devnull, encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        said = stage.run("down")
    assert said.code == 4
    assert "there is no terminal to ask at; --yes asks nothing" in said.err
    assert changed(stage) == []


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("\n", 4), ("n\n", 4), ("", 4)])
def test_down_asks(stage: Stage, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    class Keyboard:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return typed

    stage.made()
    monkeypatch.setattr("sys.stdin", Keyboard())
    said = stage.run("down")
    assert said.code == code
    assert said.out.startswith("Remove the Kind cluster kubepane with its 4 nodes and all that is in it? [y/N] ")
    assert bool(changed(stage)) == (code == 0)


def test_read_only_removes_nothing(stage: Stage) -> None:
    stage.made()
    assert stage.run("down", "--yes", "--read-only").code == 4
    assert stage.calls() == []


def test_a_delete_that_fails_keeps_the_record(stage: Stage) -> None:
    stage.made()
    stage.fails("kind delete", 'ERROR: failed to delete cluster "kubepane": failed to delete nodes: command "docker rm" failed\n')
    said = stage.run("down", "--yes")
    assert said.code == 1
    assert "failed to delete nodes" in said.err
    assert stage.record.exists()


# ---- status


def test_status_of_nothing(stage: Stage) -> None:
    assert stage.run("status") == (1, "There is no Kind cluster kubepane (docker). `kubepane kind up` makes it.\n", "")


def test_status_of_a_cluster_that_is_ready(stage: Stage) -> None:
    stage.made()
    said = stage.run("status")
    assert said.code == 0
    assert said.out.splitlines() == [
        "cluster        kubepane, running, docker, made by kubepane 2026-11-24T12:00:00Z",
        "nodes          4 of 4 ready",
        "calico         ready",
        "metrics-server ready",
        "ingress-nginx  ready",
        "ports          127.0.0.1:80 → 80, 127.0.0.1:443 → 443",
        f"context        kind-kubepane in {stage.home}/.kube/config",
    ]
    assert changed(stage) == []


def test_status_as_json(stage: Stage) -> None:
    stage.made()
    said = stage.run("status", "--format", "json")
    found = json.loads(said.out)
    assert said.code == 0
    assert found["ready"] is True
    assert found["cluster"] == {"name": "kubepane", "state": "running", "engine": "docker", "owner": "kubepane", "created": "2026-11-24T12:00:00Z"}
    assert found["nodes"][0] == {"name": "kubepane-control-plane", "container": "running", "ready": True, "why": ""}
    assert [one["name"] for one in found["addons"]] == ["calico", "metrics-server", "ingress-nginx"]
    assert found["ports"] == [{"host": 80, "container": 80}, {"host": 443, "container": 443}]
    assert found["context"] == {"name": "kind-kubepane", "file": f"{stage.home}/.kube/config", "there": True}
    assert "c2VjcmV0" not in said.out


def not_ready(stage: Stage, **changes: Any) -> str:
    stage.made()
    stage.set(**changes)
    said = stage.run("status")
    assert said.code == 1
    return said.out


def test_status_says_what_is_not_ready(stage: Stage) -> None:
    out = not_ready(stage, addons={"calico": 5, "metrics-server": 0})
    assert "nodes          0 of 4 ready" in out
    assert "kubepane-worker: cni plugin not initialized" in out
    assert "calico         calico-node 0 of 1, calico-kube-controllers 0 of 1" in out
    assert "ingress" not in out, "none is installed, and that may be meant"


def test_status_of_a_stopped_cluster(stage: Stage) -> None:
    stage.made()
    stage.set(containers=[{**one, "state": "exited"} for one in stage.state["containers"]])
    said = stage.run("status")
    assert said.code == 1
    assert "kubepane, stopped, docker" in said.out
    assert "kubepane-worker2: its container is exited" in said.out
    assert not stage.calls("kubectl")


def test_status_of_a_cluster_that_does_not_answer(stage: Stage) -> None:
    stage.made()
    stage.fails("kubectl", "Unable to connect to the server: net/http: TLS handshake timeout\n")
    said = stage.run("status")
    assert said.code == 1
    assert "trouble        asking the cluster: the network gave no answer" in said.out


def test_status_of_somebody_elses(stage: Stage) -> None:
    stage.set(containers=STRANGER)
    said = stage.run("status")
    assert said.code == 4
    assert "kubepane, running, docker, not kubepane's: kubepane has no record of having made it" in said.out
    assert not stage.calls("kind get kubeconfig")
    assert not stage.calls("kubectl")


# ---- the record itself


def container(id_: str) -> Container:
    return Container(id_, f"node-{id_}", "running", {})


def test_judgement() -> None:
    record = Record(name="x", engine="docker", created="", finished=True, containers={"node-a": "a", "node-b": "b"})
    half = Record(name="x", engine="docker", created="", containers={"node-a": "a"})
    assert judge(None, []).owner is Owner.NOBODY
    assert judge(record, []).owner is Owner.NOBODY
    assert judge(None, [container("a")]).owner is Owner.OTHER
    assert judge(record, [container("a"), container("b")]).owner is Owner.OURS
    assert judge(record, [container("a")]).owner is Owner.OURS
    assert judge(record, [container("a"), container("c")]).owner is Owner.OTHER
    assert judge(half, [container("a")]).owner is Owner.UNFINISHED
    assert "cannot tell" in judge(Record(name="x", engine="docker", created=""), [container("a")]).why


def test_a_record_follows_no_link_and_is_private(stage: Stage) -> None:
    records = Records(os.environ)
    precious = stage.home / "precious"
    precious.write_text("mine")
    records.folder.mkdir(parents=True)
    records.path("x").with_suffix(".new").symlink_to(precious)
    records.save(Record(name="x", engine="docker", created=""))
    assert precious.read_text() == "mine"
    assert stat.S_IMODE(records.path("x").stat().st_mode) == 0o600
    assert records.load("x") == Record(name="x", engine="docker", created="")


def test_without_a_place_for_records_nothing_is_made(stage: Stage) -> None:
    (stage.home / "state").write_text("a file in the way")
    said = stage.run("up")
    assert said.code == 3
    assert "kubepane must remember which clusters are its own: see XDG_STATE_HOME" in said.err
    assert stage.calls() == []
    with pytest.raises(Trouble):
        Records(os.environ).save(Record(name="x", engine="docker", created=""))
