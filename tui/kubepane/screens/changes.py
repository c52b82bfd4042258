"""From a key to a change: the card that shows it, the confirmation, and the line that follows it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from textual.screen import Screen

from kubepane.acting import doing
from kubepane.acting.plan import Intent, Plan, Progress, Unfit
from kubepane.acting.verbs import VERBS
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End, Outcome, Ref
from kubepane.insight.ages import duration
from kubepane_widgets.card import Button, Card
from kubepane_widgets.lines import Line, Span
from kubepane_widgets.palette import G
from kubepane_widgets.spans import fold

REMEMBERED = 20  # changes that can be taken back
SHOWN = 20.0  # seconds that an end stays on screen


@dataclass
class Effect:
    """A change that was confirmed, and how far it is."""

    plan: Plan
    started: float
    outcomes: list[Outcome] = field(default_factory=list)
    text: str = "sending"
    tone: str = "accent"
    ended: float | None = None
    shown: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stoppable(self) -> bool:
        """Whether there may be more to be sent."""
        return self.ended is None and not self.stopping.is_set() and (self.plan.carry is not None or len(self.outcomes) < len(self.plan.steps) > 1)


class Changes:
    """All changes of one screen.

    Args:
        screen: over which the cards appear.
        session: the cluster.
        changed: called when `line` reads differently.
        show: called with the pane and the uids that show an effect, once the change was sent.
        look_at: called with the namespaces to show, where an effect would be out of sight otherwise.
    """

    def __init__(
        self,
        screen: Screen[None],
        session: Session,
        changed: Callable[[], None],
        show: Callable[[str, Sequence[str]], None],
        look_at: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._screen, self._session, self._changed, self._show, self._look_at = screen, session, changed, show, look_at
        self._undo: list[Intent] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.effects: list[Effect] = []

    # ---- asking

    def ask(self, intent: Intent, title: str, notice: str = "") -> None:
        """Opens the card for a change at once; what it would do is read and rehearsed meanwhile."""
        target = self._session.target
        protected = self._session.context if target is not None and target.protected else ""
        card = Card(title, [[("reading it from the cluster …", "muted")]], where=self._where(intent.targets), ask=protected)
        plans: list[Plan] = []

        def answered(answer: list[str] | None) -> None:
            filling.cancel()
            if answer == ["instead"] and plans and plans[0].instead is not None:
                self.ask(plans[0].instead[1], title)
            elif answer and plans:
                self._begin(self._perform(plans[0]))

        self._watch(VERBS[intent.verb].wants)
        self._screen.app.push_screen(card, answered)
        filling = self._begin(self._fill(card, intent, plans, notice))

    def _where(self, refs: Iterable[Ref]) -> list[Span]:
        spaces = sorted({ref.namespace for ref in refs if ref.namespace})
        target = self._session.target
        tone = "bad" if target is not None and target.protected else "muted"
        context, cluster = self._session.context, target.cluster if target is not None else ""
        where: list[Span] = [(context or "no context", tone)]
        if cluster not in ("", context):  # where the context is called like its cluster, once is enough
            where.append((f" on {cluster}", tone))
        return [*where, *([(f"  ns {', '.join(spaces[:3])}", "muted")] if spaces else [])]

    async def _fill(self, card: Card, intent: Intent, plans: list[Plan], notice: str) -> None:
        try:
            plan = await doing.prepare(self._session, intent)
            card.sheet.title, card.sheet.where = plan.title, self._where(step.about for step in plan.steps)
            card.update(_folded([*_preview(plan, notice), [], [("asking the server …", "muted")]]), tone=plan.danger.value)
            plan = await doing.rehearse(self._session, plan)
        except (Unfit, ClusterError) as error:
            card.update(_folded([[(f"{G['bad']} ", "bad"), (str(error), "fg")]]), note=[("nothing was sent", "muted")])
            return
        plans.append(plan)
        lines = _preview(plan, notice)
        if self._session.options.read_only:
            card.update(_folded([*lines, [], [("read-only: nothing can be sent", "warn")]]))
            return
        card.update(_folded(lines), buttons=_buttons(plan), note=[(plan.kubectl, "muted")] if plan.kubectl else ())

    # ---- doing

    @property
    def can_undo(self) -> bool:
        """Whether there is a change that can be taken back."""
        return bool(self._undo)

    def undo(self) -> bool:
        """Asks whether the last change shall be taken back; False when there is none that can be."""
        if not self._undo:
            return False
        self.ask(self._undo[-1], "Undo")
        return True

    async def _perform(self, plan: Plan) -> None:
        loop = asyncio.get_running_loop()
        effect = Effect(plan, loop.time())
        self.effects = [*[each for each in self.effects if each.ended is None], effect]
        self._watch(_kinds(plan))
        self._reveal(plan)
        self._changed()
        async with aclosing(doing.carry_out(self._session, plan, effect.stopping)) as words:
            async for each in words:
                if not isinstance(each, Outcome):
                    self._told(effect, each)
                    continue
                effect.outcomes.append(each)
                if each.end is End.CHANGED and len(effect.outcomes) == 1 and _asks_again(plan):
                    self.effects.remove(effect)
                    self.ask(plan.intent, plan.title, f"{each.text}: this is how it reads now")
                    return

    def _watch(self, kinds: Iterable[Kind]) -> None:
        """Looks at these kinds as well, and at those of what is on its way, whatever the panes show."""
        on_their_way = (kind for each in self.effects if each.ended is None for kind in _kinds(each.plan))
        self._session.want_beside(dict.fromkeys((*kinds, *on_their_way)))

    def _reveal(self, plan: Plan) -> None:
        """Shows the namespaces that a plan changes."""
        shown = self._session.namespaces
        missing = {step.about.namespace for step in plan.steps if step.about.namespace} - set(shown)
        if shown and missing:
            self._look_at((*shown, *sorted(missing)))

    def _told(self, effect: Effect, progress: Progress) -> None:
        """How far it is; from the first word on the screen shows where."""
        plan = effect.plan
        if not effect.shown and any(outcome.good for outcome in effect.outcomes):
            effect.shown = True
            self._remember(plan, effect.outcomes)
            if plan.pane:
                self._show(plan.pane, plan.touched or [outcome.uid for outcome in effect.outcomes if outcome.uid])
        effect.text = progress.text or "done"
        if progress.done:
            self._end(effect, effect.text, "bad" if progress.failed else "ok")
        self._changed()

    @property
    def can_stop(self) -> bool:
        """Whether something is on its way that can be broken off."""
        return any(each.stoppable for each in self.effects)

    def break_off(self) -> bool:
        """Sends no more of what is on its way; False when nothing is."""
        on_their_way = [each for each in self.effects if each.stoppable]
        for each in on_their_way:
            each.stopping.set()
        return bool(on_their_way)

    def _remember(self, plan: Plan, outcomes: Sequence[Outcome]) -> None:
        undo = plan.taken_back_by(outcomes)
        if self._undo and self._undo[-1] == plan.intent:
            self._undo.pop()
        elif undo is not None:
            self._undo = [*self._undo, undo][-REMEMBERED:]

    def _end(self, effect: Effect, text: str, tone: str) -> None:
        loop = asyncio.get_running_loop()
        effect.text, effect.tone, effect.ended = text, tone, loop.time()
        self._session.journal.write("change", f"{effect.plan.title}: {text}")
        loop.call_later(SHOWN, self._changed)
        self._changed()

    def _begin(self, what: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(what)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop(self) -> None:
        """Follows nothing any more; what was sent goes on in the cluster."""
        for task in tuple(self._tasks):
            task.cancel()

    # ---- telling

    @property
    def line(self) -> Line:
        """The newest change and how far it is; empty when there is none to tell of."""
        now = asyncio.get_running_loop().time()
        told = [each for each in self.effects if each.ended is None or now - each.ended < SHOWN]
        if not told:
            return []
        effect = told[-1]
        sign = G["busy"] if effect.ended is None else G["ok"] if effect.tone == "ok" else G["bad"]
        line: Line = [(f" {sign} ", effect.tone), (effect.plan.title, "bold"), (f" {duration((effect.ended or now) - effect.started)}", "muted")]
        if effect.stoppable:
            line += [("  S", "accent"), (" stops it", "muted")]
        elif effect.tone == "bad" and self._undo and self._undo[-1] == effect.plan.taken_back_by(effect.outcomes):
            line += [("  u", "accent"), (" takes back what was done", "muted")]
        line += [("  ", "fg"), (effect.text, "fg")]
        if len(told) > 1:
            line.append((f"   and {len(told) - 1} more", "muted"))
        return line


def _asks_again(plan: Plan) -> bool:
    """Whether a plan whose first change was outdated is asked anew: not where other changes stand beside it."""
    return plan.carry is None and (len(plan.steps) == 1 or not plan.apart)


def _kinds(plan: Plan) -> tuple[Kind, ...]:
    """What must be watched to follow a plan."""
    return (*VERBS[plan.intent.verb].wants, *(step.about.kind for step in plan.steps if step.about.kind in KINDS))


def _buttons(plan: Plan) -> tuple[Button, ...]:
    """What can be confirmed: the plan as it was shown, or the way round what is refused."""
    if plan.refusals:
        return (Button(plan.instead[0], "instead"),) if plan.instead is not None else ()
    return (Button(plan.button, "go"),) if plan.steps else ()


def _folded(lines: Sequence[Line]) -> Callable[[int], list[Line]]:
    """The same lines, in as many as it takes to read all of them."""
    return lambda cells: [part for line in lines for part in fold(line, cells)]


def _preview(plan: Plan, notice: str) -> list[Line]:
    """The body of the card: what changes, what the server says to it, and what to know."""
    lines: list[Line] = [[(f"{G['warn']} ", "warn"), (notice, "fg")], []] if notice else []
    lines += list(plan.lines)
    if plan.warnings:
        lines += [[], *([(f"{G['warn']} ", "warn"), (text, "fg")] for text in plan.warnings)]
    return lines
