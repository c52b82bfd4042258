"""Applying and deleting from the command line on a whole cluster: what is shown, what is sent, and how it ends."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane import exits
from kubepane.cluster import writer as writing_room
from kubepane_manifests import catalogue
from living import APPS, CORE, Asked, Command, Cut, Living, Terminal, living

CHATAPP = "/api/v1/namespaces/chatapp"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def run(cluster: Living, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(writing_room, "PAUSE", 0.0)
    monkeypatch.setattr(writing_room, "LOOKS", (0.0, 0.0, 0.0))
    yield Command(cluster, capsys, monkeypatch)
    cluster.before = cluster.after = lambda asked: None


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **texts: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]}
    full = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": full}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Writes objects into a file and gives its path."""

    def write(*objects: Any) -> str:
        path = tmp_path / "objects.yaml"
        path.write_text("---\n".join(json.dumps(one) + "\n" for one in objects))
        return str(path)

    return write


def audit(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "state" / "kubepane" / "audit.jsonl").read_text().splitlines()]


# ---- the story -----------------------------------------------------------------------------------------------------------------


def test_the_story_is_applied_until_it_is_healthy_and_deleted_until_it_is_gone(run: Command, cluster: Living) -> None:
    said = run("apply", "story", at=Terminal("y"))
    assert (said.code, said.err) == (exits.DONE, "")
    assert "14 to create" in said.out
    assert "secret chatapp/mysql-secret   create   new namespace: not rehearsed" in said.out
    assert "persistentvolume mysql-pv is a folder of one node: hostPath /var/lib/kubepane/mysql" in said.out
    assert "Apply 14 objects? [y/N]" in said.out
    assert "all 2 are ready after" in said.out.splitlines()[-1]
    assert [one.partition(" ")[0] for one in cluster.changes()] == ["PATCH"] * 14
    assert cluster.changes()[0] == f"PATCH {CHATAPP}"
    sent = {one.path: one for one in cluster.asked if one.changes}
    assert {json.dumps(one.query, sort_keys=True) for one in sent.values()} == {
        '{"fieldManager": "kubepane", "fieldValidation": "Strict", "force": "false"}'
    }
    first = catalogue.find("story").objects()[0]
    assert sent[CHATAPP].body == {**first, "metadata": {**first["metadata"], "resourceVersion": "1"}}

    again = run("apply", "story", "--yes")
    assert (again.code, again.err, cluster.changes()) == (exits.DONE, "", [])
    assert "nothing to change: all 14 objects are so already" in again.out

    kept = [one["metadata"]["uid"] for one in cluster.get(f"{CHATAPP}/services")["items"]]
    gone = run("delete", "story", at=Terminal("y"))
    assert (gone.code, gone.err) == (exits.DONE, "")
    assert "14 objects to delete" in gone.out
    assert re.search(r"namespace chatapp: everything in it goes; not listed above: 1 persistentvolumeclaim, [23] pods\n", gone.out)
    assert "all 14 are gone after" in gone.out.splitlines()[-1]
    assert [one.partition(" ")[0] for one in cluster.changes()] == ["DELETE"] * 14
    assert cluster.changes()[-1] == f"DELETE {CHATAPP}"
    assert {one.body["preconditions"]["uid"] for one in cluster.asked if one.method == "DELETE" and "/services/" in one.path} == set(kept)

    nothing = run("delete", "story", "--yes")
    assert (nothing.code, nothing.err, cluster.changes()) == (exits.DONE, "", [])
    assert "nothing to delete: none of it is there" in nothing.out
    assert "deployment chatapp/chatapp   is not there" in nothing.out


def test_a_rollout_that_cannot_end_is_no_with_the_object_and_the_cause(run: Command, file: Any) -> None:
    assert run("apply", file(deployment("stuck", progressDeadlineSeconds=60)), "--yes").code == exits.DONE
    bad = deployment("stuck", progressDeadlineSeconds=60)
    bad["spec"]["template"]["spec"]["containers"][0]["image"] = "mrsinghdocker/chatap:k8s"
    said = run("apply", file(bad), "--yes")
    assert said.code == exits.NO
    assert "-        image: registry.k8s.io/pause:3.10" in said.out
    assert "+        image: mrsinghdocker/chatap:k8s" in said.out
    assert said.err.startswith("kubepane apply: deployment shop/stuck: its progress deadline has passed: image mrsinghdocker/chatap:k8s")
    assert said.err.count("\n") == 1


