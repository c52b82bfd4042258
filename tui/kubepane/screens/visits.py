"""From a key on a pod to a shell in one of its containers, and back to the dashboard with a word on how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from textual.screen import Screen

from kubepane.acting import visiting
from kubepane.acting.plan import Unfit
from kubepane.acting.visiting import Room, Visit
from kubepane.cluster import resources as r
from kubepane.cluster.access import needs
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane.screens.handover import can_lend, lend
from kubepane_widgets.card import Button, Card
from kubepane_widgets.lines import Line
from kubepane_widgets.listcard import Item, ListCard
from kubepane_widgets.text import clean

TOLD = 8.0  # seconds that the end of a shell is shown


class Visits:
    """The shells of one screen; one at a time, for there is one terminal.

    Args:
        screen: over which the cards appear.
        session: the cluster.
    """

    def __init__(self, screen: Screen[Any], session: Session) -> None:
        self._screen, self._session = screen, session
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = ("", 0.0)  # the last word, and when

    def may(self, obj: Object | None) -> bool:
        """Whether a shell can be had in this object, as far as that is known."""
        if not isinstance(obj, r.Pod) or self._session.options.read_only or not visiting.rooms(obj):
            return False
        return self._denied(obj) is None

    def _denied(self, pod: r.Pod) -> str | None:
        """The right that is missing, None when none is known to be. A WebSocket is a GET, which needs create as well since 1.35."""
        space = pod.metadata.namespace
        verb = next((verb for verb in ("create", "get") if self._session.may(verb, "pods", space, "exec") is False), None)
        return needs(verb, "pods", space, subresource="exec") if verb else None

    def ask(self, obj: Object | None) -> None:
        """Opens a shell, once it is clear in which container."""
        if not isinstance(obj, r.Pod):
            self._say("a shell needs a pod", bad=True)
            return
        found, denied = visiting.rooms(obj), self._denied(obj)
        if self._session.options.read_only:
            self._say("read-only: a shell could change anything", bad=True)
        elif denied is not None:
            self._say(denied, bad=True)
        elif not found:
            self._say(f"no container of {obj.metadata.name} runs", bad=True)
        elif len(found) == 1:
            self._confirm(found[0])
        else:
            items = [Item(room.container, room.container) for room in found]
            card = ListCard(f"Shell in {obj.metadata.name}: which container", items, where=self._where(found[0]))
            self._screen.app.push_screen(card, lambda chosen: self._chosen(found, chosen))

    def _chosen(self, found: list[Room], chosen: list[str] | None) -> None:
        for room in found:
            if chosen == [room.container]:
                self._confirm(room)

    def _where(self, room: Room) -> Line:
        target = self._session.target
        tone = "bad" if target is not None and target.protected else "muted"
        return [(self._session.context or "no context", tone), (f"  ns {room.ref.namespace}", "muted")]

    def _confirm(self, room: Room) -> None:
        """A protected context is asked for by its name; elsewhere the key is enough, for nothing is changed by it."""
        target = self._session.target
        if target is None or not target.protected:
            self._begin(self._enter(room))
            return
        lines: list[Line] = [[(f"{room.ref}, container {room.container}", "fg")], [("what is typed there has its effect at once", "soft")]]
        card = Card("Shell", lines, where=self._where(room), buttons=(Button("Open the shell", "go"),), tone="bad", ask=self._session.context)
        self._screen.app.push_screen(card, lambda answer: self._begin(self._enter(room)) if answer else None)

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="shell")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _enter(self, room: Room) -> None:
        app: Any = self._screen.app
        if app.lent is not None:
            return
        if not can_lend(app):
            self._say("there is no terminal to hand over", room, bad=True)
            return
        app.lent = asyncio.current_task()
        try:
            visit = await visiting.enter(self._session, room, app.size.width, app.size.height)
        except (Unfit, ClusterError) as error:
            self._say(str(error), room, bad=True)
        else:
            await self._talk(visit)
        finally:
            app.lent = None

    async def _talk(self, visit: Visit) -> None:
        room = visit.room
        try:
            if await visit.try_out():
                await lend(self._screen.app, visit, self._banner(room))
        finally:
            await visit.close()
        self._say(visit.outcome, room, bad=not visit.good)

    def _banner(self, room: Room) -> tuple[str, str]:
        where = f"{self._session.context or 'no context'}: {room.ref}, container {room.container}"
        return clean(where), "leave with exit or ctrl-d; Enter ~ . drops a session that does not answer"

    def _say(self, text: str, room: Room | None = None, *, bad: bool = False) -> None:
        title = f"shell in {room.ref.name}, {room.container}" if room is not None else ""
        now = asyncio.get_running_loop().time()
        if self._said[0] == text and now - self._said[1] < TOLD:
            return  # it is still on screen: a key that is held down makes no pile
        self._said = (text, now)
        self._screen.app.notify(text, title=title, severity="warning" if bad else "information", timeout=TOLD, markup=False)
