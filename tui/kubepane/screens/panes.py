"""Panes in layouts, and the way of data between them and the session. What keys do stands in `dashboard`."""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Iterator, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Grid
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from kubepane.actions import DASHBOARD, Action
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import Kind
from kubepane.cluster.redaction import redact
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane.screens import chrome, keys
from kubepane.screens.feed import Feed
from kubepane.screens.layouts import FOLLOWERS, LAYOUTS, PANES, SHORT
from kubepane.views.guarded import GuardedTable
from kubepane.views.table import Table
from kubepane.views.view import World
from kubepane_widgets.diff import PromptScreen
from kubepane_widgets.lines import Line
from kubepane_widgets.pacer import Pacer
from kubepane_widgets.painted import Bar, Paragraph
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt

_BREATH = 0.002  # seconds for others between two slices
_NAMES = frozenset(action.name for action in DASHBOARD)
_PERIOD = 0.095  # seconds between two drawings of data: a change that just missed one is on screen within 0.1 s


class TitledTable(GuardedTable):
    """A table whose title becomes the tab strip where the screen shows one pane at a time."""

    strip: tuple[str, ...] = ()  # the panes to name, empty where the title stands for itself
    narrow = False

    def title(self, width: int) -> list[Line]:
        own = super().title(width)
        if not self.narrow or not self.strip:
            return own
        others = [PANES[name] for name in self.strip if PANES[name] is not type(self.view)]
        tabs: list[Line] = [[(f" {view.number}", "accent"), (f" {SHORT.get(view.name, view.title)}", "muted")] for view in others]
        return [own[0], *tabs]