def test_the_timeout_ends_the_waiting_with_the_reason(run: Command, file: Any) -> None:
    nowhere = deployment("nowhere")
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = {"is": "nowhere"}
    said = run("apply", file(nowhere), "--yes", "--timeout", "1")
    assert said.code == exits.NO
    assert "not finished: 0 of 1 ready; deployment shop/nowhere: " in said.err


# ---- what is shown and what is sent --------------------------------------------------------------------------------------------


def test_a_change_is_shown_as_its_diff_and_sent_with_what_was_shown_as_condition(run: Command, cluster: Living, file: Any) -> None:
    run("apply", file(config_map("one", a="old", b="same")), "--yes")
    before = cluster.get(f"{CORE}/configmaps/one")["metadata"]
    said = run("apply", file(config_map("one", a="new", b="same")), "--yes")
    assert said.code == exits.DONE
    assert "~ configmap shop/one   change" in said.out
    assert "-  a: old" in said.out
    assert "+  a: new" in said.out
    assert "managedFields" not in said.out
    (sent,) = [one for one in cluster.asked if one.changes]
    assert sent.body["metadata"] == {"name": "one", "namespace": "shop", "uid": before["uid"], "resourceVersion": before["resourceVersion"]}
    assert [one.body for one in cluster.asked if one.query.get("dryRun")] == [sent.body]


def test_what_is_left_out_goes(run: Command, cluster: Living, file: Any) -> None:
    run("apply", file(config_map("two", a="x", b="y")), "--yes")
    said = run("apply", file(config_map("two", a="x")), "--yes")
    assert "-  b: y" in said.out
    assert cluster.get(f"{CORE}/configmaps/two")["data"] == {"a": "x"}


@pytest.mark.parametrize("value", ["correct-horse", "battery-staple"])
def test_values_of_secrets_are_never_told(run: Command, cluster: Living, file: Any, tmp_path: Path, value: str) -> None:
    run("apply", file(secret("vault", word="before-this", other="same")), "--yes")
    said = run("apply", file(secret("vault", word=value, other="same")), "--yes")
    assert said.code == exits.DONE
    assert "-  word: •••••• (before)" in said.out
    assert "+  word: •••••• (after)" in said.out
    assert "other: •••••• (" not in said.out
    stored = cluster.get(f"{CORE}/secrets/vault")["data"]["word"]
    told = said.out + said.err + (tmp_path / "state" / "kubepane" / "audit.jsonl").read_text()
    assert not [text for text in (value, stored, "before-this", "YmVmb3Jl") if text in told]
    assert "nothing to change" in run("apply", file(secret("vault", word=value, other="same")), "--yes").out


def test_a_dry_run_sends_dry_runs_only(run: Command, cluster: Living, file: Any) -> None:
    said = run("apply", file(config_map("dry")), "--dry-run")
    assert said.code == exits.DONE
    assert "+ configmap shop/dry   create" in said.out
    assert cluster.changes() == []
    assert [one.path for one in cluster.asked if one.query.get("dryRun") == "All"] == [f"{CORE}/configmaps/dry"]


@pytest.mark.parametrize("words", [("apply", "story"), ("delete", "story")])
def test_read_only_sends_nothing_at_all(run: Command, cluster: Living, words: tuple[str, ...]) -> None:
    said = run(*words, "--yes", "--read-only")
    assert said.code == (exits.REFUSED if words[0] == "apply" else exits.DONE)
    assert [one for one in cluster.asked if one.method != "GET" and "authorization" not in one.path] == []


@pytest.mark.parametrize("answer", ["", "n", "yess"])
def test_any_other_answer_is_no(run: Command, cluster: Living, file: Any, answer: str) -> None:
    said = run("apply", file(config_map("asked")), at=Terminal(answer))
    assert (said.code, said.err) == (exits.REFUSED, "kubepane apply: not done\n")
    assert cluster.changes() == []


def test_standard_input_is_applied(run: Command, cluster: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(config_map("piped", a="x")).encode())))
    assert run("apply", "-", "--yes").code == exits.DONE
    assert cluster.get(f"{CORE}/configmaps/piped")["data"] == {"a": "x"}


