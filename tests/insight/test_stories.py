from __future__ import annotations

from typing import Any

import pytest

from builders import put
from clusters import live
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import rollouts, stories
from kubepane.insight.finding import Level
from kubepane.insight.stories import Step
from rolling import daemonset, deployment, statefulset


def tell(obj: Any, stores: Stores) -> list[Step]:
    return stories.story(obj, rollouts.of(obj, stores), stores)


def texts(steps: list[Step], when: str) -> list[str]:
    return [step.text for step in steps if step.when == when]


def event(stores: Stores, uid: str, reason: str, message: str, at: str) -> Any:
    return put(
        stores, k.EVENTS, f"e-{at}", uid=f"e-{at}", involvedObject={"uid": uid}, reason=reason, message=message, lastTimestamp=f"2026-06-01T{at}Z"
    )


def scaled(stores: Stores, at: str, words: str) -> None:
    event(stores, "d", "ScalingReplicaSet", f"Scaled {words}", at)


def test_the_story_of_the_look() -> None:
    """Done in the order of time, then what goes on, the worst last, then what comes next and what it waits for."""
    stores = live()
    d = deployment(stores, "rr", "rsp")
    put(stores, k.AUTOSCALERS, "chatapp", uid="hpa", spec={"scaleTargetRef": {"kind": "Deployment", "name": "chatapp"}})
    scaled(stores, "09:00:00", "up replica set chatapp-old from 0 to 2")
    scaled(stores, "11:58:22", "up replica set chatapp-new from 0 to 1")
    event(stores, "hpa", "SuccessfulRescale", "New size: 4; reason: cpu resource utilization (percentage of request) above target", "11:58:56")
    event(stores, "hpa", "SuccessfulRescale", "New size: 2; reason: All metrics below target", "09:30:00")
    scaled(stores, "11:58:57", "up replica set chatapp-new from 1 to 3")
    steps = tell(d, stores)
    assert texts(steps, "") == [
        "new ReplicaSet new made, 0 → 1",
        "HPA set 4 replicas: cpu resource utilization (percentage of request) above target",
        "new ReplicaSet 1 → 3",
        "chatapp-new-0 ready after 59m",
    ]
    assert [(s.level, s.text.partition(":")[0]) for s in steps if s.when == "now"] == [
        (Level.BUSY, "chatapp-new-1 starting"),
        (Level.WAIT, "chatapp-new-2 Pending"),
    ]
    assert texts(steps, "next") == ["old ReplicaSet 2 → 1 once 1 more new pod is available"]
    assert len({s.key for s in steps}) == len(steps)
    assert all(step.at is not None for step in steps if not step.when)


def test_a_rollback_begins_when_its_replicaset_was_scaled_up_from_nothing_again() -> None:
    stores = live()
    d = deployment(stores, "r", "rr")
    scaled(stores, "11:58:22", "up replica set chatapp-new from 0 to 4")
    scaled(stores, "11:58:40", "down replica set chatapp-new from 4 to 0")
    scaled(stores, "11:59:10", "up replica set chatapp-new from 0 to 1")
    assert texts(tell(d, stores), "") == ["new ReplicaSet new made, 0 → 1"]


def test_pods_that_go_and_pods_that_are_refused_and_a_deadline_are_told() -> None:
    stores = live()
    refused = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
    d = deployment(stores, "rtt", "b", conditions=refused, reason="ProgressDeadlineExceeded")
    steps = tell(d, stores)
    assert texts(steps, "now") == [
        "exceeded quota",
        "chatapp-new-0 ImagePullBackOff: image shop/app:2: not found",
        "2 old pods going",
        "no progress for 10m: past its deadline",
    ]


def test_of_many_pods_some_are_named_and_the_others_counted() -> None:
    stores = live()
    steps = tell(deployment(stores, "r", "s" * 20, desired=20), stores)
    assert texts(steps, "now")[-1] == "and 8 more pods"
    assert len(texts(steps, "now")) == 13


# ---- what comes next -------------------------------------------------------------------------------------------------------------

NEXT: list[tuple[str, dict[str, Any], str]] = [
    ("a pod more is allowed", {"old": "rrr", "new": "r", "wanted": (3, 1)}, "new ReplicaSet 1 → 2"),
    ("old ones may go", {"old": "rr", "new": "rrr"}, "old ReplicaSet 2 → 0"),
    ("waits for one", {"old": "rr", "new": "rsp"}, "old ReplicaSet 2 → 1 once 1 more new pod is available"),
    ("waits for two", {"old": "rr", "new": "ssp"}, "old ReplicaSet 2 → 1 once 2 more new pods are available"),
    ("paused", {"old": "rr", "new": "r", "spec": {"paused": True}}, "nothing until it is resumed"),
    ("the last pod", {"old": "", "new": "rrrs"}, "done when 1 more pod is available"),
    ("all pods", {"old": "", "new": "ssss"}, "done when 4 more pods are available"),
    ("recreate", {"old": "rr", "new": "", "spec": {"strategy": {"type": "Recreate"}}}, "new pods when all old ones have gone"),
    ("done", {"old": "", "new": "rrrr", "reason": "NewReplicaSetAvailable"}, ""),
]


@pytest.mark.parametrize(("made", "text"), [n[1:] for n in NEXT], ids=[n[0] for n in NEXT])
def test_what_a_deployment_does_next(made: dict[str, Any], text: str) -> None:
    stores = live()
    d = deployment(stores, **made)
    assert stories.following(d, rollouts.of(d, stores), []) == text


SETS: list[tuple[str, Any, str]] = [
    ("sts, all ready", lambda s: statefulset(s, "rr", "r"), "db-1 is replaced"),
    ("sts, waits", lambda s: statefulset(s, "rr", "s"), "db-1 is replaced once the pods before it are ready"),
    ("sts, partition", lambda s: statefulset(s, "rr", "s", rolling={"partition": 1}), "db-1 is replaced once the pods before it are ready"),
    ("sts, partition reached", lambda s: statefulset(s, "rr", "s", rolling={"partition": 2}), "done when 1 more pod is ready"),
    ("sts, on delete", lambda s: statefulset(s, "rr", "r", strategy="OnDelete"), "each old pod is renewed when somebody deletes it"),
    ("sts, starts", lambda s: statefulset(s, "", "rs"), "done when 2 more pods are ready"),
    ("ds", lambda s: daemonset(s, "rr", "s"), "2 more nodes, at most 1 at a time"),
    ("ds, the last pod", lambda s: daemonset(s, "", "rrs"), ""),
]


@pytest.mark.parametrize(("made", "text"), [n[1:] for n in SETS], ids=[n[0] for n in SETS])
def test_what_a_set_does_next(made: Any, text: str) -> None:
    stores = live()
    assert "".join(texts(tell(made(stores), stores), "next")) == text


def test_pods_of_both_revisions_of_a_set_are_told_apart() -> None:
    stores = live()
    steps = tell(statefulset(stores, "tr", "rs"), stores)
    assert texts(steps, "") == ["db-2 ready after 59m"]
    assert texts(steps, "now") == ["db-3 starting", "1 old pod going"]
