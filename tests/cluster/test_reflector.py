"""The state machine by itself: each answer of a server, and any mixture of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apimodel import Answer, Cursor, Model, error_event
from kubepane.cluster import errors, wire
from kubepane.cluster.clock import Instant
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import CONFIGMAPS, EVENTS, PODS, SERVICES, Kind, decode
from kubepane.cluster.plans import Server
from kubepane.cluster.reflector import Reflector
from kubepane.cluster.steps import List, Step, Wait, Watch
from kubepane.cluster.store import Store

BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Driver:
    """A reflector on a clock that is set by hand."""

    def __init__(self, kind: Kind = PODS, namespace: str = "", *, server: Server | None = None, seed: int = 1) -> None:
        self.kind = kind
        self.seconds = 0.0
        self.store: Store[Any] = Store(kind)
        self.reflector = Reflector(kind, namespace, self.store, server or Server(), random.Random(seed), self.now)
        self.step: Step = self.reflector.begin(self.now)

    @property
    def now(self) -> Instant:
        return Instant(self.seconds, BEGIN + timedelta(seconds=self.seconds))

    @property
    def state(self) -> State:
        return self.reflector.freshness.state

    @property
    def query(self) -> dict[str, str]:
        assert isinstance(self.step, List | Watch), self.step
        return self.step.query

    def later(self, seconds: float) -> Driver:
        self.seconds += seconds
        if self.reflector.alarm is not None and self.reflector.alarm <= self.seconds:
            self.reflector.tick(self.now)
        return self

    def rest(self, *, link_back: bool = False) -> float:
        """Waits as long as it is told to."""
        assert isinstance(self.step, Wait), self.step
        pause = self.step.seconds
        self.later(pause)
        self.step = self.reflector.woke(self.now, link_back=link_back)
        return pause

    def open(self) -> Driver:
        assert isinstance(self.step, Watch), self.step
        self.reflector.opened(self.now)
        return self

    def send(self, *lines: bytes) -> Driver:
        """The stream brings these lines."""
        found = self.reflector.items(self.now, [wire.item(self.kind, line.strip()) for line in lines])
        if found is not None:
            self.step = found
        return self

    def fail(self, error: errors.ClusterError) -> Driver:
        self.step = self.reflector.failed(self.now, error)
        return self

    def end(self) -> Driver:
        self.step = self.reflector.ended(self.now)
        return self

    def expire(self) -> Driver:
        deadline = self.reflector.deadline
        assert deadline is not None
        self.later(deadline - self.seconds)
        self.step = self.reflector.expired(self.now)
        return self

    def list(self, *names: str, version: str = "10", token: str = "", remaining: int = 0) -> Driver:
        """The list page that was asked for comes."""
        assert isinstance(self.step, List), self.step
        head = wire.Head(version, token, remaining, len(names))
        self.reflector.page(self.now, head)
        self.reflector.listed(self.now, [change(self.kind, "ADDED", name, version).object for name in names])
        self.step = self.reflector.listed_all(self.now, head)
        return self

    def live(self, *names: str, version: str = "10") -> Driver:
        """Synchronises by WatchList."""
        self.open().send(*(line("ADDED", name, version) for name in names), bookmark(version, end=True))
        assert self.state is State.LIVE
        return self

    @property
    def names(self) -> set[str]:
        return {o.metadata.name for o in self.store}


def line(change: str, name: str, version: str, uid: str = "") -> bytes:
    obj = {"metadata": {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "resourceVersion": version}}
    return msgspec_encode({"type": change, "object": obj})


def change(kind: Kind, how: str, name: str, version: str) -> wire.Change:
    item = wire.item(kind, line(how, name, version))
    assert isinstance(item, wire.Change)
    return item


def bookmark(version: str, *, end: bool = False, value: str = "true") -> bytes:
    meta: dict[str, Any] = {"resourceVersion": version}
    if end:
        meta["annotations"] = {wire.INITIAL_END: value}
    return msgspec_encode({"type": "BOOKMARK", "object": {"metadata": meta, "spec": {"containers": None}}})


def msgspec_encode(obj: Any) -> bytes:
    return msgspec.json.encode(obj)


EXPIRED = errors.Expired(410, "Expired", "too old")
FUTURE = errors.FutureVersion(504, "Timeout", "Too large resource version")
CUT = errors.Unreachable("cut")
INVALID = errors.Invalid(422, "Invalid", "sendInitialEvents is forbidden")
FORBIDDEN = errors.Forbidden(403, "Forbidden", "pods is forbidden")
NOT_SERVED = errors.NotServed(404, "", "404 page not found")


# ---- the ordinary way --------------------------------------------------------------------------------------------------------


def test_the_first_request_is_a_list_by_watch_with_all_that_it_needs() -> None:
    d = Driver()
    assert (
        d.query.items() >= {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}.items()
    )
    assert "resourceVersion" not in d.query
    assert 300 <= int(d.query["timeoutSeconds"]) <= 600


def test_rows_appear_while_the_first_set_arrives_and_are_marked_as_incomplete() -> None:
    d = Driver().open().send(line("ADDED", "a", "7"), line("ADDED", "b", "3"))
    assert (d.state, d.reflector.freshness.received, d.names) == (State.SYNCING, 2, {"a", "b"})
    d.send(line("ADDED", "c", "5"), bookmark("9", end=True))
    assert (d.state, d.names) == (State.LIVE, {"a", "b", "c"})


def test_the_same_stream_goes_on_after_the_end_mark() -> None:
    d = Driver().live("a").send(line("ADDED", "b", "11"), line("DELETED", "a", "12"))
    assert (d.state, d.names) == (State.LIVE, {"b"})


def test_modified_and_deleted_before_the_end_mark_act_on_the_set_that_arrives() -> None:
    d = Driver().open().send(line("ADDED", "a", "5"), line("ADDED", "b", "6"), line("MODIFIED", "a", "8"), line("DELETED", "b", "9"))
    d.send(bookmark("9", end=True))
    assert {o.metadata.name: o.metadata.resource_version for o in d.store} == {"a": "8"}


@pytest.mark.parametrize("value", ["false", "", "True", "1"])
def test_only_true_ends_the_initial_list(value: str) -> None:
    d = Driver().open().send(line("ADDED", "a", "5"), bookmark("9", end=True, value=value))
    assert d.state == State.SYNCING


def test_a_plain_bookmark_before_the_end_mark_is_no_place_to_resume_from() -> None:
    d = Driver().open().send(line("ADDED", "a", "5"), bookmark("9")).fail(CUT)
    d.rest()
    assert d.query["sendInitialEvents"] == "true"
    assert "resourceVersion" not in d.query


def test_an_initial_list_that_was_cut_begins_anew_and_what_vanished_meanwhile_goes() -> None:
    d = Driver().open().send(line("ADDED", "a", "100"), line("ADDED", "b", "30")).fail(CUT)
    d.rest()
    assert "resourceVersion" not in d.query  # not the 30 that came last
    d.open().send(line("ADDED", "a", "100"), bookmark("101", end=True))
    assert d.names == {"a"}


def test_a_normal_end_resumes_at_once_and_stays_live() -> None:
    d = Driver().live("a").send(bookmark("20")).later(300).end()
    assert d.query["resourceVersion"] == "20"
    assert "sendInitialEvents" not in d.query
    assert d.state == State.LIVE
    d.open()
    assert d.state == State.LIVE


def test_a_normal_end_that_is_not_taken_up_again_within_two_seconds_is_stale_since_the_last_byte() -> None:
    d = Driver().live("a").later(299).send(bookmark("20")).later(1).end().later(1.9)
    assert d.state == State.LIVE
    d.later(0.2)
    assert d.state.value == "reconnecting"
    assert d.reflector.freshness.since == BEGIN + timedelta(seconds=299)


def test_a_cut_is_stale_at_once_since_the_last_byte_and_resumes_from_the_last_version() -> None:
    d = Driver().live("a").later(7).send(line("MODIFIED", "a", "15")).later(5).fail(CUT)
    assert (d.state, d.reflector.freshness.since) == (State.RECONNECTING, BEGIN + timedelta(seconds=7))
    assert d.reflector.freshness.retry_at is not None
    assert d.rest() <= 0.5
    assert d.query["resourceVersion"] == "15"
    d.open()
    assert d.state is State.RECONNECTING  # an expired version is refused a moment after opening
    d.later(0.3)
    assert d.state.value == "live"


def test_bookmarks_move_the_version_and_are_no_rows() -> None:
    d = Driver().live("a").send(bookmark("99")).later(10).fail(CUT)
    d.rest()
    assert (d.query["resourceVersion"], d.names) == ("99", {"a"})


@pytest.mark.parametrize("version", ["9", "", "8"])
def test_a_bookmark_from_before_moves_nothing_back(version: str) -> None:
    d = Driver().live("a", version="10").send(bookmark(version)).later(10).fail(CUT)
    d.rest()
    assert d.query["resourceVersion"] == "10"


def test_deleted_advances_the_version() -> None:
    d = Driver().live("a").send(line("DELETED", "a", "30")).later(10).fail(CUT)
    d.rest()
    assert d.query["resourceVersion"] == "30"


def test_versions_without_an_order_are_taken_as_they_arrive() -> None:
    d = Driver().live("a", version="x9").send(line("MODIFIED", "a", "x10"), line("MODIFIED", "a", "x2"))
    uid = d.store.get("uid-a")
    assert uid is not None
    assert uid.metadata.resource_version == "x2"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([line("MODIFIED", "new", "11")], {"a": "10", "new": "11"}),  # for an unknown one: an add
        ([line("DELETED", "never", "11")], {"a": "10"}),
        ([line("MODIFIED", "a", "12"), line("MODIFIED", "a", "11")], {"a": "12"}),  # reordered
        ([line("DELETED", "a", "12"), line("MODIFIED", "a", "11")], {}),  # nothing comes back from the dead
        ([line("DELETED", "a", "12"), line("ADDED", "a", "13", uid="second")], {"a": "13"}),
        ([line("ADDED", "a", "13", uid="second")], {"a": "13"}),  # its DELETED was lost
        ([line("ADDED", "a", "13", uid="second"), line("MODIFIED", "a", "11")], {"a": "13"}),  # the old one's change comes late
        ([line("MODIFIED", "a", "9")], {"a": "10"}),
    ],
)
def test_changes_apply_by_uid_and_version(lines: list[bytes], left: dict[str, str]) -> None:
    d = Driver().live("a").send(*lines)
    assert {o.metadata.name: o.metadata.resource_version for o in d.store} == left


# ---- lists -------------------------------------------------------------------------------------------------------------------


def plain(kind: Kind = PODS) -> Driver:
    """Where WatchList does not work."""
    d = Driver(kind)
    return d.fail(INVALID)


def test_without_watch_list_large_kinds_are_listed_in_consistent_pages_and_watched_from_the_lists_version() -> None:
    d = plain()
    assert d.query == {"limit": "500"}
    d.list("a", "b", version="50", token="next", remaining=7)
    assert (d.state, d.reflector.freshness.received, d.reflector.freshness.expected) == (State.SYNCING, 2, 9)
    assert d.query == {"limit": "500", "continue": "next"}
    d.list("c", version="50")
    assert d.query["resourceVersion"] == "50"
    assert "resourceVersionMatch" not in d.query
    d.open()
    assert (d.state, d.names) == (State.LIVE, {"a", "b", "c"})


def test_without_watch_list_small_kinds_are_listed_from_the_cache_at_once() -> None:
    assert plain(SERVICES).query == {"resourceVersion": "0"}


def test_that_watch_list_does_not_work_is_remembered_for_the_server() -> None:
    server = Server()
    Driver(server=server).fail(INVALID)
    assert Driver(SERVICES, server=server).query == {"resourceVersion": "0"}


@pytest.mark.parametrize("error", [INVALID, errors.Refused(418, "", "?"), errors.Conflict(409, "", "?")])
def test_any_lasting_refusal_of_watch_list_falls_back_to_a_list(error: errors.ClusterError) -> None:
    d = Driver().fail(error).list("a")
    assert d.query["resourceVersion"] == "10"
    d.open().later(300).fail(EXPIRED)
    assert isinstance(d.step, List)


def test_no_half_list_replaces_a_whole_one() -> None:
    d = plain().list("a", "b", version="50")
    d.open().later(400).fail(EXPIRED)
    d.list("a", version="90", token="next")
    assert d.names == {"a", "b"}
    d.fail(CUT)
    d.rest()
    assert d.query["continue"] == "next"
    d.list("c", version="90")
    assert d.names == {"a", "c"}


def test_an_expired_page_token_leads_to_one_full_list() -> None:
    d = plain().list("a", version="50", token="next").fail(EXPIRED)
    assert d.query == {}
    d.list("a", "c", version="60")
    assert d.query["resourceVersion"] == "60"


def test_a_relist_does_not_shrink_the_rows_until_it_is_complete() -> None:
    d = Driver().live("a", "b", "c").later(400).fail(EXPIRED)
    assert "resourceVersion" not in d.query
    d.open().send(line("ADDED", "a", "40"))
    assert (d.state, d.names) == (State.RECONNECTING, {"a", "b", "c"})
    d.send(bookmark("41", end=True))
    assert (d.state, d.names) == (State.LIVE, {"a"})


# ---- versions that are refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [EXPIRED, FUTURE])
@pytest.mark.parametrize("as_event", [True, False])
def test_a_refused_version_leads_to_a_consistent_relist_at_once(error: errors.Refused, as_event: bool) -> None:
    d = Driver().live("a").later(300).end()
    if as_event:
        causes = {"causes": [{"reason": "ResourceVersionTooLarge", "message": ""}]} if error is FUTURE else {}
        d.open().send(error_event(error.status, error.reason, "no", **causes))
    else:
        d.fail(error)
    assert d.query["sendInitialEvents"] == "true"
    assert "resourceVersion" not in d.query


def test_a_version_that_is_refused_for_ever_is_not_asked_for_in_a_loop() -> None:
    d = Driver().live("a").later(300).end()
    tries = 0
    end = d.seconds + 600
    while d.seconds < end:
        if isinstance(d.step, Wait):
            d.rest()
        elif "sendInitialEvents" in d.query:
            tries += 1
            d.open().send(line("ADDED", "a", "10"), bookmark("10", end=True)).send(error_event(410, "Expired"))
        else:
            d.fail(EXPIRED)
    assert tries <= 25


def test_a_watch_without_any_bookmark_has_a_dead_version() -> None:
    d = Driver().live("a").later(300).end().open().expire()
    assert d.seconds == pytest.approx(375)
    assert d.query["sendInitialEvents"] == "true"
    assert "resourceVersion" not in d.query


def test_a_server_that_never_sends_bookmarks_is_not_listed_over_and_over() -> None:
    d = Driver().live("a").later(300).end()
    lists = 0
    while d.seconds < 3_000:
        if isinstance(d.step, Wait):
            d.rest()
        d.open()
        if "sendInitialEvents" in d.query:
            lists += 1
            d.send(line("ADDED", "a", "10"), bookmark("10", end=True)).end()
            d.later(1)
        else:
            if d.query["resourceVersion"] == "9":
                d.send(line("MODIFIED", "a", "10"))
            d.expire()
    assert lists <= 12


def away(kind: Kind = PODS, *, version: str = "30") -> Driver:
    """One that had two objects, the newer at 20, and has come as far as this version when the server went away."""
    d = Driver(kind).open().send(line("ADDED", "a", "20"), line("ADDED", "b", "5"), bookmark(version, end=True)).later(60).fail(CUT)
    d.rest()
    d.fail(errors.Unreachable("refused"))
    d.rest(link_back=True)
    return d


def test_after_an_outage_a_large_kind_asks_for_the_newest_change_that_it_knows_once_more() -> None:
    d = away().open()
    assert (d.query["resourceVersion"], "sendInitialEvents" in d.query) == ("19", False)
    assert d.later(1).state is State.RECONNECTING
    assert d.send(line("MODIFIED", "a", "20")).state is State.LIVE
    d.send(line("ADDED", "c", "31")).later(10).fail(CUT)
    d.rest()
    assert d.query["resourceVersion"] == "31"
    assert d.names == {"a", "b", "c"}


def test_the_end_of_an_object_is_a_change_too() -> None:
    d = Driver().live("a", "b").send(line("DELETED", "b", "25"), bookmark("30")).later(60)
    d.step = d.reflector.cut(d.now, "this machine slept")
    d.rest()
    assert d.query["resourceVersion"] == "24"
    assert d.open().send(line("DELETED", "b", "25")).state is State.LIVE


@pytest.mark.parametrize(
    "first",
    [
        line("MODIFIED", "a", "21"),  # another change has that version
        line("MODIFIED", "a", "20", uid="uid-of-another-a"),
        line("ADDED", "b", "20"),
        bookmark("40"),
        b'{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}',
    ],
)
def test_where_something_else_comes_first_the_history_is_another_one(first: bytes) -> None:
    d = away().open().send(first)
    assert d.state is State.RECONNECTING
    assert d.query["sendInitialEvents"] == "true"
    assert "resourceVersion" not in d.query


def test_where_nothing_comes_the_version_is_from_the_future() -> None:
    d = away().open()
    began = d.seconds
    d.expire()
    assert d.seconds - began == pytest.approx(2)
    assert d.query["sendInitialEvents"] == "true"
    assert "resourceVersion" not in d.query


def test_a_proof_that_is_cut_off_is_asked_for_again() -> None:
    d = away().open().later(1).fail(CUT)
    d.rest()
    assert d.query["resourceVersion"] == "19"


def test_who_knows_no_change_takes_everything_anew() -> None:
    d = Driver().live().later(60)
    d.step = d.reflector.cut(d.now, "this machine slept")
    d.rest()
    assert (d.query["sendInitialEvents"], d.query["resourceVersion"]) == ("true", "10")


def test_after_an_outage_a_small_kind_is_taken_anew_in_one_request() -> None:
    d = away(SERVICES)
    assert d.query["sendInitialEvents"] == "true"
    assert d.query["resourceVersion"] == "30"


def test_events_prove_their_version_after_every_cut_for_no_bookmark_will_tell() -> None:
    d = Driver(EVENTS).live("a").later(60).fail(CUT)
    d.rest()
    assert d.query["resourceVersion"] == "9"


# ---- silence ---------------------------------------------------------------------------------------------------------------------


def test_silence_after_bookmarks_is_a_dead_stream() -> None:
    d = Driver().live("a").send(bookmark("20")).expire()
    assert d.seconds == pytest.approx(130)
    assert d.state is State.RECONNECTING
    d.rest()
    assert d.query["resourceVersion"] == "9"  # what became of the server meanwhile cannot be known


def test_events_may_be_silent_until_the_server_should_have_ended_the_watch() -> None:
    d = Driver(EVENTS).live("a")
    timeout = int(d.query["timeoutSeconds"])
    d.expire()
    assert d.seconds == pytest.approx(timeout + 30)


def test_a_list_by_watch_that_does_not_go_on_is_given_up_for_a_list() -> None:
    d = Driver().open().send(line("ADDED", "a", "5")).expire()
    assert d.seconds == pytest.approx(30)
    d.rest()
    assert isinstance(d.step, List)


def test_a_watch_that_is_never_answered_is_given_up() -> None:
    d = Driver().expire()
    assert d.seconds == pytest.approx(150)
    assert d.state is State.CONNECTING
    assert isinstance(d.step, Wait)


# ---- other refusals ------------------------------------------------------------------------------------------------------------


def test_too_many_requests_waits_as_told_and_keeps_the_version() -> None:
    d = Driver().live("a").later(300).end().fail(errors.TooManyRequests(429, "", "Too many requests", retry_after=7))
    assert d.rest() >= 7
    assert d.query["resourceVersion"] == "9"  # to see its own change once more


def test_a_mad_retry_after_is_not_obeyed() -> None:
    d = Driver().fail(errors.TooManyRequests(429, "", "x", retry_after=1e9))
    assert d.rest() <= 60


def test_server_errors_with_retry_after_keep_the_version_ten_times() -> None:
    d, long = Driver().live("a").later(300).end(), False
    for _ in range(10):
        d.fail(errors.ServerFault(503, "", "busy", retry_after=1))
        long = d.rest() > 1 or long
        assert d.query["resourceVersion"] == ("9" if long else "10")


def test_internal_errors_keep_the_version_for_a_minute_then_relist() -> None:
    d = Driver().live("a").later(300).end()
    began = d.seconds
    while d.seconds - began < 200 and "sendInitialEvents" not in d.query:
        d.open().send(error_event(500, "InternalError", "boom"))
        d.rest()
    assert 60 < d.seconds - began < 160


@pytest.mark.parametrize("reason", ["StorageReadError", "Weird", ""])
def test_an_unknown_error_event_leads_to_a_relist(reason: str) -> None:
    d = Driver().live("a").later(300).end().open().send(error_event(500, reason, "corrupt object has been deleted"))
    d.rest()
    assert d.query["sendInitialEvents"] == "true"


def test_a_status_without_code_or_reason_is_survived() -> None:
    d = Driver().live("a").later(300).end().open().send(msgspec_encode({"type": "ERROR", "object": {"kind": "Status"}}))
    d.rest()
    assert d.query["sendInitialEvents"] == "true"


def test_unauthorized_says_so_and_tries_once_a_minute() -> None:
    d = Driver().live("a").later(300).end().fail(errors.Unauthorized(401, "Unauthorized", "no"))
    assert (d.state, d.names) == (State.UNAUTHORIZED, {"a"})
    assert 45 <= d.rest() <= 75


def test_forbidden_everywhere_names_the_verb_the_resource_and_the_namespace() -> None:
    d = Driver(PODS, "team").fail(FORBIDDEN)
    assert isinstance(d.step, List)
    d.fail(FORBIDDEN)
    f = d.reflector.freshness
    assert (f.state, f.verb, f.resource, f.namespace) == (State.FORBIDDEN, "list", "pods", "team")
    tries, end = 0, d.seconds + 600
    while d.seconds < end:
        assert d.rest() >= 60
        tries += 1
        d.fail(FORBIDDEN)
    assert tries <= 9


def test_rights_that_are_given_later_are_found() -> None:
    d = Driver().fail(FORBIDDEN).fail(FORBIDDEN)
    d.rest()
    d.live("a")


def test_listing_without_watching_is_polling_and_the_watch_is_tried_again_each_minute() -> None:
    d = Driver().fail(FORBIDDEN).list("a")
    assert (d.state, d.names) == (State.POLLING, {"a"})
    assert 15 <= d.reflector.freshness.period <= 30
    watches, lists, end = 0, 0, d.seconds + 600
    while d.seconds < end:
        if isinstance(d.step, Wait):
            assert d.state is State.POLLING
            d.rest()
        elif isinstance(d.step, List):
            lists += 1
            d.list("a", f"b{lists}")
        else:
            watches += 1
            d.fail(FORBIDDEN)
    assert 20 <= lists <= 42
    assert 7 <= watches <= 11


def test_what_cannot_be_watched_at_all_is_polled_without_trying_again() -> None:
    d = Driver().fail(errors.NotServed(405, "MethodNotAllowed", "no watch")).list("a")
    for _ in range(20):
        d.rest()
        d.list("a")
    assert d.state is State.POLLING


def test_revoked_rights_keep_the_rows() -> None:
    d = Driver().live("a").later(400).end().fail(FORBIDDEN)
    d.fail(FORBIDDEN)
    assert (d.state, d.names) == (State.FORBIDDEN, {"a"})


def test_what_is_not_served_is_absent_and_looked_for_each_minute() -> None:
    d = Driver().fail(NOT_SERVED)
    assert d.state is State.ABSENT
    assert 60 <= d.rest() <= 66
    d.live("a")


def test_a_single_404_does_not_empty_a_pane() -> None:
    d = Driver().live("a").later(400).end().fail(NOT_SERVED)
    assert (d.state, d.names) == (State.RECONNECTING, {"a"})
    d.rest()
    d.fail(NOT_SERVED)
    assert (d.state, d.names) == (State.ABSENT, set())


def test_a_watch_that_ends_at_once_and_empty_leads_to_a_relist_with_pauses() -> None:
    d = Driver().live("a").later(300).end().open().end()
    assert d.state is State.RECONNECTING
    assert d.rest() >= 0.8
    assert d.query["sendInitialEvents"] == "true"


def test_a_reader_that_was_cut_off_for_lagging_resumes_without_a_relist() -> None:
    d = Driver().live("a").later(20).send(line("MODIFIED", "a", "25")).end()
    assert d.query["resourceVersion"] == "25"
    assert d.state is State.LIVE


def test_a_broken_line_drops_the_stream_and_resumes() -> None:
    d = Driver().live("a").later(20).fail(errors.NotKubernetes("a line that is not a watch event"))
    assert d.state is State.RECONNECTING
    d.rest()
    assert d.query["resourceVersion"] == "10"


def test_what_cannot_be_read_is_counted_and_shown_as_left_out() -> None:
    d = Driver().live("a").send(b'{"type":"MODIFIED","object":{"metadata":{"name":"b"}}}')
    assert (d.state, d.reflector.freshness.skipped) == (State.LIVE, 1)
    assert not d.reflector.freshness.complete


def test_our_own_fault_is_shown_and_everything_is_fetched_anew() -> None:
    d = Driver().live("a")
    d.step = d.reflector.crashed(d.now, "internal fault: KeyError")
    assert d.state is State.FAILED
    d.rest()
    d.live("a", "b")


def test_at_the_start_nothing_was_ever_true() -> None:
    d = Driver().fail(errors.Unreachable("connection refused"))
    assert (d.state, d.reflector.freshness.why) == (State.CONNECTING, "connection refused")


# ---- any mixture ---------------------------------------------------------------------------------------------------------------


OUTAGE = 2.5
REFUSALS = (CUT, EXPIRED, FUTURE, errors.ServerFault(500, "", "x"), errors.TooManyRequests(429, "", "x"), errors.NotKubernetes("html"))
Writes = list[tuple[str, str, str]]
WRITES = st.lists(st.tuples(st.sampled_from(["write", "write", "delete"]), st.sampled_from("abcdef"), st.sampled_from(["shop", "other"])), max_size=5)


class Chaos(RuleBasedStateMachine):
    """Events, cuts, 410, duplicates, relists, bookmarks, reordering, restores: it always comes to hold what the server holds."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model([PODS, CONFIGMAPS, EVENTS])
        self.model.version = 100_000
        self.cursor: Cursor | None = None
        self.pending: list[bytes] = []  # lines on the wire
        self.delivered: list[bytes] = []
        self.closed_at = 0.0
        self.away = False  # the next request finds no server

    @initialize(
        kind=st.sampled_from([PODS, CONFIGMAPS, EVENTS]), watch_list=st.booleans(), namespace=st.sampled_from(["", "shop"]), seed=st.integers(0, 9)
    )
    def begin(self, kind: Kind, watch_list: bool, namespace: str, seed: int) -> None:
        self.kind, self.namespace = kind, namespace
        self.model.watch_list = watch_list
        for i in range(3):
            self.model.make(kind, f"first-{i}")
        self.saved = self.model.save()
        self.d = Driver(kind, namespace, seed=seed)
        self.go()

    # ---- what happens

    @rule(writes=WRITES)
    def write(self, writes: Writes) -> None:
        self.write_all(writes)

    def write_all(self, writes: Writes) -> None:
        for what, name, namespace in writes:
            if what == "write":
                self.model.make(self.kind, name, namespace)
            elif (namespace, name) in self.model.collections[self.kind.plural].objects:
                self.model.delete(self.kind, name, namespace)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Some of the lines on the wire arrive: some twice, and changes in any order."""
        self.pull()
        if not self.pending:
            return
        count = data.draw(st.integers(1, len(self.pending)))
        batch, self.pending = self.pending[:count], self.pending[count:]
        if not any(b'"BOOKMARK"' in one or b'"ERROR"' in one for one in batch):
            batch = list(data.draw(st.permutations(batch)))
        again: bool = data.draw(st.booleans()) if self.delivered else False
        if again:
            batch = [*batch, data.draw(st.sampled_from(self.delivered))]
        self.send(batch)

    @rule()
    def deliver_all(self) -> None:
        self.pull()
        if self.pending:
            batch, self.pending = self.pending, []
            self.send(batch)

    @rule(fault=st.sampled_from(["cut", "end", "bookmark", "compact", "save"]))
    def disturb(self, fault: str) -> None:
        if fault == "compact":
            self.model.forget_history(self.kind)
        elif fault == "save":
            self.saved = self.model.save()
        elif fault == "bookmark" and self.cursor is not None:
            self.pending += self.cursor.bookmark().splitlines()
        elif fault == "cut":
            self.lose(CUT)
        elif fault == "end" and self.cursor is not None:
            self.drop()
            self.d.end()
        self.go()

    @rule(before=WRITES, after=WRITES, others=st.sampled_from([0, 1, 3, 100]))
    def restore(self, before: Writes, after: Writes, others: int) -> None:
        """The server goes away and comes back with a state of etcd from before; then others write too, so that old versions are given again."""
        self.lose(CUT)
        step, self.away = self.d.step, True
        if isinstance(step, Wait) and step.seconds > OUTAGE:  # all that passes while it waits
            self.d.later(OUTAGE)
            self.d.step, self.away = Wait(step.seconds - OUTAGE, step.link), False
        self.model.restore(self.saved)
        self.write_all(before)
        for _ in range(others):
            self.model.touch()
        self.write_all(after)
        self.go()

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 30.0, 80.0]), error=st.sampled_from([None, *REFUSALS]))
    def wait(self, seconds: float, error: errors.ClusterError | None) -> None:
        """Time passes; the first request in it may fail."""
        end = self.d.seconds + seconds
        while self.d.seconds < end:
            deadline = self.d.reflector.deadline
            if isinstance(self.d.step, Wait):
                rest = min(self.d.step.seconds, end - self.d.seconds)
                left = self.d.step.seconds - rest
                self.d.later(rest)
                self.d.step = Wait(left, self.d.step.link) if left > 0 else self.d.reflector.woke(self.d.now)
                if error is not None and isinstance(self.d.step, List | Watch):
                    self.d.fail(error)
                    error = None
            elif self.cursor is not None and deadline is not None and deadline <= end:
                self.d.later(max(0.0, deadline - self.d.seconds))
                self.drop()
                self.d.step = self.d.reflector.expired(self.d.now)
            else:
                self.d.later(end - self.d.seconds)
            self.go()

    # ---- how

    def go(self) -> None:
        """Sends what is asked for until something has to be waited for."""
        while self.cursor is None and isinstance(self.d.step, List | Watch):
            step = self.d.step
            if self.away:
                self.away = False
                self.d.fail(errors.Unreachable("refused"))
                continue
            found = self.model.answer(self.model.ask("GET", self.kind.path(self.namespace), step.query))
            if isinstance(found, Cursor):
                self.cursor, self.pending, self.delivered = found, [], []
                self.d.reflector.opened(self.d.now)
            else:
                assert isinstance(found, Answer)
                self.take(step, found)

    def take(self, step: List | Watch, found: Answer) -> None:
        if found.status != 200:
            self.d.fail(wire.status_error(found.body))
            return
        head, raws = wire.page(found.body)
        assert isinstance(step, List)
        self.d.reflector.page(self.d.now, head)
        self.d.reflector.listed(self.d.now, [decode(self.kind, raw) for raw in raws])
        self.d.step = self.d.reflector.listed_all(self.d.now, head)

    def pull(self) -> None:
        if self.cursor is not None:
            self.pending += [one.strip() for one in self.cursor.lines()]

    def send(self, batch: list[bytes]) -> None:
        self.delivered += [one for one in batch if b'"BOOKMARK"' not in one and b'"ERROR"' not in one]
        before = self.d.step
        self.d.send(*batch)
        if self.d.step is not before:
            self.drop()
        elif self.cursor is not None and self.cursor.then and not self.pending:
            self.drop()
            self.d.end()
        self.go()

    def lose(self, error: errors.ClusterError) -> None:
        if self.cursor is not None:
            self.drop()
            self.d.fail(error)

    def drop(self) -> None:
        if self.cursor is not None:
            self.cursor.close()
        self.cursor, self.pending, self.closed_at = None, [], self.d.seconds

    # ---- what must hold

    def held(self) -> dict[str, str]:
        return {o.metadata.uid: o.metadata.resource_version for o in self.d.store}

    @invariant()
    def never_live_while_it_differs(self) -> None:
        if not hasattr(self, "d") or self.d.state is not State.LIVE:
            return
        if self.cursor is None:
            assert self.d.seconds - self.closed_at <= 2.0
        elif not self.cursor.from_the_future:  # that is found by the bookmark that does not come
            self.pull()
            if not self.pending:
                assert self.held() == self.model.uids(self.kind, self.namespace)

    def teardown(self) -> None:
        if not hasattr(self, "d"):
            return
        for _ in range(8_000):  # in steps so small that what is sent arrives in time
            self.deliver_all()
            self.pull()
            if self.cursor is not None and not self.pending and self.d.state is State.LIVE and not self.cursor.from_the_future:
                break
            self.wait(seconds=1.0, error=None)
        assert self.d.state is State.LIVE
        assert self.held() == self.model.uids(self.kind, self.namespace)


TestChaos = Chaos.TestCase
TestChaos.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_the_model_refuses_an_old_version_as_the_real_server_did() -> None:
    model = Model([PODS])
    model.make(PODS, "a")
    model.forget_history(PODS)
    old = model.answer(model.ask("GET", "/api/v1/pods", {"watch": "1", "resourceVersion": "1"}))
    assert isinstance(old, Cursor)
    (only,) = old.lines()
    found = wire.item(PODS, only)
    assert isinstance(found, wire.Trouble)
    assert isinstance(found.error, errors.Expired)
    assert old.then == "end"