def test_a_kind_that_the_program_does_not_watch_is_found_on_the_server(run: Command, cluster: Living, file: Any) -> None:
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "guard"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}}  # fmt: skip
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:looker"}, "rules": []}
    said = run("apply", file(budget, role), "--yes")
    assert (said.code, said.err) == (exits.DONE, "")
    assert cluster.get("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/guard")["spec"]["minAvailable"] == 1
    assert cluster.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:looker")
    gone = run("delete", file(budget, role), "--yes")
    assert (gone.code, gone.err) == (exits.DONE, "")
    assert cluster.get("/apis/policy/v1/namespaces/shop/poddisruptionbudgets")["items"] == []


# ---- what is refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "code", "says"),
    [
        ([{**config_map("x"), "apiVersion": "shop.example/v1", "kind": "Basket"}], exits.NO, "this server has no Basket in shop.example/v1"),
        ([{**config_map("x"), "kind": "Basket"}], exits.NO, "this server has no Basket in v1"),
        ([{**config_map("x"), "bogus": 1}], exits.REFUSED, "field not declared in schema"),
        ([config_map("x"), {**config_map("x"), "metadata": {"name": "x", "namespace": "shop"}}], exits.USAGE, "configmap shop/x is there twice"),
        ([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "y", "namespace": "shop"}}], exits.USAGE, "Namespace y is in no namespace"),
        ([{**config_map("x"), "metadata": {"name": "x", "namespace": "nowhere"}}], exits.REFUSED, 'namespaces "nowhere" not found'),
        ([deployment("x", selector={"matchLabels": {"app": "other"}})], exits.REFUSED, "selector"),
    ],
)
def test_what_cannot_be_applied_is_one_line(run: Command, cluster: Living, file: Any, objects: list[Any], code: int, says: str) -> None:
    said = run("apply", file(*objects), "--yes")
    assert said.code == code, said
    assert says in said.err
    assert said.err.count("\n") == 1
    assert cluster.changes() == []


@pytest.mark.parametrize("words", [("apply", "no-such-set"), ("delete", "no-such-set"), ("manifests", "show", "no-such-set")])
def test_a_set_that_is_not_there_names_those_that_are(run: Command, cluster: Living, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert said.code == exits.USAGE
    assert "faults/bad-image" in said.err
    assert said.err.count("\n") == 1
    assert cluster.asked == []


def test_fields_of_others_are_named_and_taken_over_only_when_that_is_asked_for(run: Command, cluster: Living, file: Any) -> None:
    path = f"{APPS}/deployments/contested"
    run("apply", file(deployment("contested", replicas=1)), "--yes")
    cluster.call("PATCH", f"{path}/scale?fieldManager=somebody", {"spec": {"replicas": 2}}, "application/merge-patch+json")
    said = run("apply", file(deployment("contested", replicas=1), config_map("beside")), "--yes")
    assert said.code == exits.REFUSED
    assert "✕ deployment shop/contested   1 field of others in the way" in said.out
    assert ".spec.replicas  somebody (scale)" in said.out
    assert said.err.endswith("; take over 1 field with --force-conflicts\n")
    assert cluster.changes() == []

    forced = run("apply", file(deployment("contested", replicas=1), config_map("beside")), "--yes", "--force-conflicts")
    assert (forced.code, forced.err) == (exits.DONE, "")
    assert "takes .spec.replicas from somebody (scale)" in forced.out
    assert "-  replicas: 2" in forced.out
    assert cluster.get(path)["spec"]["replicas"] == 1
    assert {one.path.rpartition("/")[2]: one.query["force"] for one in cluster.asked if one.changes} == {"contested": "true", "beside": "false"}


def test_a_quota_refuses_before_anything_is_sent(run: Command, cluster: Living, file: Any) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "tight"}, "spec": {"hard": {"count/configmaps": "1"}}}  # fmt: skip
    assert run("apply", file(space, quota), "--yes").code == exits.DONE
    much = [{**config_map(name), "metadata": {"name": name, "namespace": "tight"}} for name in ("a", "b")]
    cluster.call(
        "PATCH", "/api/v1/namespaces/tight/resourcequotas/few", {"spec": {"hard": {"count/configmaps": "0"}}}, "application/merge-patch+json"
    )
    said = run("apply", file(*much), "--yes")
    assert said.code == exits.REFUSED
    assert said.out.count("the server would refuse it: ") == 2
    assert "exceeded quota: few" in said.err
    assert cluster.changes() == []


