"""The dashboard while chapters are played on it: their caption, the pane that matters, and all keys as ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from kubepane.actions import Action
from kubepane.cluster.kinds import Kind
from kubepane.cluster.session import Session
from kubepane.scenarios.chapter import Chapter, Look
from kubepane.scenarios.player import CALM, KINDS, Player, Reading
from kubepane.screens import caption
from kubepane.screens.operating import OperatingScreen
from kubepane_widgets.lines import Line

LOOKS, BETWEEN = 10, 0.1  # looks for a row that the stores have and the pane has not taken in yet, and seconds between them
_WHILE_PLAYING = {"namespaces": ("next step", "scenario: go on with the next step", 1), "back": ("leave", "scenario: put all back and leave it", 2)}
"""What two keys do meanwhile: label, title, rank."""


class PlayingScreen(OperatingScreen):
    """Plays once from the first paint on, then is an ordinary dashboard."""

    def __init__(self, session: Session, player: Player, lasting: bool) -> None:
        """`lasting`: the cluster lives on when the program ends, so all is put back before that."""
        super().__init__(session)
        self.player, self._lasting = player, lasting
        player.changed, player.show = self.pacer.changed, self._look
        self._turning: asyncio.Task[None] | None = None
        self._quitting = False

    async def on_mount(self) -> None:
        self.run_worker(self._play(), name="scenario")  # a fault of ours in it ends the program with a report, as any other

    def on_unmount(self) -> None:
        if self._turning is not None:
            self._turning.cancel()

    async def _play(self) -> None:
        await self.player.play()
        self._zoom(False)
        self.session.want(self._kinds())
        self.pacer.changed()
        if self._quitting:
            self.app.exit(return_code=0)

    def _kinds(self) -> list[Kind]:
        own = super()._kinds()
        return own if self.player.over else list(dict.fromkeys((*own, *KINDS)))

    # ---- what is shown

    def told(self, cells: int) -> list[Line]:
        own = super().told(cells)
        if self._quitting and not self.player.over:
            own = [[(" putting all back before leaving; q again leaves at once", "warn")]]
        return [*own, *caption.lines(self.player, cells)]

    def _zoom(self, on: bool) -> None:
        self.query_one(f"#{self.layout_name}").set_class(on, "-zoomed")
        self.call_after_refresh(self.pacer.changed)

    def _look(self, look: Look, uid: str) -> None:
        self._turning = asyncio.get_running_loop().create_task(self._turn(look, uid))

    async def _turn(self, look: Look, uid: str) -> None:
        """Shows the pane that matters, with the cursor on the row."""
        if self.layout_name != look.layout:
            await self._show(look.layout, look.pane)
        self._zoom(look.zoomed)
        if self.current != look.pane:
            self._focus(look.pane)
        if uid in self.session.stores.deployments:  # the panes beside it follow it
            self._workload = uid
            self.follow()
        for _ in range(LOOKS if uid else 0):
            key = next((key for key in self.table(look.pane).order if key.startswith(uid)), "")
            if key:
                self.pane().select(key)
                return
            await asyncio.sleep(BETWEEN)

    # ---- keys

    def _actions(self) -> list[Action]:
        if self.player.over:
            return super()._actions()
        found = []
        for action in super()._actions():
            label, title, rank = _WHILE_PLAYING.get(action.name, (action.label, action.title, action.rank and action.rank + 2))
            found.append(replace(action, label=label, title=title, rank=rank))
        return found

    def action_namespaces(self) -> None:
        if self.player.over:
            super().action_namespaces()
        else:
            self.player.go_on()

    async def action_back(self) -> None:
        if self.player.over or self.pane().marked or self.table(self.current).filter.text:
            await super().action_back()
        else:
            self.player.leave()

    def action_quit(self) -> None:
        """Puts back what is on a cluster that goes on living; a simulated one ends with the program."""
        if self.player.over or self._quitting or not self._lasting:
            self.app.exit(return_code=0)
            return
        self._quitting = True
        self.player.leave()
        self.pacer.changed()


@dataclass(frozen=True, slots=True)
class Play:
    """Chapters to play on the dashboard.

    Attributes:
        chapters: in order.
        lasting: whether the cluster lives on when the program ends.
        reading: how long captions stay.
    """

    chapters: tuple[Chapter, ...]
    lasting: bool = False
    reading: Reading = CALM

    def screen(self, session: Session) -> PlayingScreen:
        """The screen that plays them."""
        return PlayingScreen(session, Player(session, self.chapters, reading=self.reading), self.lasting)
