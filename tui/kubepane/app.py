"""The App: theme, first screen, context switch, and a clean end."""

from __future__ import annotations

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")  # read when Textual is imported; a page down costs 9 KB instead of 273

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.filter import LineFilter

from kubepane import config, crash
from kubepane.cluster.clock import Clock
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.screens.operating import OperatingScreen
from kubepane.screens.rate import Rate
from kubepane.terminal import Terminal
from kubepane_widgets.diff import DiffApp
from kubepane_widgets.nocolor import NoColor
from kubepane_widgets.palette import THEMES, tones

First = Callable[[Session], OperatingScreen]
"""Makes the screen that the program begins with."""
LENT = 1.0  # seconds that a session has to give the terminal back when the program is ended
SETTLED_AFTER = 3.0  # seconds: the first lists are in


class KubepaneApp(DiffApp[int]):
    """One session on screen. Everything else is a screen's business."""

    CSS_PATH = "app.tcss"
    TITLE = "kubepane"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, session: Session, keys: dict[str, str] | None = None, first: First = OperatingScreen) -> None:
        super().__init__()
        self.session = session
        self._first = first
        self.loop: asyncio.AbstractEventLoop | None = None
        self.lent: asyncio.Task[None] | None = None  # who has the terminal now
        self.ascii = session.options.ascii or not _speaks_unicode()
        self._no_color = session.options.no_color or bool(os.environ.get("NO_COLOR"))
        self._rate = Rate()
        for theme in THEMES:
            self.register_theme(theme)
        wanted = session.options.theme or THEMES[0].name
        if wanted not in self.available_themes:
            raise BadConfig(f"no theme {wanted!r}; there are {', '.join(sorted(self.available_themes))}")
        self.theme = wanted
        if keys:
            self.set_keymap(keys)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return [*filters, NoColor()] if self._no_color else filters

    @property
    def bytes_per_second(self) -> float:
        """To the terminal, the mean of the last minute."""
        return self._rate.mean(self.bytes_written, time.monotonic())

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return variables | tones(variables)

    def on_mount(self) -> None:
        self.push_screen(self._first(self.session))
        self.loop = asyncio.get_running_loop()
        self.call_after_refresh(self.session.start)  # the client library is imported after the first paint
        self.set_timer(SETTLED_AFTER, _collect)

    async def on_unmount(self) -> None:
        await self.session.close()

    async def leave(self, code: int) -> None:
        """Ends the program, after the terminal was taken back from whoever has it."""
        if self.lent is not None:
            self.lent.cancel()
            await asyncio.wait({self.lent}, timeout=LENT)
        self.exit(code, return_code=code)

    async def switch_context(self, name: str) -> None:
        """Leaves this cluster for another: a new session with new stores; nothing of the old one is carried over."""
        old = self.session
        self.session = Session(old.options.with_context(name))
        await self.switch_screen(OperatingScreen(self.session))
        self.session.start()
        await old.close()

    def _fatal_error(self) -> None:
        """A bug of our own: Textual's report would print the values of variables, tokens among them."""
        self._return_code = crash.EXIT
        error = self._exception
        text = crash.report(error) if error is not None else "ended by a bug of its own"
        self._exit_renderables.append(Text(text))
        self._close_messages_no_wait()


def _collect() -> None:
    """What start-up left is swept once, and what stays is not looked through again: a collection of 10,000 pods' rows is a stall."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _speaks_unicode() -> bool:
    """Whether the terminal's encoding can carry the signs of the panes. Textual writes to standard error."""
    encoding = getattr(sys.__stderr__, "encoding", "") or ""
    return encoding.lower().replace("-", "") in ("utf8", "utf16")


def run(options: Options, clock: Clock | None = None, first: First = OperatingScreen) -> int:
    """Shows the dashboard until the user leaves it.

    Args:
        options: of the command line.
        clock: the machine's, unless the cluster lives at another pace.
        first: makes the screen to begin with.

    Returns:
        The exit code.
    """
    settings = config.load(options)
    return show(Session(config.apply(settings, options), clock=clock), settings, first)


def show(session: Session, settings: config.Config, first: First = OperatingScreen) -> int:
    """Shows a session until the user leaves it.

    Returns:
        The exit code.
    """
    app = KubepaneApp(session, settings.keys, first)

    def leave(code: int) -> None:
        app.call_later(app.leave, code)
        if app.loop is not None:
            app.loop.call_soon_threadsafe(lambda: None)  # it may be asleep: a signal alone does not wake it

    with Terminal(leave):
        app.run(mouse=not session.options.low_bandwidth)
    return app.return_code or 0
