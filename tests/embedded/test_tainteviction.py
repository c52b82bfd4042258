"""NoExecute taints drive pods away at once, later, or never."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from embedded.nodeobjects import add_node, pod_on, run_pod
from embedded.volumeobjects import advance, said
from kubepane_embedded.controllers.tainteviction import TaintEviction
from kubepane_embedded.core import Core
from kubepane_embedded.podfacts import condition
from kubepane_embedded.tolerations import tolerates

MARK, CANCEL = "Marking for deletion Pod default/{}", "Cancelling deletion of Pod default/{}"


@pytest.fixture
def cluster(core: Core) -> Core:
    TaintEviction(core).start()
    add_node(core, "n")
    return core


def taint(core: Core, *keys: str, effect: str = "NoExecute") -> None:
    """Give the node these taints and no others."""
    taints = [{"key": key, "effect": effect} for key in keys]
    core.client("test").patch("nodes", "", "n", {"spec": {"taints": taints or None}})
    advance(core)


def toleration(key: str, seconds: int | None = None) -> dict[str, Any]:
    return {"key": key, "operator": "Exists", "effect": "NoExecute"} | ({} if seconds is None else {"tolerationSeconds": seconds})


def is_going(core: Core, name: str) -> bool:
    """Whether the pod is gone or being deleted."""
    pod = core.storage.read("pods", "default", name)
    return pod is None or "deletionTimestamp" in pod["metadata"]


def texts(core: Core, name: str) -> list[str]:
    return [message for _, reason, message in said(core, name) if reason == "TaintManagerEviction"]


def test_a_pod_that_does_not_tolerate_goes_at_once_with_its_grace(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n"))
    taint(cluster, "k")
    pod = cluster.client("test").get("pods", "default", "p")
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    found = condition(pod, "DisruptionTarget") or {}
    assert (found["status"], found["reason"], found["message"]) == (
        "True",
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
    )
    assert texts(cluster, "p") == [MARK.format("p")]


def test_other_effects_drive_nobody_away(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n"))
    taint(cluster, "k", effect="NoSchedule")
    assert not is_going(cluster, "p")


def test_a_pod_that_tolerates_for_ever_stays(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("k")]))
    taint(cluster, "k")
    advance(cluster, 10000)
    assert not is_going(cluster, "p")


def test_the_shortest_time_of_all_taints_counts(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("a", 60), toleration("b", 20), toleration("c")]))
    taint(cluster, "a", "b", "c")
    advance(cluster, 19)
    assert not is_going(cluster, "p")
    advance(cluster, 2)
    assert is_going(cluster, "p")


def test_one_taint_that_is_not_tolerated_ends_the_waiting(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("a", 60)]))
    taint(cluster, "a")
    advance(cluster, 5)
    taint(cluster, "a", "b")
    assert sorted(texts(cluster, "p")) == [CANCEL.format("p"), MARK.format("p")]


def test_a_taint_taken_off_in_time_cancels(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("a", 60)]))
    taint(cluster, "a")
    advance(cluster, 59)
    taint(cluster)
    advance(cluster, 100)
    assert not is_going(cluster, "p")
    assert texts(cluster, "p") == [CANCEL.format("p")]


def test_a_pod_that_comes_to_a_tainted_node_is_seen(cluster: Core) -> None:
    taint(cluster, "k")
    run_pod(cluster, pod_on("p", "n"))
    advance(cluster)
    assert is_going(cluster, "p")


def test_a_toleration_that_comes_in_time_saves_the_pod(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("k", 60)]))
    taint(cluster, "k")
    tolerations = [*cluster.client("test").get("pods", "default", "p")["spec"]["tolerations"], toleration("k")]
    cluster.client("test").patch("pods", "default", "p", {"spec": {"tolerations": tolerations[::-1]}})
    advance(cluster, 100)
    assert not is_going(cluster, "p")


def test_a_pod_deleted_by_others_is_forgotten(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n", [toleration("k", 60)]))
    taint(cluster, "k")
    cluster.client("test").delete("pods", "default", "p", grace=0)
    advance(cluster, 100)
    assert texts(cluster, "p") == [CANCEL.format("p")]


def test_what_else_changes_about_a_pod_does_not_mark_it_again(cluster: Core) -> None:
    run_pod(cluster, pod_on("p", "n"))
    taint(cluster, "k")
    cluster.client("kubelet").patch_status("pods", "default", "p", {"phase": "Failed"})
    advance(cluster, 10)
    marked = [event["count"] for event in cluster.storage.objects("events") if event["reason"] == "TaintManagerEviction"]
    assert marked == [1]


def test_pods_of_a_load_test_stay(cluster: Core) -> None:
    pod = pod_on("p", "n")
    pod["metadata"]["labels"] = {"kubepane.io/synthetic": "true"}
    run_pod(cluster, pod)
    taint(cluster, "k")
    assert not is_going(cluster, "p")


def test_thirty_pods_are_all_told_of(cluster: Core) -> None:
    for number in range(30):
        run_pod(cluster, pod_on(f"p{number}", "n"))
    taint(cluster, "k")
    assert all(is_going(cluster, f"p{number}") for number in range(30))
    assert sum(event["reason"] == "TaintManagerEviction" for event in cluster.storage.objects("events")) == 30


WORDS = st.sampled_from([None, "", "a", "b"])


@given(
    st.fixed_dictionaries({"key": WORDS, "operator": st.sampled_from([None, "Equal", "Exists"]), "value": WORDS, "effect": WORDS}),
    st.fixed_dictionaries({"key": st.sampled_from("ab"), "value": WORDS, "effect": st.sampled_from("ab")}),
)
def test_what_tolerates_what(given_toleration: dict[str, Any], given_taint: dict[str, Any]) -> None:
    effect = given_toleration["effect"] in (None, "", given_taint["effect"])
    key = given_toleration["key"] in (None, "", given_taint["key"])
    value = given_toleration["operator"] == "Exists" or (given_toleration["value"] or "") == (given_taint["value"] or "")
    assert tolerates(given_toleration, given_taint) == (effect and key and value)
