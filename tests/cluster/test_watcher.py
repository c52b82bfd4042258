"""Watchers against a server with faults, on virtual time: what is asked for, how often, and what is shown meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from apimodel import EXPIRED, Ask, Fault, Hang, Lost, Model, Raw, Spoiled, error_event, page, status, text, when
from cluster.fleet import Fleet, populated, watching
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import CONFIGMAPS, EVENTS, PODS, SECRETS, Kind
from kubepane.cluster.link import Link
from kubepane.cluster.reflector import Reflector
from kubepane.cluster.store import Store

TRUNCATED = Raw((b'{"type":"ADDED","object":{"metadata":{"na',))
HTML = Raw((b"<html><head><title>502</title></head>\n<body>Bad Gateway</body>\n</html>\n",))
EMPTY = Raw(())
MUTE = Raw((), "silence")
WATCHES = "watch watchlist"


# ---- no storm from any lasting fault ---------------------------------------------------------------------------------------


def every_watch(fault: Fault) -> Callable[[Ask], Fault | None]:
    return when(fault, verb=WATCHES)


LASTING: dict[str, list[Callable[[Ask], Fault | None]]] = {
    "watch 410 as event": [when(EXPIRED, verb=WATCHES)],
    "watch 410 as answer": [when(status(410, "Expired"), verb=WATCHES)],
    "everything 410": [when(status(410, "Expired"))],
    "list works, watch 410": [when(status(422, "Invalid"), verb="watchlist"), when(EXPIRED, verb="watch")],
    "401": [when(status(401, "Unauthorized"))],
    "403": [when(status(403, "Forbidden"))],
    "403 for watches": [when(status(403, "Forbidden"), verb=WATCHES)],
    "404": [when(text(404, "404 page not found\n"))],
    "405 for watches": [when(status(405, "MethodNotAllowed"), verb=WATCHES)],
    "422": [when(status(422, "Invalid"))],
    "429": [when(text(429, "Too many requests", retry_after="1"))],
    "429 without Retry-After": [when(text(429, "Too many requests"))],
    "500": [when(status(500, "InternalError"))],
    "500 as event": [when(Raw((error_event(500, "InternalError"),)), verb=WATCHES)],
    "503 with Retry-After": [when(status(503, "ServiceUnavailable", retry_after="1"))],
    "504": [when(status(504, "Timeout"))],
    "502 page": [when(page())],
    "a page as the stream": [when(HTML, verb=WATCHES)],
    "ends at once": [when(EMPTY, verb=WATCHES)],
    "ends after each list by watch": [when(Spoiled(4, "end"), verb="watchlist"), when(EMPTY, verb="watch")],
    "cut after one line": [when(Spoiled(1, "cut"), verb=WATCHES)],
    "ends after one line": [when(Spoiled(1, "end"), verb=WATCHES)],
    "truncated line": [when(TRUNCATED, verb=WATCHES)],
    "an ERROR that says nothing": [when(Raw((b'{"type":"ERROR","object":{}}\n',)), verb=WATCHES)],
    "an ERROR that is nothing": [when(Raw((b'{"type":"ERROR","object":null}\n',)), verb=WATCHES)],
    "refused": [when(Lost())],
    "refused after a while": [when(Lost(3.0))],
    "hangs": [when(Hang())],
    "watches hang": [when(Hang(), verb=WATCHES)],
    "watches are mute": [when(MUTE, verb=WATCHES)],
    "lists by watch are mute": [when(MUTE, verb="watchlist")],
    "from the future": [when(Raw((error_event(504, "Timeout", "Too large resource version"),)), verb=WATCHES)],
}


@pytest.mark.parametrize("link", [False, True], ids=["alone", "with the link monitor"])
@pytest.mark.parametrize("since", ["the start", "later"])
@pytest.mark.parametrize("fault", LASTING)
def test_no_lasting_fault_becomes_a_storm(fault: str, since: str, link: bool) -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        if since == "later":
            await asyncio.sleep(200)
            assert fleet.state() is State.LIVE
        began = fleet.loop.time()
        model.rules += LASTING[fault]
        model.cut_all()
        await asyncio.sleep(600)
        asked = [t for t, ask in zip(fleet.times(), model.asked, strict=True) if t >= began and ask.verb != "livez"]
        within = [sum(1 for t in asked if start <= t < start + span) for start in asked for span in (10.0, 60.0)]
        assert max(within[0::2], default=0) <= 5
        assert max(within[1::2], default=0) <= 10
        late = [t for t in asked if t >= began + 180]
        assert all(sum(1 for t in late if start <= t < start + 30.0) <= 3 for start in late)
        probes = [t for t, ask in zip(fleet.times(), model.asked, strict=True) if ask.verb == "livez"]
        assert all(sum(1 for t in probes if start <= t < start + 60.0) <= 20 for start in probes)
        model.rules.clear()
        model.cut_all("end")
        model.make(PODS, "after-the-fault")
        await asyncio.sleep(700)
        assert fleet.state() is State.LIVE
        assert fleet.true()

    watching(main, model, link=link)


def test_a_fault_that_was_live_before_never_says_live_while_the_rows_are_old() -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(10)
        for name, fault in LASTING.items():
            model.rules[:] = fault
            model.cut_all()
            model.make(PODS, "pods-0")
            for second in range(200):
                await asyncio.sleep(1)
                unseen = name == "watches are mute" and second < 80  # what a missing bookmark gives away in 75 s
                assert fleet.state() is not State.LIVE or fleet.true() or unseen, name
            model.rules.clear()
            await asyncio.sleep(700)
            assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model)


@pytest.mark.parametrize("kind", [PODS, EVENTS, CONFIGMAPS])
@pytest.mark.parametrize("lives", [3.0, 6.0, 21.0, 40.0])
@pytest.mark.parametrize("restarts", [True, False])
def test_a_link_that_is_lost_again_and_again_is_no_storm_either(kind: Kind, lives: float, restarts: bool) -> None:
    model = populated((kind,))

    async def main(fleet: Fleet) -> None:
        for _ in range(int(600 / lives)):
            await asyncio.sleep(lives)
            fleet.requests.kill()
            await asyncio.sleep(1)
            fleet.requests.revive(forget=restarts)
        asked = [t for t, ask in zip(fleet.times(), model.asked, strict=True) if ask.verb != "livez"]
        assert max(sum(1 for t in asked if start <= t < start + 10) for start in asked) <= 5
        assert max(sum(1 for t in asked if start <= t < start + 60) for start in asked) <= 10
        await asyncio.sleep(90)
        assert (fleet.state(kind), fleet.true(kind)) == (State.LIVE, True)

    watching(main, model, kind=kind, link=True)


# ---- the link ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outage", [0.5, 1.0, 7.0, 30.0, 300.0])
@pytest.mark.parametrize("forget", [True, False], ids=["restarted", "network only"])
@pytest.mark.parametrize("seed", range(4))
def test_a_server_that_dies_and_comes_back_is_seen_at_once_and_followed_within_five_seconds(outage: float, forget: bool, seed: int) -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(100)
        fleet.requests.kill()
        await asyncio.sleep(0.1)
        assert fleet.state() is State.RECONNECTING
        model.make(PODS, "while-away")
        model.delete(PODS, "pods-0")
        await asyncio.sleep(outage)
        assert fleet.state() is State.RECONNECTING
        fleet.requests.revive(forget=forget)
        await asyncio.sleep(4.9)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model, link=True, seed=seed)


def test_a_server_that_was_away_from_the_start_is_found_when_it_comes() -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        fleet.requests.kill()
        await asyncio.sleep(40)
        assert (fleet.state(), fleet.freshness().why) == (State.CONNECTING, "connection refused")
        fleet.requests.revive()
        await asyncio.sleep(4.9)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model, link=True)


def test_watches_that_are_left_open_and_mute_are_closed_when_the_server_does_not_answer() -> None:
    """What a terminating API server does: it refuses connections and leaves the open watches mute for a minute."""
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(100)
        fleet.requests.down = True
        model.cut_all("silence")
        await asyncio.sleep(34)
        assert fleet.state() is State.RECONNECTING
        fleet.requests.revive()
        await asyncio.sleep(4.9)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model, link=True)


def test_a_machine_that_slept_looks_again_at_once() -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(100)
        model.cut_all("silence")
        model.make(PODS, "while-asleep")
        fleet.loop.asleep(3600)
        await asyncio.sleep(5)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)
        states = [f.state for _, f in fleet.seen]
        assert State.RECONNECTING in states

    watching(main, model, link=True)


def test_a_probe_that_never_works_does_not_cut_watches_for_ever() -> None:
    model = populated((PODS,))
    model.rules.append(when(Lost(), verb="livez"))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(600)
        model.asked.clear()
        await asyncio.sleep(600)
        assert model.count(verb="watch") + model.count(verb="watchlist") <= 3
        assert fleet.state() is State.LIVE

    watching(main, model, link=True)


DEGRADED = text(500, "[-]etcd failed")


@pytest.mark.parametrize("answer", [DEGRADED, status(401, "Unauthorized"), status(403, "Forbidden")])
def test_any_answer_of_the_server_itself_is_an_answer(answer: Fault) -> None:
    model = populated((PODS,))
    model.rules.append(when(answer, verb="livez"))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(290)
        assert fleet.state() is State.LIVE
        assert model.count(verb="watchlist") == 1
        assert fleet.means.link.state is Link.UP
        assert fleet.means.link.degraded == ("500" if answer == DEGRADED else "")

    watching(main, model, link=True)


# ---- what is asked for ---------------------------------------------------------------------------------------------------------


def test_secrets_are_asked_for_as_metadata_only() -> None:
    model = Model()
    model.make(SECRETS, "password", data={"password": "aHVudGVyMg=="})

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(1)
        assert [ask.partial for ask in model.asked] == [True]
        model.make(SECRETS, "password", data={"password": "aHVudGVyMw=="})
        await asyncio.sleep(1)
        assert fleet.true(SECRETS)

    watching(main, model, kind=SECRETS)


def test_a_list_in_many_pages_is_followed_to_its_end() -> None:
    model = populated((PODS,), names=1_203)
    model.watch_list = False

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(1)
        assert model.verbs() == ["watchlist", "list", "list", "list", "watch"]
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)
        progress = [(f.received, f.expected) for _, f in fleet.seen if f.state is State.SYNCING]
        assert progress[-1] == (1203, 1203)
        assert len({received for received, _ in progress}) > 20

    watching(main, model)


def test_a_namespace_that_does_not_exist_is_an_empty_list() -> None:
    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(1)
        assert (fleet.state(), len(fleet.stores.pods)) == (State.LIVE, 0)

    watching(main, populated((PODS,)), namespace="nowhere")


@pytest.mark.parametrize("kind", [PODS, EVENTS, CONFIGMAPS])
def test_a_quiet_cluster_costs_one_request_in_five_minutes(kind: Kind) -> None:
    model = populated((kind,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(3_000)
        assert model.count() <= 11
        assert model.count("watchlist") == 1
        assert {f.state for _, f in fleet.seen} <= {State.CONNECTING, State.SYNCING, State.LIVE}

    watching(main, model, kind=kind)


@pytest.mark.parametrize("kind", [PODS, EVENTS, CONFIGMAPS])
@pytest.mark.parametrize("outage", ["server", "sleep", "silence"])
@pytest.mark.parametrize("lost", ["change", "creation", "deletion", "changes"])
@pytest.mark.parametrize("written", [0, 1, 300])
def test_a_restore_of_the_servers_history_is_noticed(kind: Kind, outage: str, lost: str, written: int) -> None:
    """However much is written until we are back: then the version that we have may have been given twice."""
    model, name = populated((kind,)), f"{kind.plural}-0"

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(100)
        saved = model.save()
        if lost in ("change", "changes"):
            model.make(kind, name)
        if lost in ("creation", "changes"):
            model.make(kind, "after-the-backup")
        if lost in ("deletion", "changes"):
            model.delete(kind, name)
        await asyncio.sleep(100)
        if outage == "server":
            fleet.requests.kill()
            await asyncio.sleep(3)
        else:
            model.cut_all("silence")
        model.restore(saved)
        model.make(kind, f"{kind.plural}-1")
        for _ in range(written):
            model.touch()
        model.make(kind, f"{kind.plural}-2")
        fleet.requests.revive(forget=False)
        if outage == "sleep":
            fleet.loop.asleep(3600)
        await asyncio.sleep(5 if outage != "silence" else 700)
        assert (fleet.state(kind), fleet.true(kind)) == (State.LIVE, True)

    watching(main, model, kind=kind, link=True)


@pytest.mark.parametrize("kind", [PODS, EVENTS, CONFIGMAPS])
@pytest.mark.parametrize("refusal", [status(429, "TooManyRequests", retry_after="60"), status(503, "ServiceUnavailable", retry_after="60")])
def test_a_restore_that_happens_while_a_watch_waits_for_another_reason_is_noticed_too(kind: Kind, refusal: Fault) -> None:
    model = populated((kind,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(100)
        saved = model.save()
        model.make(kind, f"{kind.plural}-0")
        await asyncio.sleep(1)
        model.rules.append(when(refusal, verb=WATCHES, times=1))
        model.cut_all()
        await asyncio.sleep(2)
        fleet.requests.kill()
        await asyncio.sleep(30)
        model.restore(saved)
        model.make(kind, f"{kind.plural}-1")
        model.make(kind, f"{kind.plural}-2")
        fleet.requests.revive(forget=False)
        await asyncio.sleep(80)
        assert (fleet.state(kind), fleet.true(kind)) == (State.LIVE, True)

    watching(main, model, kind=kind, link=True)


def test_an_outage_without_a_restore_costs_no_second_list() -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        for changed in (False, True):
            await asyncio.sleep(100)
            fleet.requests.kill()
            if changed:
                model.make(PODS, "pods-2")
            await asyncio.sleep(3)
            fleet.requests.revive(forget=False)
            await asyncio.sleep(5)
            assert (fleet.state(), fleet.true()) == (State.LIVE, True)
        assert (model.count("watchlist"), model.count("list")) == (1, 0)

    watching(main, model, link=True)


# ---- our own faults ----------------------------------------------------------------------------------------------------------


def test_a_fault_of_our_own_shows_in_the_pane_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = populated((PODS,))
    broken = True
    put = Store.put

    def sometimes(self: Any, obj: Any) -> None:
        if broken:
            raise KeyError("a bug")
        put(self, obj)

    monkeypatch.setattr(Store, "put", sometimes)

    async def main(fleet: Fleet) -> None:
        nonlocal broken
        await asyncio.sleep(300)
        assert fleet.freshness().state is State.FAILED
        assert fleet.freshness().why == "internal fault: KeyError"
        assert model.count() <= 20
        broken = False
        await asyncio.sleep(70)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model)


def test_a_broken_state_machine_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    model = populated((PODS,))
    crashed, calls = Reflector.crashed, []

    def broken(self: Reflector, *args: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("worse")
        return crashed(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Reflector, "crashed", broken)
    monkeypatch.setattr(Reflector, "items", _once(Reflector.items))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(1)
        assert fleet.state() is State.FAILED
        await asyncio.sleep(40)
        assert (fleet.state(), fleet.true()) == (State.LIVE, True)

    watching(main, model)


def _once(method: Callable[..., object]) -> Callable[..., object]:
    calls: list[int] = []

    def once(*args: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise IndexError("a bug")
        return method(*args)

    return once


def test_the_journal_tells_what_happened() -> None:
    model = populated((PODS,))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(10)
        model.rules.append(when(EXPIRED, verb="watch", times=1))
        model.cut_all()
        await asyncio.sleep(10)
        told = [line.text for line in fleet.means.journal]
        assert told == ["live", "the connection was cut", "too old resource version: 1 (383)", "live"]
        assert {line.subject for line in fleet.means.journal} == {"pods"}

    watching(main, model)


def test_a_nudge_ends_a_wait() -> None:
    model = populated((PODS,))
    model.rules.append(when(status(403, "Forbidden"), times=2))

    async def main(fleet: Fleet) -> None:
        await asyncio.sleep(1)
        assert fleet.state() is State.FORBIDDEN
        assert fleet.watcher is not None
        fleet.watcher.nudge()
        await asyncio.sleep(1)
        assert fleet.state() is State.LIVE
        fleet.watcher.nudge()  # nothing waits: nothing happens
        await asyncio.sleep(1)
        assert (fleet.state(), model.count()) == (State.LIVE, 3)

    watching(main, model)
