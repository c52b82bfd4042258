"""The whole facade on virtual time: rights, namespaces, outages, kinds that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from apimodel import Model, status, when
from cluster.fleet import Fleet, clustered, populated
from kubepane.cluster.cluster import LINGER, Cluster
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import CONFIGMAPS, DEPLOYMENTS, KINDS, NAMESPACES, NODES, PODS, SERVICES, Kind
from kubepane.cluster.scopes import Scope

May = Callable[[str, str, str], bool]


def only_in(*namespaces: str, kinds: tuple[Kind, ...] = KINDS, wide: tuple[Kind, ...] = ()) -> May:
    """Rights in some namespaces, and on some kinds everywhere."""
    names, everywhere = {k.plural for k in kinds}, {k.plural for k in wide}
    return lambda verb, plural, namespace: plural in everywhere or (namespace in namespaces and plural in names)


def with_namespaces(*names: str, kinds: tuple[Kind, ...] = (PODS, SERVICES)) -> Model:
    model = populated(kinds, namespaces=names)
    for name in names:
        model.make(NAMESPACES, name)
    return model


def held_in(fleet: Fleet, kind: Kind = PODS) -> set[str]:
    return {o.metadata.namespace for o in fleet.stores.of(kind)}


# ---- everything may be seen ------------------------------------------------------------------------------------------------------


def test_every_kind_is_live_after_one_request_each() -> None:
    model = populated()

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start(KINDS)
        await asyncio.sleep(1)
        assert {fleet.state(kind) for kind in KINDS} == {State.LIVE}
        assert all(fleet.true(kind) for kind in KINDS)
        assert model.tally() == {"watchlist": len(KINDS)}
        assert cluster.activity.items >= 3 * len(KINDS)
        assert cluster.activity.lag is not None

    clustered(main, model)


@pytest.mark.parametrize("outage", [2.0, 40.0, 200.0])
@pytest.mark.parametrize("forget", [True, False], ids=["restarted", "network only"])
@pytest.mark.parametrize("seed", range(3))
def test_all_kinds_are_back_together_within_five_seconds_and_without_a_storm(outage: float, forget: bool, seed: int) -> None:
    model = populated()

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start(KINDS)
        await asyncio.sleep(100)
        fleet.requests.kill()
        await asyncio.sleep(0.1)
        assert {fleet.state(kind) for kind in KINDS} == {State.RECONNECTING}
        began = len(fleet.requests.times)
        await asyncio.sleep(outage)
        assert {fleet.state(kind) for kind in KINDS} == {State.RECONNECTING}
        assert len(fleet.requests.times) - began <= 10 + outage / 30 * len(KINDS) + outage / 3
        model.make(PODS, "while-away")
        fleet.requests.revive(forget=forget)
        before = len(fleet.requests.times)
        await asyncio.sleep(4.9)
        assert {fleet.state(kind) for kind in KINDS} == {State.LIVE}
        assert all(fleet.true(kind) for kind in KINDS)
        assert len(fleet.requests.times) - before <= 40  # what the door lets through at once

    clustered(main, model, seed=seed)


def test_a_kind_that_nobody_looks_at_ends_after_a_while() -> None:
    model = populated()

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([NODES])
        cluster.ensure(PODS)
        await asyncio.sleep(1)
        cluster.release(PODS)
        cluster.release(NODES)  # always needed
        await asyncio.sleep(LINGER - 2)
        assert (fleet.state(PODS), len(fleet.stores.pods)) == (State.LIVE, 3)
        cluster.ensure(PODS)
        await asyncio.sleep(LINGER)
        assert fleet.state(PODS) is State.LIVE
        cluster.release(PODS)
        await asyncio.sleep(LINGER + 1)
        assert (fleet.state(PODS), len(fleet.stores.pods)) == (State.CONNECTING, 0)
        assert fleet.state(NODES) is State.LIVE
        cluster.ensure(PODS)
        await asyncio.sleep(1)
        assert (fleet.state(PODS), fleet.true(PODS)) == (State.LIVE, True)

    clustered(main, model)


def test_a_listener_that_fails_ends_no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_namespaces("a", "b")
    model.may = only_in("a", wide=(NAMESPACES,))
    settle, calls, broken = Scope.settle, [0], [False]

    def failing(self: Scope) -> None:
        if broken[0]:
            calls[0] += 1
            raise LookupError("a bug")
        settle(self)

    monkeypatch.setattr(Scope, "settle", failing)

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        broken[0] = True
        for pause in (3, 30):
            fleet.requests.kill()
            await asyncio.sleep(3)
            fleet.requests.revive()
            await asyncio.sleep(pause)
        assert calls[0] > 5
        broken[0] = False
        model.make(PODS, "new", "a")
        fleet.requests.kill()
        await asyncio.sleep(3)
        fleet.requests.revive()
        await asyncio.sleep(10)
        assert (fleet.state(), fleet.true(namespace="a")) == (State.LIVE, True)

    clustered(main, model)


# ---- namespaces that were asked for ------------------------------------------------------------------------------------------------


def test_only_the_namespaces_that_were_asked_for_are_watched() -> None:
    model = with_namespaces("a", "b", "c")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS, NODES])
        await asyncio.sleep(1)
        assert held_in(fleet) == {"a", "b"}
        assert sorted(ask.namespace for ask in model.asked if ask.plural == "pods") == ["a", "b"]
        assert fleet.freshness().complete
        assert fleet.state(NODES) is State.LIVE

    clustered(main, model, namespaces=("a", "b"))


def test_what_stays_is_not_restarted_when_others_are_asked_for() -> None:
    model = with_namespaces("a", "b", "c")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        cluster.set_namespaces(("b", "c"))
        assert held_in(fleet) == {"b"}
        await asyncio.sleep(1)
        assert held_in(fleet) == {"b", "c"}
        assert sorted(ask.namespace for ask in model.asked) == ["a", "b", "c"]
        model.make(PODS, "new", "a")
        model.make(PODS, "new", "b")
        await asyncio.sleep(1)
        assert held_in(fleet) == {"b", "c"}
        assert fleet.true(namespace="b")

    clustered(main, model, namespaces=("a", "b"))


def test_from_all_to_one_and_back() -> None:
    model = with_namespaces("a", "b")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        cluster.set_namespaces(("a",))
        assert held_in(fleet) == {"a"}
        await asyncio.sleep(1)
        assert (held_in(fleet), fleet.state(), fleet.requests.open) == ({"a"}, State.LIVE, 1)
        cluster.set_namespaces(None)
        assert held_in(fleet) == {"a"}
        assert fleet.state() is not State.LIVE
        await asyncio.sleep(1)
        assert (fleet.true(), fleet.state(), fleet.requests.open) == (True, State.LIVE, 1)

    clustered(main, model)


def test_more_than_twenty_namespaces_are_named_instead_of_watched() -> None:
    names = tuple(f"ns-{i:02}" for i in range(25))
    model = with_namespaces(*names)

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        assert held_in(fleet) == set(names[:20])
        assert fleet.freshness().hidden == names[20:]
        assert not fleet.freshness().complete

    clustered(main, model, namespaces=names)


def test_a_namespace_that_does_not_exist_is_said_to_be_missing_where_that_can_be_known() -> None:
    model = with_namespaces("a")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS, NAMESPACES])
        await asyncio.sleep(1)
        assert (fleet.state(), fleet.freshness().why) == (State.LIVE, "namespace typo does not exist")
        model.make(NAMESPACES, "typo")
        await asyncio.sleep(1)
        assert fleet.freshness().why == ""

    clustered(main, model, namespaces=("typo",))


# ---- rights --------------------------------------------------------------------------------------------------------------------------


def test_a_role_in_one_namespace_where_namespaces_may_not_be_listed() -> None:
    model = with_namespaces("team", "other")
    model.may = only_in("team", kinds=(PODS, SERVICES))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start(KINDS)
        await asyncio.sleep(2)
        f = fleet.freshness(PODS)
        assert (f.state, f.others, f.complete, held_in(fleet)) == (State.LIVE, True, False, {"team"})
        refused = fleet.freshness(DEPLOYMENTS)
        assert (refused.state, refused.verb, refused.resource, refused.namespace) == (State.FORBIDDEN, "list", "deployments.apps", "team")
        nodes = fleet.freshness(NODES)
        assert (nodes.state, nodes.verb, nodes.resource, nodes.namespace) == (State.FORBIDDEN, "list", "nodes", "")
        asked = [ask.plural for ask in model.asked if ask.namespace]
        assert sorted(asked) == ["pods", "services"]  # one review told that the rest need not be tried
        before = model.count()
        await asyncio.sleep(600)
        assert (model.count() - before) / 10 <= len(KINDS) + 5

    clustered(main, model, context_namespace="team")


def test_where_namespaces_may_be_listed_all_of_them_are_tried() -> None:
    model = with_namespaces("a", "b", "c")
    model.may = only_in("a", "c", wide=(NAMESPACES,))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        f = fleet.freshness()
        assert (f.state, f.hidden, f.others, held_in(fleet)) == (State.LIVE, ("b",), False, {"a", "c"})

    clustered(main, model)


def test_configured_namespaces_are_tried_before_all_others() -> None:
    model = with_namespaces("a", "b", "c")
    model.may = only_in("a", "b", "c", wide=(NAMESPACES,))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        assert held_in(fleet) == {"b"}
        assert fleet.freshness().others

    clustered(main, model, configured=("b",))


def test_where_reviews_do_not_work_it_is_found_out_by_trying() -> None:
    model = with_namespaces("a", "b")
    model.may = only_in("a", wide=(NAMESPACES,))
    model.rules.append(when(status(500, "InternalError"), verb="post"))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        f = fleet.freshness()
        assert (f.state, f.hidden, held_in(fleet)) == (State.LIVE, ("b",), {"a"})

    clustered(main, model)


def test_until_it_is_known_where_to_look_nothing_is_called_forbidden() -> None:
    model = with_namespaces("a")
    model.may = only_in("a", wide=(NAMESPACES,))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        states = set()
        for _ in range(300):
            await asyncio.sleep(0.001)
            states.add(fleet.state())
        assert State.FORBIDDEN not in states
        assert fleet.state() is State.LIVE

    clustered(main, model)


def test_namespaces_that_come_and_go_are_followed() -> None:
    model = with_namespaces("a", "b")
    model.may = lambda verb, plural, namespace: plural == "namespaces" or namespace != ""

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        model.make(NAMESPACES, "c")
        model.make(PODS, "early", "c")
        await asyncio.sleep(1)
        assert held_in(fleet) == {"a", "b", "c"}
        model.delete(NAMESPACES, "a")
        await asyncio.sleep(1)
        assert held_in(fleet) == {"b", "c"}
        assert fleet.requests.open == 3  # namespaces, b, c

    clustered(main, model)


def test_rights_on_everything_that_are_given_later_take_over_from_the_namespaces() -> None:
    model = with_namespaces("a", "b")
    model.may = only_in("a", wide=(NAMESPACES,))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        assert held_in(fleet) == {"a"}
        model.may = lambda verb, plural, namespace: True
        await asyncio.sleep(200)
        assert (fleet.true(), fleet.freshness().complete, fleet.requests.open) == (True, True, 2)

    clustered(main, model)


def test_rights_in_another_namespace_that_are_given_later_are_found() -> None:
    model = with_namespaces("a", "b")
    model.may = only_in("a", wide=(NAMESPACES,))

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        model.may = only_in("a", "b", wide=(NAMESPACES,))
        await asyncio.sleep(200)
        assert (held_in(fleet), fleet.freshness().hidden) == ({"a", "b"}, ())

    clustered(main, model)


def test_rights_on_everything_that_are_taken_away_leave_what_may_still_be_seen() -> None:
    model = with_namespaces("a", "b")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS, NAMESPACES])
        await asyncio.sleep(1)
        assert held_in(fleet) == {"a", "b"}
        model.may = only_in("a", wide=(NAMESPACES,))
        model.cut_all("end")
        await asyncio.sleep(5)
        f = fleet.freshness()
        assert (f.state, f.hidden, held_in(fleet)) == (State.LIVE, ("b",), {"a"})

    clustered(main, model)


def test_rights_in_one_namespace_that_are_taken_away_hide_its_rows() -> None:
    model = with_namespaces("a", "b")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        model.may = only_in("a")
        model.cut_all("end")
        await asyncio.sleep(5)
        f = fleet.freshness()
        assert (f.state, f.hidden, held_in(fleet)) == (State.LIVE, ("b",), {"a"})
        model.may = lambda verb, plural, namespace: True
        cluster.retry(PODS)
        await asyncio.sleep(20)
        assert (fleet.freshness().hidden, held_in(fleet)) == ((), {"a", "b"})

    clustered(main, model, namespaces=("a", "b"))


def test_all_rights_taken_away_keep_the_rows_and_say_so() -> None:
    model = with_namespaces("a")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        model.may = lambda verb, plural, namespace: False
        model.cut_all("end")
        await asyncio.sleep(5)
        assert (fleet.state(), held_in(fleet)) == (State.FORBIDDEN, {"a"})

    clustered(main, model, namespaces=("a",))


def test_watching_without_listing_is_enough() -> None:
    model = with_namespaces("a")
    model.may = lambda verb, plural, namespace: verb == "watch"

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS])
        await asyncio.sleep(1)
        assert (fleet.state(), model.tally()) == (State.LIVE, {"watchlist": 1})

    clustered(main, model)


def test_listing_without_watching_is_polling() -> None:
    model = with_namespaces("a")
    model.may = lambda verb, plural, namespace: verb == "list"

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start([PODS, CONFIGMAPS])
        await asyncio.sleep(1)
        assert {fleet.state(PODS), fleet.state(CONFIGMAPS)} == {State.POLLING}
        model.make(PODS, "new", "a")
        await asyncio.sleep(31)
        assert fleet.true()
        await asyncio.sleep(100)
        for _ in range(300):
            await asyncio.sleep(1)
            f = fleet.freshness()
            assert (f.state, f.hidden, f.others) == (State.POLLING, (), False)

    clustered(main, model)


def test_a_refusal_of_everything_costs_few_requests_before_the_namespaces_are_tried() -> None:
    model = with_namespaces("team")
    model.may = only_in("team")

    async def main(fleet: Fleet, cluster: Cluster) -> None:
        cluster.start(KINDS)
        await asyncio.sleep(1)
        assert fleet.state(PODS) is State.LIVE
        everywhere = [ask for ask in model.asked if ask.plural and not ask.namespace]
        assert len(everywhere) <= len(KINDS) + sum(not kind.namespaced for kind in KINDS)

    clustered(main, model, context_namespace="team")
