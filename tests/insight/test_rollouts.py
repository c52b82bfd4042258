from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, make
from clusters import live, refuse
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight import rollouts
from kubepane.insight.finding import Level
from kubepane.insight.rollouts import Phase, Rollout, deadline_left
from recordings import objects, recorded
from rolling import daemonset, deployment, statefulset


def counts(ro: Rollout) -> tuple[tuple[int, int, int, int] | None, tuple[int, int, int, int]]:
    """(wanted, ready, starting, pending) of the old and the new side."""
    old = None if ro.old is None else (ro.old.wanted, ro.old.ready, ro.old.starting, ro.old.pending)
    return old, (ro.new.wanted, ro.new.ready, ro.new.starting, ro.new.pending)


def test_a_rollout_under_way() -> None:
    stores = live()
    ro = rollouts.of(deployment(stores, "rr", "rsp"), stores)
    assert counts(ro) == ((2, 2, 0, 0), (3, 1, 1, 1))
    assert (ro.phase, ro.desired, ro.surge, ro.unavailable, ro.needed, ro.available) == (Phase.ROLLING, 4, 1, 1, 3, 3)
    assert ro.old is not None
    assert (ro.old.name, ro.old.revision, ro.new.name, ro.new.revision) == ("old1", 3, "new1", 4)
    assert (ro.new.level, ro.new.busy, ro.old.level) == (Level.WAIT, 1, Level.OK)
    assert (ro.deadline, deadline_left(ro, NOW)) == (600, 540.0)


def test_pods_that_go_are_counted_nowhere() -> None:
    stores = live()
    ro = rollouts.of(deployment(stores, "rtt", "rr"), stores)
    assert counts(ro) == ((1, 1, 0, 0), (2, 2, 0, 0))


