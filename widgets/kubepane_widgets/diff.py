"""Apps that send the terminal only the cells that differ from what it shows, and answer a key at once.

Textual repaints lines; here a grid of what the terminal shows stands between it and the terminal. That leans on private
names of Textual 8 (`App._display`, the compositor's two updates, `Screen._on_timer_update`): where one is missing or
breaks, frames go out as Textual makes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console, ConsoleOptions, RenderableType, RenderResult
from textual import _compositor, events
from textual.app import ReturnType
from textual.await_complete import AwaitComplete
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen, ScreenResultType

from kubepane_widgets.grid import Grid, Piece
from kubepane_widgets.guard import Guard
from kubepane_widgets.pacer import Pacer
from kubepane_widgets.turns import TurnsApp

_FRAME = 1 / 60  # seconds between paints that no key asked for
_SYNC = 16  # bytes around a frame that tell the terminal to show it at once


class DiffApp(TurnsApp[ReturnType]):
    """An App whose frames are differences.

    Attributes:
        ascii: paint ASCII only.
        plain: send frames as Textual makes them; also set when the difference cannot be made.
        pacer: told of keys and frames; None when nobody paces.
        bytes_written: bytes of all frames so far.
        frames_written: frames that differed from what was shown.
    """

    ascii: bool = False
    plain: bool = False
    pacer: Pacer | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bytes_written = 0
        self.frames_written = 0
        self._guard = Guard()
        self._grid: Grid | None = None
        self._answering = False  # a key came and nothing was painted since
        self._painted_at = float("-inf")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and ours behind them."""
        return [*super().get_line_filters(), self._guard]

    def get_default_screen(self) -> Screen[Any]:
        """A screen that paints promptly."""
        return PromptScreen(id="_default")

    def on_mount(self) -> None:
        """What another program wrote while we were suspended is not in our grid."""
        self.app_resume_signal.subscribe(self, lambda _: self.redraw(), immediate=True)

    def redraw(self) -> None:
        """Forgets what the terminal shows and sends everything again."""
        self._grid = None
        self.refresh(layout=True)
        self.screen.refresh(layout=True)

    def action_redraw(self) -> None:
        """For a key."""
        self.redraw()

    # ---- keys first --------------------------------------------------------------------------------------------------------

    @property
    def paint_due(self) -> bool:
        """Whether a screen that has something to paint is to do it now: the last key waits for it, or the last paint is a frame ago."""
        return (self._answering and not self.typed_ahead) or time.monotonic() - self._painted_at >= _FRAME

    async def on_event(self, event: events.Event) -> None:
        """Notes keys and clicks on their way in."""
        if isinstance(event, events.Key | events.MouseDown | events.MouseScrollDown | events.MouseScrollUp) and not event.is_forwarded:
            self._answering = True
            if self.pacer is not None:
                self.pacer.key_pressed()
        await super().on_event(event)

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal's answer to `ESC[6n`."""
        event.stop()
        if self.pacer is not None:
            self.pacer.answered()

    # ---- frames ------------------------------------------------------------------------------------------------------------

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        self._answering, self._painted_at = False, time.monotonic()
        driver = self._driver
        if renderable is None or self._batch_count or driver is None or driver.is_headless or not self._running or self._closed:
            super()._display(screen, renderable)
            return
        data = None if driver.is_inline else self._data(renderable)
        if data is None:
            super()._display(screen, renderable)
        elif data:
            self.frames_written += 1
            self.bytes_written += len(data.encode()) + len("\x1b[1;1H") + (_SYNC if self._sync_available else 0)
            super()._display(screen, _Frame(data))
        else:
            self.post_display_hook()
        if self.pacer is not None and self.pacer.painted():
            driver.write("\x1b[6n")
            driver.flush()

    def _data(self, renderable: RenderableType) -> str | None:
        """The bytes of a frame: the difference, or all of it; None where that is for Textual to find out."""
        try:
            pieces = None if self.plain else _pieces(renderable)
            if pieces is not None:
                return self._shown().update(pieces)
            self._grid = None
            kinds = _updates()
            return renderable.render_segments(self.console) if kinds is not None and isinstance(renderable, kinds[2]) else None
        except (AttributeError, TypeError, ValueError, LookupError):
            self.plain, self._grid = True, None
            return None

    def _shown(self) -> Grid:
        """What the terminal shows, as far as we know: nothing after a change of size."""
        width, height = self.size
        if self._grid is None or (self._grid.width, self._grid.height) != (width, height):
            self._grid = Grid(width, height, COLOR_SYSTEMS.get(self.console.color_system or "", ColorSystem.TRUECOLOR))
        return self._grid


def _updates() -> tuple[type[Any], type[Any], type[Any]] | None:
    """The compositor's updates: of all, of a part, and what both are; None where Textual's names are others."""
    names = ("LayoutUpdate", "ChopsUpdate", "CompositorUpdate")
    found = tuple(getattr(_compositor, name, None) for name in names)
    return found if all(found) else None  # type: ignore[return-value]


def _pieces(update: RenderableType) -> Iterator[Piece] | None:
    """(line, first cell, strip) for all that an update writes; None for an update of another kind."""
    kinds = _updates()
    if kinds is not None and isinstance(update, kinds[0]):
        return _all_of(update)
    if kinds is not None and isinstance(update, kinds[1]):
        return _part_of(update)
    return None


def _all_of(update: Any) -> Iterator[Piece]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield y, x, strip
            x += strip.cell_length


def _part_of(update: Any) -> Iterator[Piece]:
    for y, first, end in update.spans:
        for stop, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < end and stop > first:
                yield y, x, strip


class _Frame((_updates() or (object,))[-1]):  # type: ignore[misc]
    """Bytes ready to be written, in the shape that `App._display` takes."""

    def __init__(self, data: str) -> None:
        self.data = data

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return iter(())

    def render_segments(self, console: Console) -> str:
        return self.data


class _Prompt:
    """A screen that paints as soon as something is dirty, not at its timer's next beat, unless it just has."""

    async def _on_idle(self, event: events.Idle) -> None:
        app = self.app  # type: ignore[attr-defined]
        if getattr(app, "paint_due", False) and _is_dirty(self):
            event.prevent_default()
            self._on_timer_update()  # type: ignore[attr-defined]


def _is_dirty(screen: Any) -> bool:
    """Whether a screen has something to paint and may; False where Textual's names are others."""
    try:
        return bool(
            not screen.app._batch_count
            and screen.is_current
            and (screen._layout_required or screen._scroll_required or screen._repaint_required or screen._dirty_widgets)
            and not screen._recompose_required
            and screen._on_timer_update
        )
    except AttributeError:
        return False


class PromptScreen(_Prompt, Screen[ScreenResultType]):
    """A screen whose answers to keys do not wait for a timer, and that ends once."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Ends it if it is the one on top; a late key or click must end neither another screen nor this one again."""
        return super().dismiss(result) if self.app.screen_stack[-1:] == [self] else AwaitComplete()


class PromptModal(PromptScreen[ScreenResultType], ModalScreen[ScreenResultType]):
    """The same, modal."""
