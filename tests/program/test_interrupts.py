"""Interrupting a change on the command line: the first asks it to stop, the next one is whatever it was before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from kubepane import changing


@pytest.fixture
def before() -> Iterator[list[int]]:
    """What the handler that was there before has heard."""
    heard: list[int] = []
    kept = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    yield heard
    signal.signal(signal.SIGINT, kept)


async def test_the_first_asks_to_stop_and_the_second_ends_it(before: list[int]) -> None:
    stopping = asyncio.Event()
    own = signal.getsignal(signal.SIGINT)
    with changing._interrupts(stopping) as came:
        os.kill(os.getpid(), signal.SIGINT)
        await stopping.wait()
        assert (came, before) == ([signal.SIGINT], [])
        os.kill(os.getpid(), signal.SIGINT)
        assert before == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is own


async def test_without_one_the_handler_is_as_it_was(before: list[int]) -> None:
    stopping = asyncio.Event()
    own = signal.getsignal(signal.SIGINT)
    with changing._interrupts(stopping) as came:
        pass
    assert (came, stopping.is_set()) == ([], False)
    assert signal.getsignal(signal.SIGINT) is own


def test_a_question_is_broken_off_by_an_interrupt(monkeypatch: pytest.MonkeyPatch, before: list[int]) -> None:
    class Waiting:
        def readline(self) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("it went on waiting")

    monkeypatch.setattr("sys.stdin", Waiting())
    own = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        changing._asked("? ")
    assert before == []
    assert signal.getsignal(signal.SIGINT) is own
