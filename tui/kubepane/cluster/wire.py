"""From the bytes of a watch or a list to typed items: cutting lines, decoding in two steps, never holding the loop for long.

A watch event is decoded twice: first its type with the object left as raw bytes, then the object by what the type says it
is. A BOOKMARK carries an object of the kind with null where lists belong, an ERROR carries a Status: neither may be read as
the kind itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

import msgspec

from kubepane.cluster.answers import error_of, status_of
from kubepane.cluster.errors import NotKubernetes, Refused
from kubepane.cluster.kinds import Kind, decode
from kubepane.cluster.resources import Object

LONGEST_LINE = 16 << 20  # an object in etcd is at most 1.5 MiB
SLICE_OBJECTS = 50
SLICE_SECONDS = 0.005
INITIAL_END = "k8s.io/initial-events-end"


# ---- lines ---------------------------------------------------------------------------------------------------------------


class Splitter:
    """Cuts chunks into lines. What waits for its end of line is kept as pieces and joined once."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their ends; empty lines are left out.

        Raises:
            NotKubernetes: a line is longer than `LONGEST_LINE`.
        """
        lines = chunk.split(b"\n")
        tail = lines.pop()
        if lines and self._pieces:
            self._pieces.append(lines[0])
            lines[0] = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        if tail:
            self._pieces.append(tail)
            self._size += len(tail)
        if self._size > LONGEST_LINE or (lines and len(lines[0]) > LONGEST_LINE):
            raise NotKubernetes(f"a line of more than {LONGEST_LINE >> 20} MiB")
        return [line for line in lines if line and line != b"\r"]

    @property
    def pending(self) -> int:
        """Bytes of a line whose end has not come: at the end of a stream, a broken line."""
        return self._size


# ---- events --------------------------------------------------------------------------------------------------------------


class Change(msgspec.Struct, frozen=True, gc=False):
    """An object that was added, modified or deleted; `object` is its newest, or last, state."""

    type: str
    object: Object


class Bookmark(msgspec.Struct, frozen=True, gc=False):
    """The stream has delivered everything up to this version; `initial_end`: and with it the whole initial list (rule R8)."""

    version: str
    initial_end: bool


class Trouble(msgspec.Struct, frozen=True):
    """An ERROR event: the stream is over."""

    error: Refused


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """Something that could not be read and is left out."""

    why: str


Item = Change | Bookmark | Trouble | Skipped


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"")


class _BookmarkMetadata(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _BookmarkObject(msgspec.Struct, gc=False):
    metadata: _BookmarkMetadata


_event = msgspec.json.Decoder(_Event).decode
_bookmark = msgspec.json.Decoder(_BookmarkObject).decode
_CHANGES = frozenset(("ADDED", "MODIFIED", "DELETED"))


def item(kind: Kind, line: bytes) -> Item:
    """One line of a watch.

    Raises:
        NotKubernetes: the line is no watch event at all: a proxy's page, a torn line.
    """
    try:
        event = _event(line)
    except RecursionError:
        return Skipped("an object nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotKubernetes("a line that is not a watch event") from None
    if event.type in _CHANGES:
        return _change(kind, event)
    if event.type == "BOOKMARK":
        try:
            metadata = _bookmark(event.object).metadata
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Skipped("a bookmark without a version")
        return Bookmark(metadata.resource_version, (metadata.annotations or {}).get(INITIAL_END) == "true")
    if event.type == "ERROR":
        return Trouble(status_error(event.object))
    if not event.type:
        raise NotKubernetes("a line that is not a watch event")
    return Skipped(f"an event of unknown type {event.type[:40]}")


def _change(kind: Kind, event: _Event) -> Change | Skipped:
    try:
        return Change(event.type, decode(kind, event.object))
    except msgspec.DecodeError as fault:
        return Skipped(f"{kind.plural}: {str(fault)[:120]}")


def status_error(raw: bytes | msgspec.Raw) -> Refused:
    """The error that the Status of an ERROR event tells of; one that cannot be read has neither code nor reason."""
    status = status_of(bytes(raw))
    return Refused(0, "", "an error that could not be read") if status is None else error_of(status, status.code or 0)


# ---- lists ---------------------------------------------------------------------------------------------------------------


class Head(msgspec.Struct, frozen=True, gc=False):
    """What the metadata of a list page says.

    Attributes:
        version: the resourceVersion of the whole list: where a watch starts (rule R4).
        token: `continue`, "" on the last page.
        remaining: objects on later pages, 0 when the server does not say.
        count: objects on this page.
    """

    version: str
    token: str
    remaining: int
    count: int


class _ListMetadata(msgspec.Struct, gc=False):
    resource_version: str | None = msgspec.field(name="resourceVersion", default=None)
    token: str | None = msgspec.field(name="continue", default=None)
    remaining: int | None = msgspec.field(name="remainingItemCount", default=None)


class _List(msgspec.Struct, gc=False):
    items: list[msgspec.Raw] | None  # required: a body without items is not an empty list
    metadata: _ListMetadata


_list = msgspec.json.Decoder(_List).decode


def page(body: bytes) -> tuple[Head, list[msgspec.Raw]]:
    """A page of a list, its objects still raw.

    Raises:
        NotKubernetes: the body is not a list.
    """
    try:
        found = _list(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotKubernetes("an answer that is not a list of objects") from None
    items, m = found.items or [], found.metadata
    return Head(m.resource_version or "", m.token or "", max(0, m.remaining or 0), len(items)), items


# ---- slices --------------------------------------------------------------------------------------------------------------


class Breath:
    """Tells a loop over objects when to give way to others: after `SLICE_OBJECTS` or `SLICE_SECONDS`.

    Attributes:
        arrived: when the bytes that are being worked on came.
    """

    __slots__ = ("_began", "_clock", "_count", "arrived")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._began = self.arrived = clock()

    def came(self) -> None:
        """Bytes have come."""
        self.arrived = self._clock()

    def spent(self) -> bool:
        """Counts one object; whether the slice is full."""
        self._count += 1
        return self._count >= SLICE_OBJECTS or self._clock() - self._began > SLICE_SECONDS

    async def take(self) -> None:
        """Lets everybody else run, and begins a new slice."""
        await asyncio.sleep(0)
        self._count = 0
        self._began = self._clock()


async def watch_items(kind: Kind, chunks: AsyncIterator[bytes], breath: Breath) -> AsyncGenerator[list[Item], None]:
    """The items of a watch, at most a slice at a time; an empty list for bytes that complete no line.

    Raises:
        NotKubernetes: a line that is no event, or none at the end. What came before it has been given out.
    """
    splitter = Splitter()
    async for chunk in chunks:
        breath.came()
        items: list[Item] = []
        try:
            for line in splitter.feed(chunk):
                items.append(item(kind, line))
                if breath.spent():
                    yield items
                    items = []
                    await breath.take()
        except NotKubernetes:
            yield items
            raise
        yield items
    if splitter.pending:
        raise NotKubernetes("the stream ended inside a line")


async def list_items(kind: Kind, raws: Iterable[msgspec.Raw], breath: Breath) -> AsyncGenerator[list[Object | Skipped], None]:
    """The objects of a list page, a slice at a time."""
    items: list[Object | Skipped] = []
    for raw in raws:
        try:
            items.append(decode(kind, raw))
        except msgspec.DecodeError as fault:
            items.append(Skipped(f"{kind.plural}: {str(fault)[:120]}"))
        if breath.spent():
            yield items
            items = []
            await breath.take()
    yield items
