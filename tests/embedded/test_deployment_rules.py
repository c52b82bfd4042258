"""The arithmetic of rollouts: surge and unavailability, shares when scaled, steps up and down, templates and their revisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from kubepane_embedded.controllers.deployment_facts import Rollout, fenceposts, max_surge, max_unavailable, scaled
from kubepane_embedded.controllers.deployment_revisions import (
    HISTORY,
    REVISION,
    described,
    new_replica_set,
    rollout_of,
    same_template,
    size_annotations,
    template_hash,
)
from kubepane_embedded.controllers.deployment_rolling import new_size, roll_down, roll_up
from kubepane_embedded.controllers.deployment_scaling import Scaler
from kubepane_embedded.controllers.deployment_status import counted, judged, new_condition, reason_of
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, annotations_of, clone
from kubepane_embedded.recorder import Recorder
from kubepane_embedded.seed import ALPHABET

LABELS = {"app": "web"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}


def deployment(replicas: int, surge: int | str | None = 0, unavailable: int | str | None = 0, **spec: Any) -> Object:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    wanted = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}, "selector": {"matchLabels": LABELS}}
    meta = {"name": "web", "namespace": "default", "uid": "1", "generation": 1}
    return {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": meta, "spec": {**wanted, "template": clone(TEMPLATE), **spec}, "status": {}}


class Bench:
    """ReplicaSets of one Deployment in a store without controllers."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.client = core.client("kube-controller-manager")
        self.scaler = Scaler(self.client, Recorder(self.client, "deployment-controller"))

    def replica_set(self, name: str, number: int, replicas: int, available: int, before: Object) -> Object:
        template = clone(TEMPLATE)
        template["spec"]["containers"][0]["image"] = f"nginx:{number}"
        meta = {"name": name, "namespace": "default", "annotations": size_annotations(before)}
        spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
        created = self.client.create("replicasets.apps", {"metadata": meta, "spec": spec})
        self.core.clock._reach(self.core.clock.seconds() + 1)  # a second older than the next one
        status = {"replicas": replicas, "availableReplicas": available, "observedGeneration": 1}
        return self.client.patch_status("replicasets.apps", "default", created["metadata"]["name"], status)

    def rollout(self, now: Object, before: Object, new: int | None, old: list[int], available: dict[str, int] | None = None) -> Rollout:
        """Old ones are given newest first, named `old-1` and on."""
        ready = available or {}
        names = [f"old-{number}" for number in range(1, len(old) + 1)]
        made = [
            self.replica_set(name, number, size, ready.get(name, 0), before)
            for number, (name, size) in reversed(list(enumerate(zip(names, old, strict=True), 1)))
        ]
        newest = None if new is None else self.replica_set("new", 0, new, ready.get("new", 0), before)
        return Rollout(now, newest, made)

    def sizes(self, rollout: Rollout) -> tuple[int | None, list[int]]:
        stored = {one["metadata"]["name"]: one["spec"]["replicas"] for one in self.core.storage.objects("replicasets.apps")}
        for one in rollout.all:
            assert one["spec"]["replicas"] == stored[one["metadata"]["name"]], "the rollout knows what was written"
        return stored.get("new"), [stored[name] for name in sorted(stored) if name.startswith("old")]


@pytest.fixture
def bench(core: Core) -> Bench:
    return Bench(core)


class Case(NamedTuple):
    """One scaling: from `before` replicas to `now`; sizes of the new ReplicaSet and of the old ones, newest first."""

    before: int
    now: int
    new: int | None
    old: list[int]
    then_new: int | None
    then_old: list[int]
    surge_before: int = 0
    surge: int = 0
    unavailable: int = 0
    available: dict[str, int] | None = None


