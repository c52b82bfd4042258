from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import make
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import members
from kubepane.insight.finding import Level
from kubepane.insight.members import Members, State
from kubepane.insight.pods import level

OWNERS = [make(k.REPLICASETS, f"rs-{i}", uid=f"rs-{i}") for i in range(2)]
STATUSES: list[dict[str, Any]] = [
    {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"ready": True, "state": {"running": {}}}]},
    {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    },
    {"phase": "Pending"},
    {"phase": "Succeeded"},
    {"phase": "Failed"},
]


def pod(number: int, owner: int | None, status: int, node: bool, gone: bool, revision: str) -> Any:
    return make(
        k.PODS, f"p{number}", uid=f"p{number}", owner=None if owner is None else OWNERS[owner], spec={"nodeName": "n1" if node else ""},
        status=STATUSES[status], **({"deletionTimestamp": "2026-06-01T11:59:00Z"} if gone else {}),
        labels={"controller-revision-hash": revision, "pod-template-generation": revision[1:]} if revision else {},
    )  # fmt: skip


PODS = st.builds(
    pod, st.integers(0, 5), st.sampled_from([None, 0, 1]), st.integers(0, 4), st.booleans(), st.booleans(), st.sampled_from(["", "h1", "h2"])
)
STEPS = st.lists(st.one_of(PODS, st.integers(0, 5).map(lambda n: f"p{n}"), st.just("read")), max_size=25)


def told(groups: dict[str, members.Group]) -> dict[str, Any]:
    """What can be read of groups, apart from the order in which pods came and highest generations of pods that went."""
    return {
        revision: (tuple(g.counts), {lv: set(uids) for lv, uids in g.unwell.items() if uids}, (w := g.worst()) and w[0])
        for revision, g in groups.items()
    }


@settings(max_examples=60)
@given(STEPS)
def test_counts_are_those_of_a_recount_whatever_happened(steps: list[Any]) -> None:
    stores = Stores()
    counted = Members(stores.pods)
    listener = counted.listen()
    for step in steps:
        before = {uid: told(counted.of(uid)) for uid in ("rs-0", "rs-1")}
        listener.drain()
        if step == "read":
            counted.sync()
        elif isinstance(step, str):
            stores.pods.drop(step)
        else:
            stores.pods.put(step)
        touched = listener.drain()
        for uid, was in before.items():
            now = told(counted.of(uid))
            assert uid in touched or now == was
            assert now == told(Members(stores.pods).of(uid))
    for owner in ("rs-0", "rs-1"):
        states = Counter(members.state(p) for p in stores.pods.by("owner", owner))
        groups = counted.of(owner).values()
        assert [sum(g[s] for g in groups) for s in State] == [states[s] for s in State]
        worst = min((level(p) for p in stores.pods.by("owner", owner) if level(p) < Level.OK), default=None)
        found = min((w for g in groups if (w := g.worst())), default=None)
        assert (found[0] if found else None) == worst
        if found:
            named = stores.pods.get(found[1])
            assert named is not None
            assert level(named) is worst


def test_only_controllers_own() -> None:
    stores = Stores()
    counted = Members(stores.pods)
    stores.pods.put(k.decode(k.PODS, b'{"metadata":{"uid":"a","name":"a","ownerReferences":[{"uid":"rs-0","kind":"ReplicaSet"}]}}'))  # type: ignore[arg-type]
    assert counted.of("rs-0") == {}
    assert counted.listen().drain() == set()


def test_an_owner_whose_last_pod_goes_is_touched_and_empty() -> None:
    stores = Stores()
    stores.pods.put(pod(1, 0, 0, True, False, ""))
    counted = Members(stores.pods)
    assert counted.of("rs-0")[""][State.READY] == 1
    one, other = counted.listen(), counted.listen()
    assert one.drain() == other.drain() == {"rs-0"}
    stores.pods.drop("p1")
    assert counted.of("rs-0") == {}
    assert one.drain() == other.drain() == {"rs-0"}
    assert one.drain() == set()


def test_a_cluster_has_one_of_them() -> None:
    stores = Stores()
    assert members.members(stores) is members.members(stores)
    assert members.members(stores) is not members.members(Stores())


STATES = [
    (pod(1, 0, 0, True, False, ""), State.READY),
    (pod(1, 0, 1, True, False, ""), State.STARTING),
    (pod(1, 0, 2, True, False, ""), State.STARTING),
    (pod(1, 0, 2, False, False, ""), State.PENDING),
    (pod(1, 0, 0, True, True, ""), State.TERMINATING),
    (pod(1, 0, 3, True, False, ""), State.SUCCEEDED),
    (pod(1, 0, 4, True, False, ""), State.FAILED),
]


@pytest.mark.parametrize(("one", "wanted"), STATES, ids=[s.name for _, s in STATES])
def test_states_are_those_a_controller_counts(one: Any, wanted: State) -> None:
    assert members.state(one) is wanted
