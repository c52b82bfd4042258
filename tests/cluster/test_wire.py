"""From bytes to items: lines however they are cut, events whatever is in them, slices that give way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from kubepane.cluster import errors, wire
from kubepane.cluster.errors import NotKubernetes
from kubepane.cluster.kinds import PODS
from kubepane.cluster.wire import Bookmark, Breath, Change, Item, Skipped, Splitter, Trouble

POD = b'{"type":"ADDED","object":{"metadata":{"name":"a","uid":"u","resourceVersion":"7"}}}'


def cut(text: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(a % (len(text) + 1) for a in at), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


# ---- lines -----------------------------------------------------------------------------------------------------------------------


@given(lines=st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b), max_size=8), at=st.lists(st.integers(0, 400), max_size=12))
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], at: list[int]) -> None:
    splitter = Splitter()
    found = [line for chunk in cut(b"".join(line + b"\n" for line in lines), at) for line in splitter.feed(chunk)]
    assert found == [line for line in lines if line not in (b"", b"\r")]
    assert splitter.pending == 0


def test_the_rest_of_a_line_is_pending() -> None:
    splitter = Splitter()
    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.pending == 2
    assert splitter.feed(b"o\n") == [b"two"]
    assert splitter.pending == 0


@pytest.mark.parametrize("size", [1 << 12, 1 << 20])
def test_a_line_beyond_sixteen_mebibytes_is_refused_before_it_is_complete(size: int) -> None:
    splitter = Splitter()
    for _ in range((16 << 20) // size):
        assert splitter.feed(b"x" * size) == []
    with pytest.raises(NotKubernetes, match="16 MiB"):
        splitter.feed(b"x" * size)


def test_a_long_line_that_ends_in_its_last_chunk_is_refused_as_well() -> None:
    splitter = Splitter()
    splitter.feed(b"x" * (16 << 20))
    with pytest.raises(NotKubernetes):
        splitter.feed(b"y\n")


def test_many_small_chunks_of_a_long_line_are_joined_once() -> None:
    """8 MiB in 64-byte chunks: joining anew with each of them would copy 512 GiB."""
    splitter = Splitter()
    for _ in range(1 << 17):
        splitter.feed(b"x" * 64)
    (line,) = splitter.feed(b"\n")
    assert len(line) == 8 << 20


# ---- events ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_changes(kind: str) -> None:
    found = wire.item(PODS, POD.replace(b"ADDED", kind.encode()))
    assert isinstance(found, Change)
    assert (found.type, found.object.metadata.name) == (kind, "a")


def test_a_bookmark_is_never_read_as_an_object() -> None:
    line = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"11243","creationTimestamp":null},"spec":{"containers":null},"status":7}}'
    assert wire.item(PODS, line) == Bookmark("11243", False)


@pytest.mark.parametrize(("value", "end"), [('"true"', True), ('"false"', False), ('""', False)])
def test_the_end_mark(value: str, end: bool) -> None:
    line = f'{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"9","annotations":{{"k8s.io/initial-events-end":{value}}}}}}}}}'
    assert wire.item(PODS, line.encode()) == Bookmark("9", end)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ('{"kind":"Status","code":410,"reason":"Expired","message":"too old"}', errors.Expired, 410),
        ('{"kind":"Status","code":410,"reason":"Gone"}', errors.Expired, 410),
        ('{"kind":"Status","code":500,"reason":"InternalError"}', errors.ServerFault, 500),
        ('{"kind":"Status","code":504,"reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}}', errors.FutureVersion, 504),
        ('{"kind":"Status","code":504,"reason":"Timeout","message":"Timeout: Too large resource version: 9, current: 7"}', errors.FutureVersion, 504),
        ('{"kind":"Status","code":429}', errors.TooManyRequests, 429),
        ('{"kind":"Status","message":"who knows"}', errors.Refused, 0),
        ("{}", errors.Refused, 0),
        ("null", errors.Refused, 0),
        ("[]", errors.Refused, 0),
        ('{"kind":"Status","code":"x","reason":7}', errors.Refused, 0),
    ],
)
def test_error_events_are_typed_errors(status: str, error: type[errors.Refused], code: int) -> None:
    found = wire.item(PODS, f'{{"type":"ERROR","object":{status}}}'.encode())
    assert isinstance(found, Trouble)
    assert (type(found.error), found.error.status) == (error, code)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ADDED","object":{"metadata":{}}}',
        b'{"type":"ADDED","object":[]}',
        b'{"type":"ADDED"}',
        b'{"type":"WEIRD","object":{}}',
        b'{"type":"BOOKMARK","object":{}}',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":5}}}',
        b'{"type":"ADDED","object":{"metadata":{"uid":"u"},"x":' + b"[" * 99_999 + b"]" * 99_999 + b"}}",
        b'{"type":"ADDED","object":{"kind":"Table","columnDefinitions":[],"rows":[]}}',
        b'{"type":"ADDED","object":{"metadata":{"uid":"\xff"}}}',
    ],
    ids=range(9),
)
def test_what_cannot_be_read_inside_an_event_is_left_out(line: bytes) -> None:
    assert isinstance(wire.item(PODS, line), Skipped)


@pytest.mark.parametrize(
    "line", [b"<html>", b"{", b"null", b"[]", b"7", b"{}", b'{"kind":"Status","code":500}', POD[:-3], POD + POD, b"\xff", b'{"type":7,"object":{}}']
)
def test_what_is_no_event_breaks_the_stream(line: bytes) -> None:
    with pytest.raises(NotKubernetes):
        wire.item(PODS, line)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_line_raises_anything_else(line: bytes) -> None:
    with suppress(NotKubernetes):
        wire.item(PODS, line)


@settings(max_examples=200)
@given(cuts=st.lists(st.integers(0, len(POD) - 1), min_size=1, max_size=3), new=st.binary(max_size=3))
def test_no_torn_event_raises_anything_else(cuts: list[int], new: bytes) -> None:
    line = POD
    for at in cuts:
        line = line[:at] + new + line[at + 2 :]
    with suppress(NotKubernetes):
        wire.item(PODS, line)


# ---- lists -----------------------------------------------------------------------------------------------------------------------


def test_a_page() -> None:
    head, raws = wire.page(b'{"metadata":{"resourceVersion":"9","continue":"t","remainingItemCount":5},"items":[{"a":1},{}]}')
    assert head == wire.Head("9", "t", 5, 2)
    assert [bytes(raw) for raw in raws] == [b'{"a":1}', b"{}"]


@pytest.mark.parametrize("body", [b'{"metadata":{},"items":null}', b'{"metadata":{"resourceVersion":null},"items":[]}'])
def test_an_empty_list(body: bytes) -> None:
    assert wire.page(body) == (wire.Head("", "", 0, 0), [])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b"",
        b'{"kind":"Status","metadata":{},"status":"Success"}',
        b'{"kind":"Table","metadata":{"resourceVersion":"9"},"rows":[]}',
        b'{"items":[]}',
        b'{"metadata":{},"items":{}}',
        b'{"metadata":{},"items":[' + b"[" * 99_999,
        b'{"metadata":{"resourceVersion":"\xff"},"items":[]}',
    ],
    ids=range(10),
)
def test_what_is_no_list_is_not_an_empty_list(body: bytes) -> None:
    with pytest.raises(NotKubernetes):
        wire.page(body)


# ---- slices ------------------------------------------------------------------------------------------------------------------------


class Ticking:
    """A clock that goes on by a step with each look at it."""

    def __init__(self, step: float) -> None:
        self.step, self.time = step, 0.0

    def __call__(self) -> float:
        self.time += self.step
        return self.time


async def of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(breath: Breath, *chunks: bytes) -> list[list[Item]]:
    return [items async for items in wire.watch_items(PODS, of(*chunks), breath)]


@pytest.mark.parametrize(("step", "most"), [(0.0, 50), (0.001, 6)])
async def test_others_run_between_slices(step: float, most: int) -> None:
    """After 50 objects or 5 ms, whichever comes first."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    batches = await read(Breath(Ticking(step)), (POD + b"\n") * 500)
    task.cancel()
    assert max(map(len, batches)) <= most
    assert sum(map(len, batches)) == 500
    assert turns >= 500 // most