SCALINGS = {
    "one, up": Case(10, 12, 10, [], 12, []),
    "one, down": Case(10, 5, 10, [], 5, []),
    "5 to 10": Case(5, 10, 2, [3], 4, [6]),
    "5 to 3": Case(5, 3, 2, [3], 1, [2]),
    "9 to 4": Case(9, 4, 8, [1], 4, [0]),
    "7 to 10": Case(7, 10, 2, [3, 2], 3, [4, 3]),
    "13 to 8": Case(13, 8, 2, [8, 3], 1, [5, 2]),
    "what is left over goes to the newest": Case(3, 4, 1, [1, 1], 2, [1, 1]),
    "what is too much goes from the oldest": Case(3, 2, 1, [1, 1], 1, [1, 0]),
    "no new one": Case(4, 5, None, [2, 2], None, [3, 2]),
    "6 to 0": Case(6, 0, 3, [2, 1], 0, [0, 0]),
    "0 to 6": Case(6, 6, 0, [0, 0], 6, [0, 0]),
    "only an old one has pods": Case(6, 8, 0, [6, 0], 0, [8, 0]),
    "no new one and no pods": Case(6, 6, None, [0, 0], None, [6, 0]),
    "with surge": Case(10, 20, 6, [6], 11, [11], surge_before=2, surge=2),
    "size and surge": Case(10, 50, 5, [8], 22, [34], surge_before=3, surge=6),
    "size and template": Case(10, 14, None, [7, 3], None, [10, 4]),
    "new one complete, but not available": Case(2, 2, 2, [1], 2, [1], surge_before=1, surge=1, unavailable=1),
    "new one complete and available": Case(2, 2, 2, [1], 2, [0], surge_before=1, surge=1, available={"new": 2}),
}


@pytest.mark.parametrize("case", SCALINGS.values(), ids=SCALINGS)
def test_scaling_shares(bench: Bench, case: Case) -> None:
    """The cases of pkg/controller/deployment/sync_test.go, TestScale, and a few more."""
    now, before = deployment(case.now, case.surge, case.unavailable), deployment(case.before, case.surge_before)
    rollout = bench.rollout(now, before, case.new, case.old, case.available)
    bench.scaler.scale(rollout)
    assert bench.sizes(rollout) == (case.then_new, case.then_old)


def test_scaling_a_rollout_writes_down_the_size(bench: Bench) -> None:
    now = deployment(10, 2)
    rollout = bench.rollout(now, deployment(5), 2, [3])
    bench.scaler.scale(rollout)
    assert [annotations_of(one) for one in rollout.all] == [size_annotations(now)] * 2
    before = bench.core.storage.revision
    bench.scaler.scale(rollout)
    assert bench.core.storage.revision == before


def test_without_the_annotation_the_status_tells_the_size_before(bench: Bench) -> None:
    now = deployment(10)
    now["status"] = {"replicas": 5}
    rollout = bench.rollout(now, deployment(5), 2, [3])
    for one in rollout.all:
        one["metadata"]["annotations"] = {}
    bench.scaler.scale(rollout)
    assert bench.sizes(rollout) == (4, [6])


def test_events_of_scaling(bench: Bench) -> None:
    bench.scaler.scale(bench.rollout(deployment(3), deployment(5), 5, []))
    event = bench.core.storage.objects("events")[0]
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "ScalingReplicaSet", "Scaled down replica set new from 5 to 3")


def test_more_available_than_asked_for_is_not_less_than_nothing_unavailable(bench: Bench) -> None:
    now = deployment(2)
    status = counted(bench.rollout(now, now, 2, [], {"new": 5}), bench.core.clock.now())
    assert status["availableReplicas"] == 5
    assert "unavailableReplicas" not in status


