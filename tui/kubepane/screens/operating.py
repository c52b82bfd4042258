"""The dashboard with the keys that change something. Each takes its targets when it is pressed, asks, and follows what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from textual import events, on

from kubepane.acting import doing, draining, loading, nodes, tolerating
from kubepane.acting.plan import Intent, Unfit
from kubepane.acting.scale import MOST
from kubepane.acting.verbs import VERBS
from kubepane.actions import Action
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Ref
from kubepane.screens.changes import Changes
from kubepane.screens.dashboard import DashboardScreen
from kubepane.screens.forwards import ForwardCards
from kubepane.screens.sets import SetCards
from kubepane.screens.visits import Visits
from kubepane_widgets.form import Field, FormCard
from kubepane_widgets.lines import Line
from kubepane_widgets.listcard import Item, ListCard


def ref_of(kind: Kind, obj: Object) -> Ref:
    """The object as it is meant: by its uid."""
    return Ref(kind, obj.metadata.namespace, obj.metadata.name, obj.metadata.uid)


class OperatingScreen(DashboardScreen):
    """Every `action_` here begins a change: none is made without its card."""

    def __init__(self, session: Session, layout: str = "overview") -> None:
        super().__init__(session, layout)
        self.changes = Changes(self, session, self.pacer.changed, self._show_effect, self._set_namespaces)
        self._sets = SetCards(self, session, self.changes.ask)
        self._visits = Visits(self, session)
        self._forwards = ForwardCards(self, session, self.pacer.changed)
        self._past_taints: list[r.Taint] = []

    def on_unmount(self) -> None:
        super().on_unmount()
        self.changes.stop()

    @on(events.Unmount)
    async def _end_forwards(self) -> None:
        await self._forwards.close()

    def _actions(self) -> list[Action]:
        """The key of the open port-forwards is shown as long as there are any."""
        count = len(self._forwards.forwards.open)
        shown = super()._actions()
        return [replace(a, rank=2, label=f"{count} forwarded") if a.name == "forwards" else a for a in shown] if count else shown

    def told(self, cells: int) -> list[Line]:
        line = self.changes.line
        return [line] if line else []

    def _show_effect(self, pane: str, uids: Sequence[str]) -> None:
        """Focuses the pane that shows what was changed, on its first object."""
        asyncio.get_running_loop().create_task(self._focus_on(pane, uids))

    async def _focus_on(self, pane: str, uids: Sequence[str]) -> None:
        if pane not in self._places[self.layout_name]:
            return
        self._focus(pane)
        keys = [key for key in self.table(pane).order if key in uids]
        if keys:
            self.pane().select(keys[0])

    # ---- targets -------------------------------------------------------------------------------------------------------------

    def targets(self) -> list[tuple[Kind, Object]]:
        """The marked objects, else the one under the cursor."""
        view = self.table(self.current).view
        return [found for key in self.pane().chosen if (found := view.object(key)) is not None]

    def _scaled(self) -> list[Ref]:
        """What a row means for scaling: an HPA's target, otherwise the workload itself."""
        refs: list[Ref] = []
        for kind, obj in self.targets():
            if isinstance(obj, r.Autoscaler):
                target = obj.spec.scale_target_ref
                owner = k.BY_KIND.get(target.kind)
                if owner in VERBS["scale"].kinds and owner is not None:
                    refs.append(Ref(owner, obj.metadata.namespace, target.name))
            elif kind in VERBS["scale"].kinds:
                refs.append(ref_of(kind, obj))
        return refs

    def _dim(self, action: Action) -> bool:
        if action.name == "undo_change":
            return not self.changes.can_undo
        if action.name == "break_off":
            return not self.changes.can_stop
        if action.name == "shell":
            return not self._visits.may(self._pod())
        if action.name == "forward":
            return not self._forwards.may(self.selected())
        if action.name == "forwards":
            return not self._forwards.forwards.open
        if not action.verb:
            return super()._dim(action)
        verb, refs = VERBS[action.verb], self.refs(action.verb)
        if not verb.kinds:  # it brings its own objects
            return self.session.options.read_only
        if not refs or self.session.options.read_only:
            return True
        return any(self.session.may(verb.needs[0], ref.kind.resource, ref.namespace, verb.needs[1]) is False for ref in refs)

    def refs(self, verb: str) -> list[Ref]:
        """The objects that a verb would act on now."""
        if verb == "scale":
            return self._scaled()
        if verb == "load":
            return [ref for _, obj in self.targets() for ref in loading.services_of(obj, self.session.stores)]
        if verb == "tolerate":
            owners = [
                tolerating.workload_of(obj, self.session.stores) for _, obj in self.targets() if isinstance(obj, r.Pod) and not obj.spec.node_name
            ]
            return [ref for ref in owners if ref is not None]
        return [ref_of(kind, obj) for kind, obj in self.targets() if kind in VERBS[verb].kinds]

    def _ready(self, verb: str, what: str) -> list[Ref]:
        """The objects, or none with a word why."""
        refs = self.refs(verb)
        if not refs:
            self.notify(f"nothing here that this can be done to: {what}", severity="warning", markup=False)
        return refs

    def _pod(self) -> Object | None:
        chosen = self.selected()
        return chosen[1] if chosen is not None else None

    def action_shell(self) -> None:
        self._visits.ask(self._pod())

    def action_forward(self) -> None:
        self._forwards.ask(self.selected())

    def action_forwards(self) -> None:
        self._forwards.show()

    # ---- verbs ---------------------------------------------------------------------------------------------------------------

    def action_undo_change(self) -> None:
        if not self.changes.undo():
            self.notify("nothing to take back", markup=False)

    def action_scale(self) -> None:
        refs = self._ready("scale", "a Deployment, StatefulSet or ReplicaSet")
        if not refs:
            return
        obj = self.session.stores.of(refs[0].kind).named(refs[0].namespace, refs[0].name)
        now = str(obj.spec.replicas) if isinstance(obj, r.Deployment | r.StatefulSet | r.ReplicaSet) else ""
        title = _titled("Scale", refs)

        def check(texts: list[str]) -> str:
            return "" if texts[0].isascii() and texts[0].isdigit() and int(texts[0]) <= MOST else f"a number from 0 to {MOST:,}"

        def answered(texts: list[str] | None) -> None:
            if texts:
                self.changes.ask(Intent("scale", tuple(refs), {"replicas": int(texts[0])}), title)

        self.app.push_screen(FormCard(title, [Field("replicas", now, "pods wanted; what it means is shown next")], check), answered)

    def action_taint(self) -> None:
        refs = self._ready("taint", "a node")
        if not refs:
            return
        title = _titled("Taint", refs)
        past = self._past_taints
        fields = [
            Field("key", past[0].key if past else "", "as dedicated; ↑ ↓ what was put before", past=tuple(dict.fromkeys(t.key for t in past))),
            Field("value", past[0].value if past else "", "may be empty", past=tuple(dict.fromkeys(t.value for t in past))),
            Field("effect", past[0].effect if past else nodes.EFFECTS[0], "← → choose; NoExecute deletes pods", choices=nodes.EFFECTS),
        ]

        def answered(texts: list[str] | None) -> None:
            if texts:
                taint = nodes.checked(*texts)
                self._past_taints = [taint, *(t for t in past if t != taint)][:10]
                self.changes.ask(Intent("taint", tuple(refs), {"taint": _taint_text(taint)}), title)

        self.app.push_screen(FormCard(title, fields, _taint_fault), answered)

    def action_untaint(self) -> None:
        refs = self._ready("untaint", "a node")
        held = [(taint.key, taint.effect) for _, obj in self.targets() if isinstance(obj, r.Node) for taint in obj.spec.taints or ()]
        if not refs:
            return
        if not held:
            self.notify("no taint to take off", severity="warning", markup=False)
            return
        title = _titled("Untaint", refs)
        items = [Item(f"{key}:{effect}", f"{key}:{effect}") for key, effect in dict.fromkeys(held)]

        def chosen(text: str) -> None:
            key, _, effect = text.rpartition(":")
            self.changes.ask(Intent("untaint", tuple(refs), {"key": key, "effect": effect}), title)

        self._ask(ListCard(title, items), chosen)

    def action_cordon(self) -> None:
        self._begin("cordon", "a node")

    def action_uncordon(self) -> None:
        self._begin("uncordon", "a node")

    def action_drain(self) -> None:
        refs = self._ready("drain", "a node")
        if not refs:
            return
        title = _titled("Drain", refs)
        fields = [
            Field("emptyDir data", "keep", "← → lose: pods with an emptyDir go too, and what it holds is lost", choices=("keep", "lose")),
            Field("lone pods", "keep", "← → evict: pods without a controller go too, and nobody makes them anew", choices=("keep", "evict")),
            Field("grace", "", "seconds a pod has to end; empty for its own"),
        ]

        def check(texts: list[str]) -> str:
            fits = not texts[2] or (texts[2].isascii() and texts[2].isdigit() and int(texts[2]) <= draining.MOST_GRACE)
            return "" if fits else f"seconds from 0 to {draining.MOST_GRACE:,}, or nothing"

        def answered(texts: list[str] | None) -> None:
            if texts:
                args = {"data": texts[0] == "lose", "force": texts[1] == "evict", "grace": int(texts[2]) if texts[2] else None}
                self.changes.ask(Intent("drain", tuple(refs), args), title)

        self.app.push_screen(FormCard(title, fields, check), answered)

    def action_break_off(self) -> None:
        if not self.changes.break_off():
            self.notify("nothing is on its way", markup=False)

    def action_restart(self) -> None:
        self._begin("restart", "a Deployment, StatefulSet or DaemonSet")

    def action_pause(self) -> None:
        paused = any(isinstance(obj, r.Deployment) and obj.spec.paused for _, obj in self.targets())
        self._begin("resume" if paused else "pause", "a Deployment")

    def action_apply(self) -> None:
        self._sets.apply()

    def action_delete_set(self) -> None:
        self._sets.delete()

    def action_delete(self) -> None:
        self._begin("delete", "an object")

    def action_tolerate(self) -> None:
        refs = self._ready("tolerate", "a pending pod of a Deployment, StatefulSet or DaemonSet")
        if not refs:
            return
        pods = [obj for _, obj in self.targets() if isinstance(obj, r.Pod)]
        taints = list(dict.fromkeys(text for pod in pods for text in tolerating.lacking(pod, self.session.stores)))
        if taints:
            self.changes.ask(Intent("tolerate", (refs[0],), {"taints": taints}), _titled("Tolerate", refs[:1]))
        else:
            self.notify("no taint alone keeps this pod away", severity="warning", markup=False)

    def action_load(self) -> None:
        refs = self._ready("load", "an Ingress, HPA or workload with a Service")
        if not refs:
            return
        job = loading.running(refs[0], self.session.stores)
        if job is not None:
            self.changes.ask(Intent("delete", (job,)), f"Stop the load on {refs[0].name}")
            return

        def check(texts: list[str]) -> str:
            fits = texts[0].isascii() and texts[0].isdigit() and 1 <= int(texts[0]) <= loading.MOST
            return "" if fits else f"a number from 1 to {loading.MOST}"

        def answered(texts: list[str] | None) -> None:
            if texts:
                self.changes.ask(Intent("load", (refs[0],), {"pods": int(texts[0]), "path": texts[1]}), f"Load on {refs[0]}")

        fields = [Field("pods", "2", "how many ask at once"), Field("path", "/login", "what they ask for")]
        self.app.push_screen(FormCard(f"Load on {refs[0]}", fields, check), answered)

    def action_rollback(self) -> None:
        if refs := self._ready("undo", "a Deployment, StatefulSet or DaemonSet"):
            asyncio.get_running_loop().create_task(self._choose_revision(refs[0]))

    async def _choose_revision(self, ref: Ref) -> None:
        """The templates that there were, to choose from; what would change is shown next."""
        title = f"Undo {ref}"
        try:
            kept, here = await doing.history(self.session, ref)
        except (Unfit, ClusterError) as error:
            self.notify(str(error), title=title, severity="warning", markup=False)
            return
        items = [
            Item(str(one.number), f"revision {one.number}  {', '.join(one.images)}", one.cause or one.created, here=one.number == here)
            for one in kept
        ]
        self._ask(ListCard(title, items, cells=90), lambda number: self.changes.ask(Intent("undo", (ref,), {"revision": int(number)}), title))

    def _begin(self, verb: str, what: str) -> None:
        """Asks for a verb that needs nothing beside its objects."""
        if refs := self._ready(verb, what):
            self.changes.ask(Intent(verb, tuple(refs)), _titled(verb.capitalize(), refs))


def _titled(verb: str, refs: Sequence[Ref]) -> str:
    return f"{verb} {refs[0]}" if len(refs) == 1 else f"{verb} {len(refs)} objects"


def _taint_text(taint: r.Taint) -> str:
    return f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"


def _taint_fault(texts: list[str]) -> str:
    """What is wrong with the fields of a taint, "" when nothing is."""
    try:
        nodes.checked(*texts)
    except Unfit as error:
        return str(error) if texts[0] else "a key is needed"
    return ""