class PanesScreen(PromptScreen[None]):
    """All panes of one session, live at once.

    Data flows one way: the stores wake the pacer, the pacer calls `flush`, the tables of the visible layout take in what
    changed and repaint what differs. Nothing else redraws, but the tick of ages.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (150, "-wide"), (190, "-huge")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (22, "-tall")]
    AUTO_FOCUS = None

    def __init__(self, session: Session, layout: str = "overview") -> None:
        super().__init__()
        self.session = session
        self.layout_name = layout
        self.world = World(session.stores, session.metrics)
        self.pacer = Pacer(self._flush, period=_PERIOD, asks=session.options.low_bandwidth)
        self.tables: dict[str, TitledTable] = {}
        self._places = dict(LAYOUTS)
        self.current = LAYOUTS[layout][0]
        self._feed = Feed(self._visible, session.clock.now)
        self._ticker: Timer | None = None

    # ---- places --------------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Bar(self._header, id="header")
        with ContentSwitcher(initial=self.layout_name, id="layouts"):
            for name in LAYOUTS:
                yield Grid(id=name)
        yield Prompt()
        yield Paragraph(self.told, id="told")
        yield Bar(self._footer, id="footer")

    async def on_mount(self) -> None:
        self.session.changed = self.session.metrics.wake = self.pacer.changed
        self.app.pacer = self.pacer  # type: ignore[attr-defined]
        await self._show(self.layout_name)

    def on_unmount(self) -> None:
        self.pacer.stop()
        for table in self.tables.values():
            table.close()

    def table(self, name: str) -> TitledTable:
        """The table of a pane, made when it is first wanted."""
        if name not in self.tables:
            view = (PANES | FOLLOWERS)[name](self.world)
            table = TitledTable(view, self.pacer.changed, self.session.clock.now, self._pane_failed)
            table.namespaces = frozenset(self.session.namespaces)
            self.tables[name] = table
        return self.tables[name]

    def _pane_failed(self, name: str, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.session.journal.write(name, redact(f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"))

    async def only(self, panes: Sequence[str]) -> None:
        """Shows these panes and no others: below each other unless they are all of the overview."""
        if set(panes) == set(PANES):
            return
        self._places = self._places | {"only": tuple(panes)}
        grid = Grid(id="only")
        await self.query_one("#layouts", ContentSwitcher).mount(grid)
        await self._show("only", panes[0])

    def settle(self) -> None:
        """Takes in and shows all that is known now."""
        while self._feed.flush():
            pass
        self._bars()

    async def _show(self, layout: str, pane: str = "") -> None:
        """Shows a layout; its panes are made when it is first shown."""
        grid = self.query_one(f"#{layout}", Grid)
        if not grid.children:
            await grid.mount(*(Pane(self.table(name), classes=name, id=f"{layout}-{name}") for name in self._places[layout]))
        self.layout_name = layout
        self.current = pane if pane in self._places[layout] else self._places[layout][0]
        self.query_one("#layouts", ContentSwitcher).current = layout
        self.session.want(self._kinds())
        self.follow()
        self._focus(self.current)
        self.pacer.changed()

    def _focus(self, name: str) -> None:
        self.current = name
        for pane in self.query_one(f"#{self.layout_name}").query(Pane):
            pane.set_class(pane.has_class(name), "-current")
            if pane.has_class(name):
                pane.focus()
        self._name_tabs()
        self._bars()
        self.call_after_refresh(self.pacer.changed)  # a pane that was hidden has not taken in what changed

    def _name_tabs(self) -> None:
        narrow = self.size.width < 110
        names = tuple(sorted(PANES, key=lambda n: PANES[n].number)) if self.layout_name == "overview" else ()
        for name, table in self.tables.items():
            table.strip, table.narrow = (names, narrow and name == self.current) if name in names else ((), False)

    def _kinds(self) -> list[Kind]:
        """The kinds that the panes of this layout read."""
        kinds = dict.fromkeys(kind for name in self._places[self.layout_name] for kind in self.table(name).view.kinds)
        return [*kinds, k.NAMESPACES] if k.NAMESPACES not in kinds else list(kinds)  # to choose from, and to tell a mistyped one

    def pane(self) -> Pane:
        """The pane that has the focus, or would have it."""
        return self.query_one(f"#{self.layout_name}-{self.current}", Pane)

    def _visible(self) -> Iterator[tuple[Pane, Table]]:
        for name in self._places[self.layout_name]:
            pane = self.query_one(f"#{self.layout_name}-{name}", Pane)
            if pane.display and pane.size:
                yield pane, self.table(name)

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, Pane):
            name = next((n for n in self._places[self.layout_name] if event.widget.has_class(n)), self.current)
            if name != self.current:
                self._focus(name)

    def on_resize(self) -> None:
        self._name_tabs()
        self.pacer.changed()

    # ---- data ----------------------------------------------------------------------------------------------------------------

    @property
    def _stands(self) -> bool:
        """Whether the panes are there: neither yet to be made nor being taken down, as at the end and when the context is switched."""
        return self.is_mounted and self.display

    def _flush(self) -> None:
        if not self._stands:
            return
        for table in self.tables.values():
            table.user = self.session.who
        if self._feed.flush():
            self._catch_up()
        self._bars()
        self._sleep()

    def _catch_up(self) -> None:
        """Takes in the rest slice by slice, keys in between; what was taken in is painted at the pacer's rate."""
        if self._stands and self._feed.take_in():
            asyncio.get_running_loop().call_later(_BREATH, self._catch_up)
        self.pacer.changed()

    def _sleep(self) -> None:
        """Sleeps until the next age changes; no timer runs while nothing can."""
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        wait = min(self._feed.next_tick(), 60 - self.session.clock.now().timestamp() % 60)
        if not math.isinf(wait):
            self._ticker = self.set_timer(wait, self._tick)

    def _tick(self) -> None:
        if not self._stands:
            return
        self._feed.tick()
        self._bars()
        self._sleep()

    def _bars(self) -> None:
        self.query_one(Paragraph).flush()
        for bar in self.query(Bar):
            bar.flush()

    def _header(self, cells: int) -> tuple[Line, Line]:
        return chrome.header(self.session, list(LAYOUTS), self.layout_name, self.session.namespaces, self.session.clock.now(), cells)

    def _footer(self, cells: int) -> tuple[Line, Line]:
        right = chrome.costs(self.session, self.app.bytes_per_second, self.session.clock.now(), cells)  # type: ignore[attr-defined]
        room = cells - 4 - sum(len(text) for text, _ in right)
        return keys.footer(self._actions(), room, self._dim), right

    def told(self, cells: int) -> list[Line]:
        """What stands above the footer for a while; nothing, for a screen that has nothing to tell."""
        return []

    def _actions(self) -> list[Action]:
        """Those that work on the current pane."""
        return list(keys.of_pane(DASHBOARD, self.current))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual's hook: an action of other panes leaves its key to whoever else has it."""
        return action not in _NAMES or any(a.name == action for a in keys.of_pane(DASHBOARD, self.current))

    def _dim(self, action: Action) -> bool:
        """Whether an action cannot be done now: nothing is selected, or the right for it is missing."""
        chosen = self.selected()
        if action.name in ("open", "why", "logs", "previous_logs") and chosen is None:
            return True
        if action.needs is None or chosen is None:
            return False
        return self.session.may(*action.needs, chosen[1].metadata.namespace, action.subresource) is False

    # ---- what is selected ------------------------------------------------------------------------------------------------------

    def selected(self) -> tuple[Kind, Object] | None:
        """The object under the cursor of the current pane, as it was when it was last stored."""
        key = self.pane().cursor
        return self.table(self.current).view.object(key) if key else None

    def follow(self) -> None:
        """Points the following panes at what is chosen; for the screen that knows what that is."""