async def test_slices_are_counted_across_chunks() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    await read(Breath(Ticking(0.0)), *[POD + b"\n"] * 500)
    task.cancel()
    assert turns >= 10


async def test_what_came_before_a_broken_line_is_given_out() -> None:
    batches = wire.watch_items(PODS, of(POD + b"\n<html>\n"), Breath(Ticking(0.0)))
    assert len(await anext(batches)) == 1
    with pytest.raises(NotKubernetes):
        await anext(batches)


async def test_an_end_inside_a_line_is_no_end_in_order() -> None:
    with pytest.raises(NotKubernetes, match="inside a line"):
        await read(Breath(Ticking(0.0)), POD[:30])


async def test_bytes_that_complete_no_line_are_reported_too() -> None:
    assert [len(items) for items in await read(Breath(Ticking(0.0)), POD[:30], POD[30:], b"\n")] == [0, 0, 1]


async def test_one_bad_object_of_a_list_is_left_out() -> None:
    raws = [msgspec.Raw(b'{"metadata":{"uid":"%d"}}' % i) for i in range(120)]
    raws[60] = msgspec.Raw(b'{"metadata":{}}')
    slices = [objects async for objects in wire.list_items(PODS, raws, Breath(Ticking(0.0)))]
    found = [obj for objects in slices for obj in objects]
    assert [len(objects) for objects in slices] == [50, 50, 20]
    assert [i for i, obj in enumerate(found) if isinstance(obj, Skipped)] == [60]