def test_who_may_not_is_told_so_with_the_verb(run: Command, cluster: Living, file: Any) -> None:
    said = run("apply", file(config_map("mine")), "--yes", "--as", "stranger")
    assert said.code == exits.REFUSED
    assert 'User "stranger" cannot get resource "configmaps"' in said.err
    allow(cluster, "reader", "get", "list", "watch")
    said = run("apply", file(config_map("mine")), "--yes", "--as", "reader")
    assert said.code == exits.REFUSED
    assert 'User "reader" cannot patch resource "configmaps"' in said.err
    allow(cluster, "patcher", "get", "list", "watch", "patch")
    said = run("apply", file(config_map("mine")), "--yes", "--as", "patcher")
    assert said.code == exits.REFUSED
    assert 'User "patcher" cannot create resource "configmaps"' in said.err
    assert cluster.changes() == []


def allow(cluster: Living, user: str, *verbs: str) -> None:
    base = "/apis/rbac.authorization.k8s.io/v1"
    cluster.call("POST", f"{base}/clusterroles", {"metadata": {"name": user}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    cluster.call("POST", f"{base}/clusterrolebindings", {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]})


# ---- others, and the line, in between ------------------------------------------------------------------------------------------


def test_what_somebody_else_created_meanwhile_is_left_alone(run: Command, cluster: Living, file: Any) -> None:
    def created() -> None:
        cluster.call("POST", f"{CORE}/configmaps", config_map("race", theirs="x"))

    said = run("apply", file(config_map("race", ours="y")), at=Terminal("y", meanwhile=created))
    assert said.code == exits.REFUSED
    assert "somebody created it meanwhile" in said.err
    assert cluster.get(f"{CORE}/configmaps/race")["data"] == {"theirs": "x"}


def test_what_somebody_else_changed_meanwhile_is_left_alone(run: Command, cluster: Living, file: Any) -> None:
    path = f"{CORE}/configmaps/moving"
    run("apply", file(config_map("moving", a="1")), "--yes")
    said = run("apply", file(config_map("moving", a="2")), at=Terminal("y", meanwhile=lambda: cluster.patch(path, {"data": {"b": "theirs"}})))
    assert said.code == exits.REFUSED
    assert "somebody changed it meanwhile" in said.err
    assert cluster.get(path)["data"] == {"a": "1", "b": "theirs"}


def test_what_was_deleted_meanwhile_is_not_created_anew(run: Command, cluster: Living, file: Any) -> None:
    path = f"{CORE}/configmaps/leaving"
    run("apply", file(config_map("leaving", a="1")), "--yes")
    said = run("apply", file(config_map("leaving", a="2")), at=Terminal("y", meanwhile=lambda: cluster.call("DELETE", path)))
    assert said.code == exits.REFUSED
    assert "leaving" not in {one["metadata"]["name"] for one in cluster.get(f"{CORE}/configmaps")["items"]}


def test_another_object_of_the_name_is_not_deleted(run: Command, cluster: Living, file: Any) -> None:
    path = f"{CORE}/configmaps/twin"
    run("apply", file(config_map("twin")), "--yes")

    def replaced() -> None:
        cluster.call("DELETE", path)
        cluster.call("POST", f"{CORE}/configmaps", config_map("twin", theirs="x"))

    said = run("delete", file(config_map("twin")), at=Terminal("y", meanwhile=replaced))
    assert said.code == exits.REFUSED
    assert cluster.get(path)["data"] == {"theirs": "x"}


def test_a_lost_answer_is_found_out_and_nothing_is_sent_twice(run: Command, cluster: Living, file: Any, tmp_path: Path) -> None:
    def cut(asked: Asked) -> None:
        if asked.changes:
            raise Cut

    cluster.after = cut
    said = run("apply", file(config_map("lost", a="1"), secret("lost", word="hidden")), "--yes")
    assert (said.code, said.err) == (exits.DONE, "")
    assert said.out.count("the answer was lost, the cluster shows it") == 2
    said = run("apply", file(config_map("lost", b="1"), secret("lost", word="changed")), "--yes")
    assert said.code == exits.DONE
    assert len(cluster.changes()) == 2
    assert [line["end"] for line in audit(tmp_path)] == ["done"] * 4


def test_a_request_that_never_arrived_did_not_happen_and_the_rest_is_not_tried(run: Command, cluster: Living, file: Any, tmp_path: Path) -> None:
    names = ("c-1", "c-2", "c-3")

    def cut(asked: Asked) -> None:
        if asked.changes and asked.path.endswith("c-2"):
            raise Cut

    cluster.before = cut
    said = run("apply", file(*map(config_map, names)), "--yes")
    assert said.code == exits.UNREACHABLE
    assert "it did not happen" in said.err
    assert "1 of 3 done" in said.err
    assert "not tried: c-3" in said.err
    assert [one.rpartition("/")[2] for one in cluster.changes()] == ["c-1", "c-2"]
    assert [line["end"] for line in audit(tmp_path)] == ["done", "lost"]


def test_a_server_that_dies_in_the_middle_leaves_it_unknown(run: Command, cluster: Living, file: Any, tmp_path: Path) -> None:
    dead: list[Asked] = []

    def die(asked: Asked) -> None:
        if dead or (asked.changes and asked.path.endswith("d-2")):
            dead.append(asked)
            raise Cut

    cluster.before = die
    said = run("apply", file(*map(config_map, ("d-1", "d-2", "d-3"))), "--yes")
    assert said.code == exits.UNREACHABLE
    assert "it cannot be found out whether it happened" in said.err
    assert len([asked for asked in dead if asked.changes]) == 1
    assert [line["end"] for line in audit(tmp_path)] == ["done", "unknown"]


# ---- what is bundled -----------------------------------------------------------------------------------------------------------


def test_the_sets_are_listed_for_people_and_for_programs(run: Command, cluster: Living) -> None:
    said = run("manifests", "list")
    assert said.code == exits.DONE
    assert [line.split()[0] for line in said.out.splitlines()] == [one.name for one in catalogue.sets()]
    records = json.loads(run("manifests", "list", "--format", "json").out)
    assert [record["description"] for record in records] == [one.description for one in catalogue.sets()]
    assert {"verb": "apply", "set": "chatapp"} in [record.get("cure") for record in records]
    assert cluster.asked == []


def test_a_set_is_shown_with_its_comments(run: Command) -> None:
    said = run("manifests", "show", "mysql")
    assert said.code == exits.DONE
    for path in catalogue.find("mysql").files():
        assert path.read_text() in said.out
    assert "# mysql/secret.yaml\n" in said.out


@pytest.mark.parametrize("words", [("delete", "{}", "--dry-run"), ("delete", "{}")])
def test_the_preview_of_a_deletion_deletes_nothing(run: Command, cluster: Living, file: Any, words: tuple[str, ...]) -> None:
    path = file(config_map("staying"))
    run("apply", path, "--yes")
    run(*(word.format(path) for word in words), at=Terminal("n"))
    assert cluster.get(f"{CORE}/configmaps/staying")["metadata"].get("deletionTimestamp") is None


def test_what_changes_between_the_look_and_the_dry_run_is_looked_at_again(run: Command, cluster: Living, file: Any) -> None:
    run("apply", file(config_map("busy", a="1")), "--yes")
    changes = iter(({"data": {"b": "theirs"}},))

    def in_between(asked: Asked) -> None:
        if asked.query.get("dryRun") and (change := next(changes, None)) is not None:
            # handled on this very thread: the storage is changed underneath, as another request would
            raise_revision(cluster, "busy", change)

    cluster.before = in_between
    said = run("apply", file(config_map("busy", a="2")), "--yes")
    assert (said.code, said.err) == (exits.DONE, "")
    assert cluster.get(f"{CORE}/configmaps/busy")["data"] == {"a": "2", "b": "theirs"}


def raise_revision(cluster: Living, name: str, change: dict[str, Any]) -> None:
    storage = cluster.served.cluster.core.storage
    stored = storage.stored("configmaps", "shop", name)
    assert stored is not None
    storage.put("configmaps", {**stored.obj, "data": {**stored.obj["data"], **change["data"]}}, stored.managed)
