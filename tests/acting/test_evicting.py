"""Carrying out a drain of one node, under everything that can happen to its pods and to the line."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW, make
from kubepane.acting import evicting
from kubepane.acting.evicting import Drainage, Going
from kubepane.acting.plan import Progress
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import Cause, ClusterError, Forbidden, NotFound, ServerFault, TooManyRequests, Unreachable
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import End, Outcome, Step

HELD = TooManyRequests(
    429, "TooManyRequests", "Cannot evict", causes=(Cause("DisruptionBudget", "The disruption budget web needs 2 healthy pods and has 2 currently"),)
)
ENDING = Forbidden(403, "Forbidden", "is being terminated", causes=(Cause("NamespaceTerminating", "x"),))
LIVE = Freshness(State.LIVE)


class Cluster:
    """Pods of one node, behind the means of a plan.

    Attributes:
        answers: of a pod's evictions, in order: an error, or None for "taken"; then it is taken.
        linger: pods that are terminating and stay until `end` is called.
    """

    def __init__(self, *names: str, watched: bool = True) -> None:
        self.stores, self.stopping = Stores(), asyncio.Event()
        self.stores.pods.set_freshness(LIVE if watched else Freshness(State.FORBIDDEN))
        self.pods: dict[str, r.Pod] = {}
        self.answers: dict[str, list[Any]] = {}
        self.linger: set[str] = set()
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.refuse_lists: list[ClusterError] = []
        self.lists = 0
        for name in names:
            self.add(name)

    def add(self, name: str, **more: Any) -> None:
        self.pods[name] = make(k.PODS, name, uid=f"uid-{name}", **more)
        self.stores.pods.put(self.pods[name])

    def end(self, name: str) -> None:
        self.linger.discard(name)
        del self.pods[name]
        self.stores.pods.drop(f"uid-{name}")

    async def make(self, step: Step, before: Outcome | None = None) -> Outcome:
        name = step.about.name
        self.asked.append(name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        waiting = self.answers.get(name, [])
        answer = waiting.pop(0) if waiting else None
        if isinstance(answer, Outcome):
            return answer
        if answer is not None:
            return Outcome(step, End.REFUSED, str(answer), error=answer)
        if name not in self.pods:
            return Outcome(step, End.SAME, "it is gone already")
        if name not in self.linger:
            self.end(name)
        return Outcome(step, End.DONE, "evicted")

    async def read(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        self.lists += 1
        assert dict(query or {}) == {"fieldSelector": "spec.nodeName=n1"}
        if self.refuse_lists:
            raise self.refuse_lists.pop(0)
        return json.dumps({"items": [_json(pod) for pod in self.pods.values()]}).encode()

    def going(self, *names: str) -> list[Going]:
        return [Going(f"uid-{name}", f"shop/{name}", evicting.step(self.pods[name], None)) for name in names or self.pods]

    def drainage(self, *names: str, stays: tuple[str, ...] = ()) -> Drainage:
        return Drainage(self, "n1", self.going(*names), [f"uid-{name}" for name in stays])


def _json(pod: r.Pod) -> dict[str, Any]:
    owners = [{"apiVersion": "apps/v1", "kind": one.kind, "name": one.name, "controller": True} for one in pod.metadata.owner_references or ()]
    return {"metadata": {"name": pod.metadata.name, "namespace": "shop", "uid": pod.metadata.uid, "ownerReferences": owners}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGAIN", "LOOK_AGAIN", "POLL"):
        monkeypatch.setattr(evicting, name, 0.0)


async def run(drainage: Drainage, meanwhile: Any = None) -> tuple[list[Progress], list[Outcome]]:
    """Everything that it says, until its end."""
    words: list[Progress] = []
    outcomes: list[Outcome] = []
    async for each in drainage.run():
        if isinstance(each, Progress):
            words.append(each)
            if meanwhile is not None:
                meanwhile(each)
        else:
            outcomes.append(each)
        assert len(words) + len(outcomes) < 10_000
    return words, outcomes


async def test_every_pod_is_evicted_once_four_at_a_time() -> None:
    cluster = Cluster(*(f"p{i}" for i in range(30)))
    words, outcomes = await run(cluster.drainage())
    assert words[0] == Progress(False, "0 of 30 gone")
    assert words[-1] == Progress(True, "all 30 gone")
    assert Counter(cluster.asked) == {f"p{i}": 1 for i in range(30)}
    assert cluster.most == evicting.AT_ONCE
    assert {outcome.end for outcome in outcomes} == {End.DONE}
    assert len(outcomes) == 30


async def test_what_a_budget_holds_is_asked_again_and_named_until_then() -> None:
    cluster = Cluster("a", "b")
    cluster.answers["a"] = [HELD, HELD, HELD]
    words, outcomes = await run(cluster.drainage())
    assert any(word.text == "1 of 2 gone, 1 waits for PDB web, which needs 2 healthy pods and has 2 currently" for word in words)
    assert words[-1] == Progress(True, "all 2 gone")
    assert Counter(cluster.asked) == {"a": 4, "b": 1}
    assert [(outcome.step.about.name, outcome.end) for outcome in outcomes] == [("b", End.DONE), ("a", End.DONE)]


async def test_pods_that_are_held_keep_no_others_from_going(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evicting, "AGAIN", 3600.0)
    names = [f"held{i}" for i in range(9)]
    cluster = Cluster(*names, "free")
    cluster.answers = {name: [HELD] for name in names}
    words, _ = await run(cluster.drainage(), lambda word: cluster.stopping.set() if word.text.startswith("1 of 10 gone, 9 wait") else None)
    assert "free" not in cluster.pods
    assert words[-1].text == "stopped: 1 evicted, 9 not evicted: shop/held0, shop/held1, shop/held2 and 6 more"
    assert Counter(cluster.asked) == Counter([*names, "free"])


async def test_a_busy_server_is_waited_for() -> None:
    cluster = Cluster("a")
    cluster.answers["a"] = [TooManyRequests(429, "TooManyRequests", "slow down")]
    words, _ = await run(cluster.drainage())
    assert "0 of 1 gone, 1 waits for the server, which is busy" in [word.text for word in words]
    assert words[-1] == Progress(True, "all 1 gone")


async def test_a_namespace_that_is_going_is_waited_for() -> None:
    cluster = Cluster("a")
    cluster.answers["a"] = [ENDING]
    words, _ = await run(cluster.drainage())
    assert "0 of 1 gone, 1 waits for its namespace to go" in [word.text for word in words]
    assert words[-1] == Progress(True, "all 1 gone")


@pytest.mark.parametrize("error", [Forbidden(403, "Forbidden", "not you"), ServerFault(500, "", "more than one PodDisruptionBudget")])
async def test_what_is_refused_for_good_is_told_after_the_others_are_gone(error: ClusterError) -> None:
    cluster = Cluster("a", "b", "c")
    cluster.answers["b"] = [error] * 9
    words, outcomes = await run(cluster.drainage())
    assert words[-1] == Progress(True, f"not finished: 2 evicted, 1 not evicted: shop/b ({error})", failed=True)
    assert Counter(cluster.asked)["b"] == 1
    assert {outcome.step.about.name: outcome.good for outcome in outcomes} == {"a": True, "b": False, "c": True}


async def test_its_end_is_when_the_last_pod_is_gone_not_when_it_is_evicted() -> None:
    cluster = Cluster("slow", "fast")
    cluster.linger = {"slow"}
    seen: list[str] = []

    def later(word: Progress) -> None:
        seen.append(word.text)
        if word.text == "1 of 2 gone" and len(cluster.asked) == 2:
            asyncio.get_running_loop().call_later(0.02, cluster.end, "slow")

    words, _ = await run(cluster.drainage(), later)
    assert "1 of 2 gone" in seen
    assert words[-1] == Progress(True, "all 2 gone")


async def test_a_pod_that_was_going_before_is_waited_for_and_not_asked() -> None:
    cluster = Cluster("going")
    drainage = Drainage(cluster, "n1", [Going("uid-going", "shop/going", None)], ())
    words, _ = await run(drainage, lambda word: None if word.done else asyncio.get_running_loop().call_later(0.01, cluster.end, "going"))
    assert words == [Progress(False, "0 of 1 gone"), Progress(True, "all 1 gone")]
    assert cluster.asked == []


async def test_another_pod_under_the_name_is_not_the_one_that_goes() -> None:
    cluster = Cluster("db-0")
    drainage = cluster.drainage()
    cluster.answers["db-0"] = [Outcome(evicting.step(cluster.pods["db-0"], None), End.CHANGED, "it was deleted and another one created")]
    cluster.end("db-0")
    words, outcomes = await run(drainage)
    assert words[-1] == Progress(True, "all 1 gone")
    assert [outcome.good for outcome in outcomes] in ([True], [])


async def test_pods_that_came_meanwhile_are_left_and_said() -> None:
    cluster = Cluster("a")
    drainage = cluster.drainage()
    cluster.add("late")
    words, _ = await run(drainage)
    assert words[-1] == Progress(True, "all 1 gone, but meanwhile came shop/late: drain it again", failed=True)
    assert cluster.asked == ["a"]


async def test_those_that_stay_do_not_keep_it_from_its_end() -> None:
    cluster = Cluster("a", "stays")
    drainage = cluster.drainage("a", stays=("stays",))
    daemon = make(k.DAEMONSETS, "agent")
    cluster.pods["new-agent"] = make(k.PODS, "new-agent", owner=daemon)
    words, _ = await run(drainage)
    assert words[-1] == Progress(True, "all 1 gone")


async def test_nothing_to_evict_is_the_end_at_once() -> None:
    words, outcomes = await run(Drainage(Cluster(), "n1", [], ()))
    assert (words, outcomes) == ([Progress(True, "nothing had to go")], [])


# ---- stopping ------------------------------------------------------------------------------------------------------------------


async def test_a_stop_tells_what_was_done_and_what_was_not() -> None:
    cluster = Cluster(*(f"p{i}" for i in range(12)))
    cluster.linger = {"p0"}
    words, _ = await run(cluster.drainage(), lambda word: cluster.stopping.set() if len(cluster.asked) >= 4 else None)
    done = len(cluster.asked)
    left = [name for name in cluster.pods if name != "p0"]
    assert 4 <= done < 12
    assert len(left) == 12 - done
    assert words[-1].failed
    names = ", ".join(f"shop/{name}" for name in left[:3])
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    assert words[-1].text == f"stopped: {done} evicted, 1 still terminating, {len(left)} not evicted: {names}{more}"


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_slow_answer_is_waited_for_also_after_a_stop_and_nothing_is_sent_twice(stopped: bool) -> None:
    cluster = Cluster("a", "b")
    gate = asyncio.Event()
    take = cluster.make

    async def slow(step: Step, before: Outcome | None = None) -> Outcome:
        if step.about.name == "a":
            await gate.wait()
        return await take(step, before)

    cluster.make = slow  # type: ignore[method-assign]

    def later(word: Progress) -> None:
        if stopped:
            cluster.stopping.set()
        asyncio.get_running_loop().call_later(0.02, gate.set)

    words, outcomes = await run(cluster.drainage(), later)
    assert sorted(cluster.asked) == ["a", "b"]
    assert {outcome.step.about.name for outcome in outcomes} == {"a", "b"}
    assert words[-1] == Progress(True, "all 2 gone")


def test_a_lost_answer_is_cleared_up_by_the_pod_itself() -> None:
    one = evicting.step(make(k.PODS, "a", uid="uid-a"), None)
    assert one.holds(None)
    assert one.holds({"metadata": {"uid": "another"}})
    assert one.holds({"metadata": {"uid": "uid-a", "deletionTimestamp": "2026-06-01T12:00:00Z"}})
    assert not one.holds({"metadata": {"uid": "uid-a"}})


async def test_a_stop_before_anything_sends_nothing() -> None:
    cluster = Cluster("a")
    cluster.stopping.set()
    words, outcomes = await run(cluster.drainage())
    assert (cluster.asked, outcomes) == ([], [])
    assert words[-1].text == "stopped: 0 evicted, 1 not evicted: shop/a"


@pytest.mark.parametrize("end", [End.LOST, End.UNKNOWN])
async def test_when_the_line_is_lost_no_more_is_sent(end: End) -> None:
    cluster = Cluster(*(f"p{i}" for i in range(20)))
    step = evicting.step(cluster.pods["p2"], None)
    cluster.answers["p2"] = [Outcome(step, end, "no answer", error=Unreachable("cut"))]
    words, _ = await run(cluster.drainage())
    assert len(cluster.asked) < 12
    assert words[-1].failed
    assert words[-1].text.startswith("not finished: ")
    assert "(no answer)" in words[-1].text


async def test_given_up_altogether_it_leaves_no_task_behind() -> None:
    cluster = Cluster("a", "b")
    gate = asyncio.Event()

    async def hang(step: Step, before: Outcome | None = None) -> Outcome:
        await gate.wait()
        raise AssertionError("it was let go")

    cluster.make = hang  # type: ignore[method-assign]
    words = cluster.drainage().run()
    assert await anext(words) == Progress(False, "0 of 2 gone")
    waiting = asyncio.ensure_future(anext(words))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await words.aclose()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if "hang" in repr(task)] == []


# ---- seeing --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fresh",
    [Freshness(State.FORBIDDEN), Freshness(State.LIVE, only=("shop",)), Freshness(State.RECONNECTING, since=NOW), Freshness(State.LIVE, others=True)],
)
async def test_where_no_watch_shows_all_pods_they_are_listed(fresh: Freshness) -> None:
    cluster = Cluster("a", "b")
    cluster.stores.pods.set_freshness(fresh)
    for name in ("a", "b"):
        cluster.stores.pods.drop(f"uid-{name}")  # an empty store says nothing then
    words, _ = await run(cluster.drainage())
    assert words[-1] == Progress(True, "all 2 gone")
    assert Counter(cluster.asked) == {"a": 1, "b": 1}
    assert cluster.lists > 1


async def test_pods_that_cannot_be_seen_are_not_taken_for_gone() -> None:
    cluster = Cluster("a", watched=False)
    cluster.refuse_lists = [Unreachable("refused")] * 5
    words, _ = await run(cluster.drainage())
    assert "0 of 1 gone, its pods cannot be seen: refused" in [word.text for word in words]
    assert words[-1] == Progress(True, "all 1 gone")


async def test_a_watch_that_lags_does_not_end_it() -> None:
    cluster = Cluster("a")
    cluster.linger = {"a"}
    cluster.stores.pods.drop("uid-a")  # not heard of yet
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        cluster.pods.clear()

    asyncio.get_running_loop().call_later(0.03, end)
    words, _ = await run(cluster.drainage())
    assert ended
    assert words[-1] == Progress(True, "all 1 gone")


async def test_an_end_that_cannot_be_confirmed_is_none() -> None:
    cluster = Cluster("a")
    cluster.refuse_lists = [Unreachable("refused"), NotFound(404, "NotFound", "no")]
    words, _ = await run(cluster.drainage())
    assert words[-1].failed
    assert "whether others came cannot be read" in words[-1].text
