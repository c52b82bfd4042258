"""Which stretch of an order is on screen, and which key the cursor is on. Pure: no widget, no clock.

The rule of the cursor: until the user moves it, it stands on the top row, whatever row that is, and the list stays at its
top: whoever has not touched it wants to see what is newest or worst. Once moved, it is `held`: it follows its key through
sort, insert and delete, on the same line of the screen where that is possible; when its row goes, the next one takes it.
Home lets it go again.
"""

from __future__ import annotations

from collections.abc import Callable

from kubepane_widgets.order import Order

_SEARCH = 64  # rows looked at for one that the cursor may stand on


class Viewport:
    """A window on an order.

    Args:
        selectable: whether the cursor may stand on a key; asked only for keys at or beside the window.

    Attributes:
        cursor: the key that the cursor is on; None while there is none.
        index: its place in the order, as of the last `settle`.
        top: the place of the first row on screen.
        shown: the keys on screen, as of the last `settle`.
        held: the user has moved the cursor.
    """

    def __init__(self, order: Order, selectable: Callable[[str], bool]) -> None:
        self.order = order
        self.selectable = selectable
        self.cursor: str | None = None
        self.index = 0
        self.top = 0
        self.room = 0
        self.shown: list[str] = []
        self.held = False

    def settle(self) -> None:
        """Finds the cursor's key in the order as it is now; `frame` must follow."""
        if not len(self.order):
            self.cursor, self.index, self.top, self.held = None, 0, 0, False
            return
        if not self.held:
            self.top = 0
            self._put(self._near(0, 1))
            return
        line = self.index - self.top
        if self.cursor is None or self.cursor not in self.order or not self.selectable(self.cursor):
            self.cursor = self._heir()
        i = None if self.cursor is None else self.order.index(self.cursor)
        self._put(self._near(min(self.index, len(self.order) - 1), 1) if i is None else i)
        self.top = self.index - line

    def frame(self, room: int) -> None:
        """Takes so many lines for the rows: the cursor is among them, and as few as possible stay empty."""
        self.room, count = room, len(self.order)
        self.top = max(0, min(self.top, count - room))
        if room > 0 and self.cursor is not None:
            if self.index < self.top:
                self.top = self._reach(self.index, -1, room)
            elif self.index >= self.top + room:
                self.top = self._reach(self.index, 1, room) - room + 1
        self.shown = self.order.slice(self.top, self.top + room) if room > 0 else []

    def move(self, step: int) -> None:
        """To the next row (1) or the one before (-1) that the cursor may stand on, as seen on screen."""
        self.held = True
        if self.cursor in self.shown:
            at = self.shown.index(self.cursor) + step
            while 0 <= at < len(self.shown):
                if self.shown[at] in self.order and self.selectable(self.shown[at]):
                    self._go(self.order.index(self.shown[at]))
                    return
                at += step
        i = self.order.index(self.cursor) if self.cursor is not None else None
        if i is not None and 0 <= i + step < len(self.order):
            self._go(self._near(i + step, step, turn=False))

    def page(self, step: int) -> None:
        """One screen up (-1) or down (1), the last line seen staying in sight."""
        self.held = True
        by = step * max(1, self.room - 1)
        self.top = max(0, min(self.top + by, len(self.order) - self.room))
        if len(self.order):
            self._go(self._near(max(0, min(self.index + by, len(self.order) - 1)), step))

    def home(self) -> None:
        """To the top, where the cursor stays on whatever row is first."""
        self.held, self.top = False, 0
        self.settle()

    def end(self) -> None:
        """To the last row."""
        self.held = True
        if len(self.order):
            self._go(self._near(len(self.order) - 1, -1))
            self.top = len(self.order) - self.room

    def scroll(self, lines: int) -> None:
        """Moves the window; the cursor goes along only where it would leave it."""
        if not len(self.order) or self.room < 1:
            return
        self.held = True
        self.top = max(0, min(self.top + lines, len(self.order) - self.room))
        inside = max(self.top, min(self.index, self.top + self.room - 1))
        if inside != self.index:
            self._go(self._near(inside, 1 if lines > 0 else -1))

    def select(self, key: str) -> bool:
        """To this row, wherever it is; whether it is there and may be selected."""
        i = self.order.index(key)
        if i is None or not self.selectable(key):
            return False
        self.held = True
        self._go(i)
        return True

    def _go(self, index: int | None) -> None:
        if index is not None:
            self._put(index)

    def _put(self, index: int | None) -> None:
        self.cursor = None if index is None else self.order.at(index)
        self.index = index or 0

    def _near(self, index: int, step: int, *, turn: bool = True) -> int | None:
        """The nearest place from here on, in the direction of `step`, where the cursor may stand; then the other way."""
        for way in (step, -step) if turn else (step,):
            i = index
            for _ in range(_SEARCH):
                if not 0 <= i < len(self.order):
                    break
                if self.selectable(self.order.at(i)):
                    return i
                i += way
        return None

    def _heir(self) -> str | None:
        """The row that gets the cursor when its own has gone: the next one that was on screen, else the one before."""
        try:
            at = self.shown.index(self.cursor or "")
        except ValueError:
            return None
        for key in [*self.shown[at + 1 :], *reversed(self.shown[:at])]:
            if key in self.order and self.selectable(key):
                return key
        return None

    def _reach(self, index: int, step: int, room: int) -> int:
        """The edge of the window so that lines that belong to the row there (a heading above, a line below) are seen too."""
        for _ in range(room - 1):
            beyond = index + step
            if not 0 <= beyond < len(self.order) or self.selectable(self.order.at(beyond)):
                break
            index = beyond
        return index
