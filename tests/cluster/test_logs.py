from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kubepane.cluster import logs
from kubepane.cluster.errors import ClusterError, Forbidden, Invalid, Unreachable
from kubepane.cluster.logs import LogStream

Part = bytes | ClusterError


class Scripted:
    """A door that answers each log request with the next part of a script."""

    def __init__(self, *answers: list[Part] | ClusterError) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def get(self, *_: Any, **__: Any) -> bytes:
        raise AssertionError("logs are streams")

    post = get

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append(dict(query or {}))
        answer = self.answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        yield self._chunks(answer)

    async def _chunks(self, parts: list[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, ClusterError):
                raise part
            yield part


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PAUSES", (0.0,))


async def read(door: Scripted, **more: Any) -> tuple[list[str], LogStream]:
    stream = LogStream(door, "shop", "web", "app", **more)
    async with asyncio.timeout(5):
        return [line async for some in stream.lines() for line in some], stream


async def test_lines_are_cut_and_their_timestamps_taken_off() -> None:
    door = Scripted([b"2026-06-01T12:00:00.1Z one\n2026-06-01T12:00:00.2Z tw", b"o\r\n2026-06-01T12:00:00.3Z ", b"\xff three without end"])
    lines, stream = await read(door)
    assert lines == ["one", "two", "\ufffd three without end"]
    assert stream.ended
    assert door.asked[0] == {"container": "app", "timestamps": "true", "follow": "true", "tailLines": "500"}


async def test_a_cut_is_taken_up_without_a_gap_and_without_lines_twice() -> None:
    door = Scripted(
        [b"2026-06-01T12:00:00Z a\n2026-06-01T12:00:01Z b\n", Unreachable("connection cut")],
        Unreachable("connection refused"),
        [b"2026-06-01T12:00:01Z b\n2026-06-01T12:00:01Z c\n2026-06-01T12:00:02Z d\n"],
    )
    lines, _ = await read(door)
    assert lines == ["a", "b", "c", "d"]
    assert door.asked[2]["sinceTime"] == "2026-06-01T12:00:01Z"
    assert "tailLines" not in door.asked[2]


async def test_a_refusal_ends_it_and_is_said() -> None:
    lines, stream = await read(Scripted(Forbidden(403, "Forbidden", 'User "eve" cannot get resource "pods/log"')))
    assert lines == []
    assert "pods/log" in stream.state


async def test_a_container_that_is_still_starting_is_waited_for() -> None:
    waiting = Invalid(400, "BadRequest", 'container "app" in pod "web" is waiting to start: ContainerCreating')
    lines, stream = await read(Scripted(waiting, waiting, [b"2026-06-01T12:00:00Z up\n"]))
    assert lines == ["up"]
    assert stream.state == ""


async def test_the_container_before_is_not_followed() -> None:
    door = Scripted([b"2026-06-01T12:00:00Z last words\n"])
    assert (await read(door, previous=True))[0] == ["last words"]
    assert door.asked[0]["previous"] == "true"
    assert "follow" not in door.asked[0]


async def test_endless_lines_do_not_fill_the_memory() -> None:
    door = Scripted([b"2026-06-01T12:00:00Z ", *[b"x" * 50_000] * 20])
    lines, _ = await read(door)
    assert all(len(line) <= logs.LONGEST for line in lines)
