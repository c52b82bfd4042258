"""`kubepane kind up` against fake programs: what it asks of them, in which order, and what it says."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from kubepane_manifests import places
from program.kindstage import Stage

CREATE = "kind create cluster"
APPLY = "kubectl"


def applied(stage: Stage) -> list[str]:
    return [Path(call.args[-1]).name for call in stage.calls("kubectl") if "apply" in call.args]


def test_a_cluster_is_made_from_nothing(stage: Stage) -> None:
    said = stage.run("up")
    assert (said.code, said.err) == (0, "")
    (create,) = stage.calls(CREATE)
    assert create.args == ("create", "cluster", "--name", "kubepane", "--config", "-")
    assert create.provider == "docker"
    assert applied(stage) == ["calico", "metrics-server", "ingress-nginx"]
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [["●", "cluster"], ["●", "calico"], ["●", "metrics-server"], ["●", "ingress-nginx"]]
    assert "4 nodes" in lines[0]
    assert "Calico v3.32.1" in lines[1]
    assert "2 s" in lines[1], "a step says how long it took"
    assert lines[4].startswith("▲ ingress-nginx is retired")
    assert lines[5] == f"context kind-kubepane is in {stage.home}/.kube/config."
    assert "kubepane --context kind-kubepane" in lines[6]
    assert lines[7].endswith("http://chatapp.localhost")


def test_the_configuration_is_that_of_the_tree_with_our_mark(stage: Stage) -> None:
    before = (places.KIND / "cluster.yaml").read_bytes()
    assert stage.run("up", "--name", "shop", "--workers", "1", "--http-port", "8080", "--https-port", "8443").code == 0
    (create,) = stage.calls(CREATE)
    config = yaml.safe_load(create.stdin)
    ours = yaml.safe_load(before)
    assert config["name"] == "shop"
    assert config["networking"] == ours["networking"]
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker"]
    assert {node["image"] for node in config["nodes"]} == {ours["nodes"][0]["image"]}
    assert [one["hostPort"] for one in config["nodes"][0]["extraPortMappings"]] == [8080, 8443]
    assert [one["containerPort"] for one in config["nodes"][0]["extraPortMappings"]] == [80, 443]
    assert all(node["labels"]["kubepane.io/created-by"] == "kubepane" for node in config["nodes"])
    assert config["nodes"][0]["labels"]["ingress-ready"] == "true"
    assert (places.KIND / "cluster.yaml").read_bytes() == before


def test_a_second_run_finds_everything_there(stage: Stage) -> None:
    stage.made()
    said = stage.run("up")
    assert said.code == 0
    assert said.out.count("was there already") == 4
    assert not stage.calls(CREATE)
    assert not stage.calls("kind export"), "the current context is left as it is"
    assert applied(stage) == []


def test_a_second_run_goes_on_where_the_first_stopped(stage: Stage) -> None:
    stage.fails("kubectl apply", "error: accumulating resources: dial tcp: lookup github.com: no such host\n")
    first = stage.run("up")
    assert first.code == 1
    assert first.err.startswith("kubepane kind up: installing calico: the release cannot be fetched: a name is not found (DNS); check this network")
    assert "the cluster kubepane is there, but not complete: `kubepane kind up` continues" in first.err
    assert first.err.count("\n") == 1
    stage.forget_calls()
    second = stage.run("up")
    assert second.code == 0
    assert not stage.calls(CREATE)
    assert applied(stage) == ["calico", "metrics-server", "ingress-nginx"]
    assert "● cluster" in second.out
    assert "was there already, 4 nodes" in second.out


@pytest.mark.parametrize(("ingress", "folder"), [("traefik", ["traefik"]), ("none", []), ("nginx", ["ingress-nginx"])])
def test_the_ingress_controller_is_chosen(stage: Stage, ingress: str, folder: list[str]) -> None:
    said = stage.run("up", "--ingress", ingress)
    assert said.code == 0
    assert applied(stage) == ["calico", "metrics-server", *folder]
    assert ("retired" in said.out) == (ingress == "nginx")


def test_an_ingress_controller_stays_and_excludes_another(stage: Stage) -> None:
    stage.run("up", "--ingress", "traefik")
    stage.forget_calls()
    again = stage.run("up")
    assert again.code == 0
    assert "Traefik" in again.out
    other = stage.run("up", "--ingress", "nginx")
    assert other.code == 4
    assert "traefik has the ports already; kubepane kind down, then up" in other.err
    assert applied(stage) == []


@pytest.mark.parametrize("words", [("--workers", "5"), ("--http-port", "8080"), ("--https-port", "8443")])
def test_what_kind_cannot_change_is_refused(stage: Stage, words: tuple[str, str]) -> None:
    stage.made()
    said = stage.run("up", *words)
    assert said.code == 4
    assert "kind cannot change it" in said.err
    assert not stage.calls("kind")


def test_it_waits_for_each_step_and_says_how_far_it_is(stage: Stage) -> None:
    stage.set(looks=18)
    said = stage.run("up", "--ingress", "none")
    assert said.code == 0
    assert stage.time.passed > 70, "it waited"
    assert "○ calico" in said.out, "a pipe hears of a long step now and then"
    assert "0 of 4 nodes ready, calico-node 0 of 1, calico-kube-controllers 0 of 1" in said.out
    assert said.out.count("○ calico") < 5


def test_the_network_is_there_when_the_nodes_are_ready(stage: Stage) -> None:
    stage.set(**{"nodes late": 3})
    said = stage.run("up")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[1:3] == ["calico", "8"], "one look for its pods, three for the nodes"
    assert "4 of 4 ready" in stage.run("status").out


def test_a_step_that_does_not_end_says_what_it_waits_for(stage: Stage) -> None:
    stage.set(looks=10_000, stuck={"calico": 'Back-off pulling image "quay.io/calico/node:v3.32.1"'})
    said = stage.run("up", "--timeout", "10")
    assert said.code == 1
    assert said.err.startswith("kubepane kind up: calico is not ready after 10 s: 0 of 4 nodes ready")
    assert 'calico-node-x1 ImagePullBackOff: Back-off pulling image "quay.io/calico/node:v3.32.1"' in said.err
    assert "the cluster kubepane is there, but not complete" in said.err
    assert said.err.count("\n") == 1
    assert "✕ calico" in said.out


def test_an_api_server_that_stutters_is_asked_again(stage: Stage) -> None:
    stage.fails("kubectl", "The connection to the server 127.0.0.1:36011 was refused - did you specify the right host or port?\n", times=3)
    assert stage.run("up").code == 0


def test_stopped_nodes_are_started(stage: Stage) -> None:
    stage.made()
    stage.set(containers=[{**one, "state": "exited"} for one in stage.state["containers"]])
    said = stage.run("up")
    assert said.code == 0
    assert "4 nodes, 4 of them started" in said.out
    (start,) = stage.calls("docker start")
    assert set(start.args[1:]) == {one["id"] for one in stage.state["containers"]}


def test_nodes_that_are_gone_are_said(stage: Stage) -> None:
    stage.made()
    stage.set(containers=stage.state["containers"][:-1])
    said = stage.run("up")
    assert said.code == 1
    assert "nodes of the cluster are gone: kubepane-worker3; kubepane kind down, then up" in said.err


def test_the_way_in_is_by_kinds_own_kubeconfig_and_removed_afterwards(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    other = stage.home / "other"
    other.write_text("apiVersion: v1\nkind: Config\ncurrent-context: prod\n")
    monkeypatch.setenv("KUBECONFIG", str(other))
    assert stage.run("up").code == 0
    for call in stage.calls("kubectl"):
        assert call.args[0] == "--kubeconfig"
        assert call.args[1] not in (str(other), "")
        assert not os.path.exists(call.args[1])


def test_a_kubeconfig_file_can_be_named(stage: Stage) -> None:
    file = stage.home / "mine"
    said = stage.run("up", "--kubeconfig", str(file))
    assert said.code == 0
    (create,) = stage.calls(CREATE)
    assert create.args[-2:] == ("--kubeconfig", str(file))
    assert f"context kind-kubepane is in {file}." in said.out
    assert f"kubepane --context kind-kubepane --kubeconfig {file}" in said.out
    assert not (stage.home / ".kube").exists()
    stage.run("down", "--yes")
    assert stage.calls("kind delete")[0].args[-2:] == ("--kubeconfig", str(file)), "down remembers it"


def test_a_context_that_is_missing_or_of_an_older_cluster_is_written_again(stage: Stage) -> None:
    stage.made()
    config = stage.home / ".kube" / "config"
    text = config.read_text()
    config.write_text(text.replace('"server": "https://127.0.0.1:36011"', '"server": "https://127.0.0.1:1"'))
    said = stage.run("up")
    assert f"context kind-kubepane was written to {config} and is the current one now." in said.out
    config.unlink()
    assert "was written to" in stage.run("up").out
    assert config.read_text() == text


def test_down_removes_the_context_from_where_it_was_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.made()
    monkeypatch.setenv("KUBECONFIG", str(stage.home / "other"))
    said = stage.run("down", "--yes")
    assert stage.calls("kind delete")[0].args[-1] == f"{stage.home}/.kube/config"
    assert f"removed from {stage.home}/.kube/config" in said.out


def test_down_follows_the_context_to_another_file(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.made()
    other = stage.home / "other"
    monkeypatch.setenv("KUBECONFIG", str(other))
    assert f"was written to {other}" in stage.run("up").out
    monkeypatch.delenv("KUBECONFIG")
    other.write_text("{}")
    said = stage.run("down", "--yes")
    assert stage.calls("kind delete")[0].args[-1] == str(other)
    assert "context" not in said.out, "it was gone from there already"


def test_dry_run_starts_nothing_and_prints_everything(stage: Stage) -> None:
    stage.remove("docker", "podman", "kind", "kubectl")
    said = stage.run("up", "--dry-run", "--workers", "2", "--ingress", "traefik")
    assert said.code == 0
    assert stage.calls() == []
    assert not (stage.home / "state").exists()
    first, *rest = said.out.splitlines()
    assert first == "kind create cluster --name kubepane --config - <<'EOF'"
    config = yaml.safe_load("\n".join(rest[: rest.index("EOF")]))
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    after = rest[rest.index("EOF") + 1 :]
    assert [Path(line.split()[-1]).name for line in after if " apply " in line] == ["calico", "metrics-server", "traefik"]
    assert all(line.startswith("kubectl --context kind-kubepane ") for line in after)


def test_read_only_makes_nothing(stage: Stage) -> None:
    said = stage.run("up", "--read-only")
    assert said.code == 4
    assert stage.calls() == []


def test_the_record_is_its_owners_alone(stage: Stage) -> None:
    stage.run("up")
    assert stat.S_IMODE(stage.record.stat().st_mode) == 0o600
    assert stat.S_IMODE(stage.record.parent.stat().st_mode) == 0o700
    record = json.loads(stage.record.read_text())
    assert record["finished"] is True
    assert record["containers"] == {one["name"]: one["id"] for one in stage.state["containers"]}
    assert record["created"] == "2026-11-24T12:00:00Z"
    assert "secret" not in stage.record.read_text()


def test_two_runs_at_once_are_refused(stage: Stage) -> None:
    from kubepane.kindcluster.ownership import Records  # the lock of another program

    with Records(os.environ).only_one("kubepane"):
        said = stage.run("up")
    assert said.code == 4
    assert "another `kubepane kind` is at work on kubepane" in said.err
    assert stage.calls() == []


def test_ascii(stage: Stage) -> None:
    said = stage.run("up", "--ascii")
    assert said.out.startswith("* cluster")
    assert said.out.isascii()
