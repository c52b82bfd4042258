"""WATCH: what one watcher is sent, from the past of the ring to the present; a queue that cuts readers that are too slow.

The rules that a 1.35 server follows: synthetic ADDED for no or zero resourceVersion, 410 below the ring's floor as an ERROR line,
silence for a revision of the future, bookmarks about every minute and shortly before the end, none for events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

from kubepane_embedded import errors
from kubepane_embedded.listing import ListOptions
from kubepane_embedded.storage import Change, Storage, Stored
from kubepane_embedded.views import View, bookmark_line, change_line, error_line, event_line

QUEUE_BYTES = 32 * 1024 * 1024
"""What may wait for a slow reader before its watch ends; the resume from its last revision loses nothing."""
WRITE_BYTES = 256 * 1024
BOOKMARK_EVERY = 60.0
BOOKMARK_BEFORE_END = 2.0


class Watcher:
    """One open watch; `take` gives what is to be written, `closed` says that nothing comes after it.

    Args:
        now: The cluster's time, for ages in Tables.
    """

    def __init__(self, storage: Storage, view: View, namespace: str, options: ListOptions, now: Callable[[], datetime]) -> None:
        self._storage = storage
        self._view = view
        self._namespace = namespace
        self._options = options
        self._now = now
        self._queue: list[bytes] = []
        self._size = 0
        self._first = True
        self._after = 0
        self._unwatch: Callable[[], None] | None = None
        self._past: Iterator[bytes] = iter(())
        self.closed = False
        self.more = True
        self.wake = asyncio.Event()

    def start(self) -> None:
        """Line up the past and follow the present. Raises nothing: faults become ERROR lines."""
        storage, resource, options = self._storage, self._view.resource, self._options
        asked = options.revision
        if options.initial or not asked:
            rows = [row for row in storage.rows(resource.storage, self._namespace) if options.selects(row)]
            end = bookmark_line(self._view, storage.revision, True) if options.initial and options.bookmarks else b""
            self._past = self._synthetic(rows, end)
            self._first = not rows
            self.wake.set()
        elif asked > storage.revision:
            self._after = asked
        else:
            missed = storage.since(resource.storage, asked)
            if missed is None:
                self.fail(self._too_old(asked))
                return
            for change in missed:
                self._on_change(change)
            self._size = 0  # what was missed does not count as being slow
        self._unwatch = storage.watch(resource.storage, self._on_change)

    def _too_old(self, asked: int) -> errors.ApiError:
        if not self._view.resource.cached:
            return errors.expired(errors.EXPIRED_WATCH)
        return errors.expired(f"too old resource version: {asked} ({self._storage.floor(self._view.resource.storage)})")

    def _synthetic(self, rows: list[Stored], end: bytes) -> Iterator[bytes]:
        """ADDED for everything there is, made as it is taken."""
        for index, stored in enumerate(rows):
            yield event_line(self._view, "ADDED", stored, self._now(), index == 0)
        if end:
            yield end

    def _take_first(self) -> bool:
        first, self._first = self._first, False
        return first

    def _on_change(self, change: Change) -> None:
        if self.closed or change.revision <= self._after:
            return
        if self._namespace and change.now.obj["metadata"].get("namespace") != self._namespace:
            return
        kind, stored = self._seen(change)
        if kind:
            self._push(change_line(self._view, change, kind, stored, self._now(), self._take_first()))

    def _seen(self, change: Change) -> tuple[str, Stored]:
        """The event as this watcher's selectors see it: entering is ADDED, leaving DELETED (with the old state, new revision)."""
        options = self._options
        if not options.selective:
            return change.type, change.now
        before = change.previous is not None and options.selects(change.previous)
        if change.type == "DELETED":
            return ("DELETED", change.now) if before else ("", change.now)
        after = options.selects(change.now)
        if after:
            return ("MODIFIED" if before else "ADDED"), change.now
        if before and change.previous is not None:
            old = change.previous
            meta = {**old.obj["metadata"], "resourceVersion": str(change.revision)}
            return "DELETED", Stored({**old.obj, "metadata": meta}, change.revision, old.managed)
        return "", change.now

    def bookmark(self) -> None:
        """Queue a bookmark; events and revisions of the future get none."""
        if self._options.bookmarks and self._view.resource.cached and self._after <= self._storage.revision and not self.closed:
            self._push(bookmark_line(self._view, self._storage.revision, False))

    def fail(self, error: errors.ApiError) -> None:
        """Queue an ERROR line and end."""
        self._push(error_line(error))
        self.close()

    def _push(self, line: bytes) -> None:
        if self.closed:
            return
        self._queue.append(line)
        self._size += len(line)
        self.wake.set()
        if self._size > QUEUE_BYTES and self._unwatch is not None:
            self.close()

    def take(self) -> bytes:
        """What is to be written next, as one write; `more` tells whether the past goes on."""
        taken: list[bytes] = []
        size = 0
        for line in self._past:
            taken.append(line)
            size += len(line)
            if size >= WRITE_BYTES:
                return b"".join(taken)
        self.more = False
        self.wake.clear()
        taken += self._queue
        self._queue, self._size = [], 0
        return b"".join(taken)

    @property
    def done(self) -> bool:
        """Whether everything was taken and nothing comes any more."""
        return self.closed and not self.more and not self._queue

    def close(self) -> None:
        """End the watch: what is queued still goes out, then a clean EOF."""
        self.closed = True
        self.wake.set()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
