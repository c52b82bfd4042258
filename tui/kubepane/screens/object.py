"""One object: summary with its explanation, events, YAML, logs, and what it is related to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import ContentSwitcher

from kubepane.actions import OBJECT, Action
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object, Pod
from kubepane.cluster.session import Session
from kubepane.insight import relations
from kubepane.insight.ages import age
from kubepane.insight.explain import explain
from kubepane.screens import chrome, keys
from kubepane.screens.feed import Feed
from kubepane.screens.help import help_card
from kubepane.screens.logs import LogReader
from kubepane.screens.visits import Visits
from kubepane.views import manifest, summary
from kubepane.views.command import kubectl
from kubepane.views.events import EventsView
from kubepane.views.table import Table
from kubepane.views.view import View, World
from kubepane_widgets.diff import PromptScreen
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line
from kubepane_widgets.pacer import Pacer
from kubepane_widgets.painted import Bar
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt
from kubepane_widgets.textview import TextView

TABS = ("summary", "events", "yaml", "logs", "related")


class ObjectScreen(PromptScreen[None]):
    """Shows one object as it is now; it goes on being shown, and said to be gone, after it was deleted.

    Args:
        view: the pane's view that the object was opened from, for its facts; None for an object of no pane.
        key: its row there.
        tab: what to show first.
        previous: logs of the container before.
    """

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(OBJECT)

    def __init__(
        self, session: Session, kind: Kind, obj: Object, *, view: View | None = None, key: str = "", tab: str = "summary", previous: bool = False
    ) -> None:
        super().__init__()
        self.session, self.kind, self.obj = session, kind, obj
        self.tab = tab
        self.gone = False
        self._view, self._key = view, key
        self._pacer = Pacer(self._flush, asks=session.options.low_bandwidth)
        self._object_changes = session.stores.of(kind).subscribe(self._pacer.changed)
        self._events = self._events_table()
        self._logs = LogReader(session, kind, obj, previous=previous)
        self._visits = Visits(self, session)
        self._feed = Feed(self._event_pane, session.clock.now)
        self._fetching: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._fetched = ""

    def _events_table(self) -> Table:
        view = EventsView(World(self.session.stores, self.session.metrics))
        view.follow(relations.family(self.session.stores, self.obj.metadata.uid))
        return Table(view, self._pacer.changed, self.session.clock.now)

    # ---- places --------------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Bar(self._header, id="header")
        with ContentSwitcher(initial="text", id="tabs"):
            yield TextView(self._title, fresh=self._fresh, id="text")
            yield TextView(self._title, fresh=self._fresh, note=self._logs.note, follow=True, id="log")
            yield Pane(self._events, id="events")
        yield Prompt()
        yield Bar(self._footer, id="footer")

    def on_mount(self) -> None:
        self.app.pacer = self._pacer  # type: ignore[attr-defined]
        self.call_after_refresh(self.show_tab, self.tab)

    def on_unmount(self) -> None:
        self._pacer.stop()
        self._events.close()
        self.session.stores.of(self.kind).unsubscribe(self._object_changes)
        for task in (self._fetching, self._reading):
            if task is not None:
                task.cancel()

    def show_tab(self, tab: str) -> None:
        """Shows one of `TABS`."""
        self.tab = tab
        place = {"events": "events", "logs": "log"}.get(tab, "text")
        self.query_one("#tabs", ContentSwitcher).current = place
        shown = self.query_one(f"#{place}")
        shown.focus()
        if tab == "yaml":
            self._fetching = self._begin(self._fetch, self._fetching)
        elif tab == "logs" and self._reading is None:
            self._reading = self._begin(self._read_logs, None)
        self._flush()

    @staticmethod
    def _begin(what: Callable[[], Coroutine[Any, Any, None]], before: asyncio.Task[None] | None) -> asyncio.Task[None]:
        if before is not None:
            before.cancel()
        return asyncio.get_running_loop().create_task(what())

    # ---- data ----------------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if not self.is_mounted:
            return
        if self._object_changes.drain():
            now = self.session.stores.of(self.kind).get(self.obj.metadata.uid)
            self.gone, self.obj = now is None, now or self.obj
        self._feed.flush()
        if self.tab in ("summary", "related"):
            self.query_one("#text", TextView).put(self._text())
        for view in self.query(TextView):
            view.flush()
        for bar in self.query(Bar):
            bar.flush()

    def _text(self) -> list[Line]:
        stores, now = self.session.stores, self.session.clock.now()
        if self.tab == "related":
            return summary.tree(relations.tree(stores, self.kind, self.obj))
        facts = self._view.record(self._key, now) if self._view and self._key and self._view.exists(self._key) else {}
        findings = explain(self.obj, stores, now) or summary.from_facts(facts)
        return summary.lines(self.kind, self.obj, facts, findings, now, max(40, self.size.width - 6))

    def _event_pane(self) -> list[tuple[Pane, Table]]:
        return [(self.query_one("#events", Pane), self._events)] if self.tab == "events" else []

    async def _fetch(self) -> None:
        view = self.query_one("#text", TextView)
        meta = self.obj.metadata
        view.put([[("fetching", "muted")]])
        try:
            if self.session.api is None:
                raise ClusterError("not connected")
            raw = await self.session.api.get(f"{self.kind.path(meta.namespace)}/{meta.name}")
            text = manifest.to_yaml(manifest.readable(raw))
        except (ClusterError, ValueError) as error:
            lines: list[Line] = [[(f"{G['bad']} ", "bad"), (str(error), "fg")]]
        else:
            self._fetched = f"fetched {self.session.clock.now().astimezone():%H:%M:%S}"
            lines = [summary.yaml_line(line) for line in text.splitlines()]
        if self.tab == "yaml":
            view.put(lines)

    async def _read_logs(self) -> None:
        view = self.query_one("#log", TextView)
        async for lines in self._logs.read():
            view.append(lines)
            self.query_one("#footer", Bar).flush()

    # ---- borders -------------------------------------------------------------------------------------------------------------

    def _header(self, cells: int) -> tuple[Line, Line]:
        return chrome.header(self.session, (), "", self.session.namespaces, self.session.clock.now(), cells)

    def _footer(self, cells: int) -> tuple[Line, Line]:
        groups = {"logs": ("Logs", "Text", "Object", "Program"), "events": ("Object", "Program")}.get(self.tab, ("Text", "Object", "Program"))
        return keys.footer([a for a in OBJECT if a.group in groups], cells - 2, self._dim), []

    def _dim(self, action: Action) -> bool:
        if action.name == "shell":
            return self.gone or not self._visits.may(self.obj)
        return action.name == "logs" and not relations.pods_of(self.session.stores, self.kind, self.obj)

    def _title(self, cells: int) -> list[Line]:
        name: Line = [(f"{self.kind.kind.lower()}/{self.obj.metadata.name}", "bold")]
        return [name, *[[(f"  {tab}", "accent" if tab == self.tab else "muted")] for tab in TABS]]

    def _fresh(self) -> Line:
        if self.gone:
            return [(f"{G['bad']} ", "bad"), ("deleted: this is its last known state", "fg")]
        if self.tab == "yaml":
            return [(self._fetched, "muted")]
        if self.tab == "logs":
            return self._logs.fresh()
        created = self.obj.metadata.creation_timestamp
        return [(f"{age(created, self.session.clock.now())} old", "muted")] if created else []

    # ---- keys ----------------------------------------------------------------------------------------------------------------

    def action_summary(self) -> None:
        self.show_tab("summary")

    def action_its_events(self) -> None:
        self.show_tab("events")

    def action_yaml(self) -> None:
        self.show_tab("yaml")

    def action_logs(self) -> None:
        self.show_tab("logs")

    def action_related(self) -> None:
        self.show_tab("related")

    def action_shell(self) -> None:
        self._visits.ask(self.obj)

    def action_next_tab(self) -> None:
        self.show_tab(TABS[(TABS.index(self.tab) + 1) % len(TABS)])

    def action_previous_tab(self) -> None:
        self.show_tab(TABS[TABS.index(self.tab) - 1])

    def action_refresh(self) -> None:
        self.show_tab(self.tab)

    def action_follow(self) -> None:
        view = self.query_one("#log", TextView)
        if view.following:
            view.following = False
            view.flush()
        else:
            view.action_bottom()

    def action_previous_logs(self) -> None:
        self._logs.toggle_previous()
        self._restart_logs()

    def action_container(self) -> None:
        self._logs.next_container()
        self._restart_logs()

    def _restart_logs(self) -> None:
        self.query_one("#log", TextView).put([])
        self._reading = self._begin(self._read_logs, self._reading)
        self.show_tab("logs")

    def action_search(self) -> None:
        if self.tab != "events":
            self.query_one(Prompt).open("/", self._shown_text().ring.needle, [("n next · N before", "muted")])

    def _shown_text(self) -> TextView:
        return self.query_one("#log" if self.tab == "logs" else "#text", TextView)

    @on(Prompt.Changed)
    @on(Prompt.Cleared)
    def _searched(self, event: Prompt.Changed | Prompt.Cleared) -> None:
        self._shown_text().search(event.text)
        if isinstance(event, Prompt.Cleared):
            self._shown_text().focus()

    @on(Prompt.Submitted)
    def _search_done(self) -> None:
        self._shown_text().focus()

    def action_wrap(self) -> None:
        if self.tab != "events":
            self._shown_text().action_wrap()

    def action_copy_kubectl(self) -> None:
        verb, more = {"yaml": ("get", ("-o", "yaml")), "logs": ("logs", ("-f",))}.get(self.tab, ("describe", ()))
        if verb == "logs" and not isinstance(self.obj, Pod):
            more = ("--all-pods", *more)
        try:
            command = kubectl(verb, self.kind, self.obj, self.session.context, *more)
        except ValueError as error:
            self.notify(f"not copied: {error}", severity="warning", markup=False)
            return
        self.app.copy_to_clipboard(command)
        self.notify(command, title="copied", markup=False)

    def action_help(self) -> None:
        self.app.push_screen(help_card(OBJECT, self._dim))

    def action_redraw(self) -> None:
        self.app.redraw()  # type: ignore[attr-defined]

    def action_back(self) -> None:
        self.dismiss()

    def action_quit(self) -> None:
        self.dismiss()