def test_several_old_revisions_are_one_side_under_the_newest() -> None:
    stores = live()
    d = deployment(stores, "rr", "s")
    other = make(
        k.REPLICASETS, "chatapp-older", owner=d, annotations={"deployment.kubernetes.io/revision": "1"}, labels={"pod-template-hash": "older"},
        spec={"replicas": 1}, status={"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    )  # fmt: skip
    stores.replicasets.put(other)
    ro = rollouts.of(d, stores)
    assert ro.old is not None
    assert (ro.old.name, ro.old.revision, ro.old.ready, ro.old.wanted, ro.old.available) == ("old1", 3, 3, 3, 3)


def test_without_pods_the_replicasets_say_what_they_can() -> None:
    stores = live()
    d = deployment(stores, "rr", "rsp")
    for state in (State.FORBIDDEN, State.SYNCING):
        stores.pods.set_freshness(Freshness(state))
        assert counts(rollouts.of(d, stores)) == ((2, 2, 0, 0), (3, 1, 2, 0))


def test_without_replicasets_all_pods_are_one_side() -> None:
    stores = live()
    d = deployment(stores, "rr", "rsp")
    stores.replicasets.replace([])
    refuse(stores, k.REPLICASETS, k.PODS)
    ro = rollouts.of(d, stores)
    assert counts(ro) == (None, (4, 3, 2, 0))
    assert (ro.new.revision, ro.phase) == (4, Phase.ROLLING)


def test_a_paused_change_has_no_new_replicaset() -> None:
    """The revision is still that of the ReplicaSet before, and what we keep of the templates is alike."""
    stores = live()
    d = deployment(stores, None, "rrrr", spec={"paused": True}, status={"updatedReplicas": None})
    ro = rollouts.of(d, stores)
    assert counts(ro) == ((4, 4, 0, 0), (0, 0, 0, 0))
    assert (ro.paused, ro.phase, deadline_left(ro, NOW)) == (True, Phase.ROLLING, None)


def test_a_template_of_other_images_is_another_revision_whatever_the_numbers_say() -> None:
    stores = live()
    d = deployment(stores, "rr", None, spec={"template": {"spec": {"containers": [{"name": "app", "image": "shop/app:9"}]}}})
    ro = rollouts.of(d, stores)
    assert (ro.new.pods, ro.old and ro.old.ready) == (0, 2)


PHASES: list[tuple[dict[str, Any], Phase, float | None]] = [
    ({"old": "rr", "new": "rsp"}, Phase.ROLLING, 540),
    ({"old": None, "new": "rrrr", "reason": "NewReplicaSetAvailable"}, Phase.STEADY, None),
    ({"old": None, "new": "rr", "reason": "NewReplicaSetAvailable"}, Phase.SCALING, None),
    ({"old": None, "new": "rrrs", "reason": "NewReplicaSetAvailable"}, Phase.DEGRADED, None),
    ({"old": None, "new": "rrss", "reason": "NewReplicaSetCreated"}, Phase.ROLLING, 540),
    ({"old": "r", "new": "rrrs", "reason": "NewReplicaSetAvailable"}, Phase.ROLLING, None),
    ({"old": "rr", "new": "b", "reason": "ProgressDeadlineExceeded"}, Phase.ROLLING, None),
    ({"old": "rr", "new": "rsp", "spec": {"progressDeadlineSeconds": 2147483647}}, Phase.ROLLING, None),
    ({"old": "rr", "new": "rsp", "spec": {"progressDeadlineSeconds": None}}, Phase.ROLLING, None),
    ({"old": "rr", "new": "rsp", "at": "2026-06-01T11:00:00Z"}, Phase.ROLLING, 0),
    ({"old": None, "new": "", "desired": 0, "reason": "NewReplicaSetAvailable"}, Phase.STEADY, None),
]


@pytest.mark.parametrize(("made", "phase", "left"), PHASES, ids=range(len(PHASES)))
def test_phases_and_deadlines(made: dict[str, Any], phase: Phase, left: float | None) -> None:
    stores = live()
    ro = rollouts.of(deployment(stores, **made), stores)
    assert (ro.phase, deadline_left(ro, NOW)) == (phase, left)


def test_how_long_it_took_is_told_unless_it_was_a_rollback() -> None:
    stores = live()
    ro = rollouts.of(deployment(stores, "", "rrrr", reason="NewReplicaSetAvailable", at="2026-06-01T12:00:00Z"), stores)
    assert (ro.took, ro.finished) == (98.0, NOW)
    newer = make(k.REPLICASETS, "chatapp-x", owner=stores.deployments.get("d"), creationTimestamp="2026-06-01T11:59:00Z")
    stores.replicasets.put(newer)
    d = stores.deployments.get("d")
    assert d is not None
    assert (rollouts.of(d, stores).took, rollouts.of(d, stores).finished) == (None, NOW)


def test_a_refused_pod_is_the_failure() -> None:
    stores = live()
    refused = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"}]
    assert rollouts.of(deployment(stores, "rr", "", conditions=refused), stores).failure == "no"


def test_recreate_may_miss_all_pods() -> None:
    stores = live()
    ro = rollouts.of(deployment(stores, "", "ss", spec={"strategy": {"type": "Recreate"}}), stores)
    assert (ro.surge, ro.unavailable, ro.needed) == (0, 4, 0)


# ---- StatefulSets and DaemonSets ---------------------------------------------------------------------------------------------


def test_a_statefulset_under_way() -> None:
    stores = live()
    ro = rollouts.of(statefulset(stores, "rr", "s"), stores)
    assert counts(ro) == ((0, 2, 0, 0), (3, 0, 1, 0))
    assert (ro.phase, ro.new.name, ro.old and ro.old.name, ro.unavailable) == (Phase.ROLLING, "bbb", "aaa", 1)


def test_a_partition_keeps_the_old_ones() -> None:
    stores = live()
    ro = rollouts.of(statefulset(stores, "rr", "r", rolling={"partition": 2}), stores)
    assert counts(ro) == ((2, 2, 0, 0), (1, 1, 0, 0))
    assert (ro.phase, ro.verdict.done) == (Phase.STEADY, True)


@pytest.mark.parametrize(("new", "phase"), [("rrr", Phase.STEADY), ("rrs", Phase.DEGRADED), ("rr", Phase.SCALING), ("", Phase.SCALING)])
def test_a_statefulset_of_one_revision(new: str, phase: Phase) -> None:
    stores = live()
    ro = rollouts.of(statefulset(stores, "", new), stores)
    assert (ro.phase, ro.old) == (phase, None)


@pytest.mark.parametrize(("most", "desired", "unavailable"), [(None, 3, 1), (2, 3, 2), ("50%", 5, 2), ("10%", 5, 1), (0, 3, 1), (9, 3, 3)])
def test_unavailable_pods_of_a_statefulset_round_down_and_are_at_least_one(most: Any, desired: int, unavailable: int) -> None:
    stores = live()
    ro = rollouts.of(statefulset(stores, "", "r", desired=desired, rolling={"maxUnavailable": most}), stores)
    assert ro.unavailable == unavailable


def test_a_daemonset_under_way() -> None:
    stores = live()
    ro = rollouts.of(daemonset(stores, "rr", "s"), stores)
    assert counts(ro) == ((0, 2, 0, 0), (3, 0, 1, 0))
    assert ro.old is not None
    assert (ro.phase, ro.old.revision, ro.new.revision, ro.old.name, ro.new.name) == (Phase.ROLLING, 1, 2, "aaa", "bbb")


@pytest.mark.parametrize(("new", "phase"), [("rrr", Phase.STEADY), ("rrs", Phase.DEGRADED), ("rr", Phase.SCALING)])
def test_a_daemonset_of_one_revision(new: str, phase: Phase) -> None:
    stores = live()
    assert rollouts.of(daemonset(stores, "", new), stores).phase is phase


@pytest.mark.parametrize(
    ("rolling", "numbers"),
    [
        ({"maxUnavailable": "30%"}, (0, 1)),
        ({"maxUnavailable": "50%"}, (0, 2)),
        ({"maxSurge": 1, "maxUnavailable": 0}, (1, 0)),
        ({"maxSurge": 0}, (0, 1)),
    ],
)
def test_the_numbers_of_a_daemonset_round_up_and_are_never_both_zero(rolling: Any, numbers: tuple[int, int]) -> None:
    stores = live()
    ro = rollouts.of(daemonset(stores, "rr", "r", rolling=rolling), stores)
    assert (ro.surge, ro.unavailable) == numbers


def test_without_pods_a_set_is_one_side() -> None:
    stores = live()
    objs: list[Any] = [statefulset(stores, "rr", "s"), daemonset(stores, "rr", "s")]
    refuse(stores, k.PODS)
    for obj in objs:
        assert counts(rollouts.of(obj, stores)) == (None, (3, 2, 1, 0))


@pytest.mark.parametrize("kind", [k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS], ids=lambda kind: kind.plural)
def test_an_object_without_any_field_makes_no_rule_stumble(kind: Any) -> None:
    ro = rollouts.of(make(kind, "bare"), Stores())
    assert ro.old is None
    assert deadline_left(ro, NOW) is None


# ---- the recorded story --------------------------------------------------------------------------------------------------------


def test_the_recorded_story_stage_by_stage() -> None:
    """Created with 2, scaled by the HPA to 3 and 4, down to 3 and 1: told in kubectl's words after every change of the Deployment."""
    story, stores = recorded("chatapp-story"), live()
    replicaset = objects(k.REPLICASETS, recorded("workload-tables")["replicasets"]["items"])[0]
    steps = sorted([*((k.DEPLOYMENTS, *e) for e in story["deployments"]), *((k.PODS, *e) for e in story["pods"])], key=lambda e: e[1])
    told: list[tuple[Phase, int, int, bool]] = []
    for kind, _, type_, obj in steps:
        decoded = objects(kind, [obj])[0]
        if type_ == "DELETED":
            stores.of(kind).drop(decoded.metadata.uid)
        else:
            stores.of(kind).put(decoded)
        if kind is k.DEPLOYMENTS:
            if rollouts.revision(decoded):
                stores.replicasets.put(replicaset)
            ro = rollouts.of(decoded, stores)
            stage = (ro.phase, ro.desired, ro.available, ro.verdict.done)
            if not told or told[-1] != stage:
                told.append(stage)
    assert told == [
        (Phase.SCALING, 2, 0, False),
        (Phase.ROLLING, 2, 0, False),
        (Phase.ROLLING, 2, 1, False),
        (Phase.STEADY, 2, 2, True),
        (Phase.SCALING, 3, 2, False),
        (Phase.DEGRADED, 3, 2, False),
        (Phase.STEADY, 3, 3, True),
        (Phase.SCALING, 4, 3, False),
        (Phase.DEGRADED, 4, 3, False),
        (Phase.STEADY, 4, 4, True),
        (Phase.SCALING, 3, 4, False),
        (Phase.STEADY, 3, 4, True),
        (Phase.STEADY, 3, 3, True),
        (Phase.SCALING, 1, 3, False),
        (Phase.STEADY, 1, 3, True),
        (Phase.STEADY, 1, 1, True),
    ]
    ro = rollouts.of(next(iter(stores.deployments)), stores)
    assert (ro.took, ro.finished) == (6.0, replicaset.metadata.creation_timestamp + timedelta(seconds=6))
