"""Ephemeral containers, refused in the words of a real 1.35.4, and run by the simulated kubelet."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.kubelet_stage import BOX, Stage
from kubepane_embedded.errors import ApiError
from kubepane_embedded.patches import PatchType

SUB = "ephemeralcontainers"
FORBIDDEN = "cannot be set for an Ephemeral Container"
BAD = {
    "name": "c",
    "image": "a",
    "targetContainerName": "nope",
    "ports": [{"containerPort": 80}],
    "resources": {"limits": {"cpu": "1"}},
    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
}
ONE = {"name": "e", "image": BOX, "command": ["sh", "-c", "echo looking"]}


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.box("sleep 1000")
    stage.run(5)
    return stage


def add(stage: Stage, containers: Any, kind: PatchType = PatchType.STRATEGIC, subresource: str = SUB) -> Any:
    return stage.user.patch("pods", "default", "p", {"spec": {"ephemeralContainers": containers}}, kind, subresource)


def refusal(stage: Stage, containers: Any, kind: PatchType = PatchType.STRATEGIC, subresource: str = SUB) -> list[tuple[str, str]]:
    """Field and message of every cause."""
    with pytest.raises(ApiError) as error:
        add(stage, containers, kind, subresource)
    assert error.value.code == 422
    return [(cause["field"], cause["message"]) for cause in error.value.status()["details"]["causes"]]


def test_one_is_added_runs_and_ends_once(stage: Stage) -> None:
    given = add(stage, [ONE])
    assert given["metadata"]["generation"] == 2
    made = given["spec"]["ephemeralContainers"][0]
    assert (made["terminationMessagePolicy"], made["imagePullPolicy"]) == ("File", "IfNotPresent")
    stage.run(60)
    assert stage.log("e") == ["looking"]
    assert stage.container("e")["state"]["terminated"]["reason"] == "Completed"
    assert stage.status()["phase"] == "Running"
    assert stage.container("e")["restartCount"] == 0


def test_what_cannot_be_added(stage: Stage) -> None:
    assert refusal(stage, [BAD]) == [
        ("spec.ephemeralContainers[0].name", 'Duplicate value: "c"'),
        ("spec.ephemeralContainers[0].targetContainerName", 'Not found: "nope"'),
        ("spec.ephemeralContainers[0].ports", f"Forbidden: {FORBIDDEN}"),
        ("spec.ephemeralContainers[0].resources", f"Forbidden: {FORBIDDEN}"),
        ("spec.ephemeralContainers[0].lifecycle", f"Forbidden: {FORBIDDEN}"),
    ]
    assert refusal(stage, [{"name": "x"}]) == [("spec.ephemeralContainers[0].image", "Required value")]


def test_those_that_are_there_stay(stage: Stage) -> None:
    add(stage, [ONE])
    what = 'Forbidden: existing ephemeral containers "e" may not be '
    ((field, message),) = refusal(stage, [{"name": "e", "image": "other"}])
    assert (field, message.startswith(what + "changed\n")) == ("spec.ephemeralContainers", True)
    assert refusal(stage, None, PatchType.MERGE) == [("spec.ephemeralContainers", what + "removed\n")]


def test_they_come_by_their_subresource_alone(stage: Stage) -> None:
    ((field, message),) = refusal(stage, [ONE], subresource="")
    assert (field, message.startswith("Forbidden: pod updates may not change fields other than")) == ("spec", True)
    with pytest.raises(ApiError, match="cannot be set on create"):
        stage.pod("other", containers=[{"name": "c", "image": BOX}], ephemeralContainers=[ONE])
    before = stage.read()
    body = {"metadata": {"labels": {"a": "b"}}, "spec": {"ephemeralContainers": [ONE], "activeDeadlineSeconds": 5}}
    after = stage.user.patch("pods", "default", "p", body, PatchType.STRATEGIC, SUB)
    assert after["metadata"].get("labels") == before["metadata"].get("labels")
    assert "activeDeadlineSeconds" not in after["spec"]