def test_old_pods_that_come_after_a_rollout_do_not_time_it_out(bench: Bench) -> None:
    """A ReplicaSet with pods adopted long after the last rollout ended."""
    now = deployment(2, 1, progressDeadlineSeconds=5)
    past = bench.core.clock.now() - timedelta(hours=1)
    now["status"] = {
        "replicas": 2,
        "updatedReplicas": 2,
        "conditions": [new_condition("Progressing", "True", "NewReplicaSetAvailable", "done", past)],
    }
    status = judged(bench.rollout(now, now, 2, [1], {"new": 2, "old-1": 1}), bench.core.clock.now())
    assert status["replicas"] == 3
    assert reason_of(status, "Progressing") == "ReplicaSetUpdated"
    now["status"] = {**status, "conditions": now["status"]["conditions"]}
    again = judged(
        Rollout(now, bench.core.storage.read("replicasets.apps", "default", "new"), [bench.client.get("replicasets.apps", "default", "old-1")]),
        bench.core.clock.now(),
    )
    assert reason_of(again, "Progressing") == "NewReplicaSetAvailable"


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [(3, 10, 3, 3), ("25%", 10, 3, 2), ("1%", 1, 1, 0), ("100%", 7, 7, 7), ("0%", 7, 0, 0), (None, 7, 0, 0), ("33%", 3, 1, 0)],
)
def test_int_or_percent(value: int | str | None, total: int, up: int, down: int) -> None:
    assert (scaled(value, total, round_up=True), scaled(value, total, round_up=False)) == (up, down)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "resolved"),
    [
        (2, "0%", "1%", (0, 1)),
        (1, "0%", "1%", (0, 1)),
        (2, "1%", "25%", (1, 0)),
        (1, "1%", "25%", (1, 0)),
        (2, "1%", "0%", (1, 0)),
        (10, 0, 0, (0, 1)),
        (10, "25%", "25%", (3, 2)),
        (2, None, None, (0, 1)),
    ],
)
def test_fenceposts(replicas: int, surge: int | str | None, unavailable: int | str | None, resolved: tuple[int, int]) -> None:
    assert fenceposts(deployment(replicas, surge, unavailable)) == resolved


def test_limits_of_odd_deployments() -> None:
    assert max_unavailable(deployment(3, 0, 10)) == 3
    assert max_unavailable(deployment(0, 1, 1)) == 0
    recreate = deployment(3, strategy={"type": "Recreate"})
    assert (max_surge(recreate), max_unavailable(recreate)) == (0, 0)


@pytest.mark.parametrize(
    ("surge", "old", "new", "then"), [(0, 10, 0, 0), (2, 10, 0, 2), (2, 5, 0, 7), (2, 10, 2, 2), (2, 2, 11, 10), (5, 0, 3, 10), (2, 15, 3, 3)]
)
def test_steps_up(bench: Bench, surge: int, old: int, new: int, then: int) -> None:
    """TestDeploymentController_reconcileNewReplicaSet: 10 replicas."""
    now = deployment(10, surge)
    rollout = bench.rollout(now, now, new, [old])
    assert rollout.new is not None
    assert roll_up(bench.scaler, rollout, rollout.new) == (new != then)
    assert bench.sizes(rollout) == (then, [old])


def test_a_recreated_one_takes_all_at_once(bench: Bench) -> None:
    now = deployment(10, strategy={"type": "Recreate"})
    assert new_size(bench.rollout(now, now, None, [4])) == 10


@pytest.mark.parametrize(
    ("unavailable", "old", "new", "old_ready", "new_ready", "then"),
    [
        (0, 10, 0, 10, 0, 9),
        (2, 10, 0, 10, 0, 8),
        (2, 10, 0, 8, 0, 8),
        (2, 10, 0, 9, 0, 8),
        (2, 8, 2, 8, 0, 8),
        (2, 0, 10, 0, 10, 0),
        (2, 4, 8, 4, 8, 0),
    ],
)
def test_steps_down(bench: Bench, unavailable: int, old: int, new: int, old_ready: int, new_ready: int, then: int) -> None:
    """TestDeploymentController_reconcileOldReplicaSets: 10 replicas, no surge."""
    now = deployment(10, 0, unavailable)
    rollout = bench.rollout(now, now, new, [old], {"old-1": old_ready, "new": new_ready})
    assert rollout.new is not None
    assert roll_down(bench.scaler, rollout, rollout.new) == (old != then)
    assert bench.sizes(rollout) == (new, [then])


