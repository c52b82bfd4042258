"""The writer under everything that can happen to a change: conflicts, lost answers, objects that are gone or replaced, read-only mode."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from kubepane.cluster import kinds as k, writer as writing_room
from kubepane.cluster.audit import Warned
from kubepane.cluster.errors import Forbidden, NotFound, ReadOnly, ServerFault, Unreachable, refusal
from kubepane.cluster.writer import Writer
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Request, Step, preconditions

CONFLICT = refusal(409, "Conflict", "the object has been modified")


def thing(revision: int, replicas: int, uid: str = "u1", note: str = "") -> Raw:
    return {"metadata": {"uid": uid, "resourceVersion": str(revision), "note": note}, "spec": {"replicas": replicas}}


class Cluster:
    """One object behind an API that can be told what to answer."""

    def __init__(self, state: Raw | None) -> None:
        self.state = state
        self.sent: list[tuple[Any, dict[str, str]]] = []
        self.before_send: list[Callable[[], None]] = []
        self.lose_answer: list[Exception] = []
        self.refuse_reads: list[Exception] = []

    async def get(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> bytes:
        if self.refuse_reads:
            raise self.refuse_reads.pop(0)
        if self.state is None:
            raise NotFound(404, "NotFound", "not found")
        return json.dumps(self.state).encode()

    async def patch(self, path: str, body: Any, query: Mapping[str, str] | None = None, *, content_type: str = "") -> bytes:
        if self.before_send:
            self.before_send.pop(0)()
        self.sent.append((body, dict(query or {})))
        if self.state is None:
            raise NotFound(404, "NotFound", "not found")
        wanted, held = body["metadata"], self.state["metadata"]
        if wanted["uid"] != held["uid"] or wanted["resourceVersion"] != held["resourceVersion"]:
            raise CONFLICT
        after = thing(int(held["resourceVersion"]) + 1, body["spec"]["replicas"], held["uid"])
        if "dryRun" not in (query or {}):
            self.state = after
        if self.lose_answer:
            raise self.lose_answer.pop(0)
        return json.dumps(after).encode()


def replicas(raw: Raw) -> Any:
    return raw["spec"]["replicas"]


def step(raw: Raw | None, wanted: int = 4) -> Step:
    return Step(
        Ref(k.DEPLOYMENTS, "shop", "web", "u1"),
        f"replicas → {wanted}",
        raw,
        lambda now: Request("PATCH", "/x", {"metadata": preconditions(now), "spec": {"replicas": wanted}}),
        premise=replicas,
        holds=lambda now: now is not None and replicas(now) == wanted,
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing_room, "PAUSE", 0.0)
    monkeypatch.setattr(writing_room, "LOOKS", (0.0, 0.0, 0.0))


def writer(cluster: Any) -> tuple[Writer, list[Outcome]]:
    told: list[Outcome] = []
    return Writer(cluster, told.append, Random(1)), told


async def test_a_change_is_sent_once_and_told_once() -> None:
    cluster = Cluster(thing(5, 2))
    who, told = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert (outcome.end, outcome.revision) == (End.DONE, "6")
    assert len(cluster.sent) == 1
    assert told == [outcome]


async def test_after_a_conflict_a_change_that_still_means_the_same_is_sent_anew() -> None:
    cluster = Cluster(thing(9, 2))
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is End.DONE
    assert [body["metadata"]["resourceVersion"] for body, _ in cluster.sent] == ["5", "9"]


async def test_somebody_elses_change_is_never_written_over() -> None:
    cluster = Cluster(thing(9, 7))
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert (outcome.end, outcome.text) == (End.CHANGED, "somebody changed it meanwhile")
    assert cluster.state == thing(9, 7)


async def test_what_is_so_already_counts_as_done() -> None:
    who, _ = writer(Cluster(thing(9, 4)))
    outcome = await who.perform(step(thing(5, 2)))
    assert (outcome.end, outcome.good) == (End.SAME, True)


async def test_another_object_under_the_same_name_is_left_alone() -> None:
    cluster = Cluster(thing(9, 2, uid="u2"))
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is End.CHANGED
    assert "another one" in outcome.text
    assert cluster.state == thing(9, 2, uid="u2")


async def test_an_object_that_is_gone_is_said_to_be_gone() -> None:
    who, _ = writer(Cluster(None))
    assert (await who.perform(step(thing(5, 2)))).text == "it is gone"


async def test_a_change_that_others_always_outrun_is_given_up() -> None:
    cluster = Cluster(thing(9, 2))

    def meanwhile() -> None:
        assert cluster.state is not None
        cluster.state = thing(int(cluster.state["metadata"]["resourceVersion"]) + 1, 2)

    cluster.before_send = [meanwhile] * 50
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is End.CHANGED
    assert len(cluster.sent) == writing_room.TRIES


@pytest.mark.parametrize("lost", [Unreachable("cut"), ServerFault(504, "Timeout", "timed out"), ServerFault(502, "", "bad gateway")])
async def test_a_lost_answer_is_cleared_up_by_looking(lost: Exception) -> None:
    cluster = Cluster(thing(5, 2))
    cluster.lose_answer = [lost]
    cluster.refuse_reads = [Unreachable("still down")]
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert (outcome.end, outcome.revision) == (End.DONE, "6")
    assert "the answer was lost, the cluster shows it" in outcome.text
    assert len(cluster.sent) == 1


async def test_a_request_that_never_arrived_is_said_not_to_have_happened() -> None:
    cluster = Cluster(thing(5, 2))

    def cut() -> None:
        raise Unreachable("refused")

    cluster.before_send = [cut]
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is End.LOST
    assert cluster.sent == []


async def test_what_cannot_be_found_out_is_said_to_be_unknown() -> None:
    cluster = Cluster(thing(5, 2))
    cluster.lose_answer = [Unreachable("cut")]
    cluster.refuse_reads = [Unreachable("down")] * 9
    who, _ = writer(cluster)
    assert (await who.perform(step(thing(5, 2)))).end is End.UNKNOWN


@pytest.mark.parametrize("error", [Forbidden(403, "Forbidden", "no"), ReadOnly("read-only"), ServerFault(500, "", "broken")])
async def test_a_refusal_is_told_as_it_is_and_never_repeated(error: Exception) -> None:
    cluster = Cluster(thing(5, 2))

    def refuse() -> None:
        cluster.sent.append((None, {}))
        raise error

    cluster.before_send = [refuse]
    who, _ = writer(cluster)
    outcome = await who.perform(step(thing(5, 2)))
    assert (outcome.end, outcome.text) == (End.REFUSED, str(error))
    assert len(cluster.sent) == 1


async def test_a_rehearsal_changes_nothing_and_brings_the_warnings() -> None:
    cluster = Cluster(thing(5, 2))
    who, told = writer(cluster)
    cluster.before_send = [lambda: who.hear(Warned("PATCH", "/x", "deprecated")), lambda: who.hear(Warned("GET", "/y", "other"))]
    rehearsal = await who.rehearse(step(thing(5, 2)))
    assert rehearsal.warnings == ("deprecated",)
    assert rehearsal.result is not None
    assert replicas(rehearsal.result) == 4
    assert cluster.state == thing(5, 2)
    assert cluster.sent[0][1] == {"dryRun": "All"}
    assert told == []
    assert (await who.rehearse(step(thing(5, 2)))).warnings == ()


async def test_the_rehearsal_of_a_deletion_says_so_in_its_body_too() -> None:
    """Where DeleteOptions are in the body a server passes over the query: without this the rehearsal would delete."""
    sent: list[tuple[Any, Any]] = []

    class Deleting:
        async def delete(self, path: str, body: Any, query: Any) -> bytes:
            sent.append((body, query))
            return b"{}"

        post = put = delete

    who, _ = writer(Deleting())
    options = {"preconditions": {"uid": "u1"}}
    deletion = Step(Ref(k.DEPLOYMENTS, "shop", "web", "u1"), "deleted", thing(5, 2), lambda now: Request("DELETE", "/x", options))
    assert (await who.rehearse(deletion)).error is None
    await who.perform(deletion)
    assert sent == [({**options, "dryRun": ["All"]}, {"dryRun": "All"}), (options, {})]


async def test_changes_wait_for_each_other_and_one_given_up_is_told() -> None:
    cluster = Cluster(thing(5, 2))
    waiting = asyncio.Event()

    class Slow:
        async def patch(self, *_: Any, **__: Any) -> bytes:
            await waiting.wait()
            return b"{}"

    who, told = writer(Slow())
    first, second = asyncio.ensure_future(who.perform(step(thing(5, 2)))), asyncio.ensure_future(who.perform(step(thing(5, 2))))
    await asyncio.sleep(0)
    first.cancel()
    waiting.set()
    assert (await second).end is End.DONE
    assert [(outcome.end, outcome.text) for outcome in told] == [
        (End.UNKNOWN, "given up before the answer came"),
        (End.DONE, "replicas → 4"),
    ]
    assert cluster.sent == []


async def test_a_dry_run_is_made_anew_when_only_the_status_was_changed_meanwhile() -> None:
    cluster = Cluster(thing(9, 2))
    who, told = writer(cluster)
    rehearsal = await who.rehearse(step(thing(5, 2)))
    assert rehearsal.error is None
    assert rehearsal.result == thing(10, 4)
    assert cluster.state == thing(9, 2)
    assert told == []


@pytest.mark.parametrize("now", [thing(9, 7), thing(9, 2, uid="u2")])
async def test_a_dry_run_of_what_is_not_so_any_more_is_refused(now: Raw) -> None:
    cluster = Cluster(now)
    who, _ = writer(cluster)
    assert (await who.rehearse(step(thing(5, 2)))).error is CONFLICT
    assert len(cluster.sent) == 1


async def test_warnings_belong_to_the_change_that_they_came_with() -> None:
    """Two changes at once, each with a warning of its own."""
    who: Writer
    gates = {"/a": asyncio.Event(), "/b": asyncio.Event()}

    class Warning:
        async def patch(self, path: str, body: Any, query: Any = None, *, content_type: str = "") -> bytes:
            await gates[path].wait()
            who.hear(Warned("PATCH", path, f"about {path}"))
            return json.dumps(thing(6, 4)).encode()

    who, told = writer(Warning())

    def change(path: str) -> Step:
        return Step(Ref(k.PODS, "shop", path[1:], "u1"), "x", thing(5, 2), lambda now: Request("PATCH", path))

    steps = [change(path) for path in gates]
    both = asyncio.gather(*(who.perform_beside(one) for one in steps))
    for gate in reversed(gates.values()):
        gate.set()
    assert [outcome.warnings for outcome in await both] == [("about /a",), ("about /b",)]
    assert len(told) == 2


async def test_what_came_of_it_the_last_time_is_not_told_again() -> None:
    cluster = Cluster(thing(5, 2))

    def refuse() -> None:
        raise refusal(429, "TooManyRequests", "held")

    cluster.before_send = [refuse, refuse]
    who, told = writer(cluster)
    first = await who.perform_beside(step(thing(5, 2)))
    second = await who.perform_beside(step(thing(5, 2)), first)
    third = await who.perform_beside(step(thing(5, 2)), second)
    assert [outcome.end for outcome in (first, second, third)] == [End.REFUSED, End.REFUSED, End.DONE]
    assert told == [first, third]
