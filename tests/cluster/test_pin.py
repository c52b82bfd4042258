"""Which cluster it is: once seen, another one behind the same address gets nothing (T6, S5)."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest

from cluster.test_writer import Cluster, step, thing
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, OtherCluster, ServerFault, Unreachable
from kubepane.cluster.pin import HOLDS, PATH, Pin
from kubepane.cluster.writer import Writer
from kubepane.cluster.writing import End, Outcome


class Hours(SystemClock):
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Server:
    """Has a namespace kube-system with this uid, or this to say instead."""

    def __init__(self, says: str | ClusterError = "a") -> None:
        self.says = says
        self.asked = 0

    async def get(self, path: str, query: None = None, *, accept: str = "") -> bytes:
        assert path == PATH
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.says, ClusterError):
            raise self.says
        return json.dumps({"metadata": {"name": "kube-system", "uid": self.says}}).encode()


class Stand:
    """A pin with all around it."""

    def __init__(self, says: str | ClusterError = "a") -> None:
        self.clock, self.server = Hours(), Server(says)
        self.said: list[str] = []
        self.pin = Pin(self.server.get, self.clock, self.said.append)

    async def later(self, says: str | ClusterError) -> None:
        """Some time passes, and the server has something else to say."""
        self.clock.seconds += HOLDS
        self.server.says = says
        await self.pin.check()


async def test_the_same_cluster_is_asked_now_and_then_and_once_at_a_time() -> None:
    stand = Stand()
    await asyncio.gather(*(stand.pin.check() for _ in range(5)))
    assert (stand.pin.uid, stand.server.asked) == ("a", 1)
    stand.pin.doubt()
    await stand.pin.check()
    await stand.later("a")
    assert (stand.server.asked, stand.said) == (3, [])


async def test_another_cluster_is_refused_for_good_and_said_once() -> None:
    stand = Stand()
    await stand.pin.check()
    with pytest.raises(OtherCluster, match=r"uid of kube-system a; now b.*choose the context again"):
        await stand.later("b")
    with pytest.raises(OtherCluster):
        await stand.later("a")  # it may be one of two behind a balancer: whoever saw another must be told
    assert len(stand.said) == 1


@pytest.mark.parametrize("answer", [NotFound(404, "NotFound", "not found"), Forbidden(403, "Forbidden", "no right")])
async def test_what_could_be_read_and_cannot_any_more_is_another_cluster(answer: ClusterError) -> None:
    stand = Stand()
    await stand.pin.check()
    with pytest.raises(OtherCluster):
        await stand.later(answer)


async def test_where_it_may_not_be_read_that_is_said_once_and_changes_go_on() -> None:
    stand = Stand(Forbidden(403, "Forbidden", "no right"))
    await stand.pin.check()
    await stand.later(Forbidden(403, "Forbidden", "no right"))
    assert stand.pin.other == ""
    assert [text for text in stand.said if "no right" in text] == stand.said
    assert len(stand.said) == 1


async def test_the_watch_of_the_namespaces_tells_as_well() -> None:
    stand = Stand()
    stand.pin.seen("a")
    stand.pin.seen("c")
    with pytest.raises(OtherCluster, match="now c"):
        await stand.pin.check()
    assert stand.server.asked == 0


@pytest.mark.parametrize(
    ("now", "end"),
    [("b", End.REFUSED), (Unreachable("refused"), End.LOST), (ServerFault(503, "", "starting"), End.LOST), ("a", End.DONE)],
    ids=["other", "down", "starting", "same"],
)
async def test_the_writer_sends_nothing_to_another_cluster(now: str | ClusterError, end: End) -> None:
    stand, cluster = Stand(), Cluster(thing(5, 2))
    told: list[Outcome] = []
    who = Writer(cluster, told.append, Random(1), stand.pin)  # type: ignore[arg-type]
    await stand.pin.check()
    stand.clock.seconds, stand.server.says = HOLDS, now
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is end
    assert len(cluster.sent) == (1 if end is End.DONE else 0)
    assert told == [outcome]
    if end is not End.DONE:
        assert outcome.text.startswith("nothing was sent: ")
        assert (await who.rehearse(step(thing(5, 2)))).error is not None
        assert cluster.sent == []


async def test_a_lost_answer_is_not_looked_up_in_another_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server went down with the change, and what came back is not it: there the change seems to be there already."""
    monkeypatch.setattr("kubepane.cluster.writer.LOOKS", (0.0, 0.0, 0.0))
    stand, cluster = Stand(), Cluster(thing(5, 2))
    who = Writer(cluster, lambda outcome: None, Random(1), stand.pin)  # type: ignore[arg-type]
    await stand.pin.check()

    def swapped() -> Any:
        stand.server.says, cluster.state = "b", thing(9, 4)
        raise Unreachable("cut")

    cluster.before_send = [swapped]
    outcome = await who.perform(step(thing(5, 2)))
    assert outcome.end is End.UNKNOWN
    assert "another cluster" in outcome.text