def test_unhealthy_ones_go_before_older_healthy_ones(bench: Bench) -> None:
    now = deployment(6, 2, 2)
    rollout = bench.rollout(now, now, 0, [4, 4], {"old-1": 1, "old-2": 4})
    assert rollout.new is not None
    assert roll_down(bench.scaler, rollout, rollout.new)
    assert bench.sizes(rollout) == (0, [1, 3]), "three of the newer are unhealthy, then one of the oldest"


def test_templates_compared() -> None:
    labelled = clone(TEMPLATE)
    labelled["metadata"]["labels"]["pod-template-hash"] = "x"
    labelled["metadata"] |= {"annotations": {}, "creationTimestamp": None}
    assert same_template(TEMPLATE, labelled)
    other = clone(TEMPLATE)
    other["spec"]["containers"][0]["env"] = [{"name": "A"}]
    assert not same_template(TEMPLATE, other)
    everywhere, here = clone(TEMPLATE), clone(TEMPLATE)
    everywhere["spec"]["term"], here["spec"]["term"] = {"namespaceSelector": {}}, {}
    assert not same_template(everywhere, here), "an empty selector is another thing than none"


def test_hash_is_stable_and_moves_with_collisions() -> None:
    first = template_hash(TEMPLATE, None)
    assert first == template_hash(clone(TEMPLATE), None)
    assert set(first) <= set(ALPHABET)
    assert len({first, template_hash(TEMPLATE, 1), template_hash(TEMPLATE, 2), template_hash({}, None)}) == 4


def test_a_long_name_is_cut() -> None:
    wanted = deployment(1)
    wanted["metadata"]["name"] = "w" * 253
    made = new_replica_set(Rollout(wanted, None, []), 1)
    digest = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == "w" * (252 - len(digest)) + "-" + digest
    assert made["spec"]["selector"]["matchLabels"] == {**LABELS, "pod-template-hash": digest}


def numbered(number: int, version: str, history: str = "", created: str = "2026-01-01T00:00:00Z") -> Object:
    template = clone(TEMPLATE)
    template["spec"]["containers"][0]["image"] = f"nginx:{number}"
    annotations = {REVISION: version, **({HISTORY: history} if history else {})}
    meta = {"name": f"web-{number}", "uid": f"u{number}", "annotations": annotations, "creationTimestamp": created}
    return {"metadata": meta, "spec": {"replicas": 0, "template": template}}


def test_going_back_moves_the_revision_on_and_keeps_the_past() -> None:
    wanted = deployment(1)
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1"
    wanted["metadata"]["annotations"] = {"note": "x", REVISION: "9", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    rollout = rollout_of(wanted, [numbered(1, "3", "1"), numbered(2, "4"), numbered(3, "odd")])
    assert rollout.new is not None
    changed = described(rollout, rollout.new)
    assert changed is not None
    assert annotations_of(changed) == {"note": "x", REVISION: "5", HISTORY: "1,3"}
    rollout.replace(changed)
    assert described(rollout, changed) is None


def test_a_long_history_forgets_its_first() -> None:
    past = ",".join(str(number) for number in range(1000, 1399))
    wanted = deployment(1)
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1"
    rollout = rollout_of(wanted, [numbered(1, "1399", past), numbered(2, "20000")])
    assert rollout.new is not None
    changed = described(rollout, rollout.new)
    assert changed is not None
    assert len(past) == 1994
    assert annotations_of(changed)[HISTORY] == past + ",1399"
    again = {**changed, "metadata": {**changed["metadata"], "annotations": {**annotations_of(changed), REVISION: "1400"}}}
    assert annotations_of(described(rollout, again) or {})[HISTORY] == (past + ",1399,1400").removeprefix("1000,")


def test_the_oldest_of_two_with_the_template_is_the_new_one() -> None:
    wanted = deployment(1)
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1"
    late = {**numbered(1, "2", created="2026-01-02T00:00:00Z"), "late": True}
    rollout = rollout_of(wanted, [late, numbered(1, "1"), numbered(2, "3")])
    assert rollout.new is not None
    assert "late" not in rollout.new
    assert len(rollout.old) == 2
