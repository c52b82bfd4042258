"""The bundled story on the real control plane with simulated kubelets: applied, healthy, and each chapter played to its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.conftest import require
from kubepane import cli
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.scenarios import facts
from kubepane.scenarios.book import CHAPTERS, chosen
from kubepane.scenarios.player import AT_ONCE, KINDS, Player
from kubepane_controlplane.plane import ControlPlane

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]
LONGEST = 120.0
"""Seconds in which a chapter must have ended: here they are real ones."""


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[Path]:
    """Of a cluster that nobody has touched."""
    require()
    with ControlPlane(0, simulated=4) as plane:
        yield plane.kubeconfig


@asynccontextmanager
async def looking(kubeconfig: Path) -> AsyncIterator[Session]:
    """A session as the dashboard has it."""
    session = Session(Options(kubeconfig=str(kubeconfig), namespaces=("chatapp",)))
    session.audit = lambda entry: None
    session.want(KINDS)
    session.start()
    try:
        yield session
    finally:
        await session.close()


async def played(session: Session, name: str) -> Player:
    """A chapter, played to its end."""
    player = Player(session, chosen(name), reading=AT_ONCE, look_again=0.1)
    playing = asyncio.create_task(player.play())
    deadline = time.monotonic() + LONGEST
    while not playing.done():
        assert time.monotonic() < deadline, (name, player.number, player.phase, player.fact, player.problem)
        await asyncio.sleep(0.1)
    await playing
    return player


@pytest.mark.parametrize("name", sorted(CHAPTERS, key=lambda name: name != "hpa"))
async def test_every_step_of_a_chapter_comes_true(name: str, kubeconfig: Path) -> None:
    """The HPA's first: it begins with the pods that the story has, before another chapter's load."""
    async with looking(kubeconfig) as session:
        player = await played(session, name)
        assert [(end.number, end.fact.true) for end in player.ended] == [(number + 1, True) for number in range(len(CHAPTERS[name].steps))], [
            end.fact.text for end in player.ended
        ]
        assert (player.problem, player.problems) == ("", [])
        assert facts.tainted(session.stores) == []


def test_one_frame_shows_all_of_it(kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snapshot", "--kubeconfig", str(kubeconfig), "-n", "chatapp", "--format", "json"]) == 0
    frame = json.loads(capsys.readouterr().out)
    assert frame["panes"]
    text = json.dumps(frame)
    for shown in ("mysql-0", "data-mysql-0", "mysql-pv", "chatapp.localhost", "deploy/chatapp", "kubepane-worker3", "mysql:3306"):
        assert shown in text, shown
