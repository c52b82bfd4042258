"""A bounded store of text lines with numbers that never change, and what was searched for in them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from kubepane_widgets.lines import Line
from kubepane_widgets.spans import from_terminal, text_of

Entry = str | Line  # a program's own text, read when it is shown, or a line of spans


class Ring:
    """The newest `limit` lines. A line has a number, counted from the first that ever came.

    Args:
        limit: lines kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.first = 0  # the number of the oldest line kept
        self.needle = ""
        self.hits: list[int] = []  # numbers of lines that hold the needle, ascending; those that went are dropped lazily
        self._entries: deque[Entry] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def end(self) -> int:
        """The number that the next line will have."""
        return self.first + len(self._entries)

    def replace(self, entries: Sequence[Entry]) -> None:
        """Takes other lines in place of all; numbers begin anew."""
        self.first = max(0, len(entries) - self.limit)
        self._entries = deque(entries, maxlen=self.limit)
        self.search(self.needle)

    def extend(self, entries: Iterable[Entry]) -> int:
        """Adds lines; how many old ones went."""
        added = list(entries)
        gone = max(0, len(self._entries) + len(added) - self.limit)
        start = self.end
        self._entries.extend(added)
        self.first += gone
        if self.needle:
            self.hits += [start + i for i, entry in enumerate(added) if self._holds(entry) and start + i >= self.first]
            if gone:
                del self.hits[: bisect_left(self.hits, self.first)]
        return gone

    def search(self, needle: str) -> None:
        """Looks for a text, upper and lower case alike; "" finds nothing."""
        self.needle = needle.lower()
        self.hits = [self.first + i for i, entry in enumerate(self._entries) if self._holds(entry)] if needle else []

    def near(self, number: int, step: int) -> int | None:
        """The next line that holds the needle from this one on, itself left out; around the end to the other side."""
        if not self.hits:
            return None
        i = bisect_left(self.hits, number)
        if step > 0:
            i += i < len(self.hits) and self.hits[i] == number
            return self.hits[i % len(self.hits)]
        return self.hits[i - 1]

    def nth(self, number: int | None) -> int:
        """Which of the lines that hold the needle this one is, from 1; 0 for one that does not."""
        i = bisect_left(self.hits, number) if number is not None else len(self.hits)
        return i + 1 if i < len(self.hits) and self.hits[i] == number else 0

    def line(self, number: int) -> Line:
        """A line as spans; empty for one that is not kept."""
        at = number - self.first
        if not 0 <= at < len(self._entries):
            return []
        entry = self._entries[at]
        return from_terminal(entry) if isinstance(entry, str) else entry

    def texts(self, numbers: Iterable[int]) -> list[str]:
        """Lines without tones: for the clipboard or a file."""
        return [text_of(self.line(number)) for number in numbers]

    def slice(self, start: int, stop: int) -> list[Line]:
        """The lines of a stretch of numbers."""
        a = max(0, start - self.first)
        entries = islice(self._entries, a, max(a, stop - self.first))
        return [from_terminal(entry) if isinstance(entry, str) else entry for entry in entries]

    def _holds(self, entry: Entry) -> bool:
        if isinstance(entry, str) and "\x1b" not in entry:
            return self.needle in entry.lower()
        return self.needle in text_of(from_terminal(entry) if isinstance(entry, str) else entry).lower()
