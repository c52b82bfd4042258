"""From a key on a pod, workload or Ingress to a port-forward: the form for its ports, and the card that lists them all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from textual.screen import Screen

from kubepane.acting import aiming
from kubepane.acting.aiming import Aim, Door
from kubepane.acting.forwarding import Forward, Forwards, State
from kubepane.acting.plan import Unfit
from kubepane.cluster import resources as r
from kubepane.cluster.access import needs
from kubepane.cluster.errors import BadConfig, ClusterError
from kubepane.cluster.kinds import Kind
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane_widgets.form import Field, FormCard
from kubepane_widgets.lines import Line
from kubepane_widgets.listcard import Item, ListCard

TOLD = 8.0  # seconds that a word is shown
EVERY = 0.25  # seconds between two drawings of the open card
STOP = "stop"
_UNITS = ("B", "kB", "MB", "GB", "TB")

Row = tuple[Kind, Object]


class ForwardCards:
    """The port-forwards of one screen.

    Args:
        screen: over which the cards appear.
        session: the cluster.
        changed: called when the number of forwards may be another one.
    """

    def __init__(self, screen: Screen[Any], session: Session, changed: Any) -> None:
        self._screen, self._session, self._bars = screen, session, changed
        self.forwards = Forwards(session, self._changed, self._happened)
        self._card: ListCard | None = None
        self._due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = ("", 0.0)

    # ---- opening

    def may(self, row: Row | None) -> bool:
        """Whether a forward can be had from this row, as far as that is seen at a glance: the pods behind a workload are not looked through."""
        if row is None or self._session.options.read_only or self._denied(row) is not None:
            return False
        return not isinstance(row[1], r.Pod) or aiming.runs(row[1])

    def _denied(self, row: Row) -> str | None:
        space = row[1].metadata.namespace
        verb = next((verb for verb in ("create", "get") if self._session.may(verb, "pods", space, "portforward") is False), None)
        return needs(verb, "pods", space, subresource="portforward") if verb else None

    def ask(self, row: Row | None) -> None:
        """Opens the form for the ports."""
        if row is None:
            return
        aim = aiming.aim_at(*row, self._session.stores)
        doors, denied = aiming.doors(aim, self._session.stores), self._denied(row)
        if self._session.options.read_only:
            self._say("read-only: what goes through a port-forward could change anything", bad=True)
        elif denied is not None:
            self._say(denied, bad=True)
        elif not doors:
            self._say(f"nothing here can be connected to: no pod of {aim.source} is ready", bad=True)
        else:
            self._form(aim, doors)

    def _form(self, aim: Aim, doors: list[Door]) -> None:
        ports = list(dict.fromkeys(port for door in doors for port in door.ports))
        known = f"declared: {', '.join(map(str, ports[:8]))}" if ports else "none is declared"
        local = str(aiming.proposed(ports[0])) if ports else ""
        fields = [
            Field("port of the pod", str(ports[0]) if ports else "", known, past=tuple(map(str, ports))),
            Field("port here", local, "on 127.0.0.1 only; nobody else's machine gets in"),
        ]

        def answered(texts: list[str] | None) -> None:
            if texts:
                port = int(texts[0])
                door = next((door for door in doors if port in door.ports), doors[0])
                self._begin(self._open(aim, door, port, int(texts[1])))

        card = FormCard(f"Port-forward to {doors[0].pod.name}", fields, _fault, where=self._where(aim), cells=90)
        self._screen.app.push_screen(card, answered)

    def _where(self, aim: Aim) -> Line:
        target = self._session.target
        tone = "bad" if target is not None and target.protected else "muted"
        return [(self._session.context or "no context", tone), (f"  ns {aim.source.namespace}", "muted")]

    async def _open(self, aim: Aim, door: Door, port: int, local: int) -> None:
        try:
            forward = await self.forwards.begin(aim, door.pod, port, local)
        except (Unfit, BadConfig, ClusterError) as error:
            self._say(str(error), bad=True)
        else:
            self._say(f"{forward.says}   F lists and stops them")

    # ---- listing

    def show(self) -> None:
        """Opens the card with all of them."""
        if not self.forwards.open:
            self._say("no port is forwarded; f on a pod begins it")
            return
        card = ListCard("Port-forwards", self._items(), where=[(self._session.context, "muted")], other=("ctrl+d", STOP, "^d stops it"), cells=100)
        self._card = card
        self._screen.app.push_screen(card, self._chosen)

    def _items(self) -> list[Item]:
        return [Item(str(one.listener.port), one.says, _aside(one)) for one in self.forwards.open]

    def _chosen(self, chosen: list[str] | None) -> None:
        self._card = None
        if not chosen:
            return
        found = next((one for one in self.forwards.open if str(one.listener.port) == chosen[0]), None)
        if found is None:
            return
        if chosen[1:] == [STOP]:
            self._begin(self._stop(found))
        else:
            self._screen.app.copy_to_clipboard(f"127.0.0.1:{found.listener.port}")
            self._say(f"copied: 127.0.0.1:{found.listener.port}")

    async def _stop(self, forward: Forward) -> None:
        await self.forwards.stop(forward)
        self._say(f"{forward.says}: stopped")

    def _changed(self) -> None:
        self._bars()
        for one in self.forwards.open:
            if one.listener.trouble and one.state is State.OPEN:
                self._say(f"{one.says}: {one.listener.trouble}", bad=True)
        if self._card is not None and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(EVERY, self._draw)

    def _draw(self) -> None:
        self._due = False
        if self._card is not None:
            self._card.update(self._items())

    # ---- telling

    def _happened(self, forward: Forward, text: str, bad: bool) -> None:
        self._screen.app.notify(text, title=forward.says, severity="warning" if bad else "information", timeout=TOLD, markup=False)

    def _say(self, text: str, *, bad: bool = False) -> None:
        now = asyncio.get_running_loop().time()
        if self._said[0] == text and now - self._said[1] < TOLD:
            return  # it is still on screen: a key that is held down makes no pile
        self._said = (text, now)
        self._screen.app.notify(text, severity="warning" if bad else "information", timeout=TOLD, markup=False)

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="forwards")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends all, and says so where somebody is left to read it: another context was chosen."""
        if count := len(self.forwards.open):
            self._say(f"{count} port-forward{'s' if count > 1 else ''} ended with the context", bad=True)
        await self.forwards.close()


def _fault(texts: list[str]) -> str:
    port, local = aiming.number(texts[0]), aiming.number(texts[1])
    if not port or not local:
        return f"a port from 1 to {aiming.MOST}"
    return aiming.taken(local)


def _aside(forward: Forward) -> str:
    listener = forward.listener
    if forward.state is State.WAITING:
        return forward.text
    if listener.trouble:
        return f"failed: {listener.trouble[:48]}"
    return f"{listener.connections} open of {listener.served}  {_bytes(listener.inward)} in  {_bytes(listener.outward)} out"


def _bytes(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}"
