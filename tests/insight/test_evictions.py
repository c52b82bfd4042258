"""What a drain means for each pod, as kubectl's filters have it, and which budgets hold pods back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from builders import make, meta
from kubepane.cluster import kinds as k, resources as r
from kubepane.insight.evictions import NEEDS, STAYS, Fate, Leave, daemonset_of, fate, guards, holds

EMPTY: dict[str, Any] = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
GONE: dict[str, Any] = {"deletionTimestamp": "2026-06-01T12:00:00Z"}


def owned(kind: str, version: str = "apps/v1") -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": version, "kind": kind, "name": "it", "uid": "o", "controller": True}]}


def pod(name: str = "p", owner: str = "ReplicaSet", phase: str = "Running", spec: Any = None, ready: bool = True, **more: Any) -> r.Pod:
    head = meta(name, **(owned(owner) if owner else {}), **more)
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
    found = k.decode(k.PODS, msgspec.json.encode({"metadata": head, "spec": spec or {}, "status": status}))
    assert isinstance(found, r.Pod)
    return found


MIRROR: dict[str, Any] = {"annotations": {"kubernetes.io/config.mirror": "x"}}
CASES: dict[str, tuple[r.Pod, Fate, Fate, Fate]] = {  # fate without leave, with leave for data, with force
    "of a ReplicaSet": (pod(), Fate.GOES, Fate.GOES, Fate.GOES),
    "of a DaemonSet": (pod(owner="DaemonSet"), Fate.DAEMON, Fate.DAEMON, Fate.DAEMON),
    "of a DaemonSet, with emptyDir": (pod(owner="DaemonSet", spec=EMPTY), Fate.DAEMON, Fate.DAEMON, Fate.DAEMON),
    "of a DaemonSet, finished": (pod(owner="DaemonSet", phase="Failed"), Fate.GOES, Fate.GOES, Fate.GOES),
    "mirror": (pod(owner="Node", **MIRROR), Fate.MIRROR, Fate.MIRROR, Fate.MIRROR),
    "emptyDir": (pod(spec=EMPTY), Fate.DATA, Fate.GOES, Fate.DATA),
    "emptyDir, finished": (pod(spec=EMPTY, phase="Succeeded"), Fate.GOES, Fate.GOES, Fate.GOES),
    "alone": (pod(owner=""), Fate.ALONE, Fate.ALONE, Fate.GOES),
    "alone, with emptyDir": (pod(owner="", spec=EMPTY), Fate.DATA, Fate.ALONE, Fate.DATA),
    "alone, finished": (pod(owner="", phase="Failed"), Fate.GOES, Fate.GOES, Fate.GOES),
    "going": (pod(**GONE), Fate.GOING, Fate.GOING, Fate.GOING),
    "alone, going": (pod(owner="", **GONE), Fate.GOING, Fate.GOING, Fate.GOING),
    "pending": (pod(phase="Pending"), Fate.GOES, Fate.GOES, Fate.GOES),
}


@pytest.mark.parametrize("case", CASES)
def test_fates(case: str) -> None:
    one, bare, data, force = CASES[case]
    assert [fate(one, leave) for leave in (Leave(), Leave(data=True), Leave(force=True))] == [bare, data, force]


def test_a_pod_whose_daemonset_is_gone_goes_with_force_only() -> None:
    one = pod(owner="DaemonSet")
    gone = {("shop", "it")}
    assert fate(one, Leave(), gone) is Fate.ORPHAN
    assert fate(one, Leave(force=True), gone) is Fate.GOES
    assert fate(one, Leave(force=True), {("other", "it")}) is Fate.DAEMON


def test_a_daemonset_of_another_group_is_none() -> None:
    head = meta("p", **owned("DaemonSet", "apps.kruise.io/v1beta1"))
    one = k.decode(k.PODS, msgspec.json.encode({"metadata": head, "status": {"phase": "Running"}}))
    assert isinstance(one, r.Pod)
    assert daemonset_of(one) is None
    assert fate(one, Leave()) is Fate.GOES


def test_every_fate_is_told_apart() -> None:
    assert set(Fate) == {Fate.GOES, Fate.GOING, *STAYS, *NEEDS}


# ---- budgets -------------------------------------------------------------------------------------------------------------------


def budget(
    name: str = "web", allowed: int = 0, selector: Any = None, policy: str = "", healthy: int = 2, needed: int = 2, space: str = "shop"
) -> r.Budget:
    spec = {"selector": {"matchLabels": {"app": "web"}} if selector is None else selector, "unhealthyPodEvictionPolicy": policy}
    status = {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": needed}
    return msgspec.convert({"metadata": meta(name, space), "spec": spec, "status": status}, r.Budget)


WEB: dict[str, Any] = {"labels": {"app": "web"}}


def test_a_budget_guards_the_pods_that_it_selects_in_its_namespace() -> None:
    one = pod(**WEB)
    assert [
        b.metadata.name for b in guards(one, [budget(), budget("else", selector={"matchLabels": {"app": "db"}}), budget("far", space="test")])
    ] == ["web"]
    assert guards(one, [budget(selector={})])
    assert not guards(one, [r.Budget(metadata=budget().metadata)])  # no selector selects nothing


@pytest.mark.parametrize("free", [pod(phase="Pending", **WEB), pod(phase="Failed", **WEB), pod(phase="Succeeded", **WEB), pod(**WEB, **GONE)])
def test_what_is_pending_done_or_going_needs_no_leave(free: r.Pod) -> None:
    assert guards(free, [budget()]) == ()
    assert holds([free], [budget()]) == ()


def test_a_budget_holds_back_more_pods_than_it_allows() -> None:
    pods = [pod(f"p{i}", **WEB) for i in range(3)]
    (held,) = holds(pods, [budget(allowed=2)])
    assert (held.allowed, len(held.pods)) == (2, 3)
    assert holds(pods, [budget(allowed=3)]) == ()


def test_two_budgets_of_one_pod_forbid_it_for_ever() -> None:
    assert holds([pod(ready=False, **WEB)], [budget("a", policy="AlwaysAllow"), budget("b", policy="AlwaysAllow")])
    (held,) = holds([pod(**WEB)], [budget("a", allowed=5), budget("b", allowed=5)])
    assert (held.allowed, [b.metadata.name for b in held.budgets]) == (0, ["a", "b"])


@pytest.mark.parametrize(
    ("policy", "healthy", "needed", "free"),
    [("", 2, 2, True), ("", 1, 2, False), ("", 0, 0, False), ("IfHealthyBudget", 1, 2, False), ("AlwaysAllow", 0, 2, True)],
)
def test_a_pod_that_is_not_ready_may_go_when_the_budget_is_met_or_does_not_mind(policy: str, healthy: int, needed: int, free: bool) -> None:
    broken = pod(ready=False, **WEB)
    assert (holds([broken], [budget(policy=policy, healthy=healthy, needed=needed)]) == ()) is free
    assert len(holds([pod(**WEB)], [budget(policy=policy, healthy=healthy, needed=needed)])) == 1


def test_absent_parts_make_no_trouble() -> None:
    bare = make(k.PODS, "bare")
    assert fate(bare, Leave()) is Fate.ALONE
    assert holds([bare], [msgspec.convert({"metadata": {}}, r.Budget)]) == ()
