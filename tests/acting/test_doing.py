"""From an intent to its end: what is read, what is sent in which order, and when the end is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from builders import make
from clusters import live
from kubepane.acting import doing
from kubepane.acting.plan import Intent, Plan, Progress, Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writer import Writer
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Rehearsal, Request, Step


class Api:
    """Objects by path."""

    def __init__(self, **objects: Raw) -> None:
        self.objects = {f"/api/v1/nodes/{name}": raw for name, raw in objects.items()}
        self.asked: list[str] = []

    async def get(self, path: str, query: Any = None, **_: Any) -> bytes:
        self.asked.append(path)
        if path not in self.objects:
            raise NotFound(404, "NotFound", "not found")
        return json.dumps(self.objects[path]).encode()


class Hand(Writer):
    """A writer that answers as it is told, and notes what it was given."""

    def __init__(self, ends: Sequence[End] = ()) -> None:
        super().__init__(None, lambda outcome: None, Random(1))  # type: ignore[arg-type]
        self.ends, self.made, self.rehearsed = list(ends), list[str](), list[str]()
        self.meanwhile: Callable[[], None] = lambda: None

    async def perform(self, step: Step) -> Outcome:
        self.made.append(step.about.name)
        self.meanwhile()
        end = self.ends.pop(0) if self.ends else End.DONE
        return Outcome(step, end, "" if end is End.DONE else f"{step.about.name} is {end.value}", "8")

    async def rehearse(self, step: Step) -> Rehearsal:
        self.rehearsed.append(step.about.name)
        return Rehearsal(step, error=Forbidden(403, "Forbidden", "no") if step.about.name == "refused" else None, warnings=("careful",))


def session(api: Any = None, hand: Hand | None = None, **options: Any) -> Session:
    made = Session(Options(**options), clock=SystemClock(), random=Random(1))
    made.stores = live()
    made.api, made.writer = api, hand
    made.want([k.NODES])
    return made


def node(name: str, uid: str = "") -> Raw:
    return {"metadata": {"name": name, "uid": uid or f"u-{name}", "resourceVersion": "7"}}


def step(name: str, **more: Any) -> Step:
    ref = Ref(k.NODES, "", name, f"u-{name}")
    return Step(ref, f"changes {name}", node(name), lambda raw: Request("PATCH", ref.path), **more)


def plan(*names: str, **more: Any) -> Plan:
    return Plan(Intent("cordon", ()), "Title", "Button", tuple(step(name) for name in names), (), **more)


# ---- preparing -----------------------------------------------------------------------------------------------------------------


async def test_a_plan_is_made_from_what_is_there_now_and_fixes_the_uids() -> None:
    made = await doing.prepare(session(Api(a=node("a"))), Intent("cordon", (Ref(k.NODES, "", "a"),)))
    assert [one.about.uid for one in made.steps] == ["u-a"]
    assert made.intent.targets[0].uid == "u-a"


async def test_another_object_under_the_name_is_not_the_one_that_was_meant() -> None:
    with pytest.raises(Unfit, match="node a was deleted, and another one has its name now"):
        await doing.prepare(session(Api(a=node("a", "new"))), Intent("cordon", (Ref(k.NODES, "", "a", "u-a"),)))


async def test_what_is_not_there_is_unfit_and_no_connection_is_an_error() -> None:
    with pytest.raises(Unfit, match="there is no node b"):
        await doing.prepare(session(Api(a=node("a"))), Intent("cordon", (Ref(k.NODES, "", "b"),)))
    with pytest.raises(ClusterError, match="not connected"):
        await doing.prepare(session(), Intent("cordon", (Ref(k.NODES, "", "b"),)))


# ---- rehearsing ----------------------------------------------------------------------------------------------------------------


async def test_every_step_is_tried_out_unless_it_cannot_be() -> None:
    hand = Hand()
    shown = await doing.rehearse(session(hand=hand), Plan(Intent("x", ()), "T", "B", (step("a"), step("b", rehearsable=False)), ()))
    assert hand.rehearsed == ["a"]
    assert (shown.warnings, shown.refusals) == (("careful",), ())


async def test_a_refusal_is_shown_and_kept() -> None:
    shown = await doing.rehearse(session(hand=Hand()), plan("a", "refused"))
    assert [ref.name for ref, _ in shown.refusals] == ["refused"]
    assert "the server would refuse it: no" in "".join(text for line in shown.lines for text, _ in line)


async def test_read_only_tries_nothing_out() -> None:
    hand, made = Hand(), plan("a")
    assert await doing.rehearse(session(hand=hand, read_only=True), made) is made
    assert hand.rehearsed == []


# ---- carrying out --------------------------------------------------------------------------------------------------------------


async def carried(made: Plan, hand: Hand, stopping: asyncio.Event | None = None, stay: Session | None = None) -> tuple[list[Outcome], list[Progress]]:
    stay = stay or session(object(), hand)
    for one in made.steps:
        stay.stores.nodes.put(make(k.NODES, one.about.name, uid=one.about.uid))
        stay.stores.nodes.put(_at(one, 9))
    words = [each async for each in doing.carry_out(stay, made, stopping or asyncio.Event())]
    return [each for each in words if isinstance(each, Outcome)], [each for each in words if isinstance(each, Progress)]


def _at(one: Step, revision: int) -> Any:
    return k.decode(k.NODES, json.dumps({"metadata": {"name": one.about.name, "uid": one.about.uid, "resourceVersion": str(revision)}}).encode())


async def test_steps_are_made_in_order_and_the_end_is_followed() -> None:
    hand = Hand()
    outcomes, words = await carried(plan("a", "b"), hand)
    assert hand.made == ["a", "b"]
    assert [outcome.good for outcome in outcomes] == [True, True]
    assert words == [Progress(True)]


async def test_steps_that_belong_together_end_with_the_first_that_is_not_good() -> None:
    hand = Hand([End.DONE, End.REFUSED])
    outcomes, words = await carried(plan("a", "b", "c", "d"), hand)
    assert hand.made == ["a", "b"]
    assert len(outcomes) == 2
    assert words == [Progress(True, "1 of 4 done; b not: b is refused; not tried: c, d", failed=True)]


@pytest.mark.parametrize("end", [End.REFUSED, End.CHANGED])
async def test_steps_that_stand_for_themselves_are_all_made(end: End) -> None:
    hand = Hand([End.DONE, end, End.SAME])
    _, words = await carried(plan("a", "b", "c", apart=True), hand)
    assert hand.made == ["a", "b", "c"]
    assert words == [Progress(True, f"2 of 3 done; b not: b is {end.value}", failed=True)]


@pytest.mark.parametrize("end", [End.LOST, End.UNKNOWN])
async def test_without_a_line_not_even_they_are_tried(end: End) -> None:
    hand = Hand([End.DONE, end])
    _, words = await carried(plan(*"abcdefg", apart=True), hand)
    assert hand.made == ["a", "b"]
    assert words == [Progress(True, f"1 of 7 done; b not: b is {end.value}; not tried: c, d, e and 2 more", failed=True)]


async def test_of_many_that_fail_the_first_are_named() -> None:
    _, words = await carried(plan(*"abcde", apart=True), Hand([End.REFUSED] * 5))
    assert words[0].text == "0 of 5 done; a not: a is refused; b not: b is refused; c not: c is refused; 2 more not"
    _, words = await carried(plan("a"), Hand([End.REFUSED]))
    assert words[0].text == "a is refused"


async def test_a_stop_leaves_out_the_steps_that_are_left() -> None:
    hand, stopping = Hand(), asyncio.Event()
    hand.meanwhile = stopping.set
    outcomes, words = await carried(plan("a", "b"), hand, stopping)
    assert (hand.made, len(outcomes)) == (["a"], 1)
    assert words == [Progress(True, "1 of 2 done; not tried: b", failed=True)]


async def test_a_stop_ends_the_following_with_how_far_it_is() -> None:
    stopping = asyncio.Event()
    made = plan("a", progress=lambda stores, now: Progress(False, "half way"))
    asyncio.get_running_loop().call_later(0.02, stopping.set)
    _, words = await carried(made, Hand(), stopping)
    assert words == [Progress(False, "half way"), Progress(True, "not finished: half way", failed=True)]


async def test_each_word_is_said_once() -> None:
    said = iter(["one", "one", "two", "two", "end"])
    made = plan("a", progress=lambda stores, now: Progress((text := next(said)) == "end", text))
    _, words = await carried(made, Hand())
    assert [word.text for word in words] == ["one", "two", "end"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "LOOK_AGAIN", 0.0005)


# ---- what counts as seen -------------------------------------------------------------------------------------------------------


def looked(held: int | None, outcome_revision: str = "8", end: End = End.DONE, **more: Any) -> bool:
    """Whether the change counts as seen while the store holds the node at a revision."""
    stay, one = session(), step("a")
    if held is not None:
        stay.stores.nodes.put(_at(one, held))
    return doing.look(stay, plan("a"), [Outcome(one, end, "", outcome_revision, **more)]).done


def test_nothing_counts_before_the_watch_has_come_as_far_as_the_change() -> None:
    assert [looked(revision) for revision in (7, 8, 9)] == [False, True, True]
    assert looked(None)  # it was deleted since
    assert looked(7, "", End.SAME)
    assert not looked(7, "")


def test_without_a_watch_the_answer_counts() -> None:
    stay = session()
    stay.want([k.PODS])
    assert doing.look(stay, plan("a"), [Outcome(step("a"), End.DONE, "", "8")]).done


def test_what_was_just_created_is_waited_for() -> None:
    stay = session()
    new = Step(Ref(k.NODES, "", "new"), "created", None, lambda raw: Request("POST", "/x"))
    assert not doing.look(stay, plan(), [Outcome(new, End.DONE, "", "8")]).done
    stay.stores.nodes.put(make(k.NODES, "new"))
    assert doing.look(stay, plan(), [Outcome(new, End.DONE, "", "1")]).done
