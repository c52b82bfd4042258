"""Events go an hour after they were last written."""

from __future__ import annotations

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.expiry import EventExpiry
from kubepane_embedded.core import Core
from kubepane_embedded.recorder import NORMAL, Recorder


def advance(core: Core, seconds: float) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def say(core: Core, recorder: Recorder, reason: str) -> None:
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n", "uid": "u"}}
    recorder.event(node, NORMAL, reason, reason)


def reasons(core: Core) -> list[str]:
    return sorted(event["reason"] for event in core.storage.objects("events"))


def test_an_hour_after_the_last_change(core: Core) -> None:
    EventExpiry(core).start()
    recorder = Recorder(core.client("test"), "test")
    say(core, recorder, "Once")
    say(core, recorder, "Again")
    advance(core, 1800)
    say(core, recorder, "Again")
    say(core, recorder, "Later")
    advance(core, 1790)
    assert reasons(core) == ["Again", "Later", "Once"]
    advance(core, 30)
    assert reasons(core) == ["Again", "Later"]
    advance(core, 1770)
    assert reasons(core) == ["Again", "Later"]
    advance(core, 30)
    assert reasons(core) == []


def test_those_that_were_there_before_and_those_deleted_by_hand(core: Core) -> None:
    recorder = Recorder(core.client("test"), "test")
    say(core, recorder, "Before")
    EventExpiry(core).start()
    say(core, recorder, "Deleted")
    gone = next(event for event in core.storage.objects("events") if event["reason"] == "Deleted")
    core.client("test").delete("events", gone["metadata"]["namespace"], gone["metadata"]["name"])
    advance(core, 3500)
    assert reasons(core) == ["Before"]
    advance(core, 120)
    assert reasons(core) == []


def test_one_timer_for_many_events(core: Core) -> None:
    EventExpiry(core).start()
    recorder = Recorder(core.client("test"), "test")
    for number in range(20):
        say(core, recorder, f"Reason{number}")
        advance(core, 1)
    assert len(core.clock._heap) == 1
    advance(core, 3700)
    assert reasons(core) == []
    assert core.clock._heap == []
