"""The dashboard: what every key does with the panes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from kubepane.actions import DASHBOARD
from kubepane.cluster import kinds as k
from kubepane.cluster.access import needs
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane.insight import relations
from kubepane.screens import keys
from kubepane.screens.help import help_card, journal_card
from kubepane.screens.layouts import LAYOUTS, NUMBERS
from kubepane.screens.object import ObjectScreen
from kubepane.screens.panes import PanesScreen
from kubepane.views.command import kubectl
from kubepane.views.events import EventsView
from kubepane.views.filter import Filter, FilterError, parse
from kubepane.views.pods import GroupedPodsView
from kubepane.views.rollout import RolloutView
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.pane import Pane
from kubepane_widgets.prompt import Prompt

ALL = ""  # the choice of all namespaces


class DashboardScreen(PanesScreen):
    """The panes with their keys. Every `action_` here is a row of the action table."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(DASHBOARD)

    def __init__(self, session: Session, layout: str = "overview") -> None:
        super().__init__(session, layout)
        self._workload = ""  # the uid of what the following panes follow

    # ---- panes ---------------------------------------------------------------------------------------------------------------

    async def action_pane(self, number: str) -> None:
        name = NUMBERS[number]
        if name in self._places[self.layout_name]:
            self._focus(name)
        else:
            await self._show("overview", name)

    def action_next_pane(self) -> None:
        self._step(1)

    def action_previous_pane(self) -> None:
        self._step(-1)

    def _step(self, step: int) -> None:
        names = [n for n in self._places[self.layout_name] if self._reachable(n)]
        at = names.index(self.current) if self.current in names else 0
        self._focus(names[(at + step) % len(names)])

    def _reachable(self, name: str) -> bool:
        """A pane that this width has no place for is skipped, but where only one is shown at a time all can be reached."""
        grid = self.query_one(f"#{self.layout_name}")
        one_at_a_time = grid.has_class("-zoomed") or self.size.width < 110
        return one_at_a_time or self.query_one(f"#{self.layout_name}-{name}", Pane).display

    def action_zoom(self) -> None:
        self.query_one(f"#{self.layout_name}").toggle_class("-zoomed")
        self._focus(self.current)
        self.pacer.changed()

    async def action_layout(self) -> None:
        names = list(LAYOUTS)
        await self._show(names[(names.index(self.layout_name) + 1) % len(names)])

    async def action_back(self) -> None:
        grid = self.query_one(f"#{self.layout_name}")
        pane, table = self.pane(), self.table(self.current)
        if pane.marked:
            pane.clear_marks()
        elif table.filter.text:
            self._filter("")
        elif grid.has_class("-zoomed"):
            self.action_zoom()
        elif self.layout_name != "overview":
            await self._show("overview")

    # ---- lists ---------------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        hint = [("text  !not  col:value  cpu>500m  -l app=x", "muted")]
        self.query_one(Prompt).open("/", self.table(self.current).filter.text, hint)

    @on(Prompt.Changed)
    def _filter_typed(self, event: Prompt.Changed) -> None:
        event.prompt.error = self._filter(event.text)

    @on(Prompt.Submitted)
    @on(Prompt.Cleared)
    def _filter_done(self, event: Prompt.Submitted | Prompt.Cleared) -> None:
        self._filter(event.text)
        self.pane().focus()

    def _filter(self, text: str) -> str:
        """Filters the current pane; what is wrong with the filter, "" when nothing."""
        table = self.table(self.current)
        try:
            wanted = parse(text, table.view.fields()) if text.strip() else Filter()
        except FilterError as error:
            return str(error)
        table.set_filter(wanted)
        self.pane().rearrange()
        return ""

    def action_sort(self) -> None:
        table = self.table(self.current)
        own = Item("", table.view.default_sort or "the pane's own order", here=not table.sort)
        fields = [Item(field, field.replace("_", " "), here=field == table.sort) for field in table.view.fields()]
        self._ask(ListCard("Sort by", [own, *fields], where=[(table.view.title, "muted")]), self._sorted)

    def _ask(self, card: ListCard, then: Callable[[str], object]) -> None:
        """Shows a card to choose one from; nothing happens when nothing was chosen."""

        def answered(chosen: list[str] | None) -> None:
            if chosen:
                then(chosen[0])

        self.app.push_screen(card, answered)

    @on(Pane.Sorted)
    def _heading_clicked(self, event: Pane.Sorted) -> None:
        self._sorted(event.key)

    def _sorted(self, column: str) -> None:
        self.table(self.current).set_sort(column)
        self.pane().rearrange()

    def action_wide(self) -> None:
        for table in self.tables.values():
            table.view.wide = not table.view.wide
        self.pane().rearrange()
        self.pacer.changed()

    def action_namespaces(self) -> None:
        store = self.session.stores.namespaces
        names = sorted({n.metadata.name for n in store} | set(self.session.namespaces) | self.session.seen_namespaces())
        shown = self.session.namespaces
        items = [Item(ALL, "all namespaces", here=not shown), *(Item(name, name, here=name in shown) for name in names)]
        where = [(self.session.context, "muted")]
        self.app.push_screen(ListCard("Namespaces", items, where=where, several=True), self._namespaces_chosen)

    def _namespaces_chosen(self, names: list[str] | None) -> None:
        if names:
            self._set_namespaces(() if ALL in names else tuple(names))

    def action_all_namespaces(self) -> None:
        self._set_namespaces(())

    def _set_namespaces(self, names: tuple[str, ...]) -> None:
        self.session.set_namespaces(names)
        for table in self.tables.values():
            table.set_namespaces(names)
        self.pacer.changed()

    def action_contexts(self) -> None:
        here = self.session.context
        items = [Item(c.name, c.name, c.server, here=c.name == here) for c in self.session.contexts()]
        self._ask(ListCard("Contexts", items, cells=80), self._context_chosen)

    def _context_chosen(self, name: str) -> None:
        another = self.session.pin is not None and bool(self.session.pin.other)
        if name != self.session.context or another:  # the same again, when another cluster has taken its place
            self.app.call_later(self.app.switch_context, name)  # type: ignore[attr-defined]

    # ---- objects -------------------------------------------------------------------------------------------------------------

    @on(Pane.Opened)
    def _opened(self, event: Pane.Opened) -> None:
        self.action_open()

    def action_open(self) -> None:
        self._open("summary")

    def action_summary(self) -> None:
        self._open("summary")

    def action_why(self) -> None:
        self._open("summary")

    def action_yaml(self) -> None:
        self._open("yaml")

    def action_logs(self) -> None:
        self._open_logs(previous=False)

    def action_previous_logs(self) -> None:
        self._open_logs(previous=True)

    def _open_logs(self, *, previous: bool) -> None:
        chosen = self.selected()
        if chosen is not None and self.session.may("get", "pods", chosen[1].metadata.namespace, "log") is False:
            self.notify(f"missing: {needs('get', 'pods', chosen[1].metadata.namespace, subresource='log')}", severity="warning", markup=False)
        else:
            self._open("logs", previous=previous)

    def action_its_events(self) -> None:
        self._open("events")

    def _open(self, tab: str, previous: bool = False) -> None:
        if (chosen := self.selected()) is not None:
            view, key = self.table(self.current).view, self.pane().cursor or ""
            self.app.push_screen(ObjectScreen(self.session, *chosen, view=view, key=key, tab=tab, previous=previous), self._returned)

    def _returned(self, _: None) -> None:
        self.app.pacer = self.pacer  # type: ignore[attr-defined]
        self.pacer.changed()

    def action_copy_kubectl(self) -> None:
        if (chosen := self.selected()) is None:
            return
        try:
            command = kubectl("get", *chosen, self.session.context)
        except ValueError as error:
            self.notify(f"not copied: {error}", severity="warning", markup=False)
            return
        self.app.copy_to_clipboard(command)
        self.notify(command, title="copied", markup=False)

    # ---- following -----------------------------------------------------------------------------------------------------------

    @on(Pane.Moved)
    def _moved(self, event: Pane.Moved) -> None:
        if event.pane is self.pane() and self.current in ("workloads", "hpa", "pods"):
            self._workload = self._workload_under_cursor() or self._workload
            self.follow()

    def follow(self) -> None:
        """Points the rollout lane and the panes beside it at the workload that was last under the cursor, or at the worst that rolls."""
        workload, tables = self._workload, [(name, self.table(name)) for name in self._places[self.layout_name]]
        for _, table in tables:
            if isinstance(table.view, RolloutView):
                table.view.choose(workload)
                table.rebuild()
                workload = table.view.shown or workload
        for name, table in tables:
            view = table.view
            if isinstance(view, GroupedPodsView) and view.workload != workload:
                view.choose(workload)
                table.rebuild()
            elif isinstance(view, EventsView) and name == "its-events":
                view.follow(relations.family(self.session.stores, workload) if workload else None)
                table.rebuild()
        self.pacer.changed()

    def _workload_under_cursor(self) -> str:
        """The uid of the workload that the cursor means: itself, a pod's topmost owner, an HPA's target."""
        chosen = self.selected()
        if chosen is None:
            return ""
        kind, obj = chosen
        if kind is k.AUTOSCALERS:
            ref = obj.spec.scale_target_ref  # type: ignore[attr-defined]
            target = k.BY_KIND.get(ref.kind)
            scaled = self.session.stores.of(target).named(obj.metadata.namespace, ref.name) if target else None
            return scaled.metadata.uid if scaled is not None else ""
        if kind is k.PODS:
            chain = relations.owner_chain(self.session.stores, obj)
            return chain[-1][2].metadata.uid if chain and chain[-1][2] is not None else ""
        return obj.metadata.uid

    def action_follow_events(self) -> None:
        view = self.table("events").view
        assert isinstance(view, EventsView)
        chosen: tuple[Kind, Object] | None = self.selected() if self.current != "events" else None
        view.follow(relations.family(self.session.stores, chosen[1].metadata.uid) if chosen else None)
        self.table("events").rebuild()
        self.pacer.changed()

    def action_warnings(self) -> None:
        view = self.table("events").view
        assert isinstance(view, EventsView)
        view.warnings_only = not view.warnings_only
        self.table("events").rebuild()
        self.pacer.changed()

    # ---- program -------------------------------------------------------------------------------------------------------------

    def action_palette(self) -> None:
        items = [Item(a.name, a.title, a.key) for a in self._actions() if a.name not in ("pane", "palette")]
        self._ask(ListCard("Commands", items, cells=76), lambda name: self.call_later(self.run_action, name))

    def action_journal(self) -> None:
        self.app.push_screen(journal_card(self.session.journal))

    def action_help(self) -> None:
        self.app.push_screen(help_card(DASHBOARD, self._dim))

    def action_redraw(self) -> None:
        self.app.redraw()  # type: ignore[attr-defined]

    def action_quit(self) -> None:
        self.app.exit(return_code=0)
